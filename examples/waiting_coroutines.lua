-- Awaiting two coroutine objects is not concurrent: g starts when f is done.
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
  local result_f = await(work("f", 1))
  local result_g = await(work("g", 2))
  print(result_f, result_g)
end)

lull.run(main())
