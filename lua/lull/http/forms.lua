-- Bodies made of fields: query strings, forms and multipart (RFC 7578).
local check = require "lull.check"
local fail = require("lull.http.misuse").fail

local M = {}

local function escape(text, space)
  return (text:gsub("[^%w%-._~ ]", function(c) return ("%%%02X"):format(c:byte()) end)
    :gsub(" ", space))
end

local function to_text(value, name)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  fail(("field '%s': string or number expected, got %s"):format(name, kind))
end

-- The fields of a table, as a list of names and values: a list of such pairs, or by name, sorted.
-- A list as value is a name that occurs repeatedly.
local function fields(table_)
  if type(table_[1]) == "table" then return table_ end
  local list = {}
  for name, value in next, table_ do
    if type(name) ~= "string" then fail("fields must have names") end
    for _, item in ipairs(type(value) == "table" and value or {value}) do
      list[#list + 1] = {name, item}
    end
  end
  local order = {}
  for i, field in ipairs(list) do order[field] = i end
  table.sort(list, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return order[a] < order[b]
  end)
  return list
end

--- Encodes fields as application/x-www-form-urlencoded, a space as `space` says.
function M.encode(table_, space)
  local parts = {}
  for _, field in ipairs(fields(table_)) do
    if type(field[1]) ~= "string" then fail("fields must have names") end
    local value = to_text(field[2], field[1])
    parts[#parts + 1] = escape(field[1], space) .. "=" .. escape(value, space)
  end
  return table.concat(parts, "&")
end

-- ---- multipart ----

local ENDS = {['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A"} -- as browsers write names

local function quote(text) return '"' .. text:gsub('["\r\n]', ENDS) .. '"' end

local function boundary()
  local parts = {}
  for i = 1, 4 do parts[i] = ("%08x"):format(math.random(0, 0xffffffff)) end
  return "----lull" .. table.concat(parts)
end

local KNOWN = {name = true, value = true, filename = true, content_type = true, body = true,
               path = true}

local function check_part(i, part)
  local function wrong(text) fail(("multipart part %d: %s"):format(i, text)) end
  if type(part) ~= "table" then wrong("table expected") end
  for key in next, part do
    if not KNOWN[key] then wrong(("unknown field '%s'"):format(check.show(key))) end
  end
  for _, key in ipairs {"filename", "content_type", "path"} do
    if part[key] ~= nil and type(part[key]) ~= "string" then wrong(key .. " must be a string") end
  end
  if part.path and part.path:find("\0", 1, true) then wrong("a path has no zeros in it") end
  if type(part.name) ~= "string" then wrong("name must be a string") end
  if part.content_type and part.content_type:find("[%c]") then wrong("bad content_type") end
  local given = 0
  for _, key in ipairs {"value", "body", "path"} do
    if part[key] ~= nil then given = given + 1 end
  end
  if given ~= 1 then wrong("one of value, body and path is needed") end
end

local function head_of(part)
  local filename = part.filename or part.path and part.path:match("[^/]*$")
  local content_type = part.content_type or filename and "application/octet-stream"
  return "Content-Disposition: form-data; name=" .. quote(part.name)
    .. (filename and "; filename=" .. quote(filename) or "") .. "\r\n"
    .. (content_type and "Content-Type: " .. content_type .. "\r\n" or "") .. "\r\n"
end

--- Checks a list of parts and gives the pieces they make: strings, {path=} and {body=}; and the
--- content type.
function M.multipart(parts)
  local mark = boundary()
  local pieces = {}
  for i, part in ipairs(parts) do
    check_part(i, part)
    pieces[#pieces + 1] = "--" .. mark .. "\r\n" .. head_of(part)
    if part.path then
      pieces[#pieces + 1] = {path = part.path}
    elseif part.value ~= nil then
      pieces[#pieces + 1] = to_text(part.value, part.name)
    elseif type(part.body) == "string" then
      pieces[#pieces + 1] = part.body
    else
      pieces[#pieces + 1] = {body = part.body}
    end
    pieces[#pieces + 1] = "\r\n"
  end
  pieces[#pieces + 1] = "--" .. mark .. "--\r\n"
  return pieces, "multipart/form-data; boundary=" .. mark
end

return M
