-- Tracebacks that go on through the tasks that awaited, reports, and the report of a deadlock.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local prelude = [[
local lull = require "lull"
local async, await = lull.async, lull.await
]]

-- The lines of what a script prints, without the prelude's two lines in the line numbers.
local function run(code, options)
  local output, status = script.run(prelude .. code, options)
  return (output:gsub("script%.lua:(%d+)", function(line)
    return "s:" .. math.tointeger(line) - 2
  end)), status
end

describe("a task's traceback", function()
  tidy.watch(before_each, after_each)

  it("names the lines that led to the error, through awaits in place", function()
    local output = run([[
local function helper() error("boom") end
local inner = async(function()
  await(lull.sleep(0))
  helper()
end)
local outer = async(function()
  await(inner())
end)
local task = lull.create_task(outer())
print(pcall(await, task))
print(task:traceback())
]])
    assert.equal([[
false	s:1: boom

	s:1: in upvalue 'helper'
	s:4: in function <s:2>
	s:7: in function <s:6>
]], (output:gsub("\n\t%[C%][^\n]*", "")))
  end)

  it("goes on through the tasks that awaited it", function()
    local output = run([[
local inner = async(function()
  await(lull.sleep(0))
  error("boom")
end)
local middle = async(function()
  await(lull.create_task(inner(), {name = "inner"}))
end)
local task = lull.create_task(middle(), {name = "middle"})
pcall(await, task)
print(task:traceback())
]])
    assert.equal([[

	s:3: in function <s:1>
  awaited by task 'middle':
	s:6: in function <s:5>
]], output)
  end)

  it("goes on through a gather", function()
    local output = run([[
local child = async(function() error("boom") end)
local task = lull.create_task(async(function()
  await(lull.gather(child(), child()))
end)(), {name = "parent"})
pcall(await, task)
print(task:traceback())
]])
    assert.equal("\n\ts:1: in function <s:1>\n  awaited by task 'parent':\n"
      .. "\ts:3: in function <s:2>\n", output)
  end)

  it("is kept in errors of the lull classes", function()
    local task = lull.create_task(async(function() error(lull.TimeoutError("x")) end)())
    local _, err = pcall(await, task)
    assert.matches("error_spec.lua:%d+: in function", err.traceback)
    assert.equal(err.traceback, task:traceback())
  end)

  it("of a task that waits shows where; of one that has not started, that", function()
    local task = lull.create_task(async(function()
      coroutine.wrap(function() await(lull.sleep(0.001)) end)()
    end)())
    assert.matches("not started", task:traceback())
    await(lull.sleep(0))
    local _, frames = task:traceback():gsub("error_spec.lua:%d+: in ", "")
    assert.equal(2, frames)
    await(task)
    assert.is_nil(task:traceback())
  end)

  it("leaves out the middle of many frames", function()
    local function deep(n)
      if n == 0 then error("deep") end
      local x = deep(n - 1)
      return x
    end
    local task = lull.create_task(async(deep)(5000))
    assert.is_false(pcall(await, task))
    local _, lines = task:traceback():gsub("\n", "")
    assert.is_true(lines > 10 and lines < 30, lines)
    assert.matches("%d+ frames left out", task:traceback())
  end)

  it("of a cancelled task is nil", function()
    local task = lull.create_task(lull.sleep(3600))
    task:cancel()
    assert.is_false(pcall(await, task))
    assert.is_nil(task:traceback())
  end)
end)

describe("a script that fails", function()
  it("shows the message and a traceback through the awaiting tasks, and exits with 1", function()
    local output, status = run([[
local inner = async(function()
  await(lull.sleep(1))
  error("boom")
end)
local task = lull.create_task(inner(), {name = "inner"})
await(task)
]])
    assert.equal([[
lull: s:3: boom
stack traceback:
	s:3: in function <s:1>
  awaited by task 'main':
	s:6: in main chunk
]], output)
    assert.equal(1, status)
  end)

  it("shows error values of any type", function()
    for value, shown in pairs({
      ["'text'"] = "text", ["42"] = "42", ["nil"] = "%(error object is a nil value%)",
      ["{}"] = "%(error object is a table value%)",
      ["print"] = "%(error object is a function value%)",
      ["setmetatable({}, {__tostring = function() return 'told' end})"] = "told",
      ["setmetatable({}, {__tostring = error})"] = "%(error object whose __tostring fails%)",
      ["lull.OSError('disk')"] = "OSError: disk",
    }) do
      local output, status = run("error(" .. value .. ", 0)")
      assert.matches("^lull: " .. shown, output)
      assert.equal(1, status)
    end
  end)

  it("does not hang on an error whose metatables' parents go in a circle", function()
    local output, status = run("local m = {} m.parent = m error(setmetatable({}, m))")
    assert.matches("^lull: %(error object is a table value%)", output)
    assert.equal(1, status)
  end)

  it("warns of a task that failed and nobody looked, with its traceback", function()
    local output, status = run([[
local function fail() error("unseen") end
lull.create_task(async(function() fail() end)(), {name = "lost"})
await(lull.sleep(1))
print("end")
]])
    assert.matches("^end\nlull: warning: task 'lost' failed and nobody looked: s:1: unseen", output)
    assert.matches("s:1: in upvalue 'fail'", output)
    assert.equal(0, status)
  end)
end)

describe("a deadlock", function()
  it("lists every task and the line where it waits; they unwind; exit 1", function()
    local output, status = run([[
local future = lull.future()
lull.create_task(async(function()
  local ok, err = pcall(await, future)
  await(lull.sleep(1))
  print("unwound", ok, lull.is_error(err, lull.CancelledError))
end)(), {name = "a"})
local queue = lull.queue()
lull.create_task(async(function()
  coroutine.wrap(function()
    await(queue:get())
  end)()
end)(), {name = "b"})
local function helper()
  return await(future)
end
helper()
]])
    assert.matches("unwound\tfalse\ttrue\n", output)
    assert.matches("deadlock", output)
    assert.matches("task 'main' waits for a future at s:14", output)
    assert.matches("task 'a' waits for a future at s:3", output)
    assert.matches("task 'b' waits for .+ at s:10", output)
    assert.equal(1, status)
  end)

  it("of tasks that wait for each other is found", function()
    local output, status = run([[
local a, b
a = lull.create_task(function() await(b) end, {name = "a"})
b = lull.create_task(function() await(a) end, {name = "b"})
await(a)
]])
    assert.matches("deadlock", output)
    assert.matches("task 'b' waits for a task at s:3", output)
    assert.equal(1, status)
  end)

  it("is none while a timer runs or when the main task ends", function()
    local output, status = run([[
local future = lull.future()
lull.create_task(function() await(future) end)
lull.loop():call_later(5, function() future:set_result("woken") end)
print(await(future))
lull.create_task(function() await(lull.future()) end)
]])
    assert.equal("woken\n", output)
    assert.equal(0, status)
  end)
end)
