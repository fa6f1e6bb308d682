-- lull.stream: pipelines of values that come one after the other, and may be waited for. Each
-- method puts another stage around what there is (see lull/stream/stage.lua).
local check = require "lull.check"
local _, core = ...
local iterators = require "lull.stream.iterator"
local results = require "lull.stream.results"
local stages = require "lull.stream.stage"
local tasks = require "lull.stream.tasks"

local settle = stages.settle

--- Values on their way. A value has one or several parts, as those of an iterator may have; the
--- first part is never nil. A stream is used once: by the method that makes another stream, or a
--- result, of it. Nothing runs before somebody asks for values, and then one thing at a time unless
--- a `limit` says otherwise. Functions given to it may await; a coroutine object that one gives is
--- awaited. What ends a stream early, an error, a cancellation or a loop that is left, closes its
--- source. Nothing of what fails then is lost: several failures are one lull.ExceptionGroup.
---@class lull.Stream
local Stream = {__name = "lull stream"}
Stream.__index = Stream

local function wrap(stage) return setmetatable({stage = stage}, Stream) end

local USED = "the stream was used already: it can be used once"

local function check_unused(self, level)
  if not self.stage then error(USED, level + 1) end
end

-- Gives a stream's last stage, to whoever calls the method, or `level` further out.
local function use(self, name, level)
  level = 3 + (level or 0)
  check.self(self, Stream, name, level - 2)
  check_unused(self, level)
  local stage = self.stage
  self.stage = nil
  return stage
end

-- A stream with another way to get values from what is behind a stage.
local function over(stage, pull) return wrap(stages.new(pull, stage.shut)) end

local function check_count(name, value, least)
  if type(value) == "number" and math.tointeger(value) and value >= least then return end
  check.fail(1, name, ("an integer from %d on expected"):format(least), 1)
end

local LIMIT = {limit = true}

local function check_limit(name, options)
  local limit = options.limit
  if limit == nil then return 1 end
  if type(limit) ~= "number" or limit < 1 or limit ~= math.huge and limit % 1 ~= 0 then
    check.fail(2, name, "option 'limit' must be a positive integer", 1)
  end
  return limit
end

-- ---- sources ------------------------------------------------------------------------------------

local SOURCES = "iterator, list or stream expected, got "

local function check_source(index, name, value, level)
  if not stages.is_source(value) then
    check.fail(index, name, SOURCES .. check.type_name(value), 1 + level)
  end
end

local function to_stage(level, name, value, ...)
  if check.is(value, Stream) then return use(value, name, level) end
  if iterators.is_open(value) then return iterators.take_stage(value) end
  return stages.source(value, ...)
end

-- An argument list may end with all that a `for` takes, such as what a generator function gives.
local function count_sources(...)
  local n = select("#", ...)
  if n < 4 then return n end
  local iterator, state, control, closing = select(n - 3, ...)
  if state == nil and control == nil and rawequal(iterator, closing) then return n - 3 end
  return n
end

-- The stages of several sources, all of them checked before one is used.
local function to_stages(name, self, ...)
  check.self(self, Stream, name, 1)
  local list, seen = {...}, {[self] = true}
  local n = count_sources(...)
  for i = 1, n do
    check_source(i, name, list[i], 1)
    if check.is(list[i], Stream) then
      check_unused(list[i], 3)
      if seen[list[i]] then error(USED, 3) end
      seen[list[i]] = true
    end
  end
  local found = {use(self, name, 1)}
  for i = 1, n do found[i + 1] = to_stage(1, name, list[i]) end
  return found
end

-- ---- from stream to stream ----------------------------------------------------------------------

local function mapped(...)
  if (...) == nil then
    error("map: its function gave nil, which a stream cannot carry", 0)
  end
  return ...
end

--- A stream of what a function makes of the values. Raises an argument error; an error if the
--- function gives nil. With a limit calls are made ahead, each in a task of its own; results still
--- come in order, and never more than `limit` values are taken from the source and not yet given.
--- When a call fails those after it are cancelled, and its error comes in its place. After Rust's
--- StreamExt::buffered.
---@param f function called with a value's parts; what it gives are the parts of the new value
---@param options {limit: integer?}? how many calls may run at once; 1 if left out
---@return lull.Stream
function Stream:map(f, options)
  check.type(1, "map", f, "function")
  local limit = check_limit("map", check.options(2, "map", options, LIMIT))
  local stage = use(self, "map")
  if limit > 1 then
    return wrap(tasks.ahead(stage, function(...) return mapped(settle(f(...))) end, limit))
  end
  local function apply(...)
    if (...) == nil then return nil end
    return mapped(settle(f(...)))
  end
  return over(stage, function() return apply(stage.pull()) end)
end

