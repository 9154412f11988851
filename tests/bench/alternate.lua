-- Each request is for another application than the one before.
local n = 0

request = function()
  n = n + 1
  return wrk.format("GET", n % 2 == 0 and "/b/" or "/")
end
