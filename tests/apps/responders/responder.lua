-- A FastCGI responder on lua-wsapi-fcgi: says who it is, what was asked and what was sent.
local fastcgi = require "wsapi.fastcgi"

local function pid()
	local file = assert(io.open("/proc/self/stat"))
	local number = file:read("*n")
	file:close()
	return number
end

fastcgi.run(function(env)
	local length = tonumber(env.CONTENT_LENGTH) or 0
	local body = length > 0 and env.input:read(length) or ""
	env.error:write("lua was asked\n")
	return 200, { ["Content-Type"] = "text/plain", ["X-Pid"] = tostring(pid()) },
		coroutine.wrap(function()
			coroutine.yield(env.REQUEST_METHOD .. " " .. env.QUERY_STRING .. " ")
			coroutine.yield(body)
		end)
end)