--- A stream of the values for which a function gives true. Raises an argument error. For the limit
--- see map.
---@param f function called with a value's parts
---@param options {limit: integer?}?
---@return lull.Stream
function Stream:filter(f, options)
  check.type(1, "filter", f, "function")
  local limit = check_limit("filter", check.options(2, "filter", options, LIMIT))
  local stage = use(self, "filter")
  if limit > 1 then
    return wrap(tasks.ahead(stage, function(...)
      if settle(f(...)) then return ... end
    end, limit))
  end
  local function choose(...)
    if (...) == nil or settle(f(...)) then return ... end
    return choose(stage.pull())
  end
  return over(stage, function() return choose(stage.pull()) end)
end

--- A stream of the first n values. Once it has given them it does not ask for more. Raises an
--- argument error.
---@param n integer
---@return lull.Stream
function Stream:take(n)
  check_count("take", n, 0)
  local stage = use(self, "take")
  local left = n
  return over(stage, function()
    if left <= 0 then return nil end
    left = left - 1
    return stage.pull()
  end)
end

--- A stream without the first n values. Raises an argument error.
---@param n integer
---@return lull.Stream
function Stream:skip(n)
  check_count("skip", n, 0)
  local stage = use(self, "skip")
  local left = n
  return over(stage, function()
    while left > 0 do
      left = left - 1
      if stage.pull() == nil then return nil end
    end
    return stage.pull()
  end)
end

--- A stream of the values before the first for which a function does not give true; that one is
--- taken from the source and dropped. Raises an argument error.
---@param f function called with a value's parts
---@return lull.Stream
function Stream:take_while(f)
  check.type(1, "take_while", f, "function")
  local stage = use(self, "take_while")
  local function choose(...)
    if (...) ~= nil and settle(f(...)) then return ... end
  end
  return over(stage, function() return choose(stage.pull()) end)
end

--- A stream of the values from the first on for which a function does not give true. Raises an
--- argument error.
---@param f function called with a value's parts, until it gives false
---@return lull.Stream
function Stream:skip_while(f)
  check.type(1, "skip_while", f, "function")
  local stage = use(self, "skip_while")
  local skipping = true
  local function choose(...)
    if (...) ~= nil and settle(f(...)) then return choose(stage.pull()) end
    skipping = false
    return ...
  end
  return over(stage, function()
    if skipping then return choose(stage.pull()) end
    return stage.pull()
  end)
end

--- A stream of the values with their number in front: 1 and the first value's parts, 2 and so on.
---@return lull.Stream
function Stream:enumerate()
  local stage = use(self, "enumerate")
  local count = 0
  local function number(...)
    if (...) == nil then return nil end
    count = count + 1
    return count, ...
  end
  return over(stage, function() return number(stage.pull()) end)
end

