-- An application of lua-orbit, which is for Lua 5.1 and so for LuaJIT.
local orbit = require "orbit"

module("orbit_notes", package.seeall, orbit.new)

local notes = {}

function index(web)
  return render_index()
end

function show(web, number)
  local note = notes[tonumber(number)]
  if not note then return not_found(web) end
  return ("<p>%s</p>"):format(note)
end

function add(web)
  notes[#notes + 1] = web.input.text
  web.status, web.headers["Location"] = "303 See Other", web:link("/note/" .. #notes)
  return ""
end

orbit_notes:dispatch_get(index, "/", "/index")
orbit_notes:dispatch_get(show, "/note/(%d+)")
orbit_notes:dispatch_post(add, "/add")

function render_index()
  return html { head { title "Notes" }, body { h1 "Notes", p(#notes .. " of them") } }
end

orbit.htmlify(orbit_notes, "render_.+")
