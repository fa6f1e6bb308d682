-- What the tasks are doing, in words and in columns.
local _, core = ...
local columns = require("lull.prompt.help.comment").columns

local M = {}

--- Text without control characters.
---@param text string
---@return string
function M.plain(text) return (text:gsub("%c", "?")) end

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

--- What a task is doing.
---@param node lull.prompt.Node
---@return string
function M.doing(node)
  if node.task == core.current_task() then return "runs this" end
  if node.state == "new" then return "has not started" end
  if node.state ~= "waiting" then return "is about to run" end
  if node.what ~= "a task" then return node.what end
  return "task " .. core.task_info(node.awaited)
end

--- A time in words, no more exact than the turns of the loop.
---@param seconds number
---@return string
function M.age(seconds)
  if seconds < 0.0005 then return "0 s" end
  if seconds < 0.9995 then return ("%.0f ms"):format(seconds * 1e3) end
  return seconds < 59.95 and ("%.1f s"):format(seconds) or M.duration(seconds)
end

local function row_of(node, branch)
  return {
    tostring(node.id),
    branch .. M.plain(node.name),
    M.doing(node),
    node.where and M.plain(node.where) or "",
    node.seconds and M.age(node.seconds) or "",
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
---@param nodes lull.prompt.Node[] all of them
---@param roots lull.prompt.Node[]
---@param width integer
---@return string[]
function M.lines(nodes, roots, width)
  local rows = {{"", "task", "waits for", "at", "for"}}
  add_rows(rows, roots)
  local widths = widths_of(rows, width)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = line_of(row, widths, width) end
  local left_out = #nodes + 1 - #rows
  if left_out > 0 then lines[#lines + 1] = ("and %d more"):format(left_out) end
  return lines
end

return M
