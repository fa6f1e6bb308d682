-- The loop object and run, in the host's main task and, in a process of their own, without a task.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function fails(code, pattern)
  local output, status = script.run("local lull = require 'lull'\n" .. code)
  assert.matches(pattern, output)
  assert.equal(1, status)
end

-- What a script prints when a stock Lua interpreter runs it, which has no main task.
local function run_stock(code)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(("package.cpath = %q .. package.cpath\n")
    :format(os.getenv("LULL_BUILD") .. "/lua/5.4/?.so;"), code)
  file:close()
  local preload = os.getenv("LULL_PRELOAD") or ""
  local pipe = assert(io.popen(("LD_PRELOAD=%s timeout 60 lua5.4 %s 2>&1"):format(preload, path)))
  local output = pipe:read("a")
  pipe:close()
  os.remove(path)
  return output
end

describe("the loop object", function()
  tidy.watch(before_each, after_each)

  local loop = lull.loop()

  it("is one, is running, and is not closed", function()
    assert.equal(loop, lull.loop())
    assert.is_true(loop:is_running())
    assert.is_false(loop:is_closed())
    assert.equal("loop (running=true closed=false)", tostring(loop))
  end)

  it("tells the time as now does", function()
    local before = lull.now()
    local time = loop:time()
    assert.is_true(before <= time and time <= lull.now())
  end)

  it("runs until something is done in the main task", function()
    assert.same({ 1, 2 }, { loop:run_until_complete(async(function()
      await(lull.sleep(0))
      return 1, 2
    end)()) })
    local err = {}
    local ok, caught = pcall(loop.run_until_complete, loop, async(function() error(err) end)())
    assert.is_false(ok)
    assert.equal(err, caught)
  end)

  it("refuses to run in a task other than the main one", function()
    local errors = {}
    await(lull.create_task(function()
      for i, f in ipairs({
        function() loop:run_until_complete(lull.future()) end,
        function() loop:run_forever() end,
        function() lull.run(lull.future()) end,
        function() loop:close() end,
      }) do
        errors[i] = select(2, pcall(f))
      end
    end))
    assert.matches("run_until_complete can be called in the main task only", errors[1])
    assert.matches("run_forever can be called in the main task only", errors[2])
    assert.matches("run can be called in the main task only", errors[3])
    assert.matches("a running loop cannot be closed", errors[4])
  end)

  it("runs forever until it is stopped, again and again", function()
    for i = 1, 3 do
      local ticks = 0
      local ticker = lull.create_task(function()
        while true do
          ticks = ticks + 1
          if ticks == i then loop:stop() end
          await(lull.sleep(0.001))
        end
      end)
      loop:run_forever()
      assert.is_true(ticks >= i)
      ticker:cancel()
      assert.is_false(pcall(await, ticker))
    end
  end)

  it("checks arguments", function()
    assert.has_error.matches(function() loop:run_until_complete(42) end,
      "bad argument #1 to 'run_until_complete' %(awaitable expected, got number%)")
    assert.has_error.matches(function() loop:run_until_complete() end, "expected, got nil")
  end)
end)

describe("run in the main task", function()
  tidy.watch(before_each, after_each)

  it("is await: all results, the very error, and other tasks live on", function()
    local other = lull.create_task(lull.sleep(0.002, "other"))
    assert.same({ n = 3, 1, nil, 3 }, table.pack(lull.run(async(function(...)
      await(lull.sleep(0))
      return ...
    end)(1, nil, 3))))
    assert.equal("f", lull.run(function() return "f" end))
    local err = {}
    assert.equal(err, select(2, pcall(lull.run, async(function() error(err) end)())))
    assert.equal("other", await(other))
  end)

  it("checks its arguments", function()
    local c = lull.sleep(0)
    assert.has_error.matches(function() lull.run(42) end,
      "bad argument #1 to 'run' %(awaitable expected, got number%)")
    assert.has_error.matches(function() lull.run() end, "awaitable expected")
    assert.has_error.matches(function() lull.run(c, { clok = 1 }) end, "unknown option 'clok'")
    assert.has_error.matches(function() lull.run(c, { clock = "fake" }) end, "option 'clock'")
    assert.has_error.matches(function() lull.run(c, 42) end, "table expected, got number")
    lull.run(c)
  end)
end)

