-- Conway's Game of Life, steered over HTTP while it runs.
--
--     alicorn -k iterating lua:examples/simulation/simulation.lua
--
-- The paths and forms are those of simulation.c and simulation.py. Between two requests an
-- iterating worker calls iterate(), which goes one generation further, and returns
-- alicorn.PAUSE when as many are done as it was told to.

local alicorn = require "alicorn"

local WIDTH, HEIGHT = 64, 32
local FORM_MAX = 1024

local cells, generation, to_go = {}, 0, 0
local born, survives = { [3] = true }, { [2] = true, [3] = true }

-- ---- The simulation ----

for y = 0, HEIGHT - 1 do
  cells[y] = {}
  for x = 0, WIDTH - 1 do cells[y][x] = 0 end
end
for y, row in ipairs { " ##", "## ", " # " } do
  for x = 1, 3 do
    cells[HEIGHT / 2 + y - 1][WIDTH / 2 + x - 1] = row:sub(x, x) == "#" and 1 or 0
  end
end

local function neighbours(x, y)
  local n = -cells[y][x]
  for dy = -1, 1 do
    local row = cells[(y + dy) % HEIGHT]
    for dx = -1, 1 do n = n + row[(x + dx) % WIDTH] end
  end
  return n
end

local function step()
  local new = {}
  for y = 0, HEIGHT - 1 do
    new[y] = {}
    for x = 0, WIDTH - 1 do
      local wanted = cells[y][x] == 1 and survives or born
      new[y][x] = wanted[neighbours(x, y)] and 1 or 0
    end
  end
  cells, generation = new, generation + 1
end

-- ---- HTTP ----

local function counts(digits)
  local set = {}
  for digit in digits:gmatch "%d" do set[tonumber(digit)] = true end
  return set
end

local function steer(form)
  for name, value in form:gmatch "(%w+)=(%d*)" do
    if name == "steps" then to_go = tonumber(value) or 0 end
    if name == "born" then born = counts(value) end
    if name == "survives" then survives = counts(value) end
  end
end

local function show()
  local rows, alive = {}, 0
  for y = 0, HEIGHT - 1 do
    local row = {}
    for x = 0, WIDTH - 1 do
      row[x + 1] = cells[y][x] == 1 and "#" or " "
      alive = alive + cells[y][x]
    end
    rows[y + 1] = '"' .. table.concat(row) .. '"'
  end
  return ('{"generation": %d, "to_go": %d, "alive": %d, "rows": [%s]}\n'):format(
    generation, to_go, alive, table.concat(rows, ","))
end

-- ---- What the gateway calls ----

local function run(env)
  if env.REQUEST_METHOD == "POST" then steer(env.input:read(FORM_MAX) or "") end
  return 200, { ["Content-Type"] = "application/json" }, coroutine.wrap(function()
    coroutine.yield(show())
  end)
end

local function iterate()
  if to_go == 0 then return alicorn.PAUSE end
  to_go = to_go - 1
  step()
end

return { run = run, iterate = iterate }
