-- Local variables that live on from chunk to chunk of the prompt.
local lull = require "lull"
local scope = require "lull.prompt.scope"
local tidy = require "spec.tidy"

local await = lull.await

local env, session

-- Compiles and runs a chunk; gives its results.
local function run(text, ...)
  return assert(session:compile(text))(...)
end

local function fails(text, message)
  local ok, err = pcall(run, text)
  assert.is_false(ok)
  assert.equal(message, err)
end

local function values(expected, text)
  assert.same(table.pack(table.unpack(expected, 1, expected.n or #expected)), table.pack(run(text)))
end

before_each(function()
  env = setmetatable({lull = lull, await = await, async = lull.async}, {__index = _G})
  session = scope.new(env)
end)

describe("a chunk of the prompt", function()
  tidy.watch(before_each, after_each)

  it("gives the values of an expression list", function()
    values({3, nil, "x", n = 3}, "1 + 2, nil, 'x' -- comment")
    values({1, 2}, "(function(...) return ... end)(1, 2)")
    values({7}, "\n7\n--[[ c ]]")
  end)

  it("gives what its statements return, and nothing otherwise", function()
    values({4}, "local a = 3 return a + 1")
    values({4}, "return 4;")
    values({n = 0}, "x = 5")
    assert.equal(5, env.x)
  end)

  it("gives nothing if there is nothing in it", function()
    for _, text in ipairs {"", " \n", "-- comment", "--[[ c\n]]", ";", "--[==[ ]==] -- x"} do
      values({n = 0}, text)
    end
  end)

  it("has arguments", function()
    assert.same({2, 1, 3}, {run("local a, b = ... return b, a, select('#', ...)", 1, 2, nil)})
    assert.same({1, 2}, {run("...", 1, 2)})
  end)

  it("may have labels at its top level", function()
    values({3}, "local i = 0 ::again:: i = i + 1 if i < 3 then goto again end return i")
    run("goto done local skipped = 1 ::done::")
    assert.is_false((session:get("skipped")))
  end)

  it("keeps the last of the variables that a loop of labels makes", function()
    run("fs = {} ::again:: local v = #fs fs[#fs + 1] = function() v = v + 10 return v end " ..
      "if #fs < 3 then goto again end")
    values({2}, "v")
    values({10, 11, 12, 12}, "fs[1](), fs[2](), fs[3](), v")
  end)

  it("tells of errors in the lines where they are", function()
    fails("error('a')", "stdin:1: a")
    fails("local a = 1\nlocal b = 2\nerror('b')", "stdin:3: b")
    fails("\n\na.b.c = a", "stdin:3: attempt to index a number value (upvalue 'a')")
    fails("function f()\n\nerror('c') end\n\nf()", "stdin:3: c")
    fails("\n\n\nerror(b .. '!') -- c", "stdin:4: 2!")
    session = scope.new(env, "@file.lua")
    fails("\nerror('d')", "file.lua:2: d")
  end)

  it("is shown in tracebacks as the main chunk, in the calls of its functions too", function()
    run("local x\nfunction deep() error('deep') end")
    for _, text in ipairs {"\ndeep()", "\nlocal y = 1 deep()", "\nx = 1 deep(y) return 2"} do
      local task = lull.create_task(assert(session:compile(text)))
      await(lull.wait {task})
      assert.equal("stdin:2: deep", task:exception())
      assert.equal("\n\tstdin:2: in global 'deep'\n\tstdin:2: in main chunk", task:traceback())
    end
    local task = lull.create_task(assert(session:compile(
      "('x'):gsub('.', function() return (deep()) end)")))
    await(lull.wait {task})
    assert.equal("stdin:2: deep", task:exception())
    assert.equal("\n\tstdin:2: in global 'deep'\n\tstdin:1: in function <stdin:1>" ..
      "\n\tstdin:1: in main chunk", task:traceback())
  end)

  it("may be any module or script", function()
    for _, path in ipairs {"spec/lua/prompt/scope_spec.lua", "spec/fuzz_spec.lua", "spec/web.lua",
                           "lua/lull/prompt/declarations.lua", "lua/lull/generator.lua"} do
      local file = assert(io.open(path))
      local text = file:read("a")
      file:close()
      assert(session:compile(text))
    end
    local file = assert(io.open("lua/lull/prompt/syntax.lua"))
    local module = run(file:read("a"))
    file:close()
    assert.equal("  ", module.indentation("do"))
    assert.is_true((session:get("READERS")))
  end)

  it("may be long", function()
    local lines = {"local first = 1"}
    for i = 2, 40000 do lines[i] = ("x%d = {%d, 'text', f = f} -- line"):format(i % 100, i) end
    lines[#lines + 1] = "local last = first + x1[1]"
    local text = table.concat(lines, "\n")
    assert.is_true(#text > 1e6)
    local start = os.clock()
    run(text)
    assert.is_true(os.clock() - start < 5, "took " .. os.clock() - start)
    values({1, 39902}, "first, last")
  end)
end)

describe("what does not compile", function()
  local function check(text, message, incomplete)
    local chunk, got, more = session:compile(text)
    assert.is_nil(chunk)
    assert.equal(message, got)
    assert.equal(incomplete, more)
  end

  it("is told of as Lua does", function()
    check("x = = 1", "stdin:1: unexpected symbol near '='", false)
    check("x = 1\ny = )", "stdin:2: unexpected symbol near ')'", false)
    for _, text in ipairs {"break", "goto x", "::a:: ::a::", "local x <const> = 1 x = 2",
                           "x = '\\q'", "x = ...)"} do
      check(text, select(2, load(text, "=stdin")), false)
    end
    check("\27Lua", "attempt to load a binary chunk (mode is 't')", false)
    check("local x <foo> = 1", "stdin:1: unknown attribute 'foo'", false)
    check("local a <close>, b <close> = 1",
      "stdin:1: multiple to-be-closed variables in local list", false)
    check("local a <close> = nil a = 1", "stdin:1: attempt to assign to const variable 'a'", false)
  end)

  it("is incomplete if more lines could make it whole", function()
    check("if x", "stdin:1: 'then' expected near <eof>", true)
    check("function f()\n", "stdin:2: 'end' expected (to close 'function' at line 1) near <eof>",
      true)
    check("x = [[", "stdin:1: unfinished long string (starting at line 1) near <eof>", true)
    check("--[==[ ]]", "stdin:1: unfinished long comment (starting at line 1) near <eof>", true)
    for _, text in ipairs {"f(", "local", "local x =", "x = 'a\\", "x = 'a\\z ", "for i = 1, 2 do",
                           "x", "local t = {"} do
      local _, _, incomplete = session:compile(text)
      assert.equal(text ~= "x" or nil, incomplete, text)
    end
  end)

  it("is incomplete if more lines could make it an expression", function()
    for _, text in ipairs {"{", "1 +", "x and", "not", "'a' ..", "function(a)", "(1 +\n2", "-",
                           "{1, 2,\n{3}"} do
      local chunk, _, incomplete = session:compile(text)
      assert.is_nil(chunk)
      assert.is_true(incomplete, text)
    end
    values({4}, "1 +\n3")
    for _, text in ipairs {"1 1", "1 + )", "{} x", "end"} do
      local _, _, incomplete = session:compile(text)
      assert.is_false(incomplete, text)
    end
  end)

  it("is not incomplete for the lack of a quote, which may not be in another line", function()
    check("x = 'abc", "stdin:1: unfinished string near ''abc'", false)
    check("'abc", "stdin:1: unfinished string near ''abc'", false)
    check("f('abc", "stdin:1: unfinished string near ''abc'", false)
    check("x = 'abc\n'", "stdin:1: unfinished string near ''abc'", false)
  end)

  it("cannot end what the prompt puts around it", function()
    run("local a = 1")
    for _, text in ipairs {"end", "end local x = 1 function f()", "return a end", "1 end return 2",
                           "end return function(...)", "return 1 end, function() return 2",
                           "a; end; do"} do
      local chunk, message = session:compile(text)
      assert.is_nil(chunk)
      local _, expected = load(text, "=stdin")
      assert.equal(expected, message)
    end
  end)

  it("leaves the variables alone", function()
    run("local a = 1")
    session:compile("local a = = 2")
    values({1}, "a")
  end)
end)

describe("a local variable of the prompt", function()
  tidy.watch(before_each, after_each)

  it("lives on in later chunks", function()
    run("local a, b, c = 1, 'two'")
    values({1, "two", nil, n = 3}, "a, b, c")
    run("a, c = a + 1, {}")
    values({2, "two"}, "a, b")
    assert.equal("table", type(run("c")))
    assert.is_nil(rawget(env, "a"))
  end)

  it("is the one that functions of any chunk share", function()
    run("local n = 0 function up() n = n + 1 return n end")
    values({1, 2, 2}, "up(), up(), n")
    run("n = 10 function down() n = n - 1 return n end")
    values({11, 10, 10}, "up(), down(), n")
    run("do local function deep() return function() n = n * 2 end end deep()() end")
    values({20}, "n")
  end)

  it("is a new one when it is declared again", function()
    run("local x = 1 function old() return x end")
    run("local x = x + 1 function new() return x end")
    values({2, 1, 2}, "x, old(), new()")
    run("x = 5")
    values({1, 5}, "old(), new()")
    run("local y = 1 f = function() return y end local y = 2")
    values({2, 1}, "y, f()")
    run("local z, z = 1, 2")
    values({2}, "z")
  end)

  it("may be a function, which can call itself", function()
    run("local function fact(n)\nreturn n < 2 and 1 or n * fact(n - 1)\nend")
    values({120}, "fact(5)")
    run("local f = fact fact = function() return 0 end")
    values({0}, "f(5)")
  end)

  it("is none of those in blocks and functions", function()
    run("do local a = 1 end for i = 1, 2 do local b end local function f() local c end " ..
      "if true then local d = 1 end t = {function() local e end}")
    assert.same({"f"}, session:names())
  end)

  it("hides the global of its name", function()
    run("x = 'global'")
    run("local x = 'local'")
    values({"local", "global"}, "x, _G.x or _ENV.x")
    assert.equal("global", env.x)
  end)

  it("is declared wherever its statement ends", function()
    run("local a = 1--[[c]]local b = a\n-- c\nlocal c = function() return a end;local d = c ()" ..
      " ;;; local e = {d}\n(type or c)('') local f = #e == 1 -- the end")
    values({1, 1, 1, 1, true}, "a, b, c(), d, e[1] == 1 and f")
    run("local g = c\n(function() end)") -- a call, as in Lua
    values({1}, "g")
  end)

  it("may be one of many", function()
    for i = 1, 1000 do run(("local v%d = %d"):format(i, i)) end
    values({1001}, "v1 + v1000")
    assert.equal(1000, #session:names())
    local list = {}
    for i = 1, 190 do list[i] = "v" .. i end
    values({190 * 191 // 2}, table.concat(list, "+"))
  end)

  it("is one of as many in a chunk as Lua allows, and refused beyond", function()
    local names = {}
    for i = 1, 200 do names[i] = "l" .. i end
    run("local " .. table.concat(names, ",") .. " = 1, 2")
    values({2}, "l2")
    run("local " .. table.concat(names, " local ") .. " = 7")
    values({7}, "l200")
    run("local m, n, o = 8, 9, 10 local p <const> = " .. table.concat(names, " or "))
    values({7, 10, 7}, "(" .. table.concat(names, " or ") .. "), o, p")
    names[201] = "l201"
    local text = "local " .. table.concat(names, ",")
    local _, message = session:compile(text)
    assert.equal(select(2, load(text, "=stdin")), message)
    assert.matches("too many local variables", message)
  end)

  it("may have any name", function()
    run("local _LULL_KEEP, _LULL_KEEP_, self, arg = 1, 2, 3, 4")
    values({1, 2, 3, 4}, "_LULL_KEEP, _LULL_KEEP_, self, arg")
    run("local _LULL_KEEP = _LULL_KEEP + 1 local after = 5")
    values({2, 5}, "_LULL_KEEP, after")
  end)

  it("is told of by name and value", function()
    run("local b, a, c = 1, nil, false")
    assert.same({"a", "b", "c"}, session:names())
    assert.same({true, 1}, {session:get("b")})
    assert.same(table.pack(true, nil), table.pack(session:get("a")))
    assert.same({true, false}, {session:get("c")})
    assert.same(table.pack(false, nil), table.pack(session:get("d")))
    run("b = 'changed'")
    assert.equal("changed", select(2, session:get("b")))
  end)

  it("is of one scope only", function()
    run("local a = 1")
    local other = scope.new(env)
    assert.is_nil(other:compile("a")())
    assert.same({}, other:names())
  end)

  it("leaves nothing behind when it is declared again and again", function()
    local function count()
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local text = "local x, y <const>, z <const> = {}, {}, 5 function f() return x end"
    for _ = 1, 100 do run(text) end
    local before = count()
    for _ = 1, 10000 do run(text) end
    local grown = count() - before
    assert.is_true(grown < 20, ("%.1f KB"):format(grown))
  end)
end)

describe("a constant of the prompt", function()
  it("lives on, whether Lua needs a variable for it or not", function()
    run("local a <const>, b <const> = {1}, 2")
    run("local c <const> = 5")
    run("local d <const> = false")
    run("local e <const> = nil")
    run("local f <const> = 'text' local g <const> = f")
    values({2, 5, false, nil, "text", "text", n = 6}, "b, c, d, e, f, g")
    values({1}, "a[1]")
    values({7}, "(function() return b + c end)()")
  end)

  it("may not be assigned to", function()
    run("local a <const>, b = {}, 2")
    run("local c <const> = 5")
    run("local d < --[[x]] const\n> = 5")
    for _, name in ipairs {"a", "c", "d"} do
      for _, text in ipairs {"\n%s = 1", "\nfunction %s() end", "\nb = function() %s = 2 end"} do
        local chunk, message, incomplete = session:compile(text:format(name))
        assert.is_nil(chunk)
        assert.equal(("stdin:2: attempt to assign to const variable '%s'"):format(name), message)
        assert.is_false(incomplete)
      end
    end
    values({3}, "(function() b = 3 return b end)()")
    for _, text in ipairs {"a = 1 -- c", "a = 1 --[[ c ]]", "a = 1;", "\n\n\n\na = 1"} do
      local _, message = session:compile(text)
      local _, expected = load("local a <const> = 1 " .. text, "=stdin")
      assert.equal(expected, message)
    end
  end)

  it("gives way to a variable of its name", function()
    run("local a <const> = 1")
    run("local a = a + 1")
    run("a = a + 1")
    values({3}, "a")
    run("local a <const> = a")
    assert.is_nil((session:compile("a = 1")))
  end)
end)

describe("a chunk that does not come to its end", function()
  tidy.watch(before_each, after_each)

  it("leaves the variables it had declared when it failed, shared with its functions", function()
    fails("local a = 1 function f() a = a + 1 return a end local b = 2 error('x', 0) local c = 3",
      "x")
    values({2, 2, 2, nil, n = 4}, "f(), a, b, c")
    assert.same({"a", "b"}, session:names())
  end)

  it("leaves them as they were then, whatever came before", function()
    run("local a, b = 'old a', 'old b'")
    fails("local a = 'new a' a = a .. '!' error('x', 0) local b = 'new b'", "x")
    values({"new a!", "old b"}, "a, b")
    fails("local a = error('y', 0)", "y")
    values({"new a!"}, "a")
  end)

  it("leaves them when it returns in the middle", function()
    values({1}, "local a = 1 if a then return a end local b = 2")
    assert.same({"a"}, session:names())
    values({2}, "local c = 2 do return c end local d")
    assert.same({"a", "c"}, session:names())
  end)

  it("leaves them when it is cancelled", function()
    local chunk = session:compile("local a = 1 await(lull.sleep(0)) a = 2 local b = 3 " ..
      "await(lull.sleep(1000)) a = 4 local c = 5")
    local task = lull.create_task(chunk)
    await(lull.sleep(1))
    values({2, 3, nil, n = 3}, "a, b, c")
    run("a = 'changed'")
    task:cancel()
    await(lull.wait {task})
    assert.is_true(task:cancelled())
    values({"changed", 3, nil, n = 3}, "a, b, c")
    assert.same({"a", "b"}, session:names())
  end)
end)

describe("an asynchronous chunk", function()
  tidy.watch(before_each, after_each)

  it("declares variables before and after it awaits", function()
    run("local a = await(lull.sleep(1, 'slept')) local b = a .. await(lull.sleep(1, '!'))")
    values({"slept!"}, "b")
    values({"x", "slept"}, "await(lull.sleep(1, 'x')), a")
  end)

  it("shares its variables with the tasks it starts", function()
    run("local n = 0\nlocal t = lull.create_task(function() " ..
      "for _ = 1, 3 do await(lull.sleep(1)) n = n + 1 end return 'done' end)")
    values({0}, "n")
    run("await(lull.sleep(2.5))")
    values({2}, "n")
    run("n = 10")
    values({"done", 11}, "await(t), n")
  end)

  it("keeps its variables while others run", function()
    local chunk = session:compile("local a = 1 await(lull.sleep(10)) return a")
    local task = lull.create_task(chunk)
    await(lull.sleep(1))
    run("function set(v) a = v end local a = 'another'")
    run("local f = function() return a end")
    assert.equal(1, await(task))
    values({"another", "another"}, "a, f()")
  end)
end)

describe("a variable to be closed at the prompt", function()
  tidy.watch(before_each, after_each)

  before_each(function()
    env.log = {}
    env.closing = function(name, f)
      return setmetatable({name = name}, {__close = function(value, err)
        assert(err == nil)
        table.insert(env.log, value.name)
        if f then f() end
      end})
    end
  end)

  it("stays open until the scope is closed, the last one first", function()
    run("local a <close> = closing 'a'")
    run("local b <close>, c = closing 'b', 3 local d <close> = closing 'd'")
    values({"a", "b", 3}, "a.name, b.name, c")
    assert.same({}, env.log)
    assert.same({}, session:close())
    assert.same({"d", "b", "a"}, env.log)
    assert.same({}, session:close())
    assert.equal(3, #env.log)
  end)

  it("stays open when it is declared again, or its chunk fails", function()
    run("local a <close> = closing 'first'")
    fails("local a <close> = closing 'second' error('x', 0)", "x")
    run("local a")
    session:close()
    assert.same({"second", "first"}, env.log)
  end)

  it("may be nil or false, and not be assigned to", function()
    run("local a <close> = nil local b < --[[c]] close\n> = false")
    values({nil, false, n = 2}, "a, b")
    assert.same({}, session:close())
    local _, message = session:compile("b = 1")
    assert.equal("stdin:1: attempt to assign to const variable 'b'", message)
  end)

  it("must have something that closes it", function()
    for _, value in ipairs {"5", "true", "{}", "'x'", "print", "setmetatable({}, {})"} do
      fails("\nlocal x <close> = " .. value, "stdin:2: variable 'x' got a non-closable value")
    end
    assert.same({}, session:names())
    assert.same({}, session:close())
  end)

  it("is closed though others fail, whose errors are given", function()
    run("local a <close> = closing('a', function() error('a fails', 0) end)")
    run("local b <close> = closing 'b'")
    run("local c <close> = closing('c', function() error({}) end)")
    local errors = session:close()
    assert.same({"c", "b", "a"}, env.log)
    assert.same({{}, "a fails"}, errors)
  end)

  it("may await in its close handler", function()
    run("local a <close> = closing('a', function() await(lull.sleep(1)) log[#log + 1] = 'a2' end)")
    run("local b <close> = closing('b', function() await(lull.sleep(1)) log[#log + 1] = 'b2' end)")
    assert.same({}, session:close())
    assert.same({"b", "b2", "a", "a2"}, env.log)
  end)

  it("is closed though one before it was cancelled as it closed", function()
    run("local a <close> = closing('a', function() await(lull.sleep(1)) log[#log + 1] = 'a2' end)")
    run("local b <close> = closing('b', function() await(lull.sleep(1000)) end)")
    local task = lull.create_task(function() return session:close() end)
    await(lull.sleep(1))
    task:cancel()
    await(lull.wait {task})
    assert.same({"b", "a", "a2"}, env.log)
    local errors = task:result()
    assert.equal(1, #errors)
    assert.is_true(lull.is_error(errors[1], lull.CancelledError))
  end)

  it("closes at the end of its block if that is not the top level", function()
    run("do local a <close> = closing 'a' end")
    assert.same({"a"}, env.log)
    assert.same({}, session:close())
    assert.equal(1, #env.log)
  end)
end)

describe("the environment at the prompt", function()
  it("has what is assigned to undeclared names", function()
    run("x, y = 1, 2 function f() return x end")
    assert.equal(1, env.x)
    assert.equal(1, env.f())
    assert.is_nil(rawget(_G, "x"))
  end)

  it("is another one as long as a local _ENV lives", function()
    run("local _ENV = {print = print} x = 1")
    assert.is_nil(rawget(env, "x"))
    values({1}, "x")
    run("y = x + 1")
    assert.is_nil(rawget(env, "y"))
    values({1, 2, nil, n = 3}, "x, _ENV.y, lull")
    run("function f() return y end y = 3")
    values({3}, "f()")
    run("_ENV = {x = 'third'}")
    values({"third"}, "x")
    assert.equal("third", select(2, session:get("_ENV")).x)
  end)

  it("is another one for the rest of a chunk that assigns to _ENV", function()
    values({5}, "_ENV = {} z = 5 return z")
    assert.is_nil(rawget(env, "z"))
    values({nil, n = 1}, "z")
  end)
end)

-- Chunks of random statements, which are the same to Lua run together and to the prompt run one by
-- one. What they log is compared.
describe("random chunks", function()
  local SEEDS = 500

  local random = math.random
  local NAMES = {"a", "b", "c", "d"}

  local function pick(list) return list[random(#list)] end

  local constants -- names that may not be assigned to now
  local counter -- of labels

  local function assignable()
    for _ = 1, 10 do
      local name = pick(NAMES)
      if not constants[name] then return name end
    end
    return "g"
  end

  local function expression(depth)
    depth = depth or 0
    if depth > 2 then return pick {pick(NAMES), tostring(random(9)), "'s'", "nil"} end
    local e = function() return expression(depth + 1) end
    return pick {
      function() return pick(NAMES) end,
      function() return tostring(random(100)) end,
      function() return ("add(%s, %s)"):format(e(), e()) end,
      function() return ("{%s, %s}[%d]"):gsub("^{", "({"):gsub("}%[", "})["):format(e(), e(),
        random(2)) end,
      function() return ("not (%s)"):format(e()) end,
      function() return ("%s and %s or %s"):format(pick(NAMES), e(), e()) end,
      function() return ("add(%s)\n  == -%d --[[ c ]] or %s"):format(e(), random(9), e()) end,
      function() return ("#'text' .. [[%s]]"):format(random(9)) end,
      function() return ("(function(...) local %s = %s return %s end)(%s)"):format(pick(NAMES),
        e(), e(), e()) end,
    }()
  end

  local statement
  local function nested(n)
    local saved, list = constants, {}
    constants = setmetatable({}, {__index = saved})
    for i = 1, n or random(2) do list[i] = statement(true) end
    constants = saved
    return table.concat(list, " ")
  end

  local function declare(name, constant)
    constants[name] = constant
    return name
  end

  local STATEMENTS = {
    function()
      local e = expression()
      return ("local %s = %s"):format(declare(pick(NAMES), false), e)
    end,
    function()
      local e1, e2 = expression(), expression()
      return ("local %s, %s = %s, %s"):format(declare(pick(NAMES), false),
        declare(pick(NAMES), false), e1, e2)
    end,
    function()
      local e = pick {tostring(random(9)), "'const'", "false", "nil", expression()}
      return ("local %s <const> = %s"):format(declare(pick(NAMES), true), e)
    end,
    function() return ("local %s"):format(declare(pick(NAMES), false)) end,
    function() return ("%s = %s"):format(assignable(), expression()) end,
    function() return ("%s, %s = %s"):format(assignable(), assignable(), expression()) end,
    function()
      local name = declare(pick(NAMES), false)
      return ("local function %s(x) %s return add(x, %s) end"):format(name, nested(), expression())
    end,
    function()
      return ("function F%d() %s return %s end"):format(random(4), nested(), pick(NAMES))
    end,
    function() return ("F%d = function(v) %s = v return %s end"):format(random(4), assignable(),
      pick(NAMES)) end,
    function() return ("log(call(F%d, %s))"):format(random(4), expression()) end,
    function() return ("log(a, b, c, d, %s)"):format(expression()) end,
    function() return ("do %s end"):format(nested()) end,
    function() return ("for i = 1, 2 do %s end"):format(nested()) end,
    function() return ("if %s then %s else %s end"):format(expression(), nested(), nested()) end,
    function() return ("repeat %s until true or %s"):format(nested(), expression()) end,
  }

  function statement(inside)
    local text = pick(STATEMENTS)()
    if inside or random(8) > 1 then return text end
    counter = counter + 1
    return ("n%d = 0 ::l%d:: n%d = n%d + 1 %s if n%d < 3 then goto l%d end"):format(counter,
      counter, counter, counter, text, counter, counter)
  end

  local function statements(n)
    local list = {}
    for i = 1, n do list[i] = statement() end
    return table.concat(list, pick {" ; ", "\n", " --[[ c ]] ; ", " -- c\n;"})
      .. pick {"", ";", " -- end", "\n--[[ end ]]"}
  end

  -- Statements that run, and the same followed by an error and others.
  local function failing(n)
    local text, saved = statements(n), constants
    constants = setmetatable({}, {__index = saved})
    local rest = statements(random(2))
    constants = saved
    return text, ("%s\n; error('stop', 0) ; %s"):format(text, rest)
  end

  -- Chunks, and those of them that fail as they are given to the prompt.
  local function program()
    constants, counter = {}, 0
    local chunks, given = {}, {}
    for i = 1, random(12) do
      if random(4) == 1 then
        chunks[i], given[i] = failing(random(0, 2))
      else
        chunks[i] = statements(random(3))
      end
    end
    chunks[#chunks + 1] = "log(a, b, c, d) for i = 1, 4 do log(call(_ENV['F' .. i], i)) end " ..
      "log(a, b, c, d)"
    return chunks, given
  end

  local function show(value)
    return type(value) == "function" and "function" or tostring(value)
  end

  -- Globals that never fail, however deep the calls.
  local function new_env()
    local lines, depth, calls = {}, 0, 0
    local new
    new = {
      log = function(...)
        local list = table.pack(...)
        for i = 1, list.n do list[i] = show(list[i]) end
        lines[#lines + 1] = table.concat(list, " ")
      end,
      add = function(x, y)
        if math.type(x) and math.type(y) then return (x + y) % 1000 end
        return show(x) .. show(y):sub(1, 8)
      end,
      call = function(f, ...)
        calls = calls + 1
        if not f or depth > 2 or calls > 200 then return "too deep" end
        depth = depth + 1
        local result = f(...)
        depth = depth - 1
        return result
      end,
    }
    return new, lines
  end

  it("give line by line what they give as one, whichever of them fail in the middle", function()
    for seed = 1, SEEDS do
      math.randomseed(seed)
      local chunks, given = program()
      local whole = table.concat(chunks, "\n;\n")
      local whole_env, whole_lines = new_env()
      assert(load(whole, "=whole", "t", whole_env))()
      local line_env, line_lines = new_env()
      line_env.error = error
      local lines = scope.new(line_env)
      for i, chunk in ipairs(chunks) do
        local ok, err = pcall(assert(lines:compile(given[i] or chunk)))
        if given[i] then assert.equal("stop", err) else assert(ok, err) end
      end
      assert.same(whole_lines, line_lines, ("seed %d:\n%s"):format(seed, whole))
    end
  end)
end)
