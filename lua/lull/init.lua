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

local thread -- lull.thread, once it is needed

--- Runs a function on another OS thread, which has a Lua state of its own: truly parallel, whatever
--- the function does. `f`, its upvalues and the arguments are copied there, its results back: nil,
--- booleans, numbers, strings, light userdata, tables (what is shared or goes in circles stays so)
--- and Lua functions, async ones too. What package.loaded holds goes by its name and is the
--- thread's: modules, their functions, classes and userdata; so tables keep a metatable if a module
--- has it. The globals f sees are the thread's; they stay from one call to the next, which may be
--- on the same thread or another. Its clock is the real one. Raises f's error, of the same kind; an
--- error that names what cannot be copied, such as a coroutine, and where it is; argument errors. A
--- cancelled call that has not begun never does; one that has goes on, and what it gives is
--- dropped. After asyncio.to_thread.
---@param f function
---@param ... any
---@return lull.Coroutine coroutine awaits to what f returns
function lull.to_thread(f, ...)
  thread = thread or require "lull.thread"
  return thread.to_thread(f, ...)
end

return lull
