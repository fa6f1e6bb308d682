-- What is copied to a thread and back, what goes by its name, and what is refused.
local lull = require("lull")
local tidy = require("spec.tidy")
local timer = require("lull.timer")
local waiting = require("spec.waiting")

local async, await = lull.async, lull.await

local function call(f, ...)
  return await(lull.wait_for(lull.to_thread(f, ...), 60))
end

local function give(...)
  return ...
end

local function refuses(text, f, ...)
  waiting.fails(text, call, f, ...)
end

describe("a copy", function()
  tidy.watch(before_each, after_each)

  it("is made of nil, booleans, numbers and strings, at any place", function()
    local results = table.pack(call(give, nil, true, false, 1, 1.5, "text", nil))
    assert.same({ nil, true, false, 1, 1.5, "text", nil, n = 7 }, results)
    assert.equal(0, select("#", call(give)))
  end)

  it("keeps integers integers and floats floats", function()
    for _, number in ipairs({ 0, -1, math.maxinteger, math.mininteger, 2 ^ 53 | 0 }) do
      assert.equal("integer", math.type(call(give, number)))
      assert.equal(number, call(give, number))
    end
    for _, number in ipairs({ 0.0, -0.0, 1e308, 5e-324, math.huge, -math.huge, 1 / 3 }) do
      local copy = call(give, number)
      assert.equal("float", math.type(copy))
      assert.equal(string.pack("n", number), string.pack("n", copy))
    end
    local nan = call(give, 0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("is made of strings of any bytes and any length", function()
    local bytes = {}
    for i = 0, 255 do
      bytes[i + 1] = string.char(i)
    end
    local all = table.concat(bytes)
    for _, text in ipairs({ "", "\0", all, all:rep(3) }) do
      assert.equal(text, call(give, text))
    end
    for size = 60, 70 do
      assert.equal(("x"):rep(size), call(give, ("x"):rep(size)))
    end
    local large = ("0123456789"):rep(1000000)
    assert.is_true(call(give, large) == large)
  end)

  it("is made of light userdata", function()
    local light = debug.upvalueid(function() return waiting end, 1)
    assert.equal("userdata", type(light))
    assert.equal(light, call(give, light))
  end)

  it("is made of tables: lists, records, and both in one", function()
    local value = {
      1, 2, 3, { "a", "b" }, name = "x", [10] = "far", [1.5] = "half", [true] = "yes",
      nested = { list = { {}, { {} } } }, [-1] = "before", ["odd key"] = false,
    }
    assert.same(value, call(give, value))
  end)

  it("is made of lists with holes, and of those built backwards", function()
    local holes, backwards = { 1, nil, 3, nil, 5 }, {}
    for i = 100, 1, -1 do
      backwards[i] = i
    end
    assert.same(holes, call(give, holes))
    local copy = call(give, backwards)
    assert.equal(100, #copy)
    assert.same(backwards, copy)
  end)

  it("is another table", function()
    local value = { 1 }
    local copy = call(function(t)
      t[1] = 2
      return t
    end, value)
    assert.same({ 2 }, copy)
    assert.same({ 1 }, value)
  end)

  it("shares what the tables share, across all arguments and results", function()
    local shared = { "shared" }
    local a, b, same, inner = call(function(first, second, third)
      return first, second, first.x == second[1] and first.x == third, { first.x }
    end, { x = shared }, { shared }, shared)
    assert.is_true(same)
    assert.is_true(rawequal(a.x, b[1]))
    assert.is_true(rawequal(a.x, inner[1]))
  end)

  it("goes in circles where the tables do", function()
    local node = { name = "node" }
    node.self, node[node] = node, "as a key"
    local other = { back = node }
    node.other = other
    local copy, ok = call(function(t)
      return t, t.self == t and t.other.back == t and t[t] == "as a key"
    end, node)
    assert.is_true(ok)
    assert.is_true(rawequal(copy, copy.self))
    assert.is_true(rawequal(copy, copy.other.back))
    assert.equal("as a key", copy[copy])
  end)

  it("has no limit of depth", function()
    local list
    for _ = 1, 200000 do
      list = { list }
    end
    local depth, back = call(function(t)
      local n, top = 0, t
      while t do
        n, t = n + 1, t[1]
      end
      return n, top
    end, list)
    assert.equal(200000, depth)
    local n = 0
    while back do
      n, back = n + 1, back[1]
    end
    assert.equal(200000, n)
  end)

  it("takes a string that is there often only once", function()
    local text, list = ("x"):rep(100000), {}
    for i = 1, 2000 do
      list[i] = text
    end
    local n, last = call(function(t) return #t, t[2000] end, list)
    assert.equal(2000, n)
    assert.equal(text, last)
  end)

  it("is made of Lua functions, with their upvalues", function()
    local base = { 10 }
    local function add(n) return base[1] + n end
    assert.equal(11, call(add, 1))
    local back = call(function() return add end)
    assert.equal(15, back(5))
    base[1] = 20
    assert.equal(15, back(5))
    assert.equal(21, call(add, 1))
  end)

  it("shares the upvalues that functions share, and only those", function()
    local n, m = 0, 0
    local function up() n = n + 1 end
    local function down() n = n - 1 end
    local function get() return n, m end
    local results = table.pack(call(function(other_up)
      up()
      up()
      other_up()
      down()
      return get, get()
    end, up))
    assert.same({ 2, 0 }, { results[2], results[3] })
    assert.same({ 2, 0 }, { results[1]() })
    assert.equal(0, n)
  end)

  it("is made of functions that call themselves, and each other", function()
    local even, odd
    function even(k) return k == 0 or odd(k - 1) end
    function odd(k) return k ~= 0 and even(k - 1) end
    assert.is_true(call(even, 10))
    assert.is_false(call(odd, 10))
  end)

  it("is made of upvalues anew each time, though the function is the same", function()
    local n = 0
    local function f()
      n = n + 1
      return n
    end
    for i = 1, 5 do
      n = i * 10
      assert.equal(i * 10 + 1, call(f))
    end
  end)

  it("is made of functions without upvalues again and again", function()
    local function square(x) return x * x end
    for i = 1, 200 do
      assert.equal(i * i, call(square, i))
    end
  end)

  it("is made of many different functions, each itself", function()
    for i = 1, 300 do
      local f = load(("return function() return %d end"):format(i))()
      assert.equal(i, call(f))
      assert.equal(i, call(f))
    end
  end)

  it("is made of functions in tables, as values and as keys", function()
    local function f() return "f" end
    local copy = call(give, { f = f, [f] = 1, list = { f } })
    assert.equal("f", copy.f())
    assert.equal(copy.f, copy.list[1])
    assert.equal(1, copy[copy.f])
  end)

  it("is made of functions with varargs and with many upvalues", function()
    local source = { "local ", "", " = 0\nreturn function(...) return select('#', ...), " }
    local names = {}
    for i = 1, 100 do
      names[i] = "v" .. i
    end
    source[2] = table.concat(names, ", ", 1, 100)
    local f = load(table.concat(source) .. table.concat(names, ", ") .. " end")()
    assert.equal(3, (call(f, 1, nil, 3)))
  end)

  it("is made of stripped functions, whose globals are the thread's, too", function()
    local f = load(string.dump(function(x) return math.abs(x) end, true))
    assert.equal(5, call(f, -5))
  end)

  it("is made of async functions, which run in the thread's own loop", function()
    local down
    down = async(function(n)
      if n == 0 then return "bottom" end
      await(lull.sleep(0))
      return await(down(n - 1))
    end)
    assert.equal("bottom", call(function(other)
      assert(other == down)
      return lull.run(down(5))
    end, down))
  end)
end)

describe("what package.loaded names", function()
  tidy.watch(before_each, after_each)

  it("arrives as the thread's own: modules, functions, userdata", function()
    assert.is_true(call(function(...)
      local mine = { lull, lull.sleep, print, string, string.format, io.stdout, math.floor, _G,
        require "lull.timer", lull.blocking_sleep, lull.wait_for }
      for i, value in ipairs({ ... }) do
        if mine[i] ~= value then error("another one: " .. i) end
      end
      return select("#", ...) == #mine
    end, lull, lull.sleep, print, string, string.format, io.stdout, math.floor, _G, timer,
      lull.blocking_sleep, lull.wait_for))
  end)

  it("comes back as what it was", function()
    local a, b, c, d = call(function()
      local mine = require "lull"
      return mine, print, string.format, mine.TimeoutError
    end)
    assert.is_true(a == lull and b == print and c == string.format and d == lull.TimeoutError)
  end)

  it("may be the function that is called", function()
    assert.equal("7 x", call(string.format, "%d %s", 7, "x"))
    assert.equal(8, call(math.max, 3, 8, 5))
    call(lull.blocking_sleep, 0.001)
  end)

  it("is found in modules that are loaded later, and required in the thread if need be", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local file = assert(io.open(folder .. "/spec_copied_module.lua", "w"))
    file:write([[
      local lull = require "lull"
      local M = {count = 0}
      M.Class = setmetatable({}, {})
      M.Class.__index = M.Class
      function M.Class:get() return self.value end
      function M.count_up() M.count = M.count + 1 return M.count end
      M.SpecError = lull.Error:extend("SpecError")
      function M.fail() error(M.SpecError("failed", {detail = 1})) end
      return M
    ]])
    file:close()
    local path = package.path
    package.path = folder .. "/?.lua;" .. path
    local M = require("spec_copied_module")
    M.count_up()
    assert.equal(1, call(function() return M.count_up() end))
    assert.equal(2, call(M.count_up))
    assert.equal(1, M.count)
    local object = setmetatable({ value = 5 }, M.Class)
    assert.equal(5, call(object.get, object))
    assert.equal(M.Class, getmetatable(call(give, object)))
    assert.is_true(call(function()
      return object.get == require("spec_copied_module").Class.get
    end))
    local ok, err = pcall(call, M.fail)
    assert.is_false(ok)
    assert.equal(M.SpecError, getmetatable(err))
    assert.equal(1, err.detail)
    package.path = path
    package.loaded.spec_copied_module = nil
    os.execute("rm -r " .. folder)
  end)

  it("does not hold what only the script's globals name", function()
    rawset(_G, "spec_global", function() return "copied" end)
    rawset(_G, "spec_data", { 1, 2 })
    local ok, a, b = pcall(call, function(f, t) return f(), t end, _G.spec_global, _G.spec_data)
    rawset(_G, "spec_global", nil)
    rawset(_G, "spec_data", nil)
    assert.is_true(ok, a)
    assert.equal("copied", a)
    assert.same({ 1, 2 }, b)
  end)

  it("is an error where the thread has nothing of that name", function()
    package.loaded.spec_only_here = { f = function() end }
    local ok, err = pcall(call, give, package.loaded.spec_only_here)
    package.loaded.spec_only_here = nil
    assert.is_false(ok)
    assert.matches("module 'spec_only_here' not found", err)
  end)
end)

describe("the globals of a function that is copied", function()
  tidy.watch(before_each, after_each)

  it("are the thread's", function()
    rawset(_G, "spec_here", 1)
    local seen = call(function() return type(spec_here), _G == _ENV end) -- luacheck: ignore
    rawset(_G, "spec_here", nil)
    assert.equal("nil", seen)
  end)

  it("are so even where the function has an environment of its own", function()
    local f = load("return type(print), type(special)", "=chunk", "t", { special = 1 })
    assert.same({ "function", "nil" }, { call(f) })
  end)
end)

describe("what cannot be copied", function()
  tidy.watch(before_each, after_each)

  local co = coroutine.create(print)

  it("is named, with the path to it", function()
    refuses("cannot copy to a thread: argument 2.items[3]: a coroutine", give, 1,
      { items = { 1, 2, co } })
    refuses("cannot copy to a thread: argument 1: a coroutine", give, co)
    refuses("cannot copy to a thread: argument 3['odd key'][true][1.5]: a coroutine", give, 1, 2,
      { ["odd key"] = { [true] = { [1.5] = co } } })
    refuses("cannot copy to a thread: a key of argument 1.x: a coroutine", give,
      { x = { [co] = 1 } })
  end)

  it("is found in upvalues, and in those of functions in tables", function()
    refuses("cannot copy to a thread: the function's upvalue 'co': a coroutine", function()
      return co
    end)
    local holder = { inner = { co } }
    refuses("cannot copy to a thread: the function's upvalue 'holder'.inner[1]: a coroutine",
      function() return holder end)
    refuses("cannot copy to a thread: argument 1.f's upvalue 'co': a coroutine", give,
      { f = function() return co end })
  end)

  it("is told of briefly when it is deep", function()
    local list = { co }
    for _ = 1, 1000 do
      list = { list }
    end
    refuses("cannot copy to a thread: argument 1...[1][1]", give, list)
  end)

  it("may be a userdata, a task, an unnamed C function", function()
    local file <close> = assert(io.tmpfile())
    refuses("argument 1: a userdata (FILE*)", give, file)
    refuses("argument 1: a userdata (lull task)", give, lull.current_task())
    refuses("argument 1: a userdata (lull queue)", give, lull.queue())
    refuses("argument 1: a C function", give, coroutine.wrap(print))
    refuses("the function's upvalue 'lines': a C function", (function()
      local lines = io.lines("/dev/null")
      return function() return lines end
    end)())
  end)

  it("may be a table whose metatable no module has", function()
    refuses("argument 1.x: a table with a metatable", give, { x = setmetatable({}, {}) })
    refuses("argument 1: a table with a metatable (lull timer)", give, timer.new())
    refuses("argument 1: a table with a metatable (Mine)", give,
      setmetatable({}, { __name = "Mine" }))
  end)

  it("may be a result", function()
    refuses("cannot copy from a thread: result 2.x: a coroutine", function()
      return 1, { x = coroutine.create(print) }
    end)
    refuses("cannot copy from a thread: result 1: a userdata (FILE*)", io.tmpfile)
  end)

  it("leaves the thread as it was", function()
    for _ = 1, 50 do
      pcall(call, give, { co })
      pcall(call, coroutine.create, print)
    end
    assert.equal(1, call(give, 1))
  end)
end)

describe("an error in a thread", function()
  tidy.watch(before_each, after_each)

  local function error_of(f, ...)
    local ok, err = pcall(call, f, ...)
    assert.is_false(ok)
    return err
  end

  it("is the same value if it can be copied: strings, tables, numbers, nil, booleans", function()
    assert.matches("copy_spec.lua:%d+: boom$", error_of(function() error("boom") end))
    assert.equal("plain", error_of(function() error("plain", 0) end))
    local value = { code = 7, list = { 1 } }
    assert.same(value, error_of(function() error(value) end))
    assert.equal(12, error_of(function() error(12) end))
    assert.is_nil(error_of(function() error() end))
    assert.is_false(error_of(function() error(false) end))
  end)

  it("stays an instance of its class, with its fields", function()
    local err = error_of(function()
      local cause = lull.Error("deep")
      error(lull.OSError("no such file", { code = "ENOENT", path = "/x", cause = cause }))
    end)
    assert.equal(lull.OSError, getmetatable(err))
    assert.equal("OSError: no such file", tostring(err))
    assert.equal("ENOENT", err.code)
    assert.equal(lull.Error, getmetatable(err.cause))
    assert.is_true(lull.is_error(err, lull.OSError))
    assert.is_false(lull.is_error(err, lull.TimeoutError))
  end)

  it("may be a group", function()
    local err = error_of(function()
      lull.run(function()
        local tg <close> = lull.task_group()
        tg:create_task(function() error("one", 0) end)
        tg:create_task(function() error(lull.TimeoutError("two")) end)
      end)
    end)
    assert.equal(lull.ExceptionGroup, getmetatable(err))
    assert.equal(2, #err.errors)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
  end)

  it("of a class that has no name is one of the nearest parent that has", function()
    local err = error_of(function()
      local Mine = require("lull").TimeoutError:extend("Mine"):extend("Mine2")
      error(Mine("local", { detail = 3 }))
    end)
    assert.equal(lull.TimeoutError, getmetatable(err))
    assert.equal("Mine2: local", tostring(err))
    assert.equal(3, err.detail)
  end)

  it("of a class of somebody's own keeps its text and its fields", function()
    local err = error_of(function()
      error(setmetatable({ code = 5 }, { __tostring = function(e) return "code " .. e.code end }))
    end)
    assert.is_true(lull.is_error(err))
    assert.equal("Error: code 5", tostring(err))
    assert.equal(5, err.code)
  end)

  it("comes without what cannot be copied", function()
    local err = error_of(function()
      local list = { 1, coroutine.create(print), 3 }
      error(lull.Error("with a file", { file = io.tmpfile(), list = list }))
    end)
    assert.equal("Error: with a file", tostring(err))
    assert.is_nil(err.file)
    assert.same({ 1, nil, 3 }, err.list)
    assert.matches("^%(error object is a thread value%)$", error_of(function()
      error(coroutine.create(print))
    end))
    assert.matches("^file %(0x", error_of(function() error(io.tmpfile()) end))
  end)

  it("has the thread's traceback", function()
    local function deep() error(lull.Error("here")) end
    local err = error_of(function()
      deep()
      return 1
    end)
    assert.matches("^\n\t[^\n]*copy_spec.lua:%d+: in [^\n]*'deep'\n\t[^\n]*\n  in another thread$",
      err.traceback)
  end)

  it("has the traceback of the thread's task it comes from", function()
    local err = error_of(function()
      lull.run(async(function()
        await(lull.sleep(0))
        error(lull.Error("in a task"))
      end)())
    end)
    assert.matches("copy_spec.lua:%d+: in .*\n  awaited by lull.run:\n.*\n  in another thread$",
      err.traceback)
  end)

  it("passes through tasks and groups as any other", function()
    local task = lull.create_task(lull.to_thread(function() error(lull.Error("x")) end))
    await(lull.wait({ task }))
    assert.matches("in another thread", task:exception().traceback)
  end)
end)
