-- lull.prompt.complete: what may stand at the cursor, and that looking for it touches nothing.
local complete = require "lull.prompt.complete"
local fs = require "lull.fs"
local lull = require "lull"
local scope = require "lull.prompt.scope"
local scratch = require "spec.scratch"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local await = lull.await

local function never() error("something was called") end

-- A stand-in for a scope, with these variables.
local function scope_of(variables)
  return {
    names = function()
      local names = {}
      for name in pairs(variables) do names[#names + 1] = name end
      table.sort(names)
      return names
    end,
    get = function(_, name) return variables[name] ~= nil, variables[name] end,
  }
end

local function session_of(env, variables)
  return {env = env or {}, scope = scope_of(variables or {})}
end

local function list_of(before, session)
  local start, list = complete.candidates(before, session)
  assert.is_true(start >= 1 and start <= #before + 1)
  return list, start
end

local function has(list, name)
  for _, found in ipairs(list) do
    if found == name then return true end
  end
  return false
end

-- Runs a test with other values in a table.
local function with(table, values, test)
  local before = {}
  for key, value in pairs(values) do before[key], table[key] = table[key], value end
  local ok, err = pcall(test)
  for key in pairs(values) do table[key] = before[key] end
  assert(ok, err)
end

-- A test's own directories for modules.
local function with_path(path, cpath, test)
  with(package, {path = path, cpath = cpath, preload = {}, loaded = {}}, test)
end

describe("completing names", function()
  tidy.watch(before_each, after_each)

  it("gives variables, globals and keywords that begin with the word, sorted", function()
    local session = session_of({fox = 1, forest = 2, bear = 3}, {fork = 4, badger = 5})
    local list, start = list_of("x = fo", session)
    assert.same({"for", "forest", "fork", "fox"}, list)
    assert.equal(5, start)
    assert.same({"badger"}, list_of("ba", session))
    assert.same({"while"}, list_of("whi", session))
    assert.same({"end"}, list_of("do end", session))
  end)

  it("gives a name once that a variable hides", function()
    assert.same({"twice"}, list_of("tw", session_of({twice = 1}, {twice = 2})))
  end)

  it("gives what the metatable of the globals leads to", function()
    local env = setmetatable({print_all = 1}, {__index = {print = print}})
    assert.same({"print", "print_all"}, list_of("pri", session_of(env)))
  end)

  it("gives only what is a name, and what begins with an underscore only for one", function()
    local env = {["a b"] = 1, ["a-b"] = 1, a1 = 1, [1] = 1, [true] = 1, ["aä"] = 1, _a = 1}
    assert.same({"a1", "and"}, list_of("a", session_of(env)))
    assert.same({"_a"}, list_of("_", session_of(env)))
  end)

  it("gives nothing where no word is", function()
    local session = session_of({abc = 1})
    for _, before in ipairs {"", " ", "abc ", "abc\n", "x = ", "f(", "1", "0x", "12ab", "a +", ";",
                             "a..", "a...", "x ::", "\xC3\xA4", "abc[", "f()"} do
      local list, start = list_of(before, session)
      assert.same({}, list, before)
      assert.equal(#before + 1, start)
    end
  end)

  it("sees the word after an operator, dots included, and in a later line", function()
    local session = session_of({abc = 1})
    for _, before in ipairs {"-ab", "x..ab", "...ab", "{ab", "f(1,ab", "#ab", "local x = 1\nab",
                             "--[[ a ]]ab", "-- a\nab", "'a'..ab", "[[\n]]..ab", "'a\nab"} do
      local list, start = list_of(before, session)
      assert.same({"abc"}, list, before)
      assert.equal(#before - 1, start)
    end
  end)

  it("gives nothing inside comments and strings", function()
    local session = session_of({abc = 1})
    for _, before in ipairs {"-- ab", "--ab", "x = 1 -- ab", "--[[ ab", "--[==[ ]] ab", "'ab",
                             '"ab', "[[ab", "[=[ ]] ab", "'\\'ab", '"\\"ab', "'\\z\n ab", "'\\\nab",
                             "[[\nab", "--[[\n\nab"} do
      assert.same({}, list_of(before, session), before)
    end
  end)

  it("gives the variables of a real scope", function()
    local session = {env = {there = 1}, scope = scope.new({})}
    session.scope:compile("local theme = {color = 'red'}")()
    assert.same({"theme", "then", "there"}, list_of("the", session))
    assert.same({"color"}, list_of("theme.c", session))
  end)

  it("gives names that the chunk itself has so far, but no fields of it", function()
    local before = "local function total(prices, percent)\n  local sum = prices.pending\n  return p"
    assert.same({"percent", "prices"}, list_of(before, session_of {}))
    assert.same({"sum"}, list_of("local sum = 0 for i = 1, 3 do su", session_of {}))
    local others = "local sum = 0 -- summary\nx = 'sunny' .. s:summit() sun"
    assert.same({}, list_of(others, session_of {}))
  end)

  it("needs no scope", function()
    assert.same({"abc"}, list_of("ab", {env = {abc = 1}}))
  end)
end)

describe("completing fields", function()
  tidy.watch(before_each, after_each)

  it("follows a chain of names and constant indices", function()
    local last = {zebra = 1, zone = 2}
    local session = session_of({
      a = {b = {c = last}, ["x y"] = last, [1] = {last}, [2.5] = last, ["end"] = 1},
    }, {here = {there = last}})
    for _, base in ipairs {"a.b.c", "a . b\n.c", 'a["x y"]', "a[ 'x y' ]", "a[ [[x y]] ]",
                           "a[1][1]", "a[2.5]", "a[0x1][1]", "return a.b.c", "x = 1 + a.b.c",
                           "here.there", "f(a.b.c", "a--[[ ]].b.c", "a['b'].c",
                           "a['\\98'].c", "y = f()\na.b.c"} do
      local list, start = list_of(base .. ".z", session)
      assert.same({"zebra", "zone"}, list, base)
      assert.equal(#base + 2, start)
      assert.same({"zebra", "zone"}, list_of(base .. ".", session), base)
    end
  end)

  it("gives nothing for what is no such chain, or leads nowhere", function()
    local session = session_of({a = {b = {c = 1}, d = never}, f = never, s = "x"})
    for _, before in ipairs {"f().", "f().b", "a.b().", "f{}.", "f'x'.", "f('x').", "f('x'):",
                             "a[b].", "a[1].", "a.x.", "a.x.y.", "nothing.", "a.b.c.", "a:b.",
                             "a[].", "[1].", "'x':u", ".", ":a\n.", "a..b.", "(a).", "a['b].",
                             "a[1e].", "a[", "a.b:", "]].", "a[{}].", "a['b'..x].", "5.x",
                             "('x').y", "a.5"} do
      assert.same({}, list_of(before, session), before)
    end
  end)

  it("lets a variable hide a global, even if its value is false", function()
    local session = session_of({a = {global = 1}, b = {global = 1}}, {a = {own = 1}, b = false})
    assert.same({"own"}, list_of("a.", session))
    assert.same({}, list_of("b.", session))
  end)

  it("leaves out what is no name, and what has an underscore first unless the word does", function()
    local session = session_of({a = {
      ["x y"] = 1, ["end"] = 1, [1] = 1, [""] = 1, ["1x"] = 1, good = 1, _private = 1, __meta = 1,
    }})
    assert.same({"good"}, list_of("a.", session))
    assert.same({"__meta", "_private"}, list_of("a._", session))
    assert.same({"__meta"}, list_of("a.__", session))
    assert.same({}, list_of("a.e", session))
  end)

  it("follows __index, and circles of it only once", function()
    local base = {from_base = 1, inner = {deep = 1}}
    local middle = setmetatable({from_middle = 1}, {__index = base})
    local object = setmetatable({from_object = 1}, {__index = middle, __metatable = "protected"})
    setmetatable(base, {__index = object})
    local session = session_of({o = object})
    assert.same({"from_base", "from_middle", "from_object"}, list_of("o.from", session))
    assert.same({"deep"}, list_of("o.inner.", session))
    assert.same({}, list_of("o.missing.", session))
  end)

  it("bounds a chain of __index that has no end", function()
    local chain = {last = 1}
    for _ = 1, 100000 do chain = setmetatable({}, {__index = chain}) end
    local start = os.clock()
    assert.same({}, list_of("o.la", session_of({o = chain})))
    assert.is_true(os.clock() - start < 0.5)
  end)

  it("calls nothing", function()
    local trap = setmetatable({field = 1}, {
      __index = never, __pairs = never, __call = never, __len = never, __eq = never, __lt = never,
      __tostring = never, __name = 5, __newindex = never, __gc = nil, __close = never,
    })
    local env = setmetatable({trap = trap, next_to = setmetatable({}, {__index = trap})},
      {__index = never})
    local session = session_of(env)
    assert.same({"trap", "true"}, list_of("tr", session))
    assert.same({"field"}, list_of("trap.", session))
    assert.same({"field"}, list_of("next_to.f", session))
    assert.same({}, list_of("trap.missing.", session))
    assert.same({}, list_of("trap():x", session))
    assert.same({}, list_of("missing.", session))
  end)

  it("gives after a colon what can be called", function()
    local callable = setmetatable({}, {__call = never})
    local object = setmetatable({name = "x", own = never, callable = callable},
      {__index = {method = never, constant = 1}})
    local session = session_of({o = object})
    assert.same({"callable", "method", "own"}, list_of("o:", session))
    local list, start = list_of("x = o:me", session)
    assert.same({"method"}, list)
    assert.equal(7, start)
    assert.same({"callable", "constant", "method", "name", "own"}, list_of("o.", session))
  end)

  it("gives the methods of strings, in variables and as they are", function()
    local session = session_of({s = "text", t = {s = "text"}})
    for _, base in ipairs {"s", "t.s", "('x')", '("x")', "([[x]])", "return ('x')", "x = ('y')"} do
      assert.same({"rep", "reverse"}, list_of(base .. ":re", session), base)
    end
    assert.same({"upper"}, list_of("s.up", session))
  end)

  it("gives nothing for values that have no fields", function()
    local session = session_of({n = 5, f = never, yes = true, c = coroutine.create(never),
                                nan = 0 / 0, no = false})
    for _, name in ipairs {"n", "f", "yes", "c", "nan", "no", "(5)"} do
      assert.same({}, list_of(name .. ".", session), name)
      assert.same({}, list_of(name .. ":", session), name)
    end
  end)
end)

describe("completing fields of lull's objects", function()
  tidy.watch(before_each, after_each)

  local function assert_methods(value, ...)
    local list = list_of("x:", session_of({x = value}))
    for _, name in ipairs {...} do
      assert.is_true(has(list, name), name)
      assert.same(name, list_of("x:" .. name, session_of({x = value}))[1])
      assert.is_true(has(list_of("x.", session_of({x = value})), name))
    end
    for _, name in ipairs(list) do assert.is_nil(name:find("^_"), name) end
  end

  it("gives the methods of those in C, whose metatables are protected", function()
    assert_methods(lull.current_task(), "cancel", "done", "uncancel", "get_name")
    assert_methods(lull.future(), "set_result", "result", "cancel")
    assert_methods(lull.queue(), "put", "get", "get_nowait", "shutdown")
    assert_methods(lull.event(), "set", "wait")
    assert_methods(lull.lock(), "acquire", "release")
    assert_methods(lull.semaphore(1), "acquire", "release")
    assert_methods(lull.timeout(), "reschedule")
    assert_methods(io.stdout, "write", "lines")
    local handle = lull.loop():call_soon(function() end)
    assert_methods(handle, "cancel")
    local gathered = lull.gather()
    assert_methods(gathered, "done")
    await(gathered)
  end)

  it("gives the methods of those in Lua", function()
    assert_methods(lull.loop(), "call_soon", "time")
    assert_methods(lull.condition(), "notify", "wait")
    assert_methods(lull.barrier(2), "wait")
    assert_methods(require("lull.stream")({1}), "map", "filter")
    local file <close> = await(fs.open("README.md"))
    assert_methods(file, "read", "write", "lines")
  end)

  it("gives methods and properties where __index is a function", function()
    local response = require("lull.http.response").new({url = "http://a/"}, 200,
      "HTTP/1.1 200 OK\r\n", 11, 0.1, "")
    assert_methods(response, "text", "json", "save", "close")
    local session = session_of({r = response})
    for _, name in ipairs {"status", "ok", "reason", "headers", "history", "url"} do
      assert.is_true(has(list_of("r.", session), name), name)
      assert.is_false(has(list_of("r:", session), name), name)
    end
    assert.is_nil(rawget(response, "headers"))
    assert_methods(response.headers, "get", "get_all")
  end)

  it("gives methods and properties of nodes, and nothing of what has yet to be computed", function()
    local node = require("lull.html").parse("<p>x</p>"):select_one("p")
    assert_methods(node, "select", "attr", "children")
    local session = session_of({node = node})
    assert.same({"tag", "text"}, list_of("node.t", session))
    assert.same({}, list_of("node:t", session))
    assert.same({}, list_of("node.parent.", session))
  end)

  it("completes the modules themselves", function()
    local session = session_of({lull = lull, http = require "lull.http"})
    assert.same({"create_task"}, list_of("lull.cr", session))
    assert.is_true(has(list_of("http.", session), "get"))
  end)
end)

describe("completing modules", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  local session = session_of({other = 1})

  local function here(templates) return (templates:gsub("%$D", scratch.dir)) end

  it("gives those that are loaded or preloaded", function()
    with(package, {path = "", cpath = "", preload = {["mine.early"] = never},
                   loaded = {["mine.late"] = 1, other = 1, _hidden = 1}}, function()
      local list, start = list_of('x = require "mi', session)
      assert.same({"mine.early", "mine.late"}, list)
      assert.equal(14, start)
      assert.same({"mine.early", "mine.late", "other"}, list_of("require('", session))
      assert.same({"_hidden"}, list_of("require('_", session))
    end)
  end)

  it("does so in any string that is required", function()
    with(package, {path = "", cpath = "", preload = {}, loaded = {abc = 1}}, function()
      for _, before in ipairs {"require 'a", 'require "a', "require('a", 'require ( "a',
                               "require [[a", "require[==[a", "pcall(require, 'a", "x\nrequire 'a",
                               "local x = require--[[ ]]'a"} do
        local list, start = list_of(before, session)
        assert.same({"abc"}, list, before)
        assert.equal(#before, start)
      end
      for _, before in ipairs {"requires 'a", "x = 'a", "require('b' .. 'a", "require 'a' ",
                               "require 'a b", "require '\\97", "-- require 'a"} do
        assert.same({}, list_of(before, session), before)
      end
    end)
  end)

  it("gives of lull's own those that the documentation knows", function()
    local documented = {}
    local pipe = assert(io.popen("cat README.md docs/*.md examples/*.lua"))
    for name in pipe:read("a"):gmatch("require *%(?[\"'](lull%.[%w_.]+)") do
      documented[name] = true
    end
    pipe:close()
    local list = list_of("require 'lull.", session)
    assert.is_true(#list > 5)
    for _, name in ipairs(list) do
      assert.is_true(documented[name], name)
      assert.is_true(package.preload[name] ~= nil or package.loaded[name] ~= nil, name)
      documented[name] = nil
    end
    assert.is_nil(next(documented))
    assert.is_true(has(list_of("require 'lu", session), "lull"))
  end)

  it("gives those that the templates of package.path find", function()
    assert(scratch.sh([[cd $D; mkdir -p made/of bare deep/er empty lib alone init.d/init.lua
      touch made/init.lua made/one.lua made/of/two.lua mate.lua made/not.txt lib/xmath.lua
      touch alone/init.lua bare/some.lua deep/er/x.lua "ma te.lua" ma.te.lua .lua]]))
    local path = here("$D/?.lua;$D/?/init.lua;$D/nowhere/?.lua;$D/lib/x?.lua;no template")
    with_path(path, "", function()
      assert.same({"made", "made.", "mate", "math"}, list_of("require 'ma", session))
      local list, start = list_of("require('made.", session)
      assert.same({"made.of.", "made.one"}, list)
      assert.equal(10, start)
      assert.same({"made.of.two"}, list_of("require 'made.of.t", session))
      local all = {"alone", "bare.", "lib.", "made", "made.", "mate", "math"}
      assert.same(all, list_of("require '", session))
      assert.same({}, list_of("require 'init", session))
      assert.same({}, list_of("require 'made..", session))
      assert.same({}, list_of("require 'nothing.x", session))
    end)
  end)

  it("gives those in C that package.cpath finds", function()
    assert(scratch.sh("cd $D; mkdir sub; touch native.so sub/part.so native.lua other.so.1"))
    with_path("", here("$D/?.so;$D/loadall.so"), function()
      assert.same({"native", "sub."}, list_of("require '", session))
      assert.same({"sub.part"}, list_of("require 'sub.", session))
    end)
  end)

  it("follows links to modules, and survives those that lead nowhere", function()
    assert(scratch.sh([[cd $D; mkdir real; touch real/a.lua; ln -s real linked; ln -s nowhere lost
      ln -s real/a.lua link.lua; ln -s circle circle]]))
    with_path(here("$D/?.lua;$D/?/init.lua"), "", function()
      assert.same({"link", "linked.", "real."}, list_of("require '", session))
    end)
  end)

  it("survives a package table that is spoilt", function()
    for _, value in ipairs {5, false, {}, ";;?;", "???;/?/?/?", "?"} do
      with_path(value, value, function() assert.same({}, list_of("require 'zzzz", session)) end)
    end
  end)
end)

describe("completing files", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  local session = session_of({})

  it("gives the names in the directory that a string has, directories with a slash", function()
    assert(scratch.sh([[cd $D; mkdir dir; touch plain .hidden data.txt
      ln -s dir link; ln -s lost lost]]))
    local before = ("dofile '%s/"):format(scratch.dir)
    local list, start = list_of(before, session)
    assert.same({"data.txt", "dir/", "link/", "lost", "plain"}, list)
    assert.equal(#before + 1, start)
    list, start = list_of(("f(1, [[%s/d"):format(scratch.dir), session)
    assert.same({"data.txt", "dir/"}, list)
    assert.equal(#("f(1, [[%s/d"):format(scratch.dir), start)
    assert.same({".hidden"}, list_of(before .. ".", session))
    assert.same({}, list_of(before .. "dir/", session))
    assert.same({}, list_of(before .. "missing/x", session))
    assert.same({}, list_of(before .. "plain/x", session))
  end)

  it("leaves out names that would break the string", function()
    for _, name in ipairs {'qu"ote', "qu'ote", "back\\slash", "new\nline", "\xFF", "fine", "ä b"} do
      scratch.write(name, "")
    end
    assert.same({"fine", "ä b"}, list_of(("'%s/"):format(scratch.dir), session))
  end)

  it("gives those of the current directory for ./, and none where there is no slash", function()
    assert.same({"README.md"}, list_of("io.open('./README", session))
    assert.same({"complete_spec.lua"}, list_of("'spec/lua/prompt/complete_sp", session))
    assert.same({}, list_of("'README", session))
    assert.same({}, list_of("'", session))
    assert.same({}, list_of("'spec/\\", session))
  end)

  it("knows the home directory, and leaves the ~ in its place", function()
    with(os, {getenv = function(name) return name == "HOME" and scratch.dir or nil end}, function()
      scratch.write("at_home", "")
      local list, start = list_of("'~", session)
      assert.same({"~/"}, list)
      assert.equal(2, start)
      list, start = list_of("'~/at", session)
      assert.same({"at_home"}, list)
      assert.equal(4, start)
      assert.same({}, list_of("'~other/", session))
    end)
    with(os, {getenv = function() end}, function() assert.same({}, list_of("'~", session)) end)
  end)
end)

describe("completing commands", function()
  tidy.watch(before_each, after_each)

  -- Runs a test with other commands than the prompt's.
  local function with_commands(commands, test)
    with(package.loaded, {["lull.prompt.commands"] = commands}, test)
  end

  it("gives the names of a session's commands after a colon", function()
    local session = session_of({quiet = 1})
    session.commands = {"quit", "queue", "help"}
    local list, start = list_of(":qu", session)
    assert.same({"queue", "quit"}, list)
    assert.equal(2, start)
    assert.same({"help", "queue", "quit"}, list_of(":", session))
    assert.same({}, list_of(":x", session))
    assert.same({}, list_of("x\n:q", session))
  end)

  it("gives those of the prompt by default", function()
    with_commands({names = {"tasks", "help"}}, function()
      assert.same({"help", "tasks"}, list_of(":", session_of()))
    end)
  end)

  it("leaves their arguments to them", function()
    local session, asked = session_of(), nil
    local function ask(...)
      asked = table.pack(...)
      await(lull.sleep(0))
      return {"lull.stream", "lull.fs", "other"}
    end
    with_commands({names = {}, complete = ask}, function()
      local list, start = list_of(":help  lull.", session)
      assert.same({"lull.fs", "lull.stream"}, list)
      assert.equal(8, start)
      assert.same({"help", "lull.", session, n = 3}, asked)
      assert.same({"lull.fs", "lull.stream", "other"}, list_of(":help ", session))
    end)
  end)

  it("survives commands that have nothing to say, or fail", function()
    for _, commands in ipairs {{}, {complete = function() end}, {complete = never},
                               {complete = function() return 5 end}} do
      with_commands(commands, function()
        assert.same({}, list_of(":help lull", session_of()))
        assert.same({}, list_of(":he", session_of()))
        assert.same({}, list_of(": x", session_of()))
      end)
    end
  end)
end)

describe("the longest common prefix", function()
  it("is what all begin with", function()
    assert.equal("", complete.common {})
    assert.equal("one", complete.common {"one"})
    assert.equal("pre", complete.common {"prefix", "present", "pre"})
    assert.equal("", complete.common {"a", "b", "ab"})
    assert.equal("same", complete.common {"same", "same"})
    assert.equal("", complete.common {"", "a"})
  end)

  it("cuts no character in two", function()
    assert.equal("x", complete.common {"xä", "xö"})
    assert.equal("", complete.common {"€", "\u{20AD}"})
    assert.equal("€", complete.common {"€a", "€b"})
    assert.equal("a\u{1F600}", complete.common {"a\u{1F600}\u{1F601}", "a\u{1F600}\u{1F602}"})
  end)
end)

describe("completion", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("is quick with a hundred thousand keys, and true about what they begin with", function()
    local large = {}
    for i = 1, 100000 do large["key" .. i] = i end
    local session = session_of({large = large})
    local start = os.clock()
    for _, word in ipairs {"", "k", "key", "key99", "x"} do list_of("large." .. word, session) end
    list_of("large:", session)
    assert.is_true((os.clock() - start) / 6 < 0.2) -- far less, but where sanitizers run
    local list = list_of("large.k", session)
    assert.is_true(#list >= 1000 and #list < 2000)
    assert.equal("key", complete.common(list))
    large.kitten = 1
    assert.equal("k", complete.common(list_of("large.k", session)))
    assert.equal("k", complete.common(list_of("large.", session)))
    assert.same(111, #list_of("large.key999", session))
  end)

  it("never fails, whatever text it is given, and gives what begins with the word", function()
    math.randomseed(7306)
    local sources = {}
    for dir, _, names in fs.walk("lua/lull") do
      for _, name in ipairs(names) do
        sources[#sources + 1] = await(fs.read_file(dir .. "/" .. name))
      end
    end
    local env = setmetatable({lull = lull, core = lull, M = lull, self = lull.queue(), check = {}},
      {__index = _G})
    local session = {env = env, scope = scope.new(env)}
    local some = 0
    for _ = 1, 1500 do
      local text = sources[math.random(#sources)]
      local first = math.random(#text)
      local before = text:sub(math.random() < 0.5 and 1 or first, first + math.random(0, 400))
      if math.random() < 0.3 then -- and what is no Lua any more
        before = before:gsub(".", function(c)
          return math.random() < 0.02 and string.char(math.random(0, 255)) or c
        end)
      end
      if #before > 4000 then before = before:sub(-4000) end
      local start, list = complete.candidates(before, session)
      local word = before:sub(start)
      for i, candidate in ipairs(list) do
        assert.equal(word, candidate:sub(1, #word))
        assert.is_true(i == 1 or list[i - 1] < candidate)
      end
      if #list > 0 then some = some + 1 end
    end
    assert.is_true(some > 100)
  end)

  -- A task that completes in a directory with much in it.
  local function start_listing()
    local before = ("'%s/"):format(scratch.dir)
    return lull.create_task(function()
      local _, list = complete.candidates(before, session_of())
      return #list
    end)
  end

  it("can be cancelled at any moment while it lists, and leaves nothing open", function()
    assert(scratch.sh("cd $D; seq 3000 | xargs touch"))
    local open, cancelled = scratch.descriptors(), 0
    for turns = 0, 30 do
      local task = start_listing()
      waiting.turns(turns)
      task:cancel()
      local ok, result = pcall(await, task)
      if ok then
        assert.is_true(result >= 1000)
      else
        assert.is_true(lull.is_error(result, lull.CancelledError))
        cancelled = cancelled + 1
      end
    end
    assert.is_true(cancelled > 0)
    scratch.eventually(function() return scratch.descriptors() <= open end)
  end)

  it("can be cancelled while a command is asked, and in the turn it answers", function()
    for _, is_late in ipairs {false, true} do
      local answer = lull.future()
      with(package.loaded, {["lull.prompt.commands"] = {complete = function()
        return await(answer)
      end}}, function()
        local task = lull.create_task(function() complete.candidates(":help x", session_of()) end)
        waiting.turns(2)
        if is_late then answer:set_result({"xyz"}) end
        task:cancel()
        waiting.raises(lull.CancelledError, await, task)
      end)
    end
  end)

  it("works in the cleanup of a task that is cancelled", function()
    scratch.write("found", "")
    local count
    local task = lull.create_task(function()
      local _ <close> = setmetatable({}, {__close = function() count = await(start_listing()) end})
      await(lull.sleep(1000))
    end)
    waiting.turns(2)
    task:cancel()
    waiting.raises(lull.CancelledError, await, task)
    assert.equal(1, count)
  end)
end)
