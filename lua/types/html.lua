---@meta lull.html
-- What C gives to `require "lull.html"`: documents and their nodes, described for editors and
-- readers. lull.html.parse is in lua/lull/html.lua. This file is never run.

--- A document or an element of one. Nodes cannot be changed. The same node is always the same
--- value, so it can be compared with == and used as a key. It keeps its whole document in memory.
---
--- `text` is the text as a reader sees it, what a browser would show without style sheets: runs of
--- white space are one space, except in pre and textarea; br and the ends of blocks break the line,
--- paragraphs have an empty line between them, cells of a table a tab. Left out is what is not
--- shown: head, script, style, noscript, template, iframe, audio, video, canvas, datalist, a dialog
--- that is not open, and what has the attribute hidden. Both ends are trimmed. Asked of such an
--- element itself, it is the text in there: the title's, the script's source. After the HTML
--- Standard's innerText, which differs in that a line break at the end of a block counts.
---
--- `tag` is in lower case, but for names such as foreignObject in SVG; that of a document is
--- "#document". The parent of the html element is the document, which has none. `attrs` is a new
--- table each time.
---@class lull.HtmlNode: userdata
---@field text string
---@field tag string
---@field parent lull.HtmlNode?
---@field attrs table<string, string> the value of each attribute, by its name
local HtmlNode = {}

--- Gives the elements in this node that match a CSS selector, in document order, each once. As in
--- the DOM's querySelectorAll, what the selector says about ancestors may be true outside of this
--- node, and the content of a template is found only from inside of it.
---
--- There are: types, *, .class, #id, [a], [a=v] with ~= |= ^= $= *= and the flags i and s, the
--- combinators " ", >, + and ~, lists with commas, :first-child, :last-child, :only-child,
--- :nth-child(an+b | odd | even), :nth-last-child(), all of these with -of-type, :not(), :is(),
--- :where(), :has(), :empty, :root, :scope (this node), and CSS escapes. Names of types and
--- attributes may be in any case; classes, ids and values may not. After Selectors Level 4.
---
--- The time is proportional to the size of this node times that of the selector; + and ~ also take
--- that of the elements before it, and :has() before a combinator that of the document. Some 256
--- selectors are remembered, so that it costs nothing to give the same one again.
---
--- Raises an argument error that says where a selector is bad, or that it is more than can be
--- done: 4096 bytes, 16 levels of brackets, 64 compounds joined by combinators (another 64 in
--- :has(), which cannot be nested).
---@param css string
---@return lull.HtmlNode[]
function HtmlNode:select(css) end

--- Gives the first element that `select` would, or nil. Raises the same errors.
---@param css string
---@return lull.HtmlNode?
function HtmlNode:select_one(css) end

--- Gives the value of an attribute, "" if it has none, nil if there is no such attribute. The name
--- may be in any case. Raises an argument error if it is no string.
---@param name string
---@return string?
function HtmlNode:attr(name) end

--- Gives the elements directly in this node, as a new list.
---@return lull.HtmlNode[]
function HtmlNode:children() end

--- Gives the element after this one in the same parent, or nil.
---@return lull.HtmlNode?
function HtmlNode:next() end

--- Gives the element before this one in the same parent, or nil.
---@return lull.HtmlNode?
function HtmlNode:previous() end

--- Gives the HTML of this node, the element's own tags included. After the HTML Standard's
--- serialising of fragments (section 13.3).
---@return string
function HtmlNode:html() end
