-- Coroutine objects that nobody awaits: the warning, and when there is none.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local prelude = [[
local lull = require "lull"
local async, await = lull.async, lull.await
local f = async(function() end)
]]

local function warnings(code, options)
  local output, status = script.run(prelude .. code, options)
  assert.equal(0, status, output)
  local list = {}
  for line in output:gmatch("[^\n]+") do table.insert(list, line) end
  return list
end

describe("a coroutine object that nobody awaits", function()
  it("is warned of when it is collected: what it is, and where it was made", function()
    assert.same({
      "lull: warning: coroutine object (script.lua:3) was never awaited (made at script.lua:4)",
      "next",
    }, warnings([[
f()
collectgarbage()
await(lull.sleep(0))
print("next")
]]))
  end)

  it("is warned of at the end if it was kept", function()
    assert.same({
      "end",
      "lull: warning: coroutine object (script.lua:3) was never awaited (made at script.lua:4)",
    }, warnings([[
kept = f()
print("end")
]]))
  end)

  it("is warned of once each", function()
    local list = warnings([[
for _ = 1, 3 do
  f()
end
f()
for _ = 1, 3 do
  collectgarbage()
  await(lull.sleep(0))
end
]])
    assert.equal(4, #list)
    table.sort(list)
    assert.matches("made at script.lua:5", list[3])
    assert.matches("made at script.lua:7", list[4])
  end)

  it("may be an operation: sleep, queue:get, wait_for and their like", function()
    local list = warnings([[
lull.sleep(1)
lull.queue():get()
lull.wait_for(lull.future(), 1)
lull.event():wait()
]])
    assert.equal(4, #list)
    table.sort(list)
    for i, line in ipairs(list) do
      assert.matches("^lull: warning: coroutine object %(.+%) was never awaited", line)
      assert.is_nil(line:find("=", 1, true), "line " .. i)
    end
    assert.matches("sleep%) was never awaited %(made at script.lua:4%)",
      table.concat(list, "\n"))
    assert.matches("wait_for%) was never awaited %(made at script.lua:6%)",
      table.concat(list, "\n"))
  end)

  it("is told with its place, in a task and in a coroutine too", function()
    local list = warnings([[
await(lull.create_task(function()
  f()
end))
coroutine.wrap(function()
  f()
end)()
]])
    table.sort(list)
    assert.matches("made at script.lua:5", list[1])
    assert.matches("made at script.lua:8", list[2])
  end)

  it("in any number gets its warnings", function()
    local list = warnings([[
for _ = 1, 5000 do f() end
collectgarbage()
await(lull.sleep(0))
]])
    assert.equal(5000, #list)
  end)
end)

describe("there is no warning of a coroutine object", function()
  it("that was awaited, made a task or gathered", function()
    assert.same({ "end" }, warnings([[
await(f())
await(lull.create_task(f()))
await(lull.gather(f(), f()))
await(lull.gather{f(), f(), limit = 1})
await(lull.wait({f(), f()}))
await(lull.wait_for(f(), 1))
await(lull.wait_for(lull.sleep(0), 1))
await(lull.shield(f()))
for task in lull.as_completed({f(), f()}) do await(task) end
do local tg <close> = lull.task_group() tg:create_task(f()) end
await(function() return f() end)
await(setmetatable({}, {__await = function() return f() end}))
local c = f()
c, kept = nil, lull.create_task(c)
await(kept)
collectgarbage()
await(lull.sleep(0))
print("end")
]]))
  end)

  it("whose task was cancelled before it started", function()
    assert.same({}, warnings([[
lull.create_task(f()):cancel()
local g = lull.gather(f(), f())
g:cancel()
pcall(await, g)
]]))
  end)

  it("whose body failed", function()
    assert.same({}, warnings([[
pcall(await, async(function() error("x") end)())
]]))
  end)

  it("that another one passed to it awaits", function()
    assert.same({}, warnings([[
await(async(function(c) return await(c) end)(f()))
]]))
  end)
end)

describe("noting coroutine objects", function()
  tidy.watch(before_each, after_each)

  it("keeps none of them alive", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function run()
      for _ = 1, 100 do
        local c = async(function() end)()
        weak[c] = true
        await(c)
      end
    end
    await(lull.create_task(async(run)()))
    await(lull.sleep(0))
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("works when finalizers make coroutine objects, at any moment", function()
    local made, f = {}, async(function() end)
    local function drop()
      setmetatable({}, { __gc = function()
        local c, op = f(), lull.sleep(0)
        made[#made + 1] = c
        made[#made + 1] = op
      end })
    end
    local mode = collectgarbage("incremental", 1, 1000)
    for i = 1, 3000 do
      drop()
      if i % 2 == 0 then
        await(f())
      else
        local c = load("return ...", "=chunk" .. i)(f())
        made[#made + 1] = c
      end
    end
    collectgarbage()
    collectgarbage("incremental", 200, 100)
    collectgarbage(mode)
    local count = #made
    for i = 1, count do await(made[i]) end
    for i = count + 1, #made do await(made[i]) end
    assert.is_true(count > 3000)
  end)
end)
