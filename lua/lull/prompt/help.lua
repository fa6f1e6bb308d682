-- `:help`: the commands and keys of the prompt, and what a function, method, class or module does.
local _, core = ...
local comments = require "lull.prompt.help.comment"
local lookup = require "lull.prompt.help.lookup"
local manual = require "lull.prompt.help.manual"

local await = core.await

local M = {}

--- The keys of the line editor, and what they do.
M.keys = {
  {"Tab", "completes names, fields, methods, modules and paths"},
  {"Up, Down", "go through the rows of the input, and the history"},
  {"Page Up, Page Down", "go through what begins like the line in the history"},
  {"Ctrl-R, Ctrl-S", "search the history, back and forth"},
  {"Alt-Enter", "begins a new row of the same input"},
  {"Ctrl-C", "cancels what the prompt waits for, or clears the line"},
  {"Ctrl-D", "on an empty line: ends the prompt"},
}

local WIDTH, LEAST = 80, 20

local function width_of(session)
  return math.max(LEAST, math.min(session.width or WIDTH, 100))
end

local function bold(session, text)
  return session.color and "\27[1m" .. text .. "\27[22m" or text
end

local function write(session, lines)
  session.write(table.concat(lines, "\n") .. "\n")
end

-- Text of several lines, to be wrapped.
local function write_text(session, text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local wrapped = comments.wrap(line, width_of(session), "  ", "")
    table.move(wrapped, 1, #wrapped, #lines + 1, lines)
  end
  lines[1] = bold(session, lines[1])
  write(session, lines)
end

local function append(lines, more) table.move(more, 1, #more, #lines + 1, lines) end

-- ---- functions and methods ----

-- "see NAME" stands for the description of another method of the class, or another function.
local function followed(doc)
  local class, name = doc.key:match("^(.-):"), doc.text:match("^see ([%w_.]+)%f[\n\0]")
  local other = name and (class and lookup.method(class, name) or lookup.get(name))
  if not other then return doc.text end
  local prose = other.text:gsub("\n@.*$", "")
  return prose .. doc.text:gsub("^[^\n]*", "")
end

local function show_function(session, doc)
  local comment = comments.parse(followed(doc))
  local width = width_of(session)
  local lines = comments.wrap(doc.signature .. comments.results(comment), width, "    ", "")
  for i, line in ipairs(lines) do lines[i] = bold(session, line) end
  append(lines, comments.layout(comment, width, doc.signature:match("^[^(]+")))
  write(session, lines)
end

-- ---- what has parts: classes, modules ----

-- The descriptions of what belongs to a key, which a pattern takes from the others.
local function parts(key, separator)
  local list = {}
  for _, other in ipairs(lookup.docs().keys()) do
    local rest = other:sub(1, #key + 1) == key .. separator and other:sub(#key + 2)
    if rest and not rest:find("[.:]") then list[#list + 1] = lookup.get(other) end
  end
  return list
end

local function name_of(doc)
  return doc.signature:match("[%w_]+%b()$") or doc.key:match("[^.:]+$")
end

local function add_parts(lines, title, docs, width)
  if #docs == 0 then return end
  local rows = {}
  for i, doc in ipairs(docs) do
    local text = doc.kind == "module" and doc.text:gsub("^lull[%w_.]*: ", "") or followed(doc)
    rows[i] = {name_of(doc), comments.first_sentence(text)}
  end
  append(lines, {"", title})
  append(lines, comments.columns_of(rows, width))
end

local function show_class(session, doc, what)
  local comment = comments.parse(doc.text)
  local width = width_of(session)
  local head = (what and what .. ": " or "") .. doc.key
  local is_lull = comment.parent and lookup.get(comment.parent)
  if is_lull then head = ("%s, a %s"):format(head, comment.parent) end
  local lines = {bold(session, head)}
  append(lines, comments.layout(comment, width, doc.key))
  add_parts(lines, "Methods", parts(doc.key, ":"), width)
  local parent = comment.parent
  while parent and lookup.get(parent) do
    add_parts(lines, "Methods of " .. parent, parts(parent, ":"), width)
    parent = comments.parse(lookup.get(parent).text).parent
  end
  write(session, lines)
end

local MANY = 24

-- Classes and values are listed by their names only where they are many.
local function add_names(lines, title, docs, width)
  if #docs < MANY then return add_parts(lines, title, docs, width) end
  local names = {}
  for i, doc in ipairs(docs) do names[i] = name_of(doc) end
  append(lines, {"", title})
  append(lines, comments.wrap(table.concat(names, ", "), width, "  "))
end

local function show_module(session, doc)
  local width = width_of(session)
  local text = doc.text:gsub("^lull[%w_.]*: (%l?)", string.upper, 1)
  local lines = {bold(session, doc.key)}
  append(lines, comments.layout(comments.parse(text), width))
  local of_kind = {["function"] = {}, value = {}, class = {}, module = {}}
  for _, part in ipairs(parts(doc.key, ".")) do
    if of_kind[part.kind] then table.insert(of_kind[part.kind], part) end
  end
  add_parts(lines, "Functions", of_kind["function"], width)
  add_parts(lines, "Modules", of_kind.module, width)
  add_names(lines, "Values", of_kind.value, width)
  add_names(lines, "Classes", of_kind.class, width)
  append(lines, {""})
  append(lines, comments.wrap((":help %s.NAME tells more."):format(doc.key), width))
  write(session, lines)
end

local function show_value(session, doc)
  local comment = comments.parse(doc.text)
  local head = doc.key .. (comment.type and ": " .. comment.type or "")
  local lines = {bold(session, head)}
  append(lines, comments.layout(comment, width_of(session)))
  write(session, lines)
end

local function show_doc(session, doc)
  if doc.kind == "class" then return show_class(session, doc) end
  if doc.kind == "module" then return show_module(session, doc) end
  if doc.kind == "value" then return show_value(session, doc) end
  return show_function(session, doc)
end

-- ---- functions of users ----

local MOST_BYTES = 1 << 24 -- of a source file that is read for its comments

-- The lines of a source file; nil if it cannot be read.
local function read_lines(path)
  local fs = require "lull.fs"
  local ok, text = require("lull").try(function()
    local stat = await(fs.stat(path))
    return stat.type == "file" and stat.size <= MOST_BYTES and await(fs.read_file(path))
  end)
  if not ok or not text then return nil end
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do lines[#lines + 1] = line end
  return lines
end

local function comment_above(lines, number)
  local first = number
  while first > 1 and (lines[first - 1]:find("^%s*%-%-") and lines[first - 1]:find("^%s*%-%-[^%[]")
    or lines[first - 1]:find("^%s*%-%-+$")) do
    first = first - 1
  end
  local list = {}
  for i = first, number - 1 do
    list[#list + 1] = lines[i]:gsub("^%s*%-%-%-?%s?", "", 1)
  end
  return table.concat(list, "\n")
end

local function parameters(f, info)
  local names = {}
  for i = 1, info.nparams do names[i] = debug.getlocal(f, i) end
  if info.isvararg then names[#names + 1] = "..." end
  return "(" .. table.concat(names, ", ") .. ")"
end

local function place_of(info)
  if info.source:find("^@") then
    return ("%s:%d"):format(info.source:sub(2), info.linedefined)
  elseif info.source:find("^=") then
    return ("%s, line %d"):format(info.source:sub(2), info.linedefined)
  end
  return ("a string, line %d"):format(info.linedefined)
end

-- What is said of a function that is none of lull's, written in Lua.
local function show_foreign(session, f, name, is_async)
  local info = debug.getinfo(f, "Su")
  local lines = info.source:find("^@") and info.linedefined > 0 and read_lines(info.source:sub(2))
  local text = lines and lines[info.linedefined] and comment_above(lines, info.linedefined) or ""
  local doc = comments.parse(text)
  local width = width_of(session)
  local head = name .. parameters(f, info) .. comments.results(doc)
  if is_async then head = head .. (#doc.returns == 0 and " -> coroutine object" or "") end
  local out = comments.wrap((is_async and "async " or "") .. head, width, "    ", "")
  for i, line in ipairs(out) do out[i] = bold(session, line) end
  append(out, comments.layout(doc, width, name))
  append(out, {"", "Defined in " .. place_of(info) .. "."})
  write(session, out)
end

-- ---- values ----

local function article(word) return (word:find("^[aeio]") and "an " or "a ") .. word end

-- Tells of a value that a name, or an expression, has given.
local function show_named(session, value, name, owner, key)
  local doc = lookup.value(value)
  local class = not doc and owner ~= nil and lookup.class_of(owner)
  doc = doc or class and lookup.method(class.key, key)
  if doc then return show_doc(session, doc) end
  local text = manual.value(value)
  if text then return write_text(session, text) end
  if type(value) == "function" then
    local body = core.async_body(value)
    if debug.getinfo(body or value, "S").what ~= "C" then
      return show_foreign(session, body or value, name, body ~= nil)
    end
    return write(session, {name .. " is a function written in C, of which nothing is known here."})
  end
  class = lookup.class_of(value)
  if class then return show_class(session, class, name) end
  write(session, {("%s is %s. :help tells of functions, and of what lull brings."):format(name,
    value == nil and "nil" or article(type(value)))})
end

-- An expression that is no path of names: what it gives is looked at.
local function show_expression(session, text)
  show_named(session, (session.evaluate(text)), text)
end

local function complain(session, name)
  local near = lookup.near(session, name)
  local text = ("nothing is known of '%s'"):format(name)
  if #near > 0 then
    text = ("%s; perhaps you mean %s"):format(text, table.concat(near, ", ", 1, #near - 1)
      .. (#near > 1 and " or " or "") .. near[#near])
  end
  local reason = lookup.docs().reason
  error(reason and ("%s (%s)"):format(text, reason) or text, 0)
end

--- Tells what a name, or an expression, stands for.
---@async
---@param session table
---@param name string
function M.describe(session, name)
  name = name:gsub("%(%)$", "")
  local word = manual.keyword(name)
  if word then return write_text(session, word) end
  if not lookup.is_path(name) then return show_expression(session, name) end
  local value, owner, key = lookup.follow(session, name)
  if value ~= nil then return show_named(session, value, name, owner, key) end
  local doc = lookup.named(name)
  if doc then return show_doc(session, doc) end
  complain(session, name)
end

--- Lists the commands and the keys.
---@param session table
---@param commands string[][] pairs: how a command is written, and what it does
function M.overview(session, commands)
  local width = width_of(session)
  local lines = comments.wrap("Type Lua: expressions are echoed, await works, locals stay, _ is "
    .. "the last value. Lines that begin with a colon are commands; they may be shortened.", width)
  append(lines, {"", bold(session, "Commands")})
  append(lines, comments.columns_of(commands, width))
  append(lines, {"", bold(session, "Keys")})
  append(lines, comments.columns_of(M.keys, width))
  write(session, lines)
end

--- Names to complete after `:help`: those of what is described, as they would be written.
---@param text string what is typed of it
---@return string[]
function M.complete(text)
  local list = {}
  for _, key in ipairs(lookup.docs().keys()) do
    local short = key:gsub("^lull%.", "")
    local name = text:find("^lull%.") and key or short
    if name:sub(1, #text) == text and not name:sub(#text + 1):find("[.:].*[.:]") then
      list[#list + 1] = name
    end
  end
  return list
end

return M
