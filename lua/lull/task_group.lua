-- Task groups: no child outlives the scope. After asyncio.TaskGroup.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local await, pcall = core.await, core.pcall

--- Tasks that end before the block they were started in does. After asyncio.TaskGroup.
---@class lull.TaskGroup
local TaskGroup = {__name = "lull task group"}
TaskGroup.__index = TaskGroup

--- Starts a coroutine object, or a function, as a child. Raises what lull.create_task does, and an
--- error if the group was left, or is being cancelled because a child, or the body, has failed.
--- After asyncio.TaskGroup.create_task.
---@param awaitable lull.Awaitable
---@param options {name: string?, eager: boolean?}? as for lull.create_task
---@return lull.Task
function TaskGroup:create_task(awaitable, options)
  check.self(self, TaskGroup, "create_task")
  if self.closed or self.exiting and next(self.tasks) == nil then
    core.close_coroutine(awaitable)
    error("the task group was left already", 2)
  end
  if self.aborting then
    core.close_coroutine(awaitable)
    error("the task group is being cancelled", 2)
  end
  local ok, task = pcall(core.create_task, awaitable, options)
  if not ok then error(task, 2) end -- an argument error
  self.created = self.created + 1
  self.tasks[task] = self.created
  task:add_done_callback(self.on_done)
  return task
end

--- Cancels the children there are, the oldest first; the body goes on, and may start others.
function TaskGroup:cancel()
  check.self(self, TaskGroup, "cancel")
  local tasks, order = {}, self.tasks
  for task in pairs(order) do tasks[#tasks + 1] = task end
  table.sort(tasks, function(a, b) return order[a] < order[b] end)
  for _, task in ipairs(tasks) do task:cancel() end
end

-- Cancels the children because something has failed; no more are taken.
local function abort(self)
  self.aborting = true
  self:cancel()
end

local function on_done(self, task)
  self.tasks[task] = nil
  if self.completed and next(self.tasks) == nil and not self.completed:done() then
    self.completed:set_result()
  end
  if task:cancelled() or not core.has_failed(task) then return end
  local err = task:exception()
  self.errors[#self.errors + 1] = err == nil and "nil" or err
  core.adopt_traceback(task)
  if self.parent:done() then
    core.report("a task of a group failed after the group's task had ended", err, task)
  elseif not self.aborting and not self.parent_cancelled then
    abort(self)
    self.parent_cancelled = true
    self.parent:cancel()
  end
end

-- Waits for the children; gives the cancellation that came meanwhile, if it is the first sign
-- of trouble.
local function join(self)
  local cancellation
  while next(self.tasks) ~= nil do
    self.completed = core.future()
    local ok, err = pcall(await, self.completed)
    if not ok and not self.aborting then
      cancellation = err
      abort(self)
    end
  end
  self.completed = nil
  return cancellation
end

-- Not so a group that holds a CancelledError among others: that is a failure.
local function is_cancelled(err)
  return errors.is_instance(err, errors.CancelledError)
end

function TaskGroup:__close(err)
  if self.closed then return end
  self.exiting = true
  if err ~= nil and not self.aborting then abort(self) end
  local cancellation = join(self)
  self.closed = true
  local parent, failures = self.parent, self.errors
  if self.parent_cancelled and parent:uncancel() == 0 then cancellation = nil end
  if #failures == 0 then
    if cancellation ~= nil then error(cancellation, 0) end
    return -- err, if there is one, goes on
  end
  if err ~= nil and not is_cancelled(err) then failures[#failures + 1] = err end
  if parent:cancelling() > 0 then
    parent:uncancel()
    parent:cancel()
  end
  if #failures == 1 then error(failures[1], 0) end
  error(errors.ExceptionGroup("tasks of a group failed", failures), 0)
end

function TaskGroup:__tostring()
  local n = 0
  for _ in pairs(self.tasks) do n = n + 1 end
  return ("task group (%d tasks)"):format(n)
end

--- Makes a group: `do local tg <close> = lull.task_group() tg:create_task(f()) end`. Leaving the
--- block waits for the children. When one fails the others, and the body, are cancelled, and
--- leaving the block raises its error; of several, one ExceptionGroup. When the body fails, or is
--- cancelled, the children are cancelled. Raises an error outside any task.
--- After asyncio.TaskGroup.
---@return lull.TaskGroup
local function task_group()
  local parent = core.current_task()
  if not parent then error("a task group needs a running task", 2) end
  local self = setmetatable({
    parent = parent,
    tasks = {}, -- each with its number
    created = 0,
    errors = {},
    aborting = false,
    exiting = false,
    closed = false,
    parent_cancelled = false,
    completed = nil,
    on_done = false,
  }, TaskGroup)
  self.on_done = function(task) on_done(self, task) end
  return self
end

return task_group
