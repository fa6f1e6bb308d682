-- Context variables. Cases after CPython's test_context.py.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

describe("a context variable", function()
  tidy.watch(before_each, after_each)

  it("has its default until it is set", function()
    assert.is_nil(lull.context_var("none"):get())
    assert.equal("d", lull.context_var("with", "d"):get())
    assert.is_false(lull.context_var("false", false):get())
  end)

  it("keeps what is set, nil and false too", function()
    local var = lull.context_var("v", "default")
    for _, value in ipairs({ 1, "x", {}, false }) do
      var:set(value)
      assert.equal(value, var:get())
    end
    var:set(nil)
    assert.is_nil(var:get())
  end)

  it("is one of its own, whatever its name", function()
    local a, b = lull.context_var("same"), lull.context_var("same")
    a:set(1)
    assert.is_nil(b:get())
    assert.equal("context variable 'same'", tostring(a))
  end)

  it("is inherited by a task as it is when the task is created", function()
    local var = lull.context_var("v")
    var:set("before")
    local task = lull.create_task(async(function() return var:get() end)())
    var:set("after")
    assert.equal("before", await(task))
    assert.equal("after", var:get())
  end)

  it("set in a task is not seen by its creator, nor by its siblings", function()
    local var = lull.context_var("v")
    var:set("creator")
    local child = async(function(value)
      var:set(value)
      await(lull.sleep(0))
      return var:get()
    end)
    assert.same({ "a", "b", "c" }, { await(lull.gather(child("a"), child("b"), child("c"))) })
    assert.equal("creator", var:get())
  end)

  it("is shared with what is awaited in place", function()
    local var = lull.context_var("v")
    await(async(function() var:set("inner") end)())
    assert.equal("inner", var:get())
    coroutine.wrap(function() var:set("coroutine") end)()
    assert.equal("coroutine", var:get())
  end)

  it("is inherited by grandchildren, eager tasks and groups", function()
    local var = lull.context_var("v")
    var:set("root")
    local get = async(function()
      await(lull.sleep(0))
      return var:get()
    end)
    assert.equal("root", await(lull.create_task(function()
      return await(lull.create_task(get()))
    end)))
    assert.equal("root", await(lull.create_task(get(), { eager = true })))
    local task
    do
      local group <close> = lull.task_group()
      task = group:create_task(get())
    end
    assert.equal("root", await(task))
  end)

  it("set in a callback is seen by the tasks created there, and by nothing else", function()
    local var, done = lull.context_var("v", "default"), lull.future()
    lull.loop():call_soon(function()
      var:set("outside")
      done:set_result(lull.create_task(async(function()
        local first = var:get()
        var:set("task's own")
        return first
      end)()))
    end)
    assert.equal("outside", await(await(done)))
    assert.equal("default", var:get())
    local again = lull.future()
    lull.loop():call_soon(function() again:set_result(var:get()) end)
    assert.equal("default", await(again))
  end)

  it("needs a name", function()
    for _, name in ipairs({ 42, {}, true }) do
      assert.has_error.matches(function() lull.context_var(name) end,
        "bad argument #1 to 'context_var' %(string expected, got")
    end
    assert.has_error.matches(function() lull.context_var() end, "string expected, got nil")
  end)

  it("does not keep its values alive after the task", function()
    local var, weak = lull.context_var("v"), setmetatable({}, { __mode = "v" })
    await(lull.create_task(function()
      weak[1] = {}
      var:set(weak[1])
      await(lull.sleep(0))
    end))
    await(lull.sleep(0))
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("goes with the calls and callbacks a task asks for", function()
    local var = lull.context_var("spec", "default")
    local future, seen = lull.future(), {}
    local function note(where)
      return function()
        seen[where] = var:get()
        var:set("a callback's")
      end
    end
    lull.await(lull.create_task(function()
      var:set("the task's")
      lull.loop():call_soon(note("soon"))
      lull.loop():call_later(1, note("later"))
      future:add_done_callback(note("done"))
    end))
    lull.await(lull.sleep(2))
    future:set_result(true)
    lull.await(lull.sleep(1))
    assert.same({soon = "the task's", later = "the task's", done = "the task's"}, seen)
    assert.equal("default", var:get())
  end)
end)
