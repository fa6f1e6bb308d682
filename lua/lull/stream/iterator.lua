-- The iterator a stream gives to a `for` loop. A step that fails closes the stream at once, for who
-- steps by hand may not.
local check = require "lull.check"

--- A stream's values step by step: what iter gives.
---@class lull.StreamIterator
local Iterator = {__name = "lull stream iterator"}
Iterator.__index = Iterator

local function finish(self, err)
  local stage = self.stage
  self.stage, self.running = nil, false
  if stage then stage:__close(err) end
end

local function stepped(self, ...)
  self.running = false
  if (...) == nil then finish(self) end
  return ...
end

local function check_idle(self)
  if self.running then error("the stream is being read already", 3) end
end

--- The next value. Raises what the stream does, which is at its end then, and an error if another
--- step is under way.
---@async
---@return any ... the value's parts; nil at the end
function Iterator:__call()
  check_idle(self)
  if not self.stage then return nil end
  self.running = true
  local _ <close> = self.guard
  return stepped(self, self.stage.pull())
end

--- Closes the stream where it stands. A `for` loop does it when it is left. Raises what fails then,
--- and an error if a step is under way.
---@async
function Iterator:close()
  check.self(self, Iterator, "close")
  check_idle(self)
  finish(self)
end

function Iterator:__close(err)
  check_idle(self)
  finish(self, err)
end

function Iterator:__tostring()
  return ("stream iterator (%s)"):format(self.stage and "open" or "done")
end

local M = {}

--- An iterator over the values of a stage.
function M.new(stage)
  local self = setmetatable({stage = stage, running = false, guard = false}, Iterator)
  self.guard = setmetatable({}, {__close = function(_, err)
    if self.running then finish(self, err) end
  end})
  return self
end

--- Whether a value is an iterator that is neither through nor in use.
function M.is_open(value)
  return check.is(value, Iterator) and value.stage ~= nil and not value.running
end

--- Takes its stage from an iterator, which is through then.
function M.take_stage(self)
  local stage = self.stage
  self.stage = nil
  return stage
end

return M
