-- lull.http: an HTTP client, on libcurl. After aiohttp and httpx.
local check = require "lull.check"
local errors = require "lull.http.errors"
local misuse = require "lull.http.misuse"
local sessions = require "lull.http.session"
local _, core = ...
local native = core.binding "http"

local M = {}

for _, name in ipairs {"HTTPError", "HTTPStatusError", "ConnectError", "ProtocolError", "TLSError",
                       "TooManyRedirects", "BodyTooLarge", "InvalidURL"} do
  M[name] = errors[name]
end

--- What a request can be told. Of body, json, form and multipart there is one at the most.
---@class lull.http.Options
---@field params table|string? the query: fields by name, a list being a name that is repeated
---@field headers table<string, string|string[]|false>? false takes a session's header away
---@field body string|function|lull.fs.File? a string, an iterator of strings, or an open file
---@field json any? encoded by lull.json
---@field form table? fields by name, sent as application/x-www-form-urlencoded
---@field multipart table[]? parts: {name=, value=}, or {name=, filename=, content_type=, and body=
--- or path=} (RFC 7578)
---@field timeout number|table|false? seconds in all, or {total=, connect=, read=}; by default 30 to
--- connect, and 300 of silence
---@field follow_redirects boolean? true by default
---@field max_redirects integer? 10 by default
---@field max_body integer? bytes of a body; by default 1 GiB of one held in memory, no end of a
--- stream
---@field auth table|false? {user, password}, or {bearer = token}
---@field stream boolean? the body is left to be read piece by piece
---@field retries integer? how many more times GET, HEAD, OPTIONS, PUT and DELETE are tried when
--- there is no connection, or the status is 429 or 503; 0 by default

--- Makes a session: a pool of connections with cookies of its own, to be closed, best by <close>.
--- Options: `base_url`; `headers`; `connections`, 100 at most at a time; `http2`, by ALPN, true;
--- `proxy`, a URL, false for none, nil for what the environment says; `verify`, true; `ca_file`,
--- `cert_file`, `key_file`, in PEM; `cookies`, a table of those to begin with, false for none;
--- `timeout`, `follow_redirects`, `max_redirects`, `max_body`, `auth`, `retries`: see
--- lull.http.Options. Raises argument errors. After aiohttp.ClientSession and httpx.AsyncClient.
---@param options table?
---@return lull.http.Session
function M.session(options)
  if options ~= nil then check.type(1, "session", options, "table") end
  local session = misuse.checked("session", 1, sessions.new, options or {})
  return session
end

-- The session of the one-shot functions, made when the first is called.
local shared

local function one_shot(name)
  return function(...)
    shared = shared or sessions.new {cookies = false}
    return shared[name](shared, ...)
  end
end

--- Sends a request over a pool that all one-shot requests share; no cookies are kept. Otherwise as
--- the method of a session with the same name.
---@async
---@param method string
---@param url string
---@param options lull.http.Options?
---@return lull.http.Response
function M.request(method, url, options)
  return one_shot("request")(method, url, options)
end

for _, name in ipairs {"get", "post", "put", "patch", "delete", "head", "options"} do
  M[name] = one_shot(name)
end

--- Gives the URL that a reference stands for, such as a link on a page: "../d" on "http://a/b/c" is
--- "http://a/d". Fragment, user and password are left out. Raises InvalidURL; argument errors.
--- After RFC 3986, section 5, and urllib.parse.urljoin.
---@param base string the URL of the page
---@param reference string
---@return string url
function M.join(base, reference)
  check.type(1, "join", base, "string")
  check.type(2, "join", reference, "string")
  local url, reason
  if (base .. reference):find("%c") then
    reason = "it holds a control character"
  else
    url, reason = native.url(reference, base)
  end
  if url then return url end
  error(M.InvalidURL(("'%s' on '%s' leads nowhere: %s"):format(
    (reference:gsub("%c", "?")), (base:gsub("%c", "?")), reason), {url = reference}), 0)
end

return M
