-- Sessions: requests over a pool of connections, with redirects, retries, cookies and credentials.
local _, core = ...
local body = require "lull.http.body"
local cookies = require "lull.http.cookies"
local headers = require "lull.http.headers"
local http_errors = require "lull.http.errors"
local misuse = require "lull.http.misuse"
local requests = require "lull.http.request"
local responses = require "lull.http.response"
local start_sending = require("lull.http.sending").start
local native = core.binding "http"

local async, await, pcall = core.async, core.await, core.pcall
local fail = misuse.fail

--- A pool of connections, and what all requests over it have in common.
---@class lull.http.Session
---@field get fun(self, url: string, options: lull.http.Options?): lull.http.Response see request
---@field post fun(self, url: string, options: lull.http.Options?): lull.http.Response
---@field put fun(self, url: string, options: lull.http.Options?): lull.http.Response
---@field patch fun(self, url: string, options: lull.http.Options?): lull.http.Response
---@field delete fun(self, url: string, options: lull.http.Options?): lull.http.Response
---@field head fun(self, url: string, options: lull.http.Options?): lull.http.Response
---@field options fun(self, url: string, options: lull.http.Options?): lull.http.Response
local Session = {__name = "lull http session"}
Session.__index = Session

-- ---- where a request goes ----

local SCHEMES = {http = true, https = true}

-- Puts the request's parts of the URL in place. Raises InvalidURL.
local function locate(request, text, base)
  local url, scheme, host, port, user, password
  if text:find("[%c]") then
    scheme = "it holds a control character"
  elseif text:find("^///") or text:find("^%a[%w+.-]*:///") then
    scheme = "it has no host" -- libcurl would take the path's first name for it
  else
    url, scheme, host, port, user, password = native.url(text, base)
  end
  local reason = not url and scheme or not SCHEMES[scheme] and ("its scheme is '%s'"):format(scheme)
    or host == "" and "it has no host"
  if reason then
    local shown = text:gsub("[%c]", "?")
    error(http_errors.InvalidURL(("'%s' cannot be requested: %s"):format(shown, reason),
      {url = text, phase = "request"}), 0)
  end
  request.url, request.scheme, request.port = url, scheme, port
  request.hostname, request.host = host, host .. ":" .. port
  request.origin = scheme .. "://" .. request.host
  request.user, request.password = user, password
end

local function add_query(url, query)
  if not query or query == "" then return url end
  local before, fragment = url:match("^([^#]*)(.*)$")
  return before .. (before:find("?", 1, true) and "&" or "?") .. query .. fragment
end

-- What cookies look at.
local function target_of(request)
  return {
    scheme = request.scheme, host = request.hostname, port = request.port,
    path = request.url:match("^%a+://[^/?#]*([^?#]*)"),
  }
end

-- ---- one exchange ----

-- The lines of the request's headers, with cookies and credentials that are for this host only.
local function lines_for(session, request, first)
  local jar = session.jar
  local cookie = jar and jar:header(target_of(request))
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

local function start(session, request, first)
  local user, password = credentials(request, first)
  local timeouts, source = request.timeouts, request.source
  local most = request.max_body
  if request.stream then most = request.max_stream end
  return session.pool:start(request.method, request.url, lines_for(session, request, first),
    source and true or request.body, source and source.size, request.deadline, timeouts.read,
    timeouts.connect, most, request.stream, user, password)
end

local function receive(request, transfer)
  if request.stream then
    local status, head, version, elapsed = transfer:head()
    if status then
      return responses.new(request, status, head, version, elapsed, nil, transfer)
    end
  else
    local status, head, version, elapsed, bytes = transfer:finish()
    if status then return responses.new(request, status, head, version, elapsed, bytes) end
  end
  local err = request.failure or http_errors.of_transfer(request, transfer:failure())
  transfer:close()
  error(err, 0)
end

-- If the response is a stream, the rest of the body goes on being sent while it is read.
local function send_and_receive(request, transfer)
  local sending = start_sending(request, transfer)
  local ok, result = pcall(receive, request, transfer)
  if ok and result._transfer then
    result._sending = sending:guard()
    return result
  end
  sending:stop()
  if not ok then error(result, 0) end
  return result
end

-- Closes a response that is not the last one; its request may be sent again.
local function discard(response)
  local guard = response._sending
  response:close()
  if guard then guard.sending:stop() end
end

-- Sends the request and gives the response. Raises the errors of lull.http.
local function exchange(session, request, first)
  local transfer = start(session, request, first)
  local response
  if request.source then
    response = send_and_receive(request, transfer)
  else
    response = receive(request, transfer)
  end
  if session.jar and response._head:lower():find("\nset-cookie:", 1, true) then
    local target = target_of(request)
    for _, line in ipairs(response.headers:get_all("set-cookie")) do
      session.jar:set(line, target)
    end
  end
  return response
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
  if request.retries == 0 then return exchange(session, request, first) end
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
  local following = {}
  for key, value in next, request do following[key] = value end
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

