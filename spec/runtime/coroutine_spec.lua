-- Lua's coroutine library inside tasks: bodies that await, and everything else as in plain Lua.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function turn()
  await(lull.sleep(0))
end

local later = async(function(...)
  turn()
  return ...
end)

local function assert_error(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

describe("a coroutine's body that awaits", function()
  tidy.watch(before_each, after_each)

  it("works with wrap: values go in and out as ever", function()
    local f = coroutine.wrap(function(a, b)
      assert(await(later(a)) == a and b == nil)
      local c, d = coroutine.yield(await(later("first", 2)))
      local e = coroutine.yield(c, await(later(d)), nil)
      return e, await(later("last"))
    end)
    assert.same({ n = 2, "first", 2 }, table.pack(f(1, nil)))
    assert.same({ n = 3, "c", "d", nil }, table.pack(f("c", "d")))
    assert.same({ n = 2, "e", "last" }, table.pack(f("e")))
    assert_error("cannot resume dead coroutine", f)
  end)

  it("works with create and resume", function()
    local co = coroutine.create(function(...)
      turn()
      coroutine.yield(...)
      turn()
      error({ code = 7 })
    end)
    assert.same({ n = 4, true, 1, nil, 3 }, table.pack(coroutine.resume(co, 1, nil, 3)))
    assert.equal("suspended", coroutine.status(co))
    assert.same({ n = 2, false, { code = 7 } }, table.pack(coroutine.resume(co)))
    assert.equal("dead", coroutine.status(co))
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
  end)

  it("does not keep other tasks from running", function()
    local ran = 0
    local other = lull.create_task(async(function()
      for _ = 1, 5 do
        ran = ran + 1
        turn()
      end
    end)())
    coroutine.wrap(function() for _ = 1, 3 do turn() end end)()
    assert.is_true(ran >= 3)
    await(other)
  end)

  it("works three deep, with yields of every level in between", function()
    local log = {}
    local function level(n)
      return coroutine.wrap(function()
        for i = 1, 2 do
          turn()
          if n > 1 then
            local inner = level(n - 1)
            table.insert(log, n .. ":" .. inner())
            turn()
          end
          coroutine.yield("y" .. n .. i)
        end
      end)
    end
    local outer = level(3)
    assert.equal("y31", outer())
    assert.equal("y32", outer())
    assert.same({ "2:y11", "3:y21", "2:y11", "3:y21" }, log)
  end)

  it("is interrupted by a cancellation, three deep, and unwinds from the inside", function()
    local log = {}
    local function scope(name)
      return setmetatable({}, { __close = function(_, err)
        turn()
        table.insert(log, name .. " " .. tostring(lull.is_error(err, lull.CancelledError)))
      end })
    end
    local function level(n)
      return coroutine.wrap(function()
        local ok, err = pcall(function()
          local _ <close> = scope(n)
          if n > 1 then level(n - 1)() else await(lull.future()) end
        end)
        assert(not ok)
        error(err, 0)
      end)
    end
    local task = lull.create_task(async(function() level(3)() end)())
    turn()
    task:cancel()
    assert.is_false(pcall(await, task))
    assert.is_true(task:cancelled())
    assert.same({ "1 true", "2 true", "3 true" }, log)
  end)

  it("catches a cancellation and goes on", function()
    local task = lull.create_task(async(function()
      return coroutine.wrap(function()
        local ok = pcall(await, lull.future())
        turn()
        coroutine.yield(ok)
      end)()
    end)())
    turn()
    task:cancel()
    assert.is_false(await(task))
  end)

  it("may be resumed by one task first and by another then", function()
    local f = coroutine.wrap(function()
      for i = 1, 4 do
        turn()
        coroutine.yield(i, lull.current_task())
      end
    end)
    for i = 1, 2 do
      local task = lull.create_task(async(function() return f() end)())
      assert.same({ 2 * i - 1, task }, { await(task) })
      assert.same({ 2 * i, lull.current_task() }, { f() })
    end
    assert.is_nil(f())
  end)

  it("awaits 10,000 times without growing", function()
    local n = 0
    coroutine.wrap(function()
      for _ = 1, 10000 do
        turn()
        n = n + 1
      end
    end)()
    assert.equal(10000, n)
  end)

  it("works as a generator in a for loop", function()
    local seen = {}
    for i in coroutine.wrap(function()
      for i = 1, 3 do coroutine.yield(await(later(i))) end
    end) do
      turn()
      table.insert(seen, i)
    end
    assert.same({ 1, 2, 3 }, seen)
  end)

  it("takes and gives 300 values", function()
    local co = coroutine.create(function(...)
      turn()
      return ...
    end)
    local values = {}
    for i = 1, 300 do values[i] = i end
    local results = table.pack(coroutine.resume(co, table.unpack(values)))
    assert.equal(301, results.n)
    assert.equal(300, results[301])
  end)

  it("keeps its error's type; wrap puts the place before strings as plain Lua does", function()
    local err = {}
    assert.equal(err, select(2, pcall(coroutine.wrap(function()
      turn()
      error(err)
    end))))
    local plain = select(2, pcall(coroutine.wrap(function() error("text", 0) end)))
    local awaited = select(2, pcall(coroutine.wrap(function()
      turn()
      error("text", 0)
    end)))
    assert.equal(plain, awaited)
  end)

  it("closes its variables when wrap lets an error through", function()
    local closed
    local f = coroutine.wrap(function()
      local _ <close> = setmetatable({}, { __close = function(_, err) closed = err end })
      turn()
      error("E", 0)
    end)
    assert_error("E", f)
    assert.equal("E", closed)
  end)
end)

describe("a coroutine that awaits, seen from outside", function()
  local co, task

  before_each(function()
    co = coroutine.create(function()
      await(lull.sleep(0.01))
      return "end"
    end)
    task = lull.create_task(async(function() return coroutine.resume(co) end)())
    turn()
  end)

  after_each(function()
    assert.same({ true, "end" }, { await(task) })
    assert.equal("dead", coroutine.status(co))
  end)

  tidy.watch(before_each, after_each) -- after the above

  it("has the status normal", function()
    assert.equal("normal", coroutine.status(co))
  end)

  it("cannot be resumed by another task", function()
    assert.same({ false, "cannot resume non-suspended coroutine" },
      { coroutine.resume(co, 1, 2) })
  end)

  it("cannot be closed by another task", function()
    assert_error("cannot close a normal coroutine", coroutine.close, co)
  end)
end)

describe("a task's own thread", function()
  tidy.watch(before_each, after_each)

  it("is no coroutine to be resumed, closed or yielded from", function()
    local thread
    local task = lull.create_task(async(function()
      thread = coroutine.running()
      assert(not coroutine.isyieldable())
      await(lull.sleep(0.01))
      return "end"
    end)())
    turn()
    assert.equal("normal", coroutine.status(thread))
    assert.same({ false, "cannot resume non-suspended coroutine" }, { coroutine.resume(thread) })
    assert_error("cannot close a normal coroutine", coroutine.close, thread)
    assert.equal("end", await(task))
    assert.equal("dead", coroutine.status(thread))
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(thread) })
    assert.is_true(coroutine.close(thread))
    assert.equal("x", await(lull.create_task(later("x"))))
  end)

  it("cannot yield, and says what to do", function()
    assert_error("attempt to yield from outside a coroutine.*use await", coroutine.yield, 1)
    local task = lull.create_task(function() coroutine.yield() end)
    assert_error("attempt to yield from outside a coroutine", await, task)
  end)

  it("of the script counts as the main thread", function()
    local _, is_main = coroutine.running()
    assert.is_true(is_main)
    local inner
    await(lull.create_task(function() inner = select(2, coroutine.running()) end))
    assert.is_false(inner)
    assert.is_false(select(2, coroutine.wrap(coroutine.running)()))
  end)
