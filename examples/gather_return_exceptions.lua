-- A failure in one of those gathered is raised by gather, and the others go on; with
-- return_exceptions it takes its place among the results.
local lull = require "lull"
local async, await = lull.async, lull.await

local ValueError = lull.Error:extend("ValueError")

local f = async(function()
  await(lull.sleep(2))
  print("f is done")
  return "result of f"
end)

local g = async(function()
  await(lull.sleep(1))
  error(ValueError("no luck today"))
end)

local main = async(function()
  local task_f = lull.create_task(f())
  local _, err = lull.try(await, lull.gather(task_f, g()))
  print("gather raised " .. tostring(err))
  await(task_f)

  local results = await(lull.gather {f(), g(), return_exceptions = true})
  for i, result in ipairs(results) do print(i, result) end
end)

lull.run(main())
