-- Sixteen requests at a time, without waiting for the answers.
local requests

init = function()
  requests = string.rep(wrk.format("GET", "/"), 16)
end

request = function()
  return requests
end
