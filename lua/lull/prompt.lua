-- The prompt: reads what is typed, runs each complete chunk as part of its own task, and shows what
-- that gives. Chunks may await; other tasks go on while a line is typed, and while one runs.
local _, core = ...
local check = require "lull.check"
local color = require "lull.color"
local commands = require "lull.prompt.commands"
local errors = require "lull.errors"
local lull = require "lull"
local plain = require "lull.prompt.plain"
local scopes = require "lull.prompt.scope"
local show = require "lull.prompt.show"

local xpcall = core.xpcall

local M = {}

local STDIN, STDOUT, STDERR = 0, 1, 2
local MOST_DESCRIPTORS = 0x7FFFFFFF
local WIDTH = 80 -- columns, where there is no terminal to ask
local MOST_TO_COLLECT = 16384 -- KB of memory that are searched after each line
local CANCELLED = {} -- what a line gives that was interrupted
local Ended = {} -- the metatable of what it gives if the prompt's task is to end

---@class lull.prompt.Session
---@field env table the globals
---@field scope lull.prompt.Scope the local variables
---@field reader lull.prompt.Plain|lull.prompt.Terminal
---@field color boolean whether values are coloured
---@field width integer columns
---@field write fun(text: string) shows text
---@field complain fun(text: string) tells of what went wrong
---@field prompt_text fun(name: string, default: string): string _PROMPT and _PROMPT2
---@field show fun(...) shows values, as those of an expression
---@field evaluate fun(text: string): ... compiles and runs a chunk, and gives what it gives
local Session = {}
Session.__index = Session

-- ---- guarding -----------------------------------------------------------------------------------

-- Whether a cancellation is for the line alone. The main task is cancelled by nothing but
-- interrupts, and by what is typed; any other task, when somebody wants it to end.
local function is_interrupt(err)
  local _, _, in_main = core.status()
  return in_main or err.message == "interrupted" or core.current_task():cancelling() == 0
end

-- What there is to tell of an error: of a value that is no message, what is in it.
local function explain(err)
  return (core.explain(err):gsub("^%(error object is an? %a+ value%)", function()
    return "error object " .. show.value(err, {multiline = false})
  end))
end

local function handle(err)
  if not errors.is_error(err, errors.CancelledError) then return explain(err) end
  return is_interrupt(err) and CANCELLED or setmetatable({error = err}, Ended)
end

-- The cancellations that interrupted a line are over with it.
local function forget_cancellation()
  local task = core.current_task()
  while task:cancelling() > 0 do task:uncancel() end
end

--- Runs a function; an interrupt ends it, or the line that is being typed, and no more. Gives
--- whether it ended by itself, then its results, packed, or whether it was interrupted.
function Session:guard(f, ...)
  local results = table.pack(xpcall(f, handle, ...))
  if results[1] then return true, table.pack(table.unpack(results, 2, results.n)) end
  if results[2] == CANCELLED then
    forget_cancellation()
    return false, true
  end
  if getmetatable(results[2]) == Ended then error(results[2].error, 0) end
  self.complain("lull: " .. tostring(results[2]))
  return false, false
end

-- ---- showing ------------------------------------------------------------------------------------

--- Shows results, packed.
function Session:echo(values)
  if values.n == 0 then return end
  self.write(show.values(values, {width = self.width, color = self.color}) .. "\n")
end

-- Objects that were never awaited are told of now rather than when memory runs short.
local function tell_unawaited()
  if collectgarbage("count") > MOST_TO_COLLECT then return end
  collectgarbage()
  core.await(core.sleep(0))
end

-- ---- running ------------------------------------------------------------------------------------

local function is_command(text) return text:find("^%s*:[%a?]") ~= nil end

--- Whether more lines could make a chunk of it that compiles.
---@param text string
---@return boolean
function Session:is_incomplete(text)
  if is_command(text) then return false end
  local chunk, _, incomplete = self.scope:compile(text)
  return not chunk and incomplete == true
end

local LEAVE = ":quit ends the prompt, and so does Ctrl-D"
local habits = {exit = LEAVE, quit = LEAVE, help = ":help tells more"}

-- What to tell somebody who types what other prompts understand.
local function hint(self, text)
  local name = text:match("^%s*(%a+)%s*$") or text:match("^%s*(%a+)%(%)%s*$")
  return name and habits[name] and self.env[name] == nil and habits[name]
end

local function explain_syntax(text, message)
  if not text:find("%f[%w_]await%s+[%a_]") then return message end
  return message .. " (await is a function: await(...))"
end

--- Runs a chunk and shows what it gives.
function Session:run_chunk(text)
  local chunk, message = self.scope:compile(text)
  local hinted = hint(self, text)
  if hinted or not chunk then
    self.complain("lull: " .. (hinted or explain_syntax(text, message)))
    return
  end
  local values = table.pack(chunk())
  if values[1] ~= nil then rawset(self.env, "_", values[1]) end
  self:echo(values)
end

local held = setmetatable({}, {__close = function() core.hold(false) end})

--- Gives whether the session is to end.
function Session:run(text)
  self.width = self.reader.width and self.reader:width() or WIDTH
  core.hold(true) -- what waits for ever waits for an interrupt
  local _ <close> = held
  local ok, result
  if is_command(text) then
    ok, result = self:guard(commands.run, self, text:match("^%s*(.-)%s*$"))
  else
    ok, result = self:guard(self.run_chunk, self, text)
  end
  if not ok and result then self.complain("lull: interrupted") end
  self:guard(tell_unawaited)
  return self.gone or ok and is_command(text) and result[1] == true
end

