-- A request to its end: tried again where that may help, and followed where it is redirected to.
local _, core = ...
local body = require "lull.http.body"
local exchange = require "lull.http.exchange"
local headers = require "lull.http.headers"
local http_errors = require "lull.http.errors"
local locating = require "lull.http.locate"
local native = core.binding "http"

local async, await, pcall = core.async, core.await, core.pcall
local add_query, locate = locating.add_query, locating.locate

-- Closes a response that is not the last one; its request may be sent again.
local function discard(response)
  local guard = response._sending
  response:close()
  if guard then guard.sending:stop() end
end

-- ---- retries ----

local IDEMPOTENT = {GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true}
local BUSY = {[429] = true, [503] = true}
local FIRST_PAUSE, LONGEST_PAUSE = 0.2, 60 -- seconds

local function may_retry(request, attempt)
  return attempt < request.retries and IDEMPOTENT[request.method]
    and (not request.source or request.source.rewind)
end

-- How long to wait before the next try: what the server says (RFC 9110, section 10.2.3), or twice
-- as long as the last time, less up to half of it, so that clients do not come all at once.
local function pause_for(attempt, response)
  local after = response and response.headers:get("retry-after") or ""
  local date = native.date(after)
  local seconds = after:find("^%d+$") and tonumber(after) or date and date - os.time()
  if seconds then return math.max(seconds, 0) end
  local longest = math.min(FIRST_PAUSE * 2 ^ attempt, LONGEST_PAUSE)
  return longest * (0.5 + 0.5 * math.random())
end

local function pause(request, attempt, response)
  local seconds = pause_for(attempt, response)
  if response then discard(response) end
  if not request.deadline or core.now() + seconds < request.deadline then
    return await(core.sleep(seconds))
  end
  await(core.sleep(request.deadline - core.now()))
  error(http_errors.timeout(request, "total"), 0)
end

local function exchange_with_retries(session, request, first)
  for attempt = 0, math.huge do
    local ok, result = pcall(exchange, session, request, first)
    local again
    if ok then
      again = BUSY[result.status]
    else
      again = http_errors.is_connection_failure(result)
    end
    if not again or not may_retry(request, attempt) then
      if not ok then error(result, 0) end
      return result
    end
    pause(request, attempt, ok and result or nil)
    if request.source then request.source.rewind() end
  end
end

-- ---- redirects ----

local REDIRECTS = {[301] = true, [302] = true, [303] = true, [307] = true, [308] = true}

local function without_body(request)
  request.method = request.method == "HEAD" and "HEAD" or "GET"
  request.body, request.source = nil, nil
  local kept = {}
  for key, header in next, request.headers do
    if not key:find("^content%-") and key ~= "expect" then kept[key] = header end
  end
  request.headers, request.lines = kept, headers.lines(kept)
end

-- The request that a redirect asks for (RFC 9110, section 15.4).
local function redirected(request, response, location, history)
  local following = setmetatable({}, getmetatable(request))
  for key, value in next, request do following[key] = value end
  following.user, following.password, following.is_plain = nil, nil, nil
  if #history > request.max_redirects then
    error(http_errors.new(http_errors.TooManyRedirects, request, "response",
      ("more than %d redirects"):format(request.max_redirects)), 0)
  end
  locate(following, location, request.url)
  local status, method = response.status, request.method
  if status == 303 or (status == 301 or status == 302) and method == "POST" then
    without_body(following)
  elseif request.source and not request.source.rewind then
    error(http_errors.new(http_errors.HTTPError, request, "request",
      ("status %d asks for the body again, which an iterator cannot give"):format(status)), 0)
  elseif request.source then
    request.source.rewind()
  end
  return following
end

local function prepare(session, request)
  local jar = session.jar
  if request.is_plain then
    locate(request, request.url)
  else
    local total = request.timeouts.total
    request.deadline = total and core.now() + total
    locate(request, request.url, request.base)
    if request.query then locate(request, add_query(request.url, request.query)) end
  end
  if not request.is_plain and request.user then
    request.auth = request.auth or {request.user, request.password or ""}
  end
  if jar and jar.given then jar:claim(request) end
end

local function follow(session, request)
  prepare(session, request)
  local first, history = request.origin, nil
  local do_exchange = (request.is_plain or request.retries == 0) and exchange
    or exchange_with_retries
  while true do
    local response = do_exchange(session, request, first)
    local location = REDIRECTS[response.status] and request.follow_redirects
      and response.headers:get("location")
    if not location then
      if history then response.history = history end
      request.body = nil -- the response keeps the request
      return response
    end
    discard(response)
    history = history or {}
    history[#history + 1] = response
    request = redirected(request, response, location, history)
  end
end

local perform = async(function(session, request)
  if request.is_plain or not request.source then return follow(session, request) end
  local source = body.open(request.source)
  request.source = source
  local ok, result = pcall(follow, session, request)
  if not ok or not result._sending then source:close() end
  if not ok then error(result, 0) end
  return result
end)

return perform
