-- lull.to_thread and lull.thread: functions and values that can be copied, and that cannot; pools
-- and workers that are closed meanwhile, or forgotten.
local lull = require "lull"
local targets = require "spec.fuzz.targets"
local thread = require "lull.thread"
local values = require "spec.fuzz.values"

local pick, random = values.pick, math.random

-- Those of the pool that to_thread uses, which stay: as many as there will be.
local calls = {}
for i = 1, 64 do
  calls[i] = lull.to_thread(lull.blocking_sleep, 0.001)
end
lull.await(lull.gather(calls))

local shared = { 1, 2, inner = {} }
shared.inner.outer = shared

local count = 0

-- None of them goes on for ever.
local jobs = {
  function(...) return ... end,
  function() return 1, nil, "x" end,
  function() error("failed", 0) end,
  function() error("failed") end,
  function() error({ code = 1 }) end,
  function() error(require("lull").TimeoutError("late")) end,
  function() return require("lull").await(require("lull").sleep(0)) end,
  function(a, b) return a + b end,
  function() return ("x"):rep(100000) end,
  function() return shared end,
  function()
    count = count + 1
    return count
  end,
  function() return print end,
  function() return coroutine.create(print) end,
  function() return io.stdout end,
  function() return function() return shared end end,
  function(f) return f and f() end,
  function() coroutine.yield(1) end,
  function() collectgarbage() end,
  function(t) t.x = 1 return t end,
  function() return setmetatable({}, { __gc = function() error("late") end }) end,
  function() return require("lull").to_thread(print) end,
  function() require("lull").blocking_sleep(0.001) end,
  math.max, string.format, tostring, select,
}

local function job()
  return random(8) == 1 and values.a_function() or pick(jobs)
end

local function item()
  return pick { 1, "x", 0.5, true, shared, pick(jobs), ("y"):rep(1000), values.value(), {} }
end

local worker_jobs = {
  function(port)
    for message in port.receive, port do port:send(message) end
  end,
  function(port) return port:receive() end,
  function(port) for i = 1, 100 do port:send(i) end end,
  function(port) error(port:receive()) end,
  function(port) port:send(print) end,
  function(port) port:send(coroutine.create(print)) end,
  function(port) port:send(nil) end,
  function(port) port.send(1, 2) end,
  function() end,
  function() error("failed", 0) end,
}

local function worker_job()
  return random(8) == 1 and job() or pick(worker_jobs)
end

local function size()
  return { size = pick { 1, 1, 2, 3 } }
end

function values.makers.pool() return thread.pool(size()) end

function values.makers.worker() return thread.worker(pick(worker_jobs)) end

local bad_size = values.options_of { size = values.one_of { 1, 2, 0, -1, 1025, 0.5, "x" } }

targets.add("threads", "to_thread", targets.awaited(lull.to_thread), nil, { job, item, item })
targets.add_functions("threads", thread, {
  to_thread = { job, item },
  pool = { bad_size },
  worker = { worker_job, item },
}, { to_thread = targets.awaited })
targets.add_methods("pool", values.makers.pool(), {
  run = { job, item, item },
  map = { job, function() return { item(), item(), n = random(0, 3) } end },
}, { run = targets.awaited, map = targets.awaited, close = targets.awaited })
targets.add_methods("worker", values.makers.worker(), { send = { item } },
  { send = targets.awaited, receive = targets.awaited, close = targets.awaited })
