-- The workloads on cqueues. Call: lua5.4 lua-cqueues.lua WORKLOAD [SIZE]

local measure = dofile((arg[0]:match("^(.*)/") or ".") .. "/../measure.lua")
local cqueues = require("cqueues")
local condition = require("cqueues.condition")

local count = measure.count
local sleep = cqueues.sleep

local M = {}

M.spawn = {warm = true, run = function(size, share)
  local tasks, rounds = count(1000, size), count(300, share)
  local controller = cqueues.new()
  for _ = 1, rounds do
    local results = {}
    local function f(i) results[i] = i end
    for i = 1, tasks do controller:wrap(f, i) end
    assert(controller:loop())
    assert(results[tasks] == tasks)
  end
  return tasks * rounds
end}

M.switch = {warm = true, run = function(size, share)
  local tasks, rounds = count(100, size), count(5000, share)
  local controller = cqueues.new()
  local function worker()
    for _ = 1, rounds do sleep(0) end
  end
  for _ = 1, tasks do controller:wrap(worker) end
  assert(controller:loop())
  return tasks * rounds
end}

M.sleepers = {run = function(size)
  local tasks = count(100000, size)
  local controller = cqueues.new()
  local function sleeper(i) sleep((i % 1000) / 1000) end
  for i = 1, tasks do controller:wrap(sleeper, i) end
  assert(controller:loop())
  return tasks
end}

-- cqueues has no queue: a ring, and a condition for each side, as one would write it.
M.queue = {warm = true, run = function(size, share)
  local items, capacity = count(300000, size, share), count(100, size)
  local ring, head, length = {}, 0, 0
  local not_full, not_empty = condition.new(), condition.new()
  local controller = cqueues.new()
  controller:wrap(function()
    for i = 1, items do
      while length == capacity do not_full:wait() end
      ring[(head + length) % capacity + 1] = i
      length = length + 1
      if length == 1 then not_empty:signal(1) end
    end
  end)
  local last
  controller:wrap(function()
    for _ = 1, items do
      while length == 0 do not_empty:wait() end
      last = ring[head + 1]
      head, length = (head + 1) % capacity, length - 1
      if length == capacity - 1 then not_full:signal(1) end
    end
  end)
  assert(controller:loop())
  assert(last == items)
  return items
end}

M.waitfor = {warm = true, run = function(size, share)
  local rounds = count(50000, size, share)
  local controller = cqueues.new()
  controller:wrap(function()
    for _ = 1, rounds do
      local done = condition.new()
      controller:wrap(function()
        sleep(0)
        done:signal()
      end)
      assert(done:wait(10))
    end
  end)
  assert(controller:loop())
  return rounds
end}

M.park = {run = function(size)
  local tasks = count(1000000, size)
  local controller = cqueues.new()
  local event = condition.new()
  local results = {}
  local function waiter(i)
    event:wait()
    results[i] = i
  end
  local before, parked = measure.rss_kb(), nil
  for i = 1, tasks do controller:wrap(waiter, i) end
  controller:wrap(function()
    sleep(0)
    parked = measure.rss_kb()
    event:signal()
  end)
  assert(controller:loop())
  assert(#results == tasks)
  return tasks, (parked - before) * 1024 / tasks
end}

measure.main(M, cqueues.monotime)
