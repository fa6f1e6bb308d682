-- Objects that lead nowhere, or lists that claim to be longer than they are, once kept the process
-- busy for ever, or filled the memory: nothing can interrupt a loop in C.
local lull = require "lull"
local waiting = require "spec.waiting"

local await, fails = lull.await, waiting.fails

describe("an object that leads nowhere", function()
  it("cannot be awaited: __await gives the object itself", function()
    local object = setmetatable({}, { __await = function(self) return self end })
    fails("__await gives objects without end", await, object)
    fails("__await gives objects without end", await, lull.create_task(object))
  end)

  it("cannot be awaited: two objects give each other", function()
    local one, other = {}, {}
    setmetatable(one, { __await = function() return other end })
    setmetatable(other, { __await = function() return one end })
    fails("__await gives objects without end", await, one)
  end)

  it("may have others before it ends", function()
    local object = lull.sleep(0, "the end")
    for _ = 1, 50 do
      local inner = object
      object = setmetatable({}, { __await = function() return inner end })
    end
    assert.equal("the end", await(object))
  end)
end)

describe("a list with a length of its own", function()
  local function list(length, n)
    return setmetatable({ n = n }, { __len = function() return length end })
  end

  it("is refused when the length is none", function()
    for _, length in ipairs { -1, math.mininteger, math.maxinteger } do
      fails("bad argument #1 to", lull.gather, list(length))
    end
    fails("bad argument #1 to", lull.wait, list(-1))
    fails("bad argument #1 to", lull.wait, list(0, -1))
    fails("bad argument #1 to", lull.as_completed, list("x"))
    fails("bad argument #1 to", lull.as_completed, list(0, math.mininteger))
  end)

  it("is looked at no further than it goes", function()
    fails("item 1: awaitable expected", lull.gather, list(1 << 30))
    fails("item 1: awaitable expected", lull.wait, list(1 << 30))
  end)

  it("makes no endless group of errors", function()
    local endless = setmetatable({ "only" }, { __index = function() return "more" end })
    local group = lull.ExceptionGroup("group", endless)
    assert.equal("ExceptionGroup: group (1 errors)\n  only", tostring(group))
    assert.is_false(lull.is_error(group, lull.TimeoutError))
    for _, errors in ipairs { 42, "x", true } do
      assert.equal("ExceptionGroup: group (0 errors)",
        tostring(lull.ExceptionGroup("group", errors)))
    end
  end)

  it("gives no endless options", function()
    local endless = setmetatable({}, { __pairs = function() return function() return 1 end end })
    assert.is_function(lull.wait)
    fails("the list of awaitables is empty", lull.wait, {}, endless)
    assert.is_true(lull.is_error(lull.Error("x", endless)))
  end)
end)

describe("a class made from ExceptionGroup", function()
  it("is a group: lull looks inside", function()
    local Problems = lull.ExceptionGroup:extend("Problems")
    local group = Problems("many", { lull.TimeoutError("late"), "other" })
    assert.is_true(lull.is_error(group, lull.ExceptionGroup))
    assert.is_true(lull.is_error(group, lull.TimeoutError))
    assert.equal("Problems: many (2 errors)\n  TimeoutError: late\n  other", tostring(group))
  end)
end)

describe("a task whose cancellation is taken back at once", function()
  it("does not have what it was interrupted in waiting for", function()
    local lock = lull.lock()
    await(lock:acquire())
    local task = lull.create_task(lock:acquire())
    await(lull.sleep(0))
    task:cancel()
    task:uncancel()
    waiting.raises(lull.CancelledError, await, task)
    lock:release()
    assert.is_false(lock:locked())
  end)
end)
