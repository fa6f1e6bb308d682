-- `:tasks`, `:cancel` and `:trace`: what the tasks are doing, as a tree of who waits for whom,
-- or has started whom.
local _, core = ...
local columns = require("lull.prompt.help.comment").columns

local await = core.await

local M = {}

local WIDTH, LEAST = 80, 20
local TURNS = 16 -- of the loop, in which a cancelled task may end before one tells of it

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

local function new_node(task)
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

-- Calls f with the tasks that a future stands for: itself, or what a gather gathers.
local function each_awaited(future, f, seen)
  if future == nil or seen[future] then return end
  seen[future] = true
  local gathered = core.gathered(future)
  if not gathered then return f(future) end
  for _, child in ipairs(gathered) do each_awaited(child, f, seen) end
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
    local node = new_node(task)
    nodes[i], by_task[task], by_id[node.id] = node, node, node
  end
  table.sort(nodes, function(a, b) return a.id < b.id end)
  for _, node in ipairs(nodes) do
    each_awaited(node.awaited, function(future) adopt(node, by_task[future]) end, {})
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

-- ---- in words ----

local function plain(text) return (text:gsub("%c", "?")) end

local function trimmed(number, format) return (format:format(number):gsub("%.0+$", "")) end

--- A time in words, in units that suit it: "0.4 ms", "1.003 s", "2 min 5 s", "3 h 10 min".
---@param seconds number
---@return string
function M.duration(seconds)
  if seconds < 0.9995e-3 then return trimmed(seconds * 1e6, "%.0f") .. " us" end
  if seconds < 0.9995e-1 then return trimmed(seconds * 1e3, "%.1f") .. " ms" end
  if seconds < 0.9995 then return trimmed(seconds * 1e3, "%.0f") .. " ms" end
  if seconds < 9.9995 then return ("%.3f s"):format(seconds) end
  if seconds < 59.95 then return ("%.1f s"):format(seconds) end
  local whole = math.tointeger((seconds + 0.5) // 1)
  if not whole then return "for ever" end
  if whole < 3600 then return ("%d min %d s"):format(whole // 60, whole % 60) end
  if whole < 86400 then return ("%d h %d min"):format(whole // 3600, whole % 3600 // 60) end
  return ("%d d %d h"):format(whole // 86400, whole % 86400 // 3600)
end

local function doing(node)
  if node.task == core.current_task() then return "runs this" end
  if node.state == "new" then return "has not started" end
  if node.state ~= "waiting" then return "is about to run" end
  if node.what ~= "a task" then return node.what end
  return "task " .. core.task_info(node.awaited)
end

-- A time in words, no more exact than the turns of the loop.
local function age(seconds)
  if seconds < 0.0005 then return "0 s" end
  if seconds < 0.9995 then return ("%.0f ms"):format(seconds * 1e3) end
  return seconds < 59.95 and ("%.1f s"):format(seconds) or M.duration(seconds)
end

local function row_of(node, branch)
  return {
    tostring(node.id),
    branch .. plain(node.name),
    doing(node),
    node.where and plain(node.where) or "",
    node.seconds and age(node.seconds) or "",
  }
end

local DEEPEST = 30 -- levels that are shown as such; what is below these is not moved further in
local MOST = 1000 -- tasks that are shown

local function push(stack, nodes, indent, depth)
  for i = #nodes, 1, -1 do
    stack[#stack + 1] = {node = nodes[i], indent = indent, depth = depth, is_last = i == #nodes}
  end
end

-- Adds a row for each task, those it awaits below it; the first ones, if they are very many.
local function add_rows(rows, roots)
  local stack, most = {}, #rows + MOST
  push(stack, roots, "", 0)
  while #stack > 0 and #rows < most do
    local item = table.remove(stack)
    local inner, branch = item.indent, ""
    if item.depth > 0 and item.depth <= DEEPEST then
      branch = item.indent .. (item.is_last and "└ " or "├ ")
      inner = item.indent .. (item.is_last and "  " or "│ ")
    elseif item.depth > DEEPEST then
      branch = item.indent
    end
    rows[#rows + 1] = row_of(item.node, branch)
    push(stack, item.node.children, inner, item.depth + 1)
  end
end

local function cut(text, width, at_end)
  if columns(text) <= width then return text end
  if width < 1 then return "" end
  if not utf8.len(text) then return text:sub(1, width) end
  if at_end then return "…" .. text:sub(utf8.offset(text, -(width - 1))) end
  return text:sub(1, utf8.offset(text, width) - 1) .. "…"
end

local PLACE = 4 -- the column that is cut in its front: the end tells more

-- The widths of the columns: as they need, and where that is too much the broadest gives way.
local function widths_of(rows, width)
  local widths = {}
  for i = 1, #rows[1] do
    widths[i] = 0
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], columns(row[i])) end
  end
  local excess = -width - 2
  for _, columns_needed in ipairs(widths) do excess = excess + columns_needed + 2 end
  while excess > 0 do
    local broadest = 2
    for i = 3, PLACE do
      if widths[i] > widths[broadest] then broadest = i end
    end
    if widths[broadest] <= 4 then break end
    widths[broadest] = widths[broadest] - 1
    excess = excess - 1
  end
  return widths
end

local function line_of(row, widths, width)
  local cells = {}
  for i, text in ipairs(row) do
    text = cut(text, widths[i], i == PLACE)
    local space = (" "):rep(widths[i] - columns(text))
    cells[i] = i == 1 and space .. text or text .. space
  end
  return cut((table.concat(cells, "  "):gsub("%s+$", "")), width)
end

--- The tasks as lines of text, aligned.
---@param width integer
---@return string[]
function M.lines(width)
  local nodes, roots = M.tree()
  local rows = {{"", "task", "waits for", "at", "for"}}
  add_rows(rows, roots)
  local widths = widths_of(rows, width)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = line_of(row, widths, width) end
  local left_out = #nodes + 1 - #rows
  if left_out > 0 then lines[#lines + 1] = ("and %d more"):format(left_out) end
  return lines
end

--- Writes the tree of tasks.
---@param session table
function M.show(session)
  local lines = M.lines(math.max(LEAST, session.width or WIDTH))
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
  local nodes = M.tree()
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
    or ("task %d '%s'"):format(node.id, plain(node.name))
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
  local now = new_node(node.task)
  local doing_now = now.what and "waits for " .. doing(now) or doing(now)
  if now.where then doing_now = doing_now .. " at " .. now.where end
  session.write(("%s was asked to end, and %s\n"):format(title(node), doing_now))
end

local function state_of(node)
  if node.state ~= "waiting" then return doing(node) end
  return ("waits for %s, for %s"):format(doing(node), age(node.seconds))
end

--- `:trace N`: where a task is, and then the tasks it waits for.
---@param session table
---@param text string
function M.trace(session, text)
  local first, seen = M.find("trace", text), {}
  local by_task = {}
  for _, node in ipairs((M.tree())) do by_task[node.task] = node end
  local function tell(node, awaiter)
    seen[node.task] = true
    local begin = awaiter and ("task %d awaits %s, which"):format(awaiter.id, title(node))
      or title(node)
    local frames = node.state ~= "running" and node.state ~= "new" and node.task:traceback() or ""
    session.write(("%s %s%s\n"):format(begin, state_of(node), frames))
    each_awaited(node.awaited, function(future)
      if by_task[future] and not seen[future] then tell(by_task[future], node) end
    end, {})
  end
  tell(first)
end

--- Numbers and names of the tasks, less the one that runs, to complete.
---@return string[]
function M.names()
  local list = {}
  for _, node in ipairs((M.tree())) do
    if node.task ~= core.current_task() then
      list[#list + 1] = tostring(node.id)
      if node.name:find("^[%g]+$") then list[#list + 1] = node.name end
    end
  end
  return list
end

return M
