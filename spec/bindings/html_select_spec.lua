-- lull.html: CSS selectors, by a table of cases, and against a matcher that tries everything.
local html = require "lull.html"

-- The ids of the elements a selector finds, separated by spaces.
local function ids(node, css)
  local found = {}
  for i, element in ipairs(node:select(css)) do found[i] = element:attr("id") or element.tag end
  return table.concat(found, " ")
end

local document = html.parse [[
<!doctype html>
<html lang="en-GB"><head><title id="title">T</title></head><body id="body">
<div id="d1" class="box Big" data-a="one two" title="Hello World">
  <p id="p1" class="x y">one</p>
  <p id="p2" class="y" lang="en">two <b id="b1">bold</b><i id="i1"></i></p>
  <!-- comment --><span id="s1" data-a="one"></span>
  <p id="p3" class="z&#9;y" lang="fr-CA">three</p>
</div>
<ul id="u1"><li id="l1">1<li id="l2">2<li id="l3">3<li id="l4">4<li id="l5">5<li id="l6">6</ul>
<div id="d2" class="box"><div id="d3"><p id="p4">four <b id="b2">x</b></p></div><x-y id="xy"></x-y>
  <p id="p5"><!-- only a comment --></p><p id="p6"> </p></div>
<svg id="svg" viewBox="0 0 1 1"><linearGradient id="lg"/><a id="sa" xlink:href="#x"></a></svg>
<a id="1a" href="https://x.org/a.PDF" class="a:b c.d">é</a>
<a id="ü" href="/b.pdf?q=[1]" rel="">quote</a>
<template id="t1"><p id="tp"><b id="tb">in</b></p></template>
<input id="in" type="TEXT">
</body></html>]]

