-- Barriers. After asyncio.Barrier.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local await = core.await

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

--- Waits until as many tasks wait as the barrier has parties; gives a place from 1 to n, a
--- different one to each. Raises BrokenBarrierError if it is reset or aborted meanwhile.
---@async
---@return integer
function Barrier:wait() return wait(self) end

--- Those who wait get BrokenBarrierError; then the barrier is as new.
---@async
function Barrier:reset()
  if self.count > 0 then
    if self.state ~= "resetting" then self.state = "resetting" end
  else
    self.state = "filling"
  end
  wake_all(self.waiting)
end

--- Breaks the barrier for good: those who wait, and who will, get BrokenBarrierError.
function Barrier:abort()
  self.state = "broken"
  wake_all(self.waiting)
  wake_all(self.blocked)
end

--- How many tasks it takes.
function Barrier:parties() return self.size end

--- How many wait now.
function Barrier:n_waiting() return self.state == "filling" and self.count or 0 end

--- Whether it was aborted.
function Barrier:broken() return self.state == "broken" end

function Barrier:__tostring()
  return ("barrier (%s, %d of %d)"):format(self.state, self:n_waiting(), self.size)
end

--- Makes a barrier for n tasks.
---@param n integer
---@return lull.Barrier
local function barrier(n)
  if math.type(n) ~= "integer" or n < 1 then
    check.fail(1, "barrier", "a number of parties from 1 on expected")
  end
  return setmetatable({size = n, count = 0, state = "filling", waiting = {}, blocked = {}}, Barrier)
end

return barrier
