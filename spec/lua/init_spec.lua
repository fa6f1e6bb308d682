-- The facade: what the module has, and lull.try.
local lull = require("lull")
local tidy = require("spec.tidy")

local await = lull.await

describe("the module", function()
  it("has every function of the core", function()
    for _, name in ipairs({
      "async", "await", "run", "create_task", "gather", "wait_for", "wait", "as_completed",
      "shield", "timeout", "timeout_at", "move_on_after", "task_group", "sleep", "blocking_sleep",
      "future", "current_task", "all_tasks", "loop", "generator", "try", "is_error", "now",
      "lock", "event", "semaphore", "bounded_semaphore", "queue", "lifo_queue",
      "priority_queue", "condition", "barrier", "context_var",
    }) do
      assert.equal("function", type(lull[name]), name)
    end
  end)

  it("has every error class", function()
    for _, name in ipairs({
      "Error", "CancelledError", "TimeoutError", "InvalidStateError", "QueueEmpty", "QueueFull",
      "QueueShutDown", "BrokenBarrierError", "ExceptionGroup", "OSError", "ConnectionError",
      "DNSError",
    }) do
      assert.equal(name, lull[name].name)
    end
  end)

  it("keeps the core to itself", function()
    for _, name in ipairs({ "settle", "drive", "close_coroutine", "ensure_future" }) do
      assert.is_nil(lull[name])
    end
    assert.is_nil(package.loaded["lull.core"])
  end)

  it("hides the metatables of its objects", function()
    local c = lull.sleep(0)
    for _, object in ipairs({ c, lull.future(), lull.queue(), lull.lock(), lull.event() }) do
      assert.equal("lull", getmetatable(object))
      assert.is_false(pcall(setmetatable, object, {}))
    end
    await(c)
  end)
end)

describe("async", function()
  tidy.watch(before_each, after_each)

  it("makes a function that gives a coroutine object naming its place", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local f = lull.async(function() end)
    assert.equal("function", type(f))
    local c = f()
    assert.matches("^coroutine object %(.*init_spec.lua:" .. line .. "%)$", tostring(c))
    await(c)
  end)

  it("gives a coroutine object of its own at each call", function()
    local f = lull.async(function(...) return ... end)
    local a, b = f(1), f(2)
    assert.not_equal(a, b)
    assert.equal(2, await(b))
    assert.equal(1, await(a))
  end)

  it("takes functions only", function()
    for _, value in ipairs({ 42, "x", {}, true }) do
      assert.has_error.matches(function() lull.async(value) end, "function expected")
    end
    assert.has_error.matches(function() lull.async() end, "function expected")
  end)

  it("takes C functions", function()
    assert.same({ "a", "b" }, { await(lull.async(math.max and select)(2, "x", "a", "b")) })
  end)
end)

describe("try", function()
  tidy.watch(before_each, after_each)

  it("is a pcall: results and errors, any value", function()
    assert.same({ n = 4, true, 1, nil, 3 },
      table.pack(lull.try(function(...) return ... end, 1, nil, 3)))
    assert.same({ n = 1, true }, table.pack(lull.try(function() end)))
    for _, err in ipairs({ "text", {}, 42, lull.TimeoutError("x") }) do
      local ok, caught = lull.try(error, err, 0)
      assert.is_false(ok)
      assert.equal(err, caught)
    end
    assert.same({ n = 2, false, nil }, table.pack(lull.try(error)))
  end)

  it("lets what it calls await", function()
    assert.same({ true, "x" }, { lull.try(await, lull.sleep(0, "x")) })
  end)

  it("lets CancelledError through", function()
    local after = false
    local task = lull.create_task(function()
      lull.try(await, lull.sleep(3600))
      after = true
    end)
    await(lull.sleep(0))
    task:cancel()
    assert.is_false(pcall(await, task))
    assert.is_true(task:cancelled())
    assert.is_false(after)
  end)

  it("lets a CancelledError of a child through as well, the very object", function()
    local err = lull.CancelledError("own")
    local ok, caught = pcall(lull.try, error, err)
    assert.is_false(ok)
    assert.equal(err, caught)
  end)

  it("needs something to call", function()
    local ok, err = lull.try(42)
    assert.is_false(ok)
    assert.matches("attempt to call a number value", err)
  end)
end)
