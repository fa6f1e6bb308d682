-- gather makes the tasks itself, and gives their results in the order in which it got them.
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
  local result_f, result_g = await(lull.gather(work("f", 2), work("g", 1)))
  print(result_f, result_g)
end)

lull.run(main())
