-- The errors of lull.http, and which of them a failed transfer is.
local errors = require "lull.errors"

local M = {}

--- The base of all errors of lull.http but timeouts. `host` is the host and port spoken to, `phase`
--- what was being done: "resolve", "connect", "proxy", "tls", "request" or "response".
---@class lull.http.HTTPError: lull.Error
---@field url string?
---@field host string?
---@field phase string?
M.HTTPError = errors.Error:extend("HTTPError")

for _, name in ipairs {"HTTPStatusError", "ConnectError", "ProtocolError", "TLSError",
                       "TooManyRedirects", "BodyTooLarge", "InvalidURL"} do
  M[name] = M.HTTPError:extend(name)
end

-- Codes of libcurl, by what they mean here; any other is a broken protocol.
local RESOLVE = {[5] = true, [6] = true}
local TLS = {
  [35] = true, [53] = true, [54] = true, [58] = true, [59] = true, [60] = true, [64] = true,
  [66] = true, [77] = true, [80] = true, [82] = true, [83] = true, [90] = true, [91] = true,
  [98] = true,
}
-- The connection was lost, before the response or in its midst.
local LOST = {[18] = true, [52] = true, [55] = true, [56] = true, [65] = true}
local CONNECT, PROXY, TIMEOUT, MALFORMED, NO_MEMORY, ARGUMENT = 7, 97, 28, 3, 27, 43

-- The system's error numbers that say why there is no connection.
local REASONS = {
  [13] = {"EACCES", "permission denied"},
  [99] = {"EADDRNOTAVAIL", "the address is not available"},
  [101] = {"ENETUNREACH", "the network is unreachable"},
  [104] = {"ECONNRESET", "the connection was reset"},
  [110] = {"ETIMEDOUT", "the connection timed out"},
  [111] = {"ECONNREFUSED", "the connection was refused"},
  [113] = {"EHOSTUNREACH", "the host is unreachable"},
}

local TIMEOUTS = {
  connect = "no connection within %g s", read = "no byte came for %g s",
  total = "not done within %g s",
}

--- Makes the TimeoutError of a phase: "connect", "read" or "total".
function M.timeout(request, phase)
  local text = TIMEOUTS[phase]:format(request.timeouts[phase])
  return errors.TimeoutError(("%s: %s"):format(request.host, text),
    {phase = phase, url = request.url, host = request.host})
end

--- Makes an error of a class that says which host was spoken to, and in which phase.
function M.new(class, request, phase, text, fields)
  local err = class(("%s: %s"):format(request.host, text), fields)
  err.phase, err.url, err.host = phase, request.url, request.host
  return err
end

local new, timeout = M.new, M.timeout

local function connect_error(request, code, text, number, phase)
  local cause
  local reason = REASONS[number]
  if RESOLVE[code] then
    cause = errors.DNSError(text, {code = "EAI_NONAME", host = request.host})
  elseif reason then
    text = "cannot connect: " .. reason[2]
    cause = errors.ConnectionError(reason[2], {code = reason[1], address = request.host})
  end
  return new(M.ConnectError, request, phase, text, {cause = cause})
end

-- How transfers end that lull has ended.
local OWN = {
  connect = function(request) return timeout(request, "connect") end,
  total = function(request) return timeout(request, "total") end,
  read = function(request) return timeout(request, "read") end,
  ["body too large"] = function(request)
    return new(M.BodyTooLarge, request, "response",
      ("the body is larger than %d bytes (max_body)"):format(request.max_body))
  end,
  ["head too large"] = function(request)
    return new(M.ProtocolError, request, "response", "the header lines are larger than 256 KiB")
  end,
  ["no memory"] = function() return "not enough memory" end,
  lost = function(request)
    return new(M.ProtocolError, request, "response", "the connection was closed without an answer",
      {lost = true})
  end,
  ["two lengths"] = function(request)
    return new(M.ProtocolError, request, "response", "there are two lengths of the body")
  end,
  ["bad status"] = function(request)
    return new(M.ProtocolError, request, "response", "the status is none of HTTP's")
  end,
  ["bad head"] = function(request)
    return new(M.ProtocolError, request, "response", "a header line is malformed")
  end,
  ["bad encoding"] = function(request)
    return new(M.ProtocolError, request, "response",
      "the body is not packed as its Content-Encoding says, or breaks off")
  end,
  closed = function(request)
    return new(M.HTTPError, request, "response", "the response or its session was closed")
  end,
}

--- Makes the error of a transfer, out of what its failure() gives.
function M.of_transfer(request, how, code, text, number, proxy_status, connected)
  if OWN[how] then return OWN[how](request) end
  if code == TIMEOUT then return timeout(request, "connect") end
  if code == NO_MEMORY and connected then -- what libcurl says of a line it has no room for
    return new(M.ProtocolError, request, "response", "a header line is larger than 100 KiB")
  end
  if code == NO_MEMORY then return "not enough memory" end
  if code == ARGUMENT then text = "a header line is malformed" end
  if code == MALFORMED then return new(M.InvalidURL, request, nil, text) end
  if proxy_status >= 300 or code == PROXY then
    return connect_error(request, code, text, number, "proxy")
  end
  if TLS[code] then return new(M.TLSError, request, "tls", text) end
  if RESOLVE[code] then return connect_error(request, code, text, number, "resolve") end
  if code == CONNECT or not connected then
    return connect_error(request, code, text, number, "connect")
  end
  return new(M.ProtocolError, request, "response", text, {lost = LOST[code]})
end

--- Whether an error says that there was no connection, or that it was lost.
function M.is_connection_failure(err)
  if errors.is_instance(err, M.ConnectError) then return true end
  if errors.is_instance(err, M.ProtocolError) then return err.lost == true end
  return errors.is_instance(err, errors.TimeoutError) and err.phase == "connect"
end

return M
