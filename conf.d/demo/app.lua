-- A WSAPI application that shows what it is given: the environ, a form's text, and which
-- state of Lua answers. What a client sent is escaped wherever it appears.

local FORM_MAX = 10000

local page = [[<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Lua</title>
<link rel="icon" href="data:,">
<style>
%s</style>
<main>
<h1>Hello from Lua</h1>
<p>%s, its request number %d.</p>
<form method="post"><input name="text" maxlength="200" placeholder="Some text" aria-label="Some text"> <button>Send</button></form>
%s<h2>The environ</h2>
<table>
%s</table>
</main>
</html>
]]

local style = assert(io.open("www/look.css")):read("*a")
local requests = 0

local function escape(text)
  return (tostring(text):gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

local function unescape_form(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function echo(env)
  if env.REQUEST_METHOD ~= "POST" then return "" end
  local text = (env.input:read(FORM_MAX) or ""):match("text=([^&]*)") or ""
  return "<p>You sent:</p>\n<blockquote>" .. escape(unescape_form(text)) .. "</blockquote>\n"
end

local function run(env)
  requests = requests + 1
  local said = echo(env)
  local rows = {}
  for name, value in pairs(env.headers) do
    rows[#rows + 1] = "<tr><td>" .. escape(name) .. "<td>" .. escape(value) .. "\n"
  end
  table.sort(rows)
  local body = page:format(style, _VERSION, requests, said, table.concat(rows))
  local headers = { ["Content-Type"] = "text/html; charset=utf-8", ["Content-Length"] = #body }
  return 200, headers, coroutine.wrap(function() coroutine.yield(body) end)
end

return { run = run }
