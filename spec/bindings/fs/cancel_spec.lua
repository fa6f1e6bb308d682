-- lull.fs: cancellations, at whatever moment they come. Nothing is half done, or left open.
local cancellation = require("spec.cancellation")
local fs = require("lull.fs")
local lull = require("lull")
local scratch = require("spec.scratch")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local LIMIT = 20 -- seconds

-- Runs an operation so many times, cancelled a little later each time; `check` is called with
-- whether it had completed. The last time it is let be.
local function at_every_moment(times, operation, check)
  local completed = 0
  for moment = 0, times do
    local task = lull.create_task(operation())
    for _ = 1, moment do
      await(lull.sleep(0))
    end
    if moment < times then
      task:cancel()
    end
    await(lull.wait({ task }, { timeout = LIMIT }))
    local ok = not task:cancelled()
    assert(not ok or task:exception() == nil, tostring(ok and task:exception()))
    completed = completed + (ok and 1 or 0)
    check(ok)
  end
  assert.is_true(completed >= 1)
end

-- Lets the pool, with its four threads, come to the end of what it was given.
local function let_the_pool_end()
  local jobs = {}
  for i = 1, 16 do
    jobs[i] = fs.exists("/")
  end
  await(lull.gather(jobs))
end

-- Cancels an operation in the turn in which it completes: another one, begun before it, completes
-- while the loop does not run, and whoever waited for that cancels.
local function in_its_turn(operation, is_done)
  local victim
  local canceller = lull.create_task(function()
    await(fs.exists("/"))
    victim:cancel()
  end)
  victim = lull.create_task(operation)
  await(lull.sleep(0))
  scratch.spin(is_done)
  await(canceller)
  await(lull.wait({ victim }, { timeout = LIMIT }))
  return victim
end

