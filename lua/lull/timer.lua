-- lull.timer: how long something takes, said in words. After codetiming's Timer.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local M = {}

--- Raised when a timer is started twice, or stopped and not running.
---@type lull.Error
M.TimerError = errors.Error:extend("TimerError")

--- A stopwatch. After codetiming.Timer.
---@class lull.Timer
---@field name string?
---@field last number? seconds, once stopped
local Timer = {__name = "lull timer"}
Timer.__index = Timer

--- Starts the timer; gives the timer, so that `local t <close> = timer.new{...}:start()` works.
--- Raises TimerError if it is running.
---@return lull.Timer
function Timer:start()
  check.self(self, Timer, "start")
  if self.started then
    error(M.TimerError("the timer is running: use :stop() first"), 0)
  end
  self.started = core.now()
  return self
end

-- Puts values in the places of a text: {} and {:.1f} stand for the seconds, {name}, {seconds:.2f},
-- {milliseconds:.0f} and {minutes:.1f} for what they say.
local function fill(text, seconds, name)
  local values = {
    [""] = seconds,
    name = name or "",
    seconds = seconds,
    milliseconds = seconds * 1e3,
    minutes = seconds / 60,
  }
  return (text:gsub("{(%a*)(:?)([^{}]*)}", function(key, colon, spec)
    local value = values[key]
    if value == nil or colon == "" and spec ~= "" then return nil end
    if spec == "" then return tostring(value) end
    return ("%" .. spec):format(value)
  end))
end

--- Stops the timer, prints its text and gives the seconds. Raises TimerError if it is not running.
---@return number seconds
function Timer:stop()
  check.self(self, Timer, "stop")
  if not self.started then
    error(M.TimerError("the timer is not running: use :start() first"), 0)
  end
  self.last = core.now() - self.started
  self.started = nil
  if self.text then print(fill(self.text, self.last, self.name)) end
  return self.last
end

function Timer:__close()
  if self.started then self:stop() end
end

--- Makes a timer. `text` is what stop prints, false for nothing: {} and {:.1f} in it stand for the
--- seconds, {name}, {seconds}, {milliseconds} and {minutes} for what they say. Raises argument
--- errors. After codetiming.Timer.
---@param options {text: string|false?, name: string?}?
---@return lull.Timer
function M.new(options)
  options = check.options(1, "new", options, {text = true, name = true})
  local text = options.text
  if text == nil then text = "Elapsed time: {:.1f} seconds" end
  if text ~= false and type(text) ~= "string" then
    check.fail(1, "new", "option 'text' must be a string or false")
  end
  if options.name ~= nil and type(options.name) ~= "string" then
    check.fail(1, "new", "option 'name' must be a string")
  end
  if text and not pcall(fill, text, 0, options.name) then
    check.fail(1, "new", "option 'text' has a format that string.format does not take")
  end
  return setmetatable({text = text, name = options.name, started = nil, last = nil}, Timer)
end

return M
