-- Lua 5.4's tokens, of any text whatever, and what the prompt tells from them: how far a line is
-- to be indented.
local byte, find, sub = string.byte, string.find, string.sub

local M = {}

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
               return then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

local DOT, MINUS, OPENING = byte(".-[", 1, -1)
local BLANK = "^[ \t\r\n\f\v]+()"

-- The operators of more than one character, the longest first, by their first one.
local LONG_OPERATORS = {
  ["."] = {"...", ".."},
  ["="] = {"=="},
  ["~"] = {"~="},
  ["<"] = {"<=", "<<"},
  [">"] = {">=", ">>"},
  ["/"] = {"//"},
  [":"] = {"::"},
}

-- The end of a long string or comment whose brackets begin at `first`, and whether it has no end;
-- nil if no long bracket begins there.
local function long_end(text, first)
  local _, opened, equals = find(text, "^%[(=*)%[", first)
  if not opened then return nil end
  local _, last = find(text, "]" .. equals .. "]", opened + 1, true)
  return last or #text, not last
end

local function comment(text, first)
  local last, unfinished = long_end(text, first + 2)
  if last then return "comment", last, unfinished, unfinished end
  return "comment", (find(text, "\n", first, true) or #text + 1) - 1
end

-- Where a string goes on after an escape sequence, of which only the length matters; and whether
-- that may be another line.
local function after_escape(text, backslash)
  local _, last = find(text, "^z%s*", backslash + 1)
  if not last then _, last = find(text, "^\r\n", backslash + 1) end
  if not last then _, last = find(text, "^[\r\n]", backslash + 1) end
  if last then return last + 1, true end
  return backslash + 2, backslash == #text
end

local STOPS = {['"'] = '["\\\r\n]', ["'"] = "['\\\r\n]"}

-- A short string ends with its line, finished or not, unless an escape leads to the next one.
local function short_string(text, first, quote)
  local position, stops, open = first + 1, STOPS[quote], false
  while position <= #text do
    local stop = find(text, stops, position)
    if not stop then return "string", #text, true end
    local found = sub(text, stop, stop)
    if found == quote then return "string", stop end
    if found ~= "\\" then return "string", stop - 1, true end
    position, open = after_escape(text, stop)
  end
  return "string", #text, true, open
end

-- As Lua does, takes whatever looks like a part of a number; what is wrong with it matters to Lua.
local function number(text, first)
  local digits, exponent, position = "^[%da-dfA-DF.]+()", "^[eE][+-]?()", first
  if find(text, "^0[xX]", first) then
    digits, exponent, position = "^[%x.]+()", "^[pP][+-]?()", first + 2
  end
  local after = position
  while after do
    position = after
    after = text:match(digits, position) or text:match(exponent, position)
  end
  return "number", (text:match("^[%w_]+()", position) or position) - 1
end

local function operator(text, first, character)
  for _, long in ipairs(LONG_OPERATORS[character] or {}) do
    if sub(text, first, first + #long - 1) == long then return "operator", first + #long - 1 end
  end
  return "operator", first
end

local function name(text, first)
  local _, last = find(text, "^[%w_]*", first)
  return "name", last
end

local function dot(text, first)
  if find(text, "^%.%d", first) then return number(text, first) end
  return operator(text, first, ".")
end

local function minus(text, first)
  if byte(text, first + 1) == MINUS then return comment(text, first) end
  return "operator", first
end

local function opening(text, first)
  local last, unfinished = long_end(text, first)
  if last then return "string", last, unfinished, unfinished end
  return "operator", first
end

-- What a token is that begins with a character: a function of text, position and character.
local READERS = {}
local function set_readers(characters, reader)
  for character in characters:gmatch(".") do READERS[byte(character)] = reader end
end
set_readers("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", name)
set_readers("0123456789", number)
set_readers("\"'", short_string)
set_readers("+*/%^#&~|<>=(){}];:,", operator)
READERS[DOT], READERS[MINUS], READERS[OPENING] = dot, minus, opening

local function unknown(text, first)
  local _, last = find(text, "^[\128-\255]+", first)
  return "unknown", last or first
end

--- The token at a position or after the blanks there, without a table for it. The kind of a keyword
--- is "name"; `unfinished` and `open` are as in a token.
---@param text string
---@param position integer
---@return string? kind nil at the end of the text
---@return integer first
---@return integer last
---@return boolean? unfinished
---@return boolean? open
function M.scan(text, position)
  local first = text:match(BLANK, position) or position
  local code = byte(text, first)
  if not code then return nil end
  local reader = READERS[code] or unknown
  local kind, last, unfinished, open = reader(text, first, sub(text, first, first))
  return kind, first, last, unfinished, open
end

---@class lull.prompt.Token
---@field kind "name"|"keyword"|"number"|"string"|"comment"|"operator"|"unknown"
---@field text string
---@field first integer the place of its first byte
---@field last integer that of its last one
---@field unfinished boolean a string or a long comment that lacks its end
---@field open boolean one that another line may bring to its end

--- The tokens of a text, which may be any text at all: what is no token of Lua's is "unknown".
---@param text string
---@return lull.prompt.Token[]
function M.tokens(text)
  local tokens, position = {}, 1
  while true do
    local kind, first, last, unfinished, open = M.scan(text, position)
    if not kind then return tokens end
    local token = sub(text, first, last)
    if kind == "name" and KEYWORDS[token] then kind = "keyword" end
    tokens[#tokens + 1] = {
      kind = kind,
      text = token,
      first = first,
      last = last,
      unfinished = unfinished or false,
      open = open or false,
    }
    position = last + 1
  end
end

-- Indentation. A stack holds what is open: the token that closes it, and the level of the line that
-- opened it. A line is one level deeper than the line that opened the innermost.

local CLOSER_OF = {
  ["function"] = "end", ["do"] = "end", ["then"] = "end", ["else"] = "end", ["repeat"] = "until",
  ["("] = ")", ["["] = "]", ["{"] = "}",
}
local CLOSES = {
  ["end"] = "end", ["else"] = "end", ["elseif"] = "end", ["until"] = "until",
  [")"] = ")", ["]"] = "]", ["}"] = "}",
}

-- Takes what a token closes, and all that was left open in it, from the stack; gives the level of
-- the line that opened it, nil if there is none.
local function close(stack, token)
  local closer = CLOSES[token]
  for i = #stack, 1, -1 do
    if stack[i].closer == closer then
      local level = stack[i].level
      for j = #stack, i, -1 do stack[j] = nil end
      return level
    end
  end
end

local function level_inside(stack)
  local innermost = stack[#stack]
  return innermost and innermost.level + 1 or 0
end

-- Follows the tokens; gives the level of the last line that one began in, and the last token.
local function follow(stack, tokens, text)
  local level, leading, position, token = 0, false, 1, nil
  for i = 1, #tokens do
    token = tokens[i]
    local word = token.text
    if i == 1 or find(sub(text, position, token.first), "\n", 1, true) then
      level, leading = level_inside(stack), true
    end
    if CLOSES[word] then
      local opened = close(stack, word)
      if leading and opened then level = opened end
    else
      leading = false
    end
    if CLOSER_OF[word] then
      leading = false
      stack[#stack + 1] = {closer = CLOSER_OF[word], level = level}
    end
    position = token.last + 1
  end
  return level, token
end

local INDENT = "  "

--- What a line that follows a text, whole or not, is to begin with: two spaces a level. A line that
--- opens several blocks or brackets is one level.
---@param text string
---@return string? blanks nil if the line would begin inside a string or comment
function M.indentation(text)
  local stack = {}
  local _, last = follow(stack, M.tokens(text), text)
  if last and last.open then return nil end
  return INDENT:rep(level_inside(stack))
end

--- Gives the text's last line the indentation that it should have: what closes a block at its start
--- is on the level of the line that opened it. A line that begins in a string or comment stays.
---@param text string
---@return string
function M.reindented(text)
  local before, line = text:match("^(.*\n)(.-)$")
  before, line = before or "", (line or text):match("^[ \t]*(.*)$")
  local stack = {}
  local _, last = follow(stack, M.tokens(before), before)
  if last and last.open then return text end
  local level = level_inside(stack)
  for _, token in ipairs(M.tokens(line)) do
    if not CLOSES[token.text] then break end
    level = close(stack, token.text) or level
    if CLOSER_OF[token.text] then break end
  end
  return before .. INDENT:rep(level) .. line
end

return M
