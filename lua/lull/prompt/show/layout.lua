-- Nodes made into text: on one line if it is wide enough, else an entry a line.
local concat, huge, rep, setmetatable = table.concat, math.huge, string.rep, setmetatable

local M = {}

local COLORS = { -- ECMA-48, SGR; the 16 colours that terminals let their users choose
  string = "\27[32m",
  number = "\27[33m",
  keyword = "\27[35m",
  key = "\27[36m",
  mark = "\27[90m",
  object = "\27[94m",
  error = "\27[31m",
}
local PLAIN = "\27[39m"
local INDENT = 2
local SHORT = 24 -- columns: items of a list that share lines

---@class lull.prompt.Layout
---@field parts string[] the text so far
---@field width integer columns there are; math.huge to have all on one line
---@field color boolean
local Layout = {}
Layout.__index = Layout

--- Puts text, in a style of the palette if one is given.
function Layout:put(text, style)
  local color = self.color and COLORS[style]
  self.parts[#self.parts + 1] = color and color .. text .. PLAIN or text
end

--- Puts what has no parts.
function Layout:put_leaf(leaf)
  self:put(leaf.text, leaf.style)
  if leaf.note then self:put(leaf.note, "mark") end
end

--- Begins a line.
function Layout:indent(column)
  self:put("\n" .. rep(" ", column))
end

--- Puts the key of an entry, if it has one that is shown.
function Layout:put_key(entry)
  if not entry.key then return end
  self:put_leaf(entry.key)
  self:put(" = ")
end

local function key_width(entry) return entry.key and entry.key.width + 3 or 0 end

--- Puts a node on one line.
function Layout:put_flat(node)
  if not node.entries then
    self:put_leaf(node)
    return
  end
  if node.prefix then
    self:put_leaf(node.prefix)
    self:put(" ")
  end
  self:put("{")
  for i = 1, #node.entries do
    if i > 1 then self:put(", ") end
    self:put_key(node.entries[i])
    self:put_flat(node.entries[i].node)
  end
  self:put("}")
end

-- Whether a node is never put on several lines: a leaf, a table that is empty or not gone into.
local function is_small(node) return not node.entries or #node.entries == 0 or node.closed end

local function is_short(entry)
  return not entry.key and is_small(entry.node) and entry.node.width <= SHORT
end

--- Puts short items from one on, as many as a line takes. Gives the index of the first that is
--- left.
function Layout:put_line(list, i, column)
  repeat
    local node = list[i].node
    self:put_flat(node)
    column, i = column + node.width + 2, i + 1
    local next_one = list[i]
    if next_one then self:put(",") end
    -- a comma comes after it, too
    local fits = next_one and is_short(next_one) and column + next_one.node.width < self.width
    if fits then self:put(" ") end
  until not fits
  return i
end

--- Puts the entries of a node, on lines of their own or several to a line.
function Layout:put_lines(node, column)
  if node.prefix then
    self:put_leaf(node.prefix)
    self:put(" ")
  end
  self:put("{")
  local list, inner, i = node.entries, column + INDENT, 1
  while i <= #list do
    self:indent(inner)
    if is_short(list[i]) then
      i = self:put_line(list, i, inner)
    else
      self:put_key(list[i])
      self:put_node(list[i].node, inner, key_width(list[i]))
      if i < #list then self:put(",") end
      i = i + 1
    end
  end
  self:indent(column)
  self:put("}")
end

--- Puts a node on a line that is indented to a column, behind a key of some width.
function Layout:put_node(node, column, key)
  local comma = column > 0 and 1 or 0
  if is_small(node) or column + key + node.width + comma <= self.width then
    self:put_flat(node)
  else
    self:put_lines(node, column)
  end
end

--- A node as text.
---@param node lull.prompt.Node
---@param options {width: integer?, color: boolean?, multiline: boolean?} without multiline, all is
--- on one line, whatever the width
---@return string
function M.render(node, options)
  local layout = setmetatable({
    parts = {},
    width = options.multiline and options.width or huge,
    color = options.color or false,
  }, Layout)
  layout:put_node(node, 0, 0)
  return concat(layout.parts)
end

return M
