-- uWSGI calls the iterator until it raises an error, as a coroutine that has ended does.
local body = "Hello, World!\n"

local function run()
  local headers = { ["Content-Type"] = "text/plain", ["Content-Length"] = tostring(#body) }
  return 200, headers, coroutine.wrap(function() coroutine.yield(body) end)
end

return run
