local cancellation = require "spec.cancellation"
local lull = require "lull"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, turns = waiting.fails, waiting.raises, waiting.turns

waiting.use_virtual_clock()

-- A task that acquires, notes its name, holds on for some seconds and releases.
local hold = async(function(lock, log, name, seconds)
  local _ <close> = await(lock:acquire())
  log[#log + 1] = name
  await(lull.sleep(seconds or 0))
end)

-- Setting up, completing and checking are alike for all that is acquired.
local function moments_of_acquire(make)
  return cancellation.moments {
    setup = function()
      local lock = make()
      await(lock:acquire())
      return { lock = lock }
    end,
    operation = function(state)
      local _ <close> = await(state.lock:acquire())
    end,
    complete = function(state) state.lock:release() end,
    check = function(state)
      assert.is_false(state.lock:locked())
      await(state.lock:acquire())
      assert.is_true(state.lock:locked())
    end,
  }
end

describe("a lock", function()
  tidy.watch(before_each, after_each)

  it("is locked between acquire and release", function()
    local lock = lull.lock()
    assert.is_false(lock:locked())
    assert.equal("lock (unlocked)", tostring(lock))
    await(lock:acquire())
    assert.is_true(lock:locked())
    assert.equal("lock (locked)", tostring(lock))
    lock:release()
    assert.is_false(lock:locked())
  end)

  it("is acquired without a switch of tasks when it is free", function()
    local lock, ran = lull.lock(), false
    local other = lull.create_task(function() ran = true end)
    await(lock:acquire())
    assert.is_false(ran)
    await(other)
  end)

  it("goes to those who wait in the order they came", function()
    local lock, log = lull.lock(), {}
    await(lull.gather(hold(lock, log, "a", 3), hold(lock, log, "b", 2), hold(lock, log, "c", 1)))
    assert.same({ "a", "b", "c" }, log)
    assert.is_false(lock:locked())
  end)

  it("cannot be overtaken between its release and the waiter's step", function()
    local lock, log = lull.lock(), {}
    await(lock:acquire())
    local waiter = lull.create_task(hold(lock, log, "waiter"))
    turns(1)
    lock:release()
    assert.is_true(lock:locked())
    do
      local _ <close> = await(lock:acquire())
      log[#log + 1] = "main"
    end
    assert.same({ "waiter", "main" }, log)
    await(waiter)
  end)

  it("cannot be released when nobody holds it", function()
    local lock = lull.lock()
    fails("the lock is not acquired", lock.release, lock)
    assert.is_false(lock:locked())
  end)

  it("goes to one of three waiters only when the first is cancelled as it is released", function()
    local lock, log = lull.lock(), {}
    await(lock:acquire())
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lull.create_task(function()
        await(lock:acquire())
        log[#log + 1] = i
      end)
    end
    turns(1)
    lull.loop():call_soon(function()
      tasks[1]:cancel()
      lock:release()
    end)
    raises(lull.CancelledError, await, tasks[1])
    turns(2)
    assert.same({ 2 }, log)
    assert.is_true(lock:locked())
    tasks[3]:cancel()
    raises(lull.CancelledError, await, tasks[3])
  end)

  it("is given on when several waiters are cancelled with it in hand", function()
    local lock, log = lull.lock(), {}
    await(lock:acquire())
    local a = lull.create_task(hold(lock, log, "a"))
    local b = lull.create_task(hold(lock, log, "b"))
    local c = lull.create_task(hold(lock, log, "c"))
    turns(1)
    lock:release()
    a:cancel()
    b:cancel()
    await(c)
    assert.same({ "c" }, log)
    assert.is_true(a:cancelled() and b:cancelled())
    assert.is_false(lock:locked())
  end)

  it("is not acquired by a task whose timeout expires in the turn of its release", function()
    local lock, log = lull.lock(), {}
    await(lock:acquire())
    local late = lull.create_task(lull.wait_for(hold(lock, log, "late"), 5))
    local heir = lull.create_task(hold(lock, log, "heir"))
    turns(1)
    lull.loop():call_later(5, function() lock:release() end)
    raises(lull.TimeoutError, await, late)
    await(heir)
    assert.same({ "heir" }, log)
    assert.is_false(lock:locked())
  end)

  it("lists the wait in a task's traceback", function()
    local lock = lull.lock()
    await(lock:acquire())
    local task = lull.create_task(hold(lock, {}, "x"))
    turns(1)
    assert.is_truthy(task:traceback():find("sync_spec.lua", 1, true))
    lock:release()
    await(task)
  end)

  for name, test in moments_of_acquire(lull.lock) do
    it(name, test)
  end
end)

describe("a guard", function()
  tidy.watch(before_each, after_each)

  it("releases at the end of its block", function()
    local lock = lull.lock()
    do
      local _ <close> = await(lock:acquire())
      assert.is_true(lock:locked())
    end
    assert.is_false(lock:locked())
  end)

  it("releases when its block fails", function()
    local semaphore = lull.semaphore(1)
    local ok, err = pcall(function()
      local _ <close> = await(semaphore:acquire())
      error("boom", 0)
    end)
    assert.is_false(ok)
    assert.equal("boom", err)
    assert.is_false(semaphore:locked())
  end)

  it("releases once, by name or at the end of its block", function()
    local semaphore = lull.semaphore(1)
    local guard = await(semaphore:acquire())
    do
      local _ <close> = guard
      guard:release()
      guard:release()
      assert.equal("semaphore (1 left)", tostring(semaphore))
    end
    assert.equal("semaphore (1 left)", tostring(semaphore))
  end)

  it("leaves a lock alone that was released by name", function()
    local lock = lull.lock()
    do
      local _ <close> = await(lock:acquire())
      lock:release()
    end
    assert.is_false(lock:locked())
  end)

  it("leaves a lock alone that somebody else has acquired by now", function()
    local lock = lull.lock()
    local guard = await(lock:acquire())
    lock:release()
    local other = await(lock:acquire())
    guard:release()
    assert.is_true(lock:locked())
    other:release()
    assert.is_false(lock:locked())
  end)

  it("tells when a bounded semaphore was released by name already", function()
    local semaphore = lull.bounded_semaphore(1)
    fails("released too many times", function()
      local _ <close> = await(semaphore:acquire())
      semaphore:release()
    end)
    assert.equal("semaphore (1 left)", tostring(semaphore))
  end)
end)

describe("a semaphore", function()
  tidy.watch(before_each, after_each)

  it("has one permit unless told otherwise", function()
    assert.equal("semaphore (1 left)", tostring(lull.semaphore()))
    assert.equal("semaphore (3 left)", tostring(lull.semaphore(3)))
    assert.is_true(lull.semaphore(0):locked())
  end)

  it("takes a whole number of permits from 0 on", function()
    for _, value in ipairs { -1, 1.5, "x", {}, math.mininteger } do
      fails("bad argument #1 to 'lull.semaphore'", lull.semaphore, value)
    end
  end)

  it("lets as many tasks in at once as it has permits", function()
    local semaphore, inside, most = lull.semaphore(3), 0, 0
    local worker = async(function()
      local _ <close> = await(semaphore:acquire())
      inside = inside + 1
      most = math.max(most, inside)
      await(lull.sleep(1))
      inside = inside - 1
    end)
    local workers = {}
    for i = 1, 10 do
      workers[i] = worker()
    end
    assert.equal(4, waiting.seconds(await, lull.gather(workers)))
    assert.equal(3, most)
    assert.equal("semaphore (3 left)", tostring(semaphore))
  end)

  it("is locked when no permit is left", function()
    local semaphore = lull.semaphore(2)
    await(semaphore:acquire())
    assert.is_false(semaphore:locked())
    await(semaphore:acquire())
    assert.is_true(semaphore:locked())
    semaphore:release()
    assert.is_false(semaphore:locked())
  end)

  it("can be given more permits than it began with", function()
    local semaphore = lull.semaphore(0)
    semaphore:release()
    semaphore:release()
    assert.equal("semaphore (2 left)", tostring(semaphore))
  end)

  it("serves waiters in order, also those that come back", function()
    local semaphore, log = lull.semaphore(1), {}
    local twice = async(function(name)
      for i = 1, 2 do
        await(hold(semaphore, log, name .. i, 0.01))
      end
    end)
    await(lull.gather(twice("a"), twice("b"), twice("c")))
    assert.same({ "a1", "b1", "c1", "a2", "b2", "c2" }, log)
  end)

  it("skips waiters that were cancelled, in the turn of a release too", function()
    local semaphore, log = lull.semaphore(0), {}
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = lull.create_task(hold(semaphore, log, i, 100))
    end
    turns(1)
    tasks[1]:cancel()
    tasks[2]:cancel()
    semaphore:release()
    turns(2)
    assert.same({ 3 }, log)
    assert.is_true(semaphore:locked())
    tasks[3]:cancel()
    await(tasks[4])
    assert.same({ 3, 4 }, log)
    assert.equal("semaphore (1 left)", tostring(semaphore))
  end)

  it("can be acquired again when the task it woke is cancelled before it runs", function()
    local semaphore, second = lull.semaphore(1), nil
    local first = lull.create_task(function()
      await(hold(semaphore, {}, "first"))
      second:cancel()
    end)
    second = lull.create_task(hold(semaphore, {}, "second"))
    await(first)
    raises(lull.CancelledError, await, second)
    local _ <close> = await(lull.wait_for(semaphore:acquire(), 1))
  end)

  it("counts no further than integers do", function()
    local semaphore = lull.semaphore(math.maxinteger)
    fails("released too many times", semaphore.release, semaphore)
    assert.is_false(semaphore:locked())
  end)

  for name, test in moments_of_acquire(lull.semaphore) do
    it(name, test)
  end
end)

describe("a bounded semaphore", function()
  tidy.watch(before_each, after_each)

  it("cannot be released more often than it was acquired", function()
    local semaphore = lull.bounded_semaphore(2)
    fails("the semaphore was released too many times", semaphore.release, semaphore)
    await(semaphore:acquire())
    semaphore:release()
    fails("the semaphore was released too many times", semaphore.release, semaphore)
    assert.equal("semaphore (2 left)", tostring(semaphore))
  end)

  it("takes a whole number of permits", function()
    for _, value in ipairs { -1, 0.5, "x" } do
      fails("bad argument #1 to 'lull.bounded_semaphore'", lull.bounded_semaphore, value)
    end
  end)

  for name, test in moments_of_acquire(lull.bounded_semaphore) do
    it(name, test)
  end
end)

describe("an event", function()
  tidy.watch(before_each, after_each)

  it("wakes all that wait when it is set, in the order they came", function()
    local event, log = lull.event(), {}
    local waiter = async(function(name)
      local result = await(event:wait())
      log[#log + 1] = { name, result }
    end)
    local all = lull.gather(waiter("a"), waiter("b"), waiter("c"))
    turns(1)
    assert.same({}, log)
    event:set()
    await(all)
    assert.same({ { "a", true }, { "b", true }, { "c", true } }, log)
  end)

  it("does not switch tasks when it is set already", function()
    local event, ran = lull.event(), false
    event:set()
    local other = lull.create_task(function() ran = true end)
    assert.is_true(await(event:wait()))
    assert.is_false(ran)
    await(other)
  end)

  it("tells whether it is set", function()
    local event = lull.event()
    assert.is_false(event:is_set())
    assert.equal("event (not set)", tostring(event))
    event:set()
    event:set()
    assert.is_true(event:is_set())
    assert.equal("event (set)", tostring(event))
    event:clear()
    assert.is_false(event:is_set())
  end)

  it("wakes those who wait although it is cleared in the same turn", function()
    local event = lull.event()
    local waiter = lull.create_task(event:wait())
    turns(1)
    event:set()
    event:clear()
    assert.is_true(await(waiter))
    raises(lull.TimeoutError, await, lull.wait_for(event:wait(), 1))
  end)

  for name, test in cancellation.moments {
    setup = function() return { event = lull.event() } end,
    operation = function(state) assert.is_true(await(state.event:wait())) end,
    complete = function(state) state.event:set() end,
    check = function(state) assert.is_true(await(state.event:wait())) end,
  } do
    it(name, test)
  end
end)

describe("methods of locks, semaphores and events", function()
  it("take their own kind only", function()
    local lock, event = lull.lock(), lull.event()
    for _, call in ipairs {
      { lock.acquire, event }, { lock.release, nil }, { lock.locked, {} }, { event.set, lock },
      { event.wait, 1 }, { event.clear, "x" }, { event.is_set, lull.queue() },
    } do
      assert.is_false((pcall(call[1], call[2])))
    end
    assert.is_false(lock:locked())
  end)
end)
