local cancellation = require "spec.cancellation"
local lull = require "lull"
local tidy = require "spec.tidy"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local fails, raises, seconds, turns = waiting.fails, waiting.raises, waiting.seconds, waiting.turns

waiting.use_virtual_clock()

-- Runs a body in a scope made by a function; gives the scope, and how the block was left.
local function within(make, argument, body)
  local scope
  local ok, err = pcall(function()
    local inner <close> = make(argument)
    scope = inner
    body(inner)
  end)
  return scope, ok, err
end

local function nap(time)
  return function() await(lull.sleep(time)) end
end

local function cancelling()
  return lull.current_task():cancelling()
end

describe("a timeout scope", function()
  tidy.watch(before_each, after_each)
  after_each(function() assert.equal(0, cancelling()) end)

  it("raises TimeoutError when the time is up", function()
    local scope, ok, err
    assert.equal(2, seconds(function() scope, ok, err = within(lull.timeout, 2, nap(10)) end))
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.is_true(lull.is_error(err.cause, lull.CancelledError))
    assert.is_true(scope:expired())
    assert.equal("timeout scope (expired)", tostring(scope))
  end)

  it("may be given the time by the loop's clock", function()
    local deadline = lull.now() + 2
    local scope, ok, err = within(lull.timeout_at, deadline, nap(10))
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.equal(deadline, lull.now())
    assert.equal(deadline, scope:when())
  end)

  it("does nothing when the block ends in time", function()
    local start = lull.now()
    local scope, ok = within(lull.timeout, 5, function(scope)
      assert.equal("timeout scope (active)", tostring(scope))
      await(lull.sleep(1))
    end)
    assert.is_true(ok)
    assert.is_false(scope:expired())
    assert.equal(start + 5, scope:when())
    assert.equal("timeout scope (left)", tostring(scope))
    assert.equal(10, seconds(await, lull.sleep(10)))
    assert.is_false(scope:expired())
  end)

  it("without a time never expires", function()
    for _, make in ipairs { lull.timeout, lull.timeout_at } do
      local scope, ok = within(make, nil, nap(1e6))
      assert.is_true(ok)
      assert.is_nil(scope:when())
      assert.is_false(scope:expired())
    end
  end)

  it("of infinite time never expires", function()
    local scope, ok = within(lull.timeout, math.huge, nap(1e6))
    assert.is_true(ok)
    assert.equal(math.huge, scope:when())
    assert.is_false(scope:expired())
  end)

  it("of no time, or less, expires at the first wait", function()
    for _, time in ipairs { 0, -11, -math.huge } do
      for _, nap_time in ipairs { 0, 10 } do
        local scope, ok, err
        local start = lull.now()
        scope, ok, err = within(lull.timeout, time, nap(nap_time))
        assert.is_false(ok)
        assert.is_true(lull.is_error(err, lull.TimeoutError))
        assert.is_true(scope:expired())
        assert.equal(start + time, scope:when())
        assert.equal(start, lull.now())
      end
    end
  end)

  it("of no time lets a block that need not wait end", function()
    local scope, ok = within(lull.timeout, 0, function()
      local lock = lull.lock()
      await(lock:acquire())
    end)
    assert.is_true(ok)
    assert.is_false(scope:expired())
    turns(2)
    assert.is_false(scope:expired())
  end)

  it("passes errors of the block on", function()
    local scope, ok, err = within(lull.timeout, 1, function() error("mine", 0) end)
    assert.is_false(ok)
    assert.equal("mine", err)
    assert.is_false(scope:expired())
  end)

  it("passes an error on that the cleanup raised when the time was up", function()
    local scope, ok, err = within(lull.timeout, 1, function()
      local _ <close> = setmetatable({}, { __close = function() error("cleanup", 0) end })
      await(lull.sleep(10))
    end)
    assert.is_false(ok)
    assert.equal("cleanup", err)
    assert.is_true(scope:expired())
  end)

  it("does not raise when the block catches the cancellation", function()
    local scope, ok = within(lull.timeout, 1, function()
      raises(lull.CancelledError, await, lull.sleep(10))
      await(lull.sleep(10))
    end)
    assert.is_true(ok)
    assert.is_true(scope:expired())
  end)

  it("leaves its task uncancelled", function()
    local task = lull.create_task(function()
      local _, ok, err = within(lull.timeout, 1, nap(10))
      assert.is_false(ok)
      assert.is_true(lull.is_error(err, lull.TimeoutError))
      await(lull.sleep(1))
      return "went on"
    end)
    assert.equal("went on", await(task))
    assert.is_false(task:cancelled())
  end)

  it("does not take a cancellation from outside for its own", function()
    local scope
    local task = lull.create_task(function() scope = within(lull.timeout, 10, nap(20)) end)
    local failing = lull.create_task(function()
      local inner <close> = lull.timeout(10)
      scope = inner
      await(lull.sleep(20))
    end)
    turns(1)
    failing:cancel()
    raises(lull.CancelledError, await, failing)
    assert.is_false(scope:expired())
    task:cancel()
    await(task)
    assert.is_false(scope:expired())
  end)

  it("lets a cancellation from outside win that comes in the turn in which it expires", function()
    for _, first in ipairs { "cancel", "expire" } do
      local scope, left, task
      lull.loop():call_later(first == "cancel" and 1 or 2, function()
        assert.equal(first == "expire", scope:expired())
        task:cancel()
        lull.blocking_sleep(5)
      end)
      task = lull.create_task(function()
        local _ <close> = setmetatable({}, {
          __close = function() left = cancelling() end,
        })
        local inner <close> = lull.timeout(2)
        scope = inner
        await(lull.sleep(10))
      end)
      raises(lull.CancelledError, await, task)
      assert.is_true(scope:expired())
      assert.equal(1, left)
    end
  end)

  it("works in a task that has caught a cancellation before", function()
    local task = lull.create_task(function()
      raises(lull.CancelledError, await, lull.sleep(10))
      assert.equal(1, cancelling())
      local _, ok, err = within(lull.timeout, 1, nap(10))
      assert.is_false(ok)
      assert.is_true(lull.is_error(err, lull.TimeoutError))
      assert.equal(1, cancelling())
      await(lull.sleep(1))
      return "unwound"
    end)
    turns(1)
    task:cancel()
    assert.equal("unwound", await(task))
  end)

  it("tells which it is that has expired when scopes are nested", function()
    local inner, outer, order = nil, nil, {}
    local ok, err = pcall(function()
      local outer_scope <close> = lull.timeout(5)
      outer = outer_scope
      local inner_ok, inner_err
      inner, inner_ok, inner_err = within(lull.timeout, 1, nap(10))
      assert.is_false(inner_ok)
      assert.is_true(lull.is_error(inner_err, lull.TimeoutError))
      order[1] = "inner"
      await(lull.sleep(10))
    end)
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.same({ "inner" }, order)
    assert.is_true(inner:expired() and outer:expired())
  end)

  it("unwinds inner scopes with CancelledError when an outer one expires first", function()
    local inner, inner_err
    local outer, ok, err = within(lull.timeout, 1, function()
      local inner_ok
      inner, inner_ok, inner_err = within(lull.timeout, 5, nap(10))
      assert.is_false(inner_ok)
      error(inner_err, 0)
    end)
    assert.is_false(ok)
    assert.is_true(lull.is_error(inner_err, lull.CancelledError))
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.is_true(outer:expired())
    assert.is_false(inner:expired())
  end)

  it("raises TimeoutError from the outermost only when nested ones expire together", function()
    local deadline = lull.now() + 1
    local inner, inner_err
    local outer, ok, err = within(lull.timeout_at, deadline, function()
      local inner_ok
      inner, inner_ok, inner_err = within(lull.timeout_at, deadline, nap(10))
      assert.is_false(inner_ok)
      assert.is_true(lull.is_error(inner_err, lull.CancelledError))
      error(inner_err, 0)
    end)
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.is_true(outer:expired() and inner:expired())
  end)

  it("expires although the loop was busy when both times passed", function()
    local outer, ok = within(lull.timeout, 1, function()
      local _, _, err = within(lull.timeout, 0.1, function()
        lull.blocking_sleep(2)
        await(lull.sleep(10))
      end)
      assert.is_true(lull.is_error(err, lull.CancelledError))
      error(err, 0)
    end)
    assert.is_false(ok)
    assert.is_true(outer:expired())
  end)

  it("works in a close handler that runs because another one has expired", function()
    local cleaned
    local _, ok, err = within(lull.timeout, 1, function()
      local _ <close> = setmetatable({}, {
        __close = function()
          local scope, inner_ok, inner_err = within(lull.timeout, 1, nap(10))
          assert.is_false(inner_ok)
          cleaned = lull.is_error(inner_err, lull.TimeoutError) and scope:expired()
        end,
      })
      await(lull.sleep(10))
    end)
    assert.is_false(ok)
    assert.is_true(cleaned)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
  end)

  it("cancels what the task waits for, however deep", function()
    local inner, innermost
    local _, ok, err = within(lull.timeout, 1, function()
      inner = lull.create_task(function()
        innermost = lull.create_task(lull.sleep(10))
        await(innermost)
      end)
      await(inner)
    end)
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.is_true(inner:cancelled() and innermost:cancelled())
  end)

  it("can be opened by one task and closed at the end of a helper function's block", function()
    local function limited(time, body)
      local _ <close> = lull.timeout(time)
      return body()
    end
    raises(lull.TimeoutError, limited, 1, nap(2))
    assert.equal("in time", limited(2, function()
      await(lull.sleep(1))
      return "in time"
    end))
  end)

  it("needs a running task", function()
    local ok, err
    lull.loop():call_soon(function() ok, err = pcall(lull.timeout, 1) end)
    turns(2)
    assert.is_false(ok)
    assert.is_truthy(err:find("a timeout needs a running task", 1, true))
  end)

  it("takes numbers and nil only", function()
    for _, make in ipairs { lull.timeout, lull.timeout_at } do
      fails("bad argument #1", make, "soon")
      fails("got nan", make, 0 / 0)
      fails("bad argument #1", make, {})
      fails("bad argument #1", make, true)
    end
  end)

  it("may be dropped without being left", function()
    do
      local weak = setmetatable({}, { __mode = "v" })
      weak[1], weak[2] = lull.timeout(nil), lull.timeout(1e9)
      weak[2]:reschedule(nil)
      collectgarbage()
      assert.is_nil(weak[1])
      assert.is_nil(weak[2])
    end
    local task = lull.create_task(function() return lull.timeout(1) end)
    local scope = await(task)
    await(lull.sleep(2))
    assert.is_true(scope:expired())
    assert.is_false(task:cancelled())
    local weak = setmetatable({ scope, task }, { __mode = "v" })
    scope, task = nil, nil
    assert.is_nil(scope or task)
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_nil(weak[2])
  end)
end)

