-- Doc comments as people read them: LuaCATS markup taken apart and laid out for a terminal.
local M = {}

local INDENT = "  "

---@class lull.prompt.Item an argument, a result or a field
---@field name string?
---@field type string
---@field optional boolean
---@field text string

---@class lull.prompt.Comment
---@field paragraphs string[] the prose; one that begins with a space is as it is to stay
---@field params lull.prompt.Item[]
---@field returns lull.prompt.Item[]
---@field fields lull.prompt.Item[]
---@field overloads string[]
---@field is_async boolean
---@field parent string? of a class
---@field type string? of a value

local OPENS, CLOSES = {["("] = 1, ["{"] = 1, ["["] = 1, ["<"] = 1},
  {[")"] = 1, ["}"] = 1, ["]"] = 1, [">"] = 1}

-- Splits "fun(a: b): c rest of it" after the type: a space in brackets, or after or before what
-- asks for more, does not end it.
local function take_type(text)
  local depth = 0
  for i = 1, #text do
    local char = text:sub(i, i)
    depth = depth + (OPENS[char] or 0) - (CLOSES[char] or 0)
    if char == " " and depth <= 0 and not text:find("^[:|,]", i - 1)
      and not text:find("^ ?|", i + 1) then
      return text:sub(1, i - 1), text:sub(i + 1)
    end
  end
  return text, ""
end

local function is_optional(type_)
  if type_:sub(-1) ~= "?" then return type_, false end
  return type_:sub(1, -2), true
end

