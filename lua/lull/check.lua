-- Argument checks for functions written in Lua, with the messages that C functions give.
local _, core = ...

local M = {}

--- Raises an argument error in the caller of the function that checks (or `level` further out).
function M.fail(index, name, message, level)
  error(("bad argument #%d to '%s' (%s)"):format(index, name, message), 3 + (level or 0))
end

--- What error messages call a value's type.
function M.type_name(value)
  local meta = getmetatable(value)
  if type(meta) == "table" and type(rawget(meta, "__name")) == "string" then return meta.__name end
  if value == nil then return "nil" end
  return type(value)
end

--- A value as error messages show it: the user's own __tostring may do anything.
function M.show(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then return tostring(value) end
  return M.type_name(value)
end

--- Whether a value is an object of a class, whatever the __metatable of others is equal to.
function M.is(value, class) return rawequal(getmetatable(value), class) end

--- What a method is called on must be an object of its class: a dot may stand for the colon.
function M.self(self, class, name, level)
  if rawequal(getmetatable(self), class) then return end
  local message = ("calling '%s' on bad self (%s expected)"):format(name, class.__name)
  error(message, 3 + (level or 0))
end

--- The value must be of a Lua type, or (optional) nil.
function M.type(index, name, value, expected, optional, level)
  if type(value) == expected or optional and value == nil then return end
  local message = ("%s expected, got %s"):format(expected, M.type_name(value))
  M.fail(index, name, message, 1 + (level or 0))
end

--- The value must be a number of seconds, or (optional) nil.
function M.seconds(index, name, value, optional)
  M.type(index, name, value, "number", optional, 1)
  if value ~= value then M.fail(index, name, "a number of seconds expected, got nan", 1) end
end

--- The value must be something await takes.
function M.awaitable(index, name, value)
  if value ~= nil and core.is_awaitable(value) then return end
  M.fail(index, name, ("awaitable expected, got %s"):format(M.type_name(value)), 1)
end

--- The value must be a list; gives its length: that of one that may hold nil is its `n`.
function M.list(index, name, list, level)
  level = 1 + (level or 0)
  M.type(index, name, list, "table", false, level)
  local n = list.n
  if math.type(n) ~= "integer" then n = #list end
  if math.type(n) ~= "integer" or n < 0 then
    M.fail(index, name, "not the length of a list", level)
  end
  return n
end

--- The value must be a list of awaitables; gives its length.
function M.awaitables(index, name, list)
  local n = M.list(index, name, list, 1)
  for i = 1, n do
    if list[i] == nil or not core.is_awaitable(list[i]) then
      local got = M.type_name(list[i])
      M.fail(index, name, ("item %d: awaitable expected, got %s"):format(i, got), 1)
    end
  end
  return n
end

--- The value must be nil or a table of options with these names only; gives a table.
function M.options(index, name, options, known)
  if options == nil then return {} end
  M.type(index, name, options, "table", false, 1)
  for key in next, options do
    if not known[key] then M.fail(index, name, ("unknown option '%s'"):format(M.show(key)), 1) end
  end
  return options
end

return M
