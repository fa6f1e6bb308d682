-- Where a request goes: its URL, taken apart.
local _, core = ...
local http_errors = require "lull.http.errors"
local native = core.binding "http"

local M = {}

local SCHEMES = {http = true, https = true}

local function refuse(text, reason)
  local shown = text:gsub("[%c]", "?")
  error(http_errors.InvalidURL(("'%s' cannot be requested: %s"):format(shown, reason),
    {url = text, phase = "request"}), 0)
end

local function take_apart(text, base)
  if text:find("[%c]") then refuse(text, "it holds a control character") end
  if text:find("^///") or text:find("^%a[%w+.-]*:///") then
    refuse(text, "it has no host") -- libcurl would take the path's first name for it
  end
  local url, scheme, host, port, user, password = native.url(text, base)
  if not url then refuse(text, scheme) end
  if not SCHEMES[scheme] then refuse(text, ("its scheme is '%s'"):format(scheme)) end
  if host == "" then refuse(text, "it has no host") end
  return {
    url = url, scheme = scheme, host = host .. ":" .. port, user = user, password = password,
    origin = ("%s://%s:%s"):format(scheme, host, port),
  }
end

-- The last URL that needed no more than to be looked at: where it leads, and its beginning.
local last, last_origin = nil, nil

--- Puts the parts of a URL in their places in the request. Raises InvalidURL. Most URLs are for the
--- host of the one before, and need not be taken apart.
function M.locate(request, text, base)
  local origin = native.origin(text)
  local parts = last
  if not origin or origin ~= last_origin then
    parts = take_apart(text, base)
    request.url, request.user, request.password = parts.url, parts.user, parts.password
    if parts.user then request.is_plain = false end
    if origin and parts.url == text then last, last_origin = parts, origin end
  else
    request.url = text
  end
  request.scheme, request.host, request.origin = parts.scheme, parts.host, parts.origin
end

--- Whether a text is a URL that can be requested.
function M.is_url(text)
  local url, scheme = native.url(text)
  return url ~= nil and SCHEMES[scheme] ~= nil and not text:find("%c")
end

--- Adds a query to a URL, after the one it has.
function M.add_query(url, query)
  if not query or query == "" then return url end
  local before, fragment = url:match("^([^#]*)(.*)$")
  return before .. (before:find("?", 1, true) and "&" or "?") .. query .. fragment
end

return M