end)

describe("the coroutine library otherwise", function()
  tidy.watch(before_each, after_each)

  it("works without any await as in plain Lua", function()
    local co
    co = coroutine.create(function(a, b)
      assert(coroutine.running() == co)
      assert(coroutine.status(co) == "running")
      assert(coroutine.isyieldable())
      local c = coroutine.yield(a + b)
      return c * 2
    end)
    assert.equal("suspended", coroutine.status(co))
    assert.is_true(coroutine.isyieldable(co))
    assert.same({ true, 3 }, { coroutine.resume(co, 1, 2) })
    assert.same({ true, 20 }, { coroutine.resume(co, 10) })
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
  end)

  it("gives the status normal to a coroutine that resumed another", function()
    local outer
    outer = coroutine.create(function()
      return coroutine.wrap(function() return coroutine.status(outer) end)()
    end)
    assert.same({ true, "normal" }, { coroutine.resume(outer) })
  end)

  it("refuses to resume the running one", function()
    local co
    co = coroutine.create(function() return coroutine.resume(co) end)
    assert.same({ true, false, "cannot resume non-suspended coroutine" }, { coroutine.resume(co) })
    assert.same({ false, "cannot resume non-suspended coroutine" },
      { coroutine.resume((coroutine.running())) })
  end)

  it("closes a suspended coroutine, and gives the error of its handlers", function()
    local log = {}
    local function suspended(err)
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function()
          table.insert(log, "closed")
          if err then error(err, 0) end
        end })
        turn()
        coroutine.yield()
      end)
      coroutine.resume(co)
      return co
    end
    assert.is_true(coroutine.close(suspended()))
    assert.same({ false, "E" }, { coroutine.close(suspended("E")) })
    assert.same({ "closed", "closed" }, log)
    assert.is_true(coroutine.close(coroutine.create(print)))
    assert_error("cannot close a running coroutine", coroutine.close, (coroutine.running()))
  end)

  it("checks its arguments", function()
    for _, name in ipairs({ "resume", "status", "close" }) do
      assert_error("coroutine expected", coroutine[name], 1)
      assert_error("coroutine expected", coroutine[name])
    end
    assert_error("function expected", coroutine.create, 1)
    assert_error("function expected", coroutine.wrap, {})
  end)

  it("stops endless nesting with an ordinary error", function()
    local function nest() return coroutine.wrap(nest)() end
    assert_error("stack overflow", nest)
    local function nest_awaiting()
      turn()
      return coroutine.wrap(nest_awaiting)()
    end
    assert_error("stack overflow", nest_awaiting)
    assert.equal(1, await(later(1)))
  end)

  it("reclaims coroutines that are left suspended in the middle", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function abandon()
      local co = coroutine.create(function()
        turn()
        coroutine.yield()
      end)
      weak[co] = true
      coroutine.resume(co)
    end
    for _ = 1, 10 do abandon() end
    turn()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)
