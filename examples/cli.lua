-- Not an example: what those that use the network share. It reads their options, and tells a
-- failure in one line, as the user of a program wants it.
local lull = require "lull"

local M = {}

local name = arg[0]:match("([^/]*)%.lua$") or arg[0]

--- Says what went wrong and ends the script; tasks that still run are cancelled first.
function M.fail(message)
  io.stderr:write(("%s: %s\n"):format(name, message))
  os.exit(1, true)
end

-- The comment at the top of the script.
local function help()
  local lines = {}
  for line in io.lines(arg[0]) do
    local text = line:match("^%-%- ?(.*)")
    if not text then break end
    lines[#lines + 1] = text
  end
  return table.concat(lines, "\n")
end

local function convert(option, value, default)
  if not value then M.fail(option .. " needs a value") end
  if type(default) ~= "number" then return value end
  local count = math.tointeger(tonumber(value))
  if not count or count < 1 then M.fail(option .. " needs a whole number, 1 at least") end
  return count
end

--- Reads the command line: `--to there` becomes the field `to`. Options that are not given are as
--- in the table of defaults, which names all there are; false stands for "none". What is not an
--- option is in the list part. `--help` shows the comment at the top of the script.
function M.options(defaults)
  local options = {}
  for key, default in pairs(defaults) do options[key] = default end
  local i = 1
  while arg[i] do
    local key = arg[i]:match("^%-%-(%a+)$")
    if key == "help" then
      print(help())
      os.exit(0, true)
    elseif key and defaults[key] ~= nil then
      options[key] = convert(arg[i], arg[i + 1], defaults[key])
      i = i + 1
    elseif arg[i]:find("^%-") then
      M.fail("unknown option " .. arg[i] .. " (--help lists them)")
    else
      options[#options + 1] = arg[i]
    end
    i = i + 1
  end
  return options
end

--- Runs the main function's coroutine object. Failures that the world is to blame for, such as a
--- server that is down, are error objects: they are told in one line. Anything else is a mistake in
--- the script, and goes on as it is, to be shown with its traceback.
function M.run(main)
  local ok, err = lull.try(lull.run, main)
  if ok then return end
  if not lull.is_error(err) then error(err, 0) end
  while err.errors do err = err.errors[1] end -- of a group that failed in several places
  M.fail(err.message)
end

return M
