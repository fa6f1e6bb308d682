-- A value made into nodes: leaves, which are text in a style, and tables with their entries. What
-- is near the top comes first: of a large value the deepest parts are left out.
local entries = require "lull.prompt.show.entries"
local layout = require "lull.prompt.show.layout"
local objects = require "lull.prompt.show.objects"
local strings = require "lull.prompt.show.strings"

local format = string.format
local next, rawget, setmetatable, tostring, type = next, rawget, setmetatable, tostring, type
local utf8_len = utf8.len

local M = {}

local KEY = 80 -- bytes shown of a key
local VISITS = 500000 -- keys that are visited, in all tables

--- What is shown of a value. Texts are in bytes; those at the top may be longer than those inside,
--- and tables at the top have more entries.
---@class lull.prompt.Limits
---@field nodes integer entries of all tables together
---@field depth integer deeper tables are shortened
---@field entries integer of a table's list, and of its other keys; entries_inside: of a table in it
---@field entries_inside integer
---@field text integer
---@field text_inside integer
---@field terse boolean whether tasks have no results

M.WHOLE = {nodes = 500, depth = 6, entries = 100, entries_inside = 30,
           text = 2000, text_inside = 160, terse = false}
M.BRIEF = {nodes = 12, depth = 2, entries = 6, entries_inside = 4,
           text = 40, text_inside = 20, terse = true}

---@class lull.prompt.Node
---@field text string? of a leaf
---@field style string? of the text
---@field note string? of a leaf, after the text
---@field width integer columns, on one line
---@field prefix lull.prompt.Node? of a table, a leaf
---@field entries {key: lull.prompt.Node?, node: lull.prompt.Node}[]? of a table, in order
---@field closed boolean? of a table whose only entry is the mark of what is left out

local function columns(text) return utf8_len(text) or #text end

local function leaf(text, style, note)
  local width = columns(text) + (note and columns(note) or 0)
  return {text = text, style = style, note = note, width = width}
end

local function mark(text) return leaf(text, "mark") end

-- ---- leaves ----

local function scalar(value, size)
  local kind = type(value)
  if kind == "string" then
    local quoted, note = strings.quoted(value, size)
    return leaf(quoted, "string", note)
  elseif kind == "number" then
    return leaf(strings.number(value), "number")
  elseif kind == "boolean" or value == nil then
    return leaf(tostring(value), "keyword")
  end
end

-- A value in a few words, for the keys of tables.
local function label(value)
  local node = scalar(value, KEY)
  if node then return node.text .. (node.note or "") end
  local text, _, fields = objects.describe(value, {terse = true})
  text = text and strings.plain(text, KEY, true)
  if not fields then return text end
  return (text and text .. " " or "") .. (next(fields) == nil and "{}" or "{...}")
end

local function key_leaf(key)
  if type(key) == "string" and strings.is_name(key) then return leaf(key, "key") end
  return leaf("[" .. label(key) .. "]", "key")
end

-- The way to a node from the value, which is `_`.
local function path(node)
  local steps = ""
  while node.parent do
    local key = node.key
    local is_name = type(key) == "string" and strings.is_name(key)
    steps = (is_name and "." .. key or "[" .. label(key) .. "]") .. steps
    node = node.parent
  end
  return "_" .. steps
end

-- What stands for a table that was met before, in a table.
local function met(node, parent)
  local ancestor = parent
  while ancestor and ancestor ~= node do ancestor = ancestor.parent end
  return mark(format(ancestor and "<cycle %s>" or "<same as %s>", path(node)))
end

local function measure(node)
  local width = 2 + (node.prefix and node.prefix.width + 1 or 0)
  for i = 1, #node.entries do
    local entry = node.entries[i]
    width = width + entry.node.width + (entry.key and entry.key.width + 3 or 0) + (i > 1 and 2 or 0)
  end
  node.width = width
end

-- ---- the walk ----

