-- lull.html: parsing, the tree, and text.
local lull = require "lull"
local html = require "lull.html"
local tidy = require "spec.tidy"

-- What is in the body, as HTML.
local function body(source)
  local whole = html.parse(source):select_one("body"):html()
  return whole:match("^<body>(.*)</body>$")
end

describe("html.parse", function()
  tidy.watch(before_each, after_each)

  it("gives a document with html, head and body, whatever it is given", function()
    for _, source in ipairs {"", " ", "x", "<", "</", "<!", "<p", "\0", "<!-- ", "<!doctype"} do
      local document = html.parse(source)
      assert.equal("#document", document.tag)
      assert.equal(1, #document:select("html > head:first-child + body:last-child"))
    end
  end)

  it("takes nothing but strings", function()
    for _, bad in ipairs {1, true, {}, print} do
      assert.has_error.matches(function() html.parse(bad) end,
        "bad argument #1 to 'parse' %(string expected, got ")
    end
    assert.has_error.matches(function() html.parse() end, "string expected, got nil")
  end)

  it("repairs what is broken as the HTML standard says", function()
    for source, expected in pairs {
      ["<p>one<p>two"] = "<p>one</p><p>two</p>",
      ["<ul><li>1<li>2</ul>"] = "<ul><li>1</li><li>2</li></ul>",
      ["<dl><dt>a<dd>b<dt>c"] = "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>",
      ["<p>1<b>2<i>3</b>4</i>5</p>"] = "<p>1<b>2<i>3</i></b><i>4</i>5</p>",
      ["<b>1<p>2</b>3</p>"] = "<b>1</b><p><b>2</b>3</p>",
      ["<a href=1>x<a href=2>y"] = '<a href="1">x</a><a href="2">y</a>',
      ["<p>a<div>b</div>c</p>"] = "<p>a</p><div>b</div>c<p></p>",
      ["<h1>a<h2>b"] = "<h1>a</h1><h2>b</h2>",
      ["x</p></br></div>"] = "x<p></p><br>",
      ["<table><tr><td>x"] = "<table><tbody><tr><td>x</td></tr></tbody></table>",
      ["<table>stray<td>x</table>"] =
        "stray<table><tbody><tr><td>x</td></tr></tbody></table>",
      ["<table><b><tr><td>aaa</td></tr>bbb</table>ccc"] =
        "<b></b><b>bbb</b><table><tbody><tr><td>aaa</td></tr></tbody></table><b>ccc</b>",
      ["<table><tr><th>a<th>b<tbody><tr><td>c</table>"] = "<table><tbody><tr><th>a</th><th>b</th>"
        .. "</tr></tbody><tbody><tr><td>c</td></tr></tbody></table>",
      ["<select><option>a<option>b<div>c</select>"] =
        "<select><option>a</option><option>bc</option></select>",
      ["<svg><a x=1 /><foreignobject><p>x</p></foreignobject></svg>y"] = '<svg><a x="1"></a>'
        .. "<foreignObject><p>x</p></foreignObject></svg>y",
      ["<image src=x>"] = '<img src="x">',
      ["<p id=a id=b>"] = '<p id="a"></p>',
      ["<p/>x<br/>y"] = "<p>x<br>y</p>",
      ["a<!-- b --!>c<!x>d<?y>"] = "a<!-- b -->c<!--x-->d<!--?y-->",
      ["<!doctype html><p><b class=x><b class=x><b><b class=x><b class=x><b>X<p>X"] =
        '<p><b class="x"><b class="x"><b><b class="x"><b class="x"><b>X</b></b></b></b></b></b></p>'
        .. '<p><b class="x"><b><b class="x"><b class="x"><b>X</b></b></b></b></b></p>',
      ["x<template><td>y</template>"] = "x<template><td>y</td></template>",
    } do
      assert.equal(expected, body(source), source)
    end
  end)

  it("puts what belongs there into the head", function()
    assert.equal("<html><head><title>a&amp;b</title><meta></head><body>x</body></html>",
      html.parse("<title>a&b</title><meta>x"):html())
  end)

  it("decodes character references in text and attributes", function()
    assert.equal("& < é € 😀 \u{FFFD} &nope; &",
      html.parse("&amp; &lt; &eacute; &#8364; &#x1F600; &#0; &nope; &amp"):select_one("body").text)
    assert.equal("a=1&b=<&copy=2", html.parse('<a href="a=1&amp;b=&lt;&copy=2">x')
      :select_one("a"):attr("href"))
  end)

  it("reads UTF-8, and makes U+FFFD of what is none", function()
    for source, expected in pairs {
      ["é€😀"] = "é€😀",
      ["a\xFFb"] = "a\u{FFFD}b",
      ["a\xC3"] = "a\u{FFFD}",
      ["\xE2\x82x"] = "\u{FFFD}x",
      ["\xF0\x9F\x98"] = "\u{FFFD}",
      ["\xF0\x80\x80"] = "\u{FFFD}\u{FFFD}\u{FFFD}",
      ["\xED\xA0\x80"] = "\u{FFFD}\u{FFFD}\u{FFFD}",
      ["\xC0\xAF"] = "\u{FFFD}\u{FFFD}",
      ["\xF4\x90\x80\x80"] = "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
      ["\u{FFFD}"] = "\u{FFFD}",
    } do
      assert.equal(expected, html.parse("<p title='" .. source .. "'>" .. source).text)
      local p = html.parse("<p title='" .. source .. "'>"):select_one("p")
      assert.equal(expected, p:attr("title"))
    end
    assert.equal("a\u{FEFF}", html.parse("\u{FEFF}a\u{FEFF}").text)
    assert.equal("x\u{FFFD}", html.parse("<X\0>"):select_one("body > *").tag)
    assert.equal("é", html.parse("<xé\xFF>"):select_one("body > *").tag:match("x(é)\u{FFFD}"))
  end)

  it("keeps no more than a thousand attributes of a tag", function()
    local attributes = {}
    for i = 1, 5000 do attributes[i] = ("a%d=%d"):format(i, i) end
    local all = table.concat(attributes, " ")
    local document = html.parse("<body " .. all .. "><p " .. all .. ">x</p><p>y")
    local p = document:select_one("p")
    assert.equal("1000", p:attr("a1000"))
    assert.is_nil(p:attr("a1001"))
    assert.equal("x", p.text)
    assert.equal("1000", document:select_one("body"):attr("a1000"))
    assert.equal("y", p:next().text)
  end)
end)

describe("a node", function()
  local document = html.parse [[<!doctype html><title>T</title>
<body><div id=top class="a b" data-X='1 "2"' hidden><p>one</p><!-- c -->two<span>three</span>
</div><svg viewbox="0 0 1 1" xlink:href=#x><lineargradient/></svg>]]
  local div, p = document:select_one("div"), document:select_one("p")

  it("has a tag", function()
    assert.equal("div", div.tag)
    assert.equal("#document", document.tag)
    assert.equal("linearGradient", document:select_one("svg > *").tag)
    assert.equal("x-y", html.parse("<X-Y>"):select_one("body *").tag)
  end)

  it("has attributes, whose names may be in any case", function()
    assert.equal("top", div:attr("id"))
    assert.equal("a b", div:attr("CLASS"))
    assert.equal('1 "2"', div:attr("data-x"))
    assert.equal("", div:attr("hidden"))
    assert.is_nil(div:attr("title"))
    assert.is_nil(document:attr("id"))
    assert.equal("0 0 1 1", document:select_one("svg"):attr("viewBox"))
    assert.same({id = "top", class = "a b", ["data-x"] = '1 "2"', hidden = ""}, div.attrs)
    assert.same({viewBox = "0 0 1 1", ["xlink:href"] = "#x"}, document:select_one("svg").attrs)
    assert.same({}, document.attrs)
  end)

  it("has children, a parent and neighbours that are elements", function()
    local span = document:select_one("span")
    assert.same({p, span}, div:children())
    assert.same({}, p:children())
    assert.same({document:select_one("html")}, document:children())
    assert.equal(div, p.parent)
    assert.equal(document, document:select_one("html").parent)
    assert.is_nil(document.parent)
    assert.equal(span, p:next())
    assert.equal(p, span:previous())
    assert.is_nil(span:next())
    assert.is_nil(p:previous())
    assert.is_nil(document:next())
    assert.is_nil(document:previous())
  end)

  it("is the same value wherever it comes from", function()
    assert.is_true(rawequal(p, document:select("p")[1]))
    assert.is_true(rawequal(p, div:children()[1]))
    assert.is_true(rawequal(document, div.parent.parent.parent))
    local seen = {[p] = true}
    assert.is_true(seen[document:select_one("div > p")])
    assert.is_false(p == html.parse("<p>one"):select_one("p"))
  end)

  it("is shown as its start tag", function()
    assert.equal("element <p>", tostring(p))
    assert.equal('element <div id="top" class="a b" data-x="1 &quot;2&quot;" hidden="">',
      tostring(div))
    assert.equal("document", tostring(document))
  end)

  it("cannot be changed", function()
    assert.has_error(function() p.text = "x" end)
    assert.equal("lull", getmetatable(p))
    assert.is_nil(p.nothing)
    assert.is_nil(p[1])
  end)

  it("checks what it is called with", function()
    assert.has_error.matches(function() p.attr(1, "x") end, "lull html node expected, got number")
    assert.has_error.matches(function() p.select(io.stdout, "x") end, "lull html node expected")
    assert.has_error.matches(function() p:attr() end, "bad argument #1 to 'attr'")
    assert.has_error.matches(function() p:attr({}) end, "string expected, got table")
    assert.has_error.matches(function() p:select() end,
      "bad argument #1 to 'select' %(string expected, got nil%)")
    assert.has_error.matches(function() p:select_one(12) end, "string expected, got number")
  end)

  it("keeps its document alive, and goes with it", function()
    local weak = setmetatable({}, {__mode = "v"})
    local function find()
      local other = html.parse(("<p>x</p>"):rep(1000) .. "<b class=y>z</b>")
      weak.document = other
      return other:select_one("b")
    end
    local b = find()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak.document)
    assert.equal("z", b.text)
    assert.equal(1001, #b.parent:children())
    assert.equal(b, b.parent.parent.parent:select(".y")[1])
    weak.b = b
    b = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak.b)
  end)

  it("leaves no memory behind", function()
    local source = ("<div class=a><p>text<x-y>more</div>"):rep(2000)
    local function work()
      local count = #html.parse(source):select("div p x-y, p:has(*)")
      assert.equal(4000, count)
    end
    work()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 20 do work() end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 64)
  end)
end)

describe("a node's html", function()
  it("is what its source would be if it were written well", function()
    for source, expected in pairs {
      ["<p CLASS=a title='\"&<>\u{A0}'>&amp;&lt;&gt;\"\u{A0}é</p>"] =
        '<p class="a" title="&quot;&amp;&lt;&gt;&nbsp;">&amp;&lt;&gt;"&nbsp;é</p>',
      ["<br><hr><img src=x><input><wbr>"] = '<br><hr><img src="x"><input><wbr>',
      ["x<script>if (a < b && c) {}</script>"] = "x<script>if (a < b && c) {}</script>",
      ["x<style>a > b {}</style><xmp><b></xmp>"] = "x<style>a > b {}</style><xmp><b></xmp>",
      ["<iframe><b></iframe><noscript><b>&lt;</b></noscript>"] =
        "<iframe><b></iframe><noscript><b>&lt;</b></noscript>",
      ["<textarea><b></textarea>"] = "<textarea>&lt;b&gt;</textarea>",
      ["<pre>\n\nx</pre>"] = "<pre>\nx</pre>",
      ["<svg><path/></svg>"] = "<svg><path></path></svg>",
    } do
      assert.equal(expected, body(source))
    end
  end)

  it("is that of the node and what is in it", function()
    local document = html.parse("<!DOCTYPE html><!--a--><p>x<b>y</b></p>z")
    assert.equal("<p>x<b>y</b></p>", document:select_one("p"):html())
    assert.equal("<b>y</b>", document:select_one("b"):html())
    assert.equal("<!DOCTYPE html><!--a--><html><head></head><body><p>x<b>y</b></p>z</body></html>",
      document:html())
  end)

  it("is the same when it is parsed again", function()
    local source = html.parse [[<!doctype html><title>a</title><div class="x &amp;">
<table><td>1<td>2</table><pre>
 x</pre><svg><g/></svg><script>'</b>'</script>]]:html()
    assert.equal(source, html.parse(source):html())
  end)
end)

describe("a node's text", function()
  it("is what a reader sees", function()
    for source, expected in pairs {
      ["<p> one \n <b> two</b>\tthree </p>"] = "one two three",
      ["a<b>b</b> c<i> d</i>"] = "ab c d",
      ["<p>one</p><p>two</p>"] = "one\n\ntwo",
      ["<div>one</div><div>two<div>three</div></div>four"] = "one\ntwo\nthree\nfour",
      ["<div><div> <div>x</div></div></div>"] = "x",
      ["one<br>two<br><br>three<br>"] = "one\ntwo\n\nthree",
      ["<div>one<br></div><div>two</div>"] = "one\ntwo",
      ["<h1>T</h1>\n<ul>\n <li>1</li>\n <li>2</li>\n</ul>"] = "T\n1\n2",
      ["<h1>T</h1><p>x</p>y"] = "T\n\nx\n\ny",
      ["a<hr>b"] = "a\nb",
      ["<pre> a\n   b\n</pre>c"] = "a\n   b\nc",
      ["x<pre>  a  <b> b</b>\n\n c</pre>"] = "x\n  a   b\n\n c",
      ["<textarea> a\n b</textarea>"] = "a\n b",
      ["<table><tr><td>a<td> b </tr><tr><td><p>c</p></td><td>d<br>e</td></table>f"] =
        "a\tb\nc\td\ne\nf",
      ["<table> <tr> <td>a</td> <td></td> </tr> <tr> <td></td> <td>b</td> </tr> </table>"] =
        "a\t\n\tb",
      ["<table><caption>C</caption><tr><th>h<td>x</table>"] = "C\nh\tx",
      ["<p>a</p><script>b</script><style>c</style><template>d</template>"] = "a",
      ["a<noscript>b</noscript><iframe>c</iframe><video>d</video><datalist>e</datalist>"] = "a",
      ["a<span hidden>b</span><dialog>c</dialog><dialog open>d</dialog>e"] = "a\nd\ne",
      ["<ruby>a<rp>(</rp><rt>b</rt><rp>)</rp></ruby>"] = "ab",
      ["<select><option>a<option>b</select>"] = "a\nb",
      ["<svg><title>a</title><style>b</style><text>c</text></svg>"] = "c",
      ["a &amp; b &lt;c&gt;\u{A0}d &nbsp; e"] = "a & b <c>\u{A0}d \u{A0} e",
      ["  \n "] = "",
      ["<title>a</title>b"] = "b",
      ["<!-- a -->b<!-- c --> d"] = "b d",
      ["<b>a</b><b> </b><b>c</b>"] = "a c",
    } do
      assert.equal(expected, html.parse(source).text, source)
    end
  end)

  it("is an element's own if it is asked, even of one that is not shown", function()
    local document = html.parse [[<title> A  title
 &amp; more </title><script>
  if (a < b)
    c()
</script><style> a {} </style><body><div hidden>x <b>y</b></div><template><p>t</template>
<pre> a <i> b
 c </i></pre><noscript>n<p>o</noscript>]]
    local function text(css) return document:select_one(css).text end
    assert.equal("A title & more", text("title"))
    assert.equal("if (a < b)\n    c()", text("script"))
    assert.equal("a {}", text("style"))
    assert.equal("x y", text("div"))
    assert.equal("t", text("template"))
    assert.equal("b\n c", text("i"))
    assert.equal("n\n\no", text("noscript"))
  end)
end)

describe("a document that nests deeply", function()
  local DEPTH = 100000

  it("is read whole, in reasonable time", function()
    local started = os.clock()
    local document = html.parse(("<div>"):rep(DEPTH) .. "deep")
    assert.equal(DEPTH, #document:select("div"))
    assert.equal("deep", document.text)
    assert.equal(0, #document:select("p div, div:has(p), div > p ~ div"))
    local node = document:select_one("div:not(:has(*))")
    assert.equal("deep", node.text)
    assert.is_nil(node:select_one("div"))
    assert.equal(DEPTH - 3, #document:select("div > div div > div"))
    local count = 0
    while node.parent do
      node, count = node.parent, count + 1
    end
    assert.equal(DEPTH + 2, count)
    assert.equal(document, node)
    local source = document:html()
    assert.equal(DEPTH * 11 + #"<html><head></head><body></body></html>deep", #source)
    assert.equal(source, html.parse(source):html())
    assert.is_true(os.clock() - started < 10)
  end)

  it("is read as one that does not", function()
    for source, expected in pairs {
      ["<div>"] = "</div>",
      ["<span class='a > b'>"] = "</span>",
      ["<ul><li>x"] = "</li></ul>",
      ["<table><tbody><tr><td>"] = "</td></tr></tbody></table>",
      ["<x-y><!-- <div> --><script>'</x-y>'</script>"] = "</x-y>",
      ["<svg><g>"] = "</g></svg>",
      ["<section><p>x</p><fieldset>"] = "</fieldset></section>",
      ["<object><a href='x'>y</a>"] = "</object>",
    } do
      local shallow = html.parse(source:rep(3)):html()
      shallow = shallow:gsub('class="a &gt; b"', "class='a > b'"):gsub('href="x"', "href='x'")
      local before, after = shallow:match("^(.-<body>)"), "</body></html>"
      assert.equal(before .. source:rep(3) .. expected:rep(3) .. after, shallow)
      local deep = html.parse(source:rep(3000) .. expected:rep(3000) .. "<p>end</p>")
      assert.equal(3000, #deep:select(source:match("%a[%w-]*")))
      assert.equal("end", deep:select_one("body > p").text)
      deep = deep:html():gsub('class="a &gt; b"', "class='a > b'"):gsub('href="x"', "href='x'")
      assert.equal(before .. source:rep(3000) .. expected:rep(3000) .. "<p>end</p>" .. after, deep)
    end
  end)

  it("may do so by formatting, by forms, by anything", function()
    local started = os.clock()
    for _, tag in ipairs {"<b>", "<b x=%d>", "<p><b x=%d>", "<form>", "<button>", "<a><div>",
                          "<template>", "<select>", "<svg>", "<math>", "<svg><desc>", "<table>",
                          "<table><tr><td>", "<h1>", "<li>", "<dd>", "<option>", "<x%d>", "<rt>",
                          "<html a%d>", "<font><p>", "<i><div></i>", "<![CDATA[<p>", "<title>",
                          "<frameset>", "<applet>", "</p>", "<p><table>", "<!--", "<a %d"} do
      local tags = {}
      for i = 1, 3000 do tags[i] = tag:find("%%") and tag:format(i) or tag end
      local ok, document = pcall(html.parse, table.concat(tags))
      if not ok then
        assert.matches("the HTML document needs too much memory", document)
        document = html.parse("<p>")
      end
      assert.is_true(#document:html() > 0)
      assert.is_string(document.text)
      assert.is_true(#document:select("* > *") > 0)
    end
    assert.is_true(os.clock() - started < 20)
  end)
end)

describe("hostile input", function()
  -- Fail assertions in gumbo, or would take it for ever or all memory.
  it("is read like any other", function()
    assert.equal("y", html.parse("<table><math><mtext><![CDATA[x]]>y").text:sub(-1))
    local document = html.parse("<p>a<table><svg id=s><select><title><select><td>b</table>c")
    assert.equal("svg", document:select_one("#s").tag)
    assert.equal("a", document:select_one("p").text:sub(1, 1))
    assert.equal(1, #html.parse("<table><math><mtext><![CDATA[x]]>y"):select("math > mtext"))
  end)

  it("fails as a whole if it needs far too much memory", function()
    local parts = {}
    for i = 1, 12000 do parts[i] = ("<p><b x=%d></p>"):format(i) end
    local ok, err = pcall(html.parse, table.concat(parts))
    assert.is_false(ok)
    assert.matches("the HTML document needs too much memory", err)
    assert.equal("x", html.parse("<p>x").text)
  end)

  local TAGS = {"a", "b", "i", "p", "div", "table", "tbody", "tr", "td", "caption", "select",
                "option", "svg", "math", "mi", "mtext", "foreignObject", "desc", "title",
                "template", "form", "button", "frameset", "html", "head", "body", "script",
                "style", "textarea", "li", "ul", "dd", "h1", "br", "nobr", "applet", "plaintext",
                "image", "x-y", "pre", "colgroup", "annotation-xml", "ruby", "rt", "noscript"}
  local OTHERS = {"x", " ", "\n", "&amp", "&lt;", "<!--c-->", "<![CDATA[x]]>", "<!doctype html>",
                  "\0", "</", "<", "<!", "<?x>", "&#x110000;", "]]>", "<!--", "\u{A0}", "\u{FFFD}"}

  local function random_source(random)
    local parts = {}
    for i = 1, random(60) do
      local kind, tag = random(10), TAGS[random(#TAGS)]
      if kind <= 5 then parts[i] = (random(4) == 1 and "<%s a='1' b/>" or "<%s>"):format(tag)
      elseif kind <= 8 then parts[i] = ("</%s>"):format(tag)
      elseif kind == 9 then parts[i] = OTHERS[random(#OTHERS)]
      else parts[i] = string.char(random(0, 255)) end
    end
    return table.concat(parts)
  end

  it("is read to a tree that holds together, whatever its bytes are", function()
    for seed = 1, 1500 do
      math.randomseed(seed)
      local document = html.parse(random_source(math.random))
      assert.is_truthy(utf8.len(document:html()), seed)
      assert.is_truthy(utf8.len(document.text), seed)
      for _, node in ipairs(document:select("*")) do
        local after, before = node:next(), node:previous()
        assert(after == nil or after:previous() == node and after.parent == node.parent, seed)
        assert(before == nil or before:next() == node, seed)
        assert(#node.tag > 0 and #tostring(node) > 10 and node.attrs, seed)
      end
    end
  end)
end)

describe("the description of nodes", function()
  it("is of what they have", function()
    local file = assert(io.open("lua/types/html.lua"))
    local types = file:read("a")
    file:close()
    local node = html.parse("<p>x"):select_one("p")
    for name in types:gmatch("\nfunction HtmlNode:([%w_]+)") do
      assert.is_function(node[name], name)
    end
    for name in types:gmatch("\n%-%-%-@field ([%w_]+)") do
      assert.is_not_nil(node[name], name)
    end
    for _, name in ipairs {"select", "select_one", "attr", "children", "next", "previous",
                           "html"} do
      assert(types:find("function HtmlNode:" .. name .. "(", 1, true), name)
    end
  end)

  it("leaves no task behind", function() assert.equal(1, #lull.all_tasks()) end)
end)
