-- The response to a request: its head, and the body, which may still be on its way.
local check = require "lull.check"
local _, core = ...
local headers = require "lull.http.headers"
local http_errors = require "lull.http.errors"
local native = core.binding "http"

local async, await = core.async, core.await
local setmetatable = setmetatable

--- What a request gives.
---@class lull.http.Response
---@field status integer
---@field reason string the text after the status; "" in HTTP/2
---@field ok boolean whether the status is below 400
---@field headers lull.http.Headers
---@field url string where the response came from, after redirects
---@field http_version string "1.0", "1.1" or "2"
---@field history lull.http.Response[] the redirects that led here
---@field elapsed number seconds, until the body was there; of a stream, until the head was
local Response = {__name = "lull http response"}

local methods = {}

local VERSIONS = {[10] = "1.0", [11] = "1.1", [20] = "2", [30] = "3"}

-- What is worked out when it is asked for first.
local lazy = {
  headers = function(self) return headers.new(self._head) end,
  history = function() return {} end,
  http_version = function(self) return VERSIONS[self._version] end,
  ok = function(self) return self.status < 400 end,
  reason = function(self) return self._head:match("^%S+ %d+ ([^\r\n]*)") or "" end,
}

Response.__methods, Response.__properties = methods, lazy -- for completion

function Response:__index(key)
  local method = methods[key]
  if method then return method end
  if not lazy[key] then return nil end
  local value = lazy[key](self)
  self[key] = value
  return value
end

function Response:__tostring()
  return ("http response (%d %s)"):format(self.status, self.url)
end

-- ---- the body ----

local function raise_failure(self)
  local transfer = self._transfer
  local how, code, text, number, proxy_status, connected = transfer:failure()
  self._transfer = nil
  transfer:close()
  if how then
    self._failed = self._request.failure
      or http_errors.of_transfer(self._request, how, code, text, number, proxy_status, connected)
    error(self._failed, 0)
  end
end

-- The next piece of the body, or nil at its end.
local function read(self)
  if self._failed then error(self._failed, 0) end
  local piece = self._transfer and self._transfer:read()
  if piece then return piece end
  if self._closed then error("the response is closed", 0) end -- perhaps meanwhile: not the end
  if self._transfer then raise_failure(self) end
  return nil
end

local function check_unread(self)
  if self._closed then error("the response is closed", 0) end
  if self._taken then error("the body was read already, piece by piece", 0) end
end

-- All of the body; what was read of it stays if the task is cancelled meanwhile.
local function body_of(self)
  if self._body then return self._body end
  check_unread(self)
  local pieces, size = self._pieces or {}, self._size or 0
  self._pieces = pieces
  for piece in read, self do
    pieces[#pieces + 1] = piece
    size = size + #piece
    self._size = size
    if size > self._request.max_body then
      self:close()
      error(http_errors.new(http_errors.BodyTooLarge, self._request, "response",
        ("the body is larger than %d bytes (max_body)"):format(self._request.max_body)), 0)
    end
  end
  self._body = table.concat(pieces)
  self._pieces = nil
  return self._body
end

local read_bytes = async(body_of)

local read_text = async(function(self)
  return native.text(body_of(self), self._head)
end)

local read_json = async(function(self)
  return require("lull.json").decode(await(read_text(self)))
end)

--- Gives the body, as it came (less the compression). It can be asked for again. Raises
--- BodyTooLarge, ProtocolError or TimeoutError if the rest of the body does not come.
---@async
---@return string
function methods:bytes()
  check.self(self, Response, "bytes")
  return read_bytes(self)
end

--- Gives the body as UTF-8: what Content-Type names another character set for is converted, bytes
--- that are none become U+FFFD, and a byte order mark is dropped. Raises as bytes does.
---@async
---@return string
function methods:text()
  check.self(self, Response, "text")
  return read_text(self)
end

--- Gives what the body says in JSON. Raises lull.json's JSONError, and as bytes does.
---@async
---@return any
function methods:json()
  check.self(self, Response, "json")
  return read_json(self)
end

-- What a `for` closes when it is left early.
local function closing(self)
  return setmetatable({}, {__close = function()
    if self._transfer then self:close() end
  end})
end

--- Iterates over the body in pieces as they come. Leaving the loop early closes the response. A
--- body that is in memory already is one piece. Raises as bytes does.
---@async
---@return fun(): string?
function methods:chunks()
  check.self(self, Response, "chunks")
  if self._body then
    local body = self._body
    return function()
      local piece = body ~= "" and body or nil
      body = ""
      return piece
    end
  end
  check_unread(self)
  self._taken = true
  return function() return read(self) end, nil, nil, closing(self)
end

--- Iterates over the lines of the body, without their ends (LF or CR LF). Leaving the loop early
--- closes the response. Raises as bytes does, and ProtocolError at a line longer than 1 MiB.
---@async
---@return fun(): string?
function methods:lines()
  check.self(self, Response, "lines")
  local next_piece, _, _, guard = self:chunks()
  local rest, from = "", 1
  local function next_line()
    while true do
      local at = rest:find("\n", from, true)
      if at then
        local line = rest:sub(from, at - 1):gsub("\r$", "")
        from = at + 1
        return line
      end
      rest, from = rest:sub(from), 1
      if #rest > 1024 * 1024 then
        self:close()
        error(http_errors.new(http_errors.ProtocolError, self._request, "response",
          "a line of the body is longer than 1 MiB"), 0)
      end
      local piece = next_piece()
      if not piece then break end
      rest = rest .. piece
    end
    if rest == "" then return nil end
    local line = rest:gsub("\r$", "")
    rest = ""
    return line
  end
  return next_line, nil, nil, guard
end

-- ---- saving ----

local save = async(function(self, path, progress)
  require("lull.http.saving").save(self, path, progress)
end)

--- Writes the body to a file. The path has the old file, or the whole new one, never a part. Raises
--- OSError, and as bytes does.
---@async
---@param path string
---@param options {progress: fun(done: integer, total: integer?)?}? called after each piece, with
--- bytes so far and in all, if the server says
function methods:save(path, options)
  check.self(self, Response, "save")
  check.type(1, "save", path, "string")
  if path:find("\0", 1, true) then check.fail(1, "save", "a path has no zeros in it") end
  options = check.options(2, "save", options, {progress = true})
  if options.progress ~= nil then check.type(2, "save", options.progress, "function") end
  return save(self, path, options.progress)
end

-- ---- the rest ----

--- Gives the response, if its status is below 400; otherwise raises HTTPStatusError, which has
--- `status` and `response`.
---@return lull.http.Response
function methods:raise_for_status()
  check.self(self, Response, "raise_for_status")
  if self.status < 400 then return self end
  local reason = self.reason ~= "" and " " .. self.reason or ""
  local err = http_errors.HTTPStatusError(
    ("%d%s: %s %s"):format(self.status, reason, self._request.method, self.url),
    {status = self.status, response = self, url = self.url, host = self._request.host})
  error(err, 0)
end

--- Gives up what has not been read of the body, and its connection. Harmless when nothing is left.
function methods:close()
  check.self(self, Response, "close")
  local transfer = self._transfer
  self._transfer = nil
  if not self._body then self._closed = true end
  if self._sending then self._sending.sending:cancel() end
  if transfer then transfer:close() end
end

Response.__close = methods.close

local M = {}

--- Makes the response to a request; body or transfer is nil.
function M.new(request, status, head, version, elapsed, body, transfer)
  return setmetatable({
    status = status, url = request.url, elapsed = elapsed, _head = head, _version = version,
    _body = body, _transfer = transfer, _request = request,
  }, Response)
end

return M
