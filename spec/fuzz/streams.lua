-- lull.stream: pipelines put together at random, over sources that give, wait, fail and end, and
-- that must be closed when the pipeline is through with them, however that came about.
local lull = require "lull"
local stream = require "lull.stream"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local pick, random = values.pick, math.random

values.most_calls = 20

-- ---- sources ----

local function step()
  local how = random(12)
  if how == 1 then lull.await(lull.sleep(0)) end
  if how == 2 then lull.await(lull.sleep(random())) end
  if how == 3 then values.fail() end
end

local body = lull.generator(function(yield, n)
  for i = 1, n do
    step()
    yield(i, pick { "a", "b" })
  end
end)

-- The sources that were made and are not closed yet, by number, while that is of interest.
local noted

local function closable(n)
  local i, notes, number = 0, noted, nil
  local source = setmetatable({}, {
    __call = function()
      i = i + 1
      step()
      return i <= n and i or nil
    end,
    __close = function()
      if notes then notes.open[number] = nil end
      step()
    end,
  })
  if notes then
    notes.count = notes.count + 1
    number = notes.count
    notes.open[number] = true
  end
  return source
end

local sources = {
  function() return { 1, 2, 3, "x", false } end,
  function() return { n = random(0, 3), 1, 2 } end,
  function() return {} end,
  function() return (body(random(0, 8))) end,
  function() return closable(random(0, 8)) end,
  function() return coroutine.wrap(function() coroutine.yield(1) end) end,
  function() return lull.async(function() step() return random(5) > 1 and 1 or nil end) end,
  function() return (lull.as_completed { lull.sleep(random()), lull.sleep(0) }) end,
  values.a_list,
  values.value,
}

local function source()
  if random(2) == 1 then return closable(random(0, 8)) end
  return pick(sources)()
end

-- ---- what pipelines are made of ----

local functions = {
  function(...) return ... end,
  function(x) return { x } end,
  function(...)
    step()
    return ...
  end,
  function() return random(3) > 1 end,
  lull.async(function(...)
    step()
    return ...
  end),
  function(x) return lull.sleep(random(), x) end,
}

local function a_function()
  return random(10) == 1 and values.a_function() or pick(functions)
end

-- A function that makes sources, of which note is taken where the function was made.
local function inner()
  local notes = noted
  return function()
    local before = noted
    noted = notes
    local made = source()
    noted = before
    return made
  end
end

local a_number = values.one_of { 0, 1, 2, 3, 10, 0.5, -1 }
local seconds = values.one_of { 0, 0.001, 0.5, 1, 1e6, -1, 0 / 0 }
local limited = values.options_of { limit = values.one_of { 1, 2, 3, math.huge, 0 } }

local takes = {
  map = { a_function, limited },
  filter = { a_function, limited },
  each = { a_function, limited },
  take = { a_number },
  skip = { a_number },
  chunk = { a_number },
  take_while = { a_function },
  skip_while = { a_function },
  flat_map = { inner },
  merge = { source, source },
  zip = { source },
  timeout = { seconds },
  throttle = { seconds },
  reduce = { a_function, values.one_of { 0, false } },
}

local stages = {
  "map", "map", "filter", "take", "skip", "take_while", "skip_while", "enumerate", "chunk", "merge",
  "merge", "zip", "flat_map", "timeout", "throttle",
}
local results = { "list", "table", "set", "reduce", "each" }

local function call(self, name)
  local args = {}
  for i, make in ipairs(takes[name] or {}) do
    args[i] = make()
  end
  return self[name](self, table.unpack(args, 1, takes[name] and #takes[name] or 0))
end

-- A stage that does not take its arguments leaves the stream as it was, and them.
local function add_stages(made)
  for _ = 1, random(0, 4) do
    local before = noted and noted.count
    local ok, longer = pcall(call, made, pick(stages))
    if ok then
      made = longer
    elseif noted then
      for i = before + 1, noted.count do noted.open[i] = nil end
    end
  end
  return made
end

local function pipeline() return add_stages(stream(closable(random(0, 8)))) end

-- One for others: they do with it what they want.
function values.makers.stream()
  local before = noted
  noted = nil
  local made = pipeline()
  noted = before
  return made
end

function values.makers.stream_iterator() return (values.makers.stream():iter()) end

-- ---- pipelines to their end ----

local function loop_over(made)
  local left = random(0, 5)
  for value in made:iter() do
    values.keep(value)
    left = left - 1
    if left < 0 then break end
  end
end

local function step_through(made)
  local iterator <close> = made:iter()
  for _ = 1, random(0, 5) do
    if iterator() == nil then break end
  end
end

local function result_of(made)
  local ok, result = pcall(call, made, pick(results))
  return ok and result or made:list()
end

local function await_result(made) return lull.await(result_of(made)) end

-- Whoever is cancelled here leaves it to others to cancel the task.
local function await_in_task(made)
  local task = lull.create_task(result_of(made), { eager = true })
  local is_over <close> = setmetatable({}, { __close = function() task:cancel() end })
  lull.await(lull.wait({ task }, { timeout = pick { 0, 0.3, 100 } }))
  task:cancel()
  lull.await(lull.wait { task })
  return is_over
end

local function just_close(made) local _ <close> = made end

local consumers = { loop_over, step_through, await_result, await_in_task, just_close }

-- Uses a pipeline up, however that ends; then all of its sources must be closed.
local function consume()
  local notes = { count = 0, open = {} }
  noted = notes
  local made, how = pipeline(), random(#consumers)
  noted = nil
  local ok, err = pcall(consumers[how], made)
  local is_over = ok or consumers[how] ~= await_in_task
  if is_over and next(notes.open) then
    targets.defect("a source was left open by consumer " .. how)
  end
  if not ok then error(err, 0) end
end

targets.add("stream", "stream", targets.looped(stream), nil, { source })
targets.add("stream", "consume", consume)
local wrappers = { iter = targets.looped }
for _, name in ipairs(results) do
  wrappers[name] = targets.awaited
end
targets.add_methods("stream", pipeline(), takes, wrappers)
targets.add_methods("stream_iterator", pipeline():iter())
