-- What spec/fuzzer.lua gives to the functions it calls: random values, of Lua's and of lull's own
-- kinds. Makers of further kinds, and further values, are added by the files beside this one.
local lull = require "lull"
local timer = require "lull.timer"

local random = math.random

local M = {}

local KEPT = 12 -- objects of a kind at hand
local RESULTS = 64

function M.pick(list) return list[random(#list)] end

local pick = M.pick

-- ---- objects of lull: a pool of each kind, in which old ones are replaced ----

function M.fail() error("random failure", 0) end

function M.forever() lull.await(lull.future()) end

local fail, forever = M.fail, M.forever

M.makers = {
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

local kinds
local pools = {}

--- The kinds there are, in order; asked for when all makers are there.
function M.kinds()
  if kinds then return kinds end
  kinds = {}
  for kind in pairs(M.makers) do
    kinds[#kinds + 1] = kind
  end
  table.sort(kinds)
  return kinds
end

--- An object of a kind, perhaps one that was given before.
function M.object(kind)
  local pool = pools[kind]
  if not pool then
    pool = {}
    pools[kind] = pool
  end
  local i = random(KEPT)
  if pool[i] == nil or random(8) == 1 then
    pool[i] = M.makers[kind]()
  end
  return pool[i]
end

-- What calls gave, to be given to others.
local results = {}

-- Where one could be taken for a path, or a URL, it must lead nowhere else.
local function leads_away(value)
  if type(value) ~= "string" then return false end
  if value:find("//", 1, true) then return not value:find("//127.0.0.1", 1, true) end
  return value:find("^/") ~= nil or value:find("..", 1, true) ~= nil
end

function M.keep(...)
  for i = 1, math.min(select("#", ...), 3) do
    local value = select(i, ...)
    if value ~= nil and not leads_away(value) then results[random(RESULTS)] = value end
  end
end

--- Drops all objects and results.
function M.drop()
  pools, results = {}, {}
end

-- ---- random values ----

local files = {}

--- Opens what values need. Threads that load this file have no need of it.
function M.open_files()
  files = { io.tmpfile(), io.tmpfile() }
  files[2]:close()
end

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

M.options = {
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
  function() error(M.value()) end,
  function() return M.value() end,
  function() return lull.await(lull.sleep(0)) end,
  function(f) return type(f) == "function" and f(1) end,
  function() coroutine.yield(1) end,
  function() return lull.current_task():cancel() end,
  function() collectgarbage("step") end,
  function(...) error(...) end,
  tostring, select, pcall, math.max, rawequal, coroutine.running, lull.await,
}
local async_functions = { lull.async(function(...) return ... end), lull.async(forever) }

--- How often functions may be called; then they give nothing. Where they are iterators some of them
--- would go on for ever.
M.most_calls = nil

local function ending(f)
  local left = M.most_calls
  return function(...)
    left = left - 1
    if left >= 0 then return f(...) end
  end
end

--- A function that may do anything.
function M.a_function()
  if random(10) == 1 then return pick(async_functions) end
  local f = pick(functions)
  return M.most_calls and ending(f) or f
end

local a_function = M.a_function

local metamethods = {
  "__await", "__index", "__call", "__close", "__tostring", "__name", "__len", "__eq", "__lt",
  "__gc", "__pairs", "__metatable", "__mode",
}

local function list()
  local t = {}
  for i = 1, random(0, 4) do
    t[i] = M.value()
  end
  return t
end

local function option_table()
  local t = random(2) == 1 and list() or {}
  for _ = 1, random(2) do
    t[pick(M.options)] = M.value()
  end
  return t
end

local function length() return pick { 0, 1, -1, 3, 1 << 30, math.maxinteger, "x", 0.5 } end

local function with_metatable()
  local meta = {}
  for _ = 1, random(2) do
    meta[pick(metamethods)] = pick { a_function(), M.value(), length }
  end
  -- When the collector runs must not decide what comes next.
  if meta.__gc ~= nil then meta.__gc = fail end
  if type(meta.__mode) ~= "string" then meta.__mode = nil end
  if meta.__call == length then meta.__call = nil end
  if meta.__index == length then meta.__index = nil end
  if meta.__len then meta.__index = nil end -- a list that is truly endless fills the memory
  return setmetatable(list(), meta)
end

local function thread()
  local co = coroutine.create(a_function())
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

--- Begins a call: from here on the random numbers are those of its number.
function M.begin(seed, number)
  math.randomseed(seed, number)
  depth = 0
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
  a_function,
  thread,
  function() return files[random(2)] end,
  function() return results[random(RESULTS)] end,
  function() return lull.current_task() end,
}

--- Any value whatever.
function M.value()
  if random(3) == 1 then return M.object(pick(M.kinds())) end
  return pick(random_values)()
end

function M.a_list() return nested(list) end

--- Some options of those that a call has, most of them with a value that it takes.
function M.options_of(known)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  table.sort(names)
  return function()
    if random(4) == 1 then return nil end
    local t = {}
    for _ = 1, random(0, 2) do
      local name = pick(names)
      t[name] = random(8) == 1 and M.value() or known[name]()
    end
    return t
  end
end

--- One of some values.
function M.one_of(values)
  return function() return pick(values) end
end

return M
