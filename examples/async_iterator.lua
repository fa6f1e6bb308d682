-- `__aiter__` and `__anext__`: any object that can be called is an iterator for a for loop, and
-- its __call may await.
local lull = require "lull"
local async, await = lull.async, lull.await

local Countdown = {}

function Countdown:__call()
  if self.left == 0 then return nil end
  await(lull.sleep(1))
  self.left = self.left - 1
  return self.left + 1
end

local function countdown(from) return setmetatable({left = from}, Countdown) end

local main = async(function()
  for i in countdown(3) do print(i) end
  print("Lift-off!")
end)

lull.run(main())
