-- wait_for and move_on_after: timeout scopes around one awaitable.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local await, can_wait_for, pcall = core.await, core.can_wait_for, core.pcall
local scope_for, timeout = core.scope, core.timeout

local M = {}

-- The time was up before the work could begin.
local function give_up(awaitable)
  if type(awaitable) == "userdata" and not core.close_coroutine(awaitable) then
    local future = core.ensure_future(awaitable)
    if future:done() then return await(future) end
    local ended = core.future()
    future:add_done_callback(function()
      if not ended:done() then ended:set_result() end
    end)
    future:cancel()
    await(ended)
    if not future:cancelled() then return await(future) end
  end
  error(errors.TimeoutError("the time is up"), 0)
end

local wait_for = core.async(function(awaitable, seconds)
  if seconds == nil then return await(awaitable) end
  if seconds <= 0 then return give_up(awaitable) end
  local _ <close> = scope_for(seconds)
  return await(awaitable)
end, "wait_for")

--- Awaits something for so many seconds at most. What is not done in time is cancelled, and waited
--- for. Raises TimeoutError when the time is up, the awaitable's errors, and argument errors.
--- After asyncio.wait_for.
---@param awaitable lull.Awaitable
---@param seconds number? nil means no limit; zero or less does not start the work
---@return lull.Coroutine coroutine awaits to the awaitable's results
function M.wait_for(awaitable, seconds)
  if not can_wait_for(awaitable, seconds) then
    check.awaitable(1, "wait_for", awaitable)
    check.seconds(2, "wait_for", seconds, true)
  end
  return wait_for(awaitable, seconds)
end

local function run_in(scope, f, ...)
  local _ <close> = scope
  local args = table.pack(...)
  return await(function() return f(table.unpack(args, 1, args.n)) end)
end

-- Only the scope's own TimeoutError is kept back, not some other error of that class.
local function finish(scope, ok, ...)
  if ok then return true, ... end
  if scope:converted() then return false end
  error((...), 0)
end

local move_on_after = core.async(function(seconds, f, ...)
  local scope = timeout(seconds)
  return finish(scope, pcall(run_in, scope, f, ...))
end, "move_on_after")

--- Runs a function, as a coroutine, for so many seconds at most. Does not raise when the time is
--- up. Raises the function's other errors, and argument errors. After Trio's move_on_after.
---@param seconds number? nil means no limit
---@param f function called with the arguments that follow; if it is an async function, the
--- coroutine object it gives is awaited
---@param ... any
---@return lull.Coroutine coroutine awaits to true and the function's results, or to false
function M.move_on_after(seconds, f, ...)
  check.seconds(1, "move_on_after", seconds, true)
  check.type(2, "move_on_after", f, "function")
  return move_on_after(seconds, f, ...)
end

return M
