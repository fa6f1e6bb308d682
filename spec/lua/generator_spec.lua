-- Async generators. Cases after CPython's test_asyncgen.py.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function turn()
  await(lull.sleep(0))
end

local function assert_error(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

local count = lull.generator(function(yield, n)
  for i = 1, n do
    turn()
    yield(i)
  end
end)

-- A generator that notes in a log how it ends; its cleanup awaits.
local function logged(log)
  return lull.generator(function(yield)
    local _ <close> = setmetatable({}, { __close = function(_, err)
      turn()
      table.insert(log, err == nil and "end" or lull.is_error(err, lull.CancelledError) and "left"
        or "error")
    end })
    for i = 1, 3 do
      turn()
      yield(i)
    end
  end)
end

describe("a generator", function()
  tidy.watch(before_each, after_each)

  it("gives its values to a for loop, both of which may await", function()
    local seen = {}
    for i in count(3) do
      turn()
      table.insert(seen, i)
    end
    assert.same({ 1, 2, 3 }, seen)
  end)

  it("gives several values at a time, nils after the first", function()
    local seen = {}
    for a, b, c in lull.generator(function(yield)
      yield(1, nil, 3)
      yield(false, 2)
    end)() do
      table.insert(seen, { a, b, c })
    end
    assert.same({ { 1, nil, 3 }, { false, 2 } }, seen)
  end)

  it("takes arguments, nils too", function()
    local got
    for _ in lull.generator(function(yield, ...)
      got = table.pack(...)
      yield(1)
    end)(nil, 2, nil) do turn() end
    assert.same({ n = 3, nil, 2, nil }, got)
  end)

  it("does not start before its first value is asked for", function()
    local started = false
    local g = lull.generator(function() started = true end)()
    assert.is_false(started)
    assert.equal("generator (new)", tostring(g))
    assert.is_nil(g())
    assert.is_true(started)
    assert.equal("generator (done)", tostring(g))
    assert.is_nil(g())
  end)

  it("can be stepped by hand", function()
    local g = count(2)
    assert.equal(1, g())
    assert.equal("generator (suspended)", tostring(g))
    assert.equal(2, g())
    assert.is_nil(g())
    assert.is_nil(g())
  end)

  it("raises its body's error, the very value, and is done then", function()
    local err = {}
    local g = lull.generator(function(yield)
      yield(1)
      turn()
      error(err)
    end)()
    assert.equal(1, g())
    local ok, caught = pcall(g)
    assert.is_false(ok)
    assert.equal(err, caught)
    assert.is_nil(g())
  end)

  it("runs beside other tasks", function()
    local order = {}
    local function consume(name)
      return async(function()
        for i in count(2) do table.insert(order, name .. i) end
      end)()
    end
    await(lull.gather(consume("a"), consume("b")))
    assert.same({ "a1", "b1", "a2", "b2" }, order)
  end)

  it("can be made of another", function()
    local doubled = lull.generator(function(yield, n)
      for i in count(n) do yield(2 * i) end
    end)
    local seen = {}
    for i in doubled(3) do table.insert(seen, i) end
    assert.same({ 2, 4, 6 }, seen)
  end)

  it("can be passed on to another task between two values", function()
    local g = count(3)
    assert.equal(1, g())
    assert.equal(2, await(lull.create_task(function() return (g()) end)))
    assert.equal(3, g())
    assert.is_nil(g())
  end)
end)

describe("leaving a generator's loop", function()
  tidy.watch(before_each, after_each)

  it("by break, return or error runs its cleanup, once, before going on", function()
    local log = {}
    local g = logged(log)
    for i in g() do
      if i == 2 then break end
    end
    assert.same({ "left" }, log)
    assert.equal(1, (function()
      for i in g() do
        if i > 0 then return i end
      end
    end)())
    assert.same({ "left", "left" }, log)
    assert_error("from the loop", function()
      for _ in g() do error("from the loop") end
    end)
    assert.same({ "left", "left", "left" }, log)
    for _ in g() do turn() end
    assert.same({ "left", "left", "left", "end" }, log)
  end)

  it("of a generator in a generator ends both, the outer one first", function()
    local log = {}
    local outer = lull.generator(function(yield)
      local _ <close> = setmetatable({}, { __close = function() table.insert(log, "outer") end })
      for i in logged(log)() do yield(i) end
    end)
    for _ in outer() do break end -- luacheck: ignore 512
    assert.same({ "left", "outer" }, log)
  end)

  it("by a cancellation in the body of the loop runs its cleanup", function()
    local log = {}
    local task = lull.create_task(function()
      for _ in logged(log)() do await(lull.sleep(3600)) end
    end)
    turn()
    turn()
    task:cancel()
    assert.is_false(pcall(await, task))
    assert.is_true(task:cancelled())
    assert.same({ "left" }, log)
  end)

  it("by a cancellation in the generator's body runs its cleanup", function()
    local log = {}
    local g = lull.generator(function(yield)
      local _ <close> = setmetatable({}, { __close = function()
        turn()
        table.insert(log, "closed")
      end })
      await(lull.sleep(3600))
      yield(1)
    end)
    local task = lull.create_task(function()
      for _ in g() do turn() end
    end)
    turn()
    task:cancel()
    assert.is_false(pcall(await, task))
    assert.is_true(task:cancelled())
    assert.same({ "closed" }, log)
  end)
end)

describe("closing a generator", function()
  tidy.watch(before_each, after_each)

  it("by hand ends it where it stands", function()
    local log = {}
    local g = logged(log)()
    assert.equal(1, g())
    g:close()
    assert.same({ "left" }, log)
    assert.is_nil(g())
    g:close()
    assert.same({ "left" }, log)
  end)

  it("that has not started does not start it", function()
    local started = false
    local g = lull.generator(function() started = true end)()
    g:close()
    assert.is_nil(g())
    assert.is_false(started)
  end)

  it("that yields in its cleanup is an error", function()
    local g = lull.generator(function(yield)
      local _ <close> = setmetatable({}, { __close = function() yield("more") end })
      yield(1)
    end)()
    g()
    assert_error("the generator yielded while it was being closed", g.close, g)
    assert.is_nil(g())
  end)

  it("raises the cleanup's own error", function()
    local g = lull.generator(function(yield)
      local _ <close> = setmetatable({}, { __close = function() error("cleanup", 0) end })
      yield(1)
    end)()
    g()
    assert_error("^cleanup$", g.close, g)
  end)

  it("works with a to-be-closed variable", function()
    local log = {}
    do
      local g <close> = logged(log)()
      g()
    end
    assert.same({ "left" }, log)
  end)
end)

describe("misuse of a generator", function()
  tidy.watch(before_each, after_each)

  it("is an error: stepping or closing it while it runs in another task", function()
    local g = lull.generator(function(yield)
      await(lull.sleep(0.001))
      yield(1)
    end)()
    local task = lull.create_task(function() return (g()) end)
    turn()
    assert_error("the generator is running already", g)
    assert_error("the generator is running already", g.close, g)
    assert.equal(1, await(task))
    g:close()
  end)

  it("is an error: yielding nil", function()
    local g = lull.generator(function(yield) yield(nil) end)()
    assert_error("a generator cannot yield nil", g)
  end)

  it("is an error: yielding outside its body", function()
    local leaked
    local g = lull.generator(function(yield)
      leaked = yield
      yield(1)
    end)()
    g()
    assert_error("yield was called outside its generator's body", leaked, 1)
    g:close()
    assert_error("yield was called outside its generator's body", leaked, 1)
  end)

  it("is an error: making it of what is no function", function()
    assert_error("bad argument #1 to 'generator' %(function expected, got number%)",
      lull.generator, 42)
    assert_error("function expected, got nil", lull.generator)
  end)
end)
