-- What specs of the runtime check around each test: `tidy.watch(before_each, after_each)` in a
-- describe block. A test that expects failures nobody looks at takes their reports out.
local lull = require("lull")

local M = {}
local reports = {}

local function before()
  reports = {}
  lull.loop():set_exception_handler(function(context)
    table.insert(reports, context)
  end)
end

-- What is collected is told of in the next turn.
local function settle()
  for _ = 1, 2 do
    collectgarbage()
    lull.await(lull.sleep(0))
  end
end

local function after()
  lull.await(lull.sleep(0))
  settle()
  local tasks = lull.all_tasks()
  lull.loop():set_exception_handler(nil)
  for _, task in ipairs(tasks) do
    if task ~= lull.current_task() then
      task:cancel()
    end
  end
  assert(#tasks == 1, ("%d tasks are left, besides the main one"):format(#tasks - 1))
  assert(#reports == 0, reports[1] and ("%s: %s"):format(reports[1].message, reports[1].exception))
end

--- Has each test of the block checked: it leaves no task behind and no failure nobody looked at.
function M.watch(before_each, after_each)
  before_each(before)
  after_each(after)
end

--- Gives what the exception handler was told since the test began, and forgets it.
function M.take()
  settle()
  local taken = reports
  reports = {}
  return taken
end

return M
