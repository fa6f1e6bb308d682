-- Open files. The descriptor and the position in the file are the C half's; reading ahead is
-- reading.lua's.
local check = require "lull.check"
local _, core = ...
local common = require "lull.fs.common"
local reading = require "lull.fs.reading"

local async, pcall = core.async, core.pcall
local binding = core.binding("fs")
local enter = binding.enter
local checked, forget, unread = reading.checked, reading.forget, reading.unread

local CLOSED = reading.CLOSED
local PERMISSIONS = 438 -- rw for all, less what the process's umask takes

--- An open file. Operations of several tasks run one after the other, each as a whole. Reading is
--- buffered, writing is not: what was written is the system's, and seen by whoever reads the file.
--- An operation that is cancelled is given up at once. A read loses nothing: what it would have
--- given is there for the next one. Of a write some may be written, from the beginning on, and
--- nothing later on; the position is then after that. A file that is not closed is closed when it
--- is collected. Pipes and terminals can be read and written, too, but not seeked in.
---@class lull.fs.File
---@field path string as it was opened
local File = {__name = "lull file"}
File.__index = File

local M = {}

-- Does something when it is this operation's turn.
local function in_turn(self, operation, ...)
  local _ <close> = enter(self.handle)
  if self.closed then error(CLOSED, 0) end
  return operation(self, ...)
end

-- ---- operations ---------------------------------------------------------------------------------

local function put(self, data)
  local at, ahead = binding.tell(self.handle), unread(self)
  if at and ahead > 0 then
    binding.move(self.handle, at - ahead)
    forget(self)
  end
  checked(self, binding.write(self.handle, data))
end

local function seek(self, whence, offset)
  local at, base = binding.tell(self.handle), 0
  if not at then common.fail("seek in", self.path, binding.ESPIPE) end
  local here = at - unread(self)
  if whence == "cur" then base = here end
  if whence == "end" then base = checked(self, binding.size(self.handle)) end
  local to = base + offset
  if to < 0 then common.fail("seek in", self.path, binding.EINVAL) end
  if to ~= here then
    binding.move(self.handle, to)
    forget(self)
  end
  return to
end

local function sync(self) checked(self, binding.sync(self.handle)) end

local function nothing() end

local function close_in_turn(self)
  local _ <close> = enter(self.handle)
  if self.closed then return end
  self.closed = true
  forget(self)
  checked({path = self.path}, binding.close(self.handle))
end

-- Whatever happens meanwhile, the file will be closed.
local function close(self)
  local ok, err = pcall(close_in_turn, self)
  if ok then return end
  self.closed = true
  binding.discard(self.handle)
  error(err, 0)
end

local start_read = async(in_turn, "file:read")
local start_write = async(function(self, data)
  in_turn(self, put, data)
  return self
end, "file:write")
local start_seek = async(in_turn, "file:seek")
local start_flush = async(function(self)
  in_turn(self, nothing)
  return self
end, "file:flush")
local start_sync = async(function(self)
  in_turn(self, sync)
  return self
end, "file:sync")
local start_close = async(close, "file:close")

-- ---- methods ------------------------------------------------------------------------------------

local function check_open(self, name)
  check.self(self, File, name, 1)
  if self.closed then error(CLOSED, 3) end
end

local FORMATS = {
  l = {reading.take_line, false},
  L = {reading.take_line, true},
  a = {reading.take_all},
}

-- Gives the function that reads a format, and its argument.
local function check_format(name, format)
  if format == nil then return reading.take_line, false end
  local n = type(format) == "number" and math.tointeger(format)
  if n and n >= 0 then return reading.take_bytes, n end
  local known = type(format) == "string" and FORMATS[format:gsub("^%*", "")]
  if known then return known[1], known[2] end
  check.fail(1, name, "invalid format: a number of bytes, \"l\", \"L\" or \"a\" expected", 1)
end

--- Reads as io's files do: so many bytes, fewer only at the end of the file; "l", a line without
--- its end; "L", a line with it; "a", the rest of the file. Raises OSError; argument errors; an
--- error if the file is closed. After file:read of io.
---@param format integer|"l"|"L"|"a"|nil "l" if left out
---@return lull.Coroutine coroutine awaits to a string, or to nil at the end; "a" gives "" there
function File:read(format)
  check_open(self, "read")
  return start_read(self, check_format("read", format))
