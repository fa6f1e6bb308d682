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
    path = url:match("^%a+://[^/?#]*([^?#]*)"),
  }
end

-- The URLs taken apart last, by base and text.
local known, count = {}, 0
local MOST = 200

local function parts_of(text, base)
  local key = base and base .. "\n" .. text or text
  local parts = known[key]
  if parts then return parts end
  parts = take_apart(text, base)
  if count == MOST then known, count = {}, 0 end
  known[key] = parts
  count = count + 1
  return parts
end

--- Puts the parts of a URL in their places in the request. Raises InvalidURL.
function M.locate(request, text, base)
  local parts = parts_of(text, base)
  request.url, request.scheme, request.host = parts.url, parts.scheme, parts.host
  request.origin, request.path = parts.origin, parts.path
  request.user, request.password = parts.user, parts.password
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
