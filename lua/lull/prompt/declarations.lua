-- Which variables a chunk declares at its top level. A reader walks over its tokens, without the
-- comments, and has the one it is at: `token` is the text of names, keywords and operators, and ""
-- of others.
local syntax = require "lull.prompt.syntax"

local scan, sub = syntax.scan, string.sub

local M = {}

local NESTING = {
  ["function"] = 1, ["do"] = 1, ["if"] = 1, ["repeat"] = 1, ["("] = 1, ["["] = 1, ["{"] = 1,
  ["end"] = -1, ["until"] = -1, [")"] = -1, ["]"] = -1, ["}"] = -1,
}
local UNARY = {["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true}
local JOINING = {}
for sign in ([[+ - * / // % ^ .. == ~= < <= > >= & | ~ << >> and or ,]]):gmatch("%S+") do
  JOINING[sign] = true
end

local Reader = {}
Reader.__index = Reader

-- The token after the comments at a position: kind, first, last; and where the last of the
-- comments begins.
local function scan_code(text, position)
  local kind, first, last = scan(text, position)
  local passed
  while kind == "comment" do
    passed = first
    kind, first, last = scan(text, last + 1)
  end
  return kind, first, last, passed
end

--- Goes to the next token that is no comment.
function Reader:advance()
  local text = self.text
  local kind, first, last, passed = scan_code(text, self.last + 1)
  if not kind then self.comment = passed end
  self.previous, self.kind, self.first, self.last = self.last, kind, first, last or #text
  if kind == "name" then
    local token = sub(text, first, last)
    self.token = token
    self.names[token] = true
  else
    self.token = kind == "operator" and sub(text, first, last) or ""
  end
end

--- Goes past what the token opens, up to what closes it, or with a depth of 1 past what is open.
function Reader:skip_nested(depth)
  depth = depth or 0
  repeat
    depth = depth + (NESTING[self.token] or 0)
    self:advance()
  until depth <= 0 or not self.kind
end

local NOT_SUFFIXED = {["function"] = true, ["nil"] = true, ["true"] = true, ["false"] = true}

--- Goes past an operand with what is applied to it: fields, calls, indices.
function Reader:skip_operand()
  while UNARY[self.token] do self:advance() end
  local suffixed = self.kind == "name" and not NOT_SUFFIXED[self.token] or self.token == "("
  if NESTING[self.token] == 1 then self:skip_nested() else self:advance() end
  while suffixed do
    if self.token == "." or self.token == ":" then
      self:advance()
      self:advance()
    elseif self.token == "(" or self.token == "[" or self.token == "{" then
      self:skip_nested()
    elseif self.kind == "string" then
      self:advance()
    else
      return
    end
  end
end

--- Goes past a list of expressions.
function Reader:skip_expressions()
  local more = true
  while more and self.kind do
    self:skip_operand()
    more = JOINING[self.token]
    if more then self:advance() end
  end
end

--- Reads a name, after the token before it, and what attribute it has.
function Reader:read_variable()
  self:advance()
  local variable = {name = self.token, attribute = false, first = false, last = false}
  self:advance()
  if self.token == "<" then
    self:advance()
    variable.attribute, variable.first, variable.last = self.token, self.first, self.last
    self:advance()
    self:advance()
  end
  return variable
end

--- Reads on after `local function`.
function Reader:read_local_function()
  local variable = self:read_variable()
  self:skip_nested(1)
  return {variables = {variable}, last = self.previous}
end

--- Reads on after `local`: the variables, and past their values.
function Reader:read_locals()
  local variables = {}
  repeat
    variables[#variables + 1] = self:read_variable()
  until self.token ~= ","
  if self.token == "=" then
    self:advance()
    self:skip_expressions()
  end
  return {variables = variables, last = self.previous}
end

--- Reads a `local` statement.
function Reader:read_declaration()
  local _, first, last = scan_code(self.text, self.last + 1)
  if first and sub(self.text, first, last) == "function" then
    self:advance()
    return self:read_local_function()
  end
  return self:read_locals()
end

---@class lull.prompt.Variable
---@field name string
---@field attribute "const"|"close"|false
---@field first integer|false where the attribute's word begins
---@field last integer|false where it ends

---@class lull.prompt.Declaration
---@field variables lull.prompt.Variable[]
---@field last integer the place of the statement's last byte

--- The `local` statements at the top level of a chunk, which must be one that Lua compiles; and the
--- names that occur in it, those of keywords and fields too.
---@param text string
---@return lull.prompt.Declaration[] declarations
---@return table<string, true> names
---@return integer last the last byte before a comment at the end of the text, which may have no end
function M.of(text)
  local reader = setmetatable({
    text = text,
    names = {},
    kind = false,
    token = "",
    first = 0,
    last = 0,
    previous = 0,
    comment = nil,
  }, Reader)
  local declarations = {}
  reader:advance()
  while reader.kind do
    if reader.token == "local" then
      declarations[#declarations + 1] = reader:read_declaration()
    elseif NESTING[reader.token] == 1 then
      reader:skip_nested()
    else
      reader:advance()
    end
  end
  return declarations, reader.names, reader.comment and reader.comment - 1 or #text
end

return M
