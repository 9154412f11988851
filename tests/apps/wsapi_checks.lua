-- An application for tests/e2e/test_lua.py: each path does one thing. It runs in Lua 5.4
-- and in LuaJIT.
local alicorn = require "alicorn"

local app, kept, count = {}, nil, 0

local function text(body)
  local done
  return 200, { ["Content-Type"] = "text/plain", ["Content-Length"] = #body }, function()
    if not done then
      done = true
      return body
    end
  end
end

local function pieces(...)
  local list, i = { ... }, 0
  return 200, {}, function()
    i = i + 1
    return list[i]
  end
end

local function file(name)
  local f = assert(io.open(name))
  local all = f:read("*a")
  f:close()
  return all
end

local function busy(seconds)
  local till = os.clock() + seconds
  repeat until os.clock() > till
end

local function note(line)
  local f = assert(io.open(os.getenv("NOTES"), "a"))
  f:write(line, "\n")
  f:close()
end

-- ---- Responses ----

function app.hello() return text "hello\n" end
function app.none() return 204 end
function app.no_body() return "200 OK", {}, nil end
function app.items() return pieces("one ", "", "two ", 3) end
function app.falsy() return pieces("a", false, "b") end
function app.version() return text(_VERSION .. " " .. tostring(jit and jit.version)) end

-- A call without results is the end, as nil is.
function app.zero_results()
  local calls = 0
  return 200, {}, function()
    calls = calls + 1
    if calls == 1 then return "once" end
  end
end

function app.status(env) return (env.QUERY_STRING:gsub("+", " ")), {} end
function app.code(env) return tonumber(env.QUERY_STRING), {} end

function app.many_headers()
  return 200, {
    ["Set-Cookie"] = { "a=1", "b=2" }, ["X-Number"] = 6 / 2, ["X-Great"] = 123456789012345,
    ["X-Half"] = 0.5, ["X-Empty"] = "", ["X-List"] = { 1, "two", 3.0 }, ["X-No"] = {},
    ["Content-Length"] = 0,
  }
end

function app.hundred_headers()
  local headers = {}
  for i = 1, 100 do headers["X-" .. i] = i end
  return 200, headers
end

function app.slow()
  return 200, {}, coroutine.wrap(function()
    for i = 1, 3 do
      coroutine.yield("piece " .. i)
      busy(0.15)
    end
  end)
end

function app.callable()
  local calls = 0
  return 200, {}, setmetatable({}, { __call = function()
    calls = calls + 1
    return calls < 3 and "called " or nil
  end })
end

function app.big(env)
  local n, piece = tonumber(env.QUERY_STRING), ("x"):rep(65536)
  return 200, {}, function()
    n = n - 1
    return n >= 0 and piece or nil
  end
end

-- ---- The environ and the body ----

function app.env(env)
  local lines = {}
  for name in env.QUERY_STRING:gmatch("[^&]+") do
    lines[#lines + 1] = name .. "=" .. tostring(env[name])
  end
  return text(table.concat(lines, "\n"))
end

function app.all(env)
  local names = {}
  for name in pairs(env.headers) do names[#names + 1] = name end
  table.sort(names)
  return text(table.concat(names, " "))
end

function app.set(env)
  env.PATH_INFO, env.MINE = "/changed", "mine"
  local seen = {}
  for name in pairs(env) do seen[#seen + 1] = name end
  table.sort(seen)
  return text(env.PATH_INFO .. env.MINE .. " " .. table.concat(seen, " ")
    .. " " .. tostring(env[1]))
end

function app.read(env)
  local parts = {}
  for n in env.QUERY_STRING:gmatch("[^&]+") do
    local part = env.input:read(tonumber(n))
    parts[#parts + 1] = part and "<" .. part .. ">" or "nil"
  end
  return text(env.input.length .. " " .. table.concat(parts))
end

function app.lines(env)
  local lines = {}
  for line in env.input:lines() do lines[#lines + 1] = #line end
  return text(table.concat(lines, " "))
end

function app.sum(env)
  local total, n = 0, 0
  repeat
    local part = env.input:read(100000)
    for i = 1, part and #part or 0 do total = (total * 31 + part:byte(i)) % 65521 end
    n = n + (part and #part or 0)
  until not part
  return text(n .. " " .. total)
end

function app.errors(env)
  env.error:write("begun, ", 1, " "):write("ended\nsecond line\nleft")
  env.error:flush()
  env.error:write(("y"):rep(3000))
  return text "written"
end

function app.keep(env)
  kept = { env = env, input = env.input, errors = env.error, lines = env.input:lines() }
  return text "kept"
end

function app.use_kept()
  local tries = {
    function() return kept.env.REMOTE_ADDR end,
    function() return kept.input:read() end,
    function() return kept.errors:write("x") end,
    function() return kept.lines() end,
    function() return kept.input.read({}, 1) end,
    function() return kept.input.read() end,
  }
  local said = {}
  for i, try in ipairs(tries) do
    local worked, why = pcall(try)
    said[i] = tostring(worked) .. " " .. tostring(why)
  end
  return text(table.concat(said, "\n"))
end

-- ---- What goes wrong ----

local faults = {
  nothing = function() end,
  no_status = function() return nil, {}, nil end,
  status_true = function() return true, {} end,
  status_table = function() return {}, {} end,
  status_word = function() return "fine", {} end,
  status_two_digits = function() return "20 OK", {} end,
  status_99 = function() return 99, {} end,
  status_1000 = function() return 1000, {} end,
  status_half = function() return 200.5, {} end,
  status_inf = function() return 1 / 0, {} end,
  status_line = function() return "200 a\r\nX: y", {} end,
  status_nul = function() return "200 a\0b", {} end,
  headers_string = function() return 200, "X: y" end,
  headers_function = function() return 200, print end,
  headers_list = function() return 200, { "X: y" } end,
  header_true = function() return 200, { X = true } end,
  header_function = function() return 200, { X = print } end,
  header_nested = function() return 200, { X = { { "y" } } } end,
  header_line = function() return 200, { X = "a\r\nY: b" } end,
  header_nul = function() return 200, { X = "a\0b" } end,
  header_name = function() return 200, { ["X Y"] = "a" } end,
  header_no_name = function() return 200, { [""] = "a" } end,
  lengths_differ = function() return 200, { ["Content-Length"] = 1, ["content-length"] = 2 } end,
  length_word = function() return 200, { ["Content-Length"] = "many" } end,
  iterator_string = function() return 200, {}, "body" end,
  iterator_number = function() return 200, {}, 5 end,
  iterator_table = function() return 200, {}, { "body" } end,
  piece_table = function() return 200, {}, function() return {} end end,
  piece_true = function() return 200, {}, function() return true end end,
  yields = function() coroutine.yield(1) end,
  raises = function() error("oops") end,
  raises_table = function() error({ 404 }) end,
  raises_number = function() error(404) end,
  raises_nil = function() error(nil) end,
  raises_speaking = function()
    error(setmetatable({}, { __tostring = function() return "speaking" end }))
  end,
  raises_in_tostring = function()
    error(setmetatable({}, { __tostring = function() error("again") end }))
  end,
  raises_in_iterator = function() return 200, {}, function() error("oops") end end,
  raises_in_coroutine = function()
    return 200, {}, coroutine.wrap(function() error("oops") end)
  end,
  dead_coroutine = function()
    local co = coroutine.wrap(function() end)
    co()
    return 200, {}, co
  end,
  too_deep = function()
    local function deeper() return 1 + deeper() end
    return deeper()
  end,
}

function app.fault(env) return faults[env.QUERY_STRING](env) end

function app.faults()
  local names = {}
  for name in pairs(faults) do names[#names + 1] = name end
  table.sort(names)
  return text(table.concat(names, " "))
end

function app.raise_late()
  return 200, {}, coroutine.wrap(function()
    coroutine.yield("begun")
    error("late")
  end)
end

function app.too_short() return 200, { ["Content-Length"] = 10 }, coroutine.wrap(function()
  coroutine.yield("short")
end) end

function app.too_long() return 200, { ["Content-Length"] = 3 }, coroutine.wrap(function()
  coroutine.yield("lon")
  coroutine.yield("ger")
end) end

function app.exit() os.exit(3) end
function app.stuck() while true do count = count + 1 end end

-- ---- The process ----

function app.pid() return text(file("/proc/self/stat"):match("%d+")) end
function app.random() return text(tostring(math.random(1, 2 ^ 30))) end

function app.count()
  count = count + 1
  return text(tostring(count))
end

function app.print()
  print("printed by Lua")
  return text "printed"
end

function app.log(env)
  local fine, why = pcall(alicorn.log, env.QUERY_STRING, "of the application\nand more")
  return text(fine and "logged" or why)
end

function app.about() return text(alicorn.name .. " " .. alicorn.version) end
function app.path() return text(package.path .. "\n" .. package.cpath) end

-- Garbage of all kinds, to be cleared away while requests go on.
function app.garbage(env)
  local list = {}
  for i = 1, 2000 do
    list[i] = { tostring(i), setmetatable({}, { __gc = function() error("finalizer") end }) }
  end
  return text(#list .. " " .. #env.headers.HTTP_HOST)
end

function app.late(env) return text(require("wsapi_late").say(env)) end

local function run(env)
  local handler = app[env.PATH_INFO:sub(2)]
  if not handler then return 404, { ["Content-Length"] = 0 } end
  return handler(env)
end

-- ---- What else is called ----

local turns = 0

return {
  run = run,
  worker_init = os.getenv("NOTES") and function() note("worker_init") end,
  worker_exit = os.getenv("NOTES") and function() note("worker_exit") end,
  iterate = os.getenv("TURNS") and function()
    turns = turns + 1
    count = turns
    if turns == 5 then error("of the fifth turn") end
    if turns % 100 == 0 then return alicorn.PAUSE end
  end,
  on_init = function() note("post_worker_init") end,
  on_request = function(env) note("pre_request " .. env.PATH_INFO) end,
  on_response = function(env, status)
    note(("post_request %s %d %s"):format(env.PATH_INFO, status, env.REMOTE_ADDR))
  end,
  on_int = function() note("worker_int") end,
  on_abort = function() note("worker_abort") end,
  on_exit = function() note("exit hook") end,
  raising = function() error("of the hook") end,
}