describe("a selector", function()
  local cases = {
    -- types
    {"p", "p1 p2 p3 p4 p5 p6"},
    {"P", "p1 p2 p3 p4 p5 p6"},
    {"x-y", "xy"},
    {"lineargradient", "lg"},
    {"linearGradient", "lg"},
    {"nothing", ""},
    {"ul *", "l1 l2 l3 l4 l5 l6"},
    -- classes and ids
    {".box", "d1 d2"},
    {".big", ""},
    {".Big", "d1"},
    {"div.box.Big", "d1"},
    {".y", "p1 p2 p3"},
    {".x.y", "p1"},
    {"#p2", "p2"},
    {"p#p2.y", "p2"},
    {"div#p2", ""},
    {"#P2", ""},
    {"#ü", "ü"},
    {"*#b1", "b1"},
    -- attributes
    {"[lang]", "html p2 p3"},
    {"[LANG]", "html p2 p3"},
    {"p[lang]", "p2 p3"},
    {"[lang=en]", "p2"},
    {'[lang="en"]', "p2"},
    {"[lang='en']", "p2"},
    {"[ lang = en ]", "p2"},
    {"[lang|=en]", "html p2"},
    {"[lang|=fr]", "p3"},
    {"[data-a~=one]", "d1 s1"},
    {"[data-a~=two]", "d1"},
    {"[data-a~='one two']", ""},
    {"[data-a~='']", ""},
    {"[data-a=one]", "s1"},
    {"[href^='https:']", "1a"},
    {"[href$='.pdf']", ""},
    {"[href$='.pdf' i]", "1a"},
    {"[href*='.pdf']", "ü"},
    {"[href*='.PDF'i]", "1a ü"},
    {"[href*='.PDF' s]", "1a"},
    {"[href^=''], [href$=''], [href*='']", ""},
    {"[rel='']", "ü"},
    {"[rel|='']", "ü"},
    {"[type=text]", ""},
    {"[type=text i]", "in"},
    {"[title='hello world' I]", "d1"},
    {"[title=hello\\ World i]", "d1"},
    {"[viewbox]", "svg"},
    {"[viewBox='0 0 1 1']", "svg"},
    {"[xlink\\:href]", "sa"},
    {"[href*='[1]']", "ü"},
    {'[href="/b.pdf?q=\\5b 1]"]', "ü"},
    -- combinators
    {"div p", "p1 p2 p3 p4 p5 p6"},
    {"div > p", "p1 p2 p3 p4 p5 p6"},
    {"#d2 > p", "p5 p6"},
    {"#d2>p", "p5 p6"},
    {"#d2\n>\tp", "p5 p6"},
    {"div div p b", "b2"},
    {"div > div > p > b", "b2"},
    {"body > p", ""},
    {"p + p", "p2 p6"},
    {"p ~ p", "p2 p3 p6"},
    {"p ~ span", "s1"},
    {"span+p", "p3"},
    {"p + span + p", "p3"},
    {"p ~ span ~ p", "p3"},
    {"p ~ p b", "b1"},
    {"p + p > b + i", "i1"},
    {"#l2 ~ li", "l3 l4 l5 l6"},
    {"#l2 ~ #l4 + li ~ *", "l6"},
    {"div ul", ""},
    {"div ~ ul ~ div b", "b2"},
    {"html body div p", "p1 p2 p3 p4 p5 p6"},
    {"title ~ p", ""},
    -- places
    {"li:first-child", "l1"},
    {"li:last-child", "l6"},
    {"p:first-child", "p1 p4"},
    {"p:last-child", "p3 p4 p6"},
    {"p:only-child", "p4"},
    {"#d1 :first-of-type", "p1 b1 i1 s1"},
    {"#d1 > :last-of-type", "s1 p3"},
    {"#d1 > :only-of-type", "s1"},
    {"li:nth-child(1)", "l1"},
    {"li:nth-child(odd)", "l1 l3 l5"},
    {"li:nth-child(EVEN)", "l2 l4 l6"},
    {"li:nth-child(2n)", "l2 l4 l6"},
    {"li:nth-child(2n+1)", "l1 l3 l5"},
    {"li:nth-child( 2n + 1 )", "l1 l3 l5"},
    {"li:nth-child(3n-1)", "l2 l5"},
    {"li:nth-child(n)", "l1 l2 l3 l4 l5 l6"},
    {"li:nth-child(n+5)", "l5 l6"},
    {"li:nth-child(-n+2)", "l1 l2"},
    {"li:nth-child(-2n+5)", "l1 l3 l5"},
    {"li:nth-child(+3)", "l3"},
    {"li:nth-child(+n)", "l1 l2 l3 l4 l5 l6"},
    {"li:nth-child(0)", ""},
    {"li:nth-child(-1)", ""},
    {"li:nth-child(0n+2)", "l2"},
    {"li:nth-child(99999999999999999999)", ""},
    {"li:nth-child(99999999999999999999n+2)", "l2"},
    {"li:nth-last-child(1)", "l6"},
    {"li:nth-last-child(-n+2)", "l5 l6"},
    {"#d1 > p:nth-of-type(2)", "p2"},
    {"#d1 > p:nth-of-type(odd)", "p1 p3"},
    {"#d1 > p:nth-last-of-type(1)", "p3"},
    {"li:nth-child(n+2):nth-child(-n+4)", "l2 l3 l4"},
    -- other pseudo-classes
    {":root", "html"},
    {":root > body", "body"},
    {"p:empty", "p5"},
    {"#d1 :empty", "i1 s1"},
    {"p:not(.y)", "p4 p5 p6"},
    {"p:not(.x, .z)", "p2 p4 p5 p6"},
    {"p:not(div > div > p)", "p1 p2 p3 p5 p6"},
    {"p:not(#d1 p, p + p)", "p4 p5"},
    {"p:not(:not(.x))", "p1"},
    {"li:not(:first-child):not(:last-child)", "l2 l3 l4 l5"},
    {":is(ul, p) b", "b1 b2"},
    {":is(#d1, #d2 > div) > p", "p1 p2 p3 p4"},
    {"p:is(.x, div div *)", "p1 p4"},
    {":where(#d1) > b, :where(i)", "i1"},
    {"p:has(b)", "p2 p4"},
    {"div:has(b)", "d1 d2 d3"},
    {"div:has(> b)", ""},
    {"div:has(> p > b)", "d1 d3"},
    {"div:has(> div p b)", "d2"},
    {"p:has(+ p)", "p1 p5"},
    {"p:has(+ span)", "p2"},
    {"p:has(~ span)", "p1 p2"},
    {"p:has(~ span + p)", "p1 p2"},
    {"li:has(+ li + li + li + li)", "l1 l2"},
    {"p:has(i, + span)", "p2"},
    {"p:not(:has(*))", "p1 p3 p5 p6"},
    {"div:has(:not(p, b, i, span))", "d2"},
    {"div:has(p:is(.z))", "d1"},
    {"div:has(p) + ul", "u1"},
    {"div:has(i) p:first-child", "p1"},
    {"template:has(b)", ""},
    {"template p", ""},
    {"#tp", ""},
    -- lists
    {"b, i", "b1 i1 b2"},
    {"i,b", "b1 i1 b2"},
    {"p, p, .y, div p", "p1 p2 p3 p4 p5 p6"},
    {" b , #nothing , i ", "b1 i1 b2"},
    -- escapes
    {"#\\31 a", "1a"},
    {"#\\000031a", "1a"},
    {"#\\31\ta", "1a"},
    {".a\\:b", "1a"},
    {".c\\.d", "1a"},
    {".a\\3a b.c\\2e d", "1a"},
    {"#\\fc", "ü"},
    {"#\\FC ", "ü"},
    {"#\\0", ""},
    {"#\\110000 x, #\\d800", ""},
    {"\\70", "p1 p2 p3 p4 p5 p6"},
    {"[\\6c ang]", "html p2 p3"},
    {"[lang='\\65n']", "p2"},
    {"[lang='e\\\nn']", "p2"},
    {"[title=\"Hello\\20World\"]", "d1"},
  }

  it("finds the elements it describes, each once, in document order", function()
    for _, case in ipairs(cases) do
      assert.equal(case[2], ids(document, case[1]), case[1])
      local first = document:select(case[1])[1]
      assert.equal(first, document:select_one(case[1]), case[1])
    end
  end)

  it("is the same in upper case, as far as HTML's names go", function()
    assert.equal("l2 l4 l6", ids(document, "LI:NTH-CHILD(2N)"))
    assert.equal("p1", ids(document, "P:NOT(:NOT(.x))"))
    assert.equal("html", ids(document, ":ROOT"))
  end)

  it("is matched below a node, but looks around it", function()
    local d1, u1 = document:select_one("#d1"), document:select_one("ul")
    local d2 = document:select_one("#d2")
    assert.equal("p1 p2 p3", ids(d1, "p"))
    assert.equal("b1", ids(d1, "div p b"))
    assert.equal("b1", ids(d1, "body #d1 b"))
    assert.equal("", ids(d1, "#d1"))
    assert.equal("l1 l2 l3 l4 l5 l6", ids(u1, "div + ul > li"))
    assert.equal("l1", ids(u1, "div:has(i) ~ ul > :first-child"))
    assert.equal("", ids(u1, "ul ~ ul > li"))
    assert.equal("d3 p5", ids(d2, ":scope > div, :scope > x-y + p"))
    assert.equal("p4 b2 p5 p6", ids(d2, "ul + div :is(p, b)"))
    assert.equal("p4", ids(d2, "p:has(b)"))
    assert.equal("head body", ids(document, ":scope > *"))
    assert.equal("i1", document:select_one("#p2"):select_one(":last-child"):attr("id"))
    assert.same({}, document:select_one("#i1"):select("*"))
    assert.is_nil(document:select_one("#i1"):select_one("*"))
  end)

  it("finds a template's content only from inside", function()
    local template = document:select_one("template")
    assert.equal("tp tb", ids(template, "*"))
    assert.equal("tb", ids(template, "p > b"))
    assert.equal("tb", ids(template:select_one("p"), "b:first-child"))
    assert.equal("", ids(template, "template p, body p"))
    assert.equal("", ids(template:select_one("p"), "template b"))
  end)

  it("can be used again after many others", function()
    for round = 1, 3 do
      for i = 1, 300 do
        assert.equal("l" .. i % 6 + 1, ids(document, ("ul > li:nth-child(%d)"):format(i % 6 + 1)
          .. (" "):rep(i)), round)
      end
      collectgarbage()
    end
  end)
end)

