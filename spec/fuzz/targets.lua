-- What spec/fuzzer.lua calls: lists of functions, each list a part of a group. The files beside
-- this one add to them.
local lull = require "lull"
local values = require "spec.fuzz.values"

local random = math.random

local M = {
  parts = {}, -- lists of { name=, f=, kind=, takes=, is_inner= } by the part's name
  defects = {}, -- what has been found, as text, once each
  prepare = function() end, -- called with the part's name before some calls are made
}

-- These end the process or the run, or may wait for ever where nothing can be cancelled, or ask
-- for other hosts.
local left_out = {
  ["loop.stop"] = true, ["loop.run_forever"] = true, ["loop.getaddrinfo"] = true,
}

--- Adds a function to a part. `kind`: what the first argument should be an object of. `takes`:
--- makers of values that the arguments (after the object) should be.
function M.add(part, name, f, kind, takes)
  if left_out[name] then return end
  M.parts[part] = M.parts[part] or {}
  -- Lua calls them, on the right objects.
  local is_inner = name:find("%.__") and debug.getinfo(f, "S").what == "Lua"
  table.insert(M.parts[part],
    { name = name, f = f, kind = kind, takes = takes or {}, is_inner = is_inner })
end

--- The names of a table's functions, in order.
function M.names_of(t)
  local names = {}
  for name, f in pairs(t) do
    if type(name) == "string" and type(f) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- Adds the methods and metamethods that an object has to the part of its kind. `takes` and
--- `wrappers` are by the method's name.
function M.add_methods(kind, sample, takes, wrappers)
  takes, wrappers = takes or {}, wrappers or {}
  local function add(name, f)
    M.add(kind, kind .. "." .. name, wrappers[name] and wrappers[name](f) or f, kind, takes[name])
  end
  local meta = debug.getmetatable(sample)
  for _, name in ipairs(M.names_of(meta)) do
    if name:find("^__") and name ~= "__gc" and name ~= "__index" then add(name, meta[name]) end
  end
  if type(meta.__index) == "table" then
    for _, name in ipairs(M.names_of(meta.__index)) do
      if not name:find("^__") then add(name, meta.__index[name]) end
    end
  end
end

--- Adds the functions of a module to a part of the same name.
function M.add_functions(part, module, takes, wrappers)
  for _, name in ipairs(M.names_of(module)) do
    local f = module[name]
    local wrapper = wrappers and wrappers[name]
    M.add(part, part .. "." .. name, wrapper and wrapper(f) or f, nil, takes and takes[name])
  end
end

--- Adds the constructors of a module's error classes.
function M.add_classes(part, module)
  local classes = {}
  for name, class in pairs(module) do
    if type(name) == "string" and type(class) == "table" and class.extend then
      classes[#classes + 1] = name
    end
  end
  table.sort(classes)
  for _, name in ipairs(classes) do
    local class = module[name]
    M.add(part, name, function(...) return class(...) end)
    M.add(part, name .. ".extend", function(_, ...) return class:extend(...)("x") end)
  end
end

--- What a lazy function gives is awaited, if not always.
function M.awaited(f)
  return function(...)
    local made = f(...)
    if type(made) ~= "userdata" or random(8) == 1 then return made end
    return lull.await(made)
  end
end

--- What gives an iterator has a loop over it, which is left sooner or later.
function M.looped(f)
  return function(...)
    local iterator, state, control, closing = f(...)
    if random(8) == 1 then return iterator end
    local left = random(0, 6)
    for value in iterator, state, control, closing do
      values.keep(value)
      left = left - 1
      if left < 0 then break end
    end
    return true
  end
end

--- Notes that something is wrong with lull.
function M.defect(text)
  if M.defects[text] then return end
  M.defects[text] = true
  M.defects[#M.defects + 1] = text
end

return M
