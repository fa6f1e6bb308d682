-- Local variables that live on from chunk to chunk of a prompt. A chunk is compiled inside a
-- function whose upvalues are made one with the variables of earlier chunks; and right after each
-- `local` statement at its top level, it hands over a closure over the new ones. So they live on as
-- the same variables that the chunk's own closures share, wherever the chunk ends or fails.
local _, core = ...
local declarations_of = require("lull.prompt.declarations").of

local getupvalue, upvaluejoin = debug.getupvalue, debug.upvaluejoin
local pcall = core.pcall

local M = {}

-- Tracebacks know a chunk by its first upvalue, whose name begins so.
local KEEP = "_LULL_KEEP"

local GROUP = 190 -- variables that one function declares, fewer than Lua's limit

---@class lull.prompt.Scope
---@field env table the globals
---@field chunkname string
---@field variables table<string, {cell: function, const: boolean}> `cell` gives the value: the
--- variable is its only upvalue
---@field to_close any[] values of `<close>` variables, in the order of their declarations
local Scope = {}
Scope.__index = Scope

--- Makes a scope without variables. Other names are those of the environment.
---@param env table
---@param chunkname string? as load takes it; "=stdin" if left out
---@return lull.prompt.Scope
function M.new(env, chunkname)
  return setmetatable({
    env = env,
    chunkname = chunkname or "=stdin",
    variables = {},
    to_close = {},
  }, Scope)
end

local function new_cell(value)
  return function() return value end
end

-- For each variable of a declaration, given a function that returns their values: what keeps it. A
-- compile-time constant is no upvalue, and gets a cell of its own.
local function cells(declaration, f)
  local index_of = {}
  for i = 1, 255 do
    local name = getupvalue(f, i)
    if not name then break end
    index_of[name] = i
  end
  local values, made = table.pack(f()), {}
  for i, variable in ipairs(declaration.variables) do
    local index = index_of[variable.name]
    made[i] = new_cell(values[i])
    if index then upvaluejoin(made[i], 1, f, index) end
  end
  return made
end

local function close_handler(value)
  local meta = debug.getmetatable(value)
  return meta and rawget(meta, "__close")
end

-- Raises Lua's own error, in the chunk.
local function check_closable(name, value)
  if value and close_handler(value) == nil then
    error(("variable '%s' got a non-closable value"):format(name), 4)
  end
end

