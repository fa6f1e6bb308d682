-- Conditions. After asyncio.Condition as of 3.14: a waiter that was notified and is then
-- cancelled passes the notification on.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local async, await, pcall = core.async, core.await, core.pcall

--- A lock, and a place to wait for what it guards to change. After asyncio.Condition.
---@class lull.Condition
local Condition = {__name = "lull condition"}
Condition.__index = Condition

--- Acquires the condition's lock.
---@return lull.Coroutine coroutine awaits to a lull.Guard, which releases the lock when closed
function Condition:acquire()
  check.self(self, Condition, "acquire")
  return self.lock:acquire()
end

--- Releases the condition's lock. Raises an error if it is not held.
function Condition:release()
  check.self(self, Condition, "release")
  if not self.lock:locked() then error("the lock is not acquired", 2) end
  self.lock:release()
end

--- Whether the condition's lock is held.
---@return boolean
function Condition:locked()
  check.self(self, Condition, "locked")
  return self.lock:locked()
end

local function check_locked(self, name)
  if not self.lock:locked() then error(("%s: the lock is not acquired"):format(name), 3) end
end

-- Acquires the lock whatever happens, for whoever had it; gives the cancellation that came
-- meanwhile.
local function reacquire(self, holder)
  local cancellation
  while true do
    local ok, err = pcall(await, self.lock:acquire())
    if ok then
      core.lock_holder(self.lock, holder)
      return cancellation
    end
    if not errors.is_error(err, errors.CancelledError) then error(err, 0) end
    cancellation = err
  end
end

local wait = async(function(self)
  check_locked(self, "wait")
  local waiter, holder = core.future(), core.lock_holder(self.lock)
  local place = self.last + 1
  self.waiters[place], self.last = waiter, place
  self.lock:release()
  local ok, err = pcall(await, waiter)
  self.waiters[place] = nil
  local cancellation = reacquire(self, holder)
  if ok and cancellation == nil then return true end
  local notified = waiter:done() and not waiter:cancelled()
  if notified then self:notify(1) end
  error(cancellation == nil and err or cancellation, 0)
end, "condition:wait")

--- Gives the lock back, waits to be notified, and takes the lock again, also when it is cancelled
--- meanwhile. Raises an error if the lock is not held. After asyncio.Condition.wait.
---@return lull.Coroutine coroutine awaits to true
function Condition:wait()
  check.self(self, Condition, "wait")
  return wait(self)
end

local wait_for = async(function(self, predicate)
  local result = predicate()
  while not result do
    await(wait(self))
    result = predicate()
  end
  return result
end, "condition:wait_for")

--- Waits until a predicate, called with the lock held, gives a true value. Raises an error if the
--- lock is not held when it has to wait, or what the predicate raises.
--- After asyncio.Condition.wait_for.
---@param predicate fun(): any
---@return lull.Coroutine coroutine awaits to what the predicate gave
function Condition:wait_for(predicate)
  check.self(self, Condition, "wait_for")
  check.type(1, "wait_for", predicate, "function")
  return wait_for(self, predicate)
end

--- Wakes waiters, the one that has waited longest first. Raises an error if the lock is not held.
--- After asyncio.Condition.notify.
---@param n integer? how many at most; 1 if left out
function Condition:notify(n)
  check.self(self, Condition, "notify")
  check.type(1, "notify", n, "number", true)
  check_locked(self, "notify")
  local left = n or 1
  while left > 0 and self.first <= self.last do
    local waiter = self.waiters[self.first]
    self.waiters[self.first] = nil
    self.first = self.first + 1
    if waiter and not waiter:done() then
      waiter:set_result()
      left = left - 1
    end
  end
end

--- Wakes all waiters. Raises an error if the lock is not held. After asyncio.Condition.notify_all.
function Condition:notify_all()
  check.self(self, Condition, "notify_all")
  check_locked(self, "notify_all")
  self:notify(math.huge)
end

function Condition:__tostring()
  local n = 0
  for _ in pairs(self.waiters) do n = n + 1 end
  return ("condition (%s, %d waiters)"):format(self:locked() and "locked" or "unlocked", n)
end

local function is_lock(value)
  return type(value) == "userdata" and tostring(value):match("^lock ") ~= nil
end

--- Makes a condition. Raises an argument error if the lock is none. After asyncio.Condition.
---@param lock lull.Lock? a new one if left out
---@return lull.Condition
local function condition(lock)
  if lock ~= nil and not is_lock(lock) then
    check.fail(1, "condition", ("lock expected, got %s"):format(type(lock)))
  end
  return setmetatable({
    lock = lock or core.lock(),
    waiters = {}, -- from first to last, with gaps
    first = 1,
    last = 0,
  }, Condition)
end

return condition