local function split_bars(type_)
  local parts, depth, first = {}, 0, 1
  for i = 1, #type_ do
    local char = type_:sub(i, i)
    depth = depth + (OPENS[char] or 0) - (CLOSES[char] or 0)
    if char == "|" and depth == 0 then
      parts[#parts + 1] = type_:sub(first, i - 1):match("^%s*(.-)%s*$")
      first = i + 1
    end
  end
  parts[#parts + 1] = type_:sub(first):match("^%s*(.-)%s*$")
  return parts
end

-- "a|b|c" in words.
local function to_words(type_)
  local parts = split_bars(type_)
  if #parts == 1 then return type_ end
  return table.concat(parts, ", ", 1, #parts - 1) .. " or " .. parts[#parts]
end

local function new_item(name, type_, optional, text)
  local is_nil
  type_, is_nil = is_optional(type_)
  return {name = name, type = to_words(type_), optional = optional or is_nil, text = text}
end

-- "name? type text", as after @param and @field.
local function named_item(text)
  local name, mark, rest = text:match("^([^%s?]+)(%??)%s*(.*)$")
  if not name then return nil end
  local type_, description = take_type(rest)
  return new_item(name, type_, mark == "?", description)
end

local tags = {
  param = function(comment, text) table.insert(comment.params, (named_item(text))) end,
  field = function(comment, text)
    text = text:gsub("^public ", "")
    if not text:find("^%[") then table.insert(comment.fields, (named_item(text))) end
  end,
  ["return"] = function(comment, text)
    local type_, rest = take_type(text)
    local name, description = rest:match("^([%a_.][%w_.]*)%s*(.*)$")
    if rest:find("^#") then name, description = nil, rest:match("^#%s*(.*)$") end
    description = (description or rest):gsub("^,%s*", "")
    table.insert(comment.returns, new_item(name, type_, false, description))
  end,
  overload = function(comment, text) table.insert(comment.overloads, text) end,
  async = function(comment) comment.is_async = true end,
  class = function(comment, text) comment.parent = text:match("^[%w_.]+%s*:%s*([%w_.]+)") end,
  type = function(comment, text) comment.type = to_words((take_type(text))) end,
}

-- The lines of a comment, those that go on with a tag joined to it: prose and tags.
local function sort_lines(text)
  local prose, tagged = {}, {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if line:find("^%s*@") then
      tagged[#tagged + 1] = line:match("^%s*(.-)%s*$")
    elseif #tagged > 0 and line:find("%S") then
      tagged[#tagged] = tagged[#tagged] .. " " .. line:match("^%s*(.-)%s*$")
    elseif #tagged == 0 then
      prose[#prose + 1] = line
    end
  end
  return prose, tagged
end

local function to_paragraphs(lines)
  local paragraphs, open = {}, false
  for _, line in ipairs(lines) do
    if not line:find("%S") then
      open = false
    elseif line:find("^%s%s") or line:find("^%s?[-*] ") then
      paragraphs[#paragraphs + 1] = " " .. line
      open = false
    elseif open then
      paragraphs[#paragraphs] = paragraphs[#paragraphs] .. " " .. line:match("^%s*(.-)%s*$")
    else
      paragraphs[#paragraphs + 1] = line:match("^%s*(.-)%s*$")
      open = true
    end
  end
  return paragraphs
end

--- Takes a comment apart, whose lines have no dashes any more.
---@param text string
---@return lull.prompt.Comment
function M.parse(text)
  text = text:gsub("\t", "  "):gsub("[^\n%C]", "?")
  local prose, tagged = sort_lines(text)
  local comment = {
    paragraphs = to_paragraphs(prose),
    params = {},
    returns = {},
    fields = {},
    overloads = {},
    is_async = false,
    parent = nil,
    type = nil,
  }
  for _, line in ipairs(tagged) do
    local tag, rest = line:match("^@([%w_]+)%s*(.*)$")
    if tags[tag] then tags[tag](comment, rest) end
  end
  return comment
end

--- The first sentence of a comment.
---@param text string
---@return string sentence "" if there is no prose
function M.first_sentence(text)
  local first = M.parse(text).paragraphs[1] or ""
  for stop in first:gmatch("()[.:]%s") do
    local after = first:sub(stop):match("^.%s+(%S)")
    local dot = first:sub(stop, stop) == "."
    if dot and after:find("[%u`]") and not first:sub(1, stop):find("%f[%a][ei]%.[ge]%.$") then
      return first:sub(1, stop)
    end
  end
  return first
end

-- ---- laying it out ----

--- The columns that text takes: a character is one, which holds for most.
---@param text string
---@return integer
function M.columns(text) return utf8.len(text) or #text end

--- Breaks text into lines of a width, at spaces. The lines are indented, the first as it is asked.
---@param text string
---@param width integer
---@param indent string?
---@param first string? of the first line; like the others if left out
---@return string[] lines
function M.wrap(text, width, indent, first)
  indent = indent or ""
  local lines, line, empty = {}, first or indent, true
  for word in text:gmatch("%S+") do
    if not empty and M.columns(line) + 1 + M.columns(word) > width then
      lines[#lines + 1] = line
      line, empty = indent, true
    end
    line = empty and line .. word or line .. " " .. word
    empty = false
  end
  if not empty or #lines == 0 then lines[#lines + 1] = line end
  return lines
end

local function append(lines, more) table.move(more, 1, #more, #lines + 1, lines) end

--- Two columns: names, and what there is to say of them.
---@param rows string[][] pairs
---@param width integer
---@return string[] lines
function M.columns_of(rows, width)
  local widest, limit = 0, math.max(8, width // 3)
  for _, row in ipairs(rows) do
    local columns = M.columns(row[1])
    if columns <= limit then widest = math.max(widest, columns) end
  end
  local lines = {}
  local indent = INDENT .. (" "):rep(widest + 2)
  for _, row in ipairs(rows) do
    local first = INDENT .. row[1]
    if row[2] == "" then
      lines[#lines + 1] = first
    elseif M.columns(row[1]) > widest then
      append(lines, {first})
      append(lines, M.wrap(row[2], width, indent))
    else
      first = first .. (" "):rep(widest + 2 - M.columns(row[1]))
      append(lines, M.wrap(row[2], width, indent, first))
    end
  end
  return lines
end

local function describe_item(item)
  local text = item.type
  if item.optional then text = text .. ", optional" end
  if item.text ~= "" then text = text .. ": " .. item.text end
  return text
end

local function add_list(lines, title, items, width)
  if #items == 0 then return end
  local rows = {}
  for i, item in ipairs(items) do rows[i] = {item.name or "", describe_item(item)} end
  append(lines, {"", title})
  if items[1].name == nil then
    for _, row in ipairs(rows) do append(lines, M.wrap(row[2], width, INDENT .. INDENT, INDENT)) end
  else
    append(lines, M.columns_of(rows, width))
  end
end

local function add_prose(lines, comment, width)
  local was_verbatim
  for _, paragraph in ipairs(comment.paragraphs) do
    local verbatim = paragraph:match("^ (.*)$")
    if not verbatim or not was_verbatim then append(lines, {""}) end
    append(lines, verbatim and {INDENT .. verbatim} or M.wrap(paragraph, width))
    was_verbatim = verbatim
  end
end

--- What follows a signature: " -> type, type".
---@param comment lull.prompt.Comment
---@return string
function M.results(comment)
  local types = {}
  for i, item in ipairs(comment.returns) do
    types[i] = item.name == "..." and "..." or item.type .. (item.optional and "?" or "")
  end
  return #types > 0 and " -> " .. table.concat(types, ", ") or ""
end

--- A comment as lines of text, without its head: prose, arguments, results and fields.
---@param comment lull.prompt.Comment
---@param width integer
---@param name string? of the function, for what it is called with instead
---@return string[] lines
function M.layout(comment, width, name)
  local lines = {}
  add_prose(lines, comment, width)
  if comment.is_async then append(lines, {"", "It may wait: call it in a task."}) end
  add_list(lines, "Arguments", comment.params, width)
  add_list(lines, "Results", comment.returns, width)
  add_list(lines, "Fields", comment.fields, width)
  for i, overload in ipairs(comment.overloads) do
    if i == 1 then append(lines, {""}) end
    local args, result = overload:match("^fun(%b()):?%s*(.*)$")
    if args then
      local text = "Also: " .. (name or "") .. args
      if result ~= "" then text = text .. " -> " .. result end
      append(lines, M.wrap(text, width, INDENT))
    end
  end
  return lines
end

return M
