-- wait_for with a gather inside: when the time is up the gather is cancelled, and with it whatever
-- has not finished.
local lull = require "lull"
local async, await = lull.async, lull.await

local main = async(function()
  local task_f = lull.create_task(lull.sleep(1, "result of f"))
  local task_g = lull.create_task(lull.sleep(3600, "result of g"))

  local _, err = lull.try(await, lull.wait_for(lull.gather(task_f, task_g), 5))
  if lull.is_error(err, lull.TimeoutError) then print("oops took longer than 5s!") end

  print("f was cancelled:", task_f:cancelled())
  print("g was cancelled:", task_g:cancelled())
end)

lull.run(main())
