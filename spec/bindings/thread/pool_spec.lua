-- thread.pool: how many threads, whose turn, map, closing.
local lull = require("lull")
local script = require("spec.script")
local thread = require("lull.thread")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await
local binding = debug.getregistry()["lull bindings"].thread

local folder

local function path(name) return folder .. "/" .. name end

local function touch(name) assert(io.open(name, "w")):close() end

local function exists(name)
  local file = io.open(name)
  if file then file:close() end
  return file ~= nil
end

-- For threads: until a file is there, for a minute at most.
local function wait_for_file(name)
  for _ = 1, 60000 do
    local file = io.open(name)
    if file then
      file:close()
      return name
    end
    require("lull").blocking_sleep(0.001)
  end
  error("the file does not come")
end

local function within(awaitable) return await(lull.wait_for(awaitable, 60)) end

local function threads()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match("\nThreads:%s*(%d+)"))
end

-- How many descriptors are open, of the first 256.
local function descriptors()
  local n = 0
  collectgarbage()
  for fd = 0, 255 do
    local file = io.open("/proc/self/fdinfo/" .. fd)
    if file then
      file:close()
      n = n + 1
    end
  end
  return n
end

local function until_threads(n)
  for _ = 1, 5000 do
    if threads() == n then return end
    os.execute("sleep 0.002")
    await(lull.sleep(0))
  end
  assert.equal(n, threads())
end