describe("a bad selector", function()
  local cases = {
    {"", 1, "a selector expected"},
    {"  ", 3, "a selector expected"},
    {"p >", 4, "a selector expected"},
    {"> p", 1, "a selector expected"},
    {"p >> b", 4, "a selector expected"},
    {"p,", 3, "a selector expected"},
    {",p", 1, "a selector expected"},
    {"p,,b", 3, "a selector expected"},
    {"p!", 2, "unexpected character"},
    {"p)", 2, "unexpected character"},
    {"svg|a", 4, "unexpected character"},
    {"p\0", 2, "unexpected character"},
    {"**", 2, "unexpected character"},
    {"a/*x*/b", 2, "unexpected character"},
    {".", 2, "a name expected"},
    {"#", 2, "a name expected"},
    {"#1", 2, "a name expected"},
    {".-1", 2, "a name expected"},
    {"p.", 3, "a name expected"},
    {"12", 1, "a selector expected"},
    {"[", 2, "a name expected"},
    {"[]", 2, "a name expected"},
    {"[a", 3, "']' expected"},
    {"[a b]", 4, "']' expected"},
    {"[a=]", 4, "a name or string expected"},
    {"[a=1]", 4, "a name or string expected"},
    {"[a~b]", 4, "'=' expected"},
    {"[a=b", 5, "']' expected"},
    {"[a=b x]", 6, "']' expected"},
    {"[a='b]", 4, "unfinished string"},
    {"[a='b\nc']", 4, "unfinished string"},
    {"p:", 3, "a name expected"},
    {"p::before", 3, "a name expected"},
    {"p:hover", 2, "unknown pseudo-class"},
    {"a p:nth(1)", 4, "unknown pseudo-class"},
    {":nth-child", 11, "'(' expected"},
    {":nth-child()", 12, "odd, even or an+b expected"},
    {":nth-child(x)", 12, "odd, even or an+b expected"},
    {":nth-child(2n+)", 12, "odd, even or an+b expected"},
    {":nth-child(2n1)", 14, "')' expected"},
    {":nth-child(2 n)", 14, "')' expected"},
    {":nth-child(- 1)", 12, "odd, even or an+b expected"},
    {":nth-child(1 of p)", 14, "')' expected"},
    {":first-child()", 13, "unexpected character"},
    {":not", 5, "'(' expected"},
    {":not()", 6, "a selector expected"},
    {":not(p", 7, "')' expected"},
    {":not(p,)", 8, "a selector expected"},
    {":is(> p)", 5, "a selector expected"},
    {":has()", 6, "a selector expected"},
    {":has(> )", 8, "a selector expected"},
    {":has(:has(p))", 10, ":has() inside of :has()"},
    {":has(:is(a b))", 11, "no combinator can be here, inside of :has()"},
    {"\\", 2, "a character expected after '\\'"},
    {"p\\\nx", 3, "a character expected after '\\'"},
  }

  it("is an error that quotes it and says where it is bad", function()
    for _, case in ipairs(cases) do
      local css, at, message = table.unpack(case)
      local ok, err = pcall(function() document:select(css) end)
      assert.is_false(ok, css)
      local shown = css:gsub("%c", "?")
      local expected = ("bad argument #1 to 'select' (bad selector \"%s\" at character %d: %s)")
        :format(shown, at, message)
      assert.equal(expected, err:match("^spec/.-%.lua:%d+: (.*)$"))
      ok, err = pcall(function() document:select_one(css) end)
      assert.is_false(ok)
      assert.matches("to 'select_one' (bad selector \"" .. shown, err, 1, true)
    end
  end)

  it("is one that is too long, too deep or has too many parts", function()
    local function fails(css, message)
      assert.has_error.matches(function() document:select(css) end, message)
    end
    fails(("p"):rep(4097), 'bad selector "' .. ("p"):rep(100) .. '..." at character 4097: too long')
    fails((":not("):rep(17) .. "p" .. (")"):rep(17), "nested too deeply")
    fails(("a "):rep(65), "too many parts")
    fails((":not(a b),"):rep(33) .. "p", "too many parts")
    fails(":has(" .. ("a "):rep(65) .. ")", "too many parts")
    assert.same({}, document:select(("p"):rep(4096)))
    assert.same({}, document:select(("a "):rep(63) .. "a"))
    assert.equal(6, #document:select((":not("):rep(16) .. "p" .. (")"):rep(16)))
    assert.equal(2, #document:select(("b,"):rep(2000) .. "b"))
  end)
end)

describe("selecting", function()
  -- A function that fails to be quick would take hours here.
  it("takes time in proportion to the document, whatever the selector is", function()
    local started = os.clock()
    local deep = html.parse(("<div>"):rep(20000))
    local wide = html.parse("<ul>" .. ("<li>x"):rep(50000) .. "</ul>")
    local both = html.parse("<ul>" .. ("<li><b><i>x</i></b>"):rep(20000) .. "</ul>")
    for _, css in ipairs {
      ("div "):rep(30) .. "p", ("div > "):rep(30) .. "p", "p " .. ("div "):rep(60) .. "div",
      "div:not(" .. ("div "):rep(40) .. "p)", "div:has(" .. ("div "):rep(40) .. "p)",
      ("li ~ "):rep(60) .. "p", "p" .. (" ~ li"):rep(60), ("li + "):rep(60) .. "p",
      "li:nth-child(2n+1):nth-last-child(3n):nth-of-type(5n):nth-last-of-type(7n)",
      "li:has(~ li ~ p)", "li:has(+ li + li + p)", "li:only-child, li:only-of-type",
      (":is("):rep(16) .. "div div div" .. (")"):rep(16), ("li,"):rep(1000) .. "p",
      "li:not(li ~ li ~ li)", ":not(:not(div > div ~ div), li + li)",
    } do
      for _, tree in ipairs {deep, wide, both} do assert.is_table(tree:select(css)) end
    end
    assert.is_true(os.clock() - started < 30)
  end)

  it("below many nodes of a large document does not look at all of it each time", function()
    local started = os.clock()
    local big = html.parse("<table>" .. ("<tr class=r><td><a href=x>y</a>"):rep(20000))
    local count = 0
    for _, row in ipairs(big:select("table .r")) do
      if row:select_one("table td > a[href]") and row:select_one(":scope > td:has(a)")
        and row.text == "y" then count = count + 1 end
    end
    assert.equal(20000, count)
    assert.is_true(os.clock() - started < 20)
  end)
end)

-- ---- the same by trying everything ----

local random = math.random
local TYPES, CLASSES = {"div", "span", "section", "x-y"}, {"a", "b", "c"}

local function pick(list) return list[random(#list)] end

local function random_markup(depth)
  local parts = {}
  for i = 1, random(0, 4) do
    local tag, class = pick(TYPES), pick(CLASSES)
    if random(8) == 1 then
      parts[i] = pick {"text", "<!-- c -->"}
    else
      parts[i] = ("<%s class='%s%s'>%s</%s>"):format(tag, class,
        random(3) == 1 and " " .. pick(CLASSES) or "", depth > 0 and random_markup(depth - 1) or "",
        tag)
    end
  end
  return table.concat(parts)
end

-- A selector is a list of chains; a chain is a list of compounds with the combinator to the left of
-- each; a compound is a list of tests, {css, function(node)}.
local random_list

local function has_class(node, class)
  return (" " .. (node:attr("class") or "") .. " "):find(" " .. class .. " ", 1, true) ~= nil
end

local function place(node, of_type, from_last)
  local count = 0
  local sibling = node
  while sibling do
    if not of_type or sibling.tag == node.tag then count = count + 1 end
    if from_last then sibling = sibling:next() else sibling = sibling:previous() end
  end
  return count
end

local function random_place()
  local a, b = random(-3, 3), random(-3, 4)
  local of_type, from_last = random(2) == 1, random(2) == 1
  local css = (":nth%s-%s(%dn%+d)"):format(from_last and "-last" or "",
    of_type and "of-type" or "child", a, b)
  return {css, function(node)
    local n = place(node, of_type, from_last)
    for i = 0, 20 do
      if a * i + b == n then return true end
    end
    return false
  end}
end

local matches_any, found_from

local function random_test(depth, in_has)
  local kind = random(depth > 0 and 10 or 5)
  if kind <= 2 then
    local class = pick(CLASSES)
    return {"." .. class, function(node) return has_class(node, class) end}
  elseif kind <= 3 then
    return random_place()
  elseif kind == 4 then
    return {":empty", function(node)
      return not node:html():gsub("<!%-%-.-%-%->", ""):find(">.+</")
    end}
  elseif kind == 5 then
    return {"[class$=c]", function(node) return (node:attr("class") or ""):sub(-1) == "c" end}
  elseif kind <= 7 then
    local list = random_list(depth - 1, in_has, in_has and 1)
    return {":not(" .. list.css .. ")", function(node) return not matches_any(node, list) end}
  elseif kind <= 8 or in_has then
    local list = random_list(depth - 1, in_has, in_has and 1)
    return {":is(" .. list.css .. ")", function(node) return matches_any(node, list) end}
  end
  local list = random_list(depth - 1, true, nil, pick {"", "> ", "+ ", "~ "})
  return {":has(" .. list.css .. ")", function(node)
    for _, chain in ipairs(list) do
      if found_from(node, chain, 1) then return true end
    end
    return false
  end}
end

local function random_compound(depth, in_has)
  local compound = {type = random(2) == 1 and pick(TYPES) or "*"}
  compound.css = compound.type
  for i = 1, random(0, 2) do
    compound[i] = random_test(depth, in_has)
    compound.css = compound.css .. compound[i][1]
  end
  return compound
end

local function random_chain(depth, in_has, length, first)
  local chain = {css = first or ""}
  for i = 1, length do
    local compound = random_compound(depth, in_has)
    compound.combinator = i == 1 and (first and first:sub(1, 1) or "") or pick {" ", ">", "+", "~"}
    chain.css = chain.css .. (i > 1 and compound.combinator or "") .. compound.css
    if compound.combinator == "" then compound.combinator = " " end
    chain[i] = compound
  end
  return chain
end

function random_list(depth, in_has, length, first)
  local list, css = {}, {}
  for i = 1, random(2) do
    list[i] = random_chain(depth, in_has, length or random(3), first)
    css[i] = list[i].css
  end
  list.css = table.concat(css, ", ")
  return list
end

local function matches_compound(node, compound)
  if compound.type ~= "*" and node.tag ~= compound.type then return false end
  for _, test in ipairs(compound) do
    if not test[2](node) then return false end
  end
  return true
end

local function is_element(node) return node ~= nil and node.tag ~= "#document" end

local function matches_chain(node, chain, i)
  if not is_element(node) or not matches_compound(node, chain[i]) then return false end
  if i == 1 then return true end
  local combinator, other = chain[i].combinator, node
  repeat
    if combinator == " " or combinator == ">" then other = other.parent
    else other = other:previous() end
    if is_element(other) and matches_chain(other, chain, i - 1) then return true end
  until combinator == ">" or combinator == "+" or not is_element(other)
  return false
end

function matches_any(node, list)
  for _, chain in ipairs(list) do
    if matches_chain(node, chain, #chain) then return true end
  end
  return false
end

local function candidates(node, combinator)
  local list = {}
  if combinator == " " then return node:select("*") end
  if combinator == ">" then return node:children() end
  local sibling = node:next()
  while sibling do
    list[#list + 1] = sibling
    sibling = combinator == "~" and sibling:next() or nil
  end
  return list
end

function found_from(node, chain, i)
  for _, other in ipairs(candidates(node, chain[i].combinator)) do
    if matches_compound(other, chain[i]) and (i == #chain or found_from(other, chain, i + 1)) then
      return true
    end
  end
  return false
end

describe("selecting by random selectors", function()
  it("gives what trying everything gives", function()
    local found, empty = 0, 0
    for seed = 1, 700 do
      math.randomseed(seed)
      local tree = html.parse(random_markup(4))
      local all = tree:select("*")
      local list = random_list(2, false)
      local scope = random(3) == 1 and pick(all) or tree
      local expected = {}
      for _, node in ipairs(scope:select("*")) do
        if matches_any(node, list) then expected[#expected + 1] = node end
      end
      local got = scope:select(list.css)
      assert.equal(#expected, #got, list.css)
      for i, node in ipairs(expected) do assert.equal(node, got[i], list.css) end
      if #got > 0 then found = found + 1 else empty = empty + 1 end
    end
    assert.is_true(found > 200 and empty > 50)
  end)
end)
