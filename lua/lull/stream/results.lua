-- What becomes of a stream's values in the end. Each of these closes the stage it is given.
local _, core = ...
local stages = require "lull.stream.stage"

local async, settle = core.async, stages.settle

local M = {}

--- See Stream:list.
M.list = async(function(stage)
  local source <close> = stage
  local values, n = {}, 0
  for value in source.pull do
    n = n + 1
    values[n] = value
  end
  return values
end, "stream:list")

local function check_key(name, value)
  if value ~= value then error(name .. ": nan cannot be the key of a table", 0) end
end

--- See Stream:table.
M.table = async(function(stage)
  local source <close> = stage
  local values = {}
  for key, value in source.pull do
    check_key("table", key)
    values[key] = value
  end
  return values
end, "stream:table")

--- See Stream:set.
M.set = async(function(stage)
  local source <close> = stage
  local values = {}
  for value in source.pull do
    check_key("set", value)
    values[value] = true
  end
  return values
end, "stream:set")

-- Calls a function with all that the stage gives.
local function run(pull, f)
  local function call(...)
    if (...) == nil then return false end
    f(...)
    return true
  end
  while call(pull()) do end
end

--- See Stream:reduce.
M.reduce = async(function(stage, f, result)
  local source <close> = stage
  if result == nil then
    result = source.pull()
    if result == nil then return nil end
  end
  run(source.pull, function(...) result = settle(f(result, ...)) end)
  return result
end, "stream:reduce")

--- See Stream:each.
M.each = async(function(stage, f)
  local source <close> = stage
  run(source.pull, function(...) settle(f(...)) end)
end, "stream:each")

return M
