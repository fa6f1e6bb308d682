-- The same with non-blocking calls (example 4): while one task sleeps the other one works, so the
-- whole takes as long as the busier of the two.
local lull = require "lull"
local timer = require "lull.timer"
local async, await = lull.async, lull.await

local task = async(function(name, work_queue)
  local clock = timer.new {text = "Task {name} total elapsed time: {:.1f}", name = name}
  while not work_queue:empty() do
    local delay = await(work_queue:get())
    print(("Task %s running"):format(name))
    clock:start()
    await(lull.sleep(delay))
    clock:stop()
  end
end)

local main = async(function()
  local work_queue = lull.queue()
  for _, work in ipairs {15, 10, 5, 2} do await(work_queue:put(work)) end

  local _ <close> = timer.new {text = "\nTotal elapsed time: {:.1f}"}:start()
  await(lull.gather(
    lull.create_task(task("One", work_queue)),
    lull.create_task(task("Two", work_queue))
  ))
end)

lull.run(main())
