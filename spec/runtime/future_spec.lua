-- Futures: results, callbacks, cancellation, failures nobody looks at. Cases after CPython's
-- test_futures.py.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function turn()
  await(lull.sleep(0))
end

local function assert_raises(class, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.is_true(lull.is_error(err, class), "another error: " .. tostring(err))
  return err
end

describe("a future", function()
  tidy.watch(before_each, after_each)

  it("is pending at first", function()
    local future = lull.future()
    assert.is_false(future:done())
    assert.is_false(future:cancelled())
    assert.equal("future (pending)", tostring(future))
    assert_raises(lull.InvalidStateError, future.result, future)
    assert_raises(lull.InvalidStateError, future.exception, future)
  end)

  it("hands its result to result, await and everybody", function()
    local value = {}
    for _, result in ipairs({ value, false, 0, "text", print }) do
      local future = lull.future()
      future:set_result(result)
      assert.is_true(future:done())
      assert.equal("future (done)", tostring(future))
      assert.equal(result, future:result())
      assert.equal(result, await(future))
      assert.is_nil(future:exception())
    end
  end)

  it("has the result nil if none is given", function()
    local future = lull.future()
    future:set_result()
    assert.same({ n = 1 }, table.pack(await(future)))
    assert.is_nil(future:result())
  end)

  it("hands its error, the very value, to result, await and exception", function()
    for _, err in ipairs({ "text", {}, 12, false, lull.Error("x"), io.stderr }) do
      local future = lull.future()
      future:set_exception(err)
      assert.is_true(future:done())
      assert.is_false(future:cancelled())
      assert.equal("future (failed)", tostring(future))
      assert.equal(err, future:exception())
      assert.equal(err, select(2, pcall(future.result, future)))
      assert.equal(err, select(2, pcall(await, future)))
    end
  end)

  it("can be completed only once", function()
    local function complete(how, ...)
      local future = lull.future()
      future[how](future, ...)
      return future
    end
    for _, future in ipairs({
      complete("set_result", 1), complete("set_exception", "e"), complete("cancel"),
    }) do
      local before = tostring(future)
      assert_raises(lull.InvalidStateError, future.set_result, future, 2)
      assert_raises(lull.InvalidStateError, future.set_exception, future, "f")
      assert.is_false(future:cancel())
      assert.equal(before, tostring(future))
      pcall(future.result, future)
    end
  end)

  it("is cancelled by set_exception with a CancelledError", function()
    local future = lull.future()
    future:set_exception(lull.CancelledError("x"))
    assert.is_true(future:cancelled())
    assert_raises(lull.CancelledError, await, future)
  end)

  it("needs an argument for set_exception", function()
    local future = lull.future()
    assert.has_error.matches(function()
      future:set_exception()
    end, "value expected")
    assert.is_false(future:done())
  end)

  it("has methods that refuse other values", function()
    local future = lull.future()
    for _, name in ipairs({ "done", "result", "exception", "cancel", "cancelled", "set_result",
                            "add_done_callback", "remove_done_callback" }) do
      for _, self in ipairs({ 1, "x", {}, io.stdout, lull.queue(), lull.sleep }) do
        assert.has_error.matches(function()
          future[name](self, print)
        end, "expected")
      end
    end
    assert.has_error.matches(function()
      lull.future().done()
    end, "expected")
  end)
end)

describe("awaiting a future", function()
  tidy.watch(before_each, after_each)

  it("that is done does not switch tasks", function()
    local future, switched = lull.future(), false
    future:set_result("here")
    local other = lull.create_task(function()
      switched = true
    end)
    assert.equal("here", await(future))
    assert.is_false(switched)
    await(other)
  end)

  it("wakes those who wait in the order they came", function()
    local future, order = lull.future(), {}
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = lull.create_task(function()
        table.insert(order, { i, await(future) })
      end)
    end
    turn()
    future:set_result("r")
    assert.same({}, order)
    await(lull.gather(tasks))
    for i = 1, 10 do
      assert.same({ i, "r" }, order[i])
    end
  end)

  it("goes on for the others if one of two waiting coroutine objects is in a cancelled task",
    function()
      local future = lull.future()
      local a = lull.create_task(function()
        return await(lull.shield(future))
      end)
      local b = lull.create_task(function()
        return await(future)
      end)
      turn()
      a:cancel()
      assert_raises(lull.CancelledError, await, a)
      future:set_result("for b")
      assert.equal("for b", await(b))
    end)

  it("keeps a future alive that only the waiting task refers to", function()
    local weak = setmetatable({}, { __mode = "v" })
    local task = lull.create_task(function()
      local future = lull.future()
      weak[1] = future
      return await(future)
    end)
    turn()
    collectgarbage()
    collectgarbage()
    weak[1]:set_result("alive")
    assert.equal("alive", await(task))
  end)
end)

describe("cancelling a future", function()
  tidy.watch(before_each, after_each)

  it("raises CancelledError, with the message, in everybody who awaits", function()
    local future, seen = lull.future(), {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lull.create_task(function()
        seen[i] = select(2, pcall(await, future)).message
      end)
    end
    turn()
    assert.is_true(future:cancel("enough"))
    assert.is_true(future:cancelled())
    assert.equal("future (cancelled)", tostring(future))
    await(lull.gather(tasks))
    assert.same({ "enough", "enough", "enough" }, seen)
    assert.equal("enough", assert_raises(lull.CancelledError, future.result, future).message)
    assert.equal("enough", assert_raises(lull.CancelledError, future.exception, future).message)
  end)

  it("does not cancel the tasks that await it", function()
    local future = lull.future()
    local task = lull.create_task(function()
      pcall(await, future)
      turn()
      return "went on"
    end)
    turn()
    future:cancel()
    assert.equal("went on", await(task))
    assert.equal(0, task:cancelling())
  end)
end)

describe("a done callback", function()
  tidy.watch(before_each, after_each)

  it("is called in the next turn, with the future", function()
    local future, got = lull.future(), nil
    future:add_done_callback(function(...)
      got = table.pack(...)
    end)
    future:set_result(1)
    assert.is_nil(got)
    turn()
    assert.same({ n = 1, future }, got)
    assert.equal(future, got[1])
  end)

  it("is called for a failure and a cancellation too", function()
    local states = {}
    local function note(future)
      table.insert(states, tostring(future))
    end
    local failed, cancelled = lull.future(), lull.future()
    failed:add_done_callback(note)
    cancelled:add_done_callback(note)
    failed:set_exception("x")
    cancelled:cancel()
    assert.equal("x", failed:exception())
    turn()
    assert.same({ "future (failed)", "future (cancelled)" }, states)
  end)

  it("is called if the future is cancelled through a task that waits for it", function()
    local future, called = lull.future(), false
    future:add_done_callback(function(done)
      called = done == future
    end)
    local task = lull.create_task(function()
      await(future)
    end)
    turn()
    collectgarbage()
    task:cancel()
    assert_raises(lull.CancelledError, await, task)
    assert.is_true(called)
  end)

  it("is called in the order of adding, as often as it was added", function()
    local future, order = lull.future(), {}
    local function add(name)
      local function f()
        table.insert(order, name)
      end
      future:add_done_callback(f)
      return f
    end
    local a = add("a")
    add("b")
    future:add_done_callback(a)
    add("c")
    future:set_result()
    turn()
    assert.same({ "a", "b", "a", "c" }, order)
  end)

  it("added to a done future is called in the next turn", function()
    local future, called = lull.future(), 0
    future:set_result()
    future:add_done_callback(function()
      called = called + 1
    end)
    assert.equal(0, called)
    turn()
    assert.equal(1, called)
  end)

  it("may add another", function()
    local future, order = lull.future(), {}
    future:add_done_callback(function()
      table.insert(order, 1)
      future:add_done_callback(function()
        table.insert(order, 2)
      end)
    end)
    future:set_result()
    turn()
    turn()
    assert.same({ 1, 2 }, order)
  end)

  it("can be removed: all that are the same function, and their count is given", function()
    local future, order = lull.future(), {}
    local function a()
      table.insert(order, "a")
    end
    local function b()
      table.insert(order, "b")
    end
    for _, f in ipairs({ a, b, a, a, b }) do
      future:add_done_callback(f)
    end
    assert.equal(0, future:remove_done_callback(print))
    assert.equal(3, future:remove_done_callback(a))
    assert.equal(0, future:remove_done_callback(a))
    future:set_result()
    turn()
    assert.same({ "b", "b" }, order)
  end)

  it("can be removed from a future that has others none of, and be added again", function()
    local future, called = lull.future(), 0
    local function count()
      called = called + 1
    end
    assert.equal(0, future:remove_done_callback(count))
    future:add_done_callback(count)
    assert.equal(1, future:remove_done_callback(count))
    future:add_done_callback(count)
    future:set_result()
    turn()
    assert.equal(1, called)
  end)

  it("cannot be removed any more when the future is done", function()
    local future, called = lull.future(), 0
    local function count()
      called = called + 1
    end
    future:add_done_callback(count)
    future:set_result()
    assert.equal(0, future:remove_done_callback(count))
    turn()
    assert.equal(1, called)
  end)

  it("is let go of when the future is done", function()
    local weak = setmetatable({}, { __mode = "k" })
    local future = lull.future()
    local function add()
      local callback = function() return future end
      weak[callback] = true
      future:add_done_callback(callback)
    end
    add()
    future:set_result()
    turn()
    turn()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("that fails is reported, and the others are called", function()
    local future, called = lull.future(), false
    local err = {}
    future:add_done_callback(function()
      error(err)
    end)
    future:add_done_callback(function()
      called = true
    end)
    future:set_result()
    turn()
    assert.is_true(called)
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal(err, reports[1].exception)
    assert.matches("callback", reports[1].message)
  end)

  it("cannot await", function()
    local future = lull.future()
    future:add_done_callback(function()
      await(future)
    end)
    future:set_result()
    turn()
    assert.matches("await outside any task", tidy.take()[1].exception)
  end)

  it("of a task and a gather is called as well", function()
    local seen = {}
    local function note(future)
      table.insert(seen, tostring(future))
    end
    local task = lull.create_task(lull.sleep(0), { name = "t" })
    local gathered = lull.gather(task)
    task:add_done_callback(note)
    gathered:add_done_callback(note)
    await(gathered)
    turn()
    assert.same({ "task 't' (done)", "gather future (done)" }, seen)
  end)

  it("must be a function", function()
    local future = lull.future()
    assert.has_error.matches(function()
      future:add_done_callback(42)
    end, "function expected")
    assert.has_error.matches(function()
      future:remove_done_callback()
    end, "function expected")
  end)
end)

describe("a failure nobody looks at", function()
  tidy.watch(before_each, after_each)

  local function fail(how)
    local future = lull.future()
    future:set_exception("unseen")
    if how then
      how(future)
    end
  end

  it("is reported when the future is collected", function()
    await(lull.create_task(function() fail() end))
    turn()
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal("unseen", reports[1].exception)
    assert.matches("failed and nobody looked", reports[1].message)
    assert.matches("future", tostring(reports[1].task))
  end)

  it("of a task is reported with its name", function()
    await(lull.create_task(function()
      local task = lull.create_task(async(function() error("unseen", 0) end)(), { name = "lost" })
      turn()
      assert(task:done())
    end))
    turn()
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.matches("task 'lost' failed and nobody looked", reports[1].message)
    assert.equal("unseen", reports[1].exception)
  end)

  it("is seen by exception, result and await", function()
    await(lull.create_task(function()
      fail(function(future) future:exception() end)
      fail(function(future) pcall(future.result, future) end)
      fail(function(future) pcall(await, future) end)
      fail(function(future) pcall(await, lull.gather(future)) end)
      fail(function(future) await(lull.gather({ future, return_exceptions = true })) end)
    end))
    turn()
    assert.same({}, tidy.take())
  end)

  it("is not seen by done, cancelled and tostring", function()
    await(lull.create_task(function()
      fail(function(future)
        return future:done(), future:cancelled(), future:cancel(), tostring(future)
      end)
    end))
    turn()
    assert.equal(1, #tidy.take())
  end)
end)
