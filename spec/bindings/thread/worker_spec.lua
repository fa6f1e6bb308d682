-- thread.worker: messages in both directions, bounds, errors, closing, cancellation.
local cancellation = require("spec.cancellation")
local lull = require("lull")
local script = require("spec.script")
local thread = require("lull.thread")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local function within(awaitable) return await(lull.wait_for(awaitable, 60)) end

local function send(worker, ...) return within(worker:send(...)) end

local function receive(worker) return within(worker:receive()) end

-- Sends back what it receives.
local function echo(port)
  for message in function() return port:receive() end do port:send(message) end
end

local function threads()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match("\nThreads:%s*(%d+)"))
end

local ROOM = 64 -- messages that a worker has not received

describe("a worker", function()
  tidy.watch(before_each, after_each)

  it("gets a port and the arguments", function()
    local worker <close> = thread.worker(function(port, a, b) port:send({ a, b, type(port) }) end,
      1, { 2 })
    assert.same({ 1, { 2 }, "table" }, receive(worker))
  end)

  it("exchanges messages, of whatever can be copied", function()
    local worker <close> = thread.worker(echo)
    local circle = { name = "x" }
    circle.self = circle
    for _, message in ipairs({ 1, 1.5, "text", false, { 1, { 2 } }, ("x"):rep(100000), lull }) do
      send(worker, message)
      assert.same(message, receive(worker))
    end
    send(worker, circle)
    local copy = receive(worker)
    assert.is_true(rawequal(copy, copy.self))
    send(worker, function(x) return x + 1 end)
    assert.equal(8, receive(worker)(7))
  end)

  it("keeps the order of messages", function()
    local worker <close> = thread.worker(echo)
    local sender = lull.create_task(function()
      for i = 1, 1000 do await(worker:send(i)) end
    end)
    for i = 1, 1000 do assert.equal(i, receive(worker)) end
    await(sender)
  end)

  it("runs in a state of its own", function()
    local first <close> = thread.worker(function(port)
      rawset(_G, "mine", 1)
      port:send("set")
    end)
    assert.equal("set", receive(first))
    local second <close> = thread.worker(function(port) port:send(rawget(_G, "mine") or "nil") end)
    assert.equal("nil", receive(second))
  end)

  it("may use all of lull", function()
    local worker <close> = thread.worker(function(port)
      local inner = require("lull")
      port:send(inner.run(inner.wait_for(inner.sleep(0.001, "slept"), 10)))
      port:send(inner.run(inner.to_thread(function() return "threaded" end)))
    end)
    assert.equal("slept", receive(worker))
    assert.equal("threaded", receive(worker))
  end)

  it("gives nil when it has ended and all is received", function()
    local worker <close> = thread.worker(function(port)
      for i = 1, 3 do port:send(i) end
      return "dropped"
    end)
    assert.same({ 1, 2, 3 }, { receive(worker), receive(worker), receive(worker) })
    assert.is_nil(receive(worker))
    assert.is_nil(receive(worker))
  end)

  it("raises its error where it is received, after the messages before", function()
    local worker = thread.worker(function(port)
      port:send("before")
      error(lull.TimeoutError("too late"))
    end)
    assert.equal("before", receive(worker))
    local err = waiting.raises(lull.TimeoutError, receive, worker)
    assert.matches("in another thread", err.traceback)
    waiting.raises(lull.TimeoutError, receive, worker)
    waiting.raises(lull.TimeoutError, send, worker, 1)
    within(worker:close())
  end)

  it("raises its error when it is closed, if nobody has seen it", function()
    waiting.fails("boom", function()
      local _ <close> = thread.worker(function() error("boom") end)
    end)
    local worker = thread.worker(function() error("bang") end)
    waiting.fails("bang", within, worker:close())
    within(worker:close())
  end)

  it("is told of when it fails and nobody looks", function()
    thread.worker(function() error("unseen", 0) end)
    for _ = 1, 1000 do
      await(lull.sleep(0))
      if #lull.all_tasks() == 1 then break end
      os.execute("sleep 0.001")
    end
    local reports = tidy.take()
    assert.equal(1, #reports)
    assert.equal("unseen", reports[1].exception)
    assert.matches("task 'worker' failed", reports[1].message)
  end)

  it("waits for room when its worker receives nothing", function()
    local worker <close> = thread.worker(function(port)
      port:receive() -- the go
      local n = 0
      while port:receive() do n = n + 1 end
      port:send(n)
    end)
    -- Blocked in C, so that nothing is received.
    local blocked <close> = thread.worker(function(port)
      require("lull").blocking_sleep(0.2)
      for _ = 1, 200 do port:send(port:receive()) end
    end)
    local sent = 0
    local sender = lull.create_task(function()
      for i = 1, 200 do
        await(blocked:send(i))
        sent = sent + 1
      end
    end)
    waiting.turns(300)
    assert.equal(ROOM, sent)
    for i = 1, 200 do assert.equal(i, receive(blocked)) end
    within(sender)
    assert.equal(200, sent)
    send(worker, "go")
    for i = 1, 500 do send(worker, i) end
    within(worker:close())
    assert.equal(500, receive(worker))
  end)

  it("bounds the bytes that nobody receives, by an error", function()
    local path = os.tmpname()
    os.remove(path)
    local worker <close> = thread.worker(function(port, name)
      local inner, n = require("lull"), 0
      local block = ("x"):rep(1024 * 1024)
      local ok, err
      repeat
        ok, err = pcall(port.send, port, block)
        if ok then n = n + 1 end
      until not ok or n == 1000
      assert(inner.is_error(err, inner.QueueFull), err)
      io.open(name, "w"):close()
      port:receive() -- by then there is room again
      port:send(n)
    end, path)
    for _ = 1, 5000 do
      if os.remove(path) then break end
      os.execute("sleep 0.002")
    end
    for _ = 1, 10 do assert.equal(1024 * 1024, #receive(worker)) end
    send(worker, "go on")
    local n, message = 10, receive(worker)
    while type(message) == "string" do
      n, message = n + 1, receive(worker)
    end
    assert.equal(n, message)
    assert.is_true(n > 20 and n <= 64)
  end)

  it("has many senders, each message comes once", function()
    local worker <close> = thread.worker(function(port)
      local sum = 0
      while true do
        local message = port:receive()
        if not message then break end
        sum = sum + message
      end
      port:send(sum)
    end)
    local senders = {}
    for i = 1, 20 do
      senders[i] = lull.create_task(function()
        for _ = 1, 50 do await(worker:send(i)) end
      end)
    end
    within(lull.gather(senders))
    within(worker:close())
    assert.equal(50 * 210, receive(worker))
  end)

  it("has many receivers, each message comes once", function()
    local worker <close> = thread.worker(function(port)
      for i = 1, 1000 do port:send(i) end
    end)
    local sum, receivers = 0, {}
    for i = 1, 10 do
      receivers[i] = lull.create_task(function()
        while true do
          local message = await(worker:receive())
          if not message then break end
          sum = sum + message
        end
      end)
    end
    within(lull.gather(receivers))
    assert.equal(500500, sum)
  end)

  it("refuses nil, and what cannot be copied, in both directions", function()
    local worker <close> = thread.worker(function(port)
      local _, no_nil = pcall(port.send, port, nil)
      local _, no_coroutine = pcall(port.send, port, { x = coroutine.create(print) })
      port:send({ no_nil, no_coroutine })
    end)
    waiting.fails("bad argument #1 to 'send' (nil cannot be sent)", worker.send, worker)
    waiting.fails("cannot copy to a thread: the message[1]: a coroutine", send, worker,
      { coroutine.create(print) })
    local errors = receive(worker)
    assert.matches("nil cannot be sent", errors[1])
    assert.equal("cannot copy from a thread: the message.x: a coroutine", errors[2])
  end)

  it("refuses at once what it cannot be started with", function()
    waiting.fails("bad argument #1 to 'worker' (function expected, got nil)", thread.worker)
    waiting.fails("cannot copy to a thread: argument 1: a coroutine", thread.worker, echo,
      coroutine.create(print))
    waiting.fails("plain function expected", thread.worker, lull.async(function() end))
    waiting.nothing_left()
  end)

  it("that waits for a message keeps neither the clock nor a deadlock up", function()
    local worker <close> = thread.worker(echo)
    send(worker, 1)
    assert.equal(1, receive(worker))
    assert.equal(1000, waiting.seconds(function() await(lull.sleep(1000)) end))
    local output, status = script.run([[
      local lull = require "lull"
      local worker = require("lull.thread").worker(function(port) port:receive() end)
      lull.await(worker:receive())
    ]])
    assert.matches("deadlock: every task waits", output)
    assert.equal(1, status)
  end)

  it("tells what it is", function()
    local worker = thread.worker(echo)
    assert.equal("worker (running)", tostring(worker))
    within(worker:close())
    assert.equal("worker (ended)", tostring(worker))
  end)
end)

describe("closing a worker", function()
  tidy.watch(before_each, after_each)

  it("lets it receive what was sent before, and ends its thread", function()
    local before = threads()
    local worker = thread.worker(function(port)
      require("lull").blocking_sleep(0.02)
      local n = 0
      while port:receive() do n = n + 1 end
      port:send(n)
    end)
    for i = 1, 10 do send(worker, i) end
    within(worker:close())
    assert.equal(10, receive(worker))
    assert.is_nil(receive(worker))
    for _ = 1, 1000 do
      if threads() == before then break end
      await(lull.sleep(0))
    end
    assert.equal(before, threads())
  end)

  it("refuses to send more", function()
    local worker = thread.worker(echo)
    within(worker:close())
    waiting.fails("the worker is closed", worker.send, worker, 1)
    waiting.fails("worker_spec.lua:", function() worker:send(1) end)
  end)

  it("refuses those who wait for room", function()
    local worker = thread.worker(function() require("lull").blocking_sleep(0.1) end)
    local senders = {}
    for i = 1, ROOM + 3 do senders[i] = lull.create_task(worker:send(i)) end
    waiting.turns(20)
    within(worker:close())
    await(lull.wait(senders))
    local refused = 0
    for _, sender in ipairs(senders) do
      if sender:exception() then
        assert.matches("the worker is closed", sender:exception())
        refused = refused + 1
      end
    end
    assert.equal(3, refused)
  end)

  it("is no error for those who wait for room at its end", function()
    local worker = thread.worker(function() require("lull").blocking_sleep(0.05) end)
    local senders = {}
    for i = 1, ROOM + 2 do senders[i] = lull.create_task(worker:send(i)) end
    await(lull.wait(senders))
    assert.is_nil(senders[1]:exception())
    assert.is_true(lull.is_error(senders[ROOM + 2]:exception(), lull.InvalidStateError))
    assert.is_true(lull.is_error(senders[ROOM + 1]:exception(), lull.InvalidStateError))
    waiting.raises(lull.InvalidStateError, send, worker, 1)
    within(worker:close())
  end)

  it("twice is the same as once", function()
    local worker = thread.worker(echo)
    within(lull.gather(worker:close(), worker:close()))
    within(worker:close())
  end)

  it("can be cancelled, and the worker goes on to its end", function()
    local worker = thread.worker(function(port)
      while port:receive() do end
      require("lull").blocking_sleep(0.1)
      port:send("the end")
    end)
    local closing = lull.create_task(worker:close())
    waiting.turns(5)
    closing:cancel()
    waiting.turns(2)
    assert.is_true(closing:cancelled())
    assert.equal("the end", receive(worker))
    assert.is_nil(receive(worker))
    within(worker:close())
  end)

  it("is left to the end of the script if nobody does it", function()
    local output, status = script.run([[
      local lull = require "lull"
      local worker = require("lull.thread").worker(function(port)
        port:send("started")
        print(port:receive())
      end)
      print(lull.await(worker:receive()))
    ]], "")
    assert.equal("started\nnil\n", output)
    assert.equal(0, status)
  end)

  it("at the end of the script does not wait for a loop", function()
    local output, status = script.run([[
      local lull = require "lull"
      local worker = require("lull.thread").worker(function(port)
        port:send("started")
        while true do port:receive() end
      end)
      print(lull.await(worker:receive()))
    ]], "")
    assert.equal("started\n", output)
    assert.equal(0, status)
  end)
end)

-- Until a file is there.
local function wait_for_file(path)
  for _ = 1, 60000 do
    if os.remove(path) then return end
    require("lull").blocking_sleep(0.001)
  end
  error("the file does not come")
end

-- Makes the file and waits, in real time and without turns, until the thread has seen it and what
-- it does then is done.
local function signal(path)
  assert(io.open(path, "w")):close()
  for _ = 1, 5000 do
    local file = io.open(path)
    if not file then break end
    file:close()
    os.execute("sleep 0.002")
  end
  os.execute("sleep 0.05")
end

describe("the cancellation of worker:receive", function()
  tidy.watch(before_each, after_each)

  local case = {}

  function case.setup()
    local path = os.tmpname()
    os.remove(path)
    local worker = thread.worker(function(port, wait, name)
      wait(name)
      port:send("the message")
      port:receive()
    end, wait_for_file, path)
    return { path = path, worker = worker, received = {} }
  end

  function case.operation(state)
    state.received[#state.received + 1] = await(state.worker:receive())
  end

  function case.complete(state) signal(state.path) end

  function case.check(state)
    if #state.received == 0 then state.received[1] = receive(state.worker) end
    assert.same({ "the message" }, state.received)
    within(state.worker:close())
  end

  -- The worker's own task is there, too: what is left is looked at when it is closed.
  for name, test in cancellation.moments(case) do
    it(name, function()
      local nothing_left = waiting.nothing_left
      waiting.nothing_left = function() end
      local ok, err = pcall(test)
      waiting.nothing_left = nothing_left
      assert(ok, err)
      waiting.nothing_left()
    end)
  end
end)

describe("the cancellation of worker:send", function()
  tidy.watch(before_each, after_each)

  local case = {}

  function case.setup()
    local path = os.tmpname()
    os.remove(path)
    local worker = thread.worker(function(port, wait, name)
      wait(name)
      port:receive()
      wait(name)
      local n = 0
      while port:receive() do n = n + 1 end
      port:send(n)
    end, wait_for_file, path)
    for i = 1, ROOM do send(worker, i) end
    return { path = path, worker = worker, sent = 0 }
  end

  function case.operation(state)
    await(state.worker:send("one more"))
    state.sent = state.sent + 1
  end

  function case.complete(state) signal(state.path) end

  function case.check(state)
    assert(io.open(state.path, "w")):close()
    within(state.worker:close())
    assert.equal(ROOM - 1 + state.sent, receive(state.worker))
    assert.is_true(state.sent <= 1)
  end

  for name, test in cancellation.moments(case) do
    it(name, function()
      local nothing_left = waiting.nothing_left
      waiting.nothing_left = function() end
      local ok, err = pcall(test)
      waiting.nothing_left = nothing_left
      assert(ok, err)
      waiting.nothing_left()
    end)
  end
end)
