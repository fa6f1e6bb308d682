-- Barriers. After asyncio.Barrier.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local await = core.await

--- A meeting point for n tasks, round after round. After asyncio.Barrier.
---@class lull.Barrier
local Barrier = {__name = "lull barrier"}
Barrier.__index = Barrier

local function wake_all(list)
  for i = #list, 1, -1 do
    local waiter = table.remove(list, 1)
    if not waiter:done() then waiter:set_result() end
    if i == 1 then break end
  end
end

local function park(list)
  local waiter = core.future()
  list[#list + 1] = waiter
  local ok, err = pcall(await, waiter)
  for i, other in ipairs(list) do
    if other == waiter then table.remove(list, i) end
  end
  if not ok then error(err, 0) end
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

-- Waits for the others of this round.
local function meet(self)
  if self.count == self.size then
    self.state = "draining"
    wake_all(self.waiting)
    return
  end
  park(self.waiting)
  if self.state == "broken" or self.state == "resetting" then broken() end
end

local wait = core.async(function(self)
  while self.state == "draining" or self.state == "resetting" do park(self.blocked) end
  if self.state == "broken" then broken() end
  self.count = self.count + 1
  local place = self.count
  local ok, err = pcall(meet, self)
  leave(self)
  if not ok then error(err, 0) end
  return place
end, "barrier:wait")

--- Waits until as many tasks wait as the barrier has parties. Raises BrokenBarrierError if it is
--- aborted, or reset meanwhile. After asyncio.Barrier.wait, which counts places from 0.
---@return lull.Coroutine coroutine awaits to a place from 1 to n, a different one to each
function Barrier:wait() return wait(self) end

--- Those who wait get BrokenBarrierError; then the barrier is as new. Does not wait.
--- After asyncio.Barrier.reset.
function Barrier:reset()
  if self.count > 0 then
    if self.state ~= "resetting" then self.state = "resetting" end
  else
    self.state = "filling"
  end
  wake_all(self.waiting)
end

--- Breaks the barrier until it is reset: those who wait, and who will, get BrokenBarrierError.
--- Does not wait. After asyncio.Barrier.abort.
function Barrier:abort()
  self.state = "broken"
  wake_all(self.waiting)
  wake_all(self.blocked)
end

--- How many tasks it takes.
---@return integer
function Barrier:parties() return self.size end

--- How many wait now.
---@return integer
function Barrier:n_waiting() return self.state == "filling" and self.count or 0 end

--- Whether it was aborted.
---@return boolean
function Barrier:broken() return self.state == "broken" end

function Barrier:__tostring()
  return ("barrier (%s, %d of %d)"):format(self.state, self:n_waiting(), self.size)
end

--- Makes a barrier for n tasks. Raises an argument error if n is no integer from 1 on.
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
