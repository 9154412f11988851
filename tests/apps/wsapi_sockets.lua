-- Takes connections over, and hears of other workers, for tests/e2e/test_lua.py. Between
-- requests it serves the connections that it has taken (worker_class = "iterating").
local alicorn = require "alicorn"

local Echo = {}
Echo.__index = Echo
local echoes, heard, reasons = {}, {}, {}

function Echo:serve()
  local text, why = alicorn.read(self.fd)
  if text == "" or (not text and why ~= "Resource temporarily unavailable") then
    self.ended = true
  elseif text then
    alicorn.write(self.fd, text:upper())
    self.failing = text:find("fail", 1, true)
    self.ended = text:find("bye", 1, true)
  end
end

function Echo:status()
  if self.failing then error("of status") end
  return not self.ended
end

function Echo:terminate(reason)
  alicorn.write(self.fd, "told to end: " .. reason)
  self.ended = true
end

local function text(body)
  return 200, { ["Content-Length"] = #body }, coroutine.wrap(function()
    if body ~= "" then coroutine.yield(body) end
  end)
end

local app = {}

app["/take"] = function(env)
  local fd, unread = alicorn.socket(env)
  alicorn.write(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " .. #unread
    .. "\r\n\r\n" .. unread)
  return alicorn.ALREADY_HANDLED
end

app["/echo"] = function(env)
  local echo = setmetatable({ fd = alicorn.socket(env) }, Echo)
  echoes[#echoes + 1] = echo
  alicorn.write(echo.fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n")
  return alicorn.detach(env, echo)
end

app["/nothing_taken"] = function() return alicorn.ALREADY_HANDLED end
app["/not_taken"] = function(env) return alicorn.detach(env, Echo) end
app["/no_status"] = function(env) return alicorn.detach(env, {}) end

app["/fails"] = function(env)
  alicorn.socket(env)
  alicorn.detach(env, Echo)
  error("after all")
end

app["/send"] = function(env)
  local to, size = env.QUERY_STRING:match("(%a+)&(%d+)")
  local sent, why = alicorn.send(7, ("m"):rep(tonumber(size)), to)
  return text(why or tostring(sent))
end

app["/send_descriptor"] = function()
  return text(tostring(alicorn.send(8, "input", "pool", 0)))
end

app["/send_bad"] = function()
  return text(tostring(alicorn.send(9, "x")))
end

app["/heard"] = function() return text(table.concat(heard, "\n")) end
app["/pid"] = function() return text(io.open("/proc/self/stat"):read("*a"):match("%d+")) end
app["/bad_descriptor"] = function()
  return text(("%s; %s; %s"):format(select(2, alicorn.read(-1)), select(2, alicorn.write(-1, "")),
    select(2, alicorn.close(-1))))
end

alicorn.on_message(function(type, data, from, fd)
  heard[#heard + 1] = ("%d %d %d %s"):format(type, #data, from, fd and alicorn.read(fd) or "-")
  if fd then alicorn.close(fd) end
  if type == 9 then error("of a message") end
end)

return {
  run = function(env) return app[env.PATH_INFO](env) end,
  iterate = function()
    for i = #echoes, 1, -1 do
      echoes[i]:serve()
      if echoes[i].ended then table.remove(echoes, i) end
    end
    return #echoes == 0 and alicorn.PAUSE or nil
  end,
}
