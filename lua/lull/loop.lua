-- The loop object, run, and the debug mode's pcall.
local check = require "lull.check"
local _, core = ...

local await = core.await
local plain_pcall, plain_xpcall = pcall, xpcall

--- The loop that runs the tasks. After asyncio's event loop.
---@class lull.Loop
local Loop = {__name = "lull loop"}
Loop.__index = Loop
for name, method in pairs(core.loop_methods) do Loop[name] = method end

local M = {}

--- The loop's clock, the same as lull.now. After loop.time.
---@return number seconds monotonic
function Loop.time(_) return core.now() end

--- Whether the loop is running: always so inside a task. After loop.is_running.
---@return boolean
function Loop.is_running(_)
  local running = core.status()
  return running
end

--- Whether the loop was closed. After loop.is_closed.
---@return boolean
function Loop.is_closed(_)
  local _, closed = core.status()
  return closed
end

local function check_open()
  local _, closed = core.status()
  if closed then error("the loop is closed", 3) end
end

-- In the main task, which stands for the code outside the loop, running is awaiting.
local function check_may_run(name)
  local _, _, in_main, in_task = core.status()
  if in_task and not in_main then
    error(("%s can be called in the main task only: the loop is running already (use await)")
      :format(name), 3)
  end
  return in_main
end

--- Runs the loop until something is done; other tasks stay as they are then. In the main task of a
--- script it is await. Raises its error; an error if the loop is closed, runs already (in any
--- other task), or is stopped before; DeadlockError if nothing can wake the tasks there are.
--- After loop.run_until_complete.
---@async
---@param awaitable lull.Awaitable
---@return any ... the awaitable's results
function Loop.run_until_complete(_, awaitable)
  check.awaitable(1, "run_until_complete", awaitable)
  check_open()
  if check_may_run("run_until_complete") then return await(awaitable) end
  return core.drive(awaitable)
end

local stopped -- what run_forever waits for in the main task

--- Runs the loop until stop is called, or, outside any task, until nothing is left to do. Raises
--- errors as run_until_complete does. After loop.run_forever.
---@async
function Loop.run_forever(_)
  check_open()
  if not check_may_run("run_forever") then return core.drive_forever() end
  stopped = core.future()
  local future = stopped
  local ok, err = plain_pcall(await, future)
  stopped = nil
  if not ok then error(err, 0) end
end

--- Ends run_forever, or, called by a task that is not the main one of a script, whatever runs the
--- loop. After loop.stop.
function Loop.stop(_)
  if not stopped then return core.stop() end
  if not stopped:done() then stopped:set_result() end
end

--- Closes the loop for good: nothing can be scheduled any more. Raises an error while it runs,
--- except in the main task of a script. After loop.close.
function Loop.close(_)
  local running, closed, in_main = core.status()
  if closed then return end
  if running and not in_main then error("a running loop cannot be closed", 2) end
  core.close_loop()
end

--- Looks up the addresses of a host: see net.getaddrinfo. After loop.getaddrinfo.
---@param host string
---@param port integer|string|nil
---@param options {family: "inet"|"inet6"|nil, type: "stream"|"dgram"|nil}?
---@return lull.Coroutine coroutine awaits to a list of lull.Address
function Loop.getaddrinfo(_, host, port, options)
  return require("lull.net").getaddrinfo(host, port, options)
end

function Loop:__tostring()
  return ("loop (running=%s closed=%s)"):format(self:is_running(), self:is_closed())
end

local loop = setmetatable({}, Loop)

--- The loop: there is one a runtime, always the same object. After asyncio.get_running_loop, except
--- that it also answers outside any task.
---@return lull.Loop
function M.loop() return loop end

-- Notes a CancelledError that was caught, in case the task awaits again.
local function note(ok, ...)
  if not ok then core.mark_swallowed((...)) end
  return ok, ...
end

local function set_debug(on)
  core.configure(on)
  if on then
    function _G.pcall(...) return note(plain_pcall(...)) end
    function _G.xpcall(...) return note(plain_xpcall(...)) end
  else
    _G.pcall, _G.xpcall = plain_pcall, plain_xpcall
  end
end

if core.configure() then set_debug(true) end

--- Runs something to its end, then cancels the tasks that are left and lets them unwind. In the
--- main task of a script it is await. Raises the awaitable's error; argument errors; an error if
--- the loop is closed, or runs already (in any other task); DeadlockError if every task waits and
--- nothing can wake one. After asyncio.run.
---@async
---@param awaitable lull.Awaitable
---@param options {debug: boolean?, clock: "virtual"|"real"|nil}? debug: turn debug mode on or off;
--- clock: "virtual" makes the clock jump to the next timer when nothing else can happen, for good
---@return any ... the awaitable's results
function M.run(awaitable, options)
  check.awaitable(1, "run", awaitable)
  options = check.options(2, "run", options, {debug = true, clock = true})
  local clock = options.clock
  if clock ~= nil and clock ~= "virtual" and clock ~= "real" then
    check.fail(2, "run", "option 'clock' must be \"virtual\" or \"real\"")
  end
  check_open()
  local in_main = check_may_run("run")
  if clock == "virtual" then core.configure(nil, true) end
  if options.debug ~= nil then set_debug(options.debug) end
  if in_main then return await(awaitable) end
  return core.drive(awaitable, true)
end

return M
