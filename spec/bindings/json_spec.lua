-- lull.json: what is read and written, to the letter, and what is refused, with the place.
local json = require("lull.json")
local lull = require("lull")
local script = require("spec.script")

local null = json.null

-- Raises what f raises, as a JSONError.
local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert(lull.is_error(err, json.JSONError), tostring(err))
  return err
end

local function decodes(text, expected)
  local value = json.decode(text)
  assert.equal(math.type(expected) or type(expected), math.type(value) or type(value), text)
  assert.equal(expected, value, text)
end

describe("decoding JSON", function()
  it("gives the values of all types", function()
    decodes("true", true)
    decodes("false", false)
    decodes("null", null)
    decodes('"text"', "text")
    decodes('""', "")
    decodes("17", 17)
    decodes("-2.5", -2.5)
    assert.same({}, json.decode("{}"))
    assert.same({}, json.decode("[]"))
    assert.same({ a = { 1, { b = "c" } }, d = true }, json.decode('{"a":[1,{"b":"c"}],"d":true}'))
  end)

  it("takes white space around everything, of the four kinds", function()
    assert.same({ a = { 1, 2 } }, json.decode(' \t\r\n{ "a"\n:\t[ 1\r,\r\n2 ] } \n'))
    for _, space in ipairs({ "\v", "\f", "\xc2\xa0", "\xe2\x80\xa8", "\xef\xbb\xbf", "\0" }) do
      failure(json.decode, "[1," .. space .. "2]")
      failure(json.decode, "1" .. space)
      failure(json.decode, space .. "1")
    end
  end)

  it("keeps null in arrays and objects", function()
    local value = json.decode('[null,{"a":null},null]')
    assert.equal(3, #value)
    assert.equal(null, value[1])
    assert.equal(null, value[2].a)
    assert.equal(null, value[3])
  end)

  it("takes the last of fields with the same key", function()
    local value = json.decode('{"a":1,"b":2,"a":{"a":3,"a":4},"\\u0062":5}')
    assert.same({ a = { a = 4 }, b = 5 }, value)
    local many = {}
    for i = 1, 200 do many[i] = ('"key %d":%d'):format(i % 90, i) end
    value = json.decode("{" .. table.concat(many, ",") .. "}")
    for i = 111, 200 do assert.equal(i, value["key " .. i % 90]) end
  end)

  it("keeps keys apart that look alike", function()
    local fields, expected = {}, {}
    for i = 1, 3000 do
      local key = ("k"):rep(i % 40) .. i .. ("x"):rep(i % 7)
      fields[i] = ('{"%s":%d,"":0}'):format(key, i)
      expected[i] = { [key] = i, [""] = 0 }
    end
    assert.same(expected, json.decode("[" .. table.concat(fields, ",") .. "]"))
  end)

  it("does not change a Lua stack that is used again", function()
    for _ = 1, 3 do
      assert.equal(30000, #json.decode("[" .. ("1,"):rep(29999) .. "1]"))
      assert.same({ 1 }, json.decode("[1]"))
    end
  end)

  it("reads arrays and objects of any size", function()
    for _, size in ipairs({ 1, 255, 256, 99990, 100000, 100010, 250000 }) do
      local items = {}
      for i = 1, size do items[i] = i end
      local list = json.decode("[[0," .. table.concat(items, ",") .. "]]")[1]
      assert.equal(size + 1, #list)
      for i = 1, size do items[i] = ('"k%d":[%d]'):format(i, i) end
      local object = json.decode('[7,{"k":{' .. table.concat(items, ",") .. '},"l":8},9]')
      assert.equal(7, object[1])
      assert.equal(8, object[2].l)
      assert.equal(9, object[3])
      for i = 1, size do
        if list[i + 1] ~= i or object[2].k["k" .. i][1] ~= i then error("wrong item " .. i) end
      end
    end
  end)

  it("refuses what is no string", function()
    for _, value in ipairs({ 42, true, {}, null }) do
      assert.has_error.matches(function() json.decode(value) end,
        "bad argument #1 to 'decode' %(string expected, got ")
    end
    assert.has_error.matches(function() json.decode() end, "string expected, got nil")
  end)

  it("checks its options", function()
    assert.has_error.matches(function() json.decode("1", { depth = 1 }) end,
      "bad argument #2 to 'decode' %(unknown option 'depth'%)")
    for _, depth in ipairs({ 0, -1, 1.5, "1", false }) do
      assert.has_error.matches(function() json.decode("1", { max_depth = depth }) end,
        "option 'max_depth' must be a positive integer")
    end
  end)
end)

describe("numbers in JSON", function()
  it("without point and exponent are integers as long as they fit in 64 bits", function()
    decodes("0", 0)
    decodes("-0", 0)
    decodes("9007199254740993", 9007199254740993)
    decodes("9223372036854775807", math.maxinteger)
    decodes("-9223372036854775808", math.mininteger)
    decodes("1000000000000000000", 1000000000000000000)
  end)

  it("that are larger become floats", function()
    decodes("9223372036854775808", 0x1p63)
    decodes("-9223372036854775809", -0x1p63)
    decodes("18446744073709551616", 0x1p64)
    decodes("99999999999999999999", 1e20)
    decodes("123456789012345678901234567890", 1.2345678901234568e29)
    decodes(("1"):rep(309), 1.1111111111111112e308)
  end)

  it("with a point or an exponent are floats", function()
    decodes("1.0", 1.0)
    decodes("1e2", 100.0)
    decodes("1E+2", 100.0)
    decodes("20e-1", 2.0)
    decodes("0e5", 0.0)
    decodes("0.0000", 0.0)
    local zero = json.decode("-0.0")
    assert.equal(-math.huge, 1 / zero)
  end)

  it("are rounded to the nearest float, and to the even one of two", function()
    decodes("0.1", 0.1)
    decodes("3.14159265358979323846264338327950288", math.pi)
    decodes("9007199254740993.0", 9007199254740992.0)
    decodes("9007199254740993.00000000000000000000000000000001", 9007199254740994.0)
    decodes("9007199254740995e0", 9007199254740996.0)
    decodes("0.500000000000000166533453693773481063544750213623046875", 0.5000000000000002)
    decodes("123456789012345.6789e-27", 1.234567890123456789e-13)
    decodes("12345678901234567e21", 1.2345678901234567e37)
    decodes("1.7976931348623157e308", 1.7976931348623157e308)
    decodes("1.7976931348623158e308", 1.7976931348623157e308)
    decodes("2.2250738585072011e-308", 2.225073858507201e-308)
    decodes("4.9406564584124654e-324", 5e-324)
    decodes("2e-324", 0.0)
    decodes("1e-999999999999999999999", 0.0)
    decodes("0e999999999999999999999", 0.0)
    decodes("0." .. ("0"):rep(2000) .. "25e2000", 0.25)
    decodes("25" .. ("0"):rep(2000) .. "e-2000", 25.0)
    decodes("1" .. ("0"):rep(800) .. "1e-801", 1.0)
    decodes("9007199254740993" .. ("0"):rep(800) .. "1e-801", 9007199254740994.0)
  end)

  it("that no float holds are refused", function()
    for _, text in ipairs({ "1e309", "-1e309", "1e99999999999999999999", ("9"):rep(310) }) do
      assert.matches("line 1, column 3: a number that is too large",
        failure(json.decode, "[ " .. text .. "]").message)
    end
  end)

  it("are nothing else than what the grammar says", function()
    for _, text in ipairs({
      "+1", "01", "-01", "00", "-", "- 1", "1.", "1.e1", ".5", "-.5", "1e", "1e+", "1e-", "1eE2",
      "1.2.3", "1e1.5", "1_000", "1,000", "0x10", "1f", "1a", "NaN", "-NaN", "nan", "Infinity",
      "-Infinity", "inf", "1+2", "--1", "1 000", "1\0", "\xef\xbc\x91", "1e\xe5", "1\xe5",
    }) do
      failure(json.decode, text)
      failure(json.decode, "[" .. text .. "]")
      failure(json.decode, '{"a":' .. text .. "}")
    end
  end)

  it("are read with a point in every locale", function()
    local before = os.setlocale()
    for _, locale in ipairs({ "de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8" }) do
      if os.setlocale(locale) then
        decodes("2.5e-300", 2.5 * 10.0 ^ -300)
        assert.equal("2.5e-300", json.encode(json.decode("2.5e-300")))
        assert.equal("0.1", json.encode(0.1))
      end
    end
    os.setlocale(before)
  end)
end)

describe("strings in JSON", function()
  it("may have escapes", function()
    decodes([["\"\\\/\b\f\n\r\t"]], '"\\/\b\f\n\r\t')
    decodes([["\u0041\u00e9\u20AC\uD834\udd1e"]], "Aé€𝄞")
    decodes([["a\u0000b"]], "a\0b")
    decodes([["\uffff\ufdd0"]], "\u{ffff}\u{fdd0}")
    decodes([["\u007f\u0080\u07ff\u0800\ud800\udc00\udbff\udfff"]],
      "\u{7f}\u{80}\u{7ff}\u{800}\u{10000}\u{10ffff}")
    decodes([["\\u0041"]], "\\u0041")
    assert.same({ ['a"b'] = 1, ["\t"] = 2 }, json.decode([[{"a\"b":1,"\t":2}]]))
  end)

  it("are as they were, of every length and with escapes at every place", function()
    local text = {}
    for length = 0, 600, 7 do
      local plain = ("0123456789abcdef"):rep(length // 16 + 1):sub(1, length)
      for _, place in ipairs({ 0, 1, length // 2, length }) do
        text[#text + 1] = plain:sub(1, place) .. "\n" .. plain:sub(place + 1)
        text[#text + 1] = plain:sub(1, place) .. "é€𝄞" .. plain:sub(place + 1) .. "\1"
      end
      text[#text + 1] = plain
    end
    assert.same(text, json.decode(json.encode(text)))
  end)

  it("can be long and all escapes", function()
    decodes('"' .. ("\\u20ac"):rep(50000) .. '"', ("€"):rep(50000))
    decodes('"' .. ("x"):rep(100000) .. "\\n" .. ("y"):rep(100000) .. '"',
      ("x"):rep(100000) .. "\n" .. ("y"):rep(100000))
  end)

  it("have no other escapes, no control characters and an end", function()
    for _, text in ipairs({
      [["\a"]], [["\x41"]], [["\U0041"]], [["\0"]], [["\'"]], [["\]], [["\"]], [["\\\"]], [["]],
      [["a]], [["\u"]], [["\u12"]], [["\u123"]], [["\u12 3"]], [["\u123g"]], [["\u+123"]], [["\u]],
      [['a']], [[a]], '"\\\n"', '"\n"', '"\t"', '"\0"', '"\31"', '"a\0', '"\\\xc3\xa9"',
    }) do
      failure(json.decode, text)
      failure(json.decode, "[" .. text .. "]")
      failure(json.decode, "{" .. text .. ":1}")
    end
  end)

  it("have no half of a surrogate pair", function()
    for _, escapes in ipairs({
      "\\ud800", "\\udbff", "\\udc00", "\\udfff", "\\ud800x", "\\ud800\\n", "\\ud800\\u0041",
      "\\ud800\\ud800", "\\udc00\\ud800", "\\ud800\\ud800\\udc00",
    }) do
      local err = failure(json.decode, '["ab' .. escapes .. '"]')
      assert.equal("line 1, column 5: half of a surrogate pair", err.message)
    end
  end)

  it("are UTF-8, which is checked", function()
    for _, bytes in ipairs({
      "\x80", "\xbf", "\xc3", "\xc3(", "\xc0\x80", "\xc1\xbf", "\xe2\x82", "\xe2(\xac", "\xe2\x82(",
      "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x9d\x84",
      "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
      "\xf8\x88\x80\x80\x80", "\xfc\x83\xbf\xbf\xbf\xbf", "\xfe", "\xff", "\xff\xfe", "\xe9",
      "é\xff",
    }) do
      local place = bytes == "é\xff" and 6 or 4
      for _, rest in ipairs({ "", "more text after it", "\\n" }) do
        local err = failure(json.decode, '["a' .. bytes .. rest .. '"]')
        assert.equal(("line 1, column %d: invalid UTF-8"):format(place), err.message)
        err = failure(json.decode, '["\\n' .. bytes .. rest .. '"]')
        assert.equal(("line 1, column %d: invalid UTF-8"):format(place + 1), err.message)
      end
    end
    local edges = "\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}\u{feff}"
    decodes('"' .. edges .. '"', edges)
  end)
end)

describe("text that is not JSON", function()
  it("is refused, whatever is wrong with its structure", function()
    for _, text in ipairs({
      "", " ", "\n", "[", "]", "{", "}", "[[", "[]]", "{}}", "[}", "{]", "[1", "[1,", "[1,]",
      "[,1]", "[1,,2]", "[,]", "[1 2]", "[1:2]", "[1;2]", '["a"', '["a",', "[1]x", "[1] [2]",
      "[1],", "1 2", "{,}", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a",1}', '{"a" 1}',
      '{"a"::1}', '{:1}', "{1:1}", "{a:1}", "{'a':1}", '{"a":1 "b":2}', '{"a":1,,"b":2}',
      '{null:1}', '{"a":1}x', "tru", "True", "TRUE", "truex", "nul", "nulll", "fals", "undefined",
      "[tru]", "/**/1", "1//x", "1 /* x */", "[1/**/]", "#x", "<a>", "\xef\xbb\xbf{}",
      "\xff\xfe1\0", "\0001", "*", "é", "[é]", '[1,\n2\n,3', "\xe2\x81\xa0[]", '{"a":"b",', "[\\n]",
      "\\u0022a\\u0022", "[\"\\\"]",
    }) do failure(json.decode, text) end
  end)

  it("is refused with the place, in lines and bytes, and with what was expected", function()
    for text, message in pairs({
      [""] = "line 1, column 1: expected a value, got the end of the text",
      ["[1,\n 2,\n  }"] = "line 3, column 3: expected a value, got '}'",
      ["[1,\r\n 2 3]"] = "line 2, column 4: expected ',' or ']', got '3'",
      ['{"ä":tru}'] = "line 1, column 7: expected a value, got 't'",
      ["[x"] = "line 1, column 2: expected a value or ']', got 'x'",
      ['{"a":1,}'] = "line 1, column 8: expected a key in quotes, got '}'",
      ["{a:1}"] = "line 1, column 2: expected a key in quotes or '}', got 'a'",
      ['{"a" 1}'] = "line 1, column 6: expected ':', got '1'",
      ['{"a":1]'] = "line 1, column 7: expected ',' or '}', got ']'",
      ['\n\n["a'] = "line 3, column 4: expected '\"', got the end of the text",
      ['["a\nb"]'] = "line 1, column 4: a control character in a string",
      ["[- 1]"] = "line 1, column 3: expected a digit, got a space",
      ["[-01]"] = "line 1, column 3: a number that starts with a zero",
      ['["\\u12x4"]'] = "line 1, column 7: expected a hexadecimal digit, got 'x'",
      ['["\\q"]'] = "line 1, column 4: expected one of \"\\/bfnrtu after a backslash, got 'q'",
      ["[]\n\xff"] = "line 2, column 1: expected the end of the text, got the byte 0xFF",
      ["[1]\n\n]"] = "line 3, column 1: expected the end of the text, got ']'",
    }) do
      local err = failure(json.decode, text)
      assert.equal(message, err.message)
      assert.equal("JSONError: " .. message, tostring(err))
      assert.equal(message, ("line %d, column %d"):format(err.line, err.column)
        .. message:match(":.*"))
    end
  end)

  it("is refused with the place in the whole text as well", function()
    local text = '{"list": [1,\n2,\n?]}'
    local err = failure(json.decode, text)
    assert.equal("?]}", text:sub(err.offset))
    assert.equal(#text + 1, failure(json.decode, text:sub(1, 10)).offset + 8 + 1)
  end)
end)

describe("levels of JSON", function()
  local function nested(depth) return ("["):rep(depth) .. ("]"):rep(depth) end
  local function objects(depth) return ('{"a":'):rep(depth) .. "1" .. ("}"):rep(depth) end

  it("are 1000 at the most unless max_depth says otherwise", function()
    assert.same({}, json.decode(nested(1)))
    json.decode(nested(1000))
    json.decode(objects(1000))
    assert.equal("line 1, column 1001: more than 1000 levels of arrays and objects",
      failure(json.decode, nested(1001)).message)
    failure(json.decode, objects(1001))
    assert.same({ {} }, json.decode("[[]]", { max_depth = 2 }))
    assert.equal("line 1, column 3: more than 2 levels of arrays and objects",
      failure(json.decode, "[[{}]]", { max_depth = 2 }).message)
    assert.equal(1, json.decode("1", { max_depth = 1 }))
  end)

  it("are 100,000 at the most whatever it says", function()
    local limit = { max_depth = math.maxinteger }
    for _, make in ipairs({ nested, objects }) do
      assert.is_table(json.decode(make(100000), limit))
      failure(json.decode, make(100001), limit)
    end
    failure(json.decode, ("["):rep(1000000), limit)
    failure(json.decode, ('[{"":'):rep(1000000), limit)
    local wide = ('[1,2,3,{"a":1,"b":2,"c":'):rep(50000) .. "1" .. (',"d":3},4]'):rep(50000)
    local value = json.decode(wide, limit)
    for _ = 1, 50000 do
      if value[3] ~= 3 or value[5] ~= 4 or value[4].d ~= 3 then error("wrong value") end
      value = value[4].c
    end
    assert.equal(1, value)
  end)

  it("are counted when encoding too", function()
    local value = json.decode(nested(1000))
    assert.equal(nested(1000), json.encode(value))
    local err = failure(json.encode, { value })
    assert.matches("more than 1000 levels of tables$", err.message)
    assert.equal("value" .. ("[1]"):rep(1000), err.path)
    assert.equal("[[]]", json.encode({ json.array() }, { max_depth = 2 }))
    assert.equal("value[1].a", failure(json.encode, { { a = {} } }, { max_depth = 2 }).path)
    local limit = { max_depth = math.maxinteger }
    local sorted = { max_depth = 100000, sort_keys = true }
    for _, text in ipairs({ nested(100000), objects(100000) }) do
      value = json.decode(text, limit)
      assert.equal(text, json.encode(value, limit))
      assert.equal(text, json.encode(value, sorted))
      failure(json.encode, { value }, limit)
    end
  end)
end)

describe("encoding JSON", function()
  local function encodes(value, expected) assert.equal(expected, json.encode(value)) end

  it("writes the values of all types", function()
    encodes(true, "true")
    encodes(false, "false")
    encodes(null, "null")
    encodes(nil, "null")
    encodes("text", '"text"')
    encodes(17, "17")
    encodes(-2.5, "-2.5")
    encodes({}, "{}")
    encodes({ 1, "a", false, { b = { null } } }, '[1,"a",false,{"b":[null]}]')
  end)

  it("takes the null pointer of other libraries for null", function()
    local ok, cjson = pcall(require, "cjson")
    if ok then encodes({ cjson.null }, "[null]") end
    assert.matches("a userdata$", failure(json.encode, io.stdout).message)
  end)

  it("writes integers exactly", function()
    for _, number in ipairs({ 0, 9, 10, 99, 100, 12345, -1, -10, 2 ^ 53 | 0, 9007199254740993,
                              math.maxinteger, math.mininteger }) do
      encodes(number, ("%d"):format(number))
      decodes(json.encode(number), number)
    end
  end)

  it("writes floats as the shortest text that reads back, and as floats", function()
    for text, number in pairs({
      ["1.0"] = 1.0, ["-1.0"] = -1.0, ["0.0"] = 0.0, ["-0.0"] = -0.0, ["0.1"] = 0.1, ["0.5"] = 0.5,
      ["100.0"] = 100.0, ["0.30000000000000004"] = 0.1 + 0.2, ["3.141592653589793"] = math.pi,
      ["0.3333333333333333"] = 1 / 3, ["0.6666666666666666"] = 2 / 3, ["123456.789"] = 123456.789,
      ["1e16"] = 1e16, ["1e100"] = 1e100, ["1000000000000000.0"] = 1e15,
      ["1234567890123456.8"] = 1234567890123456.8, ["1.5e300"] = 1.5e300,
      ["9007199254740992.0"] = 2.0 ^ 53, ["0.0001"] = 1e-4, ["1e-5"] = 1e-5, ["1.25e-7"] = 1.25e-7,
      ["1e-9"] = 1e-9, ["5e-324"] = 5e-324, ["1.7976931348623157e308"] = 1.7976931348623157e308,
      ["1e23"] = 1e23, ["2.2250738585072014e-308"] = 2.2250738585072014e-308,
      ["9.5367431640625e-7"] = 2.0 ^ -20, ["6.02214076e23"] = 6.02214076e23,
      ["9.313225746154785e-10"] = 2.0 ^ -30, ["7.678447687145631e-239"] = 2.0 ^ -791,
      ["-1251899243709342.2"] = -1251899243709342.25,
    }) do
      encodes(number, text)
      decodes(text, number)
    end
  end)

  it("gives floats that read back as the same, of 17 digits at the most", function()
    for i = 1, 20000 do
      local number = string.unpack("<d", string.pack("<i8", math.random(0)))
      if i % 2 == 0 then number = (math.random() - 0.5) * 10.0 ^ math.random(-15, 20) end
      if number == number and math.abs(number) ~= math.huge then
        local text = json.encode(number)
        local value = json.decode(text)
        if value ~= number or math.type(value) ~= "float" then error(text) end
        local digits = text:gsub("e.*", ""):gsub("[^0-9]", ""):gsub("^0+", "")
        if #digits > 17 and not text:find("%.0$") then error(text) end
      end
    end
  end)

  it("escapes what has to be escaped, and nothing else", function()
    encodes('"\\/\b\f\n\r\t', [["\"\\/\b\f\n\r\t"]])
    encodes("\0\1\v\31 \127", [["\u0000\u0001\u000b\u001f ]] .. '\127"')
    encodes("Aé€𝄞\u{2028}", '"Aé€𝄞\u{2028}"')
    encodes({ ['a"\n'] = 1 }, [[{"a\"\n":1}]])
    for code = 0, 255 do
      local text = utf8.char(code)
      decodes(json.encode(text), text)
    end
  end)

  it("refuses strings that are not UTF-8, with the place", function()
    for _, bytes in ipairs({ "\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80" }) do
      local err = failure(json.encode, { a = { "ok", "abc" .. bytes .. "d" } })
      assert.equal("cannot encode value.a[2]: a string that is not UTF-8, at byte 4", err.message)
      assert.equal("value.a[2]", err.path)
      assert.equal("JSONError: " .. err.message, tostring(err))
      err = failure(json.encode, { [bytes] = 1 })
      assert.matches("a key that is not UTF%-8, at byte 1$", err.message)
      assert.is_truthy(utf8.len(err.message))
    end
  end)

  it("writes long strings, with many escapes", function()
    for _, unit in ipairs({ "x", "\n", "€", "\1", 'ab"', "é\\" }) do
      for _, count in ipairs({ 1, 100, 341, 1000, 100000 }) do
        decodes(json.encode(unit:rep(count)), unit:rep(count))
      end
    end
  end)

  it("does not write what JSON does not have, and says where it is", function()
    for what, value in pairs({
      ["a number that is not finite"] = 0 / 0, ["a number that is not finite "] = math.huge,
      ["a number that is not finite  "] = -math.huge, ["a function"] = print,
      ["a thread"] = coroutine.create(print), ["a userdata"] = io.stdout,
    }) do
      what = what:gsub(" *$", "")
      local err = failure(json.encode, value)
      assert.equal("cannot encode value: " .. what, err.message)
      assert.equal("value", err.path)
      local users = { { name = "x" }, { ["first name"] = { x_1 = value } } }
      err = failure(json.encode, { users = users })
      assert.equal('value.users[2]["first name"].x_1', err.path)
      assert.equal("cannot encode " .. err.path .. ": " .. what, err.message)
      err = failure(json.encode, { { ["\n\""] = value } }, { sort_keys = true, indent = 2 })
      assert.equal('value[1]["\\x0a\\x22"]', err.path)
    end
  end)

  it("takes every table with the keys 1 to n for an array, however it was filled", function()
    local forth, back, holes = {}, {}, {}
    for i = 1, 100 do forth[i] = i end
    for i = 100, 1, -1 do back[i] = i end
    for i = 1, 200 do holes[i] = i end
    for i = 200, 101, -1 do holes[i] = nil end
    assert.equal(json.encode(forth), json.encode(back))
    assert.equal(json.encode(forth), json.encode(holes))
    local late = { [4] = "d", [2] = "b", [3] = "c" }
    late[1] = "a"
    encodes({ x = { late } }, '{"x":[["a","b","c","d"]]}')
    encodes({ 1, 2, [3] = 3, [4] = { [2] = 5, [1] = 4 } }, "[1,2,3,[4,5]]")
  end)

  it("refuses mixed and sparse tables, with their path", function()
    for message, value in pairs({
      ['a mixed table, it has items and the key "x"'] = { 1, 2, x = 3 },
      ['a mixed table, it has items and the key "n"'] = table.pack(1, 2),
      ['a mixed table, it has items and the key "2"'] = { 1, ["2"] = 2 },
      ["a sparse table, item 2 is missing"] = { 1, nil, 3 },
      ["a sparse table, item 1 is missing"] = { [5] = 1 },
      ["a sparse table, item 4 is missing"] = { 1, 2, 3, [9] = 9 },
      ["a key that is neither a string nor an index: 0"] = { [0] = 1 },
      ["a key that is neither a string nor an index: -1"] = { "x", [-1] = 1 },
      ["a key that is neither a string nor an index: 1.5"] = { [1.5] = 1 },
      ["a key that is neither a string nor an index: true"] = { [true] = 1 },
      ["a key that is a table"] = { [setmetatable({}, { __tostring = error })] = 1 },
      ["a key that is a function"] = { [print] = 1 },
      ['an array that has the key "x"'] = json.array({ x = 1 }),
    }) do
      for _, options in ipairs({ {}, { sort_keys = true }, { indent = 1 } }) do
        local err = failure(json.encode, { { list = value } }, options)
        assert.equal("cannot encode value[1].list: " .. message, err.message)
        assert.equal("value[1].list", err.path)
      end
    end
    for i = 1, 50 do -- the key that is wrong comes at any place in the table's own order
      local value = {}
      for k = 1, 20 do value["key" .. i * k] = k end
      value[i] = 1
      assert.equal("value", failure(json.encode, value).path)
      assert.equal("value", failure(json.encode, value, { sort_keys = true }).path)
    end
  end)

  it("refuses tables that contain themselves, and names both", function()
    local one = { "x" }
    one[2] = one
    assert.equal("cannot encode value[2]: a cycle, it is value", failure(json.encode, one).message)
    assert.equal("cannot encode value.a.b[2]: a cycle, it is value.a.b",
      failure(json.encode, { a = { b = one } }).message)
    for length = 1, 40 do
      local first = {}
      local last = first
      for _ = 2, length do
        last.next = {}
        last = last.next
      end
      last.next = first
      local err = failure(json.encode, { { first } })
      assert.equal("value[1][1]" .. (".next"):rep(length), err.path)
      assert.equal(("cannot encode %s: a cycle, it is value[1][1]"):format(err.path), err.message)
    end
  end)

  it("finds a cycle before it has written much", function()
    local value = { ("x"):rep(1000000) }
    value[2] = { { value } }
    collectgarbage()
    local before = collectgarbage("count")
    collectgarbage("stop")
    failure(json.encode, value)
    local used = collectgarbage("count") - before
    collectgarbage("restart")
    assert.is_true(used < 40000, used)
  end)

  it("writes a table that is there twice, but not in itself, twice", function()
    local shared = { a = json.array() }
    encodes({ shared, { shared, shared } }, '[{"a":[]},[{"a":[]},{"a":[]}]]')
  end)

  it("asks no metatable", function()
    local class = {
      __index = error, __len = error, __pairs = error, __newindex = error, __name = "Class",
      __tostring = error, __metatable = "no",
    }
    encodes({ setmetatable({ a = 1 }, class) }, '[{"a":1}]')
    encodes(setmetatable({ 1, 2 }, class), "[1,2]")
  end)

  it("sorts keys by their bytes when asked to", function()
    local value = { b = 1, a = { z = 1, y = { 1 } }, [""] = 2, B = 3, ["a\0"] = 4, ["é"] = 5,
      aa = 6, ab = 7 }
    assert.equal('{"":2,"B":3,"a":{"y":[1],"z":1},"a\\u0000":4,"aa":6,"ab":7,"b":1,"é":5}',
      json.encode(value, { sort_keys = true }))
    local many, expected = {}, {}
    for i = 1, 3000 do many[("key %04d"):format(i * 7919 % 3001)] = i end
    for i = 1, 3000 do expected[i] = ('"key %04d":%d'):format(i, many[("key %04d"):format(i)]) end
    assert.equal("{" .. table.concat(expected, ",") .. "}", json.encode(many, { sort_keys = true }))
  end)

  it("indents when asked to", function()
    local value = { a = { 1, { b = null } }, c = {}, d = json.array(), e = { f = true } }
    local lines = [[
{
  "a": [
    1,
    {
      "b": null
    }
  ],
  "c": {},
  "d": [],
  "e": {
    "f": true
  }
}]]
    assert.equal(lines, json.encode(value, { indent = 2, sort_keys = true }))
    assert.equal((lines:gsub("  ", "\t")), json.encode(value, { indent = "\t", sort_keys = true }))
    assert.equal((lines:gsub("\n *", "\n")), json.encode(value, { indent = 0, sort_keys = true }))
    assert.equal((lines:gsub("\n *", "\n")), json.encode(value, { indent = "", sort_keys = true }))
    assert.equal((lines:gsub("\n *", ""):gsub(": ", ":")), json.encode(value, { sort_keys = true }))
    assert.same(value, json.decode(lines))
    assert.equal("1", json.encode(1, { indent = 4 }))
    assert.equal("[\n 1\n]", json.encode({ [1] = 1 }, { indent = 1 }))
    assert.equal("[\n 1,\n 2\n]", json.encode({ [2] = 2, [1] = 1 }, { indent = 1 }))
  end)

  it("checks its options", function()
    for _, indent in ipairs({ -1, 101, 1.5, "--", "\v", true, {} }) do
      assert.has_error.matches(function() json.encode(1, { indent = indent }) end,
        "bad argument #2 to 'encode' %(option 'indent' must be white space, or a number of spaces")
    end
    for _, depth in ipairs({ 0, -1, 1.5, "1", false }) do
      assert.has_error.matches(function() json.encode(1, { max_depth = depth }) end,
        "option 'max_depth' must be a positive integer")
    end
    assert.has_error.matches(function() json.encode(1, { pretty = true }) end,
      "bad argument #2 to 'encode' %(unknown option 'pretty'%)")
    assert.has_error.matches(function() json.encode(1, 2) end, "table expected, got number")
  end)
end)

describe("the mark of arrays", function()
  it("is on what was an array, so that it stays one", function()
    for _, text in ipairs({ "[]", "{}", "[[],{}]", '{"a":[],"b":{}}', "[[[]]]" }) do
      assert.equal(text, json.encode(json.decode(text), { sort_keys = true }))
    end
    assert.is_true(json.is_array(json.decode("[]")))
    assert.is_true(json.is_array(json.decode("[1]")))
    assert.is_true(json.is_array(json.decode("[" .. ("1,"):rep(200000) .. "1]")))
    assert.is_false(json.is_array(json.decode("{}")))
    local list = json.decode("[1]")
    list[1] = nil
    assert.equal("[]", json.encode(list))
  end)

  it("is put on a table by json.array, which gives the table", function()
    local t = {}
    assert.equal("{}", json.encode(t))
    assert.equal(t, json.array(t))
    assert.equal(t, json.array(t))
    assert.equal("[]", json.encode(t))
    assert.is_true(json.is_array(t))
    assert.equal("[]", json.encode(json.array()))
    t[1] = 5
    assert.equal("[5]", json.encode(t))
    t[3] = 6
    assert.equal("value", failure(json.encode, t).path)
  end)

  it("is on nothing else", function()
    for _, value in ipairs({ {}, { 1 }, 1, "x", null, setmetatable({}, {}) }) do
      assert.is_false(json.is_array(value))
    end
    assert.is_false(json.is_array(nil))
  end)

  it("does not take the place of another metatable", function()
    assert.has_error.matches(function() json.array(setmetatable({}, {})) end,
      "bad argument #1 to 'array' %(the table has a metatable of its own%)")
    assert.has_error.matches(function() json.array("x") end, "table expected, got string")
  end)
end)

describe("json.null", function()
  it("is one value, true in a condition, whose text is null", function()
    assert.equal("null", tostring(null))
    assert.equal("userdata", type(null))
    assert.is_true(rawequal(null, json.decode("null")))
    assert.is_true(rawequal(null, require("lull.json").null))
    assert.is_true(null ~= nil and null ~= false)
    assert.equal(1, ({ [null] = 1 })[json.decode("null")])
  end)
end)

describe("values from JSON", function()
  it("are in a thread what they are here, and come back so", function()
    local function f(value)
      local there = require("lull.json")
      assert(value.none == there.null and there.is_array(value.list))
      return there.encode(value, { sort_keys = true }), value, there.decode("[null,[]]")
    end
    local value = json.decode('{"none":null,"list":[],"object":{}}')
    local text, back, made = lull.await(lull.to_thread(f, value))
    assert.equal('{"list":[],"none":null,"object":{}}', text)
    assert.equal(text, json.encode(back, { sort_keys = true }))
    assert.equal(null, made[1])
    assert.is_true(json.is_array(made) and json.is_array(made[2]))
  end)
end)

describe("JSON and the collector", function()
  it("get on when the collector runs all the time", function()
    local text = json.encode({
      list = { 1, 2.5, "x\ny", null, {} },
        object = { a = { b = { c = ("long "):rep(50) .. "\t" } } },
    }, { sort_keys = true })
    collectgarbage("setpause", 100)
    local before = collectgarbage("incremental", 1, 1000)
    local churn = setmetatable({}, { __gc = function() json.decode(json.encode({ text })) end })
    for i = 1, 200 do
      churn = i % 10 == 0 and setmetatable({}, getmetatable(churn)) or churn
      local value = json.decode(text)
      assert.equal(text, json.encode(value, { sort_keys = true }))
      local copy = json.decode(json.encode(value, { indent = 1 }))
      assert.equal(text, json.encode(copy, { sort_keys = true }))
    end
    collectgarbage(before, 200, 100)
  end)

  it("leave nothing behind", function()
    local text = json.encode({ list = { 1, 2.5, "x\ny", null }, s = ("é\n"):rep(2000) })
    local function round()
      for _ = 1, 50 do
        json.encode(json.decode(text))
        pcall(json.decode, text:sub(1, -3))
        pcall(json.encode, { text, print })
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    round()
    local before = round()
    assert.is_true(round() - before < 10)
  end)
end)

describe("random documents", function()
  local function word()
    local parts = { "a", "key", '"', "\\", "\n", "é", "€", "𝄞", "\0", " ", "long text " }
    local s = {}
    for i = 1, math.random(0, 6) do s[i] = parts[math.random(#parts)] end
    return table.concat(s)
  end

  local function random(depth)
    local kind = math.random(depth > 0 and 9 or 7)
    if kind == 1 then return null end
    if kind == 2 then return math.random(2) == 1 end
    if kind == 3 then return math.random(-1000, 1000) end
    if kind == 4 then return math.random(0) end
    if kind == 5 then return (math.random() - 0.5) * 10.0 ^ math.random(-20, 20) end
    if kind <= 7 then return word() end
    local value = kind == 8 and json.array() or {}
    for i = 1, math.random(0, 5) do value[kind == 8 and i or word()] = random(depth - 1) end
    return value
  end

  it("come back as they were", function()
    for _ = 1, 2000 do
      local value = random(5)
      local text = json.encode(value, { sort_keys = true })
      assert.equal(text, json.encode(json.decode(text), { sort_keys = true }))
      local copy = json.decode(json.encode(value, { indent = "\t" }))
      assert.equal(text, json.encode(copy, { sort_keys = true }))
    end
  end)

  it("that are damaged are read or refused, with a place that is in the text", function()
    local refused = 0
    for _ = 1, 3000 do
      local text = json.encode(random(4))
      local place = math.random(#text)
      local byte = math.random(3) == 1 and "" or string.char(math.random(0, 255))
      text = text:sub(1, place - 1) .. byte .. text:sub(place + math.random(0, 2))
      local ok, value = pcall(json.decode, text)
      if ok then
        json.encode(value)
      else
        assert.is_true(lull.is_error(value, json.JSONError))
        assert.is_true(value.offset >= 1 and value.offset <= #text + 1)
        refused = refused + 1
      end
    end
    assert.is_true(refused > 500)
  end)
end)

describe("the JSON module", function()
  it("is not loaded before it is required", function()
    assert.equal("nil\tuserdata\n", script.run([[
require "lull"
print(package.loaded["lull.json"], type(require("lull.json").null))]]))
  end)
end)
