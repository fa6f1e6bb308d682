local cancellation = require "spec.cancellation"
local lull = require "lull"
local script = require "spec.script"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, seconds, turns = waiting.fails, waiting.raises, waiting.seconds, waiting.turns

waiting.use_virtual_clock()

-- A task that waits, and notes its name.
local function waiter(condition, log, name)
  return lull.create_task(function()
    local _ <close> = await(condition:acquire())
    assert.is_true(await(condition:wait()))
    log[#log + 1] = name
  end)
end

local function notify(condition, n)
  local _ <close> = await(condition:acquire())
  condition:notify(n)
end

describe("a condition", function()
  tidy.watch(before_each, after_each)

  it("wakes as many as are notified, in the order they came", function()
    local condition, log = lull.condition(), {}
    local tasks = {}
    for i, name in ipairs { "a", "b", "c", "d" } do
      tasks[i] = waiter(condition, log, name)
    end
    turns(2)
    assert.equal("condition (unlocked, 4 waiters)", tostring(condition))
    notify(condition)
    turns(4)
    assert.same({ "a" }, log)
    notify(condition, 2)
    turns(4)
    assert.same({ "a", "b", "c" }, log)
    notify(condition, 2048)
    await(lull.gather(tasks))
    assert.same({ "a", "b", "c", "d" }, log)
    notify(condition)
    assert.equal("condition (unlocked, 0 waiters)", tostring(condition))
  end)

  it("wakes all with notify_all", function()
    local condition, log = lull.condition(), {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = waiter(condition, log, i)
    end
    turns(2)
    do
      local _ <close> = await(condition:acquire())
      condition:notify_all()
      assert.same({}, log)
    end
    await(lull.gather(tasks))
    assert.same({ 1, 2, 3 }, log)
  end)

  it("notifies nobody for 0 and less, and does not keep notifications", function()
    local condition, log = lull.condition(), {}
    notify(condition, 5)
    local task = waiter(condition, log, "late")
    turns(2)
    notify(condition, 0)
    notify(condition, -1)
    turns(3)
    assert.same({}, log)
    notify(condition)
    await(task)
  end)

  it("gives the lock back while it waits, and has it again afterwards", function()
    local condition = lull.condition()
    local task = lull.create_task(function()
      local _ <close> = await(condition:acquire())
      await(condition:wait())
      assert.is_true(condition:locked())
      await(lull.sleep(2))
      return "held"
    end)
    turns(2)
    assert.is_false(condition:locked())
    notify(condition)
    turns(2)
    assert.equal(2, seconds(function() await(condition:acquire()) end))
    condition:release()
    assert.equal("held", await(task))
  end)

  it("waits for the lock after it was notified", function()
    local condition, log = lull.condition(), {}
    local task = waiter(condition, log, "x")
    turns(2)
    await(condition:acquire())
    condition:notify()
    turns(4)
    assert.same({}, log)
    condition:release()
    await(task)
    assert.same({ "x" }, log)
  end)

  it("releases with a guard that was taken before the wait", function()
    local condition = lull.condition()
    local task = waiter(condition, {}, "x")
    turns(2)
    notify(condition)
    await(task)
    assert.is_false(condition:locked())
  end)

  it("uses the lock it is given", function()
    local lock = lull.lock()
    local one, other = lull.condition(lock), lull.condition(lock)
    local _ <close> = await(one:acquire())
    assert.is_true(lock:locked())
    assert.is_true(other:locked())
    other:release()
    assert.is_false(one:locked())
    await(lock:acquire())
  end)

  it("takes no other thing for a lock", function()
    for _, value in ipairs { 42, "lock (x)", {}, lull.semaphore(), lull.event(), lull.queue() } do
      fails("bad argument #1 to", lull.condition, value)
    end
  end)

  it("wants the lock held", function()
    local condition = lull.condition()
    fails("the lock is not acquired", await, condition:wait())
    fails("the lock is not acquired", await, condition:wait_for(function() return false end))
    fails("the lock is not acquired", condition.notify, condition)
    fails("the lock is not acquired", condition.notify_all, condition)
    fails("the lock is not acquired", condition.release, condition)
  end)

  it("wants a number to notify", function()
    local condition = lull.condition()
    local _ <close> = await(condition:acquire())
    fails("bad argument #1 to", condition.notify, condition, "1")
    fails("bad argument #1 to", condition.notify, condition, {})
  end)

  it("can be waited for with a timeout, and is locked then", function()
    local condition = lull.condition()
    local _ <close> = await(condition:acquire())
    assert.equal(1, seconds(raises, lull.TimeoutError, await, lull.wait_for(condition:wait(), 1)))
    assert.is_true(condition:locked())
    assert.equal("condition (locked, 0 waiters)", tostring(condition))
  end)
end)

describe("a condition whose waiter is cancelled", function()
  tidy.watch(before_each, after_each)

  it("has the lock in the cleanup, although others wanted it", function()
    local condition, log = lull.condition(), {}
    local task = lull.create_task(function()
      local _ <close> = await(condition:acquire())
      local _ <close> = setmetatable({}, {
        __close = function()
          assert.is_true(condition:locked())
          log[#log + 1] = "cleanup"
        end,
      })
      await(condition:wait())
    end)
    turns(2)
    local _ <close> = await(condition:acquire())
    task:cancel()
    turns(5)
    assert.same({}, log)
    condition:release()
    raises(lull.CancelledError, await, task)
    assert.same({ "cleanup" }, log)
    assert.is_false(condition:locked())
  end)

  it("passes a notification on when the cancellation comes as it waits for the lock", function()
    local condition, log = lull.condition(), {}
    local first, second = waiter(condition, log, "first"), waiter(condition, log, "second")
    turns(2)
    await(condition:acquire())
    condition:notify()
    turns(3)
    first:cancel()
    turns(3)
    first:cancel()
    condition:release()
    raises(lull.CancelledError, await, first)
    await(lull.wait_for(second, 1))
    assert.same({ "second" }, log)
    assert.is_false(condition:locked())
  end)

  it("does not notify another when it was not notified itself", function()
    local condition, log = lull.condition(), {}
    local first, second = waiter(condition, log, "first"), waiter(condition, log, "second")
    turns(2)
    first:cancel()
    raises(lull.CancelledError, await, first)
    turns(3)
    assert.same({}, log)
    notify(condition)
    await(second)
  end)

  it("raises the cancellation's message", function()
    local condition = lull.condition()
    local task = waiter(condition, {}, "x")
    turns(2)
    task:cancel("why")
    assert.equal("why", raises(lull.CancelledError, await, task).message)
  end)

  it("is not warned of in debug mode: it is lull that catches the error", function()
    local output = script.run([[
      local lull = require "lull"
      local await = lull.await
      local condition = lull.condition()
      local task = lull.create_task(function()
        local _ <close> = await(condition:acquire())
        await(condition:wait())
      end)
      await(lull.sleep(0))
      task:cancel()
      print(pcall(await, task))
    ]], "--debug")
    assert.equal("false\tCancelledError: the task was cancelled\n", output)
  end)

  for name, test in cancellation.moments {
    setup = function() return { condition = lull.condition() } end,
    operation = function(state)
      local _ <close> = await(state.condition:acquire())
      await(state.condition:wait())
    end,
    complete = function(state)
      -- The lock is free: this does not switch tasks.
      if state.condition:locked() then state.condition:release() end
      notify(state.condition)
    end,
    check = function(state)
      assert.equal("condition (unlocked, 0 waiters)", tostring(state.condition))
    end,
  } do
    it("wait " .. name, test)
  end

  for name, test in cancellation.moments {
    setup = function()
      local condition = lull.condition()
      await(condition:acquire())
      return { condition = condition }
    end,
    operation = function(state)
      local _ <close> = await(state.condition:acquire())
    end,
    complete = function(state) state.condition:release() end,
    check = function(state) assert.is_false(state.condition:locked()) end,
  } do
    it("acquire " .. name, test)
  end

  for name, test in cancellation.moments {
    setup = function() return { condition = lull.condition(), items = 0 } end,
    operation = function(state)
      local _ <close> = await(state.condition:acquire())
      await(state.condition:wait_for(function() return state.items > 0 end))
      state.items = state.items - 1
    end,
    complete = function(state)
      state.items = state.items + 1
      notify(state.condition)
    end,
    check = function(state)
      assert.equal(0, state.items)
      assert.is_false(state.condition:locked())
    end,
  } do
    it("wait_for " .. name, test)
  end
end)

describe("wait_for of a condition", function()
  tidy.watch(before_each, after_each)

  it("waits until its predicate holds, and gives its value", function()
    local condition, value, calls = lull.condition(), nil, 0
    local task = lull.create_task(function()
      local _ <close> = await(condition:acquire())
      return await(condition:wait_for(function()
        assert.is_true(condition:locked())
        calls = calls + 1
        return value
      end))
    end)
    turns(2)
    assert.equal(1, calls)
    notify(condition)
    turns(3)
    assert.equal(2, calls)
    assert.is_false(task:done())
    value = "now"
    notify(condition)
    assert.equal("now", await(task))
  end)

  it("does not wait when the predicate holds", function()
    local condition, ran = lull.condition(), false
    local other = lull.create_task(function() ran = true end)
    local _ <close> = await(condition:acquire())
    assert.equal(42, await(condition:wait_for(function() return 42 end)))
    assert.is_false(ran)
    await(other)
  end)

  it("passes the predicate's error on, with the lock held", function()
    local condition = lull.condition()
    local _ <close> = await(condition:acquire())
    local ok, err = pcall(await, condition:wait_for(function() error("predicate", 0) end))
    assert.is_false(ok)
    assert.equal("predicate", err)
    assert.is_true(condition:locked())
  end)

  it("takes a function", function()
    local condition = lull.condition()
    fails("bad argument #1 to", condition.wait_for, condition)
    fails("bad argument #1 to", condition.wait_for, condition, true)
  end)

  it("makes a bounded buffer between many tasks", function()
    local condition, buffer, got = lull.condition(), {}, {}
    local produce = async(function(from)
      for i = from, from + 9 do
        local _ <close> = await(condition:acquire())
        await(condition:wait_for(function() return #buffer < 2 end))
        buffer[#buffer + 1] = i
        condition:notify_all()
      end
    end)
    local consume = async(function()
      for _ = 1, 10 do
        local _ <close> = await(condition:acquire())
        await(condition:wait_for(function() return #buffer > 0 end))
        got[#got + 1] = table.remove(buffer, 1)
        condition:notify_all()
      end
    end)
    await(lull.gather(consume(), consume(), produce(1), produce(11)))
    table.sort(got)
    assert.equal(20, #got)
    for i = 1, 20 do
      assert.equal(i, got[i])
    end
  end)
end)