describe("a closed loop", function()
  it("takes nothing any more", function()
    local output, status = script.run([[
local lull = require "lull"
local loop = lull.loop()
local f = lull.async(function() end)
loop:close()
loop:close()
print(loop:is_closed(), loop)
for _, try in ipairs {
  function() lull.create_task(f()) end,
  function() lull.gather(f()) end,
  function() loop:run_until_complete(f()) end,
  function() loop:run_forever() end,
  function() lull.run(f()) end,
  function() loop:call_soon(print) end,
  function() loop:call_later(1, print) end,
  function() loop:call_at(1, print) end,
} do
  print((select(2, pcall(try)):gsub("^.-:%d+: ", "")))
end
os.exit(0)
]])
    assert.equal("true\tloop (running=true closed=true)\n" .. ("the loop is closed\n"):rep(8),
      output)
    assert.equal(0, status)
  end)
end)

describe("debug mode", function()
  it("warns of a CancelledError that a plain pcall caught, when the task awaits again", function()
    local output = script.run([[
local lull = require "lull"
lull.run(function() end, {debug = true})
local task = lull.create_task(function()
  pcall(lull.await, lull.sleep(10))
  lull.await(lull.sleep(1))
end, {name = "deaf"})
lull.await(lull.sleep(1))
task:cancel()
lull.await(task)
print("end")
]])
    assert.matches("task 'deaf' caught CancelledError with pcall and awaits again", output)
    assert.matches("script.lua:5: in", output)
    assert.matches("\nend\n$", output)
  end)

  it("does not mind lull.try", function()
    assert.equal("end\n", (script.run([[
local lull = require "lull"
local task = lull.create_task(function()
  lull.try(lull.await, lull.sleep(10))
end)
lull.await(lull.sleep(1))
task:cancel()
pcall(lull.await, task)
print("end")
]], "--debug --virtual-clock")))
  end)
end)

describe("without a main task, in a stock Lua interpreter", function()
  it("run runs the loop, cancels what is left, and gives results and errors", function()
    assert.equal([[
false	false
true	true
unwound
1	nil	3
boom
nested	true
await outside any task
100.0
]], run_stock([[
local lull = require "lull"
local async, await = lull.async, lull.await
local loop = lull.loop()
print(loop:is_running(), loop:is_closed())
local results = table.pack(lull.run(async(function(...)
  print(loop:is_running(), lull.current_task() ~= nil)
  lull.create_task(async(function()
    local _ <close> = setmetatable({}, {__close = function()
      await(lull.sleep(0.001))
      print("unwound")
    end})
    await(lull.future())
  end)())
  await(lull.sleep(0.001))
  return ...
end)(1, nil, 3)))
print(table.unpack(results, 1, results.n))
print(select(2, pcall(lull.run, async(function() error("boom", 0) end)())))
lull.run(function() print("nested", (pcall(lull.run, function() end))) end)
print((select(2, pcall(await, function() end)):match("await outside any task")))
lull.run(function() await(lull.sleep(100)) print(lull.now()) end, {clock = "virtual"})
]]))
  end)

  it("a coroutine resumed by a function that lull does not know cannot await", function()
    local message = "await inside a coroutine that was not resumed by lull's coroutine library"
    assert.equal("false\t" .. message .. "\ntrue\tstill works\n", run_stock([[
local foreign_resume = coroutine.resume
local lull = require "lull"
lull.run(function()
  local c = lull.sleep(0.001, "still works")
  local ok, err = foreign_resume(coroutine.create(function() lull.await(c) end))
  print(ok, (err:gsub("^%S+:%d+: ", "")))
  print(pcall(lull.await, c))
end)
]]))
  end)

  it("run_until_complete and run_forever run the loop, stop stops it", function()
    assert.equal([[
42
ticks	3
the loop was stopped before the awaitable was done
deadlock
true
the loop is closed
]], run_stock([[
local lull = require "lull"
local loop = lull.loop()
print(loop:run_until_complete(lull.sleep(0.001, 42)))
local ticks = 0
local function tick()
  ticks = ticks + 1
  if ticks == 3 then loop:stop() else loop:call_later(0.001, tick) end
end
loop:call_soon(tick)
loop:run_forever()
print("ticks", ticks)
loop:call_soon(function() loop:stop() end)
local function message(f, ...)
  return (tostring(select(2, pcall(f, ...))):gsub("^%S+:%d+: ", ""))
end
print(message(loop.run_until_complete, loop, lull.sleep(0.05)))
print(message(lull.run, lull.future()):match("deadlock"))
loop:close()
print(loop:is_closed())
print(message(lull.run, function() end))
]]))
  end)
end)

it("a script may stop at an error while other tasks run, and they unwind", function()
  fails([[
lull.create_task(function()
  local _ <close> = setmetatable({}, {__close = function()
    lull.await(lull.sleep(1))
    print("unwound")
  end})
  lull.await(lull.future())
end)
lull.await(lull.sleep(1))
error("stop", 0)
]], "unwound\nlull: stop\n")
end)
