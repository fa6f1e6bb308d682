-- Barriers. After asyncio.Barrier.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local await, pcall = core.await, core.pcall

--- A place where tasks wait for each other, time after time. After asyncio.Barrier.
---@class lull.Barrier
local Barrier = {__name = "lull barrier"}
Barrier.__index = Barrier

-- Wakes those that were not cancelled; each gets its place among them.
local function wake_all(list)
  local place = 0
  for i, waiter in ipairs(list) do
    list[i] = nil
    if not waiter:done() then
      place = place + 1
      waiter:set_result(place)
    end
  end
end

local function remove(list, waiter)
  for i, other in ipairs(list) do
    if other == waiter then return table.remove(list, i) end
  end
end

local function park(list)
  local waiter = core.future()
  list[#list + 1] = waiter
  local ok, place = pcall(await, waiter)
  if ok then return place end
  remove(list, waiter)
  error(place, 0)
end

local function leave(self)
  self.count = self.count - 1
  if self.count > 0 then return end
  if self.state == "draining" or self.state == "resetting" then self.state = "filling" end
  wake_all(self.blocked)
end

local function broken()
  error(errors.BrokenBarrierError("the barrier is broken"), 0)
end

-- Whether with the one that has just come all are there. Those that were cancelled are counted
-- until they leave, which they have had no time to do yet.
local function complete(self)
  if self.count < self.size then return false end
  local there = 1
  for _, waiter in ipairs(self.waiting) do
    if not waiter:done() then there = there + 1 end
  end
  return there >= self.size
end

-- Waits for the others of this round.
local function meet(self)
  if complete(self) then
    self.state = "draining"
    wake_all(self.waiting)
    return self.size
  end
  local place = park(self.waiting)
  if self.state == "broken" or self.state == "resetting" then broken() end
  return place
end

local wait = core.async(function(self)
  while self.state == "draining" or self.state == "resetting" do park(self.blocked) end
  if self.state == "broken" then broken() end
  self.count = self.count + 1
  local ok, place = pcall(meet, self)
  leave(self)
  if not ok then error(place, 0) end
  return place
end, "barrier:wait")

--- Waits until as many tasks wait as the barrier has parties. Raises BrokenBarrierError if it is
--- reset or aborted meanwhile. After asyncio.Barrier.wait.
---@return lull.Coroutine coroutine awaits to a place from 1 to n, a different one for each
function Barrier:wait()
  check.self(self, Barrier, "wait")
  return wait(self)
end

local function finished()
  local future = core.future()
  future:set_result()
  return future
end

--- Those who wait get BrokenBarrierError; then the barrier is as new. After asyncio.Barrier.reset.
---@return lull.Future future done: nothing needs to be awaited, but it may be, as in asyncio
function Barrier:reset()
  check.self(self, Barrier, "reset")
  self.state = self.count > 0 and "resetting" or "filling"
  wake_all(self.waiting)
  return finished()
end

--- Breaks the barrier: those who wait, and who will, get BrokenBarrierError, until it is reset.
--- After asyncio.Barrier.abort.
---@return lull.Future future done: nothing needs to be awaited, but it may be, as in asyncio
function Barrier:abort()
  check.self(self, Barrier, "abort")
  self.state = "broken"
  wake_all(self.waiting)
  wake_all(self.blocked)
  return finished()
end

--- How many tasks it takes.
---@return integer
function Barrier:parties()
  check.self(self, Barrier, "parties")
  return self.size
end

--- How many wait now.
---@return integer
function Barrier:n_waiting()
  check.self(self, Barrier, "n_waiting")
  return self.state == "filling" and self.count or 0
end

--- Whether it was aborted.
---@return boolean
function Barrier:broken()
  check.self(self, Barrier, "broken")
  return self.state == "broken"
end

function Barrier:__tostring()
  return ("barrier (%s, %d of %d)"):format(self.state, self:n_waiting(), self.size)
end

--- Makes a barrier for n tasks. Raises an argument error unless n is an integer from 1 on.
--- After asyncio.Barrier.
---@param n integer
---@return lull.Barrier
local function barrier(n)
  if math.type(n) ~= "integer" or n < 1 then
    check.fail(1, "barrier", "a number of parties from 1 on expected")
  end
  return setmetatable({size = n, count = 0, state = "filling", waiting = {}, blocked = {}}, Barrier)
end

return barrier
