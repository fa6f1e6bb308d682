-- wait_for gives a coroutine object: nothing starts, the work or the clock, until it is awaited. To
-- start the work at once, give wait_for a task.
local lull = require "lull"
local async, await = lull.async, lull.await

local work = async(function(name)
  print(name .. " starts")
  await(lull.sleep(1))
  return name .. " is done"
end)

local main = async(function()
  local lazy = lull.wait_for(work("the coroutine object"), 5)
  local eager = lull.wait_for(lull.create_task(work("the task")), 5)

  await(lull.sleep(10))
  print("10 seconds later")

  print(await(lazy))
  print(await(eager))
end)

lull.run(main())
