-- Headers: those of a response, and the lines that make up those of a request.
local check = require "lull.check"
local fail = require("lull.http.misuse").fail

local M = {}

--- The headers of a response, in the order they came. `headers["Content-Type"]` is `:get` of it.
--- Names are not case-sensitive (RFC 9110, section 5.1).
---@class lull.http.Headers
local Headers = {__name = "lull headers"}

local methods = {}

-- Without the blanks around it. In two steps: a pattern that tries both ends at a time would take
-- the square of the blanks' number.
local function trim(text)
  return text:match("^[ \t]*(.*)$"):match("^.*[^ \t]") or ""
end

M.trim = trim

-- The values by lower-case name, and the list of names and values.
local function parse(head)
  local by_name, list = {}, {}
  if head:find("\n[ \t]") then
    head = head:gsub("\r?\n[ \t]+", " ") -- folded lines (RFC 9112, section 5.2)
  end
  for name, value in head:gmatch("\n([^%s:]+):[ \t]*([^\r\n]*)") do
    if value:find("[ \t]", -1) then value = trim(value) end
    local key = name:lower()
    local values = by_name[key]
    if values then
      values[#values + 1] = value
    else
      by_name[key] = {value}
    end
    list[#list + 1] = {name, value}
  end
  return by_name, list
end

--- Makes headers out of the head of a response.
---@param head string
---@return lull.http.Headers
function M.new(head)
  local by_name, list = parse(head)
  return setmetatable({[parse] = by_name, [Headers] = list}, Headers)
end

--- Gives a header's value, several joined by ", ", or nil.
---@param name string
---@return string?
function methods:get(name)
  check.self(self, Headers, "get")
  check.type(1, "get", name, "string")
  local values = rawget(self, parse)[name:lower()]
  return values and table.concat(values, ", ")
end

--- Gives the values of all headers of a name, a list that may be empty.
---@param name string
---@return string[]
function methods:get_all(name)
  check.self(self, Headers, "get_all")
  check.type(1, "get_all", name, "string")
  local values = rawget(self, parse)[name:lower()] or {}
  return table.move(values, 1, #values, 1, {})
end

Headers.__methods = methods -- for completion

function Headers:__index(name)
  if methods[name] then return methods[name] end
  if type(name) ~= "string" then return nil end
  return methods.get(self, name)
end

function Headers:__pairs()
  local list, i = rawget(self, Headers), 0
  return function()
    i = i + 1
    if list[i] then return list[i][1], list[i][2] end
  end
end

function Headers:__tostring()
  local lines = {}
  for name, value in pairs(self) do lines[#lines + 1] = name .. ": " .. value end
  return table.concat(lines, "\n")
end

-- ---- of requests ----

local TOKEN = "^[!#$%%&'*+%-.^_`|~%w]+$" -- RFC 9110, section 5.6.2

--- Whether a text can be a method or a header's name.
function M.is_token(text) return text:find(TOKEN) ~= nil end

local function to_text(value)
  local kind = type(value)
  if kind == "number" or kind == "boolean" then return tostring(value) end
  return kind == "string" and value or nil
end

local function add_line(lines, name, value)
  value = to_text(value)
  if not value then fail(("header '%s': string expected"):format(name)) end
  if value:find("[%z\1-\8\10-\31\127]") then
    fail(("header '%s' holds a line break or another control character"):format(name))
  end
  value = trim(value)
  lines[#lines + 1] = value == "" and name .. ";" or name .. ": " .. value -- as libcurl wants it
end

-- Headers whose meaning the client sets itself.
local REFUSED = {["transfer-encoding"] = true, ["content-length"] = true}

--- Checks a table of headers and gives it by lower-case name: {name, value}. A list is a header
--- that is sent repeatedly; false takes one away that would be sent otherwise.
function M.check(headers)
  local checked = {}
  for name, value in next, headers do
    if type(name) ~= "string" or not M.is_token(name) then
      fail(("'%s' is not the name of a header"):format(check.show(name)))
    end
    local key = name:lower()
    if REFUSED[key] then fail(("header '%s' is set by the body"):format(name)) end
    if checked[key] then fail(("header '%s' is given twice"):format(name)) end
    checked[key] = {name, value}
  end
  return checked
end

--- Gives the header lines of a request as libcurl takes them.
function M.lines(headers)
  local lines, keys = {}, {}
  for key in next, headers do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local name, value = headers[key][1], headers[key][2]
    if value == false then
      lines[#lines + 1] = name .. ":"
    elseif type(value) == "table" then
      for _, item in ipairs(value) do add_line(lines, name, item) end
    else
      add_line(lines, name, value)
    end
  end
  return lines
end

return M
