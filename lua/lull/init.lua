-- lull: async/await for Lua 5.4. The facade: C functions from the core, the rest from the
-- modules beside this file. See docs/concurrency.md for the model.
local _, core = ...
local errors = require "lull.errors"
local loop = require "lull.loop"
local timeouts = require "lull.timeouts"
local wait = require "lull.wait"

local is_error, CancelledError = errors.is_error, errors.CancelledError
local pcall = core.pcall

---@class lull
local lull = {
  async = core.async,
  await = core.await,
  barrier = require "lull.barrier",
  blocking_sleep = core.blocking_sleep,
  bounded_semaphore = core.bounded_semaphore,
  condition = require "lull.condition",
  context_var = require "lull.context",
  create_task = core.create_task,
  current_task = core.current_task,
  all_tasks = core.all_tasks,
  as_completed = wait.as_completed,
  event = core.event,
  future = core.future,
  gather = core.gather,
  generator = require "lull.generator",
  is_error = is_error,
  lifo_queue = core.lifo_queue,
  lock = core.lock,
  loop = loop.loop,
  move_on_after = timeouts.move_on_after,
  now = core.now,
  priority_queue = core.priority_queue,
  queue = core.queue,
  run = loop.run,
  semaphore = core.semaphore,
  shield = wait.shield,
  sleep = core.sleep,
  task_group = require "lull.task_group",
  timeout = core.timeout,
  timeout_at = core.timeout_at,
  wait = wait.wait,
  wait_for = timeouts.wait_for,
}

for _, name in ipairs {"Error", "CancelledError", "TimeoutError", "InvalidStateError", "QueueEmpty",
                       "QueueFull", "QueueShutDown", "BrokenBarrierError", "DeadlockError",
                       "ExceptionGroup", "OSError", "ConnectionError", "DNSError"} do
  lull[name] = errors[name]
end

local function let_through(ok, ...)
  if not ok and is_error((...), CancelledError) then error((...), 0) end
  return ok, ...
end

--- A pcall that lets CancelledError through, as Python's `except Exception` does.
---@param f function called with the arguments that follow; it may await
---@param ... any
---@return boolean ok
---@return any ... the function's results, or its error
function lull.try(f, ...) return let_through(pcall(f, ...)) end

return lull
