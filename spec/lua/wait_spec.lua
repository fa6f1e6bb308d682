local cancellation = require "spec.cancellation"
local lull = require "lull"
local script = require "spec.script"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, seconds, turns = waiting.fails, waiting.raises, waiting.seconds, waiting.turns

waiting.use_virtual_clock()

local nap = async(function(time, result)
  await(lull.sleep(time))
  return result
end)

local fail_after = async(function(time, err)
  await(lull.sleep(time))
  error(err, 0)
end)

local function tasks_of(...)
  local tasks = {}
  for i, coroutine in ipairs { ... } do
    tasks[i] = lull.create_task(coroutine)
  end
  return tasks
end

local function cancel_all(tasks)
  for _, task in ipairs(tasks) do
    task:cancel()
    lull.try(pcall, await, task)
  end
end

-- Moments of something that waits for one of two futures, and cancels neither.
local function moments_of_watching(watch)
  return cancellation.moments {
    setup = function() return { first = lull.future(), second = lull.future() } end,
    operation = function(state) watch(state.first, state.second) end,
    complete = function(state) state.first:set_result("first") end,
    check = function(state)
      assert.equal("first", state.first:result())
      assert.is_false(state.second:done())
    end,
  }
end

describe("wait", function()
  tidy.watch(before_each, after_each)

  it("waits for all, and gives them in the order of the list", function()
    local tasks = tasks_of(nap(3, "a"), nap(1, "b"), nap(2, "c"))
    local done, pending
    assert.equal(3, seconds(function() done, pending = await(lull.wait(tasks)) end))
    assert.same(tasks, done)
    assert.same({}, pending)
    assert.equal("b", done[2]:result())
  end)

  it("makes tasks of what is lazy, when it is awaited", function()
    local started = 0
    local function count()
      started = started + 1
      return started
    end
    local waiter = lull.wait { async(count)(), count, lull.sleep(1, "op") }
    turns(2)
    assert.equal(0, started)
    local done = await(waiter)
    assert.equal(2, started)
    assert.equal(3, #done)
    assert.equal("op", done[3]:result())
  end)

  it("does not switch tasks when all is done", function()
    local future, ran = lull.future(), false
    future:set_result(1)
    local other = lull.create_task(function() ran = true end)
    local done, pending = await(lull.wait { future })
    assert.is_false(ran)
    assert.same({ { future }, {} }, { done, pending })
    await(other)
  end)

  it("may wait for the first to be done", function()
    local tasks = tasks_of(nap(10), nap(2, "first"), nap(10))
    local done, pending
    assert.equal(2, seconds(function()
      done, pending = await(lull.wait(tasks, { return_when = "FIRST_COMPLETED" }))
    end))
    assert.same({ tasks[2] }, done)
    assert.same({ tasks[1], tasks[3] }, pending)
    assert.is_false(tasks[1]:done())
    cancel_all(pending)
  end)

  it("gives all that are done by the time it returns", function()
    local tasks = tasks_of(nap(1), nap(1), nap(5))
    local done = await(lull.wait(tasks, { return_when = "FIRST_COMPLETED" }))
    assert.same({ tasks[1], tasks[2] }, done)
    cancel_all { tasks[3] }
  end)

  it("counts a cancelled one and a failed one as done", function()
    for _, ending in ipairs { "cancel", "fail" } do
      local future = lull.future()
      local waiter = lull.create_task(lull.wait({ future, lull.future() },
        { return_when = "FIRST_COMPLETED" }))
      turns(1)
      if ending == "cancel" then future:cancel() else future:set_exception("x") end
      assert.same({ future }, (await(waiter)))
      pcall(future.exception, future)
    end
  end)

  it("may wait for the first to fail", function()
    local tasks = tasks_of(nap(1), fail_after(2, "boom"), nap(10))
    local done, pending
    assert.equal(2, seconds(function()
      done, pending = await(lull.wait(tasks, { return_when = "FIRST_EXCEPTION" }))
    end))
    assert.same({ tasks[1], tasks[2] }, done)
    assert.equal("boom", done[2]:exception())
    cancel_all(pending)
  end)

  it("does not take a cancellation for a failure", function()
    local tasks = tasks_of(nap(10), nap(3))
    lull.loop():call_later(1, function() tasks[1]:cancel() end)
    local done
    assert.equal(3, seconds(function()
      done = await(lull.wait(tasks, { return_when = "FIRST_EXCEPTION" }))
    end))
    assert.equal(2, #done)
  end)

  it("returns at once when one has failed already", function()
    local failed = lull.create_task(fail_after(0, "x"))
    turns(3)
    local slow = lull.create_task(nap(10))
    local done, pending = await(lull.wait({ slow, failed }, { return_when = "FIRST_EXCEPTION" }))
    assert.same({ { failed }, { slow } }, { done, pending })
    assert.equal("x", failed:exception())
    cancel_all(pending)
  end)

  it("waits for all when none fails", function()
    local tasks = tasks_of(nap(1), nap(2))
    local done, pending = await(lull.wait(tasks, { return_when = "FIRST_EXCEPTION" }))
    assert.equal(2, #done)
    assert.same({}, pending)
  end)

  it("raises nothing of theirs", function()
    local tasks = tasks_of(fail_after(1, "x"), nap(2))
    local done = await(lull.wait(tasks))
    assert.equal("x", done[1]:exception())
  end)

  it("returns when the time is up, and cancels nothing", function()
    local tasks = tasks_of(nap(1), nap(10, "late"))
    local done, pending
    assert.equal(2, seconds(function()
      done, pending = await(lull.wait(tasks, { timeout = 2 }))
    end))
    assert.same({ { tasks[1] }, { tasks[2] } }, { done, pending })
    assert.equal("late", await(tasks[2]))
  end)

  it("with no time tells what is done after a turn", function()
    for _, timeout in ipairs { 0, -1, -math.huge } do
      local quick, slow = lull.create_task(nap(0)), lull.create_task(nap(10))
      local done, pending = await(lull.wait({ quick, slow }, { timeout = timeout }))
      assert.equal(2, #done + #pending)
      assert.is_false(slow:done())
      cancel_all { quick, slow }
    end
  end)

  it("leaves no timer behind", function()
    local output = script.run([[
      local lull = require "lull"
      local future = lull.future()
      future:set_result(1)
      lull.await(lull.wait({ future, lull.future() }, { timeout = 1e6 }))
      local started = lull.now()
      local quick = lull.future()
      lull.loop():call_soon(function() quick:set_result(1) end)
      lull.await(lull.wait({ quick }, { timeout = 1e6 }))
      local task = lull.create_task(lull.wait({ lull.future() }, { timeout = 1e6 }))
      lull.await(lull.sleep(0))
      task:cancel()
      local _ <close> = setmetatable({}, { __close = function() print(lull.now() - started) end })
      lull.await(lull.future()) -- a deadlock, and nothing that could move the clock
    ]])
    assert.equal("0.0\n", output:match("^[^\n]*\n"))
  end)

  it("leaves no callback behind", function()
    local future = lull.future()
    local function waits()
      for _ = 1, 500 do
        local quick = lull.future()
        local waiter = lull.create_task(lull.wait({ future, quick },
          { return_when = "FIRST_COMPLETED" }))
        turns(1)
        quick:set_result(1)
        await(waiter)
        local cancelled = lull.create_task(lull.wait { future })
        turns(1)
        cancelled:cancel()
        pcall(await, cancelled)
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = waits()
    assert.is_true(waits() - before < 20) -- kilobytes; each callback left takes 0.1
    future:cancel()
  end)

  it("takes the same thing twice, and gives it once", function()
    local task, coroutine = lull.create_task(nap(1)), nap(2)
    local done, pending = await(lull.wait { task, coroutine, task, coroutine })
    assert.equal(2, #done)
    assert.equal(task, done[1])
    assert.same({}, pending)
  end)

  it("takes a list that its owner changes afterwards", function()
    local list = { lull.create_task(nap(1)) }
    local task, waiter = list[1], lull.wait(list)
    list[1] = nil
    assert.same({ task }, (await(waiter)))
  end)

  it("may be called many times for the same tasks", function()
    local task = lull.create_task(nap(2))
    local a = lull.create_task(lull.wait { task })
    local b = lull.create_task(lull.wait({ task }, { timeout = 1 }))
    local _, pending = await(b)
    assert.same({ task }, pending)
    assert.same({ task }, (await(a)))
  end)

  it("minds its arguments at the call", function()
    fails("bad argument #1 to", lull.wait)
    fails("the list of awaitables is empty", lull.wait, {})
    fails("item 2: awaitable expected, got number", lull.wait, { lull.future(), 2 })
    local future = lull.future()
    fails("bad argument #1 to", lull.wait, future)
    fails("unknown option 'timeot'", lull.wait, { future }, { timeot = 1 })
    fails("option 'timeout' must be", lull.wait, { future }, { timeout = "1" })
    fails("option 'timeout' must be", lull.wait, { future }, { timeout = 0 / 0 })
    fails("option 'return_when' must be", lull.wait, { future }, { return_when = "ALL" })
  end)

  for name, test in moments_of_watching(function(first, second)
    local done = await(lull.wait({ first, second }, { return_when = "FIRST_COMPLETED" }))
    assert.equal(first, done[1])
  end) do
    it(name, test)
  end
end)

describe("as_completed", function()
  tidy.watch(before_each, after_each)

  local function results_of(list, options)
    local results = {}
    for task in lull.as_completed(list, options) do
      results[#results + 1] = await(task)
    end
    return results
  end

  it("gives the tasks themselves, in the order they end", function()
    local tasks = tasks_of(nap(3, "a"), nap(1, "b"), nap(2, "c"))
    local order = {}
    assert.equal(3, seconds(function()
      for task in lull.as_completed(tasks) do
        assert.is_true(task:done())
        order[#order + 1] = task
      end
    end))
    assert.same({ tasks[2], tasks[3], tasks[1] }, order)
  end)

  it("makes tasks of what is lazy", function()
    assert.same({ "op", "f", "c" }, results_of { nap(3, "c"), lull.sleep(1, "op"), function()
      await(lull.sleep(2))
      return "f"
    end })
  end)

  it("gives nothing for an empty list", function()
    assert.same({}, results_of {})
    assert.same({}, results_of({}, { timeout = 0, limit = 1 }))
  end)

  it("gives failed and cancelled ones too", function()
    local tasks = tasks_of(fail_after(1, "x"), nap(10), nap(2))
    lull.loop():call_later(1.5, function() tasks[2]:cancel() end)
    local states = {}
    for task in lull.as_completed(tasks) do
      local ok, err = pcall(await, task)
      states[#states + 1] = ok and "done" or task:cancelled() and "cancelled" or err
    end
    assert.same({ "x", "cancelled", "done" }, states)
  end)

  it("gives what is done already first", function()
    local future = lull.future()
    future:set_result("done")
    assert.same({ "done", "slow" }, results_of { nap(1, "slow"), future })
  end)

  it("takes the same thing twice, and gives it once", function()
    local task, coroutine = lull.create_task(nap(1, "task")), nap(2, "coroutine")
    assert.same({ "task", "coroutine" }, results_of { coroutine, task, coroutine, task })
    task, coroutine = lull.create_task(nap(1, "task")), nap(2, "coroutine")
    assert.same({ "task", "coroutine" },
      results_of({ task, coroutine, task, coroutine }, { limit = 1 }))
  end)

  it("runs the tasks while the body of the loop waits", function()
    assert.equal(3, seconds(function()
      for _ in lull.as_completed { nap(1), nap(2), nap(3) } do
        await(lull.sleep(1))
      end
    end) - 1)
  end)

  it("runs no more at once than the limit", function()
    for limit = 1, 4 do
      local running, most, started = 0, 0, {}
      local list = {}
      for i = 1, 7 do
        list[i] = async(function()
          started[#started + 1] = i
          running = running + 1
          most = math.max(most, running)
          await(lull.sleep(1))
          running = running - 1
          return i
        end)()
      end
      local time = seconds(function() assert.equal(7, #results_of(list, { limit = limit })) end)
      assert.equal(limit, most)
      assert.equal(math.ceil(7 / limit), time)
      assert.same({ 1, 2, 3, 4, 5, 6, 7 }, started)
    end
  end)

  it("goes on after a failure when there is a limit", function()
    local n = 0
    for task in lull.as_completed({ fail_after(1, "x"), nap(1), nap(1) }, { limit = 1 }) do
      pcall(await, task)
      n = n + 1
    end
    assert.equal(3, n)
  end)

  it("raises TimeoutError in the step when the time is up, and cancels nothing", function()
    local tasks = tasks_of(nap(1, "a"), nap(5, "b"))
    local got = {}
    assert.equal(2, seconds(raises, lull.TimeoutError, function()
      for task in lull.as_completed(tasks, { timeout = 2 }) do
        got[#got + 1] = await(task)
      end
    end))
    assert.same({ "a" }, got)
    assert.equal("b", await(tasks[2]))
  end)

  it("counts the time from the call, whatever the body does", function()
    local tasks = tasks_of(nap(1, "a"), nap(2, "b"), nap(9, "c"))
    local got = {}
    raises(lull.TimeoutError, function()
      for task in lull.as_completed(tasks, { timeout = 3 }) do
        got[#got + 1] = await(task)
        await(lull.sleep(4))
      end
    end)
    assert.same({ "a", "b" }, got)
    cancel_all { tasks[3] }
  end)

  it("does not raise TimeoutError when all end in time", function()
    assert.same({ "a" }, results_of({ nap(1, "a") }, { timeout = 2 }))
    assert.equal(5, seconds(await, lull.sleep(5)))
  end)

  it("starts nothing more once its loop is left", function()
    local started, tasks = 0, {}
    local function work(time)
      return async(function()
        started = started + 1
        tasks[started] = lull.current_task()
        await(lull.sleep(time))
      end)()
    end
    for task in lull.as_completed({ work(1), work(5), work(1), work(1) }, { limit = 2 }) do
      assert.is_true(task:done())
      if task then break end
    end
    assert.is_true(started == 2 or started == 3)
    local before = started
    await(lull.wait(tasks))
    turns(3)
    assert.equal(before, started)
  end)

  it("leaves the other tasks running when its loop is left", function()
    local tasks = tasks_of(nap(1), nap(2, "later"))
    local ok, err = pcall(function()
      for _ in lull.as_completed(tasks) do
        error("left", 0)
      end
    end)
    assert.is_false(ok)
    assert.equal("left", err)
    assert.equal("later", await(tasks[2]))
  end)

  it("loses no task when a step is cancelled and another one follows", function()
    local future = lull.future()
    local step = lull.as_completed { future }
    local victim = lull.create_task(function() return step() end)
    turns(1)
    victim:cancel()
    raises(lull.CancelledError, await, victim)
    victim = lull.create_task(function() return step() end)
    turns(1)
    future:set_result("kept")
    turns(1)
    victim:cancel()
    raises(lull.CancelledError, await, victim)
    assert.equal("kept", await(step()))
    assert.is_nil(step())
  end)

  it("goes on after a step that had no time", function()
    local task = lull.create_task(nap(2, "late"))
    local step = lull.as_completed({ task }, { timeout = 1 })
    raises(lull.TimeoutError, step)
    raises(lull.TimeoutError, step)
    await(lull.sleep(2))
    assert.equal(task, step())
    assert.is_nil(step())
  end)

  it("minds its arguments", function()
    fails("bad argument #1 to", lull.as_completed)
    fails("item 1: awaitable expected, got boolean", lull.as_completed, { true })
    local list = {}
    fails("unknown option", lull.as_completed, list, { limits = 1 })
    for _, limit in ipairs { 0, -1, 1.5, "2", false, -math.huge, 0 / 0 } do
      fails("option 'limit' must be", lull.as_completed, list, { limit = limit })
    end
    for _, timeout in ipairs { "1", false, {}, 0 / 0 } do
      fails("option 'timeout' must be", lull.as_completed, list, { timeout = timeout })
    end
  end)

  for name, test in moments_of_watching(function(first, second)
    for future in lull.as_completed { first, second } do
      assert.equal(first, future)
      if future then break end
    end
  end) do
    it(name, test)
  end
end)

describe("shield", function()
  tidy.watch(before_each, after_each)

  it("gives the results", function()
    assert.equal("x", await(lull.shield(nap(1, "x"))))
    assert.equal("op", await(lull.shield(lull.sleep(1, "op"))))
    assert.same({ 1, nil, 3, n = 3 }, table.pack(await(lull.shield(function()
      await(lull.sleep(1))
      return 1, nil, 3
    end))))
  end)

  it("starts its work at once", function()
    local started = false
    local future = lull.shield(function() started = true end)
    turns(1)
    assert.is_true(started)
    await(future)
  end)

  it("gives the error", function()
    local ok, err = pcall(await, lull.shield(fail_after(1, "boom")))
    assert.is_false(ok)
    assert.equal("boom", err)
  end)

  it("is cancelled when its work is", function()
    local inner = lull.create_task(nap(10))
    local outer = lull.shield(inner)
    turns(1)
    inner:cancel()
    raises(lull.CancelledError, await, outer)
    assert.is_true(outer:cancelled())
  end)

  it("does not cancel its work when it is cancelled", function()
    local inner = lull.create_task(nap(2, "inner"))
    local outer = lull.shield(inner)
    turns(1)
    assert.is_true(outer:cancel())
    assert.is_true(outer:cancelled())
    assert.equal(0, inner:cancelling())
    assert.equal("inner", await(inner))
  end)

  it("does not cancel its work when the task that awaits it is cancelled", function()
    local finished = false
    local task = lull.create_task(function()
      await(lull.shield(function()
        await(lull.sleep(2))
        finished = true
      end))
    end)
    turns(2)
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.is_false(finished)
    await(lull.sleep(3))
    assert.is_true(finished)
  end)

  it("of what is done is that very future", function()
    local future = lull.future()
    future:set_result("x")
    assert.equal(future, lull.shield(future))
  end)

  it("protects its part of a gather", function()
    local a, b = lull.create_task(nap(2, "a")), lull.create_task(nap(2, "b"))
    local all = lull.gather(lull.shield(a), b)
    turns(1)
    all:cancel()
    raises(lull.CancelledError, await, all)
    assert.is_true(b:cancelled())
    assert.equal("a", await(a))
  end)

  it("protects a whole gather", function()
    local a, b = lull.create_task(nap(2, "a")), lull.create_task(nap(2, "b"))
    local all = lull.gather(a, b)
    local outer = lull.shield(all)
    turns(1)
    outer:cancel()
    assert.same({ "a", "b" }, { await(all) })
  end)

  it("tells the exception handler of a failure after its awaiter was cancelled", function()
    local inner = lull.create_task(fail_after(1, "boom"))
    local task = lull.create_task(function() await(lull.shield(inner)) end)
    turns(1)
    task:cancel()
    raises(lull.CancelledError, await, task)
    await(lull.sleep(2))
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal("boom", reports[1].exception)
    assert.equal(inner, reports[1].task)
    assert.equal("a shielded task failed after its awaiter was cancelled", reports[1].message)
  end)

  it("tells of such a failure once when several shields were cancelled", function()
    local inner = lull.create_task(fail_after(1, "boom"))
    for _ = 1, 3 do
      lull.shield(inner):cancel()
    end
    await(lull.sleep(2))
    assert.equal(1, #tidy.take())
  end)

  it("tells nothing when the work ends well or is cancelled", function()
    local a, b = lull.create_task(nap(1)), lull.create_task(nap(1))
    lull.shield(a):cancel()
    lull.shield(b):cancel()
    b:cancel()
    await(lull.wait { a, b })
    turns(2)
    assert.same({}, tidy.take())
  end)

  it("minds its argument", function()
    fails("bad argument #1 to", lull.shield)
    fails("bad argument #1 to", lull.shield, 42)
  end)

  for name, test in moments_of_watching(function(first) await(lull.shield(first)) end) do
    it(name, test)
  end
end)