describe("a thread pool", function()
  tidy.watch(before_each, after_each)
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  it("runs functions, and gives what they return", function()
    local pool <close> = thread.pool()
    assert.same({ 1, "x", nil, 4, n = 4 },
      table.pack(within(pool:run(function(...) return ... end, 1, "x", nil, 4))))
    waiting.fails("pool_spec.lua:", within, pool:run(function() error("boom") end))
  end)

  it("has as many threads as its size says, and no more", function()
    local pool <close> = thread.pool({ size = 3 })
    assert.equal(3, pool.size)
    local before, jobs = threads(), {}
    for i = 1, 6 do jobs[i] = lull.create_task(pool:run(wait_for_file, path("go"))) end
    waiting.turns(5)
    assert.equal(before + 3, threads())
    touch(path("go"))
    assert.equal(6, #within(lull.gather(jobs)))
  end)

  it("has as many threads as there are processors, and at least 4, if it is not told", function()
    local pool <close> = thread.pool()
    local pipe = assert(io.popen("nproc"))
    assert.equal(math.max(4, pipe:read("n")), pool.size)
    pipe:close()
  end)

  it("starts no thread before it is needed", function()
    local before = threads()
    local pool <close> = thread.pool({ size = 100 })
    until_threads(before)
    for _ = 1, 20 do within(pool:run(math.abs, 1)) end
    assert.equal(before + 1, threads())
  end)

  it("takes jobs first come, first served", function()
    local pool <close> = thread.pool({ size = 1 })
    local jobs = {}
    for i = 1, 20 do
      jobs[i] = lull.create_task(pool:run(function(n)
        order = order or {} -- luacheck: ignore
        order[#order + 1] = n -- luacheck: ignore
        return order -- luacheck: ignore
      end, i))
    end
    local order = within(lull.gather(jobs))[20]
    for i = 1, 20 do assert.equal(i, order[i]) end
  end)

  it("ends threads that were idle for long, and starts others", function()
    local pool = binding.new_pool(4, 0.05)
    local run = lull.async(binding.run)
    local before, jobs = threads(), {}
    for i = 1, 4 do jobs[i] = run(pool, math.abs, -i) end
    within(lull.gather(jobs))
    assert.is_true(threads() > before)
    until_threads(before)
    assert.equal(5, within(run(pool, math.abs, -5)))
    binding.close_pool(pool)
    within(lull.async(binding.wait_pool)(pool))
    until_threads(before)
  end)

  it("collects the garbage of idle threads", function()
    local pool <close> = thread.pool({ size = 1 })
    within(pool:run(function(name)
      setmetatable({}, { __gc = function() io.open(name, "w"):close() end })
    end, path("collected")))
    for _ = 1, 5000 do
      if exists(path("collected")) then break end
      os.execute("sleep 0.002")
    end
    assert.is_true(exists(path("collected")))
  end)

  it("refuses sizes and options that make no sense", function()
    for _, size in ipairs({ 0, -1, 1.5, "4", 1025, math.huge }) do
      waiting.fails("bad argument #1 to 'pool' (option 'size'", thread.pool, { size = size })
    end
    waiting.fails("unknown option 'x'", thread.pool, { x = 1 })
    waiting.fails("bad argument #1 to 'pool'", thread.pool, 4)
  end)

  it("refuses what is no function", function()
    local pool <close> = thread.pool({ size = 1 })
    waiting.fails("bad argument #1 to 'run' (function expected, got nil)", pool.run, pool)
    waiting.fails("bad argument #1 to 'map' (function expected", pool.map, pool, 1, {})
    waiting.fails("bad argument #2 to 'map' (table expected", pool.map, pool, math.abs, 1)
  end)

  it("tells what it is", function()
    local pool = thread.pool({ size = 2 })
    assert.equal("thread pool (size=2)", tostring(pool))
    within(pool:close())
    assert.equal("thread pool (size=2 closed)", tostring(pool))
  end)

  it("that is forgotten ends its threads", function()
    local before = threads()
    within(thread.pool({ size = 2 }):run(math.abs, 1))
    collectgarbage()
    collectgarbage()
    until_threads(before)
  end)
end)

describe("pool:map", function()
  tidy.watch(before_each, after_each)

  it("calls the function with each item, and gives the results in order", function()
    local pool <close> = thread.pool({ size = 3 })
    local items = {}
    for i = 1, 100 do items[i] = i end
    local results = within(pool:map(function(n) return n * n end, items))
    assert.equal(100, results.n)
    for i = 1, 100 do assert.equal(i * i, results[i]) end
  end)

  it("takes lists that are empty, and such that hold nil", function()
    local pool <close> = thread.pool({ size = 2 })
    assert.same({ n = 0 }, within(pool:map(math.abs, {})))
    local results = within(pool:map(function(x) return x == nil and "nil" or nil end,
      { 1, nil, 3, n = 4 }))
    assert.same({ nil, "nil", nil, "nil", n = 4 }, results)
  end)

  it("copies the list at once", function()
    local pool <close> = thread.pool({ size = 1 })
    local list = { 1, 2 }
    local mapped = pool:map(math.abs, list)
    list[1], list[3] = 10, 3
    assert.same({ 1, 2, n = 2 }, within(mapped))
  end)

  it("raises the first error, and starts no more", function()
    local pool <close> = thread.pool({ size = 1 })
    local items = {}
    for i = 1, 50 do items[i] = i end
    waiting.fails("item 3", within, pool:map(function(n)
      calls = (calls or 0) + 1 -- luacheck: ignore
      if n >= 3 then error("item " .. n, 0) end
    end, items))
    assert.is_true(within(pool:run(function() return calls end)) <= 5) -- luacheck: ignore
  end)

  it("can be cancelled", function()
    local pool <close> = thread.pool({ size = 1 })
    local items = {}
    for i = 1, 1000 do items[i] = 0.002 end
    local task = lull.create_task(pool:map(lull.blocking_sleep, items))
    waiting.turns(10)
    task:cancel()
    await(lull.wait({ task }))
    assert.is_true(task:cancelled())
    waiting.nothing_left()
  end)
end)

describe("closing a pool", function()
  tidy.watch(before_each, after_each)
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  it("waits for what runs, and ends its threads", function()
    local before, pool = threads(), thread.pool({ size = 2 })
    local job = lull.create_task(pool:run(wait_for_file, path("go")))
    waiting.turns(3)
    local closing = lull.create_task(pool:close())
    waiting.turns(20)
    assert.is_false(closing:done())
    touch(path("go"))
    within(closing)
    until_threads(before)
    assert.equal(path("go"), await(job))
  end)

  it("waits for a job whose caller was cancelled, too", function()
    local pool = thread.pool({ size = 1 })
    local job = lull.create_task(pool:run(function(wait, go, done)
      wait(go)
      io.open(done, "w"):close()
    end, wait_for_file, path("go"), path("done")))
    waiting.turns(5)
    job:cancel()
    waiting.turns(5)
    local closing = lull.create_task(pool:close())
    waiting.turns(5)
    assert.is_false(closing:done())
    touch(path("go"))
    within(closing)
    assert.is_true(exists(path("done")))
  end)

  it("gives back the descriptors of the threads' loops", function()
    local before = descriptors()
    do
      local pool <close> = thread.pool({ size = 4 })
      within(pool:map(lull.blocking_sleep, { 0.01, 0.01, 0.01, 0.01 }))
      assert.is_true(descriptors() > before)
    end
    assert.equal(before, descriptors())
  end)

  it("refuses what has not begun", function()
    local pool = thread.pool({ size = 1 })
    local first = lull.create_task(pool:run(wait_for_file, path("go")))
    local second = lull.create_task(pool:run(touch, path("second")))
    waiting.turns(5)
    local closing = lull.create_task(pool:close())
    local err = waiting.raises(lull.InvalidStateError, within, second)
    assert.matches("closed before the job started", tostring(err))
    touch(path("go"))
    within(lull.gather(closing, first))
    assert.is_false(exists(path("second")))
  end)

  it("refuses everything after it", function()
    local pool = thread.pool({ size = 1 })
    local early = pool:run(math.abs, 1)
    within(pool:close())
    local function late() return (pool:run(math.abs, 1)) end
    waiting.fails("pool_spec.lua:", late)
    waiting.fails("the pool is closed", late)
    waiting.fails("the pool is closed", pool.map, pool, math.abs, {})
    waiting.fails("the pool is closed", within, early)
  end)

  it("twice is the same as once", function()
    local pool = thread.pool({ size = 1 })
    within(pool:run(math.abs, 1))
    within(lull.gather(pool:close(), pool:close()))
    within(pool:close())
  end)

  it("is done when its scope is left, by an error as well", function()
    local before = threads()
    waiting.fails("left", function()
      local pool <close> = thread.pool({ size = 2 })
      within(pool:map(math.abs, { 1, 2, 3, 4 }))
      assert.is_true(threads() > before)
      error("left")
    end)
    until_threads(before) -- one that was joined may still be listed for a moment
  end)

  it("can be cancelled, and goes on by itself", function()
    local before, pool = threads(), thread.pool({ size = 1 })
    local job = lull.create_task(pool:run(wait_for_file, path("go")))
    waiting.turns(5)
    local closing = lull.create_task(pool:close())
    waiting.turns(5)
    closing:cancel()
    waiting.turns(2)
    assert.is_true(closing:cancelled())
    touch(path("go"))
    within(job)
    until_threads(before)
  end)

  it("is left to the end of the script if nobody does it", function()
    local output, status = script.run([[
      local lull = require "lull"
      kept = require("lull.thread").pool{size = 2}
      print(#lull.await(kept:map(math.abs, {1, 2, 3})))
    ]])
    assert.equal("3\n", output)
    assert.equal(0, status)
  end)
end)
