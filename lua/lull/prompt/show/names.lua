-- The names of functions: those of modules, and global ones.
local loaded = package.loaded
local next, type = next, type

local M = {}

local MOST = 20000 -- functions of modules that are looked at

local function is_better(name, other)
  return not other or #name < #other or #name == #other and name < other
end

-- Adds the functions of a module to the names.
local function add(found, module, t, left)
  for key, value in next, t do
    left = left - 1
    if left < 0 then break end
    if type(value) == "function" and type(key) == "string" then
      local name = module == "_G" and key or module .. "." .. key
      if is_better(name, found[value]) then found[value] = name end
    end
  end
  return left
end

local function collect()
  local found, left = {}, MOST
  for module, t in next, loaded do
    if type(module) == "string" and type(t) == "table" and left > 0 then
      left = add(found, module, t, left)
    end
  end
  return found
end

local first = collect() -- before a user gives functions of modules names of his own
local now

--- Forgets what functions modules have: they may have changed since.
function M.forget() now = nil end

--- What a function is called: `print`, `string.format`. Nil if it is in no module.
---@param f function
---@return string?
function M.of(f)
  if first[f] then return first[f] end
  now = now or collect()
  return now[f]
end

return M