local function follow(session, request)
  local total = request.timeouts.total
  request.deadline = total and core.now() + total
  locate(request, request.url, request.base)
  if request.query then
    locate(request, add_query(request.url, request.query))
  end
  if request.user then request.auth = request.auth or {request.user, request.password or ""} end
  if session.jar then session.jar:claim(target_of(request)) end
  local first, history = request.origin, nil
  while true do
    local response = exchange_with_retries(session, request, first)
    local location = request.follow and REDIRECTS[response.status]
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
  if not request.source then return follow(session, request) end
  local source = body.open(request.source)
  request.source = source
  local ok, result = pcall(follow, session, request)
  if not ok or not result._sending then source:close() end
  if not ok then error(result, 0) end
  return result
end)

-- ---- the methods ----

local function check_open(self)
  if self.closed then error("the session is closed", 3) end
end

--- Sends a request. Raises argument errors at once; when awaited, InvalidURL, ConnectError,
--- TLSError, ProtocolError, TooManyRedirects, BodyTooLarge, and lull.TimeoutError with a `phase`.
---@async
---@param method string
---@param url string relative to the session's base_url, if it has one (RFC 3986, section 5)
---@param options lull.http.Options?
---@return lull.http.Response
function Session:request(method, url, options)
  check_open(self)
  return perform(self, misuse.checked("request", 3, requests.new, self, method, url, options, 2))
end

for _, name in ipairs {"get", "post", "put", "patch", "delete", "head", "options"} do
  local method = name:upper()
  Session[name] = function(self, url, options)
    check_open(self)
    return perform(self, misuse.checked(name, 2, requests.new, self, method, url, options, 1))
  end
end

--- Closes the connections and gives up what is still under way. Idempotent.
function Session:close()
  self.closed = true
  self.pool:close()
end

Session.__close = Session.close

function Session:__tostring()
  return ("http session (%s)"):format(self.base_url or "no base_url")
end

-- ---- making one ----

local KNOWN = {
  base_url = "string", headers = "table", connections = true, http2 = "boolean", proxy = true,
  verify = "boolean", ca_file = "string", cert_file = "string", key_file = "string",
  cookies = true, follow_redirects = "boolean", max_redirects = true, max_body = true,
  timeout = true, auth = true, retries = true,
}

local DEFAULTS = {
  connections = 100, http2 = true, verify = true, follow_redirects = true, max_redirects = 10,
  max_body = 1 << 30, retries = 0,
}

local function check_options(options)
  for key in next, options do
    if not KNOWN[key] then fail(("unknown option '%s'"):format(tostring(key))) end
  end
  local types = {}
  for key, expected in next, KNOWN do
    if expected ~= true then types[key] = expected end
  end
  requests.check_types(options, types)
  requests.check_count(options, "connections", 1)
  requests.check_count(options, "max_redirects", 0)
  requests.check_count(options, "max_body", 0)
  requests.check_count(options, "retries", 0)
  local proxy, given = options.proxy, options.cookies
  if proxy ~= nil and proxy ~= false and (type(proxy) ~= "string" or proxy:find("%c")) then
    fail("option 'proxy' must be a URL or false")
  end
  if given ~= nil and type(given) ~= "boolean" and type(given) ~= "table" then
    fail("option 'cookies' must be a table or false")
  end
  for name, value in next, type(given) == "table" and given or {} do
    if type(name) ~= "string" or not headers.is_token(name)
        or type(value) ~= "string" and type(value) ~= "number"
        or tostring(value):find("[%c;]") then
      fail(("option 'cookies': '%s' cannot be sent"):format(tostring(name)))
    end
  end
end

local function check_base(url)
  if url == nil then return end
  local parsed, scheme = native.url(url)
  if not parsed or not SCHEMES[scheme] or url:find("[%c]") then
    fail(("option 'base_url': '%s' is not an http or https URL"):format(url))
  end
end

local function of(options, name)
  if options[name] == nil then return DEFAULTS[name] end
  return options[name]
end

local function new(options)
  check_options(options)
  check_base(options.base_url)
  local checked = headers.check(options.headers or {})
  checked["user-agent"] = checked["user-agent"] or {"User-Agent", "lull/" .. core.version}
  local given = options.cookies
  local proxy = options.proxy
  if proxy == false then proxy = "" end
  return setmetatable({
    closed = false,
    base_url = options.base_url,
    headers = checked,
    lines = headers.lines(checked),
    timeouts = requests.timeouts(options.timeout) or requests.DEFAULT_TIMEOUTS,
    auth = requests.auth(options.auth),
    retries = of(options, "retries"),
    follow_redirects = of(options, "follow_redirects"),
    max_redirects = of(options, "max_redirects"),
    max_body = of(options, "max_body"),
    jar = given ~= false and cookies.new(type(given) == "table" and given or nil) or nil,
    pool = native.pool(of(options, "connections"), of(options, "http2"), of(options, "verify"),
      proxy, options.ca_file, options.cert_file, options.key_file),
  }, Session)
end

return {new = new}
