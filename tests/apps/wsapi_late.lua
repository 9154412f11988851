-- Loaded by wsapi_checks.lua in a request.
return { say = function(env) return "late " .. env.PATH_INFO end }
