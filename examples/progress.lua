-- Not an example: the progress bar of those that take their time. It is drawn on stderr, and only
-- where that is a terminal.
local M = {}

local WIDTH = 40 -- characters

local Bar = {}
Bar.__index = Bar

--- Makes a bar that wipes itself away when it is closed.
function M.new()
  return setmetatable({visible = os.execute("test -t 2") == true}, Bar)
end

--- Shows how much is done, of how much there is.
function Bar:update(done, total)
  if not self.visible then return end
  local full = WIDTH * done // total
  io.stderr:write(("\r[%s%s] %d/%d\27[K"):format(
    ("#"):rep(full), (" "):rep(WIDTH - full), done, total))
end

function Bar:__close()
  if self.visible then io.stderr:write("\r\27[K") end
end

return M
