-- wait tells which tasks are done and which are not. Unlike gather and wait_for it raises nothing
-- and cancels nothing: that is left to you.
local lull = require "lull"
local async, await = lull.async, lull.await

local function report(when, done, pending)
  print(("%s: %d done, %d pending"):format(when, #done, #pending))
end

local main = async(function()
  local task_f = lull.create_task(lull.sleep(1, "result of f"))
  local task_g = lull.create_task(lull.sleep(3, "result of g"))
  local task_h = lull.create_task(lull.sleep(3600, "result of h"))

  local done, pending = await(lull.wait({task_f, task_g, task_h}, {
    return_when = "FIRST_COMPLETED",
  }))
  report("first completed", done, pending)
  print(done[1]:result())

  done, pending = await(lull.wait(pending, {timeout = 5}))
  report("5 seconds later", done, pending)
  print(done[1]:result())

  pending[1]:cancel()
  done, pending = await(lull.wait(pending))
  report("after cancelling", done, pending)
  print(done[1]:cancelled())
end)

lull.run(main())