--- Reads a chunk, runs it, and shows what it gives.
---@async
---@return boolean more false at the end of the input, and after `:quit`
function Session:step()
  local ok, result = self:guard(self.reader.read, self.reader, self)
  if not ok then
    local interrupted, failed = result, self.failed
    self.failed = not interrupted
    self.reader:drop(self)
    return interrupted or not failed -- what fails again and again comes to an end
  end
  self.failed = false
  local text = result[1]
  return text ~= nil and not self:run(text)
end

-- ---- beginning and end --------------------------------------------------------------------------

local function write_stdout(text)
  io.stdout:write(text)
  io.stdout:flush()
end

-- Writes to a terminal of the prompt's own, or a connection. When there is nobody to read it any
-- more, the session ends.
local function writer(self, output)
  if output == STDOUT then return write_stdout end
  return function(text)
    if self.gone then return end
    if self.reader.print then return self.reader:print(text) end
    self.gone = not pcall(core.write, output, text)
  end
end

-- What is printed at the prompt appears there, too.
local function environment(self, output)
  if output == STDOUT then return _G end
  local function print_there(...)
    local texts = table.pack(...)
    for i = 1, texts.n do texts[i] = tostring(texts[i]) end
    self.write(table.concat(texts, "\t") .. "\n")
    if self.gone then error("nobody reads what is printed here any more", 2) end
  end
  return setmetatable({print = print_there}, {__index = _G, __newindex = _G})
end

local function prompt_text(env)
  return function(name, default)
    local ok, text = pcall(function() return tostring(env[name]) end)
    return ok and env[name] ~= nil and text or default
  end
end

-- The message; what follows in other lines is left as it is.
local function in_red(text) return (text:gsub("^[^\n]+", "\27[31m%0\27[39m")) end

local function complainer(self, output)
  if output ~= STDOUT then
    return function(text) self.write((self.color and in_red(text) or text) .. "\n") end
  end
  local colored = self.color and core.is_terminal(STDERR)
  return function(text)
    io.stdout:flush()
    io.stderr:write(colored and in_red(text) or text, "\n")
  end
end

local function open_reader(input, output)
  local term = os.getenv("TERM") or "dumb"
  if not core.is_terminal(input) or not core.is_terminal(output) or term == "dumb" then
    return plain.open(input)
  end
  local terminal = require "lull.prompt.terminal"
  local reader, problem = terminal.open(input, output)
  return reader or plain.open(input), problem
end

local function wants_color(output)
  if output == STDOUT then return color.enabled() end
  return core.is_terminal(output) and not os.getenv("NO_COLOR")
end

local function greet(self, problem)
  self.write(("lull %s, %s. lull, async and await are there; :help tells more.\n")
    :format(core.version, _VERSION))
  if problem then self.complain("lull: no line editor: " .. problem) end
  local history = self.reader.history
  if history and history.problem then
    self.complain("lull: history is not kept: " .. history.problem)
  end
end

local function new_session(input, output)
  local reader, problem = open_reader(input, output)
  local session = setmetatable({
    reader = reader,
    color = wants_color(output),
    width = WIDTH,
    gone = false,
    failed = false,
  }, Session)
  session.env = environment(session, output)
  session.scope = scopes.new(session.env, "=stdin")
  session.prompt_text = prompt_text(session.env)
  session.write = writer(session, output)
  session.complain = complainer(session, output)
  session.show = function(...) session:echo(table.pack(...)) end
  session.evaluate = function(text)
    local chunk, message = session.scope:compile(text)
    if not chunk then error(message, 0) end
    return chunk()
  end
  greet(session, problem)
  return session
end

--- Closes what `local x <close>` at the prompt has left open, then the reader.
function Session:__close()
  self:guard(function()
    for _, err in ipairs(self.scope:close() or {}) do self.complain("lull: " .. tostring(err)) end
  end)
  self.reader:close(self)
end

local function check_descriptor(name, fd, default)
  if fd == nil then return default end
  if math.type(fd) ~= "integer" or fd < 0 or fd > MOST_DESCRIPTORS then
    check.fail(1, "run", ("option '%s' must be a file descriptor"):format(name), 1)
  end
  if not core.is_open(fd, name == "output") then
    local problem = ("option '%s' is a descriptor that is not open for it"):format(name)
    check.fail(1, "run", problem, 1)
  end
  return fd
end

--- Runs a prompt, as part of the running task, to the end of its input: an end of file, Ctrl-D, or
--- `:quit`. The globals lull, async and await are set. On a terminal lines are edited and
--- remembered; what comes from anything else is read line by line. An interrupt (see
--- lull_interrupt) ends what the line awaits, or the line itself; in another task than the main
--- one Ctrl-C does so if it is typed there, and a cancellation of the task ends the prompt.
--- Unless the output is standard output, what is shown, and what the global print prints at the
--- prompt, goes there; io.write and io.stdout remain the process's. Raises argument errors. After
--- `python -m asyncio`.
---@async
---@param options {input: integer?, output: integer?, before: (fun():...)?}? file descriptors,
--- standard input and output if left out; `before` is run first, its errors are shown
function M.run(options)
  options = check.options(1, "run", options, {input = true, output = true, before = true})
  local input = check_descriptor("input", options.input, STDIN)
  local output = check_descriptor("output", options.output, STDOUT)
  if options.before ~= nil and type(options.before) ~= "function" then
    check.fail(1, "run", "option 'before' must be a function")
  end
  local session <close> = new_session(input, output)
  if options.before then session:guard(options.before) end
  _G.lull, _G.async, _G.await = lull, lull.async, lull.await
  while session:step() do end
end

return M
