-- Synchronous programs, after "Getting Started With Async Features in Python", example 1: two
-- tasks share a queue, but nothing ever gives way, so the first one does all the work.
local lull = require "lull"

local function task(name, work_queue)
  if work_queue:empty() then
    print(("Task %s nothing to do"):format(name))
    return
  end
  while not work_queue:empty() do
    local count, total = work_queue:get_nowait(), 0
    print(("Task %s running"):format(name))
    for _ = 1, count do total = total + 1 end
    print(("Task %s total: %d"):format(name, total))
  end
end

local work_queue = lull.queue()
for _, work in ipairs {15, 10, 5, 2} do work_queue:put_nowait(work) end

for _, name in ipairs {"One", "Two"} do task(name, work_queue) end
