-- Sessions: what all requests over a pool of connections have in common.
local check = require "lull.check"
local _, core = ...
local cookies = require "lull.http.cookies"
local headers = require "lull.http.headers"
local is_url = require("lull.http.locate").is_url
local misuse = require "lull.http.misuse"
local perform = require "lull.http.follow"
local requests = require "lull.http.request"
local native = core.binding "http"

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

local function check_open(self, name)
  check.self(self, Session, name, 1)
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
  check_open(self, "request")
  return perform(self, misuse.checked("request", 3, requests.new, self, method, url, options, 2))
end

for _, name in ipairs {"get", "post", "put", "patch", "delete", "head", "options"} do
  local method = name:upper()
  Session[name] = function(self, url, options)
    check_open(self, name)
    local request = options == nil and requests.plain(self, method, url)
    if request then return perform(self, request) end
    return perform(self, misuse.checked(name, 2, requests.new, self, method, url, options, 1))
  end
end

--- Closes the connections and gives up what is still under way. Idempotent.
function Session:close()
  check.self(self, Session, "close")
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
    if not KNOWN[key] then fail(("unknown option '%s'"):format(check.show(key))) end
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
      fail(("option 'cookies': '%s' cannot be sent"):format(check.show(name)))
    end
  end
end

local function check_base(url)
  if url == nil then return end
  if not is_url(url) then
    fail(("option 'base_url': '%s' is not an http or https URL"):format(url))
  end
end

local ENCODINGS = "gzip, deflate, br, zstd" -- that can be undone

local function of(options, name)
  if options[name] == nil then return DEFAULTS[name] end
  return options[name]
end

local function new(options)
  check_options(options)
  check_base(options.base_url)
  local checked = headers.check(options.headers or {})
  checked["user-agent"] = checked["user-agent"] or {"User-Agent", "lull/" .. core.version}
  checked["accept-encoding"] = checked["accept-encoding"] or {"Accept-Encoding", ENCODINGS}
  local given = options.cookies
  local proxy = options.proxy
  if proxy == false then proxy = "" end
  local defaults = {
    base = options.base_url,
    headers = checked,
    timeouts = requests.timeouts(options.timeout) or requests.DEFAULT_TIMEOUTS,
    auth = requests.auth(options.auth),
    retries = of(options, "retries"),
    follow_redirects = of(options, "follow_redirects"),
    max_redirects = of(options, "max_redirects"),
    max_body = of(options, "max_body"),
    stream = false,
  }
  local timeouts = defaults.timeouts
  return setmetatable({
    closed = false,
    base_url = options.base_url,
    is_plain = not (options.base_url or defaults.auth or timeouts.total) and defaults.retries == 0,
    defaults = {__index = defaults}, -- the metatable of its requests
    jar = given ~= false and cookies.new(type(given) == "table" and given or nil) or nil,
    pool = native.pool(of(options, "connections"), of(options, "http2"), of(options, "verify"),
      proxy, options.ca_file, options.cert_file, options.key_file, headers.lines(checked),
      timeouts.read, timeouts.connect, defaults.max_body),
  }, Session)
end

return {new = new}