---@class lull.prompt.Walk
---@field limits lull.prompt.Limits
---@field multiline boolean whether a text may have several lines
---@field several boolean whether the value is one of several
---@field seen table the nodes of tables
---@field queue lull.prompt.Node[] those of tables that have fields to show
---@field visits integer how many keys may be visited yet
---@field nodes integer how many entries may be added yet
local Walk = {}
Walk.__index = Walk

local function brief(value)
  return layout.render(M.walk(value, {limits = M.BRIEF, several = true}), {multiline = false})
end

--- What is said of an object, before its fields if there are any.
function Walk:describe(value, parent)
  local limits = self.limits
  local text, style, fields = objects.describe(value, {
    brief = brief, terse = limits.terse, hint = not parent and not self.several,
  })
  if not text then return nil, fields end
  local size = parent and limits.text_inside or limits.text
  local one_line = parent ~= nil or fields ~= nil or not self.multiline
  return leaf(strings.plain(text, size, one_line), style), fields
end

--- Makes the node of a value that is at a key of a table, or of the value itself.
function Walk:make(value, parent, key)
  local limits = self.limits
  self.nodes = self.nodes - 1
  local node = scalar(value, parent and limits.text_inside or limits.text)
  if node then return node end
  local prefix, fields = self:describe(value, parent)
  if not fields then return prefix end
  if self.seen[value] then return met(self.seen[value], parent) end
  local depth = parent and parent.depth + 1 or 0
  node = {prefix = prefix, fields = fields, parent = parent, key = key, depth = depth, width = 0,
          entries = {}}
  if next(fields) == nil then
    measure(node)
    return node
  end
  self.seen[value] = node
  self.queue[#self.queue + 1] = node
  return node
end

local function add(node, child, key)
  node.entries[#node.entries + 1] = {node = child, key = key}
end

--- Adds the list part of a table, up to a limit.
function Walk:add_list(node, limit)
  local n = entries.list_length(node.fields)
  local shown = n < limit and n or limit
  for i = 1, shown do add(node, self:make(rawget(node.fields, i), node, i)) end
  if n > shown then add(node, mark(format("... %d more", n - shown))) end
  return n
end

--- Adds the other keys of a table, in order, up to a limit.
function Walk:add_keys(node, n, limit)
  local keys, count, all = entries.keys(node.fields, n, limit, self, label)
  for i = 1, #keys do
    local key = keys[i]
    add(node, self:make(rawget(node.fields, key), node, key), key_leaf(key))
  end
  if count > #keys then
    add(node, mark(format(all and "... %d more" or "... more than %d more", count - #keys)))
  elseif not all then
    add(node, mark("... perhaps more"))
  end
end

--- Gives a table its entries; a mark instead if it is too deep, or there have been enough.
function Walk:expand(node)
  local limits = self.limits
  if node.depth >= limits.depth or self.nodes <= 0 then
    add(node, mark("..."))
    node.closed = true
    return
  end
  local most = node.parent and limits.entries_inside or limits.entries
  local n = self:add_list(node, most < self.nodes and most or self.nodes)
  local left = self.nodes > 0 and self.nodes or 0
  self:add_keys(node, n, most < left and most or left)
end

--- Makes nodes of a value.
---@param value any
---@param options {limits: lull.prompt.Limits, multiline: boolean?, several: boolean?}
---@return lull.prompt.Node
function M.walk(value, options)
  local self = setmetatable({
    limits = options.limits,
    multiline = options.multiline or false,
    several = options.several or false,
    seen = {},
    queue = {},
    visits = VISITS,
    nodes = options.limits.nodes,
  }, Walk)
  local root = self:make(value)
  local done = 0
  while done < #self.queue do
    done = done + 1
    self:expand(self.queue[done])
  end
  for i = done, 1, -1 do measure(self.queue[i]) end -- a table comes after the one it is in
  return root
end

return M
