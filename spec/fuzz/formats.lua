-- lull.json and lull.html: texts that are nearly what they should be, values of all kinds,
-- selectors put together at random.
local html = require "lull.html"
local json = require "lull.json"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local pick, random = values.pick, math.random

-- Puts pieces together, in any order.
local function text_of(pieces, most)
  return function()
    local parts = {}
    for i = 1, random(0, most) do
      parts[i] = pick(pieces)
    end
    return table.concat(parts)
  end
end

-- ---- JSON ----

local json_pieces = text_of({
  "{", "}", "[", "]", ",", ":", '"', '"a"', '"b":', '{"k":1}', "[1,2]", "[]", "{}", "null", "true",
  "false", "0", "-1", "1.5e3", "1e999", "9223372036854775808", "-", ".", "01", "1.", " ", "\n",
  '"\\u0041"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\x"', "\\", "\0", "\255", "\xEF\xBB\xBF", "NaN",
  "/* */", "nul", "\t",
}, 12)

local scalars = { 1, -1, 0.5, 1e300, math.mininteger, "", "é", 'a"b', true, false, json.null }

-- A value that JSON has.
local function plain(depth)
  if depth == 0 or random(3) == 1 then return pick(scalars) end
  local t = random(2) == 1 and json.array() or nil
  if t then
    for i = 1, random(0, 3) do
      t[i] = plain(depth - 1)
    end
    return t
  end
  t = {}
  for _ = 1, random(0, 3) do
    t[pick { "a", "b", "c d", "", "\n" }] = plain(depth - 1)
  end
  return t
end

-- What was valid until something in it was changed.
local function damaged(text)
  local at = random(0, #text)
  local first, rest = text:sub(1, at), text:sub(at + random(0, 2))
  return first .. pick { "", "\0", ",", "]", '"', "\255", "\\" } .. rest
end

local function json_text()
  local how = random(4)
  if how == 1 then return json_pieces() end
  if how == 2 then return (pick { "[", '{"a":', "[[]," }):rep(pick { 1, 900, 1001, 5000 }) end
  local text = json.encode(plain(3))
  return how == 3 and text or damaged(text)
end

local function round_trip(value, options)
  local text = json.encode(value, options)
  local ok, err = pcall(json.decode, text, { max_depth = 100000 })
  if not ok then targets.defect(("json.decode refuses what json.encode gave: %s"):format(err)) end
  return text
end

local encode_options = values.options_of {
  indent = values.one_of { 0, 2, "\t", 100, 101, "x" },
  sort_keys = values.one_of { true, false },
  max_depth = values.one_of { 1, 3, 1000, 100000, 0 },
}

local function json_value()
  if random(2) == 1 then return plain(4) end
  return random(2) == 1 and values.a_list() or values.value()
end

targets.add_functions("json", json, {
  encode = { json_value, encode_options },
  decode = { json_text, values.options_of { max_depth = values.one_of { 1, 3, 1 << 40 } } },
})
targets.add("json", "json round trip", round_trip, nil, { json_value, encode_options })
targets.add_classes("json", json)

-- ---- HTML ----

local html_text = text_of({
  "<p>", "</p>", "<div class='a b'>", "</div>", '<a href="x" id=i>', "</a>", "<br/>", "<table>",
  "<tr><td>1<td>2", "</table>", "<pre>\n x </pre>", "<script>a<b</script>", "<!-- c -->", "<!",
  "<ul><li>1<li>2</ul>", "text ", "&amp;", "&#0;", "&nosuch;", "\0", "\255", "<", ">", "</",
  "<foreignObject>", "</svg>", "<template><p>x</template>", "<select><option>1", "<textarea>\n<",
  "<x y=1 y=2 Z>", "<p hidden>", "<style>", "</style>", "é", "<!doctype html>", "<frameset>",
  "<b><p></b>", "<math><mi>", "]]>", "<title>t</title>", ("<b>"):rep(600), "<svg>",
  "<plaintext>",
}, 15)

local selector = text_of({
  "p", "div", "a", "*", ".a", ".b", "#i", "[href]", "[href=x]", "[class~='a']", '[id|="i"]',
  "[y$='2' i]", "[y*=1 s]", " ", " > ", " + ", " ~ ", ", ", ":first-child", ":last-child",
  ":nth-child(2n+1)", ":nth-child(odd)", ":nth-last-of-type(-n+3)", ":not(", ":is(", ":where(",
  ":has(> a)", ":has(", ")", ":empty", ":root", ":scope", "\\66 oo", "\\", "[", "]", "(", "'", '"',
  ":nth-child(999999999999n)", ":", "::before", "|", "é", "\0", "/* c */", ",", ">", "svg|a", "--",
  (":not("):rep(20), ("p "):rep(70), (".a"):rep(1500),
  "[y^=1]",
}, 7)

values.makers.node = function()
  local nodes = html.parse(html_text()):select("*")
  return pick(nodes)
end

targets.add_functions("html", html, { parse = { html_text } })

local node = values.makers.node()
targets.add_methods("node", node)
for _, name in ipairs { "select", "select_one" } do
  targets.add("node", "node." .. name, node[name], "node", { selector })
end
for _, name in ipairs { "attr", "children", "next", "previous", "html" } do
  targets.add("node", "node." .. name, node[name], "node",
    { values.one_of { "href", "CLASS", "y", "", "no" } })
end
for _, name in ipairs { "text", "tag", "parent", "attrs", "nothing" } do
  targets.add("node", "node's " .. name, function(...) return (...)[name] end, "node")
end

-- The nodes that a selector finds are in the document, each once.
targets.add("node", "nodes found", function(found_in, css)
  local seen = {}
  local found = found_in:select(css)
  for _, one in ipairs(found) do
    if seen[one] then targets.defect("node:select gave a node twice for " .. css) end
    seen[one] = true
  end
  if found_in:select_one(css) ~= found[1] then
    targets.defect("node:select_one gave another node than node:select for " .. css)
  end
end, "node", { selector })
