-- Awaiting one coroutine object after the other: 1 and 2 seconds make 3. Where asyncio's tutorial
-- prints the time of day, this prints the time since the start.
local lull = require "lull"
local async, await = lull.async, lull.await

local start = lull.now()
local function time() return os.date("!%X", math.floor(lull.now() - start + 0.5)) end

local say_after = async(function(delay, what)
  await(lull.sleep(delay))
  print(what)
end)

local main = async(function()
  print("started at " .. time())

  await(say_after(1, "hello"))
  await(say_after(2, "world"))

  print("finished at " .. time())
end)

lull.run(main())
