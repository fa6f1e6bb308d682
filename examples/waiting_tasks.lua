-- Tasks are concurrent. Both are made before the first one is awaited, or nothing is gained.
local lull = require "lull"
local timer = require "lull.timer"
local async, await = lull.async, lull.await

local work = async(function(name, delay)
  print(name .. " starts")
  await(lull.sleep(delay))
  print(name .. " is done")
  return "result of " .. name
end)

local main = async(function()
  local _ <close> = timer.new():start()
  local task_f = lull.create_task(work("f", 1))
  local task_g = lull.create_task(work("g", 2))

  local result_f = await(task_f)
  local result_g = await(task_g)
  print(result_f, result_g)
end)

lull.run(main())
