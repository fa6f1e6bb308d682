-- Runs Lua code in a process of its own: what a script prints, warns of and exits with.
local M = {}

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  assert(file:close())
end

--- Runs code in the host, with options such as "--virtual-clock"; gives its output, with what went
--- to stderr, and the exit code. The script's name is shown as "script.lua".
function M.run(code, options)
  local path = os.tmpname()
  write(path, code)
  local command = ("timeout 60 %s %s %s 2>&1"):format(assert(os.getenv("LULL")),
    options or "--virtual-clock", path)
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  local _, _, status = pipe:close()
  os.remove(path)
  return (output:gsub(path:gsub("%p", "%%%0"), "script.lua")), status
end

return M
