-- lull.prompt.show: what the prompt echoes.
local lull = require("lull")
local show = require("lull.prompt.show")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function plain(text) return (text:gsub("\27%[%d*m", "")) end

local function shows(expected, value, options)
  assert.equal(expected, show.value(value, options))
end

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function lines(text)
  local list = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do list[#list + 1] = line end
  return list
end

-- Whether two values are the same data: tables by what is in them, floats by their bits.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    if math.type(a) == "float" and math.type(b) == "float" then
      return string.pack("d", a) == string.pack("d", b)
    end
    return a == b and math.type(a) == math.type(b)
  end
  for key, value in next, a do
    if not same(value, b[key]) then return false end
  end
  for key in next, b do
    if a[key] == nil then return false end
  end
  return true
end

local function reads_back(value, options)
  local text = show.value(value, options)
  local chunk = assert(load("return " .. text, "=shown", "t", { math = math }), text)
  assert(same(value, chunk()), text)
end

describe("a string is shown", function()
  it("in quotes, with escapes", function()
    shows([["plain"]], "plain")
    shows([["a\nb\tc\\d\"e\r\x1b[0m\x00\x7f"]], "a\nb\tc\\d\"e\r\27[0m\0\127")
  end)

  it("with its UTF-8 readable, and other bytes escaped", function()
    shows([["é漢字 🎈"]], "é漢字 🎈")
    shows([["\xff\xe6\xbc!\xed\xa0\x80"]], "\xff\xe6\xbc!\xed\xa0\x80")
  end)

  it("without what terminals obey or hide, though it is UTF-8", function()
    shows([["\u{9b}2J\u{202e}x\u{200b}\u{2028}\u{2066}\u{feff}"]],
      "\u{9b}2J\u{202e}x\u{200b}\u{2028}\u{2066}\u{feff}")
    shows([["👩‍🚀"]], "👩‍🚀") -- joined by U+200D
  end)

  it("so that it reads back", function()
    for i = 0, 255 do reads_back(string.char(i) .. "1" .. string.char(255 - i)) end
  end)

  it("in its beginning only, if it is very long", function()
    shows(("\"%s\"... (5000 bytes)"):format(("x"):rep(2000)), ("x"):rep(5000))
    shows(("\"%s\""):format(("x"):rep(2000)), ("x"):rep(2000))
    shows(("{\"%s\"... (2000 bytes)}"):format(("x"):rep(160)), { ("x"):rep(2000) },
      { width = 300 })
  end)

  it("without cutting a character in two", function()
    for offset = 0, 3 do
      local text = ("x"):rep(offset) .. ("漢"):rep(1000)
      local head = show.value(text):match("^\"(.*)\"%.%.%. %(%d+ bytes%)$")
      assert.is_truthy(utf8.len(head))
      assert.is_true(#head > 1996 and #head <= 2000)
    end
  end)
end)

describe("a number is shown", function()
  it("as one that reads back, of its kind", function()
    for text, value in pairs({
      ["1"] = 1, ["1.0"] = 1.0, ["-0.0"] = -0.0, ["0.1"] = 0.1, ["1e+300"] = 1e300,
      ["math.huge"] = math.huge, ["-math.huge"] = -math.huge,
      ["math.mininteger"] = math.mininteger, ["9223372036854775807"] = math.maxinteger,
      ["0.30000000000000004"] = 0.1 + 0.2,
    }) do
      shows(text, value)
      reads_back(value)
    end
    for _ = 1, 1000 do
      local value = string.unpack("d", string.pack("j", math.random(0)))
      if value == value then reads_back(value) end
    end
  end)

  it("as nan if it is none", function()
    shows("nan", 0 / 0)
    shows("nan", -(0 / 0))
  end)
end)

describe("a table is shown", function()
  it("list first, then keys in order", function()
    shows("{}", {})
    shows("{1, 2, 3}", { 1, 2, 3 })
    shows([[{1, B = 1, a = 2, b = 3, ["end"] = 4, ["x y"] = 5, [-1] = 6, [1.5] = 7, ]]
      .. "[10] = 8, [false] = 9, [true] = 10}",
      { 1, b = 3, B = 1, a = 2, ["end"] = 4, ["x y"] = 5, [-1] = 6, [1.5] = 7, [10] = 8,
        [false] = 9, [true] = 10 }, { width = 200 })
  end)

  it("with keys that are objects last, by what they are called", function()
    local class = { __tostring = function(self) return self.text end }
    local function object(text) return setmetatable({ text = text }, class) end
    local t = { [object("b")] = 2, [object("a")] = 1, [{}] = 3, [{ 1 }] = 4, [print] = 5, x = 6 }
    shows("{x = 6, [builtin function print] = 5, [a] = 1, [b] = 2, [{...}] = 4, [{}] = 3}", t,
      { width = 100 })
  end)

  it("with nil where a list has a hole, and none for a list that is mostly holes", function()
    shows("{nil, 2, n = 2}", table.pack(nil, 2))
    shows("{1, nil, 3}", { 1, nil, 3 })
    local t = numbers(1000)
    for i = 1, 990 do t[i] = nil end
    assert.matches("^{%[991%] = 991, %[992%] = 992, ", show.value(t, { width = 500 }))
  end)

  it("on one line if it fits, else an entry a line", function()
    local t = { name = "a", list = { 1, 2 }, inner = { deep = { "x" } } }
    local text = [[{inner = {deep = {"x"}}, list = {1, 2}, name = "a"}]]
    shows(text, t)
    shows(text, t, { width = #text })
    shows([[
{
  inner = {deep = {"x"}},
  list = {1, 2},
  name = "a"
}]], t, { width = #text - 1 })
    shows([[
{
  inner = {
    deep = {"x"}
  },
  list = {1, 2},
  name = "a"
}]], t, { width = 23 })
    shows(text, t, { width = 10, multiline = false })
  end)

  it("with short items of a list side by side", function()
    shows("{\n  1, 2, 3, 4, 5, 6,\n  7, 8, 9, 10, 11,\n  12\n}", numbers(12), { width = 20 })
    shows("{\n  1, 2,\n  {\"some more\"},\n  4,\n  x = 1\n}", { 1, 2, { "some more" }, 4, x = 1 },
      { width = 20 })
  end)

  it("in lines that are no longer than the width", function()
    local t = { list = numbers(90), words = {}, more = { numbers(30), { "é", "漢" } } }
    for i = 1, 40 do t.words[i] = ("é"):rep(i % 9) end
    for width = 40, 100 do
      for _, line in ipairs(lines(show.value(t, { width = width }))) do
        assert.is_true(utf8.len(line) <= width, line)
      end
    end
  end)

  it("with marks for itself, and for what is there twice", function()
    local t = { list = { {} } }
    t.self = t
    t.list[2] = t.list
    t.list[3] = t
    t.zlist = t.list
    t.copies = { ["a b"] = { { 1 } } }
    t.other = t.copies["a b"][1]
    shows([[{copies = {["a b"] = {<same as _.other>}}, list = {{}, <cycle _.list>, <cycle _>}, ]]
      .. "other = {1}, self = <cycle _>, zlist = <same as _.list>}", t, { width = 200 })
    t = { { { { a = {} } } } }
    t[1][1][1].a[1] = t[1][1]
    shows("{{{{a = {<cycle _[1][1]>}}}}}", t)
  end)

  it("shortened, if it is long", function()
    local text = show.value(numbers(1000))
    assert.matches("^{\n  1, 2, 3, .* 99, 100, %.%.%. 900 more\n}$", text)
    text = show.value({ numbers(1000) })
    assert.matches(" 29, 30, %.%.%. 970 more\n", text)
    local keys = {}
    for i = 1, 1000 do keys[("k%04d"):format(i)] = i end
    text = show.value(keys)
    assert.matches("^{\n  k0001 = 1,\n.*  k0100 = 100,\n  %.%.%. 900 more\n}$", text)
  end)

  it("shortened, if it is deep", function()
    local t = { 0 }
    for _ = 1, 100000 do t = { t } end
    shows("{{{{{{{...}}}}}}}", t)
  end)

  it("with what is near its top, if there is very much in it", function()
    local t = {}
    for i = 1, 100 do t[i] = numbers(20) end
    local text = show.value(t)
    assert.matches("^{\n  {1, 2, 3, .* 18, 19, 20},\n", text)
    assert.matches("{%.%.%.}, {%.%.%.}\n}$", text)
    local _, count = text:gsub("{", "")
    assert.equal(101, count)
  end)

  it("so that plain data reads back", function()
    local function random_value(depth)
      local kind = math.random(depth > 3 and 4 or 6)
      if kind == 1 then return math.random(0) end
      if kind == 2 then return math.random() * 10 ^ math.random(-20, 20) end
      if kind == 3 then return math.random() < 0.5 end
      if kind == 4 then return string.char(math.random(0, 255), math.random(0, 255)) end
      local t = {}
      for i = 1, math.random(0, 6) do
        t[kind == 5 and i or random_value(4)] = random_value(depth + 1)
      end
      return t
    end
    for _ = 1, 100 do
      local value = random_value(0)
      reads_back(value, { width = math.random(20, 100) })
      reads_back(value, { multiline = false })
    end
  end)
end)

describe("a huge table is shown soon:", function()
  local function is_soon(value)
    local start = os.clock()
    local text = show.value(value)
    assert.is_true(os.clock() - start < 2)
    assert.is_true(#text < 10000)
    return text
  end

  it("a list of a million", function()
    local t = numbers(1000000)
    t.name, t[-1] = "x", 0
    assert.matches("100, %.%.%. 999900 more,\n  name = \"x\",\n  %[%-1%] = 0\n}$", is_soon(t))
  end)

  it("a million keys", function()
    local t = {}
    for i = 1, 1000000 do t[i * 1.5 + 1 / 3] = i end
    assert.matches("%.%.%. more than 499%d%d%d more\n}$", is_soon(t))
  end)

  it("a list of huge lists", function()
    local t = {}
    for i = 1, 20 do t[i] = setmetatable({}, nil) end
    local inner = numbers(50000)
    for i = 1, 20 do
      t[i] = table.move(inner, 1, #inner, 1, {})
      t[i].x = i
    end
    local text = is_soon(t)
    assert.matches("30, %.%.%. 49970 more,\n    x = 1\n", text)
  end)

  it("a tree in which every table is there twice", function()
    local t = {}
    for _ = 1, 1000 do t = { t, t, {}, {} } end
    assert.matches("same as", is_soon(t))
  end)

  it("a set of many tables", function()
    local t = {}
    for _ = 1, 100000 do t[{}] = true end
    assert.matches("%.%.%. 99900 more\n}$", is_soon(t))
  end)
end)

describe("an object", function()
  local Point = { __name = "Point" }
  local function failing() error("no") end

  it("with a __tostring is that text", function()
    local class = { __tostring = function(self) return "point " .. self.x end }
    shows("point 1", setmetatable({ x = 1 }, class))
    shows("{point 1, p = point 2}",
      { setmetatable({ x = 1 }, class), p = setmetatable({ x = 2 }, class) })
  end)

  it("has what a terminal would obey taken out of its text", function()
    local class = { __tostring = function() return "a\27[2Jb\rc\xff\td\ne" end }
    shows("a\\x1b[2Jb\\rc\\xff\td\ne", setmetatable({}, class))
  end)

  it("has only the first line of its text inside a table, and on one line", function()
    local object = setmetatable({}, { __tostring = function() return "first\nsecond" end })
    shows("{first ...}", { object })
    shows("first ...", object, { multiline = false })
  end)

  it("has its text shortened", function()
    local class = { __tostring = function() return ("x"):rep(1e6) end }
    shows(("x"):rep(2000) .. " ...", setmetatable({}, class))
    assert.is_true(#show.value({ setmetatable({}, class) }) < 200)
  end)

  it("without a __tostring is its fields, after its class's name if that is a string", function()
    shows("Point {x = 1, y = 2}", setmetatable({ x = 1, y = 2 }, Point))
    shows("Point {}", setmetatable({}, Point))
    shows("{x = 1}", setmetatable({ x = 1 }, { __name = 42, __index = failing, __len = failing,
      __pairs = failing, __metatable = "locked", __eq = failing, __lt = failing }))
  end)

  it("is its fields if its __tostring fails, and says so", function()
    local function is_shown(expected, to_string)
      local object = setmetatable({ x = 1 }, { __name = "Point", __tostring = to_string })
      local text = show.value(object, { width = 200 })
      assert.matches("^Point <__tostring failed: .*> {x = 1}$", text)
      assert.matches(expected, text, 1, true)
    end
    is_shown("oops", function() error("oops") end)
    is_shown("must return a string", function() return {} end)
    is_shown("TimeoutError: late", function() error(lull.TimeoutError("late")) end)
    is_shown("table", function() error(setmetatable({}, { __tostring = failing })) end)
    is_shown("attempt to yield", function() coroutine.yield() end)
    is_shown("await inside a C function", function() await(lull.future()) end)
    is_shown("overflow", function(self) return tostring(self) end)
  end)

  it("lets the interrupt through that stops its __tostring", function()
    local object = setmetatable({}, { __tostring = function()
      lull.current_task():cancel()
      error(lull.CancelledError("interrupted"))
    end })
    local task = lull.create_task(function() return show.value({ object }) end)
    await(lull.wait({ task }, { timeout = 10 }))
    assert.is_true(task:cancelled())
  end)

  it("that is userdata is its text, or its type and address", function()
    assert.matches("^file %(0x%x+%)$", show.value(io.stdout))
    assert.matches("^light userdata 0x%x+$", show.value(debug.upvalueid(shows, 1)))
    assert.equal("json.null", show.value(require("lull.json").null))
    shows("json.array {1}", require("lull.json").array({ 1 }))
  end)

  it("that is a function has a name, if it is in a module, and a place", function()
    shows("builtin function print", print)
    shows("builtin function string.format", string.format)
    assert.matches("^function <spec/lua/prompt/show_spec%.lua:%d+>$", show.value(plain))
    shows("function <[string \"x = 1\"]>", load("x = 1"))
    _G.show_spec_f = plain
    assert.matches("^function show_spec_f <spec/", show.value(plain))
    _G.show_spec_f = nil
    assert.matches("^async function <spec/lua/prompt/show_spec%.lua:%d+>$",
      show.value(async(function() end)))
    assert.matches("^async function fetch <spec/", show.value(async(function() end, "fetch")))
    assert.matches("^generator function <spec/lua/prompt/show_spec%.lua:%d+>$",
      show.value(lull.generator(function() end)))
    _G.show_spec_g = lull.generator(print)
    shows("generator function show_spec_g", _G.show_spec_g)
    _G.show_spec_g = nil
    assert.matches("^function lull.generator <", show.value(lull.generator))
    shows("async function sort", async(table.sort, "sort"))
  end)

  it("that is a coroutine has its status and line", function()
    local co = coroutine.create(function() coroutine.yield() end)
    shows("coroutine (suspended)", co)
    coroutine.resume(co)
    assert.matches("^coroutine %(suspended at spec/lua/prompt/show_spec%.lua:%d+%)$",
      show.value(co))
    coroutine.resume(co)
    shows("coroutine (dead)", co)
  end)
end)

describe("of lull's own objects", function()
  tidy.watch(before_each, after_each)

  local get = async(function(...) return ... end)
  local fail = async(function(err) error(err, 0) end)

  it("coroutine objects say whether they were awaited", function()
    local object = get(1)
    assert.matches("^coroutine object %(spec/[^)]*%), not awaited: await%(_%) runs it$",
      show.value(object))
    assert.matches("^{coroutine object %(spec/[^)]*%), not awaited}$",
      show.value({ object }, { width = 200 }))
    assert.matches("not awaited\n1$", show.values(table.pack(object, 1), { width = 20 }))
    await(object)
    assert.matches(", awaited already$", show.value(object))
    local sleep = lull.sleep(0)
    shows("coroutine object (sleep), not awaited: await(_) runs it", sleep)
    await(sleep)
  end)

  it("tasks have a name and a state", function()
    local task = lull.create_task(function() await(lull.sleep(60)) end, { name = "a\nb" })
    shows([[task 'a ...' (pending)]], task)
    task:set_name("waiter")
    shows("task 'waiter' (pending)", task)
    await(lull.sleep(0))
    assert.matches("^task 'waiter' %(pending at spec/lua/prompt/show_spec%.lua:%d+%)$",
      show.value(task))
    task:cancel()
    assert.matches("^task 'waiter' %(pending at %S+:%d+, cancelled%)$", show.value(task))
    await(lull.wait({ task }, { timeout = 10 }))
    shows("task 'waiter' (cancelled)", task)
    assert.matches("^task '.*' %(running%)$", show.value(lull.current_task()))
  end)

  it("tasks that are done have results, shortened", function()
    local function done(...)
      local task = lull.create_task(get(...), { name = "t" })
      await(lull.wait({ task }, { timeout = 10 }))
      return task
    end
    shows("task 't' (done)", done())
    shows("task 't' (done: nil)", done(nil))
    shows("task 't' (done: \"x\", {1, {a = 2}}, 3, ...)", done("x", { 1, { a = 2 } }, 3, 4))
    shows("{task 't' (done: task 't' (done))}", { done(done(1)) })
    assert.is_true(#show.value(done({ ("x"):rep(1000), numbers(1000) })) < 200)
    local t = {}
    t[t], t.task = t, done(t)
    shows("{task = task 't' (done: {task = task 't' (done), [{...}] = <cycle _>}), "
      .. "[{...}] = <cycle _>}", t, { width = 100 })
  end)

  it("tasks that failed have their error, which was looked at then", function()
    local strings = lull.create_task(fail("boom"), { name = "t" })
    local object = lull.create_task(fail(lull.OSError("no file", { code = "ENOENT" })),
      { name = "t" })
    await(lull.sleep(0))
    shows("task 't' (failed: boom)", strings)
    shows("task 't' (failed: OSError: no file {code = \"ENOENT\"})", object)
  end)

  it("tasks that failed and are not shown are still told of", function()
    do
      local failed = lull.create_task(fail("boom"), { name = "t" })
      await(lull.sleep(0))
      local holder = lull.create_task(get(failed), { name = "holder" })
      await(holder)
      shows("task 'holder' (done: task 't' (failed))", holder)
    end
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal("boom", reports[1].exception)
  end)

  it("futures and gathers have a state and a result", function()
    local future = lull.future()
    shows("future (pending)", future)
    future:set_result({ 1 })
    shows("future (done: {1})", future)
    local gathered = lull.gather(get(1), get(2))
    shows("gather future (pending)", gathered)
    await(gathered)
    shows("gather future (done: 1, 2)", gathered)
    future = lull.future()
    future:cancel()
    shows("future (cancelled)", future)
  end)

  it("errors have their class, message and fields", function()
    shows("TimeoutError: late", lull.TimeoutError("late"))
    shows("OSError: no file {code = \"ENOENT\", path = \"/x\"}",
      lull.OSError("no file", { code = "ENOENT", path = "/x" }))
    shows("ExceptionGroup: several (2 errors) {errors = {TimeoutError: late, \"x\"}}",
      lull.ExceptionGroup("several", { lull.TimeoutError("late"), "x" }))
    shows("error class TimeoutError", lull.TimeoutError)
    shows("error class ParseError", lull.Error:extend("ParseError"))
    shows("ParseError: bad {line = 3}", lull.Error:extend("ParseError")("bad", { line = 3 }))
  end)

  it("headers have their values, sorted", function()
    local headers = require("lull.http.headers").new(
      "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a=1\r\nDate: now\r\nSet-Cookie: b=2\r\n\r\n")
    local text = show.value(headers)
    assert.equal("headers {date = \"now\", server = \"x\", [\"set-cookie\"] = \"a=1, b=2\"}",
      text:lower())
  end)

  it("others have their text", function()
    local lock = lull.lock()
    local guard = await(lock:acquire())
    shows("lock (locked)", lock)
    shows("guard of a lock (held)", guard)
    guard:release()
    shows("guard of a lock (released)", guard)
    local semaphore = lull.semaphore(2)
    guard = await(semaphore:acquire())
    shows("{semaphore (1 left), guard of a semaphore (held)}", { semaphore, guard })
    guard:release()
    local handle = lull.loop():call_later(60, print)
    shows("handle (pending)", handle)
    handle:cancel()
    shows("handle (cancelled)", handle)
    handle = lull.loop():call_soon(function() end)
    await(lull.sleep(0))
    shows("handle (called)", handle)
    shows("queue (0 items)", lull.queue())
    shows("timer", require("lull.timer").new())
  end)
end)

describe("several values", function()
  local function show_several(options, ...) return show.values(table.pack(...), options) end

  it("are joined with tabs", function()
    assert.equal("", show_several(nil))
    assert.equal("nil", show_several(nil, nil))
    assert.equal("nil\t1\tnil", show_several(nil, nil, 1, nil))
    assert.equal("{1}\t\"x\"", show_several(nil, { 1 }, "x"))
  end)

  it("are on lines of their own if they do not fit", function()
    assert.equal("\"a\"\t\"b\"", show_several({ width = 11 }, "a", "b"))
    assert.equal("\"a\"\n\"b\"", show_several({ width = 10 }, "a", "b"))
    assert.equal("{\n  a = 1,\n  b = 2\n}\n3", show_several({ width = 10 }, { a = 1, b = 2 }, 3))
    assert.equal("\"a\"\t\"b\"", show_several({ width = 1, multiline = false }, "a", "b"))
  end)
end)

describe("colours", function()
  it("are there if they are wanted", function()
    shows("{\27[33m1\27[39m, \27[36ma\27[39m = \27[32m\"x\"\27[39m, "
      .. "\27[36mb\27[39m = \27[35mtrue\27[39m, \27[36mc\27[39m = \27[90m<cycle _>\27[39m}",
      (function()
        local t = { 1, a = "x", b = true }
        t.c = t
        return t
      end)(), { color = true })
    assert.is_nil(show.value({ 1, "x", print, lull.Error("x") }):find("\27", 1, true))
  end)
end)

-- Random values with all that can be odd about them.
describe("whatever a value is like", function()
  tidy.watch(before_each, after_each)

  local odd_results = {
    function() error("failed") end, function() error({}) end, function() return {} end,
    function() return "odd\27[31m\0text" end, function() coroutine.yield() end,
    function() await(lull.future()) end, function(self) return tostring(self) end,
    function() error(setmetatable({}, { __tostring = function() error("again") end })) end,
  }
  local called -- a metamethod that none may call
  local events = { "__index", "__newindex", "__pairs", "__len", "__eq", "__lt", "__concat",
    "__call", "__unm", "__await" }
  local names = { "x", 42, {}, true, ("long "):rep(100), "lull task", "lull headers", "json.null",
    "lull future", "\27[31m" }

  local function random_meta()
    local meta = {}
    for _ = 1, math.random(0, 4) do
      local event = events[math.random(#events)]
      meta[event] = function() called = event end
    end
    if math.random(2) == 1 then meta.__tostring = odd_results[math.random(#odd_results)] end
    if math.random(3) == 1 then meta.__name = names[math.random(#names)] end
    if math.random(3) == 1 then meta.__metatable = names[math.random(#names)] end
    if math.random(9) == 1 then setmetatable(meta, meta) end
    if math.random(9) == 1 then return lull.Error:extend("Odd") end
    return meta
  end

  local function random_string()
    local bytes = {}
    for i = 1, math.random(0, 12) do bytes[i] = string.char(math.random(0, 255)) end
    return table.concat(bytes):rep(math.random(20) == 1 and 1000 or 1)
  end

  local future = lull.future()
  local scalars = {
    random_string, random_string, function() return math.random(0) end,
    function() return string.unpack("d", string.pack("j", math.random(0))) end,
    function() return 0 / 0 end, function() return math.random() < 0.5 end,
    function() return nil end, function() return print end, function() return random_string end,
    function() return coroutine.create(print) end, function() return io.stderr end,
    function() return debug.upvalueid(random_string, 1) end, function() return future end,
    function() return lull.current_task() end,
  }

  local function random_value(depth, known)
    if depth > 5 or math.random(3) == 1 then return scalars[math.random(#scalars)]() end
    if #known > 0 and math.random(8) == 1 then return known[math.random(#known)] end
    local t = {}
    known[#known + 1] = t
    for i = 1, math.random(0, 8) do
      local key = math.random(3) > 1 and i or random_value(depth + 2, known)
      if key == nil or key ~= key then key = i end
      rawset(t, key, random_value(depth + 1, known))
    end
    if math.random(4) == 1 then setmetatable(t, random_meta()) end
    return t
  end

  it("it is shown, in bounds, the same with colours and without", function()
    for i = 1, 400 do
      math.randomseed(i)
      local value, width = random_value(0, {}), math.random(1, 120)
      for _, multiline in ipairs({ true, false }) do
        local text = show.value(value, { width = width, multiline = multiline })
        assert.equal("string", type(text), "seed " .. i)
        assert.is_true(#text < 400000, "seed " .. i)
        assert.is_truthy(utf8.len(text), "seed " .. i)
        assert.is_nil(text:find("[\0-\8\11-\31\127]"), "seed " .. i)
        local colored = show.value(value, { width = width, multiline = multiline, color = true })
        assert.equal(text, plain(colored), "seed " .. i)
        if not multiline then assert.is_nil(text:find("\n", 1, true), "seed " .. i) end
        assert.is_nil(called, "seed " .. i)
      end
    end
  end)

  it("it is shown although globals were changed", function()
    local saved = {}
    for _, name in ipairs({ "tostring", "type", "next", "pcall", "rawget", "error", "pairs" }) do
      saved[name], _G[name] = _G[name], false
    end
    local format = string.format
    rawset(string, "format", false)
    local ok, text = saved.pcall(show.value,
      { 1, a = { "x" }, [2.5] = setmetatable({}, { __name = "P" }) })
    rawset(string, "format", format)
    for name, value in saved.next, saved do _G[name] = value end
    assert.is_true(ok, text)
    assert.equal("{1, a = {\"x\"}, [2.5] = P {}}", text)
  end)
end)
