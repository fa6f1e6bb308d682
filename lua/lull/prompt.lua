-- The prompt: reads lines, runs each complete chunk in its own task, and shows what it gives.
-- Chunks may await; other tasks go on while a line is typed, and while one runs.
local _, core = ...
local errors = require "lull.errors"
local lull = require "lull"

local await, xpcall = core.await, core.xpcall

local M = {}

local STDIN = 0
local CANCELLED = {} -- what a line gives that was interrupted

local function handle(err)
  if errors.is_error(err, errors.CancelledError) then return CANCELLED end
  return core.explain(err)
end

-- The cancellations that interrupted a line are over with it.
local function forget_cancellation()
  local task = core.current_task()
  while task:cancelling() > 0 do task:uncancel() end
end

---@class lull.Prompt
---@field pending string? what was read and is not a whole line yet; nil at the end of the input
local Prompt = {}
Prompt.__index = Prompt

--- Waits for the next line of standard input; nil at its end.
---@async
---@return string?
function Prompt:read_line()
  while self.pending do
    local line, rest = self.pending:match("^([^\n]*)\n(.*)$")
    if line then
      self.pending = rest
      return line
    end
    local bytes = await(core.read(STDIN))
    if not bytes then
      line, self.pending = self.pending, nil
      return line ~= "" and line or nil
    end
    self.pending = self.pending .. bytes
  end
end

local function show(text)
  io.stdout:write(text)
  io.stdout:flush()
end

local function show_prompt(name, default)
  local text = _G[name]
  show(text == nil and default or tostring(text))
end

local function is_incomplete(message) return message:find("<eof>", -5, true) ~= nil end

--- Reads a chunk, of several lines if need be.
---@async
---@return function? chunk nil if it does not parse, and at the end of the input
---@return string? message why it does not parse; nil at the end
function Prompt:read_chunk()
  show_prompt("_PROMPT", "> ")
  local text = self:read_line()
  if not text then return end
  local chunk = load("return " .. text, "=stdin", "t")
  if chunk then return chunk end
  while true do
    local message
    chunk, message = load(text, "=stdin", "t")
    if chunk or not is_incomplete(message) then return chunk, message end
    show_prompt("_PROMPT2", ">> ")
    local line = self:read_line()
    if not line then return nil, message end
    text = text .. "\n" .. line
  end
end

local function complain(message)
  io.stdout:flush()
  io.stderr:write("lull: ", message, "\n")
end

local function show_values(...)
  if select("#", ...) > 0 then print(...) end
end

-- Runs the function; an interrupt ends it, or the line that is being typed, and no more.
local function guard(f, ...)
  local results = table.pack(xpcall(f, handle, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  if results[2] ~= CANCELLED then
    complain(results[2])
    return
  end
  forget_cancellation()
  return CANCELLED
end

local function run_chunk(chunk)
  show_values(chunk())
end

--- Reads a chunk, runs it, and shows what it gives.
---@async
---@return boolean more false at the end of the input
function Prompt:step()
  local chunk, message = guard(self.read_chunk, self)
  if chunk == CANCELLED then
    show("\n")
    self.pending = self.pending and ""
  elseif chunk then
    core.hold(true) -- what waits for ever waits for an interrupt
    if guard(run_chunk, chunk) == CANCELLED then complain("interrupted") end
    core.hold(false)
  elseif message then
    complain(message)
  else
    return false
  end
  return true
end

--- Runs the prompt to the end of its input. Globals `lull`, `async` and `await` are there.
function M.run()
  _G.lull, _G.async, _G.await = lull, lull.async, lull.await
  print(("lull %s, %s. lull, async and await are there."):format(core.version, _VERSION))
  local prompt = setmetatable({pending = ""}, Prompt)
  while prompt:step() do end
  show("\n")
end

return M
