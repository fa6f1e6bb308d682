-- Argument errors found deep inside, raised where the public function was called.
local _, core = ...

local pcall, getmetatable = core.pcall, getmetatable
local Misuse = {}

local M = {}

--- Ends the check with what is wrong with an argument, the options unless an index is given.
function M.fail(text, index)
  error(setmetatable({text = text, index = index}, Misuse), 0)
end

local function results(name, index, ok, ...)
  if ok then return ... end
  local err = ...
  if not rawequal(getmetatable(err), Misuse) then error(err, 0) end
  error(("bad argument #%d to '%s' (%s)"):format(err.index or index, name, err.text), 3)
end

--- Calls a function that checks for the public function `name`, whose options are argument
--- `index`; it is the caller of that one who is blamed.
function M.checked(name, index, f, ...)
  return results(name, index, pcall(f, ...))
end

return M
