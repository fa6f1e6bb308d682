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

-- Naps, and fails when it is cancelled.
local fail_in_cleanup = async(function(err)
  local _ <close> = setmetatable({}, { __close = function() error(err, 0) end })
  await(lull.sleep(100))
end)

-- Runs a body with a group; gives the error the block was left with.
local function within(body)
  local _, err = pcall(function()
    local tg <close> = lull.task_group()
    body(tg)
  end)
  return err
end

local function sorted(group)
  assert.is_true(lull.is_error(group, lull.ExceptionGroup))
  local errors = table.move(group.errors, 1, #group.errors, 1, {})
  table.sort(errors)
  return errors
end

local function cancelling()
  return lull.current_task():cancelling()
end

describe("a task group", function()
  tidy.watch(before_each, after_each)
  after_each(function() assert.equal(0, cancelling()) end)

  it("waits for its tasks at the end of the block", function()
    local a, b
    assert.equal(2, seconds(function()
      local tg <close> = lull.task_group()
      a = tg:create_task(nap(1, 42))
      b = tg:create_task(nap(2, 11))
      assert.equal("task group (2 tasks)", tostring(tg))
    end))
    assert.equal(42, a:result())
    assert.equal(11, b:result())
  end)

  it("need not have tasks", function()
    local ran = false
    local other = lull.create_task(function() ran = true end)
    do
      local _ <close> = lull.task_group()
    end
    assert.is_false(ran)
    await(other)
  end)

  it("takes tasks at any time in the block, from the tasks too", function()
    local log = {}
    local function child(tg, name, depth)
      log[#log + 1] = name
      if depth > 0 then
        tg:create_task(function() child(tg, name .. "a", depth - 1) end)
        await(lull.sleep(0.1))
        tg:create_task(function() child(tg, name .. "b", depth - 1) end)
      end
    end
    do
      local tg <close> = lull.task_group()
      tg:create_task(function() child(tg, "x", 2) end)
      await(lull.sleep(0.05))
      tg:create_task(function() child(tg, "y", 0) end)
    end
    table.sort(log)
    assert.same({ "x", "xa", "xaa", "xab", "xb", "xba", "xbb", "y" }, log)
  end)

  it("takes functions, and options as create_task does", function()
    local tg <close> = lull.task_group()
    local task = tg:create_task(function() return 1 end, { name = "yolo" })
    assert.equal("yolo", task:get_name())
    local eager = tg:create_task(function() return 2 end, { eager = true })
    assert.is_true(eager:done())
    fails("bad argument", tg.create_task, tg, 42)
    fails("unknown option", tg.create_task, tg, print, { nam = "x" })
  end)

  it("lets go of tasks that have ended", function()
    local tg <close> = lull.task_group()
    for _ = 1, 10 do
      tg:create_task(nap(0.35))
      await(lull.sleep(0.1))
    end
    assert.equal("task group (3 tasks)", tostring(tg))
    await(lull.sleep(1))
    assert.equal("task group (0 tasks)", tostring(tg))
  end)

  it("does not mind a child that is cancelled", function()
    local a, b
    do
      local tg <close> = lull.task_group()
      a = tg:create_task(nap(10))
      await(lull.sleep(0.1))
      a:cancel()
      b = tg:create_task(nap(0.2, 11))
    end
    assert.is_true(a:cancelled())
    assert.equal(11, b:result())
  end)

  it("cancels children and body when a child fails, and raises its error", function()
    local sibling, body_error
    local err
    assert.equal(1, seconds(function()
      err = within(function(tg)
        tg:create_task(fail_after(1, "boom"))
        sibling = tg:create_task(nap(5))
        body_error = raises(lull.CancelledError, await, lull.sleep(10))
        error(body_error, 0)
      end)
    end))
    assert.equal("boom", err)
    assert.is_true(sibling:cancelled())
  end)

  it("raises the error itself, whatever value it is", function()
    local value = {}
    assert.equal(value, within(function(tg) tg:create_task(function() error(value) end) end))
    local own = lull.Error:extend("OwnError")
    local err = within(function(tg) tg:create_task(function() error(own("x")) end) end)
    assert.is_true(lull.is_error(err, own))
    assert.is_false(lull.is_error(err, lull.ExceptionGroup))
  end)

  it("raises several errors as one group", function()
    local err = within(function(tg)
      tg:create_task(fail_after(1, "first"))
      tg:create_task(fail_after(1, "second"))
      tg:create_task(fail_in_cleanup("third"))
      await(lull.sleep(10))
    end)
    assert.same({ "first", "second", "third" }, sorted(err))
  end)

  it("adds the body's own error to the children's", function()
    local err = within(function(tg)
      tg:create_task(fail_in_cleanup("child"))
      turns(1)
      error("body", 0)
    end)
    assert.same({ "body", "child" }, sorted(err))
    err = within(function(tg)
      tg:create_task(fail_after(1, "child"))
      local _ <close> = setmetatable({}, { __close = function() error("body", 0) end })
      await(lull.sleep(10))
    end)
    assert.same({ "body", "child" }, sorted(err))
  end)

  it("cancels the children when the body fails, and raises its error", function()
    local a, b
    local err = within(function(tg)
      a, b = tg:create_task(nap(1)), tg:create_task(nap(2))
      await(lull.sleep(0.1))
      error("body", 0)
    end)
    assert.equal("body", err)
    assert.is_true(a:cancelled() and b:cancelled())
  end)

  it("cancels children that have not begun when the body fails", function()
    local started = false
    assert.equal("body", within(function(tg)
      tg:create_task(function() started = true end)
      error("body", 0)
    end))
    assert.is_false(started)
  end)

  it("cancels its children when its task is cancelled in the body", function()
    local count, body = 0, false
    local task = lull.create_task(function()
      local tg <close> = lull.task_group()
      for _ = 1, 5 do
        tg:create_task(function()
          raises(lull.CancelledError, await, lull.sleep(5))
          count = count + 1
        end)
      end
      local _ <close> = setmetatable({}, { __close = function() body = true end })
      await(lull.sleep(10))
    end)
    await(lull.sleep(0.1))
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.equal(5, count)
    assert.is_true(body)
  end)

  it("cancels its children when its task is cancelled as it waits for them", function()
    local children = {}
    local task = lull.create_task(function()
      local tg <close> = lull.task_group()
      children[1], children[2] = tg:create_task(nap(1)), tg:create_task(nap(2))
    end)
    turns(3)
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.is_true(children[1]:cancelled() and children[2]:cancelled())
  end)

  it("raises the error of a child's cleanup rather than the cancellation", function()
    for _, nested in ipairs { false, true } do
      local still
      local task = lull.create_task(function()
        local _ <close> = setmetatable({}, { __close = function() still = cancelling() end })
        local outer <close> = lull.task_group()
        outer:create_task(nap(10))
        local inner <close> = nested and lull.task_group() or nil
        local tg = inner or outer
        tg:create_task(fail_in_cleanup("a"))
        tg:create_task(fail_in_cleanup("b"))
        await(lull.sleep(10))
      end)
      await(lull.sleep(0.1))
      task:cancel()
      local ok, err = pcall(await, task)
      assert.is_false(ok)
      assert.same({ "a", "b" }, sorted(err))
      assert.equal(1, still)
    end
  end)

  it("raises the body's error rather than the cancellation that caused it", function()
    local task = lull.create_task(function()
      local _ <close> = lull.task_group()
      local _ <close> = setmetatable({}, { __close = function() error("mine", 0) end })
      await(lull.sleep(10))
    end)
    turns(1)
    task:cancel()
    local ok, err = pcall(await, task)
    assert.is_false(ok)
    assert.equal("mine", err)
  end)

  it("lets a failing child end an inner group, and an inner failure the outer one", function()
    local inner_task
    assert.equal("outer child", within(function(outer)
      outer:create_task(fail_after(0.1, "outer child"))
      local inner <close> = lull.task_group()
      inner_task = inner:create_task(fail_after(10, "never"))
    end))
    assert.is_true(inner_task:cancelled())
    local outer_task
    assert.equal("inner child", within(function(outer)
      outer_task = outer:create_task(nap(10))
      local inner <close> = lull.task_group()
      inner:create_task(fail_after(0.1, "inner child"))
    end))
    assert.is_true(outer_task:cancelled())
  end)

  it("raises a child's error when its task was cancelled, and the cleanup takes long", function()
    local task = lull.create_task(function()
      local tg <close> = lull.task_group()
      tg:create_task(fail_after(0.3, "boom"))
      local _ <close> = setmetatable({}, { __close = function() await(lull.sleep(0.5)) end })
      await(lull.sleep(10))
    end)
    await(lull.sleep(0.1))
    task:cancel()
    local ok, err = pcall(await, task)
    assert.is_false(ok)
    assert.equal("boom", err)
  end)

  it("lets a body go on that catches the cancellation, and raises the error at its end", function()
    local log = {}
    local err = within(function(tg)
      tg:create_task(fail_after(1, "boom"))
      raises(lull.CancelledError, await, lull.sleep(10))
      log[1] = cancelling()
      await(lull.sleep(1))
      log[2] = "end"
    end)
    assert.equal("boom", err)
    assert.same({ 1, "end" }, log)
  end)

  it("raises the errors of children that fail while it waits for the others", function()
    local err = within(function(tg)
      tg:create_task(fail_after(1, "a"))
      tg:create_task(fail_in_cleanup("b"))
    end)
    assert.same({ "a", "b" }, sorted(err))
  end)

  it("takes no task after a failure, and none after its end", function()
    local refused = false
    local kept
    local err = within(function(tg)
      kept = tg
      tg:create_task(fail_after(0.1, "boom"))
      tg:create_task(function()
        raises(lull.CancelledError, await, lull.sleep(1))
        fails("the task group is being cancelled", tg.create_task, tg, nap(1))
        refused = true
      end)
    end)
    assert.equal("boom", err)
    assert.is_true(refused)
    fails("the task group was left already", kept.create_task, kept, nap(1))
  end)

  it("can be cancelled: its children end, the body goes on", function()
    local a, b
    do
      local tg <close> = lull.task_group()
      a = tg:create_task(nap(10))
      turns(1)
      tg:cancel()
      await(lull.sleep(1))
      assert.is_true(a:cancelled())
      b = tg:create_task(nap(1, "later"))
    end
    assert.equal("later", b:result())
  end)

  it("cancels its children in the order they were made", function()
    local log = {}
    do
      local tg <close> = lull.task_group()
      for i = 1, 50 do
        tg:create_task(function()
          local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = i end })
          await(lull.sleep(10))
        end)
      end
      turns(1)
      tg:cancel()
    end
    for i = 1, 50 do
      assert.equal(i, log[i])
    end
  end)

  it("is ended by a timeout around it", function()
    local task
    assert.equal(1, seconds(raises, lull.TimeoutError, function()
      local _ <close> = lull.timeout(1)
      local tg <close> = lull.task_group()
      task = tg:create_task(nap(10))
    end))
    assert.is_true(task:cancelled())
  end)

  it("goes on when a timeout within it has expired", function()
    local task
    do
      local tg <close> = lull.task_group()
      task = tg:create_task(nap(5, "kept"))
      raises(lull.TimeoutError, function()
        local _ <close> = lull.timeout(1)
        await(lull.sleep(10))
      end)
    end
    assert.equal("kept", task:result())
  end)

  it("cancels a task that fails in the same turn as the body ends with one error only", function()
    local err = within(function(tg)
      local future = lull.future()
      tg:create_task(function()
        await(future)
        error("boom", 0)
      end)
      turns(1)
      future:set_result(1)
      turns(1)
    end)
    assert.equal("boom", err)
  end)

  it("keeps a group of errors apart from a cancellation, even with one inside", function()
    local mixed = lull.ExceptionGroup("mixed", { lull.CancelledError("x"), "y" })
    local err = within(function(tg)
      tg:create_task(fail_in_cleanup("child"))
      turns(1)
      error(mixed, 0)
    end)
    assert.is_true(lull.is_error(err, lull.ExceptionGroup))
    assert.same({ "child", mixed }, err.errors)
  end)

  it("waits for its children when the block is left by break and by return", function()
    local a, b
    for _ = 1, 1 do
      local tg <close> = lull.task_group()
      a = tg:create_task(nap(1, "a"))
      if a then break end
    end
    assert.equal("a", a:result())
    local function f()
      local tg <close> = lull.task_group()
      b = tg:create_task(nap(1, "b"))
      return "returned"
    end
    assert.equal("returned", f())
    assert.equal("b", b:result())
  end)

  it("tells the exception handler of a failure after its task has ended", function()
    local task = lull.create_task(function()
      local tg = lull.task_group()
      tg:create_task(fail_after(1, "late"))
    end)
    await(task)
    await(lull.sleep(2))
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal("late", reports[1].exception)
  end)

  it("is not warned of in debug mode when its task is cancelled as it waits", function()
    local output = script.run([[
      local lull = require "lull"
      local await = lull.await
      local task = lull.create_task(function()
        local tg <close> = lull.task_group()
        tg:create_task(function()
          local _ <close> = setmetatable({}, {__close = function() await(lull.sleep(1)) end})
          await(lull.sleep(10))
        end)
      end)
      await(lull.sleep(1))
      task:cancel()
      print(pcall(await, task))
    ]], "--debug --virtual-clock")
    assert.equal("false\tCancelledError: the task was cancelled\n", output)
  end)

  it("needs a running task", function()
    local ok, err
    lull.loop():call_soon(function() ok, err = pcall(lull.task_group) end)
    turns(2)
    assert.is_false(ok)
    assert.is_truthy(err:find("a task group needs a running task", 1, true))
  end)

  for name, test in cancellation.moments {
    alone = true,
    setup = function() return { future = lull.future() } end,
    operation = function(state)
      local tg <close> = lull.task_group()
      state.child = tg:create_task(function() await(state.future) end)
    end,
    complete = function(state)
      if not state.future:done() then state.future:set_result(1) end
    end,
    check = function(state)
      if state.child then assert.is_true(state.child:done()) end
    end,
  } do
    it(name, test)
  end
end)
