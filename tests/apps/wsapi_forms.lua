-- An application as people write them with lua-wsapi's own modules.
local request = require "wsapi.request"
local response = require "wsapi.response"
local util = require "wsapi.util"

return function(env)
  local rewound = env.PATH_INFO == "/twice" and util.make_rewindable(env)
  if rewound then
    request.new(rewound)
    rewound.input:rewind()
  end
  local req = request.new(rewound or env)
  local res = response.new(200, { ["Content-Type"] = "text/plain" })
  if req.path_info == "/redirect" then
    return res:redirect("/elsewhere?a=" .. util.url_encode("b c"))
  end
  local names = {}
  for name in pairs(req.GET) do names[#names + 1] = name end
  for name in pairs(req.POST) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = req.params[name]
    if type(value) == "table" and value.contents then
      local sum = 0
      for i = 1, #value.contents do sum = (sum * 31 + value.contents:byte(i)) % 65521 end
      value = ("%s %d %d %s"):format(value.name, value.size, sum, value["content-type"])
    elseif type(value) == "table" then
      value = table.concat(value, ",")
    end
    res:write(name, "=", value, "\n")
  end
  res:write("cookie=", req.cookies.visit or "none", "\n")
  res:set_cookie("visit", "two words")
  res:set_cookie("other", { value = "1", path = "/", httponly = true })
  return res:finish()
end
