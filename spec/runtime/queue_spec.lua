local cancellation = require "spec.cancellation"
local lull = require "lull"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, turns = waiting.fails, waiting.raises, waiting.turns

waiting.use_virtual_clock()

local kinds = {
  { name = "a queue", new = lull.queue },
  { name = "a LIFO queue", new = lull.lifo_queue },
  { name = "a priority queue", new = lull.priority_queue },
}

local function put_all(queue, ...)
  for _, value in ipairs { ... } do
    queue:put_nowait(value)
  end
  return queue
end

local function get_all(queue)
  local items = {}
  while not queue:empty() do
    items[#items + 1] = queue:get_nowait()
  end
  return items
end

-- A task that gets, and notes what.
local function getter(queue, log, name)
  return lull.create_task(function()
    local item = await(queue:get())
    log[#log + 1] = name .. "=" .. tostring(item)
  end)
end

local function putter(queue, log, item)
  return lull.create_task(function()
    await(queue:put(item))
    log[#log + 1] = item
  end)
end

local function moments_of_get(new, get)
  return cancellation.moments {
    setup = function() return { queue = new(), items = {} } end,
    operation = function(state)
      local item = get(state.queue)
      table.insert(state.items, item)
    end,
    complete = function(state) state.queue:put_nowait(7) end,
    check = function(state)
      assert.same({ 7 }, state.items)
      assert.is_true(state.queue:empty())
    end,
  }
end

local function moments_of_put(new)
  return cancellation.moments {
    setup = function() return { queue = put_all(new(2), 1, 2) } end,
    operation = function(state) await(state.queue:put(3)) end,
    complete = function(state) state.queue:get_nowait() end,
    check = function(state)
      local items = get_all(state.queue)
      assert.equal(2, #items)
      table.sort(items)
      assert.equal(3, items[2])
    end,
  }
end

local function moments_of_join(new)
  return cancellation.moments {
    setup = function() return { queue = put_all(new(), 1) } end,
    operation = function(state) await(state.queue:join()) end,
    complete = function(state) state.queue:task_done() end,
    check = function(state)
      await(state.queue:join())
      assert.equal(1, state.queue:qsize())
    end,
  }
end

for _, kind in ipairs(kinds) do
  local new = kind.new

  describe(kind.name, function()
    tidy.watch(before_each, after_each)

    it("tells its size", function()
      local queue = new(2)
      assert.equal(2, queue:maxsize())
      assert.equal(0, queue:qsize())
      assert.is_true(queue:empty())
      assert.is_false(queue:full())
      await(queue:put(1))
      assert.is_false(queue:empty() or queue:full())
      queue:put_nowait(2)
      assert.is_true(queue:full())
      assert.equal(2, queue:qsize())
      assert.equal("queue (2 items)", tostring(queue))
      assert.equal(0, new():maxsize())
      assert.equal(0, new(nil):maxsize())
    end)

    it("takes a whole number as its size, 0 for no bound", function()
      for _, size in ipairs { -1, 1.5, "many", {}, math.mininteger } do
        fails("bad argument #1 to", new, size)
      end
      local queue = new(0)
      for i = 1, 1000 do
        queue:put_nowait(i)
      end
      assert.is_false(queue:full())
      assert.equal(1000, queue:qsize())
    end)

    it("refuses nil at the call, but not false", function()
      local queue = new()
      fails("nil cannot be put in a queue", queue.put, queue, nil)
      fails("nil cannot be put in a queue", queue.put_nowait, queue)
      queue:put_nowait(false)
      assert.is_false(await(queue:get()))
    end)

    it("raises QueueEmpty and QueueFull instead of waiting", function()
      local queue = new(1)
      raises(lull.QueueEmpty, queue.get_nowait, queue)
      queue:put_nowait(1)
      raises(lull.QueueFull, queue.put_nowait, queue, 2)
      assert.equal(1, queue:get_nowait())
      raises(lull.QueueEmpty, queue.get_nowait, queue)
    end)

    it("does not switch tasks when there is an item, or room", function()
      local queue, ran = new(1), false
      local other = lull.create_task(function() ran = true end)
      await(queue:put(1))
      assert.equal(1, await(queue:get()))
      assert.is_false(ran)
      await(other)
    end)

    it("lets get wait for an item", function()
      local queue = new()
      lull.loop():call_later(3, function() queue:put_nowait("x") end)
      local item
      assert.equal(3, waiting.seconds(function() item = await(queue:get()) end))
      assert.equal("x", item)
    end)

    it("lets put wait for room", function()
      local queue = put_all(new(1), 1)
      lull.loop():call_later(3, function() queue:get_nowait() end)
      assert.equal(3, waiting.seconds(function() await(queue:put(2)) end))
      assert.same({ 2 }, get_all(queue))
    end)

    it("serves those who wait for items in the order they came", function()
      local queue, log = new(), {}
      local tasks = { getter(queue, log, "a"), getter(queue, log, "b"), getter(queue, log, "c") }
      turns(1)
      for i = 1, 3 do
        queue:put_nowait(i)
        turns(1)
      end
      assert.same({ "a=1", "b=2", "c=3" }, log)
      await(lull.gather(tasks))
    end)

    it("serves those who wait for room in the order they came", function()
      local queue, log = put_all(new(1), 0), {}
      local tasks = { putter(queue, log, 1), putter(queue, log, 2), putter(queue, log, 3) }
      turns(1)
      for i = 0, 3 do
        assert.equal(i, queue:get_nowait())
        turns(1)
      end
      assert.same({ 1, 2, 3 }, log)
      await(lull.gather(tasks))
    end)

    it("keeps the order of getters that were woken in vain", function()
      local queue, log = new(), {}
      local tasks = {}
      for _, name in ipairs { "a", "b", "c" } do
        tasks[#tasks + 1] = getter(queue, log, name)
      end
      turns(1)
      put_all(queue, 1, 1)
      assert.same({ 1, 1 }, get_all(queue))
      turns(1)
      assert.same({}, log)
      put_all(queue, 1, 2, 3)
      await(lull.gather(tasks))
      assert.equal("abc", (table.concat(log):gsub("[^abc]", "")))
    end)

    it("keeps the order of putters that were woken in vain", function()
      local queue, log = put_all(new(2), 0, 0), {}
      local tasks = { putter(queue, log, 1), putter(queue, log, 2), putter(queue, log, 3) }
      turns(1)
      get_all(queue)
      put_all(queue, 0, 0)
      turns(1)
      assert.same({}, log)
      for _ = 1, 3 do
        queue:get_nowait()
        turns(1)
      end
      assert.same({ 1, 2, 3 }, log)
      await(lull.gather(tasks))
    end)

    it("gives an item to a getter that need not wait, and the woken one waits on", function()
      local queue, log = new(), {}
      local waiter = getter(queue, log, "waiter")
      turns(1)
      queue:put_nowait(1)
      assert.equal(1, await(queue:get()))
      turns(1)
      assert.same({}, log)
      queue:put_nowait(2)
      await(waiter)
      assert.same({ "waiter=2" }, log)
    end)

    it("works between producers and consumers that outnumber its room", function()
      local queue, got = new(2), {}
      do
        local tg <close> = lull.task_group()
        for p = 0, 2 do
          tg:create_task(function()
            for i = 1, 20 do
              await(queue:put(p * 20 + i))
            end
          end)
        end
        for _ = 1, 4 do
          tg:create_task(function()
            for _ = 1, 15 do
              got[await(queue:get())] = true
              await(lull.sleep(0))
            end
          end)
        end
      end
      assert.equal(60, #got)
      assert.is_true(queue:empty())
    end)

    it("drops no item when one of several waiting readers is cancelled", function()
      local queue, log = new(), {}
      local a, b, c = getter(queue, log, "a"), getter(queue, log, "b"), getter(queue, log, "c")
      turns(1)
      put_all(queue, 1, 2)
      a:cancel()
      await(lull.gather(b, c))
      assert.is_true(a:cancelled())
      table.sort(log)
      assert.equal("bc", (table.concat(log):gsub("[^abc]", "")))
      assert.is_true(queue:empty())
    end)

    it("drops no item when a timeout expires in the turn of its arrival", function()
      local queue, log = new(), {}
      local late = lull.create_task(lull.wait_for(queue:get(), 5))
      local heir = getter(queue, log, "heir")
      turns(1)
      lull.loop():call_later(5, function() queue:put_nowait(1) end)
      raises(lull.TimeoutError, await, late)
      await(heir)
      assert.same({ "heir=1" }, log)
    end)

    describe("get", function()
      for name, test in moments_of_get(new, function(queue) return await(queue:get()) end) do
        it(name, test)
      end
    end)

    describe("iter", function()
      local function first(queue)
        for item in queue:iter() do
          if item ~= nil then return item end
        end
      end
      for name, test in moments_of_get(new, first) do
        it(name, test)
      end

      it("takes items until the queue is shut down and empty", function()
        local queue, items = put_all(new(), 1, 2), {}
        local task = lull.create_task(function()
          for item in queue:iter() do
            items[#items + 1] = item
          end
          return "ended"
        end)
        turns(1)
        assert.equal(2, #items)
        queue:put_nowait(3)
        queue:shutdown()
        assert.equal("ended", await(task))
        assert.equal(3, #items)
        for _ in queue:iter() do
          error("an item after the end")
        end
      end)

      it("goes on after an item that is false", function()
        local queue, n = new(), 0
        queue:put_nowait(false)
        queue:shutdown()
        for item in queue:iter() do
          assert.is_false(item)
          n = n + 1
        end
        assert.equal(1, n)
      end)

      it("may be left early", function()
        local queue = put_all(new(), 1, 2, 3)
        for item in queue:iter() do
          if item then break end
        end
        assert.equal(2, queue:qsize())
      end)
    end)

    describe("put", function()
      for name, test in moments_of_put(new) do
        it(name, test)
      end
    end)

    describe("join", function()
      for name, test in moments_of_join(new) do
        it(name, test)
      end

      it("waits until every item is done", function()
        local queue, sum = new(), 0
        for i = 1, 100 do
          queue:put_nowait(i)
        end
        local function worker()
          for item in queue:iter() do
            sum = sum + item
            await(lull.sleep(0.1))
            queue:task_done()
          end
        end
        local workers = lull.gather(worker, async(worker))
        await(queue:join())
        assert.equal(5050, sum)
        queue:shutdown()
        await(workers)
      end)

      it("does not wait when nothing was ever put", function()
        local queue = new()
        await(queue:join())
        await(queue:join())
      end)

      it("waits although the items were taken", function()
        local queue = put_all(new(), 1)
        queue:get_nowait()
        raises(lull.TimeoutError, await, lull.wait_for(queue:join(), 1))
        queue:task_done()
        await(queue:join())
      end)

      it("minds that task_done is not called more often than put", function()
        local queue = new()
        fails("task_done was called too many times", queue.task_done, queue)
        queue:put_nowait(1)
        queue:task_done()
        fails("task_done was called too many times", queue.task_done, queue)
      end)
    end)

    describe("shutdown", function()
      it("lets what is there be taken, and then raises QueueShutDown", function()
        local queue = put_all(new(), 1, 1)
        queue:shutdown()
        assert.equal("queue (2 items, shut down)", tostring(queue))
        raises(lull.QueueShutDown, queue.put_nowait, queue, 2)
        raises(lull.QueueShutDown, await, queue:put(2))
        assert.equal(1, await(queue:get()))
        assert.equal(1, queue:get_nowait())
        raises(lull.QueueShutDown, await, queue:get())
        raises(lull.QueueShutDown, queue.get_nowait, queue)
        queue:shutdown()
      end)

      it("wakes getters and putters", function()
        local empty, full = new(), put_all(new(1), 1)
        local get, put = lull.create_task(empty:get()), lull.create_task(full:put(2))
        local get2, put2 = lull.create_task(empty:get()), lull.create_task(full:put(2))
        turns(1)
        empty:shutdown()
        full:shutdown()
        for _, task in ipairs { get, put, get2, put2 } do
          raises(lull.QueueShutDown, await, task)
        end
        assert.equal(1, full:qsize())
      end)

      it("keeps join waiting for the items that are there", function()
        local queue = put_all(new(), 1)
        local join = lull.create_task(queue:join())
        turns(1)
        queue:shutdown()
        turns(2)
        assert.is_false(join:done())
        queue:get_nowait()
        queue:task_done()
        await(join)
      end)

      it("drops the items when it is to be immediate, and join ends", function()
        local queue = put_all(new(3), 1, 2, 3)
        local join, put = lull.create_task(queue:join()), lull.create_task(queue:put(4))
        turns(1)
        queue:shutdown(true)
        raises(lull.QueueShutDown, await, put)
        await(join)
        assert.equal(0, queue:qsize())
        raises(lull.QueueShutDown, queue.get_nowait, queue)
        fails("too many times", queue.task_done, queue)
      end)

      it("keeps join waiting for items that were taken and are not done", function()
        local queue = put_all(new(), 1, 2)
        queue:get_nowait()
        local join = lull.create_task(queue:join())
        turns(1)
        queue:shutdown(true)
        turns(2)
        assert.is_false(join:done())
        queue:task_done()
        await(join)
      end)

      it("raises CancelledError in a getter that is cancelled in the same turn", function()
        local queue = new()
        local get = lull.create_task(queue:get())
        turns(1)
        queue:shutdown()
        get:cancel()
        raises(lull.CancelledError, await, get)
      end)
    end)
  end)
end

describe("the order of a queue", function()
  it("is first in, first out, also when it wraps around and grows", function()
    local queue, expected, got, put, taken = lull.queue(), {}, {}, 0, 0
    for round = 1, 50 do
      for _ = 1, round % 7 * 5 do
        put = put + 1
        queue:put_nowait(put)
        expected[put] = put
      end
      for _ = 1, round % 5 * 4 do
        if not queue:empty() then
          taken = taken + 1
          got[taken] = queue:get_nowait()
        end
      end
    end
    while not queue:empty() do
      taken = taken + 1
      got[taken] = queue:get_nowait()
    end
    assert.same(expected, got)
  end)

  it("is last in, first out for a LIFO queue", function()
    assert.same({ 2, 3, 1 }, get_all(put_all(lull.lifo_queue(), 1, 3, 2)))
  end)

  it("is least first for a priority queue", function()
    assert.same({ 1, 2, 2, 3, 5 }, get_all(put_all(lull.priority_queue(), 3, 2, 5, 1, 2)))
    assert.same({ "a", "b", "c" }, get_all(put_all(lull.priority_queue(), "b", "c", "a")))
  end)

  it("is that of a priority queue's own function", function()
    local queue = lull.priority_queue(0, function(a, b) return a.cost > b.cost end)
    put_all(queue, { cost = 1 }, { cost = 9 }, { cost = 4 })
    local costs = {}
    for i, item in ipairs(get_all(queue)) do
      costs[i] = item.cost
    end
    assert.same({ 9, 4, 1 }, costs)
  end)

  it("uses __lt of a priority queue's items", function()
    local meta = { __lt = function(a, b) return a[1] < b[1] end }
    local one, two = setmetatable({ 1 }, meta), setmetatable({ 2 }, meta)
    local queue = put_all(lull.priority_queue(), two, one)
    assert.equal(one, queue:get_nowait())
    assert.equal(two, queue:get_nowait())
  end)

  it("agrees with sorting for many random priorities, put and taken in turns", function()
    local queue, model = lull.priority_queue(), {}
    math.randomseed(42)
    for _ = 1, 2000 do
      if math.random() < 0.6 then
        local value = math.random(1, 500)
        queue:put_nowait(value)
        model[#model + 1] = value
      elseif #model > 0 then
        table.sort(model, function(a, b) return a > b end)
        assert.equal(table.remove(model), queue:get_nowait())
      end
    end
    table.sort(model)
    assert.same(model, get_all(queue))
  end)
end)

describe("a priority queue whose comparison fails", function()
  tidy.watch(before_each, after_each)

  it("raises the error and does not take the item in", function()
    local queue = put_all(lull.priority_queue(), 2, 1)
    fails("attempt to compare", queue.put_nowait, queue, "x")
    fails("attempt to compare", await, queue:put({}))
    assert.same({ 1, 2 }, get_all(queue))
    queue:task_done()
    queue:task_done()
    fails("too many times", queue.task_done, queue)
  end)

  it("raises the error and keeps the item that was to be taken", function()
    local broken = false
    local queue = lull.priority_queue(0, function(a, b)
      if broken then error("no order", 0) end
      return a < b
    end)
    put_all(queue, 3, 1, 2)
    broken = true
    fails("no order", queue.get_nowait, queue)
    fails("no order", await, queue:get())
    assert.equal(3, queue:qsize())
    broken = false
    assert.same({ 1, 2, 3 }, get_all(queue))
  end)

  it("leaves the room to the next putter", function()
    local queue = put_all(lull.priority_queue(2), 1, 2)
    local bad, good = lull.create_task(queue:put("x")), lull.create_task(queue:put(3))
    turns(1)
    queue:get_nowait()
    fails("attempt to compare", await, bad)
    await(lull.wait_for(good, 1))
    assert.same({ 2, 3 }, get_all(queue))
  end)

  it("leaves the item to the next getter", function()
    local broken = 0
    local queue = lull.priority_queue(0, function(a, b)
      broken = broken - 1
      if broken == 0 then error("no order", 0) end
      return a < b
    end)
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = lull.create_task(queue:get())
    end
    turns(1)
    put_all(queue, 1, 2, 3)
    broken = 1
    fails("no order", await, tasks[1])
    for i = 1, 3 do
      assert.equal(i, await(lull.wait_for(tasks[i + 1], 1)))
    end
  end)

  it("cannot wait in the comparison", function()
    local queue = lull.priority_queue(0, function() await(lull.future()) end)
    queue:put_nowait(1)
    fails("cannot wait", queue.put_nowait, queue, 2)
    assert.same({ 1 }, get_all(queue))
  end)

  it("loses nothing when the comparison changes the queue", function()
    local queue, act
    local function less(a, b)
      local now = act
      act = nil
      if now then now() end
      return a < b
    end
    local last = 10
    local function new()
      last = last + 1
      return last
    end
    local actions = {
      function() queue:put_nowait(new()) end,
      function() queue:get_nowait() end,
      function() queue:put_nowait(queue:get_nowait()) end,
      function() queue:put_nowait(0) queue:get_nowait() end,
      function() put_all(queue, new(), new()) end,
    }
    local changes = { 1, -1, 0, 0, 2 }
    for i, action in ipairs(actions) do
      queue = put_all(lull.priority_queue(0, less), 5, 4, 3, 2, 1)
      act = action
      fails("changed the queue", queue.get_nowait, queue)
      assert.equal(5 + changes[i], queue:qsize())
      act = action
      fails("changed the queue", queue.put_nowait, queue, 6)
      local items, seen = get_all(queue), {}
      assert.equal(5 + 2 * changes[i], #items)
      for _, item in ipairs(items) do
        assert.is_nil(seen[item])
        seen[item] = true
      end
    end
    queue = put_all(lull.priority_queue(0, less), 3, 2, 1)
    act = function() queue:shutdown(true) end
    fails("changed the queue", queue.get_nowait, queue)
    assert.equal(0, queue:qsize())
  end)

  it("takes nothing but a function for it", function()
    fails("bad argument #2", lull.priority_queue, 0, 1)
    assert.equal(0, lull.priority_queue(0, nil):qsize())
  end)
end)

describe("a queue that grows while a finalizer uses it", function()
  it("keeps all items", function()
    local queue = lull.queue()
    local function finalize() queue:put_nowait("from a finalizer") end
    for i = 1, 5000 do
      setmetatable({}, { __gc = finalize })
      queue:put_nowait(i)
    end
    collectgarbage()
    local last, others = 0, 0
    for _, item in ipairs(get_all(queue)) do
      if math.type(item) then
        assert.equal(last + 1, item)
        last = item
      else
        others = others + 1
      end
    end
    assert.equal(5000, last)
    assert.equal(5000, others)
  end)
end)
