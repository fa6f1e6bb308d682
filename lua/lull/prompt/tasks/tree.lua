-- The tasks that are not done, as a tree of who waits for whom, or has started whom.
local _, core = ...

core.watch_tasks()

local M = {}

---@class lull.prompt.Node a task in the tree
---@field task lull.Task
---@field id integer
---@field name string
---@field state string "new", "ready", "running" or "waiting"
---@field starter integer the id of the task that has started it, or 0
---@field what string? it waits for
---@field where string?
---@field seconds number?
---@field awaited any the future it awaits
---@field parent lull.prompt.Node? a task that awaits it, or has started it
---@field children lull.prompt.Node[]

--- What a task is doing.
---@param task lull.Task
---@return lull.prompt.Node
function M.node(task)
  local id, state, starter, what, where, seconds, awaited = core.task_info(task)
  if where == "?" then where = nil end
  return {
    task = task,
    id = id,
    name = task:get_name(),
    state = state,
    starter = starter,
    what = what,
    where = where,
    seconds = seconds,
    awaited = awaited,
    parent = nil,
    children = {},
  }
end

--- Calls f with the tasks that a future stands for: itself, or what a gather gathers.
---@param future any nil stands for none
---@param f fun(task: any)
---@param seen table the futures that were there
function M.each_awaited(future, f, seen)
  if future == nil or seen[future] then return end
  seen[future] = true
  local gathered = core.gathered(future)
  if not gathered then return f(future) end
  for _, child in ipairs(gathered) do M.each_awaited(child, f, seen) end
end

local LONGEST = 1000 -- a chain of tasks

-- Whether a node is another, or above it (tasks that wait for each other go in a circle), or the
-- chain is too long to tell.
local function is_above(node, other)
  for _ = 1, LONGEST do
    if other == node then return true end
    other = other.parent
    if not other then return false end
  end
  return true
end

-- Puts a task below another, unless it is below one already, or above that one.
local function adopt(parent, child)
  if not child or child.parent or is_above(child, parent) then return end
  child.parent = parent
  table.insert(parent.children, child)
end

--- The tasks that are not done, by their numbers; each is below the first one that awaits it, or
--- if none does, below the one that has started it.
---@return lull.prompt.Node[] nodes all of them
---@return lull.prompt.Node[] roots
function M.tree()
  local nodes, by_task, by_id, roots = {}, {}, {}, {}
  for i, task in ipairs(core.all_tasks()) do
    local node = M.node(task)
    nodes[i], by_task[task], by_id[node.id] = node, node, node
  end
  table.sort(nodes, function(a, b) return a.id < b.id end)
  for _, node in ipairs(nodes) do
    M.each_awaited(node.awaited, function(future) adopt(node, by_task[future]) end, {})
  end
  for _, node in ipairs(nodes) do
    local starter = by_id[node.starter]
    if starter then adopt(starter, node) end
  end
  for _, node in ipairs(nodes) do
    table.sort(node.children, function(a, b) return a.id < b.id end)
    if not node.parent then roots[#roots + 1] = node end
  end
  return nodes, roots
end

return M
