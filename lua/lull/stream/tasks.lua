-- The stages of a stream that have tasks: calls made ahead, and several sources at once. A source
-- that others do not wait for is read, and closed, by a task of its own.
local _, core = ...
local errors = require "lull.errors"
local stage = require "lull.stream.stage"
local wait = require "lull.wait"

local async, await, create_task, pcall = core.async, core.await, core.create_task, core.pcall

local M = {}

local EAGER = {eager = true}
local READER = {eager = true, name = "stream"} -- eager: it has begun, so it closes its source

local function cancel_all(tasks)
  for _, task in ipairs(tasks) do task:cancel() end
end

-- Whether a task ended with an error.
local function has_failed(task) return not task:cancelled() and core.has_failed(task) end

-- A task cannot wait for its own end.
local function leave_out_current(tasks, failures)
  local current = core.current_task()
  for i, task in ipairs(tasks) do
    if task == current then
      stage.add_failure(failures, "a function of the stream has closed it")
      return table.remove(tasks, i)
    end
  end
end

local function is_cancelled(err) return errors.is_instance(err, errors.CancelledError) end

-- Waits until tasks are done, and adds their failures. A cancellation that comes meanwhile is
-- passed on to them.
local function finish(tasks, failures)
  leave_out_current(tasks, failures)
  while #tasks > 0 do
    local ok, err = pcall(await, wait.wait(tasks))
    if ok then break end
    stage.add_failure(failures, err)
    if not is_cancelled(err) then return end
    cancel_all(tasks)
  end
  for _, task in ipairs(tasks) do
    if has_failed(task) then
      core.adopt_traceback(task)
      stage.add_failure(failures, task:exception())
    end
  end
end

local function start(coroutine)
  if core.current_task() then return create_task(coroutine, READER) end
  core.close_coroutine(coroutine)
  error("this stream has tasks: it can be used inside a task only", 0)
end

local function on_close(f) return setmetatable({}, {__close = f}) end

-- Waits for an event that is not set.
local function wait_for(event)
  event:clear()
  await(event:wait())
end

-- ---- calls made ahead ---------------------------------------------------------------------------

-- Whether no more calls are made, because one has failed or the stream is left.
local function is_over(self) return self.wanted ~= math.huge end

-- Cancels the calls from a number on, those that are still wanted.
local function drop_from(self, first)
  for i = first, math.min(self.wanted, self.taken) do
    local call = self.calls[i]
    if call then call:cancel() end -- the last one may be in its first step
  end
  self.wanted = math.min(self.wanted, first - 1)
end

-- The running call ends. If it fails, those after it are not wanted any more.
local function end_call(self, err)
  local current, number = core.current_task(), self.given + 1
  if self.calls[number] == current then self.arrived:set() end
  if err == nil then return end
  while self.calls[number] and self.calls[number] ~= current do number = number + 1 end
  drop_from(self, number + 1)
end

-- Makes a call with the next values; gives false if there are none, or no more calls are wanted.
local function take(self, ...)
  if (...) == nil or is_over(self) then return false end
  self.taken = self.taken + 1
  self.calls[self.taken] = create_task(self.call(...), EAGER)
  self.arrived:set()
  return true
end

local read = async(function(self)
  local _ <close> = self.at_end
  local source <close> = self.source
  local _ <close> = self.hold
  await(core.sleep(0)) -- it may have tasks, too: they do not start on top of one another's stacks
  repeat
    while self.taken - self.given >= self.limit do wait_for(self.room) end
  until is_over(self) or not take(self, source.pull())
end, "stream")

-- The reader is through, and about to close the source: the calls come first, which may use what it
-- has, unless the reader is cancelled by somebody who does not know of them.
local function hold(self, err)
  self.ended = true
  self.arrived:set()
  while not (self.released or is_cancelled(err)) do
    local ok, cancellation = pcall(wait_for, self.room)
    if not ok then
      if err == nil then error(cancellation, 0) end
      return
    end
  end
end

local function release(self)
  self.released = true
  self.room:set()
end

-- Awaits a task, but does not pass a cancellation on to it: closing the stage does, to all of them.
local function join(self, task)
  while not task:done() do wait_for(self.arrived) end
  self.awaited = task
  return await(task)
end

local pull_ahead

local function give(self, ...)
  self.calls[self.given + 1] = nil
  self.given = self.given + 1
  self.room:set()
  if (...) ~= nil then return ... end
  return pull_ahead(self)
end

