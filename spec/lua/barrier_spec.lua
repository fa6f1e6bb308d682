local cancellation = require "spec.cancellation"
local lull = require "lull"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, turns = waiting.fails, waiting.raises, waiting.turns

waiting.use_virtual_clock()

local function make_tasks(n, f)
  local tasks = {}
  for i = 1, n do
    tasks[i] = lull.create_task(async(f)(i))
  end
  return tasks
end

local function is_idle(barrier)
  assert.equal(0, barrier:n_waiting())
  assert.is_false(barrier:broken())
  assert.equal(("barrier (filling, 0 of %d)"):format(barrier:parties()), tostring(barrier))
end

-- One whole round must work, with a place for each.
local function works(barrier)
  local places = await(lull.gather(make_tasks(barrier:parties(), function()
    return await(barrier:wait())
  end)))
  table.sort(places)
  for i = 1, barrier:parties() do
    assert.equal(i, places[i])
  end
  is_idle(barrier)
end

describe("a barrier", function()
  tidy.watch(before_each, after_each)

  it("takes a whole number of parties from 1 on", function()
    for _, n in ipairs { 0, -4, 1.0, 1.5, "2", {} } do
      fails("bad argument #1 to", lull.barrier, n)
    end
    fails("bad argument #1 to", lull.barrier)
    assert.equal(5, lull.barrier(5):parties())
  end)

  it("lets nobody go before all have come", function()
    local barrier, gone = lull.barrier(3), {}
    local tasks = make_tasks(2, function(i)
      await(barrier:wait())
      gone[#gone + 1] = i
    end)
    turns(3)
    assert.same({}, gone)
    assert.equal(2, barrier:n_waiting())
    assert.equal("barrier (filling, 2 of 3)", tostring(barrier))
    assert.equal(3, await(barrier:wait()))
    await(lull.gather(tasks))
    assert.same({ 1, 2 }, gone)
    is_idle(barrier)
  end)

  it("gives each a place, in the order they came", function()
    local barrier = lull.barrier(4)
    assert.same({ 1, 2, 3, 4 }, table.move(await(lull.gather(make_tasks(4, function()
      return await(barrier:wait())
    end))), 1, 4, 1, {}))
  end)

  it("of one party lets it go at once, every time", function()
    local barrier, ran = lull.barrier(1), false
    local other = lull.create_task(function() ran = true end)
    assert.equal(1, await(barrier:wait()))
    assert.equal(1, await(barrier:wait()))
    assert.is_false(ran)
    is_idle(barrier)
    await(other)
  end)

  it("works for many rounds in which the same tasks meet", function()
    local barrier, log = lull.barrier(5), {}
    await(lull.gather(make_tasks(5, function()
      for round = 1, 10 do
        await(barrier:wait())
        log[#log + 1] = round
      end
    end)))
    for i = 1, 50 do
      assert.equal((i - 1) // 5 + 1, log[i])
    end
    is_idle(barrier)
  end)

  it("works for many more tasks than it has parties", function()
    local barrier = lull.barrier(3)
    local places = await(lull.gather(make_tasks(30, function() return await(barrier:wait()) end)))
    local count = { 0, 0, 0 }
    for i = 1, 30 do
      count[places[i]] = count[places[i]] + 1
    end
    assert.same({ 10, 10, 10 }, count)
    is_idle(barrier)
  end)

  it("lets nobody into the next round before this one's tasks have gone", function()
    local barrier, log = lull.barrier(2), {}
    local first = lull.create_task(function()
      await(barrier:wait())
      log[#log + 1] = "first has gone"
    end)
    turns(1)
    await(barrier:wait())
    assert.equal("barrier (draining, 0 of 2)", tostring(barrier))
    local again = lull.create_task(function()
      await(barrier:wait())
      log[#log + 1] = "again"
    end)
    await(first)
    turns(3)
    assert.same({ "first has gone" }, log)
    assert.equal(1, barrier:n_waiting())
    await(barrier:wait())
    await(again)
    is_idle(barrier)
  end)
end)

describe("a barrier whose waiter is cancelled", function()
  tidy.watch(before_each, after_each)

  it("waits for another one, with a place for each", function()
    local barrier, places = lull.barrier(3), {}
    local function f() table.insert(places, (await(barrier:wait()))) end
    local tasks = make_tasks(2, f)
    turns(1)
    tasks[1]:cancel()
    raises(lull.CancelledError, await, tasks[1])
    assert.equal(1, barrier:n_waiting())
    assert.equal(1, #barrier.waiting)
    local more = make_tasks(2, f)
    await(lull.gather(tasks[2], more[1], more[2]))
    table.sort(places)
    assert.same({ 1, 2, 3 }, places)
    is_idle(barrier)
  end)

  it("does not count one that was cancelled in the turn in which the last comes", function()
    local barrier, gone = lull.barrier(2), 0
    local function f()
      await(barrier:wait())
      gone = gone + 1
    end
    local victim = make_tasks(1, f)[1]
    turns(1)
    victim:cancel()
    local other = lull.create_task(async(f)(), { eager = true })
    turns(3)
    assert.is_true(victim:cancelled())
    assert.equal(0, gone)
    assert.equal(1, barrier:n_waiting())
    f()
    await(other)
    assert.equal(2, gone)
    is_idle(barrier)
  end)

  it("lets the others go when it was cancelled in the turn in which all had come", function()
    local barrier, gone = lull.barrier(3), 0
    local function f()
      await(barrier:wait())
      gone = gone + 1
    end
    local tasks = make_tasks(2, f)
    turns(1)
    f()
    tasks[1]:cancel()
    raises(lull.CancelledError, await, tasks[1])
    await(tasks[2])
    assert.equal(2, gone)
    works(barrier)
  end)

  it("works on when one is cancelled that waits for the next round", function()
    local barrier = lull.barrier(2)
    local first = lull.create_task(barrier:wait())
    turns(1)
    await(barrier:wait())
    local late = lull.create_task(barrier:wait(), { eager = true })
    local later = lull.create_task(barrier:wait(), { eager = true })
    late:cancel()
    await(first)
    raises(lull.CancelledError, await, late)
    turns(2)
    assert.equal(1, barrier:n_waiting())
    await(barrier:wait())
    await(later)
    works(barrier)
  end)

  for name, test in cancellation.moments {
    alone = true,
    setup = function() return { barrier = lull.barrier(3), others = {} } end,
    operation = function(state) await(state.barrier:wait()) end,
    complete = function(state)
      for i = 1, 2 do
        state.others[i] = lull.create_task(state.barrier:wait(), { eager = true })
      end
    end,
    check = function(state)
      turns(3)
      if state.barrier:n_waiting() > 0 then -- they need one in the victim's place
        assert.equal(2, state.barrier:n_waiting())
        await(lull.wait_for(state.barrier:wait(), 1))
      end
      await(lull.gather(state.others))
      works(state.barrier)
    end,
  } do
    it(name, test)
  end
end)

describe("reset of a barrier", function()
  tidy.watch(before_each, after_each)

  it("changes nothing when nobody waits", function()
    local barrier = lull.barrier(2)
    barrier:reset()
    is_idle(barrier)
    works(barrier)
  end)

  it("sends those who wait away with BrokenBarrierError, and the barrier is as new", function()
    local barrier, broken = lull.barrier(5), 0
    local tasks = make_tasks(4, function()
      raises(lull.BrokenBarrierError, await, barrier:wait())
      broken = broken + 1
    end)
    turns(1)
    barrier:reset()
    assert.equal("barrier (resetting, 0 of 5)", tostring(barrier))
    await(lull.gather(tasks))
    assert.equal(4, broken)
    works(barrier)
  end)

  it("lets those who were sent away come again", function()
    local barrier, met = lull.barrier(5), 0
    local tasks = make_tasks(4, function()
      raises(lull.BrokenBarrierError, await, barrier:wait())
      await(barrier:wait())
      met = met + 1
    end)
    turns(1)
    barrier:reset()
    turns(3)
    assert.equal(4, barrier:n_waiting())
    await(barrier:wait())
    await(lull.gather(tasks))
    assert.equal(4, met)
    is_idle(barrier)
  end)

  it("sends those away who were let go and have not run yet", function()
    local barrier, results = lull.barrier(5), {}
    local tasks = make_tasks(5, function(i)
      results[i] = pcall(await, barrier:wait()) and "met" or "sent away"
      if i == 5 then barrier:reset() end
    end)
    await(lull.gather(tasks))
    assert.same({ "sent away", "sent away", "sent away", "sent away", "met" }, results)
    works(barrier)
  end)

  it("may be awaited", function()
    local barrier = lull.barrier(2)
    await(barrier:reset())
    await(barrier:abort())
    assert.is_true(barrier:broken())
  end)
end)

describe("abort of a barrier", function()
  tidy.watch(before_each, after_each)

  it("breaks it for those who wait and those who come", function()
    local barrier = lull.barrier(3)
    local tasks = make_tasks(2, function()
      raises(lull.BrokenBarrierError, await, barrier:wait())
    end)
    turns(1)
    barrier:abort()
    assert.is_true(barrier:broken())
    assert.equal(0, barrier:n_waiting())
    await(lull.gather(tasks))
    raises(lull.BrokenBarrierError, await, barrier:wait())
    assert.equal("barrier (broken, 0 of 3)", tostring(barrier))
  end)

  it("breaks it for those too who wait for the next round", function()
    local barrier, broken = lull.barrier(2), 0
    local first = lull.create_task(barrier:wait())
    turns(1)
    await(barrier:wait())
    local late = make_tasks(2, function()
      raises(lull.BrokenBarrierError, await, barrier:wait())
      broken = broken + 1
    end)
    raises(lull.BrokenBarrierError, function()
      lull.loop():call_soon(function() barrier:abort() end)
      barrier:abort()
      await(first)
    end)
    await(lull.gather(late))
    assert.equal(2, broken)
  end)

  it("is undone by reset", function()
    local barrier, met = lull.barrier(5), 0
    local gate = lull.barrier(5)
    await(lull.gather(make_tasks(5, function()
      lull.try(function()
        if await(barrier:wait()) == 3 then barrier:abort() end
        await(barrier:wait())
      end)
      if await(gate:wait()) == 3 then barrier:reset() end
      await(gate:wait())
      await(barrier:wait())
      met = met + 1
    end)))
    assert.equal(5, met)
    is_idle(barrier)
  end)
end)
