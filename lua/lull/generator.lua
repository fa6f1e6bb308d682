-- Async generators. The body runs as a coroutine of whoever takes its values, and may await.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local create, resume, status, co_yield = coroutine.create, coroutine.resume, coroutine.status,
  coroutine.yield
local pcall = core.pcall

local GeneratorExit = errors.CancelledError:extend("GeneratorExit")

--- What a generator function gives: an iterator for a `for` loop, which closes it at its end.
---@class lull.Generator
local Generator = {__name = "lull generator"}
Generator.__index = Generator

local function check_idle(self)
  if self.co and status(self.co) ~= "suspended" and status(self.co) ~= "dead" then
    error("the generator is running already", 3)
  end
end

local function after(self, ok, ...)
  if status(self.co) == "dead" then
    self.co = false
    self.done = true
  end
  if not ok then error((...), 0) end
  if self.done then return nil end
  return ...
end

-- Runs in the body's coroutine: a protected call, so that its to-be-closed variables may await.
local function run(self, body, ...)
  local ok, err = pcall(body, self.yield, ...)
  if not ok and err ~= self.exit then error(err, 0) end
end

--- Runs the body to its next yield. Raises the body's errors, and an error if it runs already.
---@async
---@return any ... what was yielded; nil when the body has ended
function Generator:__call()
  if self.done then return nil end
  check_idle(self)
  if not self.co then
    self.co = create(run)
    return after(self, resume(self.co, self, self.body, table.unpack(self.args, 1, self.args.n)))
  end
  return after(self, resume(self.co))
end

--- Ends the generator where it stands: its to-be-closed variables are closed, which may await. A
--- `for` loop does it when it is left. Raises errors of that cleanup, and an error if the generator
--- runs, or yields instead of ending. After aclose of Python's asynchronous generators.
---@async
function Generator:close()
  check.self(self, Generator, "close")
  if self.done then return end
  check_idle(self)
  self.done = true
  if not self.co then return end
  self.exit = GeneratorExit("the generator was closed")
  local ok, err = resume(self.co)
  if ok and self.co and status(self.co) ~= "dead" then
    error("the generator yielded while it was being closed", 2)
  end
  self.co = false
  if not ok then error(err, 0) end
end

function Generator:__close() self:close() end

function Generator:__tostring()
  return ("generator (%s)"):format(self.done and "done" or self.co and "suspended" or "new")
end

local function start(body, ...)
  local self = setmetatable({
    body = body,
    args = table.pack(...),
    co = false,
    done = false,
    exit = nil,
    yield = false,
  }, Generator)
  local function resumed(...)
    if self.exit then error(self.exit, 0) end
    return ...
  end
  self.yield = function(...)
    if coroutine.running() ~= self.co then
      error("yield was called outside its generator's body", 2)
    end
    if (...) == nil then error("a generator cannot yield nil: it would end the loop", 2) end
    return resumed(co_yield(...))
  end
  return self, nil, nil, self
end

--- Makes a generator function out of one that takes `yield` and the arguments:
--- `local count = lull.generator(function(yield, n) for i = 1, n do yield(i) end end)`, then
--- `for i in count(3) do ... end`. Body and loop may await; leaving the loop early runs the body's
--- cleanup. yield raises an error if it is given nil, or called outside the body. Raises an
--- argument error if the body is no function. After Python's asynchronous generators.
---@param body fun(yield: fun(...), ...) called with yield and the generator function's arguments
---@return fun(...): lull.Generator generator the rest of what a `for` takes follows
local function generator(body)
  check.type(1, "generator", body, "function")
  return function(...) return start(body, ...) end
end

return generator
