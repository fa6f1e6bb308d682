-- The lines typed in earlier sessions, kept in the folder that the XDG Base Directory Specification
-- names for state. A line of the file is one entry: its newlines and backslashes are escaped. Each
-- entry is appended as it is typed, so sessions side by side lose nothing.
local fs = require "lull.fs"
local lull = require "lull"

local await = lull.await

local MOST = 5000 -- entries that are kept
local ONLY_OURS, EXECUTE = 448, 64 -- 0700, 0100

---@class lull.prompt.History
---@field entries string[] what earlier sessions left, the oldest first
---@field path string? nil if nothing can be kept
---@field problem string? why not
---@field last string? the entry that came last
local History = {}
History.__index = History

local escapes = {["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r"}
local unescapes = {["\\\\"] = "\\", ["\\n"] = "\n", ["\\r"] = "\r"}

local function escape(entry) return (entry:gsub("[\\\n\r]", escapes)) end

local function unescape(line) return (line:gsub("\\.", unescapes)) end

local function folder()
  local state, home = os.getenv("XDG_STATE_HOME"), os.getenv("HOME")
  if state and state:sub(1, 1) == "/" then return state .. "/lull" end
  return home and home ~= "" and home .. "/.local/state/lull"
end

local function read_entries(path)
  local ok, text = lull.try(await, fs.read_file(path))
  local entries = {}
  if ok then
    for line in text:gmatch("([^\n]+)\n") do entries[#entries + 1] = unescape(line) end
  end
  return entries
end

local function write_entries(path, entries)
  local lines = {}
  for i, entry in ipairs(entries) do lines[i] = escape(entry) .. "\n" end
  await(fs.write_file(path, table.concat(lines), {atomic = true}))
end

-- The file is left alone until it has twice as many entries as are kept.
local function load_entries(path)
  local entries = read_entries(path)
  if #entries <= MOST then return entries end
  local kept = table.move(entries, #entries - MOST + 1, #entries, 1, {})
  if #entries > 2 * MOST then write_entries(path, kept) end
  return kept
end

--- Adds a line, unless it is blank or came just before; whether it did.
---@param entry string
---@return boolean added
function History:add(entry)
  if not entry:find("%S") or entry == self.last then return false end
  self.last = entry
  local file = self.path and io.open(self.path, "a")
  if file then
    file:write(escape(entry), "\n")
    file:close()
  end
  return true
end

local M = {}

--- Reads what earlier sessions left.
---@async
---@return lull.prompt.History
function M.open()
  local self = setmetatable({entries = {}, path = nil, problem = nil, last = nil}, History)
  local state = folder()
  if not state then
    self.problem = "there is no home directory"
    return self
  end
  local path = state .. "/history"
  local ok, problem = lull.try(function()
    await(fs.mkdir(state, {parents = true, exist_ok = true, mode = ONLY_OURS}))
    await(fs.write_file(path, "", {append = true, mode = ONLY_OURS & ~EXECUTE}))
    self.entries = load_entries(path)
  end)
  if ok then
    self.path = path
    self.last = self.entries[#self.entries]
  else
    self.problem = tostring(problem)
  end
  return self
end

return M
