-- What the parts of lull.fs share: how they fail, and what paths may be.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local binding = core.binding("fs")
local describe, is_path = binding.describe, binding.is_path

local M = {}

--- Raises the OSError of a number that the C half gave: "cannot open 'x': no such file".
function M.fail(what, path, number, target)
  local code, text = describe(number)
  local name = target and ("'%s' to '%s'"):format(path, target) or ("'%s'"):format(path)
  local message = ("cannot %s %s: %s"):format(what, name, text)
  error(errors.OSError(message, {code = code, path = path}), 0)
end

--- Gives the first result of the C half, or raises its error.
function M.checked(path, value, number, what)
  if not value then M.fail(what, path, number) end
  return value
end

--- The argument must be a path; a zero in it would end it for the system.
function M.check_path(index, name, path)
  if is_path(path) then return end
  check.type(index, name, path, "string", false, 1)
  check.fail(index, name, "a path has no zeros in it", 1)
end

--- The option, if it is there, must be a boolean.
function M.check_flag(index, name, options, key)
  if options[key] == nil or type(options[key]) == "boolean" then return end
  check.fail(index, name, ("option '%s' must be a boolean"):format(key), 1)
end

--- Gives the permission bits in the option `mode`, or others if it is not there.
function M.check_mode(index, name, options, default)
  local mode = options.mode
  if mode == nil then return default end
  if math.type(mode) ~= "integer" or mode < 0 or mode > 4095 then
    check.fail(index, name, "option 'mode' must be permission bits, such as 0x1A4 (rw-r--r--)", 1)
  end
  return mode
end

--- The path of an entry of a directory.
function M.join(dir, name)
  return (dir:sub(-1) == "/" and dir or dir .. "/") .. name
end

return M
