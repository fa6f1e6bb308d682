-- Completion at the prompt: what the word before the cursor may become. Values are looked at, but
-- nothing of theirs is called: tables are read raw, and so are those that __index leads to.
local files = require "lull.prompt.complete.files"
local lull = require "lull"
local syntax = require "lull.prompt.syntax"

local getmetatable = debug.getmetatable -- whatever __metatable says
local load, next, rawget, sub, try = load, next, rawget, string.sub, lull.try

local M = {}

local LIMIT = 1000 -- of so many nobody reads more
local LONGEST_CHAIN = 100 -- of __index

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
               return then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

--- Gives the longest text that all begin with; it cuts no UTF-8 character in two.
---@param list string[]
---@return string prefix
function M.common(list)
  local first = list[1] or ""
  local size = #first
  for i = 2, #list do
    local other = list[i]
    if other:sub(1, size) ~= first:sub(1, size) then
      local same = 0
      while other:byte(same + 1) == first:byte(same + 1) do same = same + 1 end
      size = same
    end
  end
  while size > 0 and first:find("^[\x80-\xBF]", size + 1) do size = size - 1 end
  return first:sub(1, size)
end

-- ---- what was found -----------------------------------------------------------------------------

---@class lull.prompt.Found
---@field word string what all begin with
---@field hidden string? the first character of what is left out unless the word begins with it
---@field common string? once there are LIMIT of them: what they and those left out begin with
---@field done boolean whether there is no more to add
local Found = {}
Found.__index = Found

local function new_found(word, hidden)
  return setmetatable({word = word, hidden = hidden, done = false, seen = {}}, Found)
end

