-- The workloads on luv: libuv's functions in Lua, and coroutines that wait for their callbacks.
-- luv has no tasks of its own, so only the rows where the loop does the work are here.
-- Call: lua5.4 lua-luv.lua WORKLOAD [SIZE]

local measure = dofile((arg[0]:match("^(.*)/") or ".") .. "/../measure.lua")
local uv = require("luv")

local count = measure.count
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local running = coroutine.running

-- A list of coroutines that go on at the loop's next turn, emptied by one idle handle.
local function ready_list()
  local idle = uv.new_idle()
  local ready, length = {}, 0
  local spare = {}
  local function turn()
    local batch, n = ready, length
    ready, spare, length = spare, batch, 0
    for i = 1, n do assert(resume(batch[i])) end
    if length == 0 then idle:stop() end
  end
  local function later(co)
    if length == 0 then idle:start(turn) end
    length = length + 1
    ready[length] = co
    return yield()
  end
  return later
end

local M = {}

M.switch = {warm = true, run = function(size, share)
  local tasks, rounds = count(100, size), count(5000, share)
  local later = ready_list()
  local finished = 0
  local function worker()
    local me = running()
    for _ = 1, rounds do later(me) end
    finished = finished + 1
  end
  for _ = 1, tasks do assert(resume(create(worker))) end
  uv.run()
  assert(finished == tasks)
  return tasks * rounds
end}

M.sleepers = {run = function(size)
  local tasks = count(100000, size)
  local finished = 0
  local function sleeper(i)
    local me = running()
    local timer = uv.new_timer()
    timer:start(i % 1000, 0, function()
      timer:close()
      resume(me)
    end)
    yield()
    finished = finished + 1
  end
  for i = 1, tasks do assert(resume(create(sleeper), i)) end
  uv.run()
  assert(finished == tasks)
  return tasks
end}

M.waitfor = {warm = true, run = function(size, share)
  local rounds = count(50000, size, share)
  local later = ready_list()
  local function wait_for(f, ms)
    local me = running()
    local timer = uv.new_timer()
    local done = false
    local function finish(ok)
      if done then return end
      done = true
      timer:close()
      resume(me, ok)
    end
    timer:start(ms, 0, function() finish(false) end)
    assert(resume(create(function()
      f()
      finish(true)
    end)))
    return yield()
  end
  local function quick() later(running()) end
  local finished
  assert(resume(create(function()
    for _ = 1, rounds do assert(wait_for(quick, 10000)) end
    finished = true
  end)))
  uv.run()
  assert(finished)
  return rounds
end}

local round_number = 0

M.files = {warm = true, run = function(size, share)
  local files, rounds = count(1000, size), count(10, share)
  local data = ("x"):rep(4096)
  local folder, next_file
  local function worker()
    local me = running()
    local function done(err, value)
      assert(not err, err)
      assert(resume(me, value))
    end
    local function wait(call, ...)
      call(...)
      return yield()
    end
    while next_file <= files do
      local path = folder .. next_file
      next_file = next_file + 1
      local fd = wait(uv.fs_open, path, "w", 438, done)
      wait(uv.fs_write, fd, data, -1, done)
      wait(uv.fs_close, fd, done)
      fd = wait(uv.fs_open, path, "r", 438, done)
      local stat = wait(uv.fs_fstat, fd, done)
      assert(#wait(uv.fs_read, fd, stat.size, -1, done) == #data)
      wait(uv.fs_close, fd, done)
    end
  end
  for _ = 1, rounds do
    round_number = round_number + 1
    folder, next_file = ("%s/%d/"):format(os.getenv("BENCH_DIR"), round_number), 1
    assert(uv.fs_mkdir(folder, 511))
    for _ = 1, 64 do assert(resume(create(worker))) end
    uv.run()
    assert(next_file > files)
  end
  return files * rounds
end}

measure.main(M, function() return uv.hrtime() / 1e9 end)
