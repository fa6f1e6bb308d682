-- Cooperative concurrency with plain coroutines (example 2 of the tutorial): each task yields after
-- every step, and a loop resumes them in turn.
local lull = require "lull"

local function task(name, work_queue)
  return coroutine.create(function()
    while not work_queue:empty() do
      local count, total = work_queue:get_nowait(), 0
      print(("Task %s running"):format(name))
      for _ = 1, count do
        total = total + 1
        coroutine.yield()
      end
      print(("Task %s total: %d"):format(name, total))
    end
  end)
end

local work_queue = lull.queue()
for _, work in ipairs {15, 10, 5, 2} do work_queue:put_nowait(work) end

local tasks = {task("One", work_queue), task("Two", work_queue)}
while #tasks > 0 do
  for i, t in ipairs(tasks) do
    assert(coroutine.resume(t))
    if coroutine.status(t) == "dead" then table.remove(tasks, i) end
  end
end