--- Beyond the limit only what makes the common prefix shorter is wanted.
function Found:wants(name)
  local word, common = self.word, self.common
  if sub(name, 1, #word) ~= word or common and sub(name, 1, #common) == common then return false end
  return not self.seen[name] and (word ~= "" or sub(name, 1, 1) ~= self.hidden)
end

--- Takes a name, unless it is there or not wanted.
function Found:add(name)
  if not self:wants(name) then return end
  if self.common then self.common = M.common {self.common, name} end
  self[#self + 1], self.seen[name] = name, true
  if #self == LIMIT then self.common = M.common(self) end
  self.done = self.common ~= nil and #self.common <= #self.word
end

--- The names in order.
function Found:sorted()
  local list = table.move(self, 1, #self, 1, {})
  table.sort(list)
  return list
end

-- ---- values -------------------------------------------------------------------------------------

-- The tables where a value's fields are. Classes whose __index is a function may name theirs:
-- `__methods`, and `__properties`, whose values are not the fields'.
local function tables_of(value)
  local tables, seen, properties = {}, {}, nil
  for _ = 1, LONGEST_CHAIN do
    if type(value) == "table" then
      if seen[value] then break end
      seen[value] = true
      tables[#tables + 1] = value
    end
    local meta = getmetatable(value)
    value = meta and rawget(meta, "__index")
    if type(value) == "function" then
      properties = rawget(meta, "__properties")
      value = rawget(meta, "__methods")
    end
    if not value then break end
  end
  return tables, type(properties) == "table" and properties or {}
end

local function index(value, key)
  for _, table in ipairs(tables_of(value)) do
    local field = rawget(table, key)
    if field ~= nil then return field end
  end
end

local function is_callable(value)
  local kind = type(value)
  if kind ~= "table" and kind ~= "userdata" then return kind == "function" end
  local meta = getmetatable(value)
  return meta ~= nil and rawget(meta, "__call") ~= nil
end

local function add_keys(found, table, only_functions)
  for key, value in next, table do
    if found.done then return end
    if type(key) == "string" and (not only_functions or is_callable(value))
      and found:wants(key) and key:find("^[%a_][%w_]*$") and not KEYWORDS[key] then
      found:add(key)
    end
  end
end

local function add_fields(found, value, only_functions)
  local tables, properties = tables_of(value)
  for _, table in ipairs(tables) do add_keys(found, table, only_functions) end
  if not only_functions then add_keys(found, properties) end
end

local function add_names(found, session)
  for _, name in ipairs(session.scope and session.scope:names() or {}) do found:add(name) end
  for name in next, KEYWORDS do found:add(name) end
  add_fields(found, session.env)
end

local function variable(name, session)
  if session.scope then
    local is_local, value = session.scope:get(name)
    if is_local then return value end
  end
  return index(session.env, name)
end

local NOTHING = {kind = "nothing", text = ""}

-- What a literal stands for; nil if it is broken.
local function constant(token)
  if token.kind ~= "string" and token.kind ~= "number" then return nil end
  local chunk = load("return " .. token.text, "=", "t", {})
  return chunk and chunk()
end

-- Whether a parenthesis after the token makes a call.
local function is_called(token)
  return token.kind == "string" or token.kind == "name" or token.text:find("^[])}]$") ~= nil
end

-- The value of the chain of names and constant indices that ends at token i; nil if it has none.
local function value_at(tokens, i, session)
  local function token(n) return tokens[i - n] or NOTHING end
  local keys, value = {}, nil
  while value == nil do
    if token(0).text == "]" and token(2).text == "[" then
      keys[#keys + 1] = constant(token(1))
      if keys[#keys] == nil then return nil end
      i = i - 3
    elseif token(0).kind == "name" and token(1).text == "." then
      keys[#keys + 1] = token(0).text
      i = i - 2
    else
      if token(0).kind == "name" and token(1).text ~= ":" then
        value = variable(token(0).text, session)
      elseif token(0).text == ")" and token(2).text == "(" and not is_called(token(3)) then
        value = constant(token(1))
      end
      if value == nil then return nil end
    end
  end
  for k = #keys, 1, -1 do value = index(value, keys[k]) end
  return value
end

-- ---- what the cursor is in ----------------------------------------------------------------------

-- The text is what of a string is there; the tokens are those before it.
local function in_string(text, tokens)
  local last = tokens[#tokens] or NOTHING
  if last.text == "(" or last.text == "," then last = tokens[#tokens - 1] or NOTHING end
  if last.text == "require" then
    local found = new_found(text, "_")
    files.add_modules(found)
    return found
  end
  local dir, name = text:match("^(.*/)(.*)$")
  if text == "~" then dir, name = "", text end
  if not dir or text:find("[%c\\]") then return nil end
  local found = new_found(name, ".")
  files.add_files(found, dir)
  return found
end

-- Names that the chunk itself has so far: variables of its own, perhaps.
local function add_typed(found, tokens, count)
  for i = 1, count do
    local before = i > 1 and tokens[i - 1].text or ""
    if tokens[i].kind == "name" and before ~= "." and before ~= ":" then
      found:add(tokens[i].text)
    end
  end
end

-- The tokens are those up to the cursor.
local function in_code(tokens, session)
  local count = #tokens
  local word = tokens[count].text
  if tokens[count].kind == "name" or tokens[count].kind == "keyword" then
    count = count - 1
  else
    word = ""
  end
  local before = tokens[count] or NOTHING
  local found = new_found(word, "_")
  if before.text == "." or before.text == ":" then
    local value = value_at(tokens, count - 1, session)
    if value ~= nil then add_fields(found, value, before.text == ":") end
  elseif word ~= "" then
    add_names(found, session)
    add_typed(found, tokens, count)
  end
  return found
end

local function in_chunk(text, session)
  local tokens = {}
  for _, token in ipairs(syntax.tokens(text)) do
    if token.last == #text and token.kind == "comment" then return nil end
    if token.last == #text and token.unfinished then
      return in_string(token.text:match("^%[=*%[(.*)$") or token.text:sub(2), tokens)
    end
    if token.kind ~= "comment" then tokens[#tokens + 1] = token end
  end
  local last = tokens[#tokens]
  return last and last.last == #text and in_code(tokens, session) or nil
end

-- Candidates for a line for the prompt itself, `:name argument`, and the word there.
local function of_command(text, session)
  local _, commands = try(require, "lull.prompt.commands")
  if type(commands) ~= "table" then commands = {} end -- it is what went wrong
  local word = text:match("^:(%S*)$")
  if word then return word, session.commands or commands.names end
  local name, argument = text:match("^:(%S+)%s+(.*)$")
  if not name or not commands.complete then return "" end
  local ok, list = try(commands.complete, name, argument, session)
  return argument, ok and list
end

local function in_command(text, session)
  local word, list = of_command(text, session)
  local found = new_found(word)
  for _, name in ipairs(type(list) == "table" and list or {}) do found:add(name) end
  return found
end

--- Gives what the word that ends at the cursor may become: where it begins, and, sorted, what may
--- be there instead. Calls nothing of the values it looks at; lists directories, and so may wait.
---@async
---@param before string the text up to the cursor, of one line or more
---@param session {env: table, scope: lull.prompt.Scope?, commands: string[]?}
---@return integer start
---@return string[] list
function M.candidates(before, session)
  local is_command = before:sub(1, 1) == ":"
  local found = (is_command and in_command or in_chunk)(before, session)
  if not found then return #before + 1, {} end
  return #before - #found.word + 1, found:sorted()
end

return M
