-- Sending the body of a request piece by piece, in a task of its own: the response may begin before
-- all is sent, and who reads it may be who gives the rest.
local wait = require("lull.wait").wait
local _, core = ...

local await, pcall = core.await, core.pcall

local Sending = {}
Sending.__index = Sending

-- Only what waits for the next piece is cancelled: all else ends by itself, with its cleanup.
local function next_piece(self, source)
  self.waits = true
  local piece = source.next()
  self.waits = false
  return piece
end

-- No more than was announced, and no less: the server would take what follows for the body.
local function send_pieces(self, source, transfer)
  local left = source.size or math.huge
  while transfer:room() do
    local piece = left > 0 and next_piece(self, source) or nil
    if piece and #piece > left then piece = piece:sub(1, left) end
    if not piece and 0 < left and left < math.huge then
      error(("the body ended %d bytes before its length"):format(left), 0)
    end
    transfer:feed(piece)
    if not piece then return end
    left = left - #piece
  end
end

local send = core.async(function(self, request, transfer)
  local source <close> = request.source
  local ok, err = pcall(send_pieces, self, source, transfer)
  self.waits = false
  if ok then return end
  request.failure = err
  transfer:abort()
end)

--- Ends it. The transfer is given up if it has not ended.
function Sending:cancel()
  self.transfer:abort()
  if not self.waits then return end
  self.waits = false
  self.task:cancel()
end

--- Ends it, and waits until it has ended.
function Sending:stop()
  self:cancel()
  if not self.task:done() then await(wait {self.task}) end
end

local Guard = {__gc = function(self) pcall(self.sending.cancel, self.sending) end}

--- Has it end when the response is collected.
function Sending:guard()
  return setmetatable({sending = self}, Guard)
end

--- Begins to send the body of a request.
local function start(request, transfer)
  request.failure = nil
  local self = setmetatable({transfer = transfer, task = nil, waits = false}, Sending)
  self.task = core.create_task(send(self, request, transfer))
  return self
end

return {start = start}
