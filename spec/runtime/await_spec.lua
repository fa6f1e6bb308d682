-- await: everything it takes, and everywhere it can be called from.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

-- Gives its arguments, after a wait.
local later = async(function(...)
  await(lull.sleep(0))
  return ...
end)

local function assert_error(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

describe("await", function()
  tidy.watch(before_each, after_each)

  it("takes coroutine objects, functions, tasks, futures, operations and gathers", function()
    assert.equal(1, await(later(1)))
    assert.equal(2, await(function() return 2 end))
    assert.equal(3, await(function() return await(later(3)) end))
    assert.equal(4, await(lull.create_task(later(4))))
    assert.equal(5, await(lull.sleep(0, 5)))
    assert.same({ 6, 7 }, { await(lull.gather(later(6), later(7))) })
  end)

  it("calls a function without arguments and awaits the coroutine object it gives", function()
    local f = async(function(...)
      return select("#", ...)
    end)
    assert.equal(0, await(f))
    assert.equal("x", await(function() return lull.sleep(0, "x") end))
    assert.same({ 1, 2 }, { await(function() return later(1, 2) end) })
  end)

  it("hands on all that a function returns if it is not one coroutine object", function()
    local c = later()
    local task = lull.create_task(later("task"))
    assert.same({ n = 0 }, table.pack(await(function() end)))
    assert.same({ n = 3, nil, 2, nil }, table.pack(await(function() return nil, 2, nil end)))
    local a, b = await(function() return c, 1 end)
    assert.equal(c, a)
    assert.equal(1, b)
    assert.equal(task, await(function() return task end))
    await(lull.gather(c, task))
  end)

  it("asks an object for its awaitable", function()
    local class = { __await = function(self) return later(self.value) end }
    assert.equal("v", await(setmetatable({ value = "v" }, class)))
    local nested = { __await = function(self) return self.inner end }
    local object = setmetatable({ inner = setmetatable({ value = 8 }, class) }, nested)
    assert.equal(8, await(object))
    nested.__await = function()
      await(lull.sleep(0))
      return lull.create_task(later("waited"))
    end
    assert.equal("waited", await(object))
  end)

  it("refuses what an object gives that is not awaitable", function()
    for _, value in ipairs({ 42, "x", {} }) do
      local object = setmetatable({}, { __await = function() return value end })
      assert_error("__await gave a %a+, which cannot be awaited", await, object)
    end
    assert_error("__await gave a nil", await, setmetatable({}, { __await = function() end }))
  end)

  it("refuses other values", function()
    for _, value in ipairs({ 42, "x", true, {}, io.stdout, coroutine.create(print),
                             lull.queue(), lull.lock(), setmetatable({}, {}) }) do
      assert_error("bad argument #1.*awaitable expected", await, value)
    end
    assert_error("bad argument #1.*awaitable expected, got nil", await, nil)
    assert_error("bad argument #1", await)
  end)

  it("raises the error that the body raises, the very value", function()
    for _, err in ipairs({ "text", {}, 1, false, lull.Error("e") }) do
      local ok, caught = pcall(await, async(function() error(err, 0) end)())
      assert.is_false(ok)
      assert.equal(err, caught)
    end
    assert.same({ n = 2, false, nil }, table.pack(pcall(await, async(function() error() end)())))
  end)

  it("runs a body in place: no other task runs unless it waits", function()
    local ran = false
    local other = lull.create_task(function() ran = true end)
    assert.equal(3, await(async(function() return await(async(function() return 3 end)()) end)()))
    assert.is_false(ran)
    await(other)
  end)

  it("does not take a coroutine object twice", function()
    local c = later(1)
    assert.equal(1, await(c))
    assert_error("was already awaited", await, c)
    assert_error("was already awaited", lull.gather, c)
    assert_error("was already awaited", lull.create_task, c)
    local op = lull.sleep(0)
    await(op)
    assert_error("was already awaited", await, op)
  end)

  it("does not take a coroutine object that is being awaited", function()
    local c
    c = async(function() return pcall(await, c) end)()
    local ok, err = await(c)
    assert.is_false(ok)
    assert.matches("was already awaited", err)
    local d = later("d")
    local task = lull.create_task(function() return await(d) end)
    await(lull.sleep(0))
    assert_error("was already awaited", await, d)
    assert.equal("d", await(task))
  end)

  it("takes a coroutine object that became a task as the task it is", function()
    local c = later("both")
    lull.create_task(c)
    assert.equal("both", await(c))
    assert.equal("both", await(c))
  end)
end)

describe("await works through", function()
  tidy.watch(before_each, after_each)

  it("pcall and xpcall, and errors go on to them", function()
    assert.same({ true, 1, 2 }, { pcall(await, later(1, 2)) })
    assert.same({ true, true, true, 3 }, { pcall(pcall, pcall, await, later(3)) })
    local trace
    local ok, err = xpcall(function()
      await(later())
      error("after a wait", 0)
    end, function(message)
      trace = debug.traceback()
      return message .. "!"
    end)
    assert.is_false(ok)
    assert.equal("after a wait!", err)
    assert.matches("await_spec.lua", trace)
  end)

  it("metamethods of all kinds", function()
    local meta = {
      __index = function(_, key) return await(later(key)) end,
      __newindex = function(self, key, value) rawset(self, key, await(later(value))) end,
      __call = function(_, ...) return await(later(...)) end,
      __concat = function(_, b) return await(later("concat " .. tostring(b))) end,
      __len = function() return await(later(17)) end,
      __eq = function() return await(later(true)) end,
      __lt = function() return await(later(true)) end,
      __le = function() return await(later(false)) end,
      __close = function() await(later()) end,
    }
    for _, name in ipairs({ "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor",
                            "bxor", "shl", "shr", "bnot" }) do
      meta["__" .. name] = function() return await(later(name)) end
    end
    local function new() return setmetatable({}, meta) end
    local a, b = new(), new()
    assert.equal("key", a.key)
    a.set = "value"
    assert.equal("value", rawget(a, "set"))
    assert.same({ 1, nil, 3 }, { a(1, nil, 3) })
    assert.equal("concat 1", a .. 1)
    assert.equal("x1concat 2", "x" .. 1 .. (a .. 2))
    assert.equal(17, #a)
    assert.is_true(a == b)
    assert.is_false(a ~= b)
    assert.is_true(a < b)
    assert.is_false(a <= b)
    assert.is_false(a >= b)
    assert.equal("add sub mul div", table.concat({ a + 1, a - 1, a * 1, a / 1 }, " "))
    assert.equal("mod pow idiv unm", table.concat({ a % 1, a ^ 1, a // 1, -a }, " "))
    assert.equal("band bor bxor bnot", table.concat({ a & 1, a | 1, a ~ 1, ~a }, " "))
    assert.equal("shl shr", table.concat({ a << 1, a >> 1 }, " "))
  end)

  it("iterators of a generic for, and its closing value", function()
    local closed = 0
    local function count(n)
      local guard = setmetatable({}, { __close = function()
        await(later())
        closed = closed + 1
      end })
      return function(_, i)
        await(later())
        if i < n then return i + 1 end
      end, nil, 0, guard
    end
    local seen = {}
    for i in count(3) do table.insert(seen, i) end
    assert.same({ 1, 2, 3 }, seen)
    assert.equal(1, closed)
    for i in count(3) do
      if i == 2 then break end
    end
    assert.equal(2, closed)
    assert_error("left", function()
      for _ in count(3) do error("left") end
    end)
    assert.equal(3, closed)
    assert.equal(1, (function()
      for i in count(3) do
        if i > 0 then return i end
      end
    end)())
    assert.equal(4, closed)
  end)

  it("pairs with __pairs, and next through __index", function()
    local object = setmetatable({}, { __pairs = function(self)
      await(later())
      return function(_, key)
        await(later())
        if not key then return "only", 1 end
      end, self
    end })
    local keys = {}
    for key, value in pairs(object) do keys[key] = value end
    assert.same({ only = 1 }, keys)
    local list = setmetatable({}, { __index = function(_, i)
      return await(later(i <= 2 and i * 10 or nil))
    end })
    assert.same({ 10, 20 }, { list[1], list[2] })
  end)

  it("to-be-closed variables, however their block ends", function()
    local log = {}
    local function scope(name)
      return setmetatable({}, { __close = function(_, err)
        await(later())
        table.insert(log, name .. ":" .. tostring(err))
      end })
    end
    do local _ <close> = scope("end") end
    for _ = 1, 2 do
      local _ <close> = scope("break")
      if #log == 1 then break end
    end
    (function() local _ <close> = scope("return") return 1 end)()
    pcall(function()
      local _ <close> = scope("error")
      error("E", 0)
    end)
    local task = lull.create_task(function()
      local _ <close> = scope("outer")
      local _ <close> = scope("inner")
      await(lull.future())
    end)
    await(lull.sleep(0))
    task:cancel("C")
    pcall(await, task)
    assert.same({ "end:nil", "break:nil", "return:nil", "error:E", "inner:CancelledError: C",
                  "outer:CancelledError: C" }, log)
  end)

  it("a to-be-closed variable's error in place of the block's", function()
    assert_error("from close", function()
      local _ <close> = setmetatable({}, { __close = function()
        await(later())
        error("from close")
      end })
      error("from block")
    end)
  end)

  it("a body that fails with to-be-closed variables in the task's own function", function()
    local closed
    local task = lull.create_task(async(function()
      local _ <close> = setmetatable({}, { __close = function(_, err)
        closed = await(later(err))
      end })
      error("E", 0)
    end)())
    assert_error("^E$", await, task)
    assert.equal("E", closed)
  end)

  it("tail calls, varargs and a goto loop", function()
    local function tail(n, ...)
      if n == 0 then return await(later(...)) end
      return tail(n - 1, ...)
    end
    assert.same({ 1, 2, 3 }, { tail(1000, 1, 2, 3) })
    local i = 0
    ::again::
    i = i + await(later(1))
    if i < 5 then goto again end
    assert.equal(5, i)
  end)

  it("dofile and load", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("local lull = require('lull') return lull.await(lull.sleep(0, 'from a file'))")
    file:close()
    local ok, result = pcall(dofile, path)
    os.remove(path)
    assert.is_true(ok, result)
    assert.equal("from a file", result)
    local lull_module = lull
    local f = load("local lull = ... return lull.await(lull.sleep(0, 'loaded'))")
    assert.equal("loaded", f(lull_module))
  end)
end)

describe("await in a place that cannot wait", function()
  tidy.watch(before_each, after_each)

  local impossible = "await inside a C function that cannot wait"

  local unused = {}

  local function wait()
    local c = later()
    local ok, err = pcall(await, c)
    if not ok then table.insert(unused, c) end
    error(ok and "it could wait" or err, 0)
  end

  after_each(function()
    for _, c in ipairs(unused) do await(c) end
    unused = {}
  end)

  it("is a clear error: table.sort", function()
    assert_error(impossible, table.sort, { 3, 2, 1 }, wait)
  end)

  it("is a clear error: string.gsub", function()
    assert_error(impossible, string.gsub, "abc", ".", wait)
  end)

  it("is a clear error: __tostring under tostring", function()
    assert_error(impossible, tostring, setmetatable({}, { __tostring = wait }))
  end)

  it("is a clear error: a reader of load", function()
    local _, _, err = pcall(load, wait) -- an error handler further out would be called as well
    assert.matches(impossible, err)
  end)

  it("is a clear error: a debug hook", function()
    local err
    debug.sethook(function()
      debug.sethook()
      err = select(2, pcall(wait))
    end, "c")
    math.abs(1)
    debug.sethook()
    assert.matches(impossible, err)
  end)

  it("is a clear error: a finalizer", function()
    local err
    setmetatable({}, { __gc = function()
      err = select(2, pcall(wait))
    end })
    collectgarbage()
    collectgarbage()
    assert.matches(impossible, err)
  end)

  it("is a clear error: a coroutine that is resumed there", function()
    local err
    table.sort({ 2, 1 }, function(a, b)
      err = select(2, coroutine.resume(coroutine.create(wait)))
      return a < b
    end)
    assert.matches(impossible, err)
  end)

  it("is a clear error: a __close handler run by coroutine.close", function()
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = wait })
      coroutine.yield()
    end)
    coroutine.resume(co)
    local ok, err = coroutine.close(co)
    assert.is_false(ok)
    assert.matches(impossible, err)
  end)

  it("works where nothing has to be waited for: a done future", function()
    local future = lull.future()
    future:set_result(1)
    assert_error(impossible, table.sort, { 2, 1 }, function() await(future) end)
  end)

  it("is an error outside any task", function()
    local done, c = lull.future(), later()
    lull.loop():call_soon(function()
      done:set_result({ pcall(await, c) })
    end)
    local result = await(done)
    assert.is_false(result[1])
    assert.matches("await outside any task", result[2])
    await(c)
  end)
end)

describe("awaiting deeply", function()
  tidy.watch(before_each, after_each)

  local nest
  nest = async(function(n)
    if n == 0 then return await(lull.sleep(0, "bottom")) end
    return (await(nest(n - 1)))
  end)

  it("works 20,000 coroutine objects deep", function()
    assert.equal("bottom", await(nest(20000)))
  end)

  it("works 20,000 deep without any wait", function()
    local count
    count = async(function(n)
      if n == 0 then return 0 end
      return 1 + await(count(n - 1))
    end)
    assert.equal(20000, await(count(20000)))
  end)

  it("passes an error up from 20,000 levels", function()
    local fall
    fall = async(function(n)
      if n == 0 then
        await(lull.sleep(0))
        error("deep", 0)
      end
      return (await(fall(n - 1)))
    end)
    assert_error("^deep$", await, fall(20000))
  end)

  it("passes a cancellation up from 20,000 levels", function()
    local sink
    sink = async(function(n)
      if n == 0 then await(lull.future()) end
      await(sink(n - 1))
    end)
    local task = lull.create_task(sink(20000))
    await(lull.sleep(0))
    task:cancel()
    assert.is_false(pcall(await, task))
    assert.is_true(task:cancelled())
  end)

  it("works 3,000 deep with a pcall at each level", function()
    local protect
    protect = async(function(n)
      if n == 0 then return await(lull.sleep(0, "bottom")) end
      local ok, value = pcall(await, protect(n - 1))
      assert(ok, value)
      return value
    end)
    assert.equal("bottom", await(protect(3000)))
  end)

  it("works 3,000 deep with a metamethod at each level", function()
    local chain
    local meta = { __index = function(_, n)
      if n == 0 then return await(lull.sleep(0, "bottom")) end
      return await(chain(n - 1))
    end }
    chain = async(function(n)
      return setmetatable({}, meta)[n]
    end)
    assert.equal("bottom", await(chain(3000)))
  end)

  it("works 10,000 tasks deep", function()
    local spawn
    spawn = async(function(n)
      if n == 0 then return "bottom" end
      return await(lull.create_task(spawn(n - 1)))
    end)
    assert.equal("bottom", await(spawn(10000)))
  end)

  it("works in a coroutine", function()
    assert.equal("bottom", coroutine.wrap(function() return await(nest(5000)) end)())
  end)

  it("without end is an ordinary error, and the runtime works on", function()
    local endless
    endless = async(function() return 1 + await(endless()) end)
    for _ = 1, 3 do
      assert_error("stack overflow", await, endless())
    end
    local task = lull.create_task(endless())
    assert_error("stack overflow", await, task)
    assert.equal("bottom", await(nest(100)))
  end)

  it("without end in plain recursion is an ordinary error as well", function()
    local function endless() return 1 + endless() end
    assert_error("stack overflow", await, async(function() return endless() end)())
    assert_error("stack overflow", await, lull.create_task(async(endless)()))
    assert.equal("bottom", await(nest(100)))
  end)

  it("without end through tasks that wait in vain can be cancelled", function()
    local n, spawn = 0, nil
    spawn = async(function()
      n = n + 1
      if n == 5000 then await(lull.future()) end
      return await(lull.create_task(spawn()))
    end)
    local task = lull.create_task(spawn())
    while n < 5000 do await(lull.sleep(0)) end
    await(lull.sleep(0))
    task:cancel()
    assert.is_false(pcall(await, task))
  end)

  it("nests with several protected calls around each", function()
    local level
    level = async(function(n)
      if n == 0 then return "bottom" end
      local function deeper() return await(level(n - 1)) end
      local _, _, _, _, result = pcall(pcall, pcall, pcall, deeper)
      return result
    end)
    assert.equal("bottom", await(level(1000)))
  end)
end)
