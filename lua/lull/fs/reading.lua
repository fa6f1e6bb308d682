-- Reading open files: what was read ahead is kept here, so that an operation that is cancelled
-- loses nothing. First come the `parts`, whole, which are more than none only in the midst of a
-- read, or after one that was cancelled; then the `buffer` from `first` on.
local _, core = ...
local common = require "lull.fs.common"

local binding = core.binding("fs")
local concat, find, sub = table.concat, string.find, string.sub

local LEAST, MOST = 65536, 1048576 -- bytes read at a time

local M = {CLOSED = "attempt to use a closed file"}

--- Gives the first result of the C half, or raises its error.
function M.checked(self, value, number, what)
  if value then return value end
  if self.closed then error(M.CLOSED, 0) end
  common.fail(what, self.path, number)
end

local checked = M.checked

--- How many bytes were read ahead.
function M.unread(self)
  local size = #self.buffer - self.first + 1
  for _, part in ipairs(self.parts) do size = size + #part end
  return size
end

--- Drops what was read ahead.
function M.forget(self)
  self.parts, self.buffer, self.first = {}, "", 1
end

-- Puts together what an interrupted read has left.
local function tidy(self)
  if #self.parts == 0 then return end
  self.parts[#self.parts + 1] = sub(self.buffer, self.first)
  self.parts, self.buffer, self.first = {}, concat(self.parts), 1
end

-- Reads on, about as much as is wanted; false at the end of the file.
local function more(self, wanted)
  local size = math.max(LEAST, math.min(wanted, MOST))
  local piece = checked(self, binding.read(self.handle, size))
  if piece == "" then return false end
  if self.first <= #self.buffer then
    self.parts[#self.parts + 1] = self.first == 1 and self.buffer or sub(self.buffer, self.first)
  end
  self.buffer, self.first = piece, 1
  return true
end

-- Takes the parts, and the buffer up to a place. What is skipped after it is not given.
local function take(self, last, skipped)
  local text = sub(self.buffer, self.first, last)
  self.first = last + skipped + 1
  if self.first > #self.buffer then self.buffer, self.first = "", 1 end
  if #self.parts == 0 then return text end
  self.parts[#self.parts + 1] = text
  text = concat(self.parts)
  self.parts = {}
  return text
end

--- Gives the next line; nil at the end.
function M.take_line(self, keeps_end)
  tidy(self)
  local stop = find(self.buffer, "\n", self.first, true)
  while not stop do
    if not more(self, LEAST) then
      local rest = take(self, #self.buffer, 0)
      return rest ~= "" and rest or nil
    end
    stop = find(self.buffer, "\n", 1, true)
  end
  return take(self, keeps_end and stop or stop - 1, keeps_end and 0 or 1)
end

--- Gives n bytes, or what is left; nil at the end.
function M.take_bytes(self, n)
  tidy(self)
  local before, here = 0, #self.buffer - self.first + 1
  while before + here < math.max(n, 1) do
    if not more(self, n - before - here) then break end
    before, here = before + here, #self.buffer
  end
  if before + here == 0 then return nil end
  return take(self, self.first + math.min(n - before, here) - 1, 0)
end

--- Gives the rest.
function M.take_all(self)
  tidy(self)
  if not binding.tell(self.handle) then
    repeat until not more(self, MOST)
    return take(self, #self.buffer, 0)
  end
  local rest = checked(self, binding.read_all(self.handle))
  local before = take(self, #self.buffer, 0)
  return before == "" and rest or before .. rest
end

return M
