-- An application that several threads of a worker run, for tests/e2e/test_threads.py.
local count = 0
local me = tostring {}

local function exists(path)
  local f = io.open(path)
  if f then f:close() end
  return f ~= nil
end

local app = {}

-- /meet?FOLDER,I,N: returns when all requests of 1 to N are here.
function app.meet(query)
  local folder, i, n = query:match "^(.*),(%d+),(%d+)$"
  io.open(folder .. "/" .. i, "w"):close()
  for k = 1, tonumber(n) do
    repeat until exists(folder .. "/" .. k)
  end
  return me
end

-- The state, and how many such requests it has had.
function app.own()
  count = count + 1
  return me .. " " .. count
end

function app.stuck()
  while true do end
end

return function(env)
  local body = app[env.PATH_INFO:sub(2)](env.QUERY_STRING)
  local done = false
  return 200, { ["Content-Type"] = "text/plain" }, function()
    if not done then
      done = true
      return body
    end
  end
end
