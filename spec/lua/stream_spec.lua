-- lull.stream: sources, what each method gives, and how a stream ends. What runs in tasks of its
-- own, calls ahead and merged sources, is tested in stream_tasks_spec.lua.
local cancellation = require("spec.cancellation")
local lull = require("lull")
local script = require("spec.script")
local stream = require("lull.stream")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local async, await = lull.async, lull.await
local raises, seconds, turns = waiting.raises, waiting.seconds, waiting.turns

waiting.use_virtual_clock()

local function list(s) return await(s:list()) end

-- The parts of every value.
local function parts(s)
  local found = {}
  await(s:each(function(...) found[#found + 1] = { ... } end))
  return found
end

local count = lull.generator(function(yield, n)
  for i = 1, n do
    await(lull.sleep(1))
    yield(i)
  end
end)

local function on_close(f) return setmetatable({}, { __close = f }) end

-- A generator of numbers that notes in a log when it is closed, which takes a second.
local numbers = lull.generator(function(yield, log, n)
  local _ <close> = on_close(function()
    local _ <close> = on_close(function() log[#log + 1] = "closed" end)
    await(lull.sleep(1))
  end)
  for i = 1, n or 10 do
    await(lull.sleep(1))
    yield(i)
  end
end)

local is_even = function(x) return x % 2 == 0 end

local slowly = function(f)
  return async(function(...)
    await(lull.sleep(1))
    return f(...)
  end)
end

-- A function must fail with a message that blames this file.
local function blames_caller(message, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches("^[^:]*stream_spec.lua:%d+: ", err)
  assert.equal(message, (err:gsub("^.-:%d+: ", "")))
end

describe("a stream", function()
  tidy.watch(before_each, after_each)

  it("takes the values of a list, to its first nil or to its length", function()
    assert.same({ 3, 1, 2 }, list(stream({ 3, 1, 2 })))
    assert.same({}, list(stream({})))
    assert.same({ false, "x" }, list(stream({ false, "x", nil })))
    assert.same({ 1, 2 }, list(stream({ 1, 2, 3, n = 2 })))
    assert.same({ "a", "b" }, list(stream(await(lull.gather({ lull.sleep(0, "a"),
      lull.sleep(0, "b") })))))
  end)

  it("does not pass over a nil in a list that has its length", function()
    local _, err = pcall(list, stream({ 1, nil, 3, n = 3 }))
    assert.equal("item 2 of the list is nil, which a stream cannot carry", err)
  end)

  it("takes an iterator function with whatever follows it in a `for`", function()
    assert.same({ 1, 2 }, list(stream(ipairs({ "a", "b" }))))
    assert.same({ { 1, "a" }, { 2, "b" } }, parts(stream(ipairs({ "a", "b" }))))
    assert.same({ x = 1, y = 2 }, await(stream(pairs({ x = 1, y = 2 })):table()))
    assert.same({ "a", "b" }, list(stream(("a b"):gmatch("%a"))))
    local i = 0
    assert.same({ 1, 2, 3 }, list(stream(function()
      i = i + 1
      return i < 4 and i or nil
    end)))
    assert.same({ 1, 2 }, list(stream(coroutine.wrap(function()
      coroutine.yield(1)
      await(lull.sleep(1))
      coroutine.yield(2)
    end))))
  end)

  it("takes a generator, alone or as a `for` would", function()
    assert.same({ 1, 2, 3 }, list(stream(count(3))))
    local g = count(2)
    assert.same({ 1, 2 }, list(stream(g)))
    assert.is_nil(g())
  end)

  it("takes an object that can be called, and one that awaits when it is", function()
    local Countdown = { __call = function(self)
      await(lull.sleep(1))
      self.left = self.left - 1
      return self.left >= 0 and self.left or nil
    end }
    assert.same({ 2, 1, 0 }, list(stream(setmetatable({ left = 3 }, Countdown))))
    Countdown.__call = async(Countdown.__call)
    assert.same({ 2, 1, 0 }, list(stream(setmetatable({ left = 3 }, Countdown))))
  end)

  it("takes what hides its metatable", function()
    local left, closed = 3, false
    local hidden = setmetatable({}, {
      __metatable = "hidden",
      __call = function()
        left = left - 1
        return left > 0 and left or nil
      end,
      __close = function() closed = true end,
    })
    assert.same({ 2, 1 }, list(stream(hidden)))
    assert.is_true(closed)
    local lock = lull.lock()
    assert.same({ 1 }, list(stream(next, { "a" }, nil, await(lock:acquire()))))
    assert.is_false(lock:locked())
  end)

  it("takes an async function, and awaits it for each value", function()
    local i = 0
    local step = async(function()
      await(lull.sleep(1))
      i = i + 1
      if i < 4 then return i, -i end
    end)
    assert.same({ { 1, -1 }, { 2, -2 }, { 3, -3 } }, parts(stream(step)))
  end)

  it("takes what a queue and as_completed iterate over", function()
    local queue = lull.queue()
    for i = 1, 3 do queue:put_nowait(i) end
    queue:shutdown()
    assert.same({ 1, 2, 3 }, list(stream(queue:iter())))
    local tasks = stream(lull.as_completed({ lull.sleep(2, "b"), lull.sleep(1, "a") }))
    assert.same({ "a", "b" }, list(tasks:map(await)))
  end)

  it("does not await what its source gives", function()
    local double = async(function(x) return 2 * x end)
    assert.same({ 2, 4 }, list(stream({ double(1), double(2) }):map(await)))
    local g = lull.generator(function(yield)
      for i = 1, 2 do yield(double(i)) end
    end)
    assert.same({ 2, 4 }, list(stream(g()):map(await)))
  end)

  it("takes another stream", function()
    local inner = stream({ 1, 2, 3 }):skip(1)
    local outer = stream(inner)
    assert.equal("stream (used)", tostring(inner))
    assert.equal("stream", tostring(outer))
    assert.same({ 2, 3 }, list(outer))
  end)

  it("takes what another stream's iter gives, or has left", function()
    assert.same({ 1, 2 }, list(stream(stream(count(2)):iter())))
    local it = stream(count(3)):iter()
    assert.equal(1, it())
    local rest = stream(it)
    assert.is_nil(it())
    assert.same({ 2, 3 }, list(rest))
    assert.same({}, list(stream(it)))
  end)

  it("cannot take what another task is just taking from", function()
    local it = stream(count(2)):iter()
    local task = lull.create_task(function() return (it()) end)
    turns(2)
    local ok, err = pcall(list, stream(it))
    assert.is_false(ok)
    assert.matches("the stream is being read already", err)
    assert.equal(1, await(task))
    it:close()
  end)

  it("is lazy: nothing happens before somebody asks for values", function()
    local asked = 0
    local function source()
      asked = asked + 1
      return asked < 4 and asked or nil
    end
    local function f(x)
      asked = asked + 100
      return x
    end
    local s = stream(source):map(f):filter(f):take(2):skip(0):enumerate():chunk(1):flat_map(f)
    s = s:merge({}):zip({}):timeout(1):throttle(1):map(f, { limit = 2 }):filter(f, { limit = 2 })
    turns(5)
    assert.equal(0, asked)
    local collected = s:list()
    turns(5)
    assert.equal(0, asked)
    assert.equal("coroutine object", tostring(collected):match("^[%a ]+%a"))
    assert.same({}, await(collected))
  end)

  it("does not ask again once its source gave nil", function()
    local asked = 0
    local function source()
      asked = asked + 1
      assert(asked <= 2, "asked after the end")
      return asked == 1 and "x" or nil
    end
    local function again() asked = 0 return stream(source) end
    local function identity(...) return ... end
    assert.same({ "x" }, list(again()))
    assert.same({ "x" }, list(again():map(identity):filter(identity):take(5):enumerate()
      :map(function(_, x) return x end)))
    assert.same({}, list(again():skip(5)))
    assert.same({ { "x" } }, list(again():chunk(2)))
    assert.same({ "x" }, list(again():take_while(identity)))
    assert.same({}, list(again():skip_while(identity)))
    assert.same({ "x" }, list(again():flat_map(function(x) return { x } end)))
    assert.same({ "x" }, list(again():map(identity, { limit = 3 })))
    assert.same({ "x" }, list(again():merge()))
    assert.equal("x", await(again():reduce(identity)))
    asked = 1
    assert.is_nil(await(stream(source):reduce(identity)))
    local it <close> = again():iter()
    assert.equal("x", it())
    assert.is_nil(it())
    assert.is_nil(it())
  end)
end)

describe("map", function()
  tidy.watch(before_each, after_each)

  it("gives what its function makes of the values, one call after the other", function()
    assert.same({ 2, 4, 6 }, list(stream({ 1, 2, 3 }):map(function(x) return 2 * x end)))
    local running = 0
    local function f(x)
      running = running + 1
      assert.equal(1, running)
      await(lull.sleep(1))
      running = running - 1
      return -x
    end
    assert.equal(6, seconds(function()
      assert.same({ -1, -2, -3 }, list(stream(count(3)):map(f, { limit = 1 })))
    end))
  end)

  it("awaits a coroutine object that the function gives, and nothing else", function()
    assert.same({ 2, 4 }, list(stream({ 1, 2 }):map(slowly(function(x) return 2 * x end))))
    assert.same({ "a" }, list(stream({ "a" }):map(function(x) return lull.sleep(1, x) end)))
    local future = lull.future()
    future:set_result(1)
    assert.equal(future, list(stream({ 1 }):map(function() return future end))[1])
    assert.equal(print, list(stream({ 1 }):map(function() return print end))[1])
  end)

  it("hands over all parts of a value, and takes all results", function()
    assert.same({ { 3, "c", nil }, { "x", nil, 2 } }, parts(stream({ 1, 2 }):map(function(x)
      if x == 1 then return 3, "c" end
      return "x", nil, x
    end)))
    assert.same({ { "a", 1 }, { "b", 2 } },
      parts(stream(ipairs({ "a", "b" })):map(function(i, v) return v, i end)))
    assert.same({ { 1, 2, 3 } }, parts(stream({ 0 }):map(async(function() return 1, 2, 3 end))))
  end)

  it("fails if its function gives nil: that would end the stream", function()
    local _, err = pcall(list, stream({ 1, 2 }):map(function(x) if x == 1 then return x end end))
    assert.equal("map: its function gave nil, which a stream cannot carry", err)
    _, err = pcall(list, stream({ 1 }):map(async(function() end), { limit = 2 }))
    assert.equal("map: its function gave nil, which a stream cannot carry", err)
    assert.same({ false }, list(stream({ 1 }):map(function() return false end)))
  end)
end)

describe("filter", function()
  tidy.watch(before_each, after_each)

  it("gives the values its function gives true for, with all their parts", function()
    assert.same({ 2, 4 }, list(stream({ 1, 2, 3, 4 }):filter(is_even)))
    assert.same({ 2, 4 }, list(stream(count(5)):filter(slowly(is_even))))
    assert.same({ { 2, "b" } }, parts(stream(ipairs({ "a", "b", "c" }))
      :filter(function(i, v) return i == 2 and v == "b" end)))
    assert.same({}, list(stream({ 1, 2 }):filter(function() end)))
  end)

  it("can leave any number of values out", function()
    local n = 0
    local function source()
      n = n + 1
      return n <= 100000 and n or nil
    end
    assert.same({ 100000 }, list(stream(source):filter(function(x) return x == 100000 end)))
  end)
end)

describe("take", function()
  tidy.watch(before_each, after_each)

  it("gives the first values, and asks its source for no more", function()
    local asked = 0
    local function source()
      asked = asked + 1
      return asked
    end
    assert.same({ 1, 2 }, list(stream(source):take(2)))
    assert.equal(2, asked)
    assert.same({}, list(stream(source):take(0)))
    assert.equal(2, asked)
    assert.same({ { 1, "a" } }, parts(stream(ipairs({ "a", "b" })):take(1.0)))
    assert.same({ 1 }, list(stream({ 1 }):take(5)))
  end)
end)

describe("skip", function()
  tidy.watch(before_each, after_each)

  it("leaves the first values out", function()
    assert.same({ 3, 4 }, list(stream({ 1, 2, 3, 4 }):skip(2)))
    assert.same({ 1 }, list(stream({ 1 }):skip(0)))
    assert.same({}, list(stream({ 1 }):skip(2)))
    assert.same({ { 2, "b" } }, parts(stream(ipairs({ "a", "b" })):skip(1)))
  end)
end)

describe("take_while and skip_while", function()
  tidy.watch(before_each, after_each)

  it("split a stream where a function first gives false", function()
    local function small(x) return x < 3 end
    assert.same({ 1, 2 }, list(stream({ 1, 2, 3, 1 }):take_while(small)))
    assert.same({ 3, 1 }, list(stream({ 1, 2, 3, 1 }):skip_while(small)))
    assert.same({ 1, 2 }, list(stream(count(4)):take_while(slowly(small))))
    assert.same({ 3, 4 }, list(stream(count(4)):skip_while(slowly(small))))
    assert.same({ { 1, "a" } }, parts(stream(ipairs({ "a", "b" }))
      :take_while(function(_, v) return v == "a" end)))
    assert.same({ { 2, "b" } }, parts(stream(ipairs({ "a", "b" }))
      :skip_while(function(_, v) return v == "a" end)))
  end)
end)

describe("enumerate", function()
  tidy.watch(before_each, after_each)

  it("puts a number in front of a value's parts", function()
    assert.same({ { 1, "a" }, { 2, "b" } }, parts(stream({ "a", "b" }):enumerate()))
    assert.same({ { 1, "x", 7 } }, parts(stream(pairs({ x = 7 })):enumerate()))
  end)
end)

describe("chunk", function()
  tidy.watch(before_each, after_each)

  it("gives lists of values, the last one shorter", function()
    assert.same({ { 1, 2 }, { 3, 4 }, { 5 } }, list(stream({ 1, 2, 3, 4, 5 }):chunk(2)))
    assert.same({ { 1, 2 } }, list(stream({ 1, 2 }):chunk(2)))
    assert.same({ { false } }, list(stream({ false }):chunk(3)))
    assert.same({}, list(stream({}):chunk(1)))
    assert.same({ { 1, 2, 3 } }, list(stream(ipairs({ "a", "b", "c" })):chunk(10)))
  end)
end)

describe("zip", function()
  tidy.watch(before_each, after_each)

  it("puts the values of several sources side by side until one ends", function()
    assert.same({ { 1, "a", true }, { 2, "b", true } },
      parts(stream({ 1, 2, 3 }):zip({ "a", "b" }, function() return true end)))
    assert.same({ { 1 }, { 2 } }, parts(stream({ 1, 2 }):zip()))
    assert.same({ { 1, 1 } }, parts(stream(ipairs({ "a" })):zip(stream(ipairs({ "b", "c" })))))
  end)

  it("closes all of them at its end, the last one first", function()
    local log = {}
    local function closed_as(name)
      return on_close(function() log[#log + 1] = name end)
    end
    local a = stream(next, { 1, 2, 3 }, nil, closed_as("a"))
    local b = stream(next, { 1 }, nil, closed_as("b"))
    local c = stream(next, { 1, 2 }, nil, closed_as("c"))
    assert.same({ { 1, 1, 1 } }, parts(a:zip(b, c)))
    assert.same({ "c", "b", "a" }, log)
  end)

  it("takes a call that gives all a `for` needs as its last argument", function()
    assert.same({ { 1, 1, 1 }, { 2, 2, 2 } }, parts(stream(count(2)):zip(count(3), count(3))))
    assert.same({ { 1, "x" } }, parts(stream({ 1 }):zip(stream({ "x" }):iter())))
  end)
end)

describe("flat_map", function()
  tidy.watch(before_each, after_each)

  it("gives the values of the sources its function makes, one after the other", function()
    assert.same({ 1, 1, 2, 1, 2, 3 }, list(stream({ 1, 2, 3 }):flat_map(count)))
    assert.same({ 1, 10, 2, 20 }, list(stream({ 1, 2 }):flat_map(function(x)
      return { x, 10 * x }
    end)))
    assert.same({}, list(stream({ 1, 2 }):flat_map(function() return {} end)))
    assert.same({ 2, 4 }, list(stream({ 1, 2 }):flat_map(slowly(function(x)
      return stream({ x }):map(function(y) return 2 * y end)
    end))))
    assert.same({ { 1, "a" }, { 2, "b" } }, parts(stream({ { "a", "b" } }):flat_map(ipairs)))
    assert.same({ { 1, "a" } }, parts(stream(ipairs({ "a" }))
      :flat_map(function(i, v) return pairs({ [i] = v }) end)))
  end)

  it("closes each before the next is made", function()
    local log = {}
    local s = stream({ 1, 2 }):flat_map(function(n)
      log[#log + 1] = n
      return numbers(log, n)
    end)
    assert.same({ 1, 1, 2 }, list(s))
    assert.same({ 1, "closed", 2, "closed" }, log)
  end)

  it("closes the inner source, then the outer one, when it is left", function()
    local log = {}
    local outer = lull.generator(function(yield)
      local _ <close> = on_close(function() log[#log + 1] = "outer" end)
      yield(3)
    end)
    local it = stream(outer()):flat_map(function(n) return numbers(log, n) end):iter()
    assert.equal(1, it())
    it:close()
    assert.same({ "closed", "outer" }, log)
  end)

  it("can pass over any number of empty sources", function()
    local n = 0
    local function source()
      n = n + 1
      return n <= 100000 and n or nil
    end
    assert.same({}, list(stream(source):flat_map(function() return {} end)))
  end)

  it("fails if its function gives no source", function()
    local _, err = pcall(list, stream({ 1 }):flat_map(function() return 42 end))
    assert.equal("flat_map: iterator, list or stream expected, got number from its function", err)
    _, err = pcall(list, stream({ 1 }):flat_map(function() end))
    assert.equal("flat_map: iterator, list or stream expected, got nil from its function", err)
  end)
end)

describe("timeout", function()
  tidy.watch(before_each, after_each)

  it("lets through what comes in time", function()
    assert.same({ 1, 2, 3 }, list(stream(count(3)):timeout(1.5)))
    assert.same({ { 1, "a" } }, parts(stream(ipairs({ "a" })):timeout(0)))
    assert.same({ 1, 2 }, list(stream(count(2)):timeout(nil)))
    assert.same({ 1, 2 }, list(stream(count(2)):timeout(math.huge)))
  end)

  it("counts from when a value is asked for", function()
    local s = stream(count(3)):timeout(1.5)
    for _ in s:iter() do await(lull.sleep(10)) end
  end)

  it("raises TimeoutError when a value takes too long, and closes the source", function()
    local log = {}
    local s = stream(numbers(log, 3)):map(function(x)
      await(lull.sleep(x))
      return x
    end):timeout(2.5)
    local seen = {}
    assert.equal(2 + 2.5 + 1, seconds(function()
      raises(lull.TimeoutError, function()
        for x in s:iter() do seen[#seen + 1] = x end
      end)
    end))
    assert.same({ 1 }, seen)
    assert.same({ "closed" }, log)
    assert.equal(0, lull.current_task():cancelling())
  end)

  it("leaves a cancellation what it is", function()
    local task = lull.create_task(stream(count(1)):timeout(5):list())
    turns(3)
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.is_true(task:cancelled())
  end)
end)

describe("throttle", function()
  tidy.watch(before_each, after_each)

  local function times(s)
    local start, found = lull.now(), {}
    await(s:each(function()
      found[#found + 1] = math.floor((lull.now() - start) * 1e6 + 0.5) / 1e6
    end))
    return found
  end

  it("gives a value every so many seconds at most", function()
    assert.same({ 0, 2, 4 }, times(stream({ 1, 2, 3 }):throttle(2)))
    assert.same({ 1, 3, 5 }, times(stream(count(3)):throttle(2)))
    assert.same({ 1, 2, 3 }, times(stream(count(3)):throttle(0.5)))
    assert.same({ 0, 0, 0 }, times(stream({ 1, 2, 3 }):throttle(0)))
    assert.same({ { 1, "a" }, { 2, "b" } }, parts(stream(ipairs({ "a", "b" })):throttle(1)))
  end)

  it("does not make up for what came late", function()
    local s = stream({ 5, 0, 0 }):map(function(x) return lull.sleep(x, x) end):throttle(2)
    assert.same({ 5, 7, 9 }, times(s))
  end)

  it("adds no time at the end", function()
    assert.equal(2, seconds(list, stream({ 1, 2 }):throttle(2)))
  end)
end)

describe("a stream's result", function()
  tidy.watch(before_each, after_each)

  it("is a list of the values, of several parts the first", function()
    assert.same({ 1, 2 }, list(stream(ipairs({ "a", "b" }))))
    assert.same({}, list(stream({})))
  end)

  it("is a table of keys and values, the last of a key", function()
    assert.same({ a = 1, b = 3 }, await(stream({ "a1", "b2", "b3" }):map(function(s)
      return s:sub(1, 1), tonumber(s:sub(2))
    end):table()))
    assert.same({}, await(stream({ 1, 2 }):table()))
  end)

  it("is a set of the values", function()
    assert.same({ [0] = true, [1] = true },
      await(stream({ 1, 2, 3 }):map(function(x) return x % 2 end):set()))
  end)

  it("is what a function reduces the values to", function()
    local function add(a, b) return a + b end
    assert.equal(16, await(stream({ 1, 2, 3 }):reduce(add, 10)))
    assert.equal(6, await(stream({ 1, 2, 3 }):reduce(slowly(add))))
    assert.equal(7, await(stream({ 7 }):reduce(add)))
    assert.equal(0, await(stream({}):reduce(add, 0)))
    assert.is_nil(await(stream({}):reduce(add)))
    assert.equal("1a2b", await(stream(ipairs({ "a", "b" }))
      :reduce(function(text, i, v) return text .. i .. v end, "")))
    assert.is_nil(await(stream({ 1, 2 }):reduce(function() end)))
  end)

  it("is nothing after each value was given to a function, one after the other", function()
    local seen = {}
    assert.equal(0, select("#", await(stream(pairs({ x = 1 })):each(function(k, v)
      seen[k] = v
    end))))
    assert.same({ x = 1 }, seen)
    assert.equal(4, seconds(function()
      await(stream(count(2)):each(slowly(function() end), { limit = 1 }))
    end))
  end)

  it("can be waited for like any other, as a task too", function()
    assert.equal(2, seconds(function()
      local a, b = await(lull.gather(stream(count(1)):list(), stream(count(2)):list()))
      assert.same({ 1 }, a)
      assert.same({ 1, 2 }, b)
    end))
  end)

  it("that nobody awaits is told of", function()
    local output = script.run([[
local stream = require "lull.stream"
stream({}):list()]])
    assert.matches("coroutine object %(stream:list%) was never awaited %(made at script.lua:2%)",
      output)
  end)
end)

describe("iter", function()
  tidy.watch(before_each, after_each)

  it("is for a loop, which may await as well", function()
    local seen = {}
    for i, v in stream(ipairs({ "a", "b" })):iter() do
      await(lull.sleep(1))
      seen[i] = v
    end
    assert.same({ "a", "b" }, seen)
  end)

  it("can be stepped by hand, and closed", function()
    local log = {}
    local it = stream(numbers(log)):iter()
    assert.equal("stream iterator (open)", tostring(it))
    assert.equal(1, it())
    assert.equal(2, it())
    it:close()
    assert.same({ "closed" }, log)
    assert.equal("stream iterator (done)", tostring(it))
    assert.is_nil(it())
    it:close()
    do
      local other <close> = stream(numbers(log)):iter()
      assert.equal(1, other())
    end
    assert.same({ "closed", "closed" }, log)
  end)

  it("closes by itself at the end, and when a step fails", function()
    local log = {}
    local it = stream(numbers(log, 1)):iter()
    assert.equal(1, it())
    assert.is_nil(it())
    assert.same({ "closed" }, log)
    it = stream(numbers(log)):map(error):iter()
    local ok, err = pcall(it)
    assert.is_false(ok)
    assert.equal(1, err)
    assert.same({ "closed", "closed" }, log)
    assert.is_nil(it())
  end)

  it("closes by itself when a step fails with nil", function()
    local log = {}
    local it = stream(numbers(log)):map(function() error(nil) end):iter()
    assert.same({ false, nil }, { pcall(it) })
    assert.same({ "closed" }, log)
  end)

  it("cannot be stepped, or closed, while a step is under way", function()
    local it = stream(count(2)):iter()
    local task = lull.create_task(function() return (it()) end)
    turns(2)
    blames_caller("the stream is being read already", function() it() end)
    blames_caller("the stream is being read already", function() it:close() end)
    assert.equal(1, await(task))
    assert.equal(2, it())
    assert.is_nil(it())
  end)

  it("can go on in another task between two steps", function()
    local it = stream(count(3)):iter()
    assert.equal(1, it())
    assert.equal(2, await(lull.create_task(function() return (it()) end)))
    assert.equal(3, it())
    it:close()
  end)

  it("needs no task where nothing has to wait", function()
    local output = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local done = lull.future()
lull.loop():call_soon(function()
  for v in stream {1, 2}:map(function(x) return 2 * x end):iter() do print(v) end
  print(pcall(function()
    for v in stream {1}:map(tostring, {limit = 2}):iter() do print(v) end
  end))
  print(pcall(function()
    for v in stream {1}:merge {}:iter() do print(v) end
  end))
  print((pcall(function()
    for v in stream {1}:timeout(1):iter() do print(v) end
  end)))
  done:set_result()
end)
lull.await(done)]])
    local message = "false\tthis stream has tasks: it can be used inside a task only\n"
    assert.equal("2\n4\n" .. message .. message .. "false\n", output)
  end)
end)

describe("misuse of a stream", function()
  tidy.watch(before_each, after_each)

  it("is an error at once: using it twice", function()
    local used = "the stream was used already: it can be used once"
    local s = stream({ 1 })
    local t = s:map(is_even)
    for _, name in ipairs({ "map", "filter", "take_while", "skip_while", "flat_map", "reduce",
      "each" }) do
      blames_caller(used, function() s[name](s, is_even) end)
    end
    for _, name in ipairs({ "take", "skip", "chunk", "timeout", "throttle" }) do
      blames_caller(used, function() s[name](s, 1) end)
    end
    for _, name in ipairs({ "enumerate", "merge", "zip", "list", "table", "set", "iter" }) do
      blames_caller(used, function() s[name](s) end)
    end
    blames_caller(used, function() stream(s) end)
    blames_caller(used, function() t:merge({}, s) end)
    blames_caller(used, function() t:zip(s) end)
    assert.same({ false }, list(t))
    blames_caller(used, function() t:list() end)
    s = stream({})
    blames_caller(used, function() s:merge(s) end)
  end)

  it("is an error at once: what is no source", function()
    local message = "bad argument #1 to 'stream' (iterator, list or stream expected, got %s)"
    for name, value in pairs({ number = 1, string = "x", boolean = true }) do
      blames_caller(message:format(name), function() stream(value) end)
    end
    blames_caller(message:format("nil"), function() stream() end)
    blames_caller(message:format("userdata"), function() stream(lull.event()) end)
    blames_caller("bad argument #4 to 'stream' (closable value expected)",
      function() stream(next, {}, nil, {}) end)
    local s = stream({})
    blames_caller("bad argument #2 to 'merge' (iterator, list or stream expected, got number)",
      function() s:merge({}, 1) end)
    blames_caller("bad argument #1 to 'zip' (iterator, list or stream expected, got nil)",
      function() s:zip(nil, {}) end)
    assert.same({}, list(s))
  end)

  it("is an error at once: arguments of a wrong type or size", function()
    local s = stream({ 1 })
    for _, name in ipairs({ "map", "filter", "take_while", "skip_while", "flat_map", "reduce",
      "each" }) do
      blames_caller(("bad argument #1 to '%s' (function expected, got nil)"):format(name),
        function() s[name](s) end)
    end
    for name, least in pairs({ take = 0, skip = 0, chunk = 1 }) do
      local message = ("bad argument #1 to '%s' (an integer from %d on expected)"):format(name,
        least)
      for _, value in ipairs({ -1, 0.5, "1", least - 1, math.huge }) do
        blames_caller(message, function() s[name](s, value) end)
      end
      blames_caller(message, function() s[name](s) end)
    end
    for _, name in ipairs({ "timeout", "throttle" }) do
      blames_caller(("bad argument #1 to '%s' (number expected, got string)"):format(name),
        function() s[name](s, "1") end)
      local message = "bad argument #1 to '%s' (a number of seconds expected, got nan)"
      blames_caller(message:format(name), function() s[name](s, 0 / 0) end)
    end
    blames_caller("bad argument #1 to 'throttle' (number expected, got nil)",
      function() s:throttle() end)
    assert.same({ 1 }, list(s))
  end)

  it("is an error at once: options that do not exist, or are no limit", function()
    local s = stream({ 1 })
    for _, name in ipairs({ "map", "filter", "each" }) do
      local start = ("bad argument #2 to '%s' "):format(name)
      for _, value in ipairs({ 0, -1, 1.5, "2", false, 0 / 0, -math.huge }) do
        blames_caller(start .. "(option 'limit' must be a positive integer)",
          function() s[name](s, is_even, { limit = value }) end)
      end
      blames_caller(start .. "(unknown option 'limits')",
        function() s[name](s, is_even, { limits = 1 }) end)
      blames_caller(start .. "(table expected, got number)",
        function() s[name](s, is_even, 2) end)
    end
    assert.same({ 1 }, list(s))
  end)

  it("is an error at once: a method called on something else", function()
    blames_caller("calling 'map' on bad self (lull stream expected)",
      function() stream({}).map({}, is_even) end)
    blames_caller("calling 'list' on bad self (lull stream expected)",
      function() stream({}).list(42) end)
    blames_caller("calling 'merge' on bad self (lull stream expected)",
      function() stream({}).merge({}) end)
  end)
end)

-- Each kind of stage, between a generator of 1, 2, 3, ... and a consumer: all of them give
-- something for each of the first values.
local stages = {
  ["a plain stream"] = function(s) return s end,
  map = function(s) return s:map(slowly(function(x) return x end)) end,
  filter = function(s) return s:filter(function() return true end) end,
  take = function(s) return s:take(5) end,
  skip = function(s) return s:skip(1) end,
  take_while = function(s) return s:take_while(function() return true end) end,
  skip_while = function(s) return s:skip_while(function() return false end) end,
  enumerate = function(s) return s:enumerate() end,
  chunk = function(s) return s:chunk(2) end,
  zip = function(s) return s:zip({ 1, 2, 3, 4, 5 }) end,
  ["zip, as second"] = function(s) return stream({ 1, 2, 3, 4, 5 }):zip(s) end,
  flat_map = function(s) return s:flat_map(function(x) return { x } end) end,
  ["flat_map, as inner"] = function(s) return stream({ s }):flat_map(function(x) return x end) end,
  timeout = function(s) return s:timeout(100) end,
  throttle = function(s) return s:throttle(3) end,
  ["map with a limit"] = function(s)
    return s:map(slowly(function(x) return x end), { limit = 3 })
  end,
  ["filter with a limit"] = function(s)
    return s:filter(slowly(function() return true end), { limit = 3 })
  end,
  merge = function(s) return s:merge(count(2)) end,
  ["merge, as second"] = function(s) return stream(count(2)):merge(s) end,
  ["iter and stream"] = function(s) return stream(s:iter()) end,
  ["all of them"] = function(s)
    s = s:map(function(x) return x end, { limit = 2 }):filter(function() return true end)
    s = s:take(9):skip(0):enumerate():map(function(_, x) return x end):chunk(1)
    s = s:flat_map(function(x) return x end):merge({}):timeout(50):throttle(0.1)
    return s:filter(slowly(function() return true end), { limit = 2 })
  end,
}

describe("leaving a stream early", function()
  tidy.watch(before_each, after_each)

  for name, stage in pairs(stages) do
    it("closes its source, once, before going on: " .. name, function()
      local log = {}
      for _ in stage(stream(numbers(log))):iter() do break end -- luacheck: ignore 512
      assert.same({ "closed" }, log)
      waiting.nothing_left()

      log = {}
      assert.equal("x", (function()
        for v in stage(stream(numbers(log))):iter() do
          if v then return "x" end
        end
      end)())
      assert.same({ "closed" }, log)

      log = {}
      local err = {}
      local ok, caught = pcall(function()
        for _ in stage(stream(numbers(log))):iter() do error(err) end
      end)
      assert.is_false(ok)
      assert.equal(err, caught)
      assert.same({ "closed" }, log)

      log = {}
      ok, caught = pcall(await, stage(stream(numbers(log))):each(function() error(err) end))
      assert.is_false(ok)
      assert.equal(err, caught)
      assert.same({ "closed" }, log)
      waiting.nothing_left()

      log = {}
      assert.equal(2, #list(stage(stream(numbers(log))):take(2)))
      assert.same({ "closed" }, log)
      waiting.nothing_left()
    end)

    it("by a cancellation closes its source, once: " .. name, function()
      local last = 0
      for time = 0.25, 12, 0.25 do
        local log, got = {}, 0
        local task = lull.create_task(stage(stream(numbers(log)):take(6)):each(function()
          got = got + 1
          await(lull.sleep(0.5))
        end))
        await(lull.sleep(time))
        local asked = task:cancel()
        local ok = pcall(await, task)
        waiting.nothing_left()
        if asked and not ok then
          assert.is_true(task:cancelled())
          assert.same({ "closed" }, log)
        else
          last = last + 1
        end
      end
      assert.is_true(last < 40)
    end)

    it("before the first value leaves its source alone, or closes it: " .. name, function()
      local log = {}
      local it = stage(stream(numbers(log))):iter()
      it:close()
      assert.is_nil(it())
      local s = stage(stream(numbers(log)))
      s:close()
      s:close()
      raises(lull.CancelledError, function()
        local task = lull.create_task(stage(stream(numbers(log))):list())
        task:cancel()
        await(task)
      end)
      assert.same({}, log) -- a generator that has not begun has nothing to close

      local closed = 0
      local function source()
        return stream(next, { 1, 2, 3 }, nil, on_close(function() closed = closed + 1 end))
      end
      it = stage(source()):iter()
      it:close()
      s = stage(source())
      s:close()
      assert.equal(name == "flat_map, as inner" and 0 or 2, closed)
    end)

    it("raises what its cleanup fails with: " .. name, function()
      local source = lull.generator(function(yield)
        local _ <close> = on_close(function()
          await(lull.sleep(1))
          error("cleanup", 0)
        end)
        for i = 1, 10 do yield(i) end
      end)
      local ok, err = pcall(function()
        for _ in stage(stream(source())):iter() do break end -- luacheck: ignore 512
      end)
      assert.is_false(ok)
      assert.equal("cleanup", err)
      waiting.nothing_left()

      ok, err = pcall(function()
        for _ in stage(stream(source())):iter() do error("body", 0) end
      end)
      assert.is_false(ok)
      assert.is_true(lull.is_error(err, lull.ExceptionGroup))
      assert.same({ "body", "cleanup" }, err.errors)

      local task = lull.create_task(stage(stream(source())):each(function()
        await(lull.sleep(1000))
      end))
      await(lull.sleep(20))
      task:cancel()
      ok, err = pcall(await, task)
      assert.is_false(ok)
      assert.equal("cleanup", err)
      waiting.nothing_left()
    end)

    it("passes on an error of its source, the very value: " .. name, function()
      local err = {}
      local log = {}
      local source = lull.generator(function(yield)
        local _ <close> = on_close(function(_, e)
          assert.equal(err, e)
          log[#log + 1] = "closed"
        end)
        for i = 1, 3 do yield(i) end
        await(lull.sleep(1))
        error(err)
      end)
      local ok, caught = pcall(await, stage(stream(source())):each(function() end))
      assert.is_false(ok)
      assert.equal(err, caught)
      assert.same({ "closed" }, log)
      waiting.nothing_left()
    end)
  end
end)

describe("closing a stream", function()
  tidy.watch(before_each, after_each)

  it("tells what is to be closed of the error, as a `for` does", function()
    local seen = {}
    local function closing()
      return on_close(function(_, err) seen[#seen + 1] = tostring(err) end)
    end
    await(stream(next, { 1 }, nil, closing()):list())
    for _ in stream(next, { 1 }, nil, closing()):iter() do break end -- luacheck: ignore 512
    pcall(function()
      for _ in stream(next, { 1 }, nil, closing()):map(tostring):iter() do error("x", 0) end
    end)
    pcall(await, stream(next, { 1 }, nil, closing()):each(function() error("y", 0) end))
    assert.same({ "nil", "nil", "x", "y" }, seen)
  end)

  it("closes a file that was read by lines", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("a\nb\nc\n")
    file:close()
    local function descriptors()
      local pipe = assert(io.popen("ls /proc/$PPID/fd | wc -l"))
      local n = pipe:read("n")
      pipe:close()
      return n
    end
    collectgarbage()
    local before = descriptors()
    for _ = 1, 5 do
      assert.same({ "a" }, list(stream(io.lines(path)):take(1)))
    end
    assert.equal(before, descriptors())
    os.remove(path)
  end)

  it("that is not used closes its source", function()
    local log = {}
    local g = numbers(log)
    assert.equal(1, g())
    do
      local s <close> = stream(g):map(tostring)
      assert.equal("stream", tostring(s))
    end
    assert.same({ "closed" }, log)
  end)

  it("that was used does nothing", function()
    local log = {}
    local s <close> = stream(numbers(log, 2))
    local t = s:map(function(x) return x end)
    s:close()
    assert.same({}, log)
    assert.same({ 1, 2 }, list(t))
  end)

  it("is interrupted by another cancellation", function()
    local closed
    local source = lull.generator(function(yield)
      local _ <close> = on_close(function()
        local _ <close> = on_close(function() closed = lull.now() end)
        await(lull.sleep(1000))
      end)
      yield(1)
    end)
    local start = lull.now()
    local task = lull.create_task(stream(source()):each(function() await(lull.sleep(1000)) end))
    await(lull.sleep(1))
    task:cancel()
    await(lull.sleep(1))
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.equal(2, closed - start)
  end)

  it("does not lose a cancellation that comes while it is closed in peace", function()
    for _, limit in ipairs({ 1, 3 }) do
      local source = lull.generator(function(yield)
        local _ <close> = on_close(function() await(lull.sleep(1000)) end)
        for i = 1, 10 do yield(i) end
      end)
      local went_on = false
      local task = lull.create_task(function()
        await(stream(source()):map(tostring, { limit = limit }):take(1):list())
        went_on = true
      end)
      await(lull.sleep(1))
      assert.is_false(task:done())
      task:cancel()
      raises(lull.CancelledError, await, task)
      assert.is_false(went_on)
    end
  end)

  it("does not lose an error when a cancellation interrupts the cleanup", function()
    local source = lull.generator(function(yield)
      local _ <close> = on_close(function() await(lull.sleep(1000)) end)
      yield(1)
    end)
    local task = lull.create_task(stream(source()):each(function() error("boom", 0) end))
    await(lull.sleep(1))
    task:cancel()
    local ok, err = pcall(await, task)
    assert.is_false(ok)
    assert.equal("boom", err)
  end)
end)

describe("errors of a stream", function()
  tidy.watch(before_each, after_each)

  it("have the traceback of where they came from", function()
    local output = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local function check(x)
  if x == 2 then error("boom") end
  return x
end
lull.await(stream {1, 2}:map(check):list())]])
    assert.matches("^lull: script.lua:4: boom\nstack traceback:\n\tscript.lua:4: in [^\n]*\n"
      .. "\tscript.lua:7: in main chunk", output)
  end)

  it("go on through the tasks of calls made ahead", function()
    local output = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local function check(x)
  if x == 2 then error("boom") end
  return x
end
lull.await(stream {1, 2}:map(check, {limit = 2}):list())]])
    assert.matches("^lull: script.lua:4: boom\nstack traceback:\n\tscript.lua:4: in [^\n]*\n"
      .. "  awaited by task 'main':\n\tscript.lua:7: in main chunk", output)
  end)
end)

describe("the error of a call made ahead that is found when the stream is left", function()
  tidy.watch(before_each, after_each)

  it("has its traceback as well", function()
    local output = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local function check(x)
  if x == 2 then error("boom") end
  return x
end
lull.await(stream {1, 2}:map(check, {limit = 2}):take(1):list())]])
    assert.matches("^lull: script.lua:4: boom\nstack traceback:\n\tscript.lua:4: in [^\n]*\n"
      .. "  awaited by task 'main':\n\tscript.lua:7: in main chunk", output)
  end)
end)

describe("a long stream", function()
  tidy.watch(before_each, after_each)

  local N = 100000

  local function many()
    local n = 0
    return function()
      n = n + 1
      return n <= N and n or nil
    end
  end

  -- The memory in use, in KB, as it was at most when a tenth of the values had passed.
  local function memory_while(s)
    collectgarbage()
    collectgarbage()
    local start, most, seen = collectgarbage("count"), 0, 0
    await(s:each(function()
      seen = seen + 1
      if seen % (N // 10) == 0 then
        collectgarbage()
        collectgarbage()
        most = math.max(most, collectgarbage("count") - start)
      end
    end))
    assert.equal(N, seen)
    return most
  end

  local identity = function(...) return ... end
  local cases = {
    ["map and filter"] = function() return stream(many()):map(identity):filter(identity) end,
    ["async functions"] = function() return stream(many()):map(async(identity)) end,
    ["calls that wait"] = function()
      return stream(many()):map(async(function(x) return await(lull.sleep(0, x)) end))
    end,
    ["flat_map"] = function() return stream(many()):flat_map(function(x) return { x } end) end,
    ["a generator"] = function()
      return stream(lull.generator(function(yield)
        for i = 1, N do yield(i) end
      end)())
    end,
    ["timeout"] = function() return stream(many()):timeout(10) end,
    ["calls ahead"] = function() return stream(many()):map(identity, { limit = 10 }) end,
    ["calls ahead that wait"] = function()
      return stream(many()):map(async(function(x) return await(lull.sleep(x % 7, x)) end),
        { limit = 10 })
    end,
    ["merge"] = function()
      return stream(many()):skip(N // 2):merge(stream(many()):take(N // 2))
    end,
  }
  for name, make in pairs(cases) do
    it("takes no more memory than a short one: " .. name, function()
      local used = memory_while(make())
      assert.is_true(used < 500, ("%.0f KB"):format(used))
    end)
  end

  it("may go through a thousand stages", function()
    local s = stream({ 1, 2, 3 })
    for _ = 1, 1000 do s = s:map(function(x) return x + 1 end) end
    assert.same({ 1001, 1002, 1003 }, list(s))
    s = stream(count(2))
    for _ = 1, 1000 do s = s:filter(async(function() return true end)) end
    assert.same({ 1, 2 }, list(s))
  end)

  it("may go through hundreds of stages that have tasks", function()
    local s = stream({ 1, 2, 3 })
    for _ = 1, 300 do s = s:map(async(function(x) return x + 1 end), { limit = 2 }) end
    assert.same({ 301, 302, 303 }, list(s))
    s = stream({ 1, 2, 3 })
    for i = 1, 300 do
      s = i % 2 == 0 and s:merge({}) or s:map(function(x) return x end, { limit = 2 })
    end
    assert.same({ 1 }, list(s:take(1)))
    s = stream({ 1, 2, 3 })
    for _ = 1, 300 do s = s:merge() end
    assert.same({ 1, 2, 3 }, list(s))
  end)
end)

-- The stream takes the item out of the queue in the consumer's own task.
describe("the wait for a stream's value", function()
  tidy.watch(before_each, after_each)

  local function case(operation)
    return {
      setup = function() return { queue = lull.queue(), taken = 0 } end,
      operation = function(state)
        operation(state.queue)
        state.taken = state.taken + 1
      end,
      complete = function(state) state.queue:put_nowait("item") end,
      check = function(state)
        assert.equal(1, state.taken + state.queue:qsize(), "an item was lost")
      end,
    }
  end
  local operations = {
    list = function(queue) await(stream(queue:iter()):take(1):list()) end,
    iter = function(queue)
      for _ in stream(queue:iter()):map(tostring):iter() do break end -- luacheck: ignore 512
    end,
    timeout = function(queue) await(stream(queue:iter()):timeout(500):take(1):list()) end,
  }
  for name, operation in pairs(operations) do
    for sentence, test in cancellation.moments(case(operation)) do
      it(("%s (%s)"):format(sentence, name), test)
    end
  end
end)
