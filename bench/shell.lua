-- Running commands.

local M = {}

---@param text string
---@return string
function M.quote(text)
  if text:find("^[%w/._-]+$") then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Whether a command succeeds. What it prints is thrown away.
---@param command string
---@return boolean
function M.succeeds(command)
  return os.execute("(" .. command .. ") >/dev/null 2>&1") == true
end

--- All that a command prints, stderr too and without the last line end; and how it ended.
---@param command string
---@return string output, boolean ok, string how, integer code
function M.read(command)
  local pipe = assert(io.popen("(" .. command .. ") 2>&1"))
  local output = pipe:read("a"):gsub("\n$", "")
  local ok, how, code = pipe:close()
  return output, ok == true, how, code
end

--- Builds a file unless it is there and newer than its source.
---@param target string
---@param source string
---@param command string
---@return boolean ok, string? message
function M.build(target, source, command)
  local new, old = M.quote(target), M.quote(source)
  if M.succeeds("test " .. new .. " -nt " .. old) then return true end
  local output, ok = M.read("mkdir -p $(dirname " .. new .. ") && " .. command)
  return ok, not ok and output or nil
end

return M