-- Runs right after a declaration, called by the chunk.
local function keep(self, declaration, f)
  local made = cells(declaration, f)
  for i, variable in ipairs(declaration.variables) do
    if variable.attribute == "close" then check_closable(variable.name, made[i]()) end
  end
  for i, variable in ipairs(declaration.variables) do
    self.variables[variable.name] = {cell = made[i], const = variable.attribute ~= false}
    local value = variable.attribute == "close" and made[i]()
    if value then self.to_close[#self.to_close + 1] = value end
  end
end

-- The chunk's text with a call after each declaration. What is `<close>` stays open longer than the
-- chunk, and is `<const>` for Lua.
local function instrument(text, declarations, keep_name)
  local parts, position = {}, 1
  local function add(upto, replacement)
    parts[#parts + 1] = text:sub(position, upto)
    parts[#parts + 1] = replacement
  end
  for i, declaration in ipairs(declarations) do
    local names = {}
    for j, variable in ipairs(declaration.variables) do
      names[j] = variable.name
      if variable.attribute == "close" then
        add(variable.first - 1, "const")
        position = variable.last + 1
      end
    end
    add(declaration.last, (";%s(%d,function()return %s end);")
      :format(keep_name, i, table.concat(names, ",")))
    position = declaration.last + 1
  end
  add(#text, "")
  return table.concat(parts)
end

--- What declares the variables that a chunk has to do with, the function that keeps new ones first,
--- for the function `inner`: as many functions in one another as Lua's limit of locals asks for.
function Scope:declare(names, keep_name, inner)
  local list = {keep_name}
  for name, variable in next, self.variables do
    if names[name] then list[#list + 1] = variable.const and name .. " <const>" or name end
  end
  local groups = {}
  for i = 1, #list, GROUP do
    local group = table.concat(list, ", ", i, math.min(i + GROUP - 1, #list))
    groups[#groups + 1] = ("local %s = ... return "):format(group)
  end
  return table.concat(groups, "(function(...) ") .. inner .. (" end)()"):rep(#groups - 1)
end

--- All that is before the text is on its first line, and what is after it on the last one, instead
--- of a comment there. Naming the function that keeps variables makes it the first upvalue.
function Scope:wrap(text, is_expression)
  local declarations, names, last = declarations_of(text)
  text = text:sub(1, last)
  local keep_name = KEEP
  while names[keep_name] or self.variables[keep_name] do keep_name = keep_name .. "_" end
  if is_expression then
    -- Where something is to be closed, Lua makes no tail call, which tracebacks would not show.
    text = ("local %s <close> = nil return %s"):format(keep_name, text)
  else
    text = instrument(text, declarations, keep_name)
  end
  local inner = ("function(...) if %s then end %s end"):format(keep_name, text)
  return self:declare(names, keep_name, inner), declarations
end

--- Has a chunk's upvalues be the scope's variables.
function Scope:join(chunk)
  for i = 1, 255 do
    local name = getupvalue(chunk, i)
    if not name then return end
    local variable = self.variables[name]
    if variable then upvaluejoin(chunk, i, variable.cell, 1) end
  end
end

local function is_incomplete(message) return message:find("<eof>", -5, true) ~= nil end

--- Whether Lua itself compiles a text; if not, why, and whether more lines could change that.
function Scope:parse(text)
  local chunk, message = load(text, self.chunkname, "t", self.env)
  if chunk then return true end
  if not is_incomplete(message) then return false, message, false end
  -- A short string that lacks its end is none that another line makes whole.
  local _, further = load(text .. "\n", self.chunkname, "t", self.env)
  if further and not is_incomplete(further) then return false, further, false end
  return false, message, true
end

--- As parse, also for an expression list; gives a second value of true for one. No text gets into
--- the wrapper that makes sense only there.
function Scope:check(text)
  local ok, expected, unfinished = self:parse("return " .. text)
  if ok then return true, true end
  local message, incomplete
  ok, message, incomplete = self:parse(text)
  if ok then return true, false end
  if unfinished and not incomplete then return false, expected, true end
  return false, message, incomplete
end

--- Compiles a chunk: an expression list, whose values it gives, or statements. It sees the
--- variables that are there now, and those it declares at its top level are there once their
--- declarations have run. What is `<close>` stays open until the scope is closed.
---@param text string
---@return function? chunk nil if it does not compile
---@return string? message
---@return boolean? incomplete whether more lines could make it whole
function Scope:compile(text)
  local ok, detail, incomplete = self:check(text)
  if not ok then return nil, detail, incomplete end
  local code, declarations = self:wrap(text, detail)
  local wrapper, message = load(code, self.chunkname, "t", self.env)
  if not wrapper then return nil, message, false end
  local chunk = wrapper(function(i, f) keep(self, declarations[i], f) end)
  self:join(chunk)
  return chunk
end

--- The names of the variables, sorted.
---@return string[]
function Scope:names()
  local names = {}
  for name in next, self.variables do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Whether there is a variable of a name, and its value.
---@param name string
---@return boolean found
---@return any value
function Scope:get(name)
  local variable = self.variables[name]
  if not variable then return false, nil end
  return true, variable.cell()
end

--- Closes what was declared `<close>`, the last first, each even if others fail. May be called
--- again: what is closed is forgotten.
---@async
---@return any[] errors those of the values' close handlers, in the order they were raised
function Scope:close()
  local errors = {}
  while #self.to_close > 0 do
    local value = table.remove(self.to_close)
    local ok, err = pcall(close_handler(value), value, nil)
    if not ok then errors[#errors + 1] = err end
  end
  return errors
end

return M