describe("reschedule", function()
  tidy.watch(before_each, after_each)

  it("moves the time a scope expires at", function()
    local start = lull.now()
    local scope, ok = within(lull.timeout, 1, function(scope)
      scope:reschedule(start + 5)
      assert.equal(start + 5, scope:when())
      await(lull.sleep(4))
      scope:reschedule(start + 6)
      await(lull.sleep(10))
    end)
    assert.is_false(ok)
    assert.equal(start + 6, lull.now())
    assert.is_true(scope:expired())
  end)

  it("takes the time away, and gives one", function()
    local start = lull.now()
    local _, ok = within(lull.timeout, 1, function(scope)
      scope:reschedule(nil)
      assert.is_nil(scope:when())
      await(lull.sleep(10))
      scope:reschedule(start + 12)
      await(lull.sleep(10))
    end)
    assert.is_false(ok)
    assert.equal(start + 12, lull.now())
  end)

  it("to a time that has passed lets the scope expire at the next wait", function()
    local scope, ok = within(lull.timeout, 1, function(scope)
      scope:reschedule(lull.now() - 1)
      assert.is_false(scope:expired())
      await(lull.sleep(0))
    end)
    assert.is_false(ok)
    assert.is_true(scope:expired())
  end)

  it("may be called by another task", function()
    local scope
    local task = lull.create_task(function()
      local inner <close> = lull.timeout(50)
      scope = inner
      await(lull.sleep(100))
    end)
    turns(1)
    local start = lull.now()
    scope:reschedule(start + 2)
    raises(lull.TimeoutError, await, task)
    assert.equal(start + 2, lull.now())
  end)

  it("fails once the scope has expired or was left", function()
    local scope, ok = within(lull.timeout, 0, function(scope)
      raises(lull.CancelledError, await, lull.sleep(1))
      fails("has expired already", scope.reschedule, scope, lull.now() + 5)
    end)
    assert.is_true(ok)
    fails("was left already", scope.reschedule, scope, nil)
    fails("got nan", scope.reschedule, scope, 0 / 0)
  end)
end)

describe("an operation in a timeout scope", function()
  for name, test in cancellation.moments {
    setup = function() return { queue = lull.queue(), items = {} } end,
    operation = function(state)
      local _ <close> = lull.timeout(5000)
      local item = await(state.queue:get())
      table.insert(state.items, item)
    end,
    complete = function(state) state.queue:put_nowait("item") end,
    check = function(state)
      assert.same({ "item" }, state.items)
      assert.is_true(state.queue:empty())
    end,
  } do
    it(name, test)
  end

  it("loses nothing when the scope expires in the turn in which it completes", function()
    for _, make in ipairs { lull.lock, lull.semaphore } do
      local lock = make()
      await(lock:acquire())
      local victim = lull.create_task(async(function()
        local _ <close> = lull.timeout(3)
        await(lock:acquire())
      end)())
      turns(1)
      lull.loop():call_later(3, function() lock:release() end)
      raises(lull.TimeoutError, await, victim)
      turns(1)
      assert.is_false(lock:locked())
    end
  end)
end)
