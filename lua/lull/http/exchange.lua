-- One request and its response.
local _, core = ...
local headers = require "lull.http.headers"
local http_errors = require "lull.http.errors"
local responses = require "lull.http.response"
local start_sending = require("lull.http.sending").start

local pcall = core.pcall

-- The lines of the request's headers, with cookies and credentials that are for this host only; nil
-- if they are those that the pool has.
local function lines_for(session, request, first)
  local jar = session.jar
  local cookie = jar and jar.used and jar:header(request)
  local mine = request.origin == first
  local bearer = mine and request.auth and request.auth.bearer
  if mine and not cookie and not bearer then return request.lines end
  local merged = {}
  for key, header in next, request.headers do merged[key] = header end
  if not mine then
    merged.authorization, merged.cookie, merged["proxy-authorization"] = nil, nil, nil
    merged.host = nil
  end
  if bearer and not merged.authorization then
    merged.authorization = {"Authorization", "Bearer " .. bearer}
  end
  if cookie then
    local own = merged.cookie and merged.cookie[2]
    if type(own) == "table" then own = table.concat(own, "; ") end
    if own ~= false then merged.cookie = {"Cookie", own and own .. "; " .. cookie or cookie} end
  end
  return headers.lines(merged)
end

local function credentials(request, first)
  if request.user then return request.user, request.password or "" end
  local auth = request.origin == first and request.auth
  if auth and auth[1] then return auth[1], auth[2] end
end

-- Calls start or exchange of the pool.
local function start(session, request, first, method)
  local user, password = credentials(request, first)
  local timeouts, source = request.timeouts, request.source
  local most = request.max_body
  if request.stream then most = request.max_stream end
  return method(session.pool, request.method, request.url, lines_for(session, request, first),
    source and true or request.body, source and source.size, request.deadline, timeouts.read,
    timeouts.connect, most, request.stream, user, password)
end

local function fail_with(request, transfer)
  local err = request.failure or http_errors.of_transfer(request, transfer:failure())
  transfer:close()
  error(err, 0)
end

-- The response that exchange has given; and whether it sets cookies.
local function exchanged(request, status, head, version, elapsed, bytes, sets_cookies)
  if not status then fail_with(request, head) end -- is the transfer then
  return responses.new(request, status, head, version, elapsed, bytes), sets_cookies
end

local function receive(request, transfer)
  if request.stream then
    local status, head, version, elapsed, sets_cookies = transfer:head()
    if not status then fail_with(request, transfer) end
    return responses.new(request, status, head, version, elapsed, nil, transfer), sets_cookies
  end
  local status, head, version, elapsed, bytes, sets_cookies = transfer:finish()
  if not status then fail_with(request, transfer) end
  return responses.new(request, status, head, version, elapsed, bytes), sets_cookies
end

-- If the response is a stream, the rest of the body goes on being sent while it is read.
local function send_and_receive(session, request, first)
  local transfer = start(session, request, first, session.pool.start)
  if not request.source then return receive(request, transfer) end
  local sending = start_sending(request, transfer)
  local ok, result, sets_cookies = pcall(receive, request, transfer)
  if ok and result._transfer then
    result._sending = sending:guard()
    return result, sets_cookies
  end
  sending:stop()
  if not ok then error(result, 0) end
  return result, sets_cookies
end

local function respond(session, request, first)
  local jar, pool = session.jar, session.pool
  if request.is_plain and not (jar and jar.used) then
    return exchanged(request, pool:exchange(request.method, request.url))
  elseif request.source or request.stream then
    return send_and_receive(session, request, first)
  end
  return exchanged(request, start(session, request, first, pool.exchange))
end

-- Sends the request and gives the response. Raises the errors of lull.http.
local function exchange(session, request, first)
  if session.closed then
    error(http_errors.new(http_errors.HTTPError, request, "request", "the session was closed"), 0)
  end
  local response, sets_cookies = respond(session, request, first)
  if sets_cookies and session.jar then
    for _, line in ipairs(response.headers:get_all("set-cookie")) do
      session.jar:set(line, request)
    end
  end
  return response
end

return exchange
