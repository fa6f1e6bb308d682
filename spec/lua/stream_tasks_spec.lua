-- The parts of lull.stream that have tasks: calls made ahead of the consumer (`limit`), and merged
-- sources. Order, bounds, failures, and that nothing is left, whenever it ends.
local lull = require("lull")
local script = require("spec.script")
local stream = require("lull.stream")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local async, await = lull.async, lull.await
local raises, seconds, turns = waiting.raises, waiting.seconds, waiting.turns

waiting.use_virtual_clock()

local function list(s) return await(s:list()) end

local function on_close(f) return setmetatable({}, { __close = f }) end

local function identity(...) return ... end

-- Numbers, one every so many seconds.
local every = lull.generator(function(yield, delay, n)
  for i = 1, n do
    await(lull.sleep(delay))
    yield(i)
  end
end)

-- Gives x after so many seconds.
local function after(delay, x) return lull.sleep(delay, x) end

-- Notes when things happen.
local function new_log()
  local log = { start = lull.now() }
  function log.add(what)
    log[#log + 1] = ("%s at %g"):format(what, lull.now() - log.start)
  end
  function log.take()
    log.start = nil
    local text = table.concat(log, ", ")
    for i in ipairs(log) do log[i] = nil end
    log.start = lull.now()
    return text
  end
  return log
end

-- A source that counts what was taken from it.
local function counted(n)
  local source = { taken = 0 }
  source.stream = stream(function()
    if source.taken == n then return nil end
    source.taken = source.taken + 1
    return source.taken
  end)
  return source
end

describe("calls made ahead", function()
  tidy.watch(before_each, after_each)

  it("give their results in order, whichever is done first", function()
    local delays = { 5, 1, 3, 0, 2, 0, 4 }
    local done = {}
    local s = stream(delays):enumerate():map(async(function(i, delay)
      await(lull.sleep(delay))
      done[#done + 1] = i
      return i
    end), { limit = 3 })
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, list(s))
    assert.same({ 2, 3, 1, 4, 6, 5, 7 }, done)
  end)

  it("run at the same time, as many as the limit allows", function()
    for limit, expected in pairs({ [2] = 5, [3] = 4, [5] = 2, [9] = 2, [10] = 1, [11] = 1,
      [math.huge] = 1 }) do
      local running, most = 0, 0
      local s = counted(10).stream:map(function(x)
        running = running + 1
        most = math.max(most, running)
        await(lull.sleep(1))
        running = running - 1
        return x
      end, { limit = limit })
      assert.equal(expected, seconds(list, s), limit)
      assert.equal(math.min(limit, 10), most)
    end
  end)

  it("never take more values than the limit ahead of the consumer", function()
    for _, limit in ipairs({ 2, 3, 7 }) do
      for _, delay in ipairs({ 0, 0.5, 3 }) do
        local source = counted(30)
        local given, most = 0, 0
        local s = source.stream:map(function(x)
          most = math.max(most, source.taken - given)
          return after(delay, x)
        end, { limit = limit })
        for v in s:iter() do
          most = math.max(most, source.taken - given)
          given = given + 1
          assert.equal(given, v)
          turns(5)
          most = math.max(most, source.taken - given)
          await(lull.sleep(1))
          most = math.max(most, source.taken - given)
        end
        assert.equal(30, given)
        assert.equal(limit, most)
      end
    end
  end)

  it("go on while the consumer is busy", function()
    local it <close> = stream({ 1, 2, 3 }):map(function(x) return after(5, x) end, { limit = 3 })
      :iter()
    assert.equal(1, it())
    await(lull.sleep(1))
    assert.equal(0, seconds(function()
      assert.equal(2, it())
      assert.equal(3, it())
      assert.is_nil(it())
    end))
  end)

  it("give a result as soon as it is there, be the source ever so slow", function()
    local log = new_log()
    for v in stream(every(10, 3)):map(function(x) return after(1, x) end, { limit = 3 }):iter() do
      log.add(v)
    end
    assert.equal("1 at 11, 2 at 21, 3 at 31", log.take())
  end)

  it("may be what the source waits for", function()
    local event = lull.event()
    local source = lull.generator(function(yield)
      yield(1)
      await(event:wait())
      yield(2)
    end)
    local s = stream(source()):map(function(x)
      event:set()
      return x
    end, { limit = 2 })
    assert.same({ 1, 2 }, list(s))
  end)

  it("take and give all parts of a value", function()
    local found = {}
    for a, b, c in stream(ipairs({ "a", "b" })):map(function(i, v) return v, nil, i end,
      { limit = 2 }):iter() do
      found[#found + 1] = { a, b, c }
    end
    assert.same({ { "a", nil, 1 }, { "b", nil, 2 } }, found)
  end)

  it("have the consumer's context variables", function()
    local var = lull.context_var("var")
    local task = lull.create_task(function()
      var:set("mine")
      return list(stream({ 1, 2 }):map(function() return var:get() end, { limit = 2 }))
    end)
    assert.same({ "mine", "mine" }, await(task))
  end)

  it("filter, too: what is left keeps its order", function()
    local s = stream({ 5, 2, 4, 1, 3 }):filter(function(x)
      await(lull.sleep(x))
      return x ~= 4
    end, { limit = 5 })
    assert.equal(5, seconds(function() assert.same({ 5, 2, 1, 3 }, list(s)) end))
    assert.same({}, list(stream(every(0, 1000)):filter(function() end, { limit = 3 })))
    assert.same({ a = 1 }, await(stream(pairs({ a = 1, b = 2 })):filter(async(function(k)
      return k == "a"
    end), { limit = 2 }):table()))
  end)

  it("do something for each, and give nothing", function()
    local running, most, sum = 0, 0, 0
    assert.equal(4, seconds(function()
      await(stream(every(0, 10)):each(async(function(x)
        running = running + 1
        most = math.max(most, running)
        await(lull.sleep(1))
        running = running - 1
        sum = sum + x
        return "not nil"
      end), { limit = 3 }))
    end))
    assert.equal(3, most)
    assert.equal(55, sum)
  end)

  it("close the source after the last of them, as a `for` would", function()
    local log = new_log()
    local closing = on_close(function()
      await(lull.sleep(1))
      log.add("closed")
    end)
    local s = stream(next, { 1, 2 }, nil, closing):map(function(x)
      await(lull.sleep(3 * x))
      log.add(x)
      return x
    end, { limit = 5 })
    list(s)
    assert.equal("1 at 3, 2 at 6, closed at 7", log.take())
  end)
end)

describe("a failure of a call made ahead", function()
  tidy.watch(before_each, after_each)

  it("comes in its place, after the results before it", function()
    local err, seen = {}, {}
    local s = stream({ 4, 1, 3, 9, 9 }):enumerate():map(function(i, delay)
      await(lull.sleep(delay))
      if i == 2 then error(err) end
      return i
    end, { limit = 5 })
    assert.equal(4, seconds(function()
      local ok, caught = pcall(function()
        for v in s:iter() do seen[#seen + 1] = v end
      end)
      assert.is_false(ok)
      assert.equal(err, caught)
    end))
    assert.same({ 1 }, seen)
    waiting.nothing_left()
  end)

  it("cancels the calls after it at once, and lets those before it go on", function()
    local log = new_log()
    local s = stream({ 5, 1, 9, 9 }):enumerate():map(function(i, delay)
      local _ <close> = on_close(function() log.add(i) end)
      await(lull.sleep(delay))
      if i == 2 then error("boom", 0) end
      return i
    end, { limit = 4 })
    local _, err = pcall(list, s)
    assert.equal("boom", err)
    assert.equal("2 at 1, 3 at 1, 4 at 1, 1 at 5", log.take())
  end)

  it("does not interrupt the cleanup of calls that an earlier one has cancelled", function()
    local log = new_log()
    local s = stream({ 3, 2, 1, 9 }):enumerate():map(function(i, delay)
      local _ <close> = on_close(function()
        if i == 4 then await(lull.sleep(10)) end
        log.add(i)
      end)
      await(lull.sleep(delay))
      if i > 1 then error(i, 0) end
      return i
    end, { limit = 4 })
    local _, err = pcall(list, s)
    assert.same({ 2, 3 }, err.errors)
    assert.equal("3 at 1, 2 at 2, 1 at 3, 4 at 11", log.take())
  end)

  it("may come at once, in the call's first step", function()
    local calls = 0
    local s = stream({ 1, 2, 3, 4 }):map(function(x)
      calls = calls + 1
      if x == 2 then error("boom", 0) end
      await(lull.sleep(1))
      return x
    end, { limit = 4 })
    local _, err = pcall(list, s)
    assert.equal("boom", err)
    assert.equal(2, calls)
  end)

  it("is not followed by new calls", function()
    local calls, source = 0, counted(100)
    local it = source.stream:map(function(x)
      calls = calls + 1
      await(lull.sleep(1))
      if x == 2 then error("boom", 0) end
      return x
    end, { limit = 3 }):iter()
    assert.equal(1, it())
    await(lull.sleep(100))
    assert.is_true(calls <= 4, calls)
    local before = calls
    local ok, err = pcall(it)
    assert.is_false(ok)
    assert.equal("boom", err)
    assert.equal(before, calls)
  end)

  it("cancels the calls in flight, and waits for them before the source is closed", function()
    local log = new_log()
    local source = lull.generator(function(yield)
      local _ <close> = on_close(function()
        await(lull.sleep(1))
        log.add("source")
      end)
      for i = 1, 10 do yield(i) end
    end)
    local s = stream(source()):map(function(x)
      local _ <close> = on_close(function(_, err)
        if not lull.is_error(err, lull.CancelledError) then return end
        await(lull.sleep(x))
        log.add("call " .. x)
      end)
      await(lull.sleep(x == 2 and 1 or 100))
      error("boom", 0)
    end, { limit = 4 }):skip_while(identity)
    local ok, err = pcall(list, stream({ 1 }):flat_map(function() return s end))
    assert.is_false(ok)
    -- The failure waits for its turn behind the first call, which fails later.
    assert.is_true(lull.is_error(err, lull.ExceptionGroup))
    assert.same({ "boom", "boom" }, err.errors)
    assert.matches("^call %d at %d+, call %d at %d+, source at %d+$", log.take())
    waiting.nothing_left()
  end)

  it("of which there are several makes a group, in which none is missing", function()
    local s = stream({ 1, 2, 3, 4 }):map(function(x)
      await(lull.sleep(5 - x))
      if x > 1 then error("boom " .. x, 0) end
      return x
    end, { limit = 4 })
    local _, err = pcall(list, s)
    assert.is_true(lull.is_error(err, lull.ExceptionGroup))
    assert.same({ "boom 2", "boom 3", "boom 4" }, err.errors)
  end)

  it("does not hide one of the source, nor of its cleanup, nor the loop's own", function()
    local source = lull.generator(function(yield)
      local _ <close> = on_close(function() error("cleanup", 0) end)
      yield(1)
      yield(2)
      await(lull.sleep(2))
      error("source", 0)
    end)
    local function make()
      return stream(source()):map(function(x)
        await(lull.sleep(x))
        if x == 2 then error("call", 0) end
        return x
      end, { limit = 3 })
    end
    local _, err = pcall(function()
      for _ in make():iter() do
        await(lull.sleep(10))
        error("body", 0)
      end
    end)
    assert.is_true(lull.is_error(err, lull.ExceptionGroup))
    -- A generator's own cleanup takes the place of its error, as anywhere in Lua.
    assert.same({ "body", "call", "cleanup" }, err.errors)
    _, err = pcall(list, make())
    assert.same({ "call", "cleanup" }, err.errors)
  end)

  it("is raised where the loop is left before its place", function()
    local function make()
      return stream({ 1, 2, 3 }):map(function(x)
        if x == 2 then error("boom", 0) end
        return x
      end, { limit = 3 })
    end
    local _, err = pcall(function()
      for _ in make():iter() do break end -- luacheck: ignore 512
    end)
    assert.equal("boom", err)
    _, err = pcall(list, make():take(1))
    assert.equal("boom", err)
  end)

  it("is not lost when the consumer is cancelled in the same turn", function()
    local future = lull.future()
    local task = lull.create_task(stream({ 1, 2 }):map(function(x)
      if x == 2 then return after(100, x) end
      await(future)
      error("boom", 0)
    end, { limit = 2 }):list())
    turns(5)
    future:set_result()
    turns(1) -- the call fails
    task:cancel()
    local ok, err = pcall(await, task)
    assert.is_false(ok)
    assert.equal("boom", err)
    waiting.nothing_left()
  end)

  it("may be a CancelledError of the call's own", function()
    local other = lull.create_task(lull.sleep(100))
    other:cancel()
    turns(2)
    raises(lull.CancelledError, list, stream({ 1, 2 }):map(function() return await(other) end,
      { limit = 2 }))
    waiting.nothing_left()
  end)

  it("leaves nothing unseen if it is nil, or false", function()
    local ok, err = pcall(list, stream({ 1, 2 }):map(function() error(nil) end, { limit = 2 }))
    assert.is_false(ok)
    assert.is_true(err == nil or err == "nil")
    ok, err = pcall(list, stream({ 1 }):map(function() error(false) end, { limit = 2 }))
    assert.is_false(ok)
    assert.is_false(err)
  end)
end)

describe("a failure of the source of calls made ahead", function()
  tidy.watch(before_each, after_each)

  local failing = lull.generator(function(yield)
    yield(1)
    yield(2)
    error("source", 0)
  end)

  it("comes after the results of what it gave before", function()
    local seen = {}
    local ok, err = pcall(function()
      for v in stream(failing()):map(function(x) return after(5, x) end, { limit = 5 }):iter() do
        seen[#seen + 1] = v
      end
    end)
    assert.is_false(ok)
    assert.equal("source", err)
    assert.same({ 1, 2 }, seen)
    waiting.nothing_left()
  end)

  it("is raised where the loop is left before its place", function()
    local _, err = pcall(function()
      local it <close> = stream(failing()):map(identity, { limit = 5 }):iter()
      it()
    end)
    assert.equal("source", err)
  end)

  it("is not lost when all tasks are cancelled from outside", function()
    local task = lull.create_task(stream(failing()):map(function(x) return after(5, x) end,
      { limit = 5 }):list())
    await(lull.sleep(1))
    for _, other in ipairs(lull.all_tasks()) do
      if other ~= lull.current_task() then other:cancel() end
    end
    local ok, err = pcall(await, task)
    assert.is_false(ok)
    assert.equal("source", err)
    waiting.nothing_left()
  end)

  it("that comes when the source is closed at the end is raised at the end", function()
    local closing = on_close(function() error("cleanup", 0) end)
    local seen = {}
    local _, err = pcall(function()
      for v in stream(next, { 1, 2 }, nil, closing):map(identity, { limit = 5 }):iter() do
        seen[#seen + 1] = v
      end
    end)
    assert.equal("cleanup", err)
    assert.same({ 1, 2 }, seen)
  end)
end)

describe("cancelling a task that takes from calls made ahead", function()
  tidy.watch(before_each, after_each)

  -- A stream that notes in a log what is cancelled, and a task that takes from it.
  local function start(log, delay, limit, busy)
    local source = lull.generator(function(yield)
      local _ <close> = on_close(function()
        await(lull.sleep(1))
        log.add("source closed")
      end)
      for i = 1, 10 do
        local _ <close> = on_close(function(_, err)
          if lull.is_error(err, lull.CancelledError) then log.add("source cancelled") end
        end)
        await(lull.sleep(delay))
        yield(i)
      end
    end)
    return lull.create_task(stream(source()):map(function(x)
      local _ <close> = on_close(function(_, err)
        if lull.is_error(err, lull.CancelledError) then
          await(lull.sleep(1))
          log.add("call " .. x)
        end
      end)
      await(lull.sleep(10))
      return x
    end, { limit = limit }):each(function() await(lull.sleep(busy)) end))
  end

  local function cancelled_at(time, ...)
    local log = new_log()
    local task = start(log, ...)
    if time then await(lull.sleep(time)) end
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.is_true(task:cancelled())
    waiting.nothing_left()
    return log.take()
  end

  it("before it starts starts nothing", function()
    assert.equal("", cancelled_at(nil, 1, 2, 0))
  end)

  it("in the turn in which it starts closes the source", function()
    local closed = false
    local g = lull.generator(function(yield)
      local _ <close> = on_close(function() closed = true end)
      for i = 1, 10 do yield(i) end
    end)()
    assert.equal(1, g())
    local task = lull.create_task(stream(g):map(identity, { limit = 2 }):list())
    turns(1)
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.is_true(closed)
  end)

  it("while it waits for the source reaches the source", function()
    assert.equal("source cancelled at 0.5, source closed at 1.5", cancelled_at(0.5, 1, 2, 0))
  end)

  it("while it waits for a call reaches the calls, then the source", function()
    assert.equal("call 1 at 3.5, call 2 at 3.5, source cancelled at 3.5, source closed at 4.5",
      cancelled_at(2.5, 1, 3, 0))
  end)

  it("while it does something else reaches the calls, then the source", function()
    assert.equal("call 2 at 12.5, call 3 at 12.5, source cancelled at 12.5, "
      .. "source closed at 13.5", cancelled_at(11.5, 1, 3, 100))
  end)

  it("in the turn in which a call is done", function()
    local future, closed = lull.future(), 0
    local task = lull.create_task(stream(every(1, 3)):map(function(x)
      local _ <close> = on_close(function() closed = closed + 1 end)
      if x == 1 then return await(future) end
      await(lull.sleep(100))
    end, { limit = 2 }):list())
    await(lull.sleep(5))
    future:set_result("done")
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.equal(2, closed)
    waiting.nothing_left()
  end)

  it("again, in its cleanup, interrupts the cleanup of calls and source", function()
    local log = new_log()
    local function slow_cleanup(name)
      return on_close(function()
        local _ <close> = on_close(function() log.add(name) end)
        await(lull.sleep(100))
      end)
    end
    local source = lull.generator(function(yield)
      local _ <close> = slow_cleanup("source")
      for i = 1, 10 do yield(i) end
    end)
    local task = lull.create_task(stream(source()):map(function(x)
      local _ <close> = slow_cleanup("call " .. x)
      await(lull.sleep(1000))
    end, { limit = 3 }):list())
    for _ = 1, 5 do
      await(lull.sleep(1))
      task:cancel()
    end
    raises(lull.CancelledError, await, task)
    assert.equal("call 1 at 2, call 2 at 2, call 3 at 2, source at 3", log.take())
    waiting.nothing_left()
  end)

  it("by a timeout around the loop, or of the stream, raises TimeoutError", function()
    local log = new_log()
    raises(lull.TimeoutError, function()
      local _ <close> = lull.timeout(12.5)
      await(stream(every(1, 10)):map(function(x) return after(10, x) end, { limit = 2 }):list())
    end)
    local seen = {}
    raises(lull.TimeoutError, function()
      for v in stream({ 1, 2, 9, 1 }):map(function(x) return after(x, x) end, { limit = 4 })
        :timeout(5):iter() do
        seen[#seen + 1] = v
      end
    end)
    assert.same({ 1, 2 }, seen)
    assert.equal(0, lull.current_task():cancelling())
    log.add("over")
    assert.equal("over at 19.5", log.take())
  end)

  it("waits for a call that will not be cancelled", function()
    local done
    local task = lull.create_task(stream({ 1, 2 }):map(function(x)
      pcall(await, lull.sleep(5))
      await(lull.sleep(5))
      done = lull.now()
      return x
    end, { limit = 2 }):list())
    local start_time = lull.now()
    await(lull.sleep(1))
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.equal(6, done - start_time)
    assert.equal(6, lull.now() - start_time)
    waiting.nothing_left()
  end)
end)

describe("merge", function()
  tidy.watch(before_each, after_each)

  it("gives the values of all its sources as they come", function()
    local log = new_log()
    local s = stream(every(3, 2)):merge(every(2, 4), { "list" })
    for v in s:iter() do log.add(v) end
    assert.equal("list at 0, 1 at 2, 1 at 3, 2 at 4, 2 at 6, 3 at 6, 4 at 8", log.take())
  end)

  it("passes all parts of the values on", function()
    local found = {}
    for a, b, c in stream(pairs({ x = 1 })):merge(stream({ 1 }):map(function()
      return 2, nil, 3
    end)):iter() do
      found[#found + 1] = { a, b, c }
    end
    assert.same({ { "x", 1 }, { 2, nil, 3 } }, found)
  end)

  it("takes turns among sources that always have something", function()
    assert.same({ 1, 10, 2, 20, 3, 4 }, list(stream({ 1, 2, 3, 4 }):merge({ 10, 20 })))
  end)

  it("takes one value of each source ahead at most", function()
    local sources = { counted(20), counted(20), counted(20) }
    local it <close> = sources[1].stream:merge(sources[2].stream, sources[3].stream):iter()
    for _ = 1, 10 do
      it()
      turns(10)
    end
    local taken = 0
    for _, source in ipairs(sources) do taken = taken + source.taken end
    assert.equal(10 + 3, taken)
  end)

  it("may have no other source, or empty ones, or many", function()
    assert.same({ 1, 2 }, list(stream({ 1, 2 }):merge()))
    assert.same({}, list(stream({}):merge({}, function() end)))
    local sources = {}
    for i = 1, 1000 do sources[i] = every(i, 1) end
    assert.equal(1000, #list(stream({}):merge(table.unpack(sources, 1, 200))
      :merge(table.unpack(sources, 201, 400)):merge(table.unpack(sources, 401, 600))
      :merge(table.unpack(sources, 601, 800)):merge(table.unpack(sources, 801))))
  end)

  it("takes a call that gives all a `for` needs as its last argument", function()
    local found = list(stream({ 0 }):merge(every(1, 1), every(2, 2)))
    assert.same({ 0, 1, 1, 2 }, found)
  end)

  it("closes each source when that ends", function()
    local log = new_log()
    local function closing(name) return on_close(function() log.add(name) end) end
    local g = every(1, 3)
    for v in stream(g, nil, nil, closing("closed a")):merge(stream(next, { 1 }, nil,
      closing("closed b"))):iter() do
      log.add(v)
    end
    assert.equal("1 at 0, closed b at 0, 1 at 1, 2 at 2, 3 at 3, closed a at 3", log.take())
  end)

  it("fails when a source does, after the values that came before; the others end", function()
    local log = new_log()
    local function source(name, delay, fails)
      return lull.generator(function(yield)
        local _ <close> = on_close(function()
          await(lull.sleep(1))
          log.add("closed " .. name)
        end)
        for i = 1, 10 do
          await(lull.sleep(delay))
          if i == fails then error("boom", 0) end
          yield(name .. i)
        end
      end)()
    end
    local seen = {}
    local _, err = pcall(function()
      for v in stream(source("a", 2)):merge(source("b", 3, 2), source("c", 100)):iter() do
        seen[#seen + 1] = v
      end
    end)
    assert.equal("boom", err)
    assert.same({ "a1", "b1", "a2", "a3" }, seen)
    assert.matches("^closed b at 7, closed [ac] at 8, closed [ac] at 8$", log.take())
    waiting.nothing_left()
  end)

  it("gives values that came before a failure, however late they are asked for", function()
    local failing = lull.generator(function(yield)
      yield("value")
      error("boom", 0)
    end)
    local it = stream(every(1, 1)):merge(failing()):iter()
    assert.equal("value", it())
    await(lull.sleep(10))
    local results = {}
    for i = 1, 2 do
      local ok, v = pcall(it)
      results[i] = v
      if not ok then break end
    end
    assert.equal("boom", results[1] == 1 and results[2] or results[1])
    assert.is_nil(it())
  end)

  it("loses no failure of several", function()
    local function failing(what, cleanup)
      return lull.generator(function(yield)
        local _ <close> = on_close(function() if cleanup then error(cleanup, 0) end end)
        yield(what)
        await(lull.sleep(1))
        error(what, 0)
      end)()
    end
    local _, err = pcall(list, stream(failing("a")):merge(failing("b"), failing("c")))
    assert.is_true(lull.is_error(err, lull.ExceptionGroup))
    table.sort(err.errors)
    assert.same({ "a", "b", "c" }, err.errors)
    _, err = pcall(function()
      for _ in stream(failing("a", "x")):merge(failing("b", "y")):iter() do error("body", 0) end
    end)
    table.sort(err.errors)
    assert.same({ "body", "x", "y" }, err.errors)
    _, err = pcall(function()
      local it <close> = stream(failing("a", "x")):merge(failing("b")):iter()
      it()
    end)
    assert.equal("x", err)
    waiting.nothing_left()
  end)

  it("loses no item of the queues it reads when it is left before they have one", function()
    local a, b = lull.queue(), lull.queue()
    local it = stream(a:iter()):merge(stream(b:iter())):iter()
    a:put_nowait(1)
    assert.equal(1, it())
    turns(5)
    it:close()
    a:put_nowait(2)
    b:put_nowait(3)
    turns(5)
    assert.equal(2, a:get_nowait())
    assert.equal(3, b:get_nowait())
  end)
end)

describe("cancelling a task that takes from merged sources", function()
  tidy.watch(before_each, after_each)

  local function start(log)
    local function source(name, delay)
      return lull.generator(function(yield)
        local _ <close> = on_close(function()
          await(lull.sleep(1))
          log.add("closed " .. name)
        end)
        for i = 1, 10 do
          await(lull.sleep(delay))
          yield(i)
        end
      end)()
    end
    return lull.create_task(stream(source("a", 2)):merge(source("b", 3)):each(identity))
  end

  it("closes all of them, at any moment", function()
    for time = 0.25, 19, 0.25 do
      local log = new_log()
      local task = start(log)
      await(lull.sleep(time))
      task:cancel()
      raises(lull.CancelledError, await, task)
      assert.matches(("^closed [ab] at %g, closed [ab] at %g$"):format(time + 1, time + 1),
        log.take())
      waiting.nothing_left()
    end
  end)

  it("before it starts starts nothing, in its first turn closes what has begun", function()
    local log = new_log()
    local task = start(log)
    task:cancel()
    raises(lull.CancelledError, await, task)
    for n = 1, 3 do
      task = start(log)
      turns(n)
      task:cancel()
      raises(lull.CancelledError, await, task)
      waiting.nothing_left()
    end
  end)

  it("in the turn in which a value comes", function()
    for order = 1, 2 do
      local a, b = lull.queue(), lull.queue()
      local task = lull.create_task(stream(a:iter()):merge(stream(b:iter())):list())
      turns(5)
      if order == 1 then task:cancel() end
      a:put_nowait("item")
      if order == 2 then task:cancel() end
      raises(lull.CancelledError, await, task)
      waiting.nothing_left()
    end
  end)

  it("again, in its cleanup, interrupts the cleanup of all", function()
    local closed = {}
    local function source()
      return lull.generator(function(yield)
        local _ <close> = on_close(function()
          local _ <close> = on_close(function() closed[#closed + 1] = lull.now() end)
          await(lull.sleep(1000))
        end)
        await(lull.sleep(1000))
        yield(1)
      end)()
    end
    local start_time = lull.now()
    local task = lull.create_task(stream(source()):merge(source()):list())
    await(lull.sleep(1))
    task:cancel()
    await(lull.sleep(1))
    task:cancel()
    raises(lull.CancelledError, await, task)
    assert.same({ 2, 2 }, { closed[1] - start_time, closed[2] - start_time })
    waiting.nothing_left()
  end)
end)

describe("a stream with tasks", function()
  tidy.watch(before_each, after_each)

  it("that is stepped by hand and dropped unwinds at the end of the script", function()
    local output, status = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local function closing(name)
  return setmetatable({}, {__close = function() print(name, "closed") end})
end
local numbers = lull.generator(function(yield, name)
  local _ <close> = closing(name)
  for i = 1, 10 do yield(i) end
end)
local function slow(x)
  local _ <close> = closing("call " .. x)
  return lull.await(lull.sleep(1, x))
end
local a = stream(numbers("a")):map(slow, {limit = 2}):iter()
local b = stream(numbers("b")):merge(numbers("c")):iter()
print(a(), b())
lull.await(lull.sleep(0.5))]])
    assert.equal(0, status)
    local lines = {}
    for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
    table.sort(lines)
    assert.same({ "1\t1", "a\tclosed", "b\tclosed", "c\tclosed", "call 1\tclosed",
      "call 2\tclosed", "call 3\tclosed" }, lines)
  end)

  it("can be read by a task that the end of the script cancels", function()
    local output, status = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local numbers = lull.generator(function(yield, name)
  local _ <close> = setmetatable({}, {__close = function()
    lull.await(lull.sleep(1))
    print(name, "closed", lull.now())
  end})
  for i = 1, 10 do
    lull.await(lull.sleep(1))
    yield(i)
  end
end)
local function slow(x) return lull.sleep(10, x) end
lull.create_task(stream(numbers("a")):map(slow, {limit = 2}):list())
lull.create_task(stream(numbers("b")):merge(numbers("b")):list())
lull.await(lull.sleep(5.5))]])
    assert.equal(0, status)
    assert.equal("a\tclosed\t6.5\nb\tclosed\t6.5\nb\tclosed\t6.5\n", output)
  end)

  it("tells who waits for what when it can never go on", function()
    local output, status = script.run([[
local lull = require "lull"
local stream = require "lull.stream"
local queue = lull.queue()
lull.await(stream(queue:iter()):map(tostring, {limit = 2}):list())]])
    assert.equal(1, status)
    assert.matches("deadlock", output)
    assert.matches("task 'main' waits for an event at script.lua:4", output)
    assert.matches("task 'stream' waits for an item of a queue", output)
  end)

  it("cannot be closed by a call of its own, and ends all the same", function()
    local it, outcome, went_on
    it = stream(every(1, 5)):map(function(x)
      await(lull.sleep(1))
      if x == 2 then
        outcome = table.pack(pcall(it.close, it))
        error("after", 0)
      end
      await(lull.sleep(100))
      return x
    end, { limit = 3 }):iter()
    local task = lull.create_task(function()
      await(lull.sleep(0))
      return (it())
    end)
    await(lull.sleep(50))
    assert.same({ false, "the stream is being read already", n = 2 },
      { outcome[1], (outcome[2]:gsub("^.-:%d+: ", "")), n = outcome.n })
    assert.equal(1, await(task))
    local ok, err = pcall(it)
    assert.is_false(ok)
    assert.equal("after", err)

    it = stream({ 1, 2, 3 }):map(function(x)
      if x == 3 then it:close() end -- in its first step, while the reader makes it
      return x
    end, { limit = 2 }):iter()
    assert.equal(1, it())
    await(lull.sleep(5))
    assert.is_nil(it())
    waiting.nothing_left()

    it = stream({ 1, 2 }):map(function(x)
      if x == 1 then return x end
      await(lull.sleep(1))
      outcome = table.pack(pcall(it.close, it))
      await(lull.sleep(1))
      went_on = true
      return x
    end, { limit = 2 }):iter()
    assert.equal(1, it())
    await(lull.sleep(5))
    assert.is_true(went_on)
    assert.same({ false, "a function of the stream has closed it", n = 2 }, outcome)
    assert.is_nil(it())
    waiting.nothing_left()
  end)
end)

-- A pipeline made at random, and the values it must give, by the same steps done one by one.
describe("pipelines made at random", function()
  tidy.watch(before_each, after_each)

  local seed = tonumber(os.getenv("LULL_FUZZ_SEED") or "") or 20240607
  local random

  local function generator_of(values, state)
    return lull.generator(function(yield)
      state.open = state.open + 1
      local _ <close> = on_close(function()
        state.open = state.open - 1
        if random(3) == 1 then await(lull.sleep(random(3) / 2)) end
      end)
      for _, v in ipairs(values) do
        if random(2) == 1 then await(lull.sleep(random(0, 4) / 2)) end
        yield(v)
      end
    end)()
  end

  -- Waits now and then, and counts who is inside.
  local function busy(state, f)
    return function(...)
      state.open = state.open + 1
      local _ <close> = on_close(function() state.open = state.open - 1 end)
      if random(2) == 1 then await(lull.sleep(random(0, 6) / 2)) end
      return f(...)
    end
  end

  local steps = {
    function(s, values, state)
      local result = {}
      for i, v in ipairs(values) do result[i] = v + 1 end
      return s:map(busy(state, function(x) return x + 1 end), { limit = random(5) }), result
    end,
    function(s, values, state)
      local result = {}
      for _, v in ipairs(values) do
        if v % 3 ~= 0 then result[#result + 1] = v end
      end
      return s:filter(busy(state, function(x) return x % 3 ~= 0 end), { limit = random(5) }), result
    end,
    function(s, values)
      local n = random(0, 30)
      return s:take(n), table.move(values, 1, math.min(n, #values), 1, {})
    end,
    function(s, values)
      local n = random(0, 3)
      return s:skip(n), table.move(values, n + 1, #values, 1, {})
    end,
    function(s, values, state)
      local result = {}
      for _, v in ipairs(values) do table.move({ v, -v }, 1, 2, #result + 1, result) end
      return s:flat_map(function(x) return generator_of({ x, -x }, state) end), result
    end,
    function(s, values)
      return s:chunk(random(4)):flat_map(identity), values
    end,
    function(s, values)
      return s:enumerate():map(function(_, x) return x end), values
    end,
    function(s, values) return s:merge(), values end,
    function(s, values) return s:timeout(1000):throttle(random(0, 2) / 2), values end,
  }

  local function make(state)
    local values = {}
    for i = 1, random(0, 12) do values[i] = random(100) end
    local s = stream(generator_of(values, state))
    for _ = 1, random(5) do s, values = steps[random(#steps)](s, values, state) end
    return s, values
  end

  local function with_seed(number, f)
    math.randomseed(number)
    random = math.random
    local ok, err = pcall(f)
    if not ok then error(("with LULL_FUZZ_SEED=%d: %s"):format(number, tostring(err)), 0) end
  end

  it("give what they should", function()
    for number = seed, seed + 300 do
      with_seed(number, function()
        local state = { open = 0 }
        local s, values = make(state)
        assert.same(values, list(s))
        assert.equal(0, state.open)
        waiting.nothing_left()
      end)
    end
  end)

  it("leave nothing behind when they are cancelled at any moment", function()
    for number = seed, seed + 300 do
      with_seed(number, function()
        local state = { open = 0 }
        local s = make(state)
        local task = lull.create_task(s:list())
        await(lull.sleep(random(0, 60) / 4))
        for _ = 1, random(3) do
          task:cancel()
          turns(random(0, 2))
        end
        pcall(await, task)
        assert.equal(0, state.open)
        waiting.nothing_left()
      end)
    end
  end)

  it("leave nothing behind when they are left at any value, or fail there", function()
    for number = seed, seed + 300 do
      with_seed(number, function()
        local state = { open = 0 }
        local s, values = make(state)
        local stop, fails, got = random(0, #values), random(2) == 1, {}
        local ok, err = pcall(function()
          for v in s:iter() do
            if #got == stop then
              if fails then error("stop", 0) end
              break
            end
            got[#got + 1] = v
          end
        end)
        local stopped = stop < #values
        assert.equal(not (stopped and fails), ok)
        if not ok then assert.equal("stop", err) end
        assert.same(table.move(values, 1, stop, 1, {}), got)
        assert.equal(0, state.open)
        waiting.nothing_left()
      end)
    end
  end)

  it("raise what one of their functions fails with, and leave nothing behind", function()
    for number = seed, seed + 300 do
      with_seed(number, function()
        local state = { open = 0 }
        local before, values = make(state)
        local bad = random(#values + 1)
        local s = before:enumerate():map(busy(state, function(i, v)
          if i == bad then error("bad", 0) end
          return v
        end), { limit = random(4) })
        local got = {}
        local ok, err = pcall(function()
          for v in s:iter() do got[#got + 1] = v end
        end)
        assert.equal(bad > #values, ok)
        if not ok then assert.equal("bad", err) end
        assert.same(table.move(values, 1, math.min(bad - 1, #values), 1, {}), got)
        assert.equal(0, state.open)
        waiting.nothing_left()
      end)
    end
  end)
end)
