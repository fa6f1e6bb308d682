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

measure.main(M, function() return uv.hrtime() / 1e9 end)
