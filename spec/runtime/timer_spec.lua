-- The heap of timers, through call_at: order, equal times, cancelling from anywhere, size.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local await = lull.await
local loop = lull.loop()

-- Waits until every timer set so far for `base` plus up to `seconds` has fired.
local function wait_until(when)
  local done = lull.future()
  loop:call_at(when, function() done:set_result() end)
  await(done)
end

-- Numbers that look random and are the same each time.
local function generator(seed)
  return function(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
  end
end

describe("timers", function()
  tidy.watch(before_each, after_each)

  it("fire in the order of their times, whatever order they were set in", function()
    for seed = 1, 20 do
      local random, fired, base = generator(seed), {}, loop:time()
      local expected = {}
      for i = 1, 200 do
        local offset = random(50)
        expected[i] = { offset, i }
        loop:call_at(base + offset * 1e-5, function() table.insert(fired, { offset, i }) end)
      end
      wait_until(base + 51e-5)
      table.sort(expected, function(a, b)
        if a[1] ~= b[1] then return a[1] < b[1] end
        return a[2] < b[2] -- equal times in the order they were set
      end)
      assert.same(expected, fired)
    end
  end)

  it("can be cancelled from anywhere in the heap", function()
    for seed = 1, 20 do
      local random, fired, expected = generator(seed), {}, {}
      local base, handles, cancelled = loop:time(), {}, {}
      for i = 1, 300 do
        local offset = random(100)
        handles[i] = loop:call_at(base + offset * 1e-5, function()
          table.insert(fired, { offset, i })
        end)
        expected[i] = { offset, i }
        if i % 3 == 0 then
          local victim = random(i)
          handles[victim]:cancel()
          cancelled[victim] = true
        end
      end
      wait_until(base + 101e-5)
      local left = {}
      for i, entry in ipairs(expected) do
        if not cancelled[i] then table.insert(left, entry) end
      end
      table.sort(left, function(a, b)
        if a[1] ~= b[1] then return a[1] < b[1] end
        return a[2] < b[2]
      end)
      assert.same(left, fired)
    end
  end)

  it("fire first in, first out, when all have one time", function()
    local order, when = {}, loop:time() + 0.001
    for i = 1, 1000 do loop:call_at(when, table.insert, order, i) end
    wait_until(when)
    for i = 1, 1000 do assert.equal(i, order[i]) end
  end)

  it("that are all cancelled leave nothing to wait for", function()
    local handles = {}
    for i = 1, 1000 do handles[i] = loop:call_later(3600 + i % 10, error, "fired") end
    for i = 1, 1000 do handles[(i * 7) % 1000 + 1]:cancel() end
    await(lull.sleep(0.001))
    for i = 1, 1000 do assert.is_true(handles[i]:cancelled()) end
  end)

  it("may be set and cancelled by those that fire", function()
    assert.equal("first\nadded\nthird\n", (script.run([[
      local lull = require "lull"
      local loop, second = lull.loop()
      loop:call_at(1, function()
        print("first")
        second:cancel()
        loop:call_at(2, print, "added")
      end)
      second = loop:call_at(3, print, "second")
      loop:call_at(4, print, "third")
      lull.await(lull.sleep(5))
    ]])))
  end)

  it("are 100,000, set in any order, some cancelled, and fire in order", function()
    local random, base = generator(7), loop:time()
    local count, last, in_order, handles = 0, -1, true, {}
    for i = 1, 100000 do
      local offset = random(1000)
      handles[i] = loop:call_at(base + offset * 1e-6, function()
        count = count + 1
        in_order = in_order and offset >= last
        last = offset
      end)
    end
    for i = 1, 100000, 4 do handles[i]:cancel() end
    wait_until(base + 1001e-6)
    assert.equal(75000, count)
    assert.is_true(in_order)
  end)

  it("wake 20,000 sleepers, each at its time", function()
    local random, list, early = generator(11), {}, 0
    for i = 1, 20000 do
      local seconds = random(100) / 10000
      list[i] = lull.async(function()
        local begin = lull.now()
        await(lull.sleep(seconds))
        if lull.now() < begin + seconds - 1e-9 then early = early + 1 end
      end)()
    end
    await(lull.gather(list))
    assert.equal(0, early)
  end)
end)
