-- Stages of a stream. A stage has `pull()`, which gives the next values, nothing or nil at the end,
-- and `shut(failures, err)`, which closes what it takes its values from and adds to the failures
-- what goes wrong there. Who holds the last stage closes it, and by that all of them.
local _, core = ...
local errors = require "lull.errors"

local await, pcall = core.await, core.pcall
local is_instance, CancelledError = errors.is_instance, errors.CancelledError

local M = {}

--- A part of a stream, and all that is behind it.
---@class lull.Stage
local Stage = {__name = "lull stage"}
Stage.__index = Stage

--- Makes a stage; see above. A to-be-closed variable shuts it, and raises what has failed.
function M.new(pull, shut) return setmetatable({pull = pull, shut = shut}, Stage) end

--- Adds an error to the failures; a cancellation that interrupted the closing only counts if there
--- are none.
function M.add_failure(failures, err)
  if is_instance(err, CancelledError) then
    failures.cancellation = err
  else
    failures[#failures + 1] = err == nil and "nil" or err
  end
end

-- Raises what has gone wrong besides err, which is under way: err itself goes on by itself.
local function raise(failures, err)
  if #failures == 0 then
    if err == nil and failures.cancellation then error(failures.cancellation, 0) end
    return
  end
  if err ~= nil and not is_instance(err, CancelledError) then table.insert(failures, 1, err) end
  if #failures == 1 then error(failures[1], 0) end
  error(errors.ExceptionGroup("several parts of a stream failed", failures), 0)
end

function Stage:__close(err)
  local failures = {}
  self.shut(failures, err)
  raise(failures, err)
end

--- A function's results, or what the coroutine object awaits to that is its only result.
---@async
function M.settle(...)
  local value = ...
  if type(value) ~= "userdata" or select("#", ...) > 1 or not core.is_coroutine(value) then
    return ...
  end
  return await(value)
end

-- The real one: a metatable may be hidden.
local get_metatable = debug and debug.getmetatable or getmetatable

local function metamethod(value, name)
  local meta = get_metatable(value)
  return type(meta) == "table" and rawget(meta, name) or nil
end

-- A for loop of its own would close the value in the same way, with the same error.
local function close(value, err)
  local _ <close> = value
  if err ~= nil then error(err, 0) end
end

local function shut_value(value)
  return function(failures, err)
    local ok, failure = pcall(close, value, err)
    if not ok and (err == nil or not rawequal(failure, err)) then
      M.add_failure(failures, failure)
    end
  end
end

local function nothing() end

-- The list may have an __index that fails: it is not asked for anything before its first value is.
local function from_list(list)
  local i, n = 0, nil
  return M.new(function()
    local length = i == 0 and list.n
    if math.type(length) == "integer" then n = length end
    i = i + 1
    if n and i > n then return nil end
    local value = list[i]
    if value == nil and n then
      error(("item %d of the list is nil, which a stream cannot carry"):format(i), 0)
    end
    return value
  end, nothing)
end

local function from_iterator(f, state, control, closing)
  local function advance(...)
    control = ...
    return ...
  end
  local pull = function() return advance(f(state, control)) end
  if core.is_async(type(f) == "function" and f or metamethod(f, "__call")) then
    pull = function() return advance(await(f(state, control))) end
  end
  if closing == nil and metamethod(f, "__close") then closing = f end
  return M.new(pull, closing and shut_value(closing) or nothing)
end

local function is_callable(value)
  return type(value) == "function" or type(metamethod(value, "__call")) == "function"
end

--- Whether the value can be a to-be-closed variable's.
function M.is_closable(value) return not value or metamethod(value, "__close") ~= nil end

--- Whether the value is what `source` takes.
function M.is_source(value) return type(value) == "table" or is_callable(value) end

--- A stage out of what a `for` takes, or out of a list.
function M.source(f, ...)
  if is_callable(f) then return from_iterator(f, ...) end
  return from_list(f)
end

--- A function that shuts several stages, the last one first.
function M.shut_all(stages)
  return function(failures, err)
    for i = #stages, 1, -1 do stages[i].shut(failures, err) end
  end
end

return M