describe("an operation on files that is cancelled", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("does nothing when it is cancelled before it starts", function()
    scratch.write("f", "old")
    local file <close> = await(fs.open(scratch.path("f"), "r+"))
    local operations = {
      fs.open(scratch.path("new"), "w"),
      fs.write_file(scratch.path("new"), "x"),
      fs.write_file(scratch.path("f"), "x"),
      fs.write_file(scratch.path("f"), "x", { atomic = true }),
      fs.copy(scratch.path("f"), scratch.path("new")),
      fs.rename(scratch.path("f"), scratch.path("new")),
      fs.remove(scratch.path("f")),
      fs.remove(scratch.path("f"), { recursive = true }),
      fs.mkdir(scratch.path("new")),
      fs.mkdtemp(scratch.path("new-XXXXXX")),
      file:write("x"),
      file:seek("end"),
      file:read(1),
    }
    for i, operation in ipairs(operations) do
      operations[i] = lull.create_task(operation)
      operations[i]:cancel()
    end
    for _, task in ipairs(operations) do
      waiting.raises(lull.CancelledError, await, task)
    end
    let_the_pool_end()
    assert.same({ "f" }, scratch.names())
    assert.equal("old", scratch.read("f"))
    assert.equal("old", await(file:read("a")))
  end)

  it("does nothing when it waits for the pool, which is busy", function()
    scratch.write("f", "old")
    assert(scratch.sh("mkfifo $D/fifo"))
    local busy, tasks = {}, {}
    for i = 1, 64 do
      busy[i] = lull.create_task(fs.open(scratch.path("fifo"), "w")) -- 10 ms a time
    end
    for _ = 1, 3 do
      await(lull.sleep(0))
    end
    tasks[1] = lull.create_task(fs.write_file(scratch.path("f"), "new"))
    tasks[2] = lull.create_task(fs.remove(scratch.path("f")))
    tasks[3] = lull.create_task(fs.mkdir(scratch.path("d")))
    await(lull.sleep(0))
    for _, task in ipairs(tasks) do
      task:cancel()
      waiting.raises(lull.CancelledError, await, task)
    end
    for _, task in ipairs(busy) do
      task:cancel()
    end
    await(lull.wait(busy))
    let_the_pool_end()
    assert.equal("old", scratch.read("f"))
    assert.same({ "f", "fifo" }, scratch.names())
  end)

  it("leaves nothing open", function()
    scratch.write("f", ("text\n"):rep(1000))
    at_every_moment(60, function()
      return fs.open(scratch.path("f"))
    end, let_the_pool_end)
    at_every_moment(60, function()
      return fs.read_file(scratch.path("f"))
    end, let_the_pool_end)
    at_every_moment(60, function()
      return function()
        local f <close> = await(fs.open(scratch.path("f"), "r+"))
        await(f:read("l"))
        await(f:write("x"))
        await(f:seek("end"))
        await(f:sync())
      end
    end, let_the_pool_end)
    collectgarbage()
  end)

  it("leaves a file that is replaced as it was, or new, and nothing beside it", function()
    local old, new = ("o"):rep(3000000), ("n"):rep(3000000)
    at_every_moment(60, function()
      scratch.write("f", old)
      return fs.write_file(scratch.path("f"), new, { atomic = true })
    end, function(completed)
      scratch.eventually(function()
        return #scratch.names() == 1
      end, "a temporary file is left")
      local text = scratch.read("f")
      assert.is_true(text == new or text == old and not completed)
    end)
  end)

  it("leaves no target of a copy, or the old one, or the whole of it", function()
    local old, new = "old", ("n"):rep(30000000)
    scratch.write("from", new)
    for round = 1, 2 do
      at_every_moment(40, function()
        if round == 2 then
          scratch.write("to", old)
        else
          os.remove(scratch.path("to"))
        end
        return fs.copy(scratch.path("from"), scratch.path("to"))
      end, function(completed)
        scratch.eventually(function()
          local names = scratch.names()
          return names[1] == "from" and (names[2] or "to") == "to"
        end, "a temporary file is left")
        local text = scratch.read("to")
        assert.is_true(text == new or not completed and text == (round == 2 and old or nil))
      end)
    end
  end)

  it("stops removing a tree, which can be removed later", function()
    assert(scratch.sh("cd $D; for i in $(seq 30); do mkdir -p t/$i; (cd t/$i; seq 50 | " ..
      "xargs touch); done"))
    local stopped = 0
    for moment = 1, 20 do
      local removal = lull.create_task(fs.remove(scratch.path("t"), { recursive = true }))
      for _ = 1, moment do
        await(lull.sleep(0))
      end
      removal:cancel()
      await(lull.wait({ removal }))
      let_the_pool_end()
      stopped = stopped + (await(fs.exists(scratch.path("t"))) and 1 or 0)
      if stopped < moment then
        break
      end
    end
    assert.is_true(stopped > 0)
    if await(fs.exists(scratch.path("t"))) then
      await(fs.remove(scratch.path("t"), { recursive = true }))
    end
    assert.same({}, scratch.names())
  end)

  it("gives back what came in the turn in which it is cancelled", function()
    scratch.write("f", "text")
    for round = 1, 30 do
      local name = "new" .. round
      local victim = in_its_turn(fs.open(scratch.path(name), "w"), function()
        return scratch.read(name)
      end)
      if not victim:cancelled() then
        await(victim:result():close())
      end
      in_its_turn(fs.mkdtemp(scratch.path("dir-XXXXXX")), function()
        return true
      end)
      in_its_turn(fs.read_file(scratch.path("f")), function()
        return true
      end)
      in_its_turn(fs.stat(scratch.path("f")), function()
        return true
      end)
    end
    let_the_pool_end()
  end)

  it("loses no byte of a file that is read", function()
    local text = {}
    for i = 1, 20000 do
      text[i] = ("%d\n"):format(i)
    end
    text = table.concat(text)
    local f <close> = await(fs.open(scratch.write("f", text)))
    local pieces, moment = {}, 0
    local formats = { "L", 1, 70000, 200, "L", 3 }
    repeat
      moment = moment + 1
      local reader = lull.create_task(f:read(formats[moment % #formats + 1]))
      for _ = 1, moment % 7 do
        await(lull.sleep(0))
      end
      if moment < 300 then
        reader:cancel()
      end
      await(lull.wait({ reader }))
      local piece = not reader:cancelled() and reader:result()
      if piece then
        pieces[#pieces + 1] = piece
      end
    until piece == nil
    assert.is_true(table.concat(pieces) == text)
  end)

  it("loses no byte of a device that is read", function()
    local f <close> = await(fs.open("/dev/zero"))
    for moment = 0, 40 do
      local reader = lull.create_task(f:read(200000))
      for _ = 1, moment do
        await(lull.sleep(0))
      end
      reader:cancel()
      await(lull.wait({ reader }))
    end
    assert.equal(("\0"):rep(100), await(f:read(100)))
  end)

  it("writes a first part of what it was given, and the next write follows it", function()
    local data = ("0123456789"):rep(1000000)
    for moment = 0, 30 do
      local f <close> = await(fs.open(scratch.path("f"), "w"))
      local writer = lull.create_task(f:write(data))
      for _ = 1, moment do
        await(lull.sleep(0))
      end
      writer:cancel()
      await(lull.wait({ writer }))
      await(f:write("END"))
      local text = scratch.read("f")
      assert.equal("END", text:sub(-3))
      assert.is_true(text:sub(1, -4) == data:sub(1, #text - 3))
      assert.equal(#text, await(f:seek()))
    end
  end)

  it("does not wait when its task was cancelled before", function()
    local f <close> = await(fs.open(scratch.path("f"), "w+"))
    local done = 0
    for _, operation in ipairs({ f.read, f.write, f.sync, f.flush, f.close }) do
      local task = lull.create_task(function()
        lull.current_task():cancel()
        await(operation(f))
        done = done + 1
        await(lull.sleep(0))
      end)
      waiting.raises(lull.CancelledError, await, task)
    end
    assert.is_true(done <= 1) -- flush has nothing to wait for
    waiting.fails("attempt to use a closed file", f.read, f)
  end)

  it("can be one in the cleanup of its task", function()
    local log = {}
    local task = lull.create_task(function()
      local _ <close> = setmetatable({}, {
        __close = function()
          await(fs.write_file(scratch.path("log"), "cleaned"))
          log[#log + 1] = await(fs.read_file(scratch.path("log")))
          for name in fs.scandir(scratch.dir) do
            log[#log + 1] = name
          end
          await(fs.remove(scratch.path("log")))
        end,
      })
      await(lull.sleep(1000))
    end)
    waiting.turns(1)
    task:cancel()
    waiting.raises(lull.CancelledError, await, task)
    assert.same({ "cleaned", "log" }, log)
    assert.same({}, scratch.names())
  end)

  it("is one at the end of the process, too, which does not wait for long", function()
    local output, status = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      os.execute("mkfifo " .. ... .. "/fifo")
      for _ = 1, 20 do
        lull.create_task(fs.open(... .. "/fifo", "w"))
        lull.create_task(fs.write_file(... .. "/f", ("x"):rep(1e7), {atomic = true}))
      end
      local watch = fs.watch(...)
      lull.create_task(function() for _ in watch do end end)
      local f = lull.await(fs.open(... .. "/fifo"))
      lull.create_task(f:read())
      lull.await(lull.sleep(0))
      print("over")
    ]])
    assert.equal("over\n", output)
    assert.equal(0, status)
    for _, name in ipairs(scratch.names()) do
      assert.is_true(name == "f" or name == "fifo", name)
    end
  end)
end)

describe("a file operation that waits for its turn", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  for name, test in cancellation.moments({
    setup = function()
      assert(scratch.sh("mkfifo $D/fifo"))
      local state = { file = await(fs.open(scratch.path("fifo"), "r+")), taken = "", holds = true }
      state.holder = lull.create_task(function()
        state.first = await(state.file:read(1))
      end)
      waiting.turns(4)
      return state
    end,
    operation = function(state)
      state.taken = state.taken .. await(state.file:read(1))
    end,
    complete = function()
      local feed = assert(io.open(scratch.path("fifo"), "w"))
      feed:write("123")
      feed:close()
    end,
    check = function(state)
      await(lull.wait_for(state.holder, LIMIT))
      assert.equal("1", state.first)
      state.taken = state.taken .. await(state.file:read(3 - 1 - #state.taken))
      assert.equal("23", state.taken)
      await(state.file:close())
    end,
  }) do
    it(name, test)
  end
end)

describe("a read of a pipe", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  for name, test in cancellation.moments({
    setup = function()
      assert(scratch.sh("mkfifo $D/fifo"))
      return { file = await(fs.open(scratch.path("fifo"), "r+")), taken = "" }
    end,
    operation = function(state)
      state.taken = state.taken .. await(state.file:read(1))
    end,
    complete = function()
      local feed = assert(io.open(scratch.path("fifo"), "w"))
      feed:write("12")
      feed:close()
    end,
    check = function(state)
      state.taken = state.taken .. await(state.file:read(2 - #state.taken))
      assert.equal("12", state.taken)
      await(state.file:close())
    end,
  }) do
    it(name, test)
  end
end)
