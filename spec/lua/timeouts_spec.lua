local cancellation = require "spec.cancellation"
local lull = require "lull"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, seconds, turns = waiting.fails, waiting.raises, waiting.seconds, waiting.turns

waiting.use_virtual_clock()

-- Goes on for so many seconds, however often it is cancelled.
local stubborn = async(function(time, result)
  local stop = lull.now() + time
  while lull.now() < stop do
    pcall(await, lull.sleep(stop - lull.now()))
  end
  return result
end)

local nap = async(function(time, ...)
  await(lull.sleep(time))
  return ...
end)

-- Moments of something that takes one item of a queue.
local function moments_of_taking(take)
  return cancellation.moments {
    setup = function() return { queue = lull.queue(), items = {} } end,
    operation = function(state)
      local item = take(state.queue)
      table.insert(state.items, item)
    end,
    complete = function(state) state.queue:put_nowait("item") end,
    check = function(state)
      assert.same({ "item" }, state.items)
      assert.is_true(state.queue:empty())
    end,
  }
end

describe("wait_for", function()
  tidy.watch(before_each, after_each)

  it("gives all results of what ends in time", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(await(lull.wait_for(nap(1, 1, nil, 3), 2))))
  end)

  it("has no limit when the time is nil", function()
    assert.equal("done", await(lull.wait_for(nap(1e6, "done"))))
    assert.equal("done", await(lull.wait_for(nap(1e6, "done"), nil)))
    assert.equal("done", await(lull.wait_for(nap(1e6, "done"), math.huge)))
  end)

  it("raises TimeoutError when the time is up, and cancels what it waited for", function()
    local task = lull.create_task(nap(10))
    local err
    assert.equal(2, seconds(function()
      err = raises(lull.TimeoutError, await, lull.wait_for(task, 2))
    end))
    assert.is_true(lull.is_error(err.cause, lull.CancelledError))
    assert.is_true(task:cancelled())
  end)

  it("passes errors on", function()
    local function fail() error("mine", 0) end
    local ok, err = pcall(await, lull.wait_for(fail, 1))
    assert.is_false(ok)
    assert.equal("mine", err)
    ok, err = pcall(await, lull.wait_for(lull.create_task(fail), 1))
    assert.is_false(ok)
    assert.equal("mine", err)
  end)

  it("takes functions, operations, futures and objects with __await", function()
    assert.equal("f", await(lull.wait_for(function() return "f" end, 1)))
    assert.equal("op", await(lull.wait_for(lull.sleep(0.5, "op"), 1)))
    local future = lull.future()
    lull.loop():call_later(0.5, function() future:set_result("future") end)
    assert.equal("future", await(lull.wait_for(future, 1)))
    local object = setmetatable({}, { __await = function() return nap(0.5, "object") end })
    assert.equal("object", await(lull.wait_for(object, 1)))
  end)

  it("starts nothing before it is awaited", function()
    local started = false
    local waiter = lull.wait_for(function() started = true end, 1)
    turns(3)
    assert.is_false(started)
    await(waiter)
    assert.is_true(started)
  end)

  it("does not start the work when there is no time", function()
    for _, time in ipairs { 0, -1, -math.huge } do
      local started = false
      local function work() started = true end
      raises(lull.TimeoutError, await, lull.wait_for(async(work)(), time))
      raises(lull.TimeoutError, await, lull.wait_for(work, time))
      raises(lull.TimeoutError, await, lull.wait_for(lull.sleep(0), time))
      local object = setmetatable({}, { __await = work })
      raises(lull.TimeoutError, await, lull.wait_for(object, time))
      turns(2)
      assert.is_false(started)
    end
  end)

  it("gives the result of what is done already when there is no time", function()
    local future = lull.future()
    future:set_result("done")
    assert.equal("done", await(lull.wait_for(future, 0)))
    local failed = lull.future()
    failed:set_exception("failed")
    local ok, err = pcall(await, lull.wait_for(failed, -1))
    assert.is_false(ok)
    assert.equal("failed", err)
  end)

  it("cancels a task that runs when there is no time, and waits for its cleanup", function()
    for _, time in ipairs { 0, -1 } do
      local cleaned = false
      local task = lull.create_task(function()
        local _ <close> = setmetatable({}, {
          __close = function()
            await(lull.sleep(3))
            cleaned = true
          end,
        })
        await(lull.sleep(10))
      end)
      turns(1)
      assert.equal(3, seconds(raises, lull.TimeoutError, await, lull.wait_for(task, time)))
      assert.is_true(cleaned)
      assert.is_true(task:cancelled())
    end
  end)

  it("gives what a cancelled task returns or raises instead", function()
    local started = lull.create_task(stubborn(5, "late"))
    turns(1)
    assert.equal("late", await(lull.wait_for(started, 0)))
    assert.equal("late", await(lull.wait_for(stubborn(5, "late"), 1)))
    local function fail()
      local _ <close> = setmetatable({}, { __close = function() error("cleanup", 0) end })
      await(lull.sleep(10))
    end
    for _, time in ipairs { 0, 1 } do
      local task = lull.create_task(fail)
      turns(1)
      local ok, err = pcall(await, lull.wait_for(task, time))
      assert.is_false(ok)
      assert.equal("cleanup", err)
    end
  end)

  it("waits until what it has cancelled has ended", function()
    local ended = false
    local function slow()
      local _ <close> = setmetatable({}, {
        __close = function()
          await(lull.sleep(3))
          ended = true
        end,
      })
      await(lull.sleep(100))
    end
    assert.equal(5, seconds(raises, lull.TimeoutError, await, lull.wait_for(slow, 2)))
    assert.is_true(ended)
  end)

  it("passes a cancellation of its task on, once or often", function()
    local inner = lull.create_task(function()
      raises(lull.CancelledError, await, lull.sleep(3))
      raises(lull.CancelledError, await, lull.sleep(3))
      await(lull.sleep(3))
      return 42
    end)
    local task = lull.create_task(lull.wait_for(inner, 1))
    await(lull.sleep(2))
    task:cancel()
    assert.equal(42, await(task))
    assert.equal(42, await(inner))
  end)

  it("can be cancelled while it waits for what had no time to end", function()
    local inner = lull.create_task(stubborn(5, 42))
    turns(1)
    local task = lull.create_task(lull.wait_for(inner, 0))
    turns(2)
    task:cancel()
    assert.equal(0, seconds(raises, lull.CancelledError, await, task))
    assert.is_false(inner:done())
    assert.equal(42, await(inner))
  end)

  it("cancels the work when its own task is cancelled", function()
    for _, time in ipairs { false, 60 } do
      local future = lull.future()
      local inner = lull.create_task(function() await(future) end)
      local task = lull.create_task(lull.wait_for(inner, time or nil))
      lull.loop():call_soon(function() task:cancel() end)
      raises(lull.CancelledError, await, task)
      assert.is_true(inner:cancelled())
      assert.is_true(future:cancelled())
    end
  end)

  it("raises CancelledError when its work ends in the turn in which it is cancelled", function()
    local future = lull.future()
    local task = lull.create_task(lull.wait_for(future, 10))
    turns(1)
    future:set_result("done")
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.equal("done", future:result())
  end)

  it("leaves shielded work alone", function()
    local inner = lull.create_task(nap(3, "inner"))
    raises(lull.TimeoutError, await, lull.wait_for(lull.shield(inner), 1))
    assert.is_false(inner:done())
    assert.equal("inner", await(inner))
  end)

  it("may be nested, and the shorter time counts", function()
    local outer_first = lull.wait_for(lull.wait_for(nap(10), 5), 1)
    assert.equal(1, seconds(raises, lull.TimeoutError, await, outer_first))
    local inner_first = lull.wait_for(lull.wait_for(nap(10), 1), 5)
    assert.equal(1, seconds(raises, lull.TimeoutError, await, inner_first))
  end)

  it("minds its arguments at the call", function()
    fails("bad argument #1 to", lull.wait_for, 42, 1)
    fails("bad argument #1 to", lull.wait_for, nil, 1)
    fails("bad argument #2 to", lull.wait_for, lull.future(), "1 s")
    fails("got nan", lull.wait_for, lull.future(), 0 / 0)
    local used = nap(0)
    await(used)
    fails("was already awaited", await, lull.wait_for(used, 1))
    fails("was already awaited", await, lull.wait_for(used, 0))
  end)

  for name, test in moments_of_taking(function(queue)
    return await(lull.wait_for(queue:get(), 5000))
  end) do
    it(name, test)
  end
