local body = "Hello, World!\n"

local function run()
  local rest = body
  local headers = { ["Content-Type"] = "text/plain", ["Content-Length"] = #body }
  return 200, headers, function()
    local piece = rest
    rest = nil
    return piece
  end
end

return run
