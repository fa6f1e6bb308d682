-- lull.json: JSON text and Lua values. The work is C's; here are the checks and the errors.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local codec = core.binding("json")
local encode, decode = codec.encode, codec.decode
local getmetatable, setmetatable = debug.getmetatable, setmetatable -- raw
local DEPTH = 1000 -- unless max_depth says otherwise

local M = {}

--- What JSON calls null, where nil would leave no trace: a value equal only to itself, and true in
--- a condition. `tostring` gives "null".
---@type userdata
M.null = codec.null

--- The metatable of tables that are marked as arrays: see json.array.
---@type table
local Array = codec.mark
M.Array = Array

--- Raised for text that is not JSON, with the place where that shows, and for values that JSON has
--- nothing for, with the path to them.
---@class lull.JSONError: lull.Error
---@field line integer? of the text, from 1
---@field column integer? in bytes, from 1
---@field offset integer? the same place in the whole text: `text:sub(err.offset)` begins there
---@field path string? what cannot be encoded, such as `value.users[3].name`
local JSONError = errors.Error:extend("JSONError")
M.JSONError = JSONError

local function decode_error(message, line, column, offset)
  return JSONError(("line %d, column %d: %s"):format(line, column, message),
    {line = line, column = column, offset = offset})
end

local LONGEST = 60 -- bytes of a key that are shown

local function quote(text)
  if #text > LONGEST then text = text:sub(1, LONGEST) .. "..." end
  local odd = utf8.len(text) and "[%c\\\"]" or "[%c\\\"\x80-\xff]"
  return '"' .. text:gsub(odd, function(c) return ("\\x%02x"):format(c:byte()) end) .. '"'
end

local function show_path(keys)
  local path = {"value"}
  for i, key in ipairs(keys) do
    if math.type(key) == "integer" then
      path[i + 1] = ("[%d]"):format(key)
    elseif #key <= LONGEST and key:find("^[%a_][%w_]*$") then
      path[i + 1] = "." .. key
    else
      path[i + 1] = "[" .. quote(key) .. "]"
    end
  end
  return table.concat(path)
end

local function show(detail)
  if type(detail) == "table" then return show_path(detail) end
  return type(detail) == "string" and quote(detail) or tostring(detail)
end

local function encode_error(message, keys, detail)
  local path = show_path(keys)
  if message:find("%s", 1, true) then message = message:format(show(detail)) end
  return JSONError(("cannot encode %s: %s"):format(path, message), {path = path})
end

local function max_depth(name, options)
  local depth = options.max_depth
  if depth == nil then return DEPTH end
  if math.type(depth) ~= "integer" or depth < 1 then
    check.fail(2, name, "option 'max_depth' must be a positive integer", 1)
  end
  return math.min(depth, codec.max_depth)
end

local MOST_SPACES = 100

-- The text of one level, or nil: all in one line.
local function indentation(indent)
  if indent == nil then return nil end
  if type(indent) == "string" and not indent:find("[^ \t\r\n]") then return indent end
  if math.type(indent) == "integer" and indent >= 0 and indent <= MOST_SPACES then
    return (" "):rep(indent)
  end
  check.fail(2, "encode", "option 'indent' must be white space, or a number of spaces up to 100", 1)
end

--- Gives the JSON text of a value, in one line unless `indent` says by what each level is indented:
--- a number of spaces (0: only new lines) or a string of white space. With `sort_keys` the keys of
--- objects are in the order of their bytes, otherwise in none.
---
--- A table with the keys 1 to n, or marked by `json.array`, is an array; one with strings for keys,
--- or with nothing in it, an object; its metatable is not asked. Integers are written as integers,
--- floats as the shortest text that reads back as the same float, with a point or an exponent.
--- nil, `json.null` and a null pointer (other libraries' null) are null.
---
--- Raises JSONError for what JSON does not have: NaN and infinities, strings that are not UTF-8,
--- tables that are mixed, have items missing or contain themselves, functions and the like, and for
--- more than `max_depth` tables (1000) inside each other, 100,000 at the most; argument errors.
--- After RFC 8259 and json.dumps.
---@param value any
---@param options {indent: integer|string?, sort_keys: boolean?, max_depth: integer?}?
---@return string
function M.encode(value, options)
  if options == nil then return encode(value, nil, false, DEPTH, encode_error) end
  check.options(2, "encode", options, {indent = true, sort_keys = true, max_depth = true})
  local depth, indent = max_depth("encode", options), indentation(options.indent)
  return encode(value, indent, options.sort_keys, depth, encode_error)
end

--- Gives the value that a JSON text, in UTF-8, stands for. Objects and arrays are tables, arrays
--- marked so that an empty one is encoded as an array again; null is `json.null`. Numbers without
--- point and exponent are integers if they fit in 64 bits, all others floats. Of fields with the
--- same key the last one counts.
---
--- Raises JSONError for all that is not JSON to the letter, numbers that no float holds (1e999),
--- escapes of half a surrogate pair, and more than `max_depth` arrays and objects (1000) inside
--- each other, 100,000 at the most; argument errors. After RFC 8259 and json.loads.
---@param text string
---@param options {max_depth: integer?}?
---@return any
function M.decode(text, options)
  if type(text) ~= "string" then check.type(1, "decode", text, "string") end
  if options == nil then return decode(text, DEPTH, decode_error) end
  check.options(2, "decode", options, {max_depth = true})
  return decode(text, max_depth("decode", options), decode_error)
end

--- Marks a table as an array, by giving it a metatable, so that it is encoded as `[...]` even when
--- it is empty; gives the table, or a new one. Raises an argument error for a table that has a
--- metatable of its own.
---@param t table?
---@return table
function M.array(t)
  if t == nil then t = {} end
  check.type(1, "array", t, "table")
  local meta = getmetatable(t)
  if meta ~= nil and not rawequal(meta, Array) then
    check.fail(1, "array", "the table has a metatable of its own")
  end
  return setmetatable(t, Array)
end

--- Whether a value is a table marked as an array, by `json.array` or by having been one in JSON.
---@param value any
---@return boolean
function M.is_array(value)
  return type(value) == "table" and rawequal(getmetatable(value), Array)
end

return M
