-- The cookies of a session (RFC 6265), kept by host and port: none ever goes to another, whatever
-- its Domain attribute says.
local _, core = ...
local trim = require("lull.http.headers").trim
local native = core.binding "http"

local Jar = {}
Jar.__index = Jar

local MOST = 100 -- cookies of a host; the oldest goes first
local LONGEST = 8192 -- bytes of a Set-Cookie header; browsers take half

local function path_of(request) return request.url:match("^%a+://[^/?#]*([^?#]*)") end

-- The path that a cookie is for if it does not say (section 5.1.4).
local function default_path(path)
  return path:match("^(/.*)/[^/]*$") or "/"
end

-- Section 5.1.4.
local function path_matches(path, prefix)
  if path:sub(1, #prefix) ~= prefix then return false end
  return #path == #prefix or prefix:sub(-1) == "/" or path:sub(#prefix + 1, #prefix + 1) == "/"
end

local function attributes(text)
  local found = {}
  for part in text:gmatch("[^;]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    found[trim(name):lower()] = trim(value)
  end
  return found
end

-- The time it is worth nothing any more (sections 5.2.1 and 5.2.2), or nil: with the session.
local function expiry(found, now)
  local age = found["max-age"] and found["max-age"]:match("^-?%d+$")
  if age then return now + tonumber(age) end
  return found.expires and native.date(found.expires)
end

local function parse(line, request, now)
  if #line > LONGEST then return nil end
  local pair, rest = line:match("^([^;]*);?(.*)$")
  local name, value = pair:match("^([^=]*)=(.*)$")
  if not name or trim(name) == "" or pair:find("[%c]") then return nil end
  local found = attributes(rest)
  local path = found.path
  if not path or path:sub(1, 1) ~= "/" then path = default_path(path_of(request)) end
  return {
    name = trim(name), value = trim(value), path = path,
    secure = found.secure ~= nil, expires = expiry(found, now),
  }
end

local function find(cookies, name, path)
  for i, cookie in ipairs(cookies) do
    if cookie.name == name and cookie.path == path then return i end
  end
end

--- Keeps what a Set-Cookie header says.
function Jar:set(line, request)
  local now = os.time()
  local cookie = parse(line, request, now)
  if not cookie or cookie.secure and request.scheme ~= "https" then return end
  local cookies = self.by_host[request.host] or {}
  self.by_host[request.host] = cookies
  self.used = true
  local place = find(cookies, cookie.name, cookie.path)
  if cookie.expires and cookie.expires <= now then
    if place then table.remove(cookies, place) end
    return
  end
  if not place and #cookies >= MOST then table.remove(cookies, 1) end
  cookies[place or #cookies + 1] = cookie
end

--- Gives the Cookie header of a request, or nil.
function Jar:header(request)
  local cookies = self.by_host[request.host]
  if not cookies and not self.given then return nil end
  local now, pairs_, sent = os.time(), {}, {}
  local path = path_of(request)
  local matching = {}
  for i, cookie in ipairs(cookies or {}) do
    cookie.place = i
    local current = not cookie.expires or cookie.expires > now
    if current and (not cookie.secure or request.scheme == "https")
        and path_matches(path, cookie.path) then
      matching[#matching + 1] = cookie
    end
  end
  table.sort(matching, function(a, b) -- section 5.4
    if #a.path ~= #b.path then return #a.path > #b.path end
    return a.place < b.place
  end)
  for _, cookie in ipairs(matching) do
    pairs_[#pairs_ + 1] = cookie.name .. "=" .. cookie.value
    sent[cookie.name] = true
  end
  for _, pair in ipairs(self.given_to == request.host and self.given or {}) do
    if not sent[pair[1]] then pairs_[#pairs_ + 1] = pair[1] .. "=" .. pair[2] end
  end
  return pairs_[1] and table.concat(pairs_, "; ")
end

--- Cookies that the user gave are the first host's that is spoken to.
function Jar:claim(request)
  if self.given and not self.given_to then self.given_to = request.host end
end

--- Makes a jar, with cookies that the user gives by name.
local function new(given)
  local list
  if given then
    list = {}
    for name, value in next, given do list[#list + 1] = {name, tostring(value)} end
    table.sort(list, function(a, b) return a[1] < b[1] end)
  end
  return setmetatable({by_host = {}, given = list, given_to = nil, used = list ~= nil}, Jar)
end

return {new = new}
