-- The iterator is a coroutine, as in WSAPI's own examples, and as uWSGI needs it: that
-- calls it until it raises an error.
local body = "Hello, World!\n"

local function run()
  local headers = { ["Content-Type"] = "text/plain", ["Content-Length"] = tostring(#body) }
  return 200, headers, coroutine.wrap(function() coroutine.yield(body) end)
end

return run
