-- The error classes. A class is a table that makes errors when called and is their metatable;
-- `parent` leads up to lull.Error.
local _, core = ...

--- The base of all error classes, and an error of none in particular. Calling a class makes an
--- error, `lull.TimeoutError("too late")`; a table given after the message lends it its fields.
--- `tostring(err)` is "NAME: message".
---@class lull.Error
---@field name string the class's name
---@field message any what went wrong
---@field traceback string? where, when it ended a task: one frame a line
---@field cause any? the error this one took the place of
---@field parent lull.Error? of a class: the class it was made from
---@overload fun(message: any, fields: table?): lull.Error
local Error = {name = "Error"}
Error.__index = Error
Error.__name = "lull.Error"

local function to_string(self)
  local message = self.message
  if message == nil then return tostring(self.name) end
  return tostring(self.name) .. ": " .. tostring(message)
end

Error.__tostring = to_string

local function new_error(class, message, fields)
  local err = {message = message}
  if type(fields) == "table" then
    for key, value in next, fields do err[key] = value end
  end
  return setmetatable(err, class)
end

setmetatable(Error, {__call = new_error})

local function is_class(value)
  return type(value) == "table" and rawget(value, "__tostring") ~= nil
    and type(getmetatable(value)) == "table"
end

--- Makes a class of errors: `local ParseError = lull.Error:extend("ParseError")`, then
--- `error(ParseError("bad token", {line = 3}))`. The second argument's fields become the error's.
--- Raises an argument error if the name is no string.
---@param name string what `err.name` and `tostring(err)` say
---@return lull.Error class
function Error:extend(name)
  if not is_class(self) then
    error("calling 'extend' on bad self (error class expected)", 2)
  end
  if type(name) ~= "string" then
    error("bad argument #1 to 'extend' (string expected, got " .. type(name) .. ")", 2)
  end
  local class = {name = name, parent = self, __tostring = self.__tostring, __name = name}
  class.__index = class
  return setmetatable(class, {__index = self, __call = getmetatable(self).__call})
end

local M = {Error = Error}
for _, name in ipairs {"CancelledError", "TimeoutError", "InvalidStateError", "QueueEmpty",
                       "QueueFull", "QueueShutDown", "BrokenBarrierError", "DeadlockError",
                       "ExceptionGroup", "OSError"} do
  M[name] = Error:extend(name)
end
M.ConnectionError = M.OSError:extend("ConnectionError")
M.DNSError = M.OSError:extend("DNSError")

-- The errors in a group, whatever somebody has made of its field: a list, or an empty one.
local function errors_of(group)
  local errors = rawget(group, "errors")
  return type(errors) == "table" and table.move(errors, 1, rawlen(errors), 1, {}) or {}
end

local function group_to_string(self)
  local errors = errors_of(self)
  local lines = {("%s: %s (%d errors)"):format(self.name, tostring(self.message), #errors)}
  for _, err in ipairs(errors) do
    lines[#lines + 1] = "  " .. tostring(err):gsub("\n", "\n  ")
  end
  return table.concat(lines, "\n")
end

M.ExceptionGroup.__tostring = group_to_string
setmetatable(M.ExceptionGroup, {
  __index = Error,
  __call = function(class, message, errors)
    return new_error(class, message, {errors = errors or {}})
  end,
})

local MAX_PARENTS = 100 -- a foreign metatable's parents may go in a circle

-- Walks up from a value's metatable; a foreign metatable, or one that is hidden, ends the walk.
local function is_instance(err, class)
  if type(err) ~= "table" then return false end
  local meta = getmetatable(err)
  for _ = 1, MAX_PARENTS do
    if type(meta) ~= "table" then return false end
    if rawequal(meta, class) then return true end
    meta = rawget(meta, "parent")
  end
  return false
end

M.is_instance = is_instance

--- Whether a value, any value whatever, is an error of a class (or of one made from it), or a group
--- that holds one. Raises an argument error if the class is none.
---@param err any
---@param class lull.Error? lull.Error if left out
---@return boolean
function M.is_error(err, class)
  class = class or Error
  if not is_class(class) then
    error("bad argument #2 to 'is_error' (error class expected, got " .. type(class) .. ")", 2)
  end
  if is_instance(err, class) then return true end
  if not is_instance(err, M.ExceptionGroup) then return false end
  for _, inner in ipairs(errors_of(err)) do
    if M.is_error(inner, class) then return true end
  end
  return false
end

-- The order of the enumeration in internal.h.
core.set_errors {M.CancelledError, M.TimeoutError, M.InvalidStateError, M.QueueEmpty, M.QueueFull,
                 M.QueueShutDown, M.DeadlockError, Error}

return M
