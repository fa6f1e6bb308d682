-- Context variables. After contextvars: a new task starts with its creator's values; what it
-- sets then is its own. A context is a table that is never changed once a task shares it.
local check = require "lull.check"
local _, core = ...

--- A variable of which every task has its own value. After contextvars.ContextVar.
---@class lull.ContextVar
local ContextVar = {__name = "lull context variable"}
ContextVar.__index = ContextVar

local unset = {}

--- The value in the running task (outside any task: the runtime's), or the default.
---@return any
function ContextVar:get()
  check.self(self, ContextVar, "get")
  local context = core.get_context()
  local value = context and context[self]
  if value == nil then return self.default end
  if value == unset then return nil end
  return value
end

--- Sets the value for the running task and the tasks it will create. A coroutine object that is
--- awaited in place shares it with its awaiter.
---@param value any nil is a value like others: it hides the default
function ContextVar:set(value)
  check.self(self, ContextVar, "set")
  local copy = {}
  for key, other in pairs(core.get_context() or copy) do copy[key] = other end
  if value == nil then value = unset end
  copy[self] = value
  core.set_context(copy)
end

function ContextVar:__tostring() return ("context variable '%s'"):format(self.name) end

--- Makes a context variable. Raises an argument error if the name is no string.
--- After contextvars.ContextVar.
---@param name string what tostring shows
---@param default any what :get() gives where nothing was set; nil if left out
---@return lull.ContextVar
local function context_var(name, default)
  check.type(1, "context_var", name, "string")
  return setmetatable({name = name, default = default}, ContextVar)
end

return context_var
