-- The commands of the prompt: lines that begin with a colon. A command is a function of the
-- session and the rest of the line; what is wrong it raises, for the session to show.
local _, core = ...
local tasks = require "lull.prompt.tasks"
local words = require "lull.prompt.tasks.words"

local await = core.await

local M = {}

--- The names of the commands, for completion.
M.names = {"cancel", "help", "load", "quit", "tasks", "time", "trace"}

local USAGE = {
  {":help", "tells of the commands and keys"},
  {":help NAME", "tells what a function, method, class, module or value is for"},
  {":tasks", "shows the tasks, what they wait for, where and for how long"},
  {":cancel N", "cancels a task, by its number or name"},
  {":trace N", "shows where a task is, and the tasks it waits for"},
  {":time EXPR", "evaluates, awaits included, and tells how long it took"},
  {":load FILE", "runs a file of Lua here; its globals stay"},
  {":quit", "ends the prompt; every task is cancelled and cleans up"},
}

local function fail(...) error(string.format(...), 0) end

local commands = {}

local function usage_of(name)
  local rows = {}
  for _, row in ipairs(USAGE) do
    if row[1]:match("^:(%a+)") == name then rows[#rows + 1] = row end
  end
  return rows
end

--- What there is, or what a name is for.
function commands.help(session, text)
  local help = require "lull.prompt.help"
  if text == "" then return help.overview(session, USAGE) end
  local rows = usage_of(text:match("^:(%a+)$"))
  if #rows == 0 then return help.describe(session, text) end
  local lines = require("lull.prompt.help.comment").columns_of(rows, session.width or 80)
  session.write(table.concat(lines, "\n") .. "\n")
end

local function takes_nothing(name, text)
  if text ~= "" then fail(":%s takes nothing after it", name) end
end

--- The tree of tasks.
function commands.tasks(session, text)
  takes_nothing("tasks", text)
  tasks.show(session)
end

--- Cancels a task.
function commands.cancel(session, text) tasks.cancel(session, text) end

--- Shows where a task is.
function commands.trace(session, text) tasks.trace(session, text) end

--- Evaluates, and tells how long it took. Time is lull.now's: with the virtual clock, virtual.
function commands.time(session, text)
  if text == "" then fail(":time needs something to evaluate") end
  local begun, cpu = core.now(), os.clock()
  local results = table.pack(session.evaluate(text))
  local seconds, cpu_seconds = core.now() - begun, os.clock() - cpu
  if results.n > 0 then session.show(table.unpack(results, 1, results.n)) end
  session.write(("%s (%s of it CPU)\n"):format(words.duration(seconds),
    words.duration(cpu_seconds)))
end

local function expand(path)
  local home = os.getenv("HOME")
  return home and path:gsub("^~%f[/\0]", (home:gsub("%%", "%%%%"))) or path
end

--- Runs a file.
function commands.load(session, text)
  if text == "" then fail(":load needs the path of a file") end
  local path = expand(text)
  local source = await(require("lull.fs").read_file(path))
  source = source:gsub("^#[^\n]*", "", 1)
  local chunk, message = load(source, "@" .. path, "t", session.env)
  if not chunk then error(message, 0) end
  local results = table.pack(chunk())
  if results.n > 0 then session.show(table.unpack(results, 1, results.n)) end
end

--- Ends the prompt.
function commands.quit(_, text)
  takes_nothing("quit", text)
  return true
end

-- ---- which one ----

-- The commands that a name is, or begins.
local function matching(name)
  if commands[name] then return {name} end
  local list = {}
  for _, other in ipairs(M.names) do
    if name ~= "" and other:sub(1, #name) == name then list[#list + 1] = other end
  end
  return list
end

local function find(name)
  local list = matching(name)
  if #list == 1 then return list[1] end
  if #list == 0 then fail("there is no command ':%s': see :help", name) end
  fail("':%s' may be :%s or :%s", name, table.concat(list, ", :", 1, #list - 1), list[#list])
end

--- Runs a command. Raises what is wrong with it, and the errors of what it evaluates.
---@async
---@param session table {env=, scope=, write=, show=, color=, evaluate=, width=}
---@param line string begins with a colon
---@return boolean over true if the prompt is to end
function M.run(session, line)
  local name, text = line:match("^%s*:(%S*)%s*(.-)%s*$")
  return commands[find(name)](session, text) == true
end

-- ---- completion ----

local function starting(list, text)
  local found = {}
  for _, item in ipairs(list) do
    if item:sub(1, #text) == text then found[#found + 1] = item end
  end
  table.sort(found)
  return found
end

local function complete_task(text) return starting(tasks.names(), text) end

-- Variables and their fields, and whatever else the prompt completes.
local function complete_expression(text, session)
  local start, list = require("lull.prompt.complete").candidates(text, session)
  local found = {}
  for i, item in ipairs(start and list or {}) do found[i] = text:sub(1, start - 1) .. item end
  return starting(found, text)
end

-- The same, and what has a description.
local function complete_name(text, session)
  local seen, found = {}, {}
  for _, list in ipairs {complete_expression(text, session),
                         require("lull.prompt.help").complete(text)} do
    for _, item in ipairs(list) do
      if not seen[item] then found[#found + 1] = item end
      seen[item] = true
    end
  end
  return starting(found, text)
end

local function complete_file(text)
  local dir, name = text:match("^(.*/)(.-)$")
  dir, name = dir or "", name or text
  local fs = require "lull.fs"
  local found = {}
  require("lull").try(function()
    for entry, kind in fs.scandir(dir == "" and "." or expand(dir)) do
      local hidden = entry:sub(1, 1) == "." and name:sub(1, 1) ~= "."
      if not hidden then found[#found + 1] = dir .. entry .. (kind == "directory" and "/" or "") end
    end
  end)
  return starting(found, text)
end

local COMPLETE = {cancel = complete_task, help = complete_name, load = complete_file,
                  time = complete_expression, trace = complete_task}

--- What may come after a command: whole arguments that begin with the text. May await.
---@async
---@param name string of the command, which may be shortened
---@param text string the argument as far as it is typed
---@param session table
---@return string[] candidates sorted
function M.complete(name, text, session)
  local list = matching(name)
  local complete = #list == 1 and COMPLETE[list[1]]
  return complete and complete(text, session) or {}
end

return M
