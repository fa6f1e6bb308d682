-- lull.timer: measuring and telling in words.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")
local timer = require("lull.timer")

describe("a timer", function()
  tidy.watch(before_each, after_each)

  it("gives the seconds between start and stop", function()
    local t = timer.new({ text = false })
    assert.equal(t, t:start())
    lull.await(lull.sleep(0.01))
    local seconds = t:stop()
    assert.is_true(seconds >= 0.0099 and seconds < 5)
    assert.equal(seconds, t.last)
  end)

  it("can be started again when it was stopped", function()
    local t = timer.new({ text = false })
    for _ = 1, 3 do
      t:start()
      assert.is_true(t:stop() >= 0)
    end
  end)

  it("refuses to start twice, and to stop when it is not running", function()
    local t = timer.new({ text = false })
    local ok, err = pcall(t.stop, t)
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, timer.TimerError))
    assert.matches("not running", tostring(err))
    t:start()
    ok, err = pcall(t.start, t)
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, timer.TimerError))
    assert.matches("is running", tostring(err))
    t:stop()
  end)

  it("checks its options", function()
    for options, message in pairs({
      [{ text = 42 }] = "option 'text' must be a string or false",
      [{ text = true }] = "option 'text' must be a string or false",
      [{ name = 42 }] = "option 'name' must be a string",
      [{ text = "{:.q}" }] = "option 'text' has a format",
      [{ text = "{name:.1f}", name = "x" }] = "option 'text' has a format",
      [{ txt = "x" }] = "unknown option 'txt'",
    }) do
      assert.has_error.matches(function() timer.new(options) end, message)
    end
    assert.has_error.matches(function() timer.new("x") end,
      "bad argument #1 to 'new' %(table expected, got string%)")
  end)
end)

describe("a timer's text", function()
  local function prints(options, code)
    return (script.run(([[
local lull = require "lull"
local timer = require "lull.timer"
local t = timer.new(%s)
%s
]]):format(options, code or "t:start() lull.await(lull.sleep(90.25)) t:stop()")))
  end

  it("is printed when it is stopped", function()
    assert.equal("Elapsed time: 90.2 seconds\n", prints(""))
    assert.equal("Elapsed time: 90.2 seconds\n", prints("{}"))
    assert.equal("took 90.25\n", prints("{text = 'took {:.2f}'}"))
    assert.equal("", prints("{text = false}"))
  end)

  it("knows seconds, milliseconds, minutes and the name", function()
    assert.equal("load: 90.250 s, 90250 ms, 1.5 min, 90.25\n",
      prints("{name = 'load', text = '{name}: {seconds:.3f} s, {milliseconds:.0f} ms, "
        .. "{minutes:.1f} min, {}'}"))
  end)

  it("keeps other braces as they are", function()
    assert.equal("{unknown} { } {1} 90.2\n", prints("{text = '{unknown} { } {1} {:.1f}'}"))
  end)

  it("is printed at the end of a block, however it ends", function()
    assert.equal("Elapsed time: 2.0 seconds\nElapsed time: 1.0 seconds\nfalse\n", prints("", [[
do
  local _ <close> = t:start()
  lull.await(lull.sleep(2))
end
print((pcall(function()
  local _ <close> = t:start()
  lull.await(lull.sleep(1))
  error("x")
end)))]]))
  end)

  it("is printed once if it is stopped inside the block", function()
    assert.equal("Elapsed time: 1.0 seconds\n", prints("", [[
local _ <close> = t:start()
lull.await(lull.sleep(1))
t:stop()]]))
  end)
end)
