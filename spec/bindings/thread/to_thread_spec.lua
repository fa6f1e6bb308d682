-- lull.to_thread: running beside the loop, cancellation, and the end of runtimes whose threads run.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local function call(f, ...)
  return await(lull.wait_for(lull.to_thread(f, ...), 60))
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function touch(path) assert(io.open(path, "w")):close() end

-- For threads: until a file is there, for a minute at most.
local function wait_for_file(path)
  for _ = 1, 60000 do
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
    require("lull").blocking_sleep(0.001)
  end
  error("the file does not come")
end

-- In real time, whatever the clock.
local function real_seconds()
  local file <close> = assert(io.open("/proc/uptime"))
  return file:read("n")
end

-- How many threads the process has.
local function threads()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match("\nThreads:%s*(%d+)"))
end

local function until_file(path)
  local start = real_seconds()
  while not exists(path) do
    assert(real_seconds() - start < 30, "the file does not come")
    await(lull.sleep(0.001))
  end
end

local folder

local function path(name) return folder .. "/" .. name end

local function make_folder()
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
end

local function remove_folder() os.execute("rm -r " .. folder) end

describe("lull.to_thread", function()
  tidy.watch(before_each, after_each)
  before_each(make_folder)
  after_each(remove_folder)

  it("runs a function beside the loop", function()
    local task = lull.create_task(lull.to_thread(wait_for_file, path("go")))
    for _ = 1, 20 do await(lull.sleep(0)) end
    assert.is_false(task:done())
    touch(path("go"))
    assert.equal(path("go"), await(lull.wait_for(task, 60)))
  end)

  it("is lazy, and copies when it starts", function()
    local list = { 1 }
    local coroutine_object = lull.to_thread(function(t) return #t end, list)
    list[2] = 2
    assert.equal(2, await(coroutine_object))
  end)

  it("runs functions at the same time", function()
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = lull.create_task(lull.to_thread(function(mine, others, wait)
        io.open(mine, "w"):close()
        for _, other in ipairs(others) do wait(other) end
        return true
      end, path(i), { path(1), path(2), path(3), path(4) }, wait_for_file))
    end
    assert.same({ true, true, true, true, n = 4 }, await(lull.wait_for(lull.gather(tasks), 60)))
  end)

  it("has more to do than threads, and does it in order", function()
    local list = {}
    for i = 1, 200 do list[i] = lull.to_thread(function(n) return n * 2 end, i) end
    for i, result in ipairs(await(lull.wait_for(lull.gather(list), 60))) do
      assert.equal(2 * i, result)
    end
  end)

  it("gives no more threads than it needs", function()
    for _ = 1, 50 do call(math.abs, 1) end
    local before = threads()
    for _ = 1, 50 do call(math.abs, 1) end
    assert.equal(before, threads())
  end)

  it("keeps the globals of a thread from one call to the next", function()
    local pool <close> = require("lull.thread").pool { size = 1 }
    await(pool:run(function() rawset(_G, "kept", 5) end))
    assert.equal(5, await(pool:run(function() return rawget(_G, "kept") end)))
    assert.is_nil(rawget(_G, "kept"))
  end)

  it("has all of lull in the thread, with a loop of its own", function()
    assert.same({ "slept", 3, 42 }, call(function()
      local inner = require("lull")
      local queue = inner.queue()
      return inner.run(function()
        local tg <close> = inner.task_group()
        tg:create_task(function() inner.await(queue:put(3)) end)
        inner.await(inner.sleep(0.001))
        local threaded = inner.await(inner.to_thread(function() return 42 end))
        return { "slept", inner.await(queue:get()), threaded }
      end)
    end))
  end)

  it("refuses await outside the thread's own tasks", function()
    waiting.fails("await outside any task", call, function() lull.await(lull.future()) end)
  end)

  it("ends the tasks that a call leaves", function()
    local left = path("unwound")
    call(function(name)
      lull.run(lull.sleep(0))
      lull.create_task(function()
        local _ <close> = setmetatable({}, { __close = function() io.open(name, "w"):close() end })
        lull.await(lull.sleep(1000))
      end)
      lull.run(lull.sleep(0))
    end, left)
    assert.is_true(exists(left))
    assert.equal(1, call(function() return #lull.all_tasks() + 1 end))
  end)

  it("finds modules where the script does, also when that changes", function()
    local before = package.path
    for i = 1, 3 do
      local file = assert(io.open(path("spec_path_module" .. i .. ".lua"), "w"))
      file:write("return " .. i)
      file:close()
    end
    call(math.abs, 1)
    package.path = folder .. "/?.lua;" .. before
    local name = "spec_path_module"
    assert.equal(1, call(function() return require(name .. 1) end))
    assert.equal(package.path, call(function() return package.path end))
    package.path = before
    assert.equal(before, call(function() return package.path end))
    assert.equal(package.cpath, call(function() return package.cpath end))
  end)

  it("refuses what is no plain function, and names the caller's line", function()
    local function wrong(f) return (lull.to_thread(f)) end
    waiting.fails("bad argument #1 to 'to_thread' (function expected, got nil)", wrong)
    waiting.fails("bad argument #1 to 'to_thread' (function expected, got table)", wrong, {})
    waiting.fails("(a plain function expected, got an async function)", wrong,
      lull.async(function() end))
    waiting.fails("to_thread_spec.lua:", wrong, 1)
  end)

  it("keeps real time while a thread works, on the virtual clock as well", function()
    local start = lull.now()
    local task = lull.create_task(lull.to_thread(lull.blocking_sleep, 0.1))
    await(lull.sleep(1))
    assert.is_true(task:done())
    assert.is_true(lull.now() - start >= 0.999)
  end)
end)

describe("the cancellation of lull.to_thread", function()
  tidy.watch(before_each, after_each)
  before_each(make_folder)
  after_each(remove_folder)

  local function mark(name)
    io.open(name, "w"):close()
    return name
  end

  local function cancelled(task)
    local ok, err = pcall(await, task)
    return not ok and lull.is_error(err, lull.CancelledError)
  end

  -- After this every thread of the pool has done something new, so nothing is on its way.
  local function settle(pool)
    for _ = 1, 3 do await(pool:run(math.abs, 1)) end
  end

  it("before it starts keeps the function from running", function()
    local pool <close> = require("lull.thread").pool { size = 1 }
    local task = lull.create_task(pool:run(mark, path("ran")))
    task:cancel()
    assert.is_true(cancelled(task))
    settle(pool)
    assert.is_false(exists(path("ran")))
  end)

  it("of a task that has yet to come to it keeps the function from running", function()
    local pool <close> = require("lull.thread").pool { size = 1 }
    local task = lull.create_task(function()
      lull.current_task():cancel()
      await(pool:run(mark, path("ran")))
    end)
    assert.is_true(cancelled(task))
    settle(pool)
    assert.is_false(exists(path("ran")))
  end)

  it("in the queue keeps the function from running", function()
    local pool <close> = require("lull.thread").pool { size = 1 }
    local first = lull.create_task(pool:run(wait_for_file, path("go")))
    local second = lull.create_task(pool:run(mark, path("second")))
    local third = lull.create_task(pool:run(mark, path("third")))
    waiting.turns(5)
    second:cancel()
    assert.is_true(cancelled(second))
    touch(path("go"))
    await(lull.wait_for(lull.gather(first, third), 60))
    settle(pool)
    assert.is_false(exists(path("second")))
    assert.is_true(exists(path("third")))
  end)

  it("while it runs frees the caller at once, and the function goes on", function()
    local pool <close> = require("lull.thread").pool { size = 1 }
    local task = lull.create_task(pool:run(function(wait, go, started, done)
      io.open(started, "w"):close()
      wait(go)
      io.open(done, "w"):close()
      return {}
    end, wait_for_file, path("go"), path("started"), path("done")))
    until_file(path("started"))
    task:cancel()
    waiting.turns(2)
    assert.is_true(task:done() and task:cancelled())
    touch(path("go"))
    await(pool:run(math.abs, 1))
    assert.is_true(exists(path("done")))
  end)

  it("in the turn in which it completes loses nothing of others", function()
    for turns = 0, 40 do
      local victim = lull.create_task(lull.to_thread(math.abs, -1))
      local other = lull.create_task(lull.to_thread(math.abs, -2))
      waiting.turns(turns)
      victim:cancel()
      assert.equal(2, await(lull.wait_for(other, 60)))
      await(lull.wait({ victim }))
      assert.is_true(victim:cancelled() or victim:result() == 1)
    end
  end)

  it("drops a failure of the function", function()
    local task = lull.create_task(lull.to_thread(function(wait, go)
      wait(go)
      error("nobody sees it")
    end, wait_for_file, path("go")))
    waiting.turns(20)
    task:cancel()
    assert.is_true(cancelled(task))
    touch(path("go"))
    for _ = 1, 8 do call(lull.blocking_sleep, 0.002) end
    assert.same({}, tidy.take())
  end)

  it("by a timeout is prompt", function()
    local go, start = path("go"), real_seconds()
    local ok, err = pcall(await, lull.wait_for(lull.to_thread(wait_for_file, go), 0.05))
    touch(go)
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.TimeoutError))
    assert.is_true(real_seconds() - start < 10)
  end)

  it("leaves cleanup free to use threads", function()
    local result
    local task = lull.create_task(function()
      local _ <close> = setmetatable({}, { __close = function()
        result = await(lull.to_thread(math.abs, -3))
      end })
      await(lull.sleep(1000))
    end)
    waiting.turns(2)
    task:cancel()
    assert.is_true(cancelled(task))
    assert.equal(3, result)
  end)

  it("in cleanup is prompt, too", function()
    local task = lull.create_task(function()
      local _ <close> = setmetatable({}, { __close = function()
        await(lull.to_thread(wait_for_file, path("go")))
      end })
      await(lull.sleep(1000))
    end)
    waiting.turns(2)
    task:cancel()
    waiting.turns(30)
    assert.is_false(task:done())
    task:cancel()
    waiting.turns(2)
    assert.is_true(task:done())
    touch(path("go"))
  end)

  it("does not keep a deadlock from being found", function()
    local output, status = script.run([[
      local lull = require "lull"
      local task = lull.create_task(lull.to_thread(lull.blocking_sleep, 20))
      lull.await(lull.sleep(0.05))
      task:cancel()
      lull.await(lull.future())
    ]])
    assert.matches("deadlock: every task waits", output)
    assert.equal(1, status)
  end)
end)

describe("the end of a script whose threads run", function()
  local PROMPT = 5 -- seconds; the threads would take much longer

  local PRELUDE = [[
    local lull = require "lull"
    local function start(f, ...)
      local name = os.tmpname()
      os.remove(name)
      lull.create_task(lull.to_thread(function(f, name, ...)
        io.open(name, "w"):close()
        f(...)
      end, f, name, ...))
      for _ = 1, 5000 do
        if os.remove(name) then return end
        lull.await(lull.sleep(0.001))
      end
      error("the thread does not start")
    end
  ]]

  local function ends_promptly(code, options)
    local start = real_seconds()
    local output, status = script.run(PRELUDE .. code, options or "")
    assert.is_true(real_seconds() - start < PROMPT)
    return output, status
  end

  it("stops a Lua loop", function()
    local output, status = ends_promptly([[start(function() while true do end end)]])
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("stops a Lua loop in a coroutine, and one in a task", function()
    assert.equal("", (ends_promptly([[start(function()
      coroutine.wrap(function() while true do end end)()
    end)]])))
    assert.equal("", (ends_promptly([[start(function()
      require("lull").run(function() while true do end end)
    end)]])))
  end)

  it("gives the function's to-be-closed variables their turn", function()
    assert.equal("closed\n", (ends_promptly([[start(function()
      local _ <close> = setmetatable({}, {__close = function() print("closed") end})
      while true do os.time() end
    end)]])))
  end)

  it("ends a blocking sleep, after which nothing more is run", function()
    assert.equal("", (ends_promptly([[start(function()
      require("lull").blocking_sleep(1000)
      print("slept")
    end)]])))
  end)

  it("cancels what the thread's own tasks wait for", function()
    assert.equal("", (ends_promptly([[start(function()
      require("lull").run(require("lull").sleep(1000))
    end)]])))
  end)

  it("does not wait for a loop that catches every error", function()
    local output, status = ends_promptly([[
      start(function() while true do pcall(function() while true do end end) end end)
      io.write("not flushed")
    ]])
    assert.equal("not flushed", output)
    assert.equal(0, status)
  end)

  it("does not wait for a call that blocks in C", function()
    local output, status = ends_promptly([[
      start(os.execute, "exec sleep 20 >/dev/null 2>&1")
      io.write("not flushed")
    ]])
    assert.equal("not flushed", output)
    assert.equal(0, status)
  end)

  it("does not wait for a thread that reads standard input", function()
    make_folder()
    local file = assert(io.open(path("script.lua"), "w"))
    file:write(PRELUDE, [[start(io.read) io.write("not flushed")]])
    file:close()
    local start = real_seconds()
    -- A pipe without a reader or a writer but this one.
    local command = "mkfifo %s/pipe && timeout 60 '%s' %s/script.lua <>%s/pipe; echo code $?"
    local pipe = assert(io.popen(command:format(folder, os.getenv("LULL"), folder, folder)))
    assert.equal("not flushedcode 0\n", pipe:read("a"))
    pipe:close()
    assert.is_true(real_seconds() - start < PROMPT)
    remove_folder()
  end)

  it("by os.exit is prompt as well, and flushes", function()
    for _, arguments in ipairs({ "3", "3, true" }) do
      local output, status = ends_promptly(([[
        start(os.execute, "exec sleep 20 >/dev/null 2>&1")
        start(function() while true do end end)
        io.write("not flushed")
        os.exit(%s)
      ]]):format(arguments))
      assert.equal("not flushed", output)
      assert.equal(3, status)
    end
  end)

  it("by os.exit in a thread has that exit code, and is prompt", function()
    local output, status = ends_promptly([[
      io.write("not flushed")
      lull.await(lull.to_thread(function() io.write(", nor this") os.exit(5) end))
    ]])
    assert.equal("not flushed, nor this", output)
    assert.equal(5, status)
  end)

  it("by an error is prompt as well", function()
    local output, status = ends_promptly([[
      start(function() while true do end end)
      error("oops")
    ]])
    assert.matches("^lull: script.lua:%d+: oops\n", output)
    assert.equal(1, status)
  end)

  it("ends the threads that threads have started", function()
    assert.equal("", (ends_promptly([[
      local inner_started = os.tmpname()
      os.remove(inner_started)
      start(function()
        local inner = require("lull")
        inner.run(inner.to_thread(function()
          io.open(inner_started, "w"):close()
          while true do end
        end))
      end)
      repeat lull.await(lull.sleep(0.001)) until os.remove(inner_started)
    ]])))
  end)

  it("by SIGINT frees who awaits", function()
    local output, status = ends_promptly([[
      start(function() while true do end end)
      os.execute("(sleep 0.3; kill -INT $PPID) >/dev/null 2>&1 &")
      local ok, err = pcall(lull.await, lull.to_thread(lull.blocking_sleep, 1000))
      print(ok, err)
      error(err, 0)
    ]])
    assert.equal("false\tCancelledError: interrupted\n", output)
    assert.equal(130, status)
  end)

  it("tells of an error in a thread where in the thread it was raised", function()
    local output, status = script.run([[
local lull = require "lull"
local function work(x)
  local y = x.field
  return y
end
local main = lull.async(function()
  return lull.await(lull.to_thread(work, nil))
end)
lull.await(main())
]])
    assert.equal([[
lull: script.lua:3: attempt to index a nil value (local 'x')
stack traceback:
	script.lua:3: in function <script.lua:2>
  in another thread
  awaited by task 'main':
	script.lua:7: in function <script.lua:6>
	script.lua:9: in main chunk
]], output)
    assert.equal(1, status)
  end)

  it("loads nothing of threads unless they are used", function()
    local output = script.run([[
      local lull = require "lull"
      print(package.loaded["lull.thread"], debug.getregistry()["lull bindings"])
    ]])
    assert.equal("nil\tnil\n", output)
  end)
end)
