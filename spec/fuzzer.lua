-- Calls functions and methods of lull with random arguments: `lull --virtual-clock
-- spec/fuzzer.lua GROUP SEED CALLS` does so with those of one group, each so many times. Errors are
-- as good as results; the process must end by itself, with 0. On stderr stands what was called
-- last. The calls are made by tasks that the driver cancels as soon as they wait for long.
local lull = require "lull"
local timer = require "lull.timer"

local group, seed, calls = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3])
math.randomseed(seed)
local random = math.random

local BATCH = 50 -- calls made by one task
local KEPT = 12 -- objects of a kind at hand

function _G.print() end -- what timers say

local function pick(list) return list[random(#list)] end

-- ---- objects of lull: a pool of each kind, in which old ones are replaced ----

local function fail() error("random failure", 0) end

local function forever() lull.await(lull.future()) end

local makers = {
  future = lull.future,
  task = function() return lull.create_task(pick { forever, fail, function() return 1 end }) end,
  gather = function() return lull.gather(lull.future(), lull.sleep(random(3))) end,
  coroutine = function() return lull.async(pick { forever, fail, function() end })() end,
  sleep = function() return lull.sleep(random()) end,
  queue = function()
    return pick { lull.queue, lull.lifo_queue, lull.priority_queue }(random(0, 3))
  end,
  lock = lull.lock,
  semaphore = function() return pick { lull.semaphore, lull.bounded_semaphore }(random(3)) end,
  guard = function() return lull.await(lull.semaphore(1):acquire()) end,
  event = lull.event,
  condition = lull.condition,
  barrier = function() return lull.barrier(random(3)) end,
  scope = function() return lull.timeout(pick { -1, 0, 0.001, 1e6 }) end,
  task_group = lull.task_group,
  generator = function()
    return (lull.generator(function(yield)
      for i = 1, 3 do
        yield(i)
        lull.await(lull.sleep(0))
      end
    end)())
  end,
  completion = function() return (lull.as_completed { lull.future(), lull.sleep(1) }) end,
  handle = function() return lull.loop():call_later(random(), pick { fail, function() end }) end,
  loop = lull.loop,
  context_var = function() return lull.context_var("v", random()) end,
  timer = function() return timer.new { text = pick { false, "{:.1f}", "{name}" } } end,
  error = function() return pick { lull.Error, lull.TimeoutError, lull.OSError }("e") end,
  error_group = function() return lull.ExceptionGroup("g", { lull.CancelledError("c"), "e" }) end,
}

local kinds = {}
for kind in pairs(makers) do
  kinds[#kinds + 1] = kind
end
table.sort(kinds)

local pools = {}

local function object(kind)
  local pool = pools[kind]
  if not pool then
    pool = {}
    pools[kind] = pool
  end
  local i = random(KEPT)
  if pool[i] == nil or random(8) == 1 then
    pool[i] = makers[kind]()
  end
  return pool[i]
end

-- What calls gave, to be given to others.
local results = {}

local function keep(...)
  for i = 1, math.min(select("#", ...), 3) do
    local value = select(i, ...)
    if value ~= nil then results[random(64)] = value end
  end
end

-- ---- random values ----

local value

local closed_file = io.tmpfile()
closed_file:close()
local files = { io.tmpfile(), closed_file }

local integers = {
  0, 1, -1, 2, 3, 10, 255, math.maxinteger, math.mininteger, 1 << 31, 1 << 32,
}
local floats = {
  0.0, -0.0, 0.5, 1.0, -1.5, 1e-9, 5e-324, 1e308, -1e308, 0 / 0, 1 / 0, -1 / 0, 2 ^ 53,
}
local strings = {
  "", "x", "10", "0x10", "nan", "\0", "a\0b", "\255\254\0\1", ("long"):rep(5000), "%s%n%d",
  "{:.99f}", "{name}", "ALL_COMPLETED", "FIRST_EXCEPTION", "timeout", "virtual", "__index",
}
local options = {
  "timeout", "limit", "return_when", "return_exceptions", "name", "eager", "text", "n", "debug",
  "clock",
}

local functions = {
  function() end,
  function(...) return ... end,
  fail,
  forever,
  function() error() end,
  function() error({}) end,
  function() error(value()) end,
  function() return value() end,
  function() return lull.await(lull.sleep(0)) end,
  function(f) return type(f) == "function" and f(1) end,
  function() coroutine.yield(1) end,
  function() return lull.current_task():cancel() end,
  function() collectgarbage("step") end,
  lull.async(function(...) return ... end),
  lull.async(forever),
  tostring, select, pcall, error, math.max, rawequal, coroutine.running, lull.await,
}

local metamethods = {
  "__await", "__index", "__call", "__close", "__tostring", "__name", "__len", "__eq", "__lt",
  "__gc", "__pairs", "__metatable", "__mode",
}

local function list()
  local t = {}
  for i = 1, random(0, 4) do
    t[i] = value()
  end
  return t
end

local function option_table()
  local t = random(2) == 1 and list() or {}
  for _ = 1, random(2) do
    t[pick(options)] = value()
  end
  return t
end

local function length() return pick { 0, 1, -1, 3, 1 << 30, math.maxinteger, "x", 0.5 } end

local function with_metatable()
  local meta = {}
  for _ = 1, random(2) do
    meta[pick(metamethods)] = pick { pick(functions), value(), length }
  end
  -- When the collector runs must not decide what comes next.
  if meta.__gc ~= nil then meta.__gc = fail end
  if type(meta.__mode) ~= "string" then meta.__mode = nil end
  if meta.__len then meta.__index = nil end -- a list that is truly endless fills the memory
  return setmetatable(list(), meta)
end

local function thread()
  local co = coroutine.create(pick(functions))
  if random(2) == 1 then pcall(coroutine.resume, co) end
  return co
end

local depth = 0

-- Nested ones end somewhere.
local function nested(make)
  if depth > 3 then return {} end
  depth = depth + 1
  local made = make()
  depth = depth - 1
  return made
end

local random_values = {
  function() return nil end,
  function() return random(2) == 1 end,
  function() return pick(integers) end,
  function() return random(-3, 5) end,
  function() return pick(floats) end,
  function() return pick(strings) end,
  function() return nested(list) end,
  function() return nested(option_table) end,
  function() return nested(with_metatable) end,
  function() return pick(functions) end,
  thread,
  function() return pick(files) end,
  function() return results[random(64)] end,
  function() return lull.current_task() end,
}

function value()
  if random(3) == 1 then return object(pick(kinds)) end
  return pick(random_values)()
end

-- ---- what is called ----

-- These end the process or the run, or may wait for ever where nothing can be cancelled.
local left_out = { ["loop.stop"] = true, ["loop.run_forever"] = true }

local targets = { functions = {}, errors = {} }

local function add(where, name, f, kind)
  if not left_out[name] then
    table.insert(targets[where], { name = name, f = f, kind = kind })
  end
end

local function names_of(t)
  local names = {}
  for name, f in pairs(t) do
    if type(name) == "string" and type(f) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function add_methods(where, kind, sample)
  local meta = debug.getmetatable(sample)
  for _, name in ipairs(names_of(meta)) do
    if name:find("^__") and name ~= "__gc" and name ~= "__index" then
      add(where, kind .. "." .. name, meta[name], kind)
    end
  end
  if type(meta.__index) == "table" then
    for _, name in ipairs(names_of(meta.__index)) do
      if not name:find("^__") then add(where, kind .. "." .. name, meta.__index[name], kind) end
    end
  end
end

local function collect_targets()
  for _, name in ipairs(names_of(lull)) do
    add("functions", name, lull[name])
  end
  add("functions", "timer.new", timer.new)
  local classes = {}
  for name, class in pairs(lull) do
    if type(class) == "table" then classes[#classes + 1] = name end
  end
  table.sort(classes)
  for _, name in ipairs(classes) do
    local class = lull[name]
    add("errors", name, function(...) return class(...) end)
    add("errors", name .. ".extend", function(_, ...) return class:extend(...)("x") end)
  end
  for _, kind in ipairs(kinds) do
    targets[kind] = {}
    add_methods(kind, kind, makers[kind]())
  end
  add("errors", "tostring", function(...) return tostring((...)) end, "error")
  add("errors", "tostring of a group", function(...) return tostring((...)) end, "error_group")
end

local groups = {
  functions = { "functions" },
  errors = { "errors", "error", "error_group" },
  futures = { "future", "task", "gather", "coroutine", "sleep" },
  waiting = { "queue", "lock", "semaphore", "guard", "event", "condition", "barrier" },
  others = { "scope", "task_group", "generator", "completion", "handle", "loop", "context_var",
             "timer" },
}

-- ---- the driver ----

local made, answered = 0, 0

local function count(ok, ...)
  made = made + 1
  if ok then answered = answered + 1 end
  keep(...)
end

local function call(target)
  local args, n = {}, pick { 0, 1, 1, 2, 2, 3, 4 }
  for i = 1, n do
    args[i] = value()
  end
  if target.kind and random(10) > 1 then
    count(pcall(target.f, object(target.kind), table.unpack(args, 1, n)))
  else
    count(pcall(target.f, table.unpack(args, 1, n)))
  end
end

local function batch(target)
  for _ = 1, BATCH do
    pcall(call, target)
  end
end

-- Others have this task at hand too, and may cancel it.
local function pause(seconds) pcall(lull.await, lull.sleep(seconds)) end

local function cancel_others(driver)
  for _, task in ipairs(lull.all_tasks()) do
    if task ~= driver then task:cancel() end
  end
end

local function finish(driver, worker)
  local rounds = 0
  while not worker:done() do
    rounds = rounds + 1
    assert(rounds < 10000, "a task cannot be cancelled")
    pause(random(50) == 1 and 1 or 0)
    worker:cancel()
    if rounds % 20 == 0 then cancel_others(driver) end
  end
end

local function fuzz(target)
  io.stderr:write("\n=== ", target.name, "\n")
  local driver = lull.current_task()
  local goal = made + calls
  while made < goal do
    finish(driver, lull.create_task(function() batch(target) end))
  end
  -- Those left over may catch their cancellation, and wait again, a few times over.
  for _ = 1, 20 do
    cancel_others(driver)
    pause(0)
  end
  lull.loop():set_exception_handler(nil)
end

collect_targets()
local fuzzed = 0
for _, part in ipairs(groups[group]) do
  for _, target in ipairs(targets[part]) do
    fuzz(target)
    fuzzed = fuzzed + 1
  end
end
io.stdout:write(("%d targets, %d calls, %d answered\n"):format(fuzzed, made, answered))
os.exit(0)
