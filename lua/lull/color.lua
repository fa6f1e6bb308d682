-- lull.color: coloured and bold text, by the escape sequences of ECMA-48 that terminals know.
local check = require "lull.check"
local _, core = ...

local M = {}

local STDOUT = 1
local on -- whether there are colours; nil until somebody wants to know

local function is_set(name)
  local value = os.getenv(name)
  return value ~= nil and value ~= ""
end

local function wanted()
  if is_set("NO_COLOR") then return false end
  if is_set("FORCE_COLOR") then return true end
  return os.getenv("TERM") ~= "dumb" and core.is_terminal(STDOUT)
end

--- Whether text is coloured; sets that first, if it is given. Unless it was set, text is coloured
--- if standard output is a terminal that is not dumb. NO_COLOR in the environment, not empty, turns
--- colours off, else FORCE_COLOR on. Raises an argument error if the state is no boolean. After
--- no-color.org and force-color.org.
---@param state boolean? nil leaves it as it is
---@return boolean enabled
function M.enabled(state)
  check.type(1, "enabled", state, "boolean", true)
  if state ~= nil then on = state end
  if on == nil then on = wanted() end
  return on
end

local function to_text(name, ...)
  if select("#", ...) == 0 then check.fail(1, name, "value expected", 1) end
  return tostring((...))
end

--- Text, or what tostring makes of a value, without its escape sequences: colours, the others that
--- begin with CSI, and those that begin with OSC, such as links. Raises an argument error if there
--- is no value. After ECMA-48, 5.4 and 8.3.89.
---@param value any
---@return string text
function M.strip(...)
  local text = to_text("strip", ...)
  text = text:gsub("\27%][^\7\27]*\7", ""):gsub("\27%][^\7\27]*\27\\", "")
  return (text:gsub("\27%[[0-?]*[ -/]*[@-~]", ""))
end

-- Makes a style: a function that gives a value as text in that style, or plain where there are no
-- colours. Where something in the text ends the style, it is begun again.
---@return fun(value: any): string
local function style(name, first, last)
  local start, stop = ("\27[%dm"):format(first), ("\27[%dm"):format(last)
  local resumed = {}
  for _, ending in ipairs {stop, "\27[0m", "\27[m"} do resumed[ending] = ending .. start end
  return function(...)
    local text = to_text(name, ...)
    if text == "" or not M.enabled() then return text end
    return start .. text:gsub("\27%[%d*m", resumed) .. stop
  end
end

local COLORS = 39 -- what ends any of them
M.black = style("black", 30, COLORS)
M.red = style("red", 31, COLORS)
M.green = style("green", 32, COLORS)
M.yellow = style("yellow", 33, COLORS)
M.blue = style("blue", 34, COLORS)
M.magenta = style("magenta", 35, COLORS)
M.cyan = style("cyan", 36, COLORS)
M.white = style("white", 37, COLORS)
M.gray = style("gray", 90, COLORS)
M.bright_black = style("bright_black", 90, COLORS)
M.bright_red = style("bright_red", 91, COLORS)
M.bright_green = style("bright_green", 92, COLORS)
M.bright_yellow = style("bright_yellow", 93, COLORS)
M.bright_blue = style("bright_blue", 94, COLORS)
M.bright_magenta = style("bright_magenta", 95, COLORS)
M.bright_cyan = style("bright_cyan", 96, COLORS)
M.bright_white = style("bright_white", 97, COLORS)

local BACKGROUNDS = 49
M.on_black = style("on_black", 40, BACKGROUNDS)
M.on_red = style("on_red", 41, BACKGROUNDS)
M.on_green = style("on_green", 42, BACKGROUNDS)
M.on_yellow = style("on_yellow", 43, BACKGROUNDS)
M.on_blue = style("on_blue", 44, BACKGROUNDS)
M.on_magenta = style("on_magenta", 45, BACKGROUNDS)
M.on_cyan = style("on_cyan", 46, BACKGROUNDS)
M.on_white = style("on_white", 47, BACKGROUNDS)
M.on_gray = style("on_gray", 100, BACKGROUNDS)
M.on_bright_black = style("on_bright_black", 100, BACKGROUNDS)
M.on_bright_red = style("on_bright_red", 101, BACKGROUNDS)
M.on_bright_green = style("on_bright_green", 102, BACKGROUNDS)
M.on_bright_yellow = style("on_bright_yellow", 103, BACKGROUNDS)
M.on_bright_blue = style("on_bright_blue", 104, BACKGROUNDS)
M.on_bright_magenta = style("on_bright_magenta", 105, BACKGROUNDS)
M.on_bright_cyan = style("on_bright_cyan", 106, BACKGROUNDS)
M.on_bright_white = style("on_bright_white", 107, BACKGROUNDS)

local INTENSITY = 22
M.bold = style("bold", 1, INTENSITY)
M.dim = style("dim", 2, INTENSITY)
M.italic = style("italic", 3, 23)
M.underline = style("underline", 4, 24)
M.reverse = style("reverse", 7, 27)
M.strikethrough = style("strikethrough", 9, 29)

return M
