-- What the prompt echoes: values as readable text.
local layout = require "lull.prompt.show.layout"
local names = require "lull.prompt.show.names"
local walk = require "lull.prompt.show.walk"

local concat, find = table.concat, string.find

local M = {}

local WIDTH = 80
local TAB = 8

local function settings(options)
  options = options or {}
  return {
    width = options.width or WIDTH,
    color = options.color or false,
    multiline = options.multiline ~= false,
  }
end

local function make_node(value, how, several)
  names.forget()
  return walk.walk(value, {limits = walk.WHOLE, multiline = how.multiline, several = several})
end

--- A value as text, without a newline at its end. Strings, numbers, booleans and nil look as in Lua
--- source, and so do tables: the list part, then keys, sorted, on one line if it is wide enough.
--- What is not shown is marked so:
---
---     "abc"... (5000 bytes)   the beginning of a long string
---     {1, 2, ... 980 more}    of a long table
---     {...}                   a table that is too deep inside, or comes after very many others
---     <cycle _.a[2]>          a table that contains this one; `_` is the value itself
---     <same as _.a>           a table that is shown elsewhere
---
--- An object whose class has a __tostring is shown as that text, without its fields (with them,
--- should it fail); one whose class has only a __name as that name and its fields. lull's own:
--- errors have their class, message and fields; tasks and futures their state, and what came of
--- them (an error that is shown counts as looked at); coroutine objects tell whether they were
--- awaited. No other metamethod is called, and no error comes out of one. An interrupt does.
---@param value any
---@param options {width: integer?, color: boolean?, multiline: boolean?}? width: in columns, 80 by
--- default; color: with escape sequences; multiline: false to have all on one line
---@return string
function M.value(value, options)
  local how = settings(options)
  return layout.render(make_node(value, how, false), how)
end

-- Joins texts with tabs; nil if one has several lines, or they do not fit.
local function on_one_line(texts, widths, width)
  local column = 0
  for i = 1, #texts do
    if find(texts[i], "\n", 1, true) then return nil end
    if i > 1 then column = column + TAB - column % TAB end
    column = column + widths[i]
  end
  return column <= width and concat(texts, "\t") or nil
end

--- Several values, such as a call's results: on one line with tabs between them if they fit, else
--- each on a line of its own. No values give "".
---@param packed {n: integer, [integer]: any} as table.pack gives it
---@param options {width: integer?, color: boolean?, multiline: boolean?}? as value takes it
---@return string
function M.values(packed, options)
  local n = packed.n or #packed
  if n == 1 then return M.value(packed[1], options) end
  local how = settings(options)
  local texts, widths = {}, {}
  for i = 1, n do
    local node = make_node(packed[i], how, true)
    texts[i], widths[i] = layout.render(node, how), node.width
  end
  if not how.multiline then return concat(texts, "\t") end
  return on_one_line(texts, widths, how.width) or concat(texts, "\n")
end

return M
