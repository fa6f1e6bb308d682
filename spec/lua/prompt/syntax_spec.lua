-- The prompt's syntax: tokens of any text, and indentation.
local syntax = require "lull.prompt.syntax"

-- Tokens as one line: kind:text, with ! for what lacks its end and ? for what may go on.
local function shown(text)
  local list = {}
  for i, token in ipairs(syntax.tokens(text)) do
    list[i] = ("%s:%s%s%s"):format(token.kind, token.text, token.unfinished and "!" or "",
      token.open and "?" or "")
  end
  return table.concat(list, " ")
end

describe("the tokens of a text", function()
  it("are names, keywords, numbers, strings, comments and operators, with their places", function()
    assert.equal("keyword:local name:x operator:= number:1 operator:+ name:y_2 comment:-- sum",
      shown("local x = 1+y_2 -- sum"))
    assert.same({
      {kind = "name", text = "ab", first = 3, last = 4, unfinished = false, open = false},
      {kind = "operator", text = "..", first = 5, last = 6, unfinished = false, open = false},
      {kind = "string", text = "'c'", first = 8, last = 10, unfinished = false, open = false},
    }, syntax.tokens("  ab.. 'c'\n"))
    assert.same({}, syntax.tokens(""))
    assert.same({}, syntax.tokens(" \n\t "))
  end)

  it("take the longest operator there is", function()
    local expected = {}
    local text = "... .. . == ~= <= >= // :: << >> = ~ < > / : + - * % ^ # & | ( ) { } [ ] ; ,"
    for sign in text:gmatch("%S+") do expected[#expected + 1] = "operator:" .. sign end
    assert.equal(table.concat(expected, " "), shown(text))
    assert.equal("name:a operator:... operator:.. operator:== operator:=", shown("a.....==="))
  end)

  it("take numbers as Lua does", function()
    for number in ("0 12 3.5 .5 5. 1e10 1E-5 3.e+2 0x1F 0xA.8p-3 0x.1P+4 0xep1 1e5e 3..2 08"):
        gmatch("%S+") do
      assert.equal("number:" .. number, shown(number))
    end
    assert.equal("number:0xe operator:- number:1", shown("0xe-1"))
    assert.equal("number:1 operator:- number:1", shown("1-1"))
  end)

  it("take short strings with every escape", function()
    for _, text in ipairs {[["a\"b"]], [['\'']], [["\\"]], [["\x41\065\u{1F600}"]], '"a\\\nb"',
                           '"a\\\r\nb"', '"a\\z  \n\n  b"', [["]' -- "]], '""'} do
      assert.equal("string:" .. text .. " operator:;", shown(text .. ";"))
    end
  end)

  it("take long strings and comments of any level", function()
    for _, text in ipairs {"[[a]b]]", "[=[a]]b]=]", "[==[\n]=] ]==]"} do
      assert.equal("string:" .. text .. " name:x", shown(text .. "x"))
      assert.equal("comment:--" .. text .. " name:x", shown("--" .. text .. "x"))
    end
    assert.equal("comment:--[=a name:x", shown("--[=a\nx"))
    assert.equal("operator:[ operator:= name:a", shown("[=a"))
  end)

  it("tell what lacks its end, and what another line may bring to it", function()
    assert.equal('string:"ab!', shown('"ab'))
    assert.equal('string:"ab! name:x', shown('"ab\nx'))
    assert.equal('string:"a\\n!', shown('"a\\n'))
    assert.equal('string:"ab\\!?', shown('"ab\\'))
    assert.equal('string:"ab\\\n!?', shown('"ab\\\n'))
    assert.equal('string:"ab\\z  !?', shown('"ab\\z  '))
    assert.equal("string:[[ab\n!?", shown("[[ab\n"))
    assert.equal("comment:--[==[ ]]!?", shown("--[==[ ]]"))
    assert.equal("comment:-- ab", shown("-- ab"))
  end)

  it("are unknown where Lua has none", function()
    assert.equal("name:a unknown:! operator:= unknown:$ unknown:\195\164 name:b unknown:\0",
      shown("a != $ \195\164b \0"))
  end)

  it("cover any text without overlap, blanks aside", function()
    local pieces = {"[", "=", "]", "-", '"', "'", "\\", "\n", "z", "0x", "e", ".", " ", "\200",
                    "end", "function", "(", "--[[", "\r", "\0"}
    math.randomseed(7)
    for _ = 1, 3000 do
      local list = {}
      for i = 1, math.random(0, 12) do list[i] = pieces[math.random(#pieces)] end
      local text, position = table.concat(list), 1
      for _, token in ipairs(syntax.tokens(text)) do
        assert.matches("^%s*$", text:sub(position, token.first - 1))
        assert.is_true(token.last >= token.first, text)
        assert.equal(text:sub(token.first, token.last), token.text)
        position = token.last + 1
      end
      assert.matches("^%s*$", text:sub(position))
      syntax.indentation(text)
      assert.equal((text:gsub("[^\n]+$", "")), (syntax.reindented(text):gsub("[^\n]+$", "")))
    end
  end)
end)

describe("indentation", function()
  -- Each line of a text is given with the indentation it is to have.
  local function check(text)
    local before = ""
    for line in text:gmatch("([^\n]*)\n") do
      local expected = before .. line
      assert.equal(expected, syntax.reindented(before .. line:match("^ *(.*)$")))
      assert.equal(expected, syntax.reindented(before .. "       " .. line:match("^ *(.*)$")))
      before = expected .. "\n"
    end
  end

  it("follows blocks", function()
    check [[
for i = 1, 2 do
  while true do
    if x then
      y()
    elseif z then
      repeat
        w()
      until v
    else
      return function(...)
        u()
      end
    end
  end
end
x = 1
]]
  end)

  it("is one level for a line that opens several brackets", function()
    check [[
f({
  a = {
    1, 2,
  },
}, function()
  g(function() return 1 end, {
    2,
  })
end, function()
  h()
end)
t = {{{
  1,
}}}
x = 1
]]
  end)

  it("knows what a line opens, and not what it also closes", function()
    assert.equal("", syntax.indentation(""))
    assert.equal("", syntax.indentation("x = 1"))
    assert.equal("  ", syntax.indentation("if x then"))
    assert.equal("  ", syntax.indentation("f(function() return {"))
    assert.equal("", syntax.indentation("if x then y() end"))
    assert.equal("", syntax.indentation("while x"))
    assert.equal("    ", syntax.indentation("function f()\n  if x then"))
    assert.equal("", syntax.indentation("end end ) } until"))
    assert.equal("  ", syntax.indentation("end\nif x then"))
    assert.equal("", syntax.indentation("-- if x then"))
    assert.equal("", syntax.indentation("x = 'do'"))
  end)

  it("is none inside a string or comment that goes on", function()
    for _, text in ipairs {"x = [[", "--[==[ a\nb", "x = 'a\\", "x = 'a\\z "} do
      assert.is_nil(syntax.indentation(text))
      assert.equal(text .. "\n    end", syntax.reindented(text .. "\n    end"))
    end
    assert.equal("", syntax.indentation("x = [[\n]]"))
    assert.equal("", syntax.indentation("x = 'a"))
  end)

  it("leaves everything but the last line as it is", function()
    assert.equal(" if x then\n y()\nend", syntax.reindented(" if x then\n y()\n   end"))
    assert.equal("if x then\n  ", syntax.reindented("if x then\n"))
    assert.equal("do\n  x = [[\n  ]]", syntax.reindented("do\n  x = [[\n  ]]"))
  end)
end)
