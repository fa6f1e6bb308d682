-- gather: results in order, failures, cancellation, limits. Cases after CPython's test_tasks.py.
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

-- Gives its other arguments after some turns.
local after = async(function(n, ...)
  turns(n)
  return ...
end)

local fail_after = async(function(n, err)
  turns(n)
  error(err, 0)
end)

local sleeper = async(function()
  await(lull.sleep(3600))
end)

local function assert_cancelled(awaitable)
  local ok, err = pcall(await, awaitable)
  assert.is_false(ok)
  assert.is_true(lull.is_error(err, lull.CancelledError), tostring(err))
  return err
end

describe("gather with arguments", function()
  tidy.watch(before_each, after_each)

  it("gives the results in the order of the arguments", function()
    local gathered = lull.gather(after(3, "a"), after(1, "b"), after(2, "c"))
    assert.same({ "a", "b", "c" }, { await(gathered) })
  end)

  it("takes everything that is awaitable, and keeps the first result of each", function()
    local future = lull.future()
    future:set_result("future")
    local object = setmetatable({}, { __await = function() return after(1, "object") end })
    assert.same({ "c", "task", "function", "op", "future", "object", "gather" }, {
      await(lull.gather(after(0, "c", "second"), lull.create_task(after(1, "task", "second")),
        function() return "function", "second" end, lull.sleep(0, "op"), future, object,
        lull.gather(after(1, "gather"), after(1, "second")))),
    })
  end)

  it("gives nil where a child gives nil or nothing", function()
    assert.same({ n = 4, nil, "x", nil, nil },
      table.pack(await(lull.gather(after(1), after(0, "x"), after(0, nil), after(2, nil, 1)))))
  end)

  it("gives nothing when it is given nothing", function()
    local gathered = lull.gather()
    assert.is_false(gathered:done())
    assert.same({ n = 0 }, table.pack(await(gathered)))
    assert.is_true(gathered:done())
  end)

  it("starts its children at once: they run although nobody awaits it", function()
    local ran = 0
    local gathered = lull.gather(function() ran = ran + 1 end, function() ran = ran + 1 end)
    assert.equal(0, ran)
    turns(3)
    assert.equal(2, ran)
    assert.is_true(gathered:done())
  end)

  it("runs them at the same time", function()
    local begin = lull.now()
    await(lull.gather(lull.sleep(0.1), lull.sleep(0.1), lull.sleep(0.1)))
    assert.is_true(lull.now() - begin < 0.3)
  end)

  it("waits for futures that are done already", function()
    local a, b = lull.future(), lull.future()
    a:set_result(1)
    b:set_result(2)
    local gathered = lull.gather(a, b)
    assert.is_false(gathered:done())
    assert.same({ 1, 2 }, { await(gathered) })
  end)

  it("takes 300 arguments", function()
    local children = {}
    for i = 1, 300 do children[i] = after(i % 4, i) end
    local results = table.pack(await(lull.gather(table.unpack(children))))
    assert.equal(300, results.n)
    for i = 1, 300 do assert.equal(i, results[i]) end
  end)

  it("refuses what is not awaitable, and starts nothing", function()
    local c = after(0, "kept")
    for _, value in ipairs({ 42, "x", true, io.stdout, lull.queue() }) do
      assert.has_error.matches(function() lull.gather(c, value) end,
        "bad argument #2 .*awaitable expected")
    end
    assert.has_error.matches(function() lull.gather(nil) end, "awaitable expected, got nil")
    assert.has_error.matches(function() lull.gather(c, nil) end, "bad argument #2")
    assert.has_error.matches(function() lull.gather(c, {}) end, "bad argument #2")
    assert.equal(1, #lull.all_tasks())
    assert.equal("kept", await(c))
  end)

  it("can be awaited by several tasks, and again", function()
    local gathered = lull.gather(after(1, "a"), after(1, "b"))
    local task = lull.create_task(function() return await(gathered) end)
    assert.same({ "a", "b" }, { await(gathered) })
    assert.same({ "a", "b" }, { await(task) })
    assert.same({ "a", "b" }, { await(gathered) })
    assert.same({ "a", "b" }, { gathered:result() })
  end)
end)

describe("gather with a list", function()
  tidy.watch(before_each, after_each)

  it("gives one list, with its length in n", function()
    assert.same({ n = 3, "a", "b", "c" },
      await(lull.gather({ after(2, "a"), after(0, "b"), after(1, "c") })))
    assert.same({ n = 3, nil, 2, nil },
      await(lull.gather({ after(1), after(1, 2), after(1, nil) })))
  end)

  it("gives an empty list for an empty list", function()
    assert.same({ n = 0 }, await(lull.gather({})))
    assert.same({ n = 0 }, await(lull.gather({ return_exceptions = true, limit = 3 })))
  end)

  it("gives a list of one for a list of one", function()
    assert.same({ n = 1, "x" }, await(lull.gather({ after(0, "x") })))
  end)

  it("does not change the list it is given", function()
    local c, f = after(0), function() end
    local list = { c, f, n = 2 }
    await(lull.gather(list))
    assert.same({ c, f, n = 2 }, list)
  end)

  it("takes lists of gathers of lists", function()
    assert.same({ n = 2, { n = 2, 1, 2 }, { n = 1, 3 } }, await(lull.gather({
      lull.gather({ after(1, 1), after(2, 2) }),
      lull.gather({ after(0, 3) }),
    })))
  end)

  it("treats one object with __await as an argument, not as a list", function()
    local object = setmetatable({}, { __await = function() return after(0, "o") end })
    assert.equal("o", await(lull.gather(object)))
  end)

  it("refuses items that are not awaitable, and says which", function()
    local c = after(0)
    assert.has_error.matches(function() lull.gather({ c, 42 }) end,
      "item 2: awaitable expected, got number")
    await(c)
  end)

  it("refuses unknown options and bad values", function()
    assert.has_error.matches(function() lull.gather({ limits = 2 }) end, "unknown option 'limits'")
    for _, limit in ipairs({ 0, -1, 1.5, "x", true, {} }) do
      assert.has_error.matches(function() lull.gather({ limit = limit }) end,
        "option 'limit' must be a positive integer")
    end
  end)

  it("takes ten thousand children", function()
    local list = {}
    for i = 1, 10000 do list[i] = after(i % 3, i) end
    local results = await(lull.gather(list))
    assert.equal(10000, results.n)
    for i = 1, 10000 do assert.equal(i, results[i]) end
  end)
end)

describe("the same object twice in a gather", function()
  tidy.watch(before_each, after_each)

  it("runs once and fills both places", function()
    local runs = 0
    local function body()
      runs = runs + 1
      turn()
      return runs
    end
    local object = setmetatable({}, { __await = function() return async(body)() end })
    local future, f = lull.future(), async(body)
    lull.loop():call_soon(function() future:set_result("done") end)
    for _, make in ipairs({
      function() return f() end,
      function() return lull.create_task(f()) end,
      function() return f end,
      function() return object end,
      function() return lull.gather(f()) end,
      function() return lull.sleep(0, "op") end,
      function() return future end,
    }) do
      runs = 0
      local x, other = make(), after(2, "other")
      local results = await(lull.gather({ x, other, x, x }))
      assert.equal(4, results.n)
      assert.equal("other", results[2])
      assert.is_truthy(results[1])
      assert.equal(results[1], results[3])
      assert.equal(results[1], results[4])
      assert.is_true(runs <= 1)
    end
  end)

  it("runs once under a limit too", function()
    for limit = 1, 3 do
      local runs = 0
      local c = async(function()
        runs = runs + 1
        turn()
        return "x"
      end)()
      assert.same({ n = 4, "x", "y", "x", "x" },
        await(lull.gather({ c, after(1, "y"), c, c, limit = limit })))
      assert.equal(1, runs)
    end
  end)

  it("does not break the limit", function()
    local running, most = 0, 0
    local function f()
      running = running + 1
      most = math.max(most, running)
      turns(2)
      running = running - 1
    end
    await(lull.gather({ async(f)(), f, f, async(f)(), limit = 1 }))
    assert.equal(1, most)
  end)

  it("may be in two gathers", function()
    local c = after(1, "shared")
    local a, b = lull.gather(c, after(0)), lull.gather({ c, c })
    assert.equal("shared", (await(a)))
    assert.same({ n = 2, "shared", "shared" }, await(b))
  end)
end)

describe("when a child of a gather fails", function()
  tidy.watch(before_each, after_each)

  it("its awaiter gets the error at once, the very value", function()
    for _, err in ipairs({ "text", {}, 7, lull.Error("x") }) do
      local slow = lull.create_task(sleeper())
      local ok, caught = pcall(await, lull.gather(slow, fail_after(1, err)))
      assert.is_false(ok)
      assert.equal(err, caught)
      assert.is_false(slow:done())
      slow:cancel()
      assert_cancelled(slow)
    end
  end)

  it("the others run on, and their results can be had", function()
    local other = lull.create_task(after(5, "done anyway"))
    assert.has_error(function() await(lull.gather(other, fail_after(1, "E"))) end, "E")
    assert.equal("done anyway", await(other))
  end)

  it("the failure of a second one is not taken for one nobody looked at", function()
    assert.has_error(function()
      await(lull.gather(fail_after(1, "first"), fail_after(2, "second"), fail_after(1, "third")))
    end, "first")
    turns(4)
    assert.same({}, tidy.take())
  end)

  it("and nobody awaits the gather, its failure is reported once", function()
    await(lull.create_task(function()
      lull.gather(fail_after(1, "unseen"), after(1))
      turns(4)
    end))
    turn()
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal("unseen", reports[1].exception)
    assert.matches("gather future failed and nobody looked", reports[1].message)
  end)

  it("that was done before, the gather fails", function()
    local future = lull.future()
    future:set_exception("before")
    assert.has_error(function() await(lull.gather(after(1), future)) end, "before")
    turns(2)
  end)

  it("of gathers in gathers, the outermost one fails", function()
    assert.has_error(function()
      await(lull.gather({ lull.gather(after(1), lull.gather({ fail_after(2, "inner") })) }))
    end, "inner")
  end)

  it("and another is cancelled later, the first error counts", function()
    local other = lull.create_task(sleeper())
    local gathered = lull.gather(fail_after(0, "E"), other)
    assert.has_error(function() await(gathered) end, "E")
    other:cancel()
    assert_cancelled(other)
    assert.equal("E", gathered:exception())
    assert.is_false(gathered:cancelled())
  end)
end)

describe("gather with return_exceptions", function()
  tidy.watch(before_each, after_each)

  it("gives errors where results would be", function()
    local err = {}
    local results = await(lull.gather({
      after(1, "a"), fail_after(2, err), fail_after(0, "text"), after(3), return_exceptions = true,
    }))
    assert.same({ n = 4, "a", {}, "text", nil }, results)
    assert.equal(err, results[2])
  end)

  it("gives a CancelledError for a child that was cancelled, with its message", function()
    local task, future = lull.create_task(sleeper()), lull.future()
    local gathered = lull.gather({ task, after(1, "b"), future, return_exceptions = true })
    turn()
    task:cancel("why")
    future:cancel("because")
    local results = await(gathered)
    assert.is_true(lull.is_error(results[1], lull.CancelledError))
    assert.equal("why", results[1].message)
    assert.equal("b", results[2])
    assert.equal("because", results[3].message)
  end)

  it("is cancelled all the same when it is cancelled", function()
    local gathered = lull.gather({ sleeper(), sleeper(), return_exceptions = true })
    turn()
    assert.is_true(gathered:cancel())
    assert_cancelled(gathered)
  end)

  it("waits for all children", function()
    local begin = lull.now()
    await(lull.gather({ fail_after(0, "x"), lull.sleep(0.02), return_exceptions = true }))
    assert.is_true(lull.now() - begin >= 0.0199)
  end)
end)

describe("cancelling a gather", function()
  tidy.watch(before_each, after_each)

  it("cancels its children, and its awaiter gets CancelledError", function()
    local a, b = lull.create_task(sleeper()), sleeper()
    local gathered = lull.gather(a, b)
    turn()
    assert.is_true(gathered:cancel("stop"))
    assert.equal("stop", assert_cancelled(gathered).message)
    assert_cancelled(a)
    assert_cancelled(b)
    assert.is_true(gathered:cancelled())
  end)

  it("through the task that awaits it cancels the children", function()
    local a, b = sleeper(), lull.future()
    local task = lull.create_task(function()
      await(lull.gather(a, b))
    end)
    turns(2)
    task:cancel("down")
    assert.equal("down", assert_cancelled(task).message)
    assert.equal("down", assert_cancelled(a).message)
    assert.is_true(b:cancelled())
  end)

  it("before its children have started keeps them from starting", function()
    local started = false
    local gathered = lull.gather(function() started = true end, function() started = true end)
    gathered:cancel()
    assert_cancelled(gathered)
    turns(2)
    assert.is_false(started)
  end)

  it("cancels gathers in it", function()
    local a, b, c = sleeper(), sleeper(), sleeper()
    local gathered = lull.gather(lull.gather(a, b), lull.gather({ c }))
    turn()
    gathered:cancel()
    assert_cancelled(gathered)
    turns(4)
    for _, task in ipairs({ a, b, c }) do assert.is_true(task:cancelled()) end
  end)

  it("is cancelled even if a child swallows the cancellation", function()
    local child = async(function()
      pcall(await, lull.sleep(3600))
      return "swallowed"
    end)()
    local gathered = lull.gather(child)
    turn()
    gathered:cancel()
    assert_cancelled(gathered)
    assert.equal("swallowed", await(child))
  end)

  it("gives way to the error a child raises in its cleanup", function()
    local gathered = lull.gather(async(function()
      pcall(await, lull.sleep(3600))
      error("cleanup", 0)
    end)(), sleeper())
    turn()
    gathered:cancel()
    assert.has_error(function() await(gathered) end, "cleanup")
    turns(3)
  end)

  it("that is done does nothing", function()
    local gathered = lull.gather(after(0, 1))
    await(gathered)
    assert.is_false(gathered:cancel())
    assert.equal(1, gathered:result())
  end)

  it("with a child cancelled by somebody else raises CancelledError, with its message", function()
    local a, b = lull.create_task(sleeper()), lull.create_task(after(4, "b"))
    local gathered = lull.gather(a, b)
    turn()
    a:cancel("elsewhere")
    assert.equal("elsewhere", assert_cancelled(gathered).message)
    assert.equal("b", await(b))
  end)
end)

describe("gather with a limit", function()
  tidy.watch(before_each, after_each)

  local running, most, started

  local work = async(function(n, err)
    running, started = running + 1, started + 1
    most = math.max(most, running)
    local _ <close> = setmetatable({}, { __close = function() running = running - 1 end })
    turns(n)
    if err then error(err, 0) end
    return n
  end)

  before_each(function()
    running, most, started = 0, 0, 0
  end)

  it("never runs more than that many at once, and all of them", function()
    for _, limit in ipairs({ 1, 2, 7, 20, 21, 1000 }) do
      running, most, started = 0, 0, 0
      local list = { limit = limit }
      for i = 1, 20 do list[i] = work(i % 5 + 1) end
      local results = await(lull.gather(list))
      for i = 1, 20 do assert.equal(i % 5 + 1, results[i]) end
      assert.equal(math.min(limit, 20), most)
      assert.equal(20, started)
    end
  end)

  it("starts them in order, each as soon as there is room", function()
    local order = {}
    local list = { limit = 2 }
    for i = 1, 6 do
      list[i] = async(function()
        table.insert(order, i)
        turns(i == 1 and 50 or 1)
      end)()
    end
    await(lull.gather(list))
    assert.same({ 1, 2, 3, 4, 5, 6 }, order)
  end)

  it("starts no more after a failure, and warns of none it did not start", function()
    local list = { limit = 3 }
    for i = 1, 30 do list[i] = work(2, i == 4 and "fourth") end
    assert.has_error(function() await(lull.gather(list)) end, "fourth")
    turns(5)
    assert.is_true(started < 10)
    assert.equal(0, running)
    assert.equal("coroutine object", tostring(list[30]):match("^coroutine object"))
  end)

  it("with return_exceptions goes on after a failure", function()
    local list = { limit = 2, return_exceptions = true }
    for i = 1, 10 do list[i] = work(1, i % 2 == 0 and i) end
    assert.same({ n = 10, 1, 2, 1, 4, 1, 6, 1, 8, 1, 10 }, await(lull.gather(list)))
    assert.equal(2, most)
  end)

  it("starts no more when it is cancelled", function()
    for _, return_exceptions in ipairs({ false, true }) do
      started = 0
      local list = { limit = 2, return_exceptions = return_exceptions }
      for i = 1, 10 do list[i] = work(100) end
      local gathered = lull.gather(list)
      turns(2)
      gathered:cancel()
      assert_cancelled(gathered)
      turns(3)
      assert.equal(2, started)
      assert.equal(0, running)
    end
  end)

  it("starts no more when a child that is a future is cancelled with it", function()
    local futures = { lull.future(), lull.future() }
    local gathered = lull.gather({ futures[1], futures[2], work(1), limit = 2,
                                   return_exceptions = true })
    gathered:cancel()
    assert_cancelled(gathered)
    assert.equal(0, started)
  end)

  it("goes on at once past children that are done", function()
    local list = { limit = 1 }
    for i = 1, 1000 do
      list[i] = lull.future()
      list[i]:set_result(i)
    end
    list[1001] = work(1)
    local results = await(lull.gather(list))
    assert.equal(1000, results[1000])
    assert.equal(1, results[1001])
  end)
end)

describe("a gather's lifetime", function()
  tidy.watch(before_each, after_each)

  it("does not end before its children are done, though nobody refers to it", function()
    local future, called = lull.future(), false
    await(lull.create_task(function()
      lull.gather(future, after(2)):add_done_callback(function() called = true end)
    end))
    for _ = 1, 3 do
      collectgarbage()
      turn()
    end
    future:set_exception("late")
    turns(3)
    assert.is_true(called)
    tidy.take()
  end)

  it("ends when it is done and nobody refers to it", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function run()
      local shared = lull.create_task(after(2, 1))
      for _, gathered in ipairs({ lull.gather(after(0), shared), lull.gather({ shared, shared }),
                                  lull.gather(), lull.gather(fail_after(1, "E"), shared) }) do
        weak[gathered] = true
        pcall(await, gathered)
      end
      turns(3)
    end
    await(lull.create_task(async(run)()))
    turns(2)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("gives children that start late the context of the task that gathered", function()
    local var = lull.context_var("spec", "default")
    var:set("mine")
    local child = async(function()
      local found = var:get()
      var:set("the child's")
      await(lull.sleep(1))
      return found
    end)
    local found = await(lull.gather{child(), child(), child(), limit = 1})
    assert.same({"mine", "mine", "mine", n = 3}, found)
  end)

  it("is not cancelled any more in the turn in which its last child ends", function()
    local child = lull.future()
    local gathered = lull.gather(child)
    child:set_result("done")
    assert.is_false(gathered:cancel())
    assert.equal("done", await(gathered))
  end)

  it("cancels all who wait for it, through one another, as it completes", function()
    local child = lull.future()
    local inner = lull.create_task(function() return await(lull.gather(child)) end)
    local outer = lull.create_task(function() return await(inner) end)
    await(lull.sleep(0))
    await(lull.sleep(0))
    child:set_result("done")
    assert.is_true(outer:cancel())
    await(lull.wait({inner, outer}))
    assert.is_true(inner:cancelled())
    assert.is_true(outer:cancelled())
  end)

  it("loses no cancellation of a task that begins to wait for it as it completes", function()
    local child = lull.future()
    local gathered = lull.gather(child)
    local task = lull.create_task(function()
      lull.current_task():cancel()
      child:set_result("done")
      return await(gathered)
    end)
    await(lull.wait({task}))
    assert.is_true(task:cancelled())
    assert.equal("done", await(gathered))
  end)
end)
