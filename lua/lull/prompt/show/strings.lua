-- Strings, numbers and keys as Lua source says them, and the text of others made fit to be shown.
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub,
  string.sub
local concat, huge, math_type = table.concat, math.huge, math.type
local tonumber = tonumber
local codepoint, utf8_len = utf8.codepoint, utf8.len

local M = {}

local ESCAPES = {
  ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\v"] = "\\v", ["\\"] = "\\\\", ["\""] = "\\\"",
}

local function escape_byte(char)
  return ESCAPES[char] or format("\\x%02x", byte(char))
end

local function escape_character(char)
  return format("\\u{%x}", codepoint(char))
end

-- Valid UTF-8 outside ASCII that terminals obey or do not show: C1 controls, the zero-width space,
-- line and paragraph separators, what turns the direction of text, and the byte order mark.
local function escape_invisible(text)
  if not find(text, "[\xc2\xe2\xef]") then return text end
  text = gsub(text, "\xc2[\x80-\x9f]", escape_character)
  text = gsub(text, "\xe2\x80[\x8b\x8e\x8f\xa8-\xae]", escape_character)
  text = gsub(text, "\xe2\x81[\xa6-\xa9]", escape_character)
  return (gsub(text, "\xef\xbb\xbf", escape_character))
end

-- Escapes the control bytes of a class, and what is no UTF-8.
local function escape(text, class)
  text = gsub(text, class, escape_byte)
  if not find(text, "[\x80-\xff]") then return text end
  local parts, first = {}, 1
  while first <= #text do
    local valid, invalid = utf8_len(text, first)
    if valid then invalid = #text + 1 end
    parts[#parts + 1] = escape_invisible(sub(text, first, invalid - 1))
    if invalid <= #text then parts[#parts + 1] = escape_byte(sub(text, invalid, invalid)) end
    first = invalid + 1
  end
  return concat(parts)
end

--- The beginning of a string, of so many bytes or up to three less: no character is cut in two.
function M.head(text, size)
  if #text <= size then return text end
  local last = size
  while last > size - 3 and last > 0 and find(text, "^[\x80-\xbf]", last + 1) do last = last - 1 end
  if find(text, "^[\x80-\xbf]", last + 1) then last = size end -- that is no UTF-8
  return sub(text, 1, last)
end

--- A string in quotes, as Lua reads it; of a longer one than size bytes the beginning only.
---@param text string
---@param size integer
---@return string quoted
---@return string? note how long it is, if that is not all of it
function M.quoted(text, size)
  local head = M.head(text, size)
  local quoted = "\"" .. escape(head, "[%c\127\\\"]") .. "\""
  if #head == #text then return quoted end
  return quoted, format("... (%d bytes)", #text)
end

--- What a tostring gave, without what a terminal would obey, shortened. With one_line, no more than
--- its first line.
---@param text string
---@param size integer bytes
---@param one_line boolean
---@return string
function M.plain(text, size, one_line)
  local head = M.head(text, size)
  if one_line then head = sub(head, 1, (find(head, "\n", 1, true) or 0) - 1) end
  local shown = escape(head, one_line and "[%c\127]" or "[\0-\8\11-\31\127]")
  return #head == #text and shown or shown .. " ..."
end

local function float(number)
  if number ~= number then return "nan" end
  if number == huge then return "math.huge" end
  if number == -huge then return "-math.huge" end
  local text
  for digits = 14, 17 do
    text = format("%." .. digits .. "g", number)
    if tonumber(text) == number then break end
  end
  text = gsub(text, ",", ".") -- of a locale
  return find(text, "[.e]") and text or text .. ".0"
end

--- A number that reads back as the same one, of the same kind; "nan" is no source.
---@param number number
---@return string
function M.number(number)
  if math_type(number) == "float" then return float(number) end
  if number == math.mininteger then return "math.mininteger" end
  return format("%d", number)
end

local KEYWORDS = {}
for word in string.gmatch("and break do else elseif end false for function goto if in local nil " ..
                               "not or repeat return then true until while", "%a+") do
  KEYWORDS[word] = true
end

--- Whether a key can stand without brackets and quotes.
function M.is_name(key)
  return find(key, "^[A-Za-z_][A-Za-z0-9_]*$") ~= nil and #key <= 100 and not KEYWORDS[key]
end

return M
