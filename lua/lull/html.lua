-- lull.html: HTML as browsers read it, and CSS selectors to find what is in it. Documents and nodes
-- are C objects: see lua/types/html.lua.
local check = require "lull.check"
local _, core = ...
local binding = core.binding("html")

local M = {}

--- Parses an HTML document, at once: this is no awaitable. After the parsing rules of the HTML
--- Standard (section 13.2): there is no bad HTML, whatever the bytes are gives a document with the
--- elements html, head and body.
---
--- The input is UTF-8. A byte order mark is dropped, and bytes that are not UTF-8 (as well as
--- control characters, and zeros outside of ordinary text) become U+FFFD: convert other encodings
--- first. Character references are decoded in text and in attributes. Scripts do not run, so
--- noscript elements hold elements. A tag keeps its first 1000 attributes; formatting and
--- paragraphs that are left open end where nesting is a multiple of 512 deep.
---
--- Raises an argument error if the document is no string, and an error if it is larger than
--- 256 MiB, or if it is made to need many times the memory that its size would suggest.
---@param s string
---@return lull.HtmlNode document
function M.parse(s)
  check.type(1, "parse", s, "string")
  return binding.parse(s)
end

return M