end)

describe("move_on_after", function()
  tidy.watch(before_each, after_each)

  it("gives true and the results when the function ends in time", function()
    local function f(a, b)
      await(lull.sleep(1))
      return a + b, nil, "last"
    end
    local results = table.pack(await(lull.move_on_after(2, f, 1, 2)))
    assert.same({ true, 3, nil, "last", n = 4 }, results)
    results = table.pack(await(lull.move_on_after(2, function() end)))
    assert.same({ true, n = 1 }, results)
  end)

  it("awaits what an async function gives", function()
    assert.same({ true, "x", "y" }, { await(lull.move_on_after(2, nap, 1, "x", "y")) })
  end)

  it("gives false when the time is up", function()
    local results
    assert.equal(2, seconds(function()
      results = table.pack(await(lull.move_on_after(2, nap, 10)))
    end))
    assert.same({ false, n = 1 }, results)
    assert.equal(0, lull.current_task():cancelling())
  end)

  it("has no limit when the time is nil", function()
    assert.is_true((await(lull.move_on_after(nil, nap, 1e6))))
  end)

  it("lets the function run to its first wait when there is no time", function()
    local started = false
    assert.is_false((await(lull.move_on_after(0, function()
      started = true
      await(lull.sleep(0))
      error("went on")
    end))))
    assert.is_true(started)
    assert.same({ true, 1 }, { await(lull.move_on_after(-1, function() return 1 end)) })
  end)

  it("lets other errors through, also of its own kind", function()
    local ok, err = pcall(await, lull.move_on_after(5, error, "mine", 0))
    assert.is_false(ok)
    assert.equal("mine", err)
    raises(lull.TimeoutError, await, lull.move_on_after(5, function()
      await(lull.wait_for(nap(10), 1))
    end))
    raises(lull.TimeoutError, await, lull.move_on_after(1, function()
      local _ <close> = setmetatable({}, {
        __close = function() error(lull.TimeoutError("another"), 0) end,
      })
      await(lull.sleep(10))
    end))
  end)

  it("lets a cancellation from outside through", function()
    local task = lull.create_task(lull.move_on_after(5, nap, 10))
    turns(1)
    task:cancel()
    raises(lull.CancelledError, await, task)
  end)

  it("gives true when the function catches the cancellation and ends", function()
    assert.same({ true, "late" }, { await(lull.move_on_after(1, stubborn, 3, "late")) })
  end)

  it("may be nested", function()
    local function outer_first()
      await(lull.move_on_after(5, nap, 10))
      error("went on")
    end
    assert.is_false((await(lull.move_on_after(1, outer_first))))
    local function inner_first() return await(lull.move_on_after(1, nap, 10)) end
    assert.same({ true, false }, { await(lull.move_on_after(5, inner_first)) })
  end)

  it("minds its arguments at the call", function()
    fails("bad argument #1 to", lull.move_on_after, "x", print)
    fails("got nan", lull.move_on_after, 0 / 0, print)
    fails("bad argument #2 to", lull.move_on_after, 1)
    fails("bad argument #2 to", lull.move_on_after, 1, lull.future())
  end)

  for name, test in moments_of_taking(function(queue)
    local finished, item = await(lull.move_on_after(5000, queue.get, queue))
    assert.is_true(finished)
    return item
  end) do
    it(name, test)
  end
end)
