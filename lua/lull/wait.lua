-- wait, as_completed and shield: combinators over futures that exist or are made of awaitables.
local check = require "lull.check"
local _, core = ...

local await, pcall = core.await, core.pcall

local M = {}

local function start_all(list, n)
  local futures, seen = {}, {}
  for i = 1, n do
    local future = seen[list[i]]
    if not future then
      future = core.ensure_future(list[i])
      seen[list[i]], seen[future] = future, future
      futures[#futures + 1] = future
    end
  end
  return futures
end

local function check_timeout(name, timeout)
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    check.fail(2, name, "option 'timeout' must be a number of seconds", 1)
  end
end

local function split(futures)
  local done, pending = {}, {}
  for _, future in ipairs(futures) do
    local list = future:done() and done or pending
    list[#list + 1] = future
  end
  return done, pending
end

local function failed(future)
  return not future:cancelled() and core.has_failed(future)
end

-- Whether what is done by now is what was waited for.
local enough = {
  ALL_COMPLETED = function(_, pending) return #pending == 0 end,
  FIRST_COMPLETED = function(done) return #done > 0 end,
  FIRST_EXCEPTION = function(done, pending)
    for _, future in ipairs(done) do
      if failed(future) then return true end
    end
    return #pending == 0
  end,
}

local wait = core.async(function(list, n, timeout, return_when)
  local futures = start_all(list, n)
  local done, pending = split(futures)
  if enough[return_when](done, pending) or timeout and timeout <= 0 then
    if timeout and timeout <= 0 and #pending > 0 then
      await(core.sleep(0))
      return split(futures)
    end
    return done, pending
  end
  local waiter, left = core.future(), #pending
  local function wake()
    if not waiter:done() then waiter:set_result() end
  end
  local function on_done(future)
    left = left - 1
    if left == 0 or return_when == "FIRST_COMPLETED"
      or return_when == "FIRST_EXCEPTION" and failed(future) then
      wake()
    end
  end
  local timer = timeout and core.loop_methods.call_later(nil, timeout, wake)
  for _, future in ipairs(pending) do future:add_done_callback(on_done) end
  local ok, err = pcall(await, waiter)
  if timer then timer:cancel() end
  for _, future in ipairs(pending) do future:remove_done_callback(on_done) end
  if not ok then error(err, 0) end
  return split(futures)
end, "wait")

--- Waits until all, or the first, of some awaitables are done. Raises nothing of theirs and
--- cancels nothing, not even when the time is up. Raises argument errors, also for an empty list.
--- After asyncio.wait.
---@param list lull.Awaitable[] lazy ones become tasks when the result is awaited
---@param options {timeout: number?, return_when: string?}? seconds; "ALL_COMPLETED" (default),
--- "FIRST_COMPLETED" or "FIRST_EXCEPTION"
---@return lull.Coroutine coroutine awaits to two lists of futures, those done and those pending,
--- both in the order of the list
function M.wait(list, options)
  local n = check.awaitables(1, "wait", list)
  options = check.options(2, "wait", options, {timeout = true, return_when = true})
  if n == 0 then check.fail(1, "wait", "the list of awaitables is empty") end
  check_timeout("wait", options.timeout)
  local return_when = options.return_when or "ALL_COMPLETED"
  if not enough[return_when] then
    check.fail(2, "wait", "option 'return_when' must be ALL_COMPLETED, FIRST_COMPLETED or "
      .. "FIRST_EXCEPTION")
  end
  return wait(table.move(list, 1, n, 1, {}), n, options.timeout, return_when)
end

local Completion = {__name = "lull completion iterator"}
Completion.__index = Completion

-- Starts as many as the limit allows.
local function start_more(self)
  while self.started < self.n and self.running < self.limit do
    self.started = self.started + 1
    local item = self.list[self.started]
    if not self.seen[item] then
      local future = core.ensure_future(item)
      self.seen[item], self.seen[future] = true, true
      self.running, self.left = self.running + 1, self.left + 1
      future:add_done_callback(self.on_done)
    end
  end
end

local function next_done(self)
  if not self.deadline or not self.queue:empty() then return await(self.queue:get()) end
  local _ <close> = core.timeout_at(self.deadline)
  return await(self.queue:get())
end

function Completion:__call()
  if self.left == 0 and self.started == self.n then return nil end
  local future = next_done(self)
  self.left = self.left - 1
  return future
end

-- The loop was left: what has not been started will not be.
function Completion:__close()
  for i = self.started + 1, self.n do core.close_coroutine(self.list[i]) end
  self.n = self.started
end

--- An iterator over awaitables in the order they finish: each step awaits, and gives the task or
--- future itself, done. Tasks start at once, as many as the limit allows; leaving the loop cancels
--- nothing. Raises argument errors. After asyncio.as_completed.
---@param list lull.Awaitable[]
---@param options {timeout: number?, limit: integer?}? seconds from now on for all of them, then the
--- step raises TimeoutError; how many may run at once
---@return fun(): lull.Future? iterator the rest of what a `for` takes follows
function M.as_completed(list, options)
  local n = check.awaitables(1, "as_completed", list)
  options = check.options(2, "as_completed", options, {timeout = true, limit = true})
  local limit, timeout = options.limit, options.timeout
  if limit == nil then limit = math.huge end
  if math.type(limit) == nil or limit < 1 or limit ~= math.huge and limit % 1 ~= 0 then
    check.fail(2, "as_completed", "option 'limit' must be a positive integer")
  end
  check_timeout("as_completed", timeout)
  local self = setmetatable({
    list = table.move(list, 1, n, 1, {}),
    n = n,
    limit = limit,
    started = 0,
    running = 0,
    left = 0, -- started and not yet given
    seen = {},
    queue = core.queue(),
    deadline = timeout and core.now() + timeout,
    on_done = false,
  }, Completion)
  self.on_done = function(future)
    self.running = self.running - 1
    start_more(self)
    self.queue:put_nowait(future)
  end
  start_more(self)
  return self, nil, nil, self
end

-- Those whose failure was told already: several shields may have been around one.
local reported = setmetatable({}, {__mode = "k"})

--- A future with the outcome of an awaitable, which starts at once and is not cancelled when the
--- future is. If it fails after that, the failure goes to the exception handler. Raises an argument
--- error if it is none. After asyncio.shield.
---@param awaitable lull.Awaitable
---@return lull.Future
function M.shield(awaitable)
  check.awaitable(1, "shield", awaitable)
  local inner = core.ensure_future(awaitable)
  if inner:done() then return inner end
  local outer = core.future()
  inner:add_done_callback(function()
    if not outer:done() then
      core.settle(outer, inner)
    elseif failed(inner) and not reported[inner] then
      reported[inner] = true
      local err = inner:exception()
      core.report("a shielded task failed after its awaiter was cancelled", err, inner)
    end
  end)
  return outer
end

return M
