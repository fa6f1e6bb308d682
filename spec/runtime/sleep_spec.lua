-- sleep, now and blocking_sleep.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

describe("sleep", function()
  tidy.watch(before_each, after_each)

  it("gives its result, any value", function()
    local value = {}
    assert.equal(value, await(lull.sleep(0.001, value)))
    assert.is_false(await(lull.sleep(0.001, false)))
    assert.equal("x", await(lull.sleep(0, "x")))
    assert.same({ n = 0 }, table.pack(await(lull.sleep(0.001))))
    assert.same({ n = 0 }, table.pack(await(lull.sleep(0, nil))))
  end)

  it("takes as long as it was told", function()
    for _, seconds in ipairs({ 0.001, 0.01, 0.02 }) do
      local begin = lull.now()
      await(lull.sleep(seconds))
      local taken = lull.now() - begin
      assert.is_true(taken >= seconds - 1e-6 and taken < seconds + 5, tostring(taken))
    end
  end)

  it("counts from when it is awaited, not from when it is made", function()
    local sleep = lull.sleep(0.02)
    await(lull.sleep(0.02))
    local begin = lull.now()
    await(sleep)
    assert.is_true(lull.now() - begin >= 0.0199)
  end)

  it("of zero or less lets everything that is ready run first, once", function()
    local order = {}
    for i = 1, 2 do
      lull.create_task(async(function()
        table.insert(order, i .. "a")
        await(lull.sleep(i == 1 and 0 or -5))
        table.insert(order, i .. "b")
      end)())
    end
    await(lull.sleep(0))
    table.insert(order, "main")
    await(lull.sleep(-math.huge))
    assert.same({ "1a", "2a", "main", "1b", "2b" }, order)
  end)

  it("wakes in the order of the times, equal ones in the order they began", function()
    assert.equal("2 4 6 3 1 5\n", (script.run([[
      local lull = require "lull"
      local order, tasks = {}, {}
      for i, delay in ipairs {0.3, 0.1, 0.2, 0.1, 0.3, 0.1} do
        tasks[i] = function()
          lull.await(lull.sleep(delay))
          table.insert(order, i)
        end
      end
      lull.await(lull.gather(tasks))
      print(table.concat(order, " "))
    ]])))
  end)

  it("starves nobody, though a task sleeps zero seconds all the time", function()
    local script_output = script.run([[
      local lull = require "lull"
      local task = lull.create_task(function()
        while true do lull.await(lull.sleep(0)) end
      end)
      lull.await(lull.sleep(0.01))
      task:cancel()
      print("slept")
    ]], "")
    assert.equal("slept\n", script_output)
  end)

  it("can be cancelled, before it begins and during it", function()
    local a, b = lull.create_task(lull.sleep(3600)), lull.create_task(lull.sleep(3600))
    a:cancel()
    await(lull.sleep(0))
    b:cancel()
    for _, task in ipairs({ a, b }) do
      assert.is_true(lull.is_error(select(2, pcall(await, task)), lull.CancelledError))
    end
  end)

  it("does not wait if the task is to be cancelled", function()
    for _, seconds in ipairs({ 0, 3600 }) do
      local task = lull.create_task(async(function()
        lull.current_task():cancel()
        await(lull.sleep(seconds))
      end)())
      assert.is_false(pcall(await, task))
      assert.is_true(task:cancelled())
    end
  end)

  it("checks its argument at once", function()
    for _, value in ipairs({ "x", {}, true, io.stdout }) do
      assert.has_error.matches(function() lull.sleep(value) end, "number expected")
    end
    assert.has_error.matches(function() lull.sleep() end, "number expected")
    assert.has_error.matches(function() lull.sleep(0 / 0) end, "a number of seconds expected")
  end)

  it("keeps the result of each apart, though objects are used again", function()
    local list = {}
    for i = 1, 100 do list[i] = lull.sleep((i % 7) / 1000, i) end
    local results = await(lull.gather(list))
    for i = 1, 100 do assert.equal(i, results[i]) end
    assert.same({ n = 0 }, table.pack(await(lull.sleep(0))))
  end)

  it("does not keep its result alive", function()
    local weak = setmetatable({}, { __mode = "v" })
    local function run()
      weak[1] = {}
      await(lull.sleep(0, weak[1]))
      weak[2] = {}
      pcall(lull.sleep, 0 / 0, weak[2])
    end
    await(lull.create_task(async(run)()))
    await(lull.sleep(0))
    await(lull.sleep(0))
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("under the virtual clock", function()
  it("an hour of sleep takes no time, and now shows it", function()
    local output, status = script.run([[
      local lull = require "lull"
      print(lull.now())
      lull.await(lull.sleep(3600))
      print(lull.now())
      lull.blocking_sleep(5.5)
      print(lull.now())
      lull.await(lull.gather(lull.sleep(10), lull.sleep(20), lull.sleep(15)))
      print(lull.now())
    ]])
    assert.equal("0.0\n3600.0\n3605.5\n3625.5\n", output)
    assert.equal(0, status)
  end)

  it("timers fire exactly at their times", function()
    local output = script.run([[
      local lull = require "lull"
      local loop = lull.loop()
      for _, d in ipairs {0.3, 0.1, 0.2} do
        loop:call_later(d, function() print(d, loop:time() == d) end)
      end
      lull.await(lull.sleep(0.25))
      print(lull.now())
      lull.await(lull.sleep(0.25))
    ]])
    assert.equal("0.1\ttrue\n0.2\ttrue\n0.25\n0.3\ttrue\n", output)
  end)
end)

describe("now and blocking_sleep", function()
  tidy.watch(before_each, after_each)

  it("count monotonic seconds", function()
    local begin = lull.now()
    lull.blocking_sleep(0.01)
    local taken = lull.now() - begin
    assert.is_true(taken >= 0.0099 and taken < 5, tostring(taken))
    assert.is_true(lull.now() >= begin + taken)
  end)

  it("let no other task run", function()
    local ran = false
    local task = lull.create_task(function() ran = true end)
    lull.blocking_sleep(0.001)
    lull.blocking_sleep(0)
    lull.blocking_sleep(-1)
    assert.is_false(ran)
    await(task)
  end)

  it("check their arguments", function()
    assert.has_error.matches(function() lull.blocking_sleep("x") end, "number expected")
    assert.has_error.matches(function() lull.blocking_sleep(0 / 0) end, "seconds expected")
  end)

  it("for ever does not move the virtual clock", function()
    local text = [[
      local lull = require "lull"
      lull.create_task(lull.sleep(math.huge))
      lull.await(lull.sleep(2))
      print(lull.now())
    ]]
    local pipe = io.popen(("timeout 10 %s --virtual-clock -e '%s' 2>&1"):format(os.getenv("LULL"),
      text))
    local said = pipe:read("a")
    pipe:close()
    assert.equal("2.0\n", said)
  end)
end)
