-- The same with tasks, which run side by side: a second less. Times are since the start, as in
-- say_after_await.lua.
local lull = require "lull"
local async, await = lull.async, lull.await

local start = lull.now()
local function time() return os.date("!%X", math.floor(lull.now() - start + 0.5)) end

local say_after = async(function(delay, what)
  await(lull.sleep(delay))
  print(what)
end)

local main = async(function()
  local task1 = lull.create_task(say_after(1, "hello"))
  local task2 = lull.create_task(say_after(2, "world"))

  print("started at " .. time())

  -- Both tasks are done after about 2 seconds.
  await(task1)
  await(task2)

  print("finished at " .. time())
end)

lull.run(main())