function pull_ahead(self)
  self.reader = self.reader or start(read(self))
  while not self.calls[self.given + 1] do
    if self.ended then
      release(self)
      return join(self, self.reader) -- which gives nothing, or raises
    end
    wait_for(self.arrived)
  end
  return give(self, join(self, self.calls[self.given + 1]))
end

-- A failure that was raised by awaiting its task is not added again.
local function shut_ahead(self, failures, err)
  local reader, awaited = self.reader, self.awaited
  if not reader then return self.source.shut(failures, err) end
  local raised = awaited and has_failed(awaited)
  local first = self.given + 1
  drop_from(self, first)
  if raised and self.calls[first] == awaited then first = first + 1 end
  finish(table.move(self.calls, first, self.taken, 1, {}), failures)
  local cancels = not self.ended or self.released
  release(self)
  if cancels then reader:cancel() end
  if not (raised and awaited == reader) then finish({reader}, failures) end
end

--- Calls `work` with the values of a stage, up to `limit` calls at once, and gives their results in
--- order. Of results that begin with nil there is nothing to give. Never more than `limit` values
--- are taken and not given yet. When a call fails those after it are cancelled, and none are made;
--- the failure is raised in its place.
---@param source lull.Stage
---@param work function
---@param limit number
---@return lull.Stage
function M.ahead(source, work, limit)
  local self = {
    source = source,
    limit = limit,
    calls = {}, -- tasks, from given + 1 to taken
    taken = 0,
    given = 0,
    wanted = math.huge, -- the last of the calls whose result is wanted
    awaited = nil, -- the last task that was awaited
    reader = nil,
    ended = false, -- whether the reader has nothing more to read
    released = false, -- whether it may close the source
    arrived = core.event(), -- for the consumer: a call, one's end, or the reader's
    room = core.event(), -- for the reader: for another call, or to close the source
  }
  local ending = on_close(function(_, err) end_call(self, err) end)
  self.call = async(function(...)
    local _ <close> = ending
    return work(...)
  end, "stream")
  self.hold = on_close(function(_, err) hold(self, err) end)
  self.at_end = on_close(function() self.arrived:set() end)
  return stage.new(function() return pull_ahead(self) end,
    function(failures, err) shut_ahead(self, failures, err) end)
end

-- ---- several sources at once --------------------------------------------------------------------

-- Has a reader stand in line, with values or at its end.
local function line_up(self, reader)
  self.last = self.last + 1
  self.line[self.last] = reader
  self.arrived:set()
end

-- Waits until the values were taken; gives false if there are none.
local function offer(self, reader, ...)
  if (...) == nil then return false end
  reader.values = table.pack(...)
  line_up(self, reader)
  while reader.values do wait_for(reader.room) end
  return true
end

local read_for_all = async(function(self, reader)
  local _ <close> = reader.at_end
  local source <close> = reader.source
  await(core.sleep(0))
  while offer(self, reader, source.pull()) do end
end, "stream")

local function start_all(self)
  self.started = true
  for _, reader in ipairs(self.readers) do
    reader.task = start(read_for_all(self, reader))
  end
end

local function next_in_line(self)
  while self.first > self.last do wait_for(self.arrived) end
  local reader = self.line[self.first]
  self.line[self.first] = nil
  self.first = self.first + 1
  return reader
end

local function pull_any(self)
  if not self.started then start_all(self) end
  while self.reading > 0 do
    local reader = next_in_line(self)
    local values = reader.values
    if values then
      reader.values = nil
      reader.room:set()
      return table.unpack(values, 1, values.n)
    end
    self.reading = self.reading - 1
    local task = reader.task
    reader.task = nil
    await(task)
  end
end

local function shut_merged(self, failures, err)
  local tasks = {}
  for i = #self.readers, 1, -1 do
    local reader = self.readers[i]
    tasks[#tasks + 1] = reader.task
    if not self.started then reader.source.shut(failures, err) end
  end
  cancel_all(tasks)
  finish(tasks, failures)
end

--- The values of several stages, as they come. Of each at most one value is taken ahead.
---@param sources lull.Stage[]
---@return lull.Stage
function M.merge(sources)
  local self = {
    readers = {},
    reading = #sources,
    line = {}, -- those with values, or at their end, from first to last
    first = 1,
    last = 0,
    started = false,
    arrived = core.event(),
  }
  for i, source in ipairs(sources) do
    local reader = {source = source, room = core.event(), values = nil, task = nil}
    reader.at_end = on_close(function() line_up(self, reader) end)
    self.readers[i] = reader
  end
  return stage.new(function() return pull_any(self) end,
    function(failures, err) shut_merged(self, failures, err) end)
end

return M