end

--- For a loop over the lines from here on, or over what another format gives; each step waits if
--- need be. The file stays open. Raises what read does. After file:lines of io.
---@param format integer|"l"|"L"|nil "l" if left out
---@return async fun(): string?
function File:lines(format)
  check_open(self, "lines")
  local read, argument = check_format("lines", format)
  return function() return in_turn(self, read, argument) end
end

local function check_data(...)
  local n = select("#", ...)
  local list = {...}
  for i = 1, n do
    local kind = type(list[i])
    if kind == "number" then
      list[i] = tostring(list[i])
    elseif kind ~= "string" then
      check.type(i, "write", list[i], "string", false, 1)
    end
  end
  return n == 1 and list[1] or table.concat(list)
end

--- Writes strings and numbers, at the position or, in the modes "a" and "a+", at the end. What is
--- not in them yet, many small pieces, is quicker written at once. Raises OSError, such as ENOSPC,
--- when not everything could be written; argument errors; an error if the file is closed. After
--- file:write of io.
---@param ... string|number
---@return lull.Coroutine coroutine awaits to the file
function File:write(...)
  check_open(self, "write")
  return start_write(self, check_data(...))
end

local WHENCE = {set = true, cur = true, ["end"] = true}

--- Moves the position, and gives it. Raises OSError: ESPIPE where there is none, EINVAL if it would
--- be before the beginning; argument errors; an error if the file is closed. After file:seek of io.
---@param whence "set"|"cur"|"end"|nil from where: the beginning, the position (if left out), the
--- end
---@param offset integer? bytes; 0 if left out
---@return lull.Coroutine coroutine awaits to the position, in bytes from the beginning
function File:seek(whence, offset)
  check_open(self, "seek")
  if whence ~= nil and not WHENCE[whence] then
    check.fail(1, "seek", "\"set\", \"cur\" or \"end\" expected, got " .. check.show(whence))
  end
  check.type(2, "seek", offset, "number", true)
  local bytes = math.tointeger(offset or 0)
  if not bytes then check.fail(2, "seek", "number has no integer representation") end
  return start_seek(self, seek, whence or "cur", bytes)
end

--- Waits until the operations that began before are done. There is nothing to write: see File.
--- Raises an error if the file is closed. After file:flush of io.
---@return lull.Coroutine coroutine awaits to the file
function File:flush()
  check_open(self, "flush")
  return start_flush(self)
end

--- Waits until what was written is on the disk. Raises OSError; an error if the file is closed.
--- After os.fsync of Python.
---@return lull.Coroutine coroutine awaits to the file
function File:sync()
  check_open(self, "sync")
  return start_sync(self)
end

--- Closes the file, once the operations that began before are done; a file that is closed stays so.
--- A `<close>` variable does the same. It is closed even if the task is cancelled while it waits
--- for that. Raises OSError. After file:close of io.
---@return lull.Coroutine
function File:close()
  check.self(self, File, "close")
  return start_close(self)
end

function File:__close() close(self) end

function File:__tostring()
  return ("file (%s)"):format(self.closed and "closed" or self.path)
end

-- ---- opening ------------------------------------------------------------------------------------

--- Makes a file of what the C half has opened.
function M.wrap(handle, path)
  return setmetatable({
    handle = handle,
    path = path,
    closed = false,
    parts = {},
    buffer = "",
    first = 1,
  }, File)
end

--- Opens a file, with permissions for one that is made. What would have to wait, such as a FIFO
--- until somebody reads it, is tried again and again.
function M.open(path, mode, permissions)
  local handle, number, what = binding.open(path, mode, permissions or PERMISSIONS, false)
  while number == binding.EAGAIN do
    handle, number, what = binding.open(path, mode, permissions or PERMISSIONS, true)
  end
  if not handle then common.fail(what, path, number) end
  return M.wrap(handle, path)
end

--- For the other parts of lull.fs, which have a file for themselves: the rest of it; writing to it.
M.take_all, M.put = reading.take_all, put

return M
