-- `:tasks`, `:cancel` and `:trace`: what the tasks are doing.
local _, core = ...
local trees = require "lull.prompt.tasks.tree"
local words = require "lull.prompt.tasks.words"

local await = core.await

local M = {}

local WIDTH, LEAST = 80, 20
local TURNS = 16 -- of the loop, in which a cancelled task may end before one tells of it

--- Writes the tree of tasks.
---@param session table
function M.show(session)
  local nodes, roots = trees.tree()
  local lines = words.lines(nodes, roots, math.max(LEAST, session.width or WIDTH))
  if session.color then lines[1] = "\27[1m" .. lines[1] .. "\27[22m" end
  session.write(table.concat(lines, "\n") .. "\n")
end

-- ---- one task ----

local function fail(...) error(string.format(...), 0) end

--- The task that a number or a name stands for. Raises an error if there is none, or several.
---@param command string
---@param text string
---@return lull.prompt.Node
function M.find(command, text)
  if text == "" then fail(":%s needs the number or name of a task: see :tasks", command) end
  local nodes = trees.tree()
  local number, named = math.tointeger(tonumber(text)), {}
  for _, node in ipairs(nodes) do
    if node.id == number then return node end
    if node.name == text then named[#named + 1] = node end
  end
  if #named == 1 then return named[1] end
  if #named == 0 then fail("there is no task '%s', or it is done: see :tasks", text) end
  local ids = {}
  for i, node in ipairs(named) do ids[i] = tostring(node.id) end
  fail("%d tasks are called '%s': say which by its number, %s or %s", #named, text,
    table.concat(ids, ", ", 1, #ids - 1), ids[#ids])
end

local function title(node)
  local default = "Task-" .. node.id
  return node.name == default and "task " .. node.id
    or ("task %d '%s'"):format(node.id, words.plain(node.name))
end

local function outcome(node)
  local task = node.task
  if task:cancelled() then return "was cancelled" end
  local _, err = pcall(task.exception, task)
  if err ~= nil then
    local told, text = pcall(tostring, err)
    return "was to be cancelled, and failed: " .. (told and text or type(err))
  end
  return "was to be cancelled, and returned"
end

--- `:cancel N`: asks for a task's cancellation, and tells what became of it.
---@async
---@param session table
---@param text string
function M.cancel(session, text)
  local node = M.find("cancel", text)
  if node.task == core.current_task() then
    fail("%s runs the prompt: :quit ends it", title(node))
  end
  node.task:cancel("cancelled at the prompt")
  for _ = 1, TURNS do
    if node.task:done() then break end
    await(core.sleep(0))
  end
  if node.task:done() then
    session.write(("%s %s\n"):format(title(node), outcome(node)))
    return
  end
  local now = trees.node(node.task)
  local doing_now = now.what and "waits for " .. words.doing(now) or words.doing(now)
  if now.where then doing_now = doing_now .. " at " .. now.where end
  session.write(("%s was asked to end, and %s\n"):format(title(node), doing_now))
end

local function state_of(node)
  if node.state ~= "waiting" then return words.doing(node) end
  local age = node.seconds and ", for " .. words.age(node.seconds) or ""
  return ("waits for %s%s"):format(words.doing(node), age)
end

--- `:trace N`: where a task is, and then the tasks it waits for.
---@param session table
---@param text string
function M.trace(session, text)
  local first, seen = M.find("trace", text), {}
  local by_task = {}
  for _, node in ipairs((trees.tree())) do by_task[node.task] = node end
  local function tell(node, awaiter)
    seen[node.task] = true
    local begin = awaiter and ("task %d awaits %s, which"):format(awaiter.id, title(node))
      or title(node)
    local frames = node.state ~= "running" and node.state ~= "new" and node.task:traceback() or ""
    session.write(("%s %s%s\n"):format(begin, state_of(node), frames))
    trees.each_awaited(node.awaited, function(future)
      if by_task[future] and not seen[future] then tell(by_task[future], node) end
    end, {})
  end
  tell(first)
end

--- Numbers and names of the tasks, less the one that runs, to complete.
---@return string[]
function M.names()
  local list = {}
  for _, node in ipairs((trees.tree())) do
    if node.task ~= core.current_task() then
      list[#list + 1] = tostring(node.id)
      if node.name:find("^[%g]+$") then list[#list + 1] = node.name end
    end
  end
  return list
end

return M
