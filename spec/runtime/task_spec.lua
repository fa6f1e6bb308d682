-- Tasks: starting, names, results, cancellation, lifetime. Cases after CPython's test_tasks.py.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function turn()
  await(lull.sleep(0))
end

local function turns(n)
  for _ = 1, n do
    turn()
  end
end

-- A task that sleeps for long, unless it is cancelled.
local sleeper = async(function(seconds)
  await(lull.sleep(seconds or 3600))
  return "slept"
end)

local function is_cancelled_error(err)
  return lull.is_error(err, lull.CancelledError)
end

local function assert_cancelled(task)
  local ok, err = pcall(await, task)
  assert.is_false(ok)
  assert.is_true(is_cancelled_error(err))
  assert.is_true(task:cancelled())
  return err
end

describe("create_task", function()
  tidy.watch(before_each, after_each)

  it("gives a task that has not started yet", function()
    local started = false
    local task = lull.create_task(async(function()
      started = true
    end)())
    assert.is_false(started)
    assert.is_false(task:done())
    await(task)
    assert.is_true(started)
    assert.is_true(task:done())
  end)

  it("makes the coroutine object itself the task", function()
    local c = sleeper(0)
    assert.equal(c, lull.create_task(c))
    await(c)
  end)

  it("starts tasks in the order they were created", function()
    local order = {}
    local note = async(function(i)
      table.insert(order, i)
    end)
    local last
    for i = 1, 5 do
      last = lull.create_task(note(i))
    end
    await(last)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("takes a function, and awaits the coroutine object it gives", function()
    assert.equal("plain", await(lull.create_task(function()
      return "plain"
    end)))
    local f = async(function()
      turn()
      return "async", 2
    end)
    assert.same({ "async", 2 }, { await(lull.create_task(f)) })
  end)

  it("takes an operation and an object with __await", function()
    assert.equal("x", await(lull.create_task(lull.sleep(0, "x"))))
    local object = setmetatable({}, { __await = function()
      return lull.sleep(0, "y")
    end })
    assert.equal("y", await(lull.create_task(object)))
  end)

  it("refuses what is no coroutine object", function()
    local task = lull.create_task(sleeper(0))
    for _, value in ipairs({ 42, "x", true, {}, task, lull.future(), io.stdout }) do
      assert.has_error.matches(function()
        lull.create_task(value)
      end, "coroutine object or function expected")
    end
    assert.has_error.matches(function()
      lull.create_task(nil)
    end, "coroutine object or function expected")
    await(task)
  end)

  it("refuses unknown options and starts nothing then", function()
    local c = sleeper(0)
    assert.has_error.matches(function()
      lull.create_task(c, { nmae = "x" })
    end, "unknown option 'nmae'")
    assert.has_error.matches(function()
      lull.create_task(c, { name = 7 })
    end, "option 'name' must be a string")
    assert.has_error.matches(function()
      lull.create_task(c, "name")
    end, "table expected")
    assert.equal(1, #lull.all_tasks())
    assert.equal("slept", await(c))
  end)

  it("refuses a coroutine object that was awaited", function()
    local c = sleeper(0)
    await(c)
    assert.has_error.matches(function()
      lull.create_task(c)
    end, "already awaited")
  end)
end)

describe("a task's name", function()
  tidy.watch(before_each, after_each)

  it("is its own unless one is given", function()
    local a, b = lull.create_task(sleeper(0)), lull.create_task(sleeper(0))
    assert.matches("^Task%-%d+$", a:get_name())
    assert.not_equal(a:get_name(), b:get_name())
    await(lull.gather(a, b))
  end)

  it("can be given, changed and seen in tostring", function()
    local task = lull.create_task(sleeper(0), { name = "first" })
    assert.equal("first", task:get_name())
    assert.equal("task 'first' (pending)", tostring(task))
    task:set_name("second")
    assert.equal("second", task:get_name())
    await(task)
    assert.equal("task 'second' (done)", tostring(task))
  end)

  it("must be a string", function()
    local task = lull.create_task(sleeper(0))
    assert.has_error.matches(function()
      task:set_name({})
    end, "string expected")
    assert.has_error.matches(function()
      task:set_name()
    end, "string expected")
    await(task)
  end)

  it("of the script is main", function()
    assert.equal("main", lull.current_task():get_name())
  end)
end)

describe("an eager task", function()
  tidy.watch(before_each, after_each)

  it("runs at once, up to its first wait", function()
    local steps = {}
    local task = lull.create_task(async(function()
      table.insert(steps, "eager")
      turn()
      table.insert(steps, "later")
      return "end"
    end)(), { eager = true })
    table.insert(steps, "creator")
    assert.is_false(task:done())
    assert.equal("end", await(task))
    assert.same({ "eager", "creator", "later" }, steps)
  end)

  it("that does not wait is done when create_task returns", function()
    local task = lull.create_task(async(function(...)
      return ...
    end)(1, nil, 3), { eager = true })
    assert.is_true(task:done())
    assert.same({ n = 3, 1, nil, 3 }, table.pack(task:result()))
  end)

  it("is the current task until it waits, and then its creator again", function()
    local creator, seen = lull.current_task()
    local task = lull.create_task(async(function()
      seen = lull.current_task()
    end)(), { eager = true })
    assert.equal(task, seen)
    assert.equal(creator, lull.current_task())
  end)

  it("that fails does not fail its creator", function()
    local creator = lull.create_task(async(function()
      local child = lull.create_task(async(function()
        error("child", 0)
      end)(), { eager = true })
      return child:exception()
    end)())
    assert.equal("child", await(creator))
    assert.is_nil(creator:exception())
  end)

  it("may create eager tasks", function()
    local order = {}
    local nest
    nest = async(function(n)
      table.insert(order, "in " .. n)
      if n > 0 then
        local child = lull.create_task(nest(n - 1), { eager = true })
        table.insert(order, "back " .. n)
        turn()
        return 1 + await(child)
      end
      turn()
      return 0
    end)
    assert.equal(3, await(lull.create_task(nest(3), { eager = true })))
    assert.same({ "in 3", "in 2", "in 1", "in 0", "back 1", "back 2", "back 3" }, order)
  end)

  it("may wait although it was started where its creator cannot", function()
    local task
    table.sort({ 2, 1 }, function(a, b)
      task = task or lull.create_task(sleeper(0), { eager = true })
      return a < b
    end)
    assert.equal("slept", await(task))
  end)

  it("can be cancelled while it waits", function()
    local task = lull.create_task(sleeper(), { eager = true })
    assert.is_true(task:cancel())
    assert_cancelled(task)
  end)

  it("needs a running task, and is not started without one", function()
    local done, c = lull.future(), sleeper(0)
    lull.loop():call_soon(function()
      done:set_result({ pcall(lull.create_task, c, { eager = true }) })
    end)
    local result = await(done)
    assert.is_false(result[1])
    assert.matches("option 'eager' needs a running task", result[2])
    assert.equal("slept", await(c))
  end)

  it("recursing without end is an error of one of them", function()
    local depth, failure = 0, nil
    local nest
    nest = async(function()
      depth = depth + 1
      local child = lull.create_task(nest(), { eager = true })
      failure = failure or child:exception()
    end)
    await(lull.create_task(nest(), { eager = true }))
    assert.matches("stack overflow", failure)
    assert.is_true(depth > 20)
    assert.equal("slept", await(lull.create_task(sleeper(0))))
  end)
end)

describe("current_task and all_tasks", function()
  tidy.watch(before_each, after_each)

  it("give the same task at any depth of awaits and coroutines", function()
    local seen = {}
    local inner = async(function()
      table.insert(seen, lull.current_task())
      turn()
      table.insert(seen, lull.current_task())
    end)
    local task = lull.create_task(async(function()
      table.insert(seen, lull.current_task())
      await(inner())
      coroutine.wrap(function()
        await(inner())
      end)()
      pcall(await, inner())
    end)())
    await(task)
    assert.equal(7, #seen)
    for _, current in ipairs(seen) do
      assert.equal(task, current)
    end
  end)

  it("give nil in a callback of the loop", function()
    local done = lull.future()
    lull.loop():call_soon(function()
      done:set_result(lull.current_task() == nil)
    end)
    assert.is_true(await(done))
  end)

  it("list the tasks that are not done", function()
    local a, b = lull.create_task(sleeper(0)), lull.create_task(sleeper())
    local function listed()
      local set = {}
      for _, task in ipairs(lull.all_tasks()) do
        set[task] = true
      end
      return set
    end
    assert.same({ [lull.current_task()] = true, [a] = true, [b] = true }, listed())
    await(a)
    assert.same({ [lull.current_task()] = true, [b] = true }, listed())
    b:cancel()
    turns(2)
    assert.same({ [lull.current_task()] = true }, listed())
  end)
end)

describe("a task's outcome", function()
  tidy.watch(before_each, after_each)

  it("is all its results, nils and none at all among them", function()
    local give = async(function(...)
      turn()
      return ...
    end)
    for _, values in ipairs({
      table.pack(),
      table.pack(nil),
      table.pack(1),
      table.pack(nil, nil),
      table.pack(1, nil, 3, nil),
      table.pack(false, "x", {}),
    }) do
      local task = lull.create_task(give(table.unpack(values, 1, values.n)))
      assert.same(values, table.pack(await(task)))
      assert.same(values, table.pack(task:result()))
      assert.same(values, table.pack(await(give(table.unpack(values, 1, values.n)))))
    end
  end)

  it("is right for 8 to 3000 arguments and results", function()
    local give = async(function(...)
      turn()
      return ...
    end)
    for _, n in ipairs({ 8, 9, 199, 200, 201, 255, 256, 300, 3000 }) do
      local values = table.pack()
      for i = 1, n, 2 do -- every second is nil
        values[i] = i
      end
      values.n = n
      local task = lull.create_task(give(table.unpack(values, 1, n)))
      assert.same(values, table.pack(await(task)))
      assert.same(values, table.pack(await(give(table.unpack(values, 1, n)))))
    end
  end)

  it("too large for a stack is an error, and the runtime works on", function()
    local many = async(function(n)
      return table.unpack({}, 1, n)
    end)
    local task = lull.create_task(many(999000))
    local ok, result = pcall(function()
      return select("#", await(task))
    end)
    assert.is_true(ok and result == 999000 or result:match("too many results") ~= nil, result)
    assert.equal("slept", await(lull.create_task(sleeper(0))))
    assert.equal(2, select("#", await(lull.create_task(many(2)))))
  end)

  it("cannot be asked for before it is there", function()
    local task = lull.create_task(sleeper(0))
    for _, method in ipairs({ "result", "exception" }) do
      local ok, err = pcall(task[method], task)
      assert.is_false(ok)
      assert.is_true(lull.is_error(err, lull.InvalidStateError))
    end
    await(task)
  end)

  it("of a failure is the very error value, of any type", function()
    local values = { "text", 42, 4.5, false, {}, print, io.stdout, coroutine.create(print) }
    for i = 0, #values do
      local task = lull.create_task(async(function()
        turn()
        error(values[i], 0)
      end)())
      local ok, err = pcall(await, task)
      assert.is_false(ok)
      assert.is_true(rawequal(values[i], err))
      assert.is_true(rawequal(values[i], (task:exception())))
      assert.is_true(rawequal(values[i], (select(2, pcall(task.result, task)))))
      assert.is_false(task:cancelled())
    end
  end)

  it("of a failure is told to everybody who awaits", function()
    local err, seen = {}, {}
    local task = lull.create_task(async(function()
      turn()
      error(err)
    end)())
    local awaiters = {}
    for i = 1, 3 do
      awaiters[i] = lull.create_task(async(function()
        table.insert(seen, (select(2, pcall(await, task))))
      end)())
    end
    await(lull.gather(awaiters))
    assert.same({ err, err, err }, seen)
    assert.equal(err, seen[1])
  end)

  it("of a cancellation is CancelledError from result and exception", function()
    local task = lull.create_task(sleeper())
    task:cancel()
    assert_cancelled(task)
    assert.is_true(is_cancelled_error(select(2, pcall(task.result, task))))
    assert.is_true(is_cancelled_error(select(2, pcall(task.exception, task))))
    assert.matches("%(cancelled%)$", tostring(task))
  end)

  it("can be awaited in a different task, long after", function()
    local task = lull.create_task(async(function()
      return "kept"
    end)())
    turns(3)
    assert.equal("kept", await(lull.create_task(async(function()
      return await(task)
    end)())))
    assert.equal("kept", await(task))
  end)

  it("cannot be set from outside", function()
    local task = lull.create_task(sleeper(0))
    assert.is_nil(task.set_result)
    assert.is_nil(task.set_exception)
    assert.has_error(function()
      lull.future().set_result(task, 1)
    end)
    await(task)
  end)

  it("is an error if the task awaits itself", function()
    local task
    task = lull.create_task(async(function()
      await(task)
    end)())
    assert.has_error.matches(function()
      await(task)
    end, "a task cannot await itself")
  end)

  it("is an error if the body yields with nobody to yield to", function()
    local task = lull.create_task(async(function()
      coroutine.yield(1)
    end)())
    assert.has_error.matches(function()
      await(task)
    end, "yield")
  end)
end)

describe("cancel", function()
  tidy.watch(before_each, after_each)

  it("keeps a task that has not started from starting", function()
    local started = false
    local task = lull.create_task(async(function()
      started = true
    end)())
    assert.is_true(task:cancel())
    assert_cancelled(task)
    assert.is_false(started)
  end)

  it("keeps one with 300 arguments from starting", function()
    local task = lull.create_task(async(print)(table.unpack({}, 1, 300)))
    task:cancel()
    assert_cancelled(task)
  end)

  it("raises CancelledError where a task waits", function()
    local caught
    local task = lull.create_task(async(function()
      local ok, err = pcall(await, lull.sleep(3600))
      caught = not ok and err
      error(err, 0)
    end)())
    turn()
    local begin = lull.now()
    assert.is_true(task:cancel())
    assert_cancelled(task)
    assert.is_true(is_cancelled_error(caught))
    assert.is_true(lull.now() - begin < 60)
  end)

  it("cancels the future that the task waits for, and whoever else waits", function()
    local future = lull.future()
    local function wait()
      return lull.create_task(async(function()
        await(future)
      end)())
    end
    local a, b = wait(), wait()
    turn()
    a:cancel()
    assert.is_true(future:cancelled())
    assert_cancelled(a)
    assert_cancelled(b)
    assert.equal(0, b:cancelling())
  end)

  it("goes before a result that arrived in the same turn", function()
    local future = lull.future()
    local task = lull.create_task(async(function()
      return await(future)
    end)())
    turn()
    future:set_result("too late")
    assert.is_true(task:cancel())
    assert_cancelled(task)
    assert.equal("too late", future:result())
  end)

  it("goes before a sleep that ended in the same turn", function()
    local task
    lull.loop():call_later(0.01, function()
      task:cancel()
    end)
    task = lull.create_task(sleeper(0.01))
    turn()
    lull.blocking_sleep(0.02) -- both are due in one turn, the call first
    assert_cancelled(task)
  end)

  it("comes too late for a task that is done", function()
    local task = lull.create_task(sleeper(0))
    await(task)
    assert.is_false(task:cancel())
    assert.is_false(task:cancelled())
    assert.equal("slept", task:result())
    local other = lull.create_task(sleeper())
    other:cancel()
    assert_cancelled(other)
    assert.is_false(other:cancel())
  end)

  it("asked for twice is delivered once", function()
    local times = 0
    local task = lull.create_task(async(function()
      if not pcall(await, lull.sleep(3600)) then
        times = times + 1
      end
      turns(3)
      return "survived"
    end)())
    turn()
    assert.is_true(task:cancel())
    assert.is_true(task:cancel())
    assert.equal(2, task:cancelling())
    assert.equal("survived", await(task))
    assert.equal(1, times)
  end)

  it("interrupts the cleanup if it is asked for again during it", function()
    local steps = {}
    local task = lull.create_task(async(function()
      local _ <close> = setmetatable({}, { __close = function()
        table.insert(steps, "cleaning")
        local ok = pcall(await, lull.sleep(3600))
        table.insert(steps, ok)
        turn()
        table.insert(steps, "clean")
      end })
      await(lull.sleep(3600))
    end)())
    turn()
    task:cancel()
    turn()
    assert.same({ "cleaning" }, steps)
    task:cancel()
    assert_cancelled(task)
    assert.same({ "cleaning", false, "clean" }, steps)
  end)

  it("lets the cleanup await", function()
    local clean
    local task = lull.create_task(async(function()
      local _ <close> = setmetatable({}, { __close = function(_, err)
        await(lull.sleep(0.01))
        clean = is_cancelled_error(err)
      end })
      await(sleeper())
    end)())
    turn()
    task:cancel()
    assert_cancelled(task)
    assert.is_true(clean)
  end)

  it("is delivered by the next wait of a task that cancels itself", function()
    local reached, passed
    local done = lull.future()
    done:set_result("at hand")
    local task = lull.create_task(async(function()
      assert(lull.current_task():cancel())
      reached = await(done) -- need not wait
      await(lull.sleep(0))
      passed = true
    end)())
    assert_cancelled(task)
    assert.equal("at hand", reached)
    assert.is_nil(passed)
  end)

  it("holds even if the task ends without another wait", function()
    local task = lull.create_task(async(function()
      lull.current_task():cancel("early")
      return "result"
    end)())
    assert.equal("early", assert_cancelled(task).message)
  end)

  it("is overtaken by an error that the task raises", function()
    local task = lull.create_task(async(function()
      pcall(await, lull.sleep(3600))
      error("other", 0)
    end)())
    turn()
    task:cancel()
    assert.has_error(function()
      await(task)
    end, "other")
    assert.is_false(task:cancelled())
  end)

  it("is what a CancelledError raised by the task amounts to", function()
    local task = lull.create_task(async(function()
      error(lull.CancelledError("own"))
    end)())
    assert_cancelled(task)
    assert.equal(0, task:cancelling())
  end)

  it("can be swallowed: the result counts, the request is still noted", function()
    local task = lull.create_task(async(function()
      pcall(await, lull.sleep(3600))
      await(lull.sleep(0.001))
      return "as if nothing"
    end)())
    turn()
    task:cancel()
    assert.equal("as if nothing", await(task))
    assert.equal(1, task:cancelling())
    assert.is_false(task:cancelled())
  end)

  it("reaches a task that awaits coroutine objects three deep, once", function()
    local log = {}
    local function level(n)
      return async(function()
        local ok, err = pcall(await, n == 0 and lull.sleep(3600) or level(n - 1)())
        table.insert(log, n)
        assert(not ok)
        error(err, 0)
      end)
    end
    local task = lull.create_task(level(3)())
    turn()
    task:cancel()
    assert_cancelled(task)
    assert.same({ 0, 1, 2, 3 }, log)
  end)
end)

describe("a cancellation's message", function()
  tidy.watch(before_each, after_each)

  local function body_sees(wait, ...)
    local seen
    local task = lull.create_task(async(function()
      local _, err = pcall(wait)
      seen = err.message
      error(err, 0)
    end)())
    turns(2)
    task:cancel(...)
    local err = assert_cancelled(task)
    return seen, err.message
  end

  it("reaches the body and the awaiter, whatever the task waits for", function()
    local table_message = {}
    for _, wait in ipairs({
      function() await(lull.sleep(3600)) end,
      function() await(lull.future()) end,
      function() await(lull.create_task(sleeper())) end,
      function() await(lull.gather(sleeper(), sleeper())) end,
      function() await(lull.queue():get()) end,
      function() await(lull.event():wait()) end,
      function() coroutine.wrap(function() await(lull.future()) end)() end,
    }) do
      assert.same({ "why", "why" }, { body_sees(wait, "why") })
      assert.same({ table_message, table_message }, { body_sees(wait, table_message) })
    end
  end)

  it("is a standard one if none was given", function()
    assert.same({ "the task was cancelled", "the task was cancelled" },
      { body_sees(function() await(lull.future()) end) })
  end)

  it("reaches a task that asked for its own cancellation", function()
    for _, make in ipairs({
      lull.future,
      function() return lull.sleep(1) end,
      function() return lull.gather(lull.future()) end,
    }) do
      local seen
      local task = lull.create_task(async(function()
        lull.current_task():cancel("own")
        local _, err = pcall(await, make())
        seen = err.message
        error(err, 0)
      end)())
      assert.equal("own", assert_cancelled(task).message)
      assert.equal("own", seen)
    end
  end)

  it("is not that of an earlier request", function()
    local seen = {}
    local task = lull.create_task(async(function()
      for _ = 1, 2 do
        local _, err = pcall(await, lull.sleep(3600))
        table.insert(seen, err.message)
      end
    end)())
    turn()
    task:cancel("first")
    turn()
    task:cancel()
    await(task)
    assert.same({ "first", "the task was cancelled" }, seen)
  end)

  it("is that of the last request made before it is delivered", function()
    local seen
    local task = lull.create_task(async(function()
      local _, err = pcall(await, lull.sleep(3600))
      seen = err.message
    end)())
    turn()
    task:cancel("first")
    task:cancel("second")
    await(task)
    assert.equal("second", seen)
  end)
end)

describe("cancelling a task that awaits a task", function()
  tidy.watch(before_each, after_each)

  -- Tasks each awaiting the one before; the first is given.
  local function chain(first, n)
    local tasks = { first }
    for i = 2, n do
      tasks[i] = lull.create_task(async(function()
        return await(tasks[i - 1])
      end)())
    end
    turn()
    return tasks
  end

  it("passes down to the innermost, and back up", function()
    local tasks = chain(lull.create_task(sleeper()), 4)
    assert.is_true(tasks[4]:cancel())
    for i = 1, 4 do
      assert_cancelled(tasks[i])
      assert.equal(1, tasks[i]:cancelling())
    end
  end)

  it("works through ten thousand tasks", function()
    local tasks = chain(lull.create_task(sleeper()), 10000)
    tasks[10000]:cancel()
    assert_cancelled(tasks[10000])
    assert.is_true(tasks[1]:cancelled())
  end)

  it("has no effect on the outer one if the inner one swallows it", function()
    local inner = lull.create_task(async(function()
      pcall(await, lull.sleep(3600))
      return "stubborn"
    end)())
    local outer = chain(inner, 2)[2]
    outer:cancel()
    assert.equal("stubborn", await(outer))
    assert.equal("stubborn", inner:result())
    assert.equal(1, outer:cancelling())
  end)

  it("gives the outer one the error that the inner one's cleanup raises", function()
    local inner = lull.create_task(async(function()
      pcall(await, lull.sleep(3600))
      error("cleanup failed", 0)
    end)())
    local outer = chain(inner, 2)[2]
    outer:cancel()
    assert.has_error(function()
      await(outer)
    end, "cleanup failed")
  end)

  it("leaves an outer task alone that awaits one cancelled by others", function()
    local inner = lull.create_task(sleeper())
    local outer = lull.create_task(async(function()
      local ok, err = pcall(await, inner)
      return ok, is_cancelled_error(err), lull.current_task():cancelling()
    end)())
    turn()
    inner:cancel()
    assert.same({ false, true, 0 }, { await(outer) })
  end)

  it("breaks a circle of tasks that wait for each other", function()
    for n = 2, 5 do
      local tasks = {}
      for i = 1, n do
        tasks[i] = lull.create_task(async(function()
          await(tasks[i % n + 1])
        end)())
      end
      turn()
      assert.is_true(tasks[1]:cancel())
      for i = 1, n do
        assert_cancelled(tasks[i])
      end
    end
  end)

  it("breaks a circle that goes through a gather", function()
    local tasks = {}
    tasks[1] = lull.create_task(async(function()
      await(lull.gather(tasks[2], lull.sleep(0)))
    end)())
    tasks[2] = lull.create_task(async(function()
      await(tasks[1])
    end)())
    turns(3)
    assert.is_true(tasks[1]:cancel())
    assert_cancelled(tasks[1])
    assert_cancelled(tasks[2])
  end)
end)

describe("cancelling and uncancel", function()
  tidy.watch(before_each, after_each)

  it("count the requests", function()
    local task = lull.create_task(async(function()
      for _ = 1, 2 do
        pcall(await, lull.sleep(3600))
      end
    end)())
    assert.equal(0, task:cancelling())
    assert.equal(0, task:uncancel())
    turn()
    task:cancel()
    task:cancel()
    assert.equal(2, task:cancelling())
    turn()
    assert.equal(1, task:uncancel())
    assert.equal(0, task:uncancel())
    assert.equal(0, task:uncancel())
    task:cancel()
    assert.equal(1, task:cancelling())
    await(task)
    assert.equal(1, task:cancelling())
  end)

  it("take back a request that was not delivered yet", function()
    local task = lull.create_task(sleeper(0))
    task:cancel()
    task:uncancel()
    assert.equal("slept", await(task))
  end)

  it("keep one of two requests", function()
    local task = lull.create_task(sleeper(0))
    task:cancel()
    task:cancel()
    task:uncancel()
    assert_cancelled(task)
  end)

  it("do not stop a cancellation that has interrupted a wait", function()
    local queue = lull.queue()
    for _, wait in ipairs({
      function() await(lull.sleep(3600)) end,
      function() await(queue:get()) end,
      function() await(lull.future()) end,
    }) do
      local task = lull.create_task(async(wait)())
      turn()
      task:cancel()
      assert.equal(0, task:uncancel())
      assert_cancelled(task)
    end
  end)

  it("of a task that is no task raise an argument error", function()
    local c = sleeper(0)
    for _, method in ipairs({ "cancelling", "uncancel", "get_name", "traceback" }) do
      assert.has_error.matches(function()
        c[method](c)
      end, "task expected")
      assert.has_error.matches(function()
        c[method](lull.future())
      end, "task expected")
    end
    await(c)
  end)
end)

describe("a task's lifetime", function()
  tidy.watch(before_each, after_each)

  it("does not end before the task does, though nobody refers to it", function()
    local done = {}
    for i = 1, 50 do
      lull.create_task(async(function()
        for _ = 1, 5 do
          turn()
        end
        done[i] = true
      end)())
    end
    for _ = 1, 10 do
      collectgarbage()
      turn()
    end
    assert.equal(50, #done)
  end)

  it("ends when the task is done and nobody refers to it", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function run(body, cancel)
      local task = lull.create_task(async(body)())
      weak[task] = true
      if cancel then
        turn()
        task:cancel()
      end
      pcall(await, task)
    end
    local function run_all()
      run(function() turn() return {} end)
      run(function() return 1, 2 end)
      run(function() turn() error("looked at", 0) end)
      run(function() await(lull.sleep(3600)) end, true)
      run(function() await(lull.gather(sleeper(0), sleeper(0))) end)
    end
    await(lull.create_task(async(run_all)()))
    turns(2)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("is longer than that of its arguments", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function start(cancel)
      local argument = {}
      weak[argument] = true
      local task = lull.create_task(async(function(a)
        a = tostring(a) -- luacheck: ignore
        await(lull.sleep(0))
      end)(argument))
      if cancel then
        task:cancel()
      end
      return task
    end
    local task = start()
    await(task)
    collectgarbage()
    assert.is_nil(next(weak))
    assert.is_true(task:done())
  end)

  it("leaves no memory behind: ten times ten thousand tasks", function()
    local child = async(function(i)
      if i % 3 == 0 then
        turn()
      elseif i % 3 == 1 then
        error("failed", 0)
      end
      return i
    end)
    local function round()
      local list = { return_exceptions = true }
      for i = 1, 10000 do
        list[i] = child(i)
      end
      await(lull.gather(list))
      for i = 1, 100 do
        local task = lull.create_task(sleeper())
        if i % 2 == 0 then
          turn()
        end
        task:cancel()
      end
      turns(3)
    end
    local sizes = {}
    for i = 1, 10 do
      await(lull.create_task(async(round)()))
      turns(2)
      collectgarbage()
      collectgarbage()
      sizes[i] = collectgarbage("count")
    end
    assert.is_true(sizes[10] < sizes[3] * 1.02 + 16,
      ("%.0f KiB became %.0f KiB"):format(sizes[3], sizes[10]))
  end)
end)

describe("under a collector that works all the time", function()
  tidy.watch(before_each, after_each)

  -- Every kind of object and wait, with collections in between.
  local function workload()
    local queue, total = lull.queue(2), 0
    local producer = lull.create_task(async(function()
      for i = 1, 20 do
        await(queue:put({ value = i }))
        collectgarbage("step")
      end
      queue:shutdown()
    end)())
    local consumer = lull.create_task(async(function()
      for item in queue:iter() do
        total = total + item.value
        turn()
      end
      return total
    end)())
    local doubled = async(function(x)
      await(lull.sleep(0.001))
      collectgarbage("step")
      return { x * 2 }
    end)
    local sum = 0
    for i = 1, 20 do
      local results = await(lull.gather({ doubled(i), lull.create_task(doubled(i)), limit = 1 }))
      sum = sum + results[1][1] + results[2][1]
      local cancelled = lull.create_task(doubled(i))
      local future = lull.future()
      future:add_done_callback(function() sum = sum + 1 end)
      lull.loop():call_soon(function() future:set_result({}) end)
      turn()
      cancelled:cancel()
      pcall(await, cancelled)
      await(future)
      coroutine.wrap(function() await(doubled(i)) end)()
      turn()
    end
    await(producer)
    return await(consumer), sum
  end

  local function check()
    local total, sum = await(lull.create_task(async(workload)()))
    assert.equal(210, total)
    assert.equal(2 * 420 + 20, sum)
  end

  it("tasks come to the same results: incremental, without pause", function()
    local mode = collectgarbage("incremental", 1, 1000)
    local ok, err = pcall(check)
    collectgarbage("incremental", 200, 100)
    collectgarbage(mode)
    assert(ok, err)
  end)

  it("tasks come to the same results: generational", function()
    local mode = collectgarbage("generational", 1, 1)
    local ok, err = pcall(check)
    collectgarbage("generational", 20, 100)
    collectgarbage(mode)
    assert(ok, err)
  end)

  it("tasks come to the same results: collected fully all the while", function()
    local collector = lull.create_task(async(function()
      while true do
        collectgarbage("collect")
        await(lull.sleep(0.0002))
      end
    end)())
    local ok, err = pcall(check)
    collector:cancel()
    pcall(await, collector)
    assert(ok, err)
  end)
end)