--- A stream of lists of n values, the last list perhaps of fewer. Of values with several parts they
--- hold the first. Raises an argument error.
---@param n integer from 1 on
---@return lull.Stream
function Stream:chunk(n)
  check_count("chunk", n, 1)
  local stage = use(self, "chunk")
  local ended = false
  return over(stage, function()
    local list = {}
    while not ended and #list < n do
      local value = stage.pull()
      list[#list + 1] = value
      ended = value == nil
    end
    return list[1] ~= nil and list or nil
  end)
end

--- A stream of the values of this one and of other sources, as they come. The sources are read at
--- the same time, each by a task of its own, which takes one value ahead at most. It ends when all
--- of them have; if one fails, so does the stream. Raises an argument error. After aiostream's
--- merge.
---@param ... any sources: what stream takes, one argument each
---@return lull.Stream
function Stream:merge(...) return wrap(tasks.merge(to_stages("merge", self, ...))) end

--- A stream of the values of this one and of other sources side by side: the first of each, then
--- the second of each, until one of them ends. Of values with several parts it has the first. The
--- sources are asked one after the other. Raises an argument error.
---@param ... any sources: what stream takes, one argument each
---@return lull.Stream
function Stream:zip(...)
  local sources = to_stages("zip", self, ...)
  return wrap(stages.new(function()
    local values = {}
    for i, source in ipairs(sources) do
      values[i] = source.pull()
      if values[i] == nil then return nil end
    end
    return table.unpack(values)
  end, stages.shut_all(sources)))
end

local function check_inner(value)
  if not stages.is_source(value) then
    error("flat_map: " .. SOURCES .. check.type_name(value) .. " from its function", 0)
  end
  if check.is(value, Stream) and not value.stage then error("flat_map: " .. USED, 0) end
end

--- A stream of the values of the sources that a function makes of the values, one source after the
--- other. Raises an argument error; an error if the function gives something else.
---@param f function called with a value's parts, gives what stream takes
---@return lull.Stream
function Stream:flat_map(f)
  check.type(1, "flat_map", f, "function")
  local outer = use(self, "flat_map")
  local inner, pull
  local function close_inner()
    local _ <close> = inner
    inner = nil
  end
  local function pass(...)
    if (...) ~= nil then return ... end
    close_inner()
    return pull()
  end
  local function open(...)
    check_inner((...))
    inner = to_stage(0, "flat_map", ...)
    return pass(inner.pull())
  end
  local function open_next(...)
    if (...) == nil then return nil end
    return open(settle(f(...)))
  end
  function pull()
    if inner then return pass(inner.pull()) end
    return open_next(outer.pull())
  end
  return wrap(stages.new(pull, function(failures, err)
    if inner then inner.shut(failures, err) end
    outer.shut(failures, err)
  end))
end

--- The same stream, in which a value that takes longer than so many seconds to come raises
--- TimeoutError. The time counts from when the value is asked for. Raises an argument error.
---@param seconds number? nil means no limit
---@return lull.Stream
function Stream:timeout(seconds)
  check.seconds(1, "timeout", seconds, true)
  local stage = use(self, "timeout")
  if seconds == nil then return wrap(stage) end
  return over(stage, function()
    local _ <close> = core.timeout(seconds)
    return stage.pull()
  end)
end

--- The same stream, slowed down: it gives a value every so many seconds at most. None is dropped.
--- Raises an argument error. After aiostream's spaceout.
---@param seconds number
---@return lull.Stream
function Stream:throttle(seconds)
  check.seconds(1, "throttle", seconds)
  local stage = use(self, "throttle")
  local due
  local function pace(...)
    if (...) == nil then return nil end
    local now = core.now()
    if due and now < due then core.await(core.sleep(due - now)) end
    due = core.now() + seconds
    return ...
  end
  return over(stage, function() return pace(stage.pull()) end)
end

-- ---- from stream to result ----------------------------------------------------------------------

--- All values in a list; of values with several parts the first. Raises what the stream does.
---@return lull.Coroutine coroutine awaits to the list
function Stream:list() return results.list(use(self, "list")) end

--- A table of the values: of each the first part is the key and the second the value, the last one
--- of a key counts. Raises what the stream does.
---@return lull.Coroutine coroutine awaits to the table
function Stream:table() return results.table(use(self, "table")) end

--- A set of the values: a table with each as a key, and true; of values with several parts the
--- first. Raises what the stream does.
---@return lull.Coroutine coroutine awaits to the table
function Stream:set() return results.set(use(self, "set")) end

--- One result out of all values: f(f(f(init, first), second), third) and so on. Raises what the
--- stream and the function do; an argument error.
---@param f function called with the result so far and a value's parts
---@param init any if it is nil, the first value takes its place
---@return lull.Coroutine coroutine awaits to the result; nil if there is neither init nor a value
function Stream:reduce(f, init)
  check.type(1, "reduce", f, "function")
  return results.reduce(use(self, "reduce"), f, init)
end

--- Calls a function with every value. Raises what the stream and the function do; an argument
--- error. For the limit see map.
---@param f function called with a value's parts
---@param options {limit: integer?}?
---@return lull.Coroutine coroutine awaits to nothing
function Stream:each(f, options)
  check.type(1, "each", f, "function")
  local limit = check_limit("each", check.options(2, "each", options, LIMIT))
  local stage = use(self, "each")
  if limit > 1 then stage = tasks.ahead(stage, function(...) settle(f(...)) end, limit) end
  return results.each(stage, f)
end

--- For a loop over the values, `for v in s:iter() do ... end`, which closes the stream when it is
--- left. Who steps through it by hand closes it: `local it <close> = s:iter()`, then `it()`.
---@return lull.StreamIterator iterator the rest of what a `for` takes follows
function Stream:iter()
  local iterator = iterators.new(use(self, "iter"))
  return iterator, nil, nil, iterator
end

--- Closes a stream that will not be used, and by that its source. One that was used is not touched:
--- it is closed at its end. Raises what fails.
---@async
function Stream:close()
  check.self(self, Stream, "close")
  self:__close()
end

function Stream:__close(err)
  local stage = self.stage
  self.stage = nil
  if stage then stage:__close(err) end
end

function Stream:__tostring() return self.stage and "stream" or "stream (used)" end

--- Makes a stream of what a `for` takes: an iterator function, a generator, or another object that
--- can be called, with the values that follow it, as in `stream(pairs(t))`; of the values of a
--- list; or of another stream. The first nil ends it. An async function is awaited for each value.
--- What a `for` would close at its end, the stream closes at its end. Raises an argument error.
---@param iterator function|table|lull.Stream
---@param ... any the rest of what a `for` takes
---@return lull.Stream
local function stream(iterator, ...)
  check_source(1, "stream", iterator, 0)
  if not stages.is_closable(select(3, ...)) then
    check.fail(4, "stream", "closable value expected")
  end
  local stage = to_stage(0, "stream", iterator, ...)
  return wrap(stage)
end

return stream
