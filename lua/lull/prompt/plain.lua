-- Reads what is to be run, line by line, from what is no terminal, such as a pipe.
local _, core = ...
local lull = require "lull"

local await, try = core.await, lull.try

---@class lull.prompt.Plain
---@field input integer a file descriptor
---@field pending string? what was read and is not a whole line yet; nil at the end of the input
local Plain = {}
Plain.__index = Plain

--- Waits for the next line; nil at the end of the input, and if it cannot be read any more.
---@async
---@param session lull.prompt.Session
---@return string?
function Plain:read_line(session)
  while self.pending do
    local line, rest = self.pending:match("^([^\n]*)\n(.*)$")
    if line then
      self.pending = rest
      return line
    end
    local ok, bytes = try(await, core.read(self.input))
    if not ok then session.complain("lull: " .. tostring(bytes)) end
    if not ok or not bytes then
      line, self.pending = self.pending, nil
      return line ~= "" and line or nil
    end
    self.pending = self.pending .. bytes
  end
end

--- Reads a chunk, of several lines if need be. A cancellation drops the line that is being typed.
---@async
---@param session lull.prompt.Session
---@return string? text nil at the end of the input
function Plain:read(session)
  session.write(session.prompt_text("_PROMPT", "> "))
  local text = not session.gone and self:read_line(session) or nil
  while text and session:is_incomplete(text) do
    session.write(session.prompt_text("_PROMPT2", ">> "))
    local line = not session.gone and self:read_line(session)
    if not line then break end
    text = text .. "\n" .. line
  end
  return text
end

--- Forgets what was typed of a line.
function Plain:drop(session)
  session.write("\n")
  self.pending = self.pending and ""
end

--- Ends the line of the last prompt.
function Plain.close(_, session) session.write("\n") end

local M = {}

--- A reader of a file descriptor.
---@param input integer
---@return lull.prompt.Plain
function M.open(input) return setmetatable({input = input, pending = ""}, Plain) end

return M
