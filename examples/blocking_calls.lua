-- The same with blocking calls (example 3): the tasks still take turns, but a call that blocks
-- stops them all, so that the delays add up.
local lull = require "lull"
local timer = require "lull.timer"

local function task(name, work_queue)
  local clock = timer.new {text = "Task {name} elapsed time: {:.1f}", name = name}
  return coroutine.create(function()
    while not work_queue:empty() do
      local delay = work_queue:get_nowait()
      print(("Task %s running"):format(name))
      clock:start()
      lull.blocking_sleep(delay)
      clock:stop()
      coroutine.yield()
    end
  end)
end

local work_queue = lull.queue()
for _, work in ipairs {15, 10, 5, 2} do work_queue:put_nowait(work) end

local tasks = {task("One", work_queue), task("Two", work_queue)}
local _ <close> = timer.new {text = "\nTotal elapsed time: {:.1f}"}:start()
while #tasks > 0 do
  for i, t in ipairs(tasks) do
    assert(coroutine.resume(t))
    if coroutine.status(t) == "dead" then table.remove(tasks, i) end
  end
end
