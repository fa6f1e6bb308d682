-- call_soon, call_later, call_at, their handles, and the exception handler. Cases after CPython's
-- test_base_events.py and test_events.py.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local await = lull.await
local loop = lull.loop()

local function turn()
  await(lull.sleep(0))
end

describe("call_soon", function()
  tidy.watch(before_each, after_each)

  it("calls a function in the next turn, with its arguments", function()
    local got
    loop:call_soon(function(...) got = table.pack(...) end, 1, nil, "x", nil)
    assert.is_nil(got)
    turn()
    assert.same({ n = 4, 1, nil, "x", nil }, got)
  end)

  it("calls in order", function()
    local order = {}
    for i = 1, 5 do loop:call_soon(table.insert, order, i) end
    turn()
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("takes thousands of arguments, nils too", function()
    for _, n in ipairs({ 0, 1, 30, 300, 5000 }) do
      local got, all_nil
      loop:call_soon(function(...)
        got = select("#", ...)
        all_nil = (...) == nil
      end, table.unpack({}, 1, n))
      turn()
      assert.equal(n, got)
      assert.is_true(all_nil)
    end
    local got
    loop:call_soon(function(...) got = select(1000, ...) end, table.unpack({}, 1, 999))
    turn()
    assert.is_nil(got)
  end)

  it("calls what a callback adds in the turn after", function()
    local order = {}
    loop:call_soon(function()
      table.insert(order, "a")
      loop:call_soon(table.insert, order, "c")
    end)
    loop:call_soon(table.insert, order, "b")
    turn()
    assert.same({ "a", "b" }, order)
    turn()
    assert.same({ "a", "b", "c" }, order)
  end)

  it("checks its arguments", function()
    for _, value in ipairs({ 42, "x", {}, io.stdout }) do
      assert.has_error.matches(function() loop:call_soon(value) end, "function expected")
    end
    assert.has_error.matches(function() loop:call_soon() end, "function expected")
  end)

  it("cannot yield or await in the callback", function()
    local errors = {}
    loop:call_soon(function()
      errors[1] = select(2, pcall(await, function() end))
      errors[2] = select(2, pcall(coroutine.yield))
    end)
    turn()
    assert.matches("await outside any task", errors[1])
    assert.matches("attempt to yield from outside a coroutine", errors[2])
  end)
end)

describe("call_later and call_at", function()
  tidy.watch(before_each, after_each)

  it("call at the time, with arguments", function()
    local begin, done = loop:time(), lull.future()
    loop:call_later(0.02, function(...)
      done:set_result({ n = select("#", ...), at = loop:time(), ... })
    end, "a", nil)
    local got = await(done)
    assert.equal(2, got.n)
    assert.equal("a", got[1])
    assert.is_true(got.at >= begin + 0.0199)
    done = lull.future()
    loop:call_at(begin + 0.05, function() done:set_result(loop:time()) end)
    assert.is_true(await(done) >= begin + 0.0499)
  end)

  it("call in the order of times, equal ones in the order they were set", function()
    local order, base = {}, loop:time() + 0.005
    for i, offset in ipairs({ 3, 1, 2, 1, 3, 1, -9 }) do
      loop:call_at(base + offset / 1000, table.insert, order, i)
    end
    await(lull.sleep(0.02))
    assert.same({ 7, 2, 4, 6, 3, 1, 5 }, order)
  end)

  it("do not call before what is ready already, even with no delay", function()
    local order = {}
    loop:call_later(0, table.insert, order, "later")
    loop:call_later(-1, table.insert, order, "past")
    loop:call_soon(table.insert, order, "soon")
    turn()
    turn()
    assert.same("soon", order[1])
    assert.equal(3, #order)
  end)

  it("check their arguments", function()
    for _, name in ipairs({ "call_later", "call_at" }) do
      local method = loop[name]
      assert.has_error.matches(function() method(loop, "x", print) end, "number expected")
      assert.has_error.matches(function() method(loop, 0 / 0, print) end, "seconds expected")
      assert.has_error.matches(function() method(loop, 1, "x") end, "function expected")
      assert.has_error.matches(function() method(loop, 1) end, "function expected")
    end
  end)
end)

describe("a handle", function()
  tidy.watch(before_each, after_each)

  it("cancels the call", function()
    local called = false
    local function call() called = true end
    local handles = {
      loop:call_soon(call), loop:call_later(0.001, call), loop:call_at(loop:time(), call),
    }
    for _, handle in ipairs(handles) do
      assert.is_false(handle:cancelled())
      handle:cancel()
      assert.is_true(handle:cancelled())
      handle:cancel()
    end
    await(lull.sleep(0.005))
    assert.is_false(called)
  end)

  it("cancels a call whose time has come in the same turn", function()
    local called, second = false, nil
    loop:call_later(0.001, function() second:cancel() end)
    second = loop:call_later(0.001, function() called = true end)
    lull.blocking_sleep(0.005)
    turn()
    turn()
    assert.is_false(called)
    assert.is_true(second:cancelled())
  end)

  it("has no effect after the call, or during it", function()
    local handle, seen
    handle = loop:call_soon(function()
      handle:cancel()
      seen = handle:cancelled()
    end)
    turn()
    assert.is_false(seen)
    handle:cancel()
    assert.is_false(handle:cancelled())
  end)

  it("need not be kept, nor its function", function()
    local called = 0
    for _ = 1, 20 do loop:call_later(0.001, function() called = called + 1 end) end
    collectgarbage()
    collectgarbage()
    await(lull.sleep(0.005))
    assert.equal(20, called)
  end)

  it("is collected when it was called or cancelled", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function add(cancel)
      local argument = {}
      for _, handle in ipairs({ loop:call_soon(print and type, argument),
                                loop:call_later(0.001, type, argument) }) do
        weak[handle] = true
        if cancel then handle:cancel() end
      end
      weak[argument] = true
    end
    add(false)
    add(true)
    await(lull.sleep(0.005))
    turn()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("refuses other values as itself", function()
    local handle = loop:call_soon(type, 1)
    assert.has_error.matches(function() handle.cancel(lull.future()) end, "handle expected")
    assert.has_error.matches(function() handle.cancelled({}) end, "handle expected")
    turn()
  end)
end)

describe("the exception handler", function()
  tidy.watch(before_each, after_each)

  it("is told of errors in callbacks, any value, and the next ones are called", function()
    local err, after = {}, false
    loop:call_soon(error, err)
    loop:call_soon(error, "text", 0)
    loop:call_soon(error)
    loop:call_later(0, function() error("later", 0) end)
    loop:call_soon(function() after = true end)
    turn()
    turn()
    assert.is_true(after)
    local reports = tidy.take()
    assert.equal(4, #reports)
    assert.equal(err, reports[1].exception)
    assert.equal("text", reports[2].exception)
    assert.is_nil(reports[3].exception)
    assert.equal("later", reports[4].exception)
    for _, report in ipairs(reports) do assert.matches("callback", report.message) end
  end)

  it("must be a function, or nil", function()
    assert.has_error.matches(function() loop:set_exception_handler(42) end, "function expected")
  end)

  it("is standard error if none is set, with a traceback, and the script goes on", function()
    local output, status = script.run([[
      local lull = require "lull"
      local function inner() error("boom") end
      lull.loop():call_soon(function() inner() end)
      lull.await(lull.sleep(0))
      print("on")
    ]])
    assert.matches("lull: warning: error in a callback of the loop: .*script.lua:2: boom", output)
    assert.matches("script.lua:2: in", output)
    assert.matches("script.lua:3: in", output)
    assert.matches("\non\n$", output)
    assert.equal(0, status)
  end)

  it("that fails is told of on standard error, and no further", function()
    local output, status = script.run([[
      local lull = require "lull"
      lull.loop():set_exception_handler(function() error("handler broke", 0) end)
      lull.loop():call_soon(error, "first", 0)
      lull.await(lull.sleep(0))
      lull.loop():set_exception_handler(nil)
      lull.loop():call_soon(error, "second", 0)
      lull.await(lull.sleep(0))
      print("on")
    ]])
    assert.matches("the exception handler failed: handler broke", output)
    assert.matches("error in a callback of the loop: second", output)
    assert.matches("\non\n$", output)
    assert.equal(0, status)
  end)
end)
