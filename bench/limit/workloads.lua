-- The limit programs: what the same work costs in bare Lua coroutines, driven by hand, with no
-- scheduler between. Call: lua5.4 workloads.lua WORKLOAD [SIZE]

local measure = dofile((arg[0]:match("^(.*)/") or ".") .. "/../measure.lua")

local count = measure.count
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield

local M = {}

M.spawn = {warm = true, run = function(size, share)
  local tasks, rounds = count(1000, size), count(300, share)
  for _ = 1, rounds do
    for i = 1, tasks do resume(create(function() return i end)) end
  end
  return tasks * rounds
end}

M.switch = {warm = true, run = function(size, share)
  local tasks, rounds = count(100, size), count(5000, share)
  local list = {}
  local function worker()
    for _ = 1, rounds do yield() end
  end
  for i = 1, tasks do list[i] = create(worker) end
  for _ = 1, rounds do
    for i = 1, tasks do resume(list[i]) end
  end
  return tasks * rounds
end}

-- Two switches each time the queue runs full or empty, none between.
M.queue = {warm = true, run = function(size, share)
  local items, capacity = count(300000, size, share), count(100, size)
  local ring, head, length = {}, 0, 0
  local producer = create(function()
    for i = 1, items do
      while length == capacity do yield() end
      ring[(head + length) % capacity + 1] = i
      length = length + 1
    end
  end)
  local consumer = create(function()
    local item
    for _ = 1, items do
      while length == 0 do yield() end
      item = ring[head + 1]
      head, length = (head + 1) % capacity, length - 1
    end
    return item
  end)
  local last
  repeat
    if length < capacity then resume(producer) end
    local _, item = assert(resume(consumer))
    last = item
  until last
  assert(last == items)
  return items
end}

-- A call of a plain function that makes and calls one closure, as an await makes and runs one
-- coroutine object.
M.chain = {warm = true, run = function(size, share)
  local rounds, depth = count(100000, size, share), 10
  local function down(n)
    return function()
      if n == 1 then return n end
      return (down(n - 1)())
    end
  end
  for _ = 1, rounds do down(depth)() end
  return rounds * depth
end}

M.park = {run = function(size)
  local tasks = count(1000000, size)
  local function waiter(i)
    yield()
    return i
  end
  local before = measure.rss_kb()
  local list, results = {}, {}
  for i = 1, tasks do
    local co = create(waiter)
    resume(co, i)
    list[i] = co
  end
  local parked = measure.rss_kb()
  for i = 1, tasks do
    local _, value = resume(list[i])
    results[i] = value
  end
  assert(results[tasks] == tasks)
  return tasks, (parked - before) * 1024 / tasks
end}

measure.main(M)
