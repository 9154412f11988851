-- One request in a hundred takes the application 50 ms.
local n = 0

request = function()
  n = n + 1
  return wrk.format("GET", n % 100 == 0 and "/slow" or "/")
end
