-- Reads what is to be run from a terminal, by the line editor: see bindings/prompt. What is a
-- matter of Lua is decided here: when a line is whole, what it goes on with, what could stand
-- there.
local _, core = ...
local complete = require "lull.prompt.complete"
local histories = require "lull.prompt.history"
local syntax = require "lull.prompt.syntax"

local MARGIN = "  " -- the rows after the first are indented by the prompt's width
local GAP = 2 -- between columns of a listing
local MOST_LISTED = 200

---@class lull.prompt.Terminal
---@field editor userdata
---@field history lull.prompt.History
local Terminal = {}
Terminal.__index = Terminal

-- ---- rows ---------------------------------------------------------------------------------------

-- The text up to the cursor, with its last row indented as it should be; one that was pasted, say,
-- and has no margin, is left alone.
local function reindented(before)
  local head, row = before:match("^(.*\n)([^\n]*)$")
  if not head or not row:find("^" .. MARGIN .. "%s*%S") or not syntax.indentation(head) then
    return before
  end
  return head .. MARGIN .. syntax.reindented(head .. row):match("[^\n]*$")
end

local function with_new_row(before)
  before = reindented(before)
  local indentation = syntax.indentation(before .. "\n")
  return before .. "\n" .. (indentation and MARGIN .. indentation or "")
end

--- The rest of a row that is cut in two begins without its spaces.
function Terminal:add_row(line, cursor)
  local before, after = line:sub(1, cursor), line:sub(cursor + 1)
  before = with_new_row(before)
  return self.editor:replace(before .. after:gsub("^[ \t]+", ""), #before)
end

-- Whether Enter runs the line: in the last row of what is whole.
local function is_whole(session, line, cursor)
  return not line:find("\n", cursor + 1, true) and not session:is_incomplete(line)
end

-- ---- completion ---------------------------------------------------------------------------------

-- The last name of a path, or of a chain of fields.
local function tail(word) return word:match("[^.:/]+[/]?$") or word end

local function listing(words, width)
  local names, widest = {}, 0
  for i = 1, math.min(#words, MOST_LISTED) do
    names[i] = tail(words[i])
    widest = math.max(widest, utf8.len(names[i]) or #names[i])
  end
  local columns = math.max(1, (width + GAP) // (widest + GAP))
  local rows = (#names + columns - 1) // columns
  local lines = {}
  for row = 1, rows do
    local cells = {}
    for i = row, #names, rows do
      local name = names[i]
      local space = widest + GAP - (utf8.len(name) or #name)
      cells[#cells + 1] = i + rows <= #names and name .. (" "):rep(space) or name
    end
    lines[row] = table.concat(cells)
  end
  if #words > #names then lines[#lines + 1] = ("... %d more"):format(#words - #names) end
  return table.concat(lines, "\n") .. "\n"
end

--- Completes the word before the cursor, or lists what could stand there.
function Terminal:complete(session, line, cursor)
  local before, after = line:sub(1, cursor), line:sub(cursor + 1)
  local start, words = complete.candidates(before, session)
  if #words == 0 then return self.editor:replace(line, cursor) end
  local word = complete.common(words)
  local completed = before:sub(1, start - 1) .. word
  local list = #words > 1 and completed == before and listing(words, self.editor:width()) or nil
  return self.editor:replace(completed .. after, #completed, list)
end

-- ---- reading ------------------------------------------------------------------------------------

--- Reads a chunk, of several rows if need be. A cancellation drops the line that is being typed.
---@async
---@param session lull.prompt.Session
---@return string? text nil at the end of the input
function Terminal:read(session)
  local what, line, cursor = self.editor:edit(session.prompt_text("_PROMPT", "> "))
  local text
  while true do
    if what == "enter" and is_whole(session, line, cursor) then
      text = reindented(line)
      what = self.editor:accept(text)
    elseif what == "enter" or what == "newline" then
      what, line, cursor = self:add_row(line, cursor)
    elseif what == "complete" then
      what, line, cursor = self:complete(session, line, cursor)
    elseif what == "line" then
      if self.history:add(text) then self.editor:remember(text) end
      return text
    elseif what == "interrupt" then
      return ""
    else
      return nil
    end
  end
end

--- The editor itself drops a line whose reading is cancelled.
function Terminal.drop() end

--- Shows text, above the line if one is edited.
---@param text string
function Terminal:print(text) self.editor:print(text) end

--- Gives the terminal back.
function Terminal:close() self.editor:close() end

--- How many columns the terminal has.
function Terminal:width() return self.editor:width() end

local M = {}

--- A reader of a terminal, or nil and why there can be none.
---@async
---@param input integer
---@param output integer
---@return lull.prompt.Terminal?
---@return string? problem
function M.open(input, output)
  local loaded, binding = pcall(core.binding, "prompt")
  if not loaded then return nil, binding end
  local history = histories.open() -- first: a cancellation would leave an editor open
  local editor, problem = binding.open(input, output)
  if not editor then return nil, problem end
  for _, entry in ipairs(history.entries) do editor:remember(entry) end
  return setmetatable({editor = editor, history = history}, Terminal)
end

return M
