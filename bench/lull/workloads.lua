-- The workloads on lull. Call: lull workloads.lua WORKLOAD [SIZE]

local measure = dofile((arg[0]:match("^(.*)/") or ".") .. "/../measure.lua")
local lull = require("lull")

local async, await = lull.async, lull.await
local count = measure.count
local gather, sleep, wait_for = lull.gather, lull.sleep, lull.wait_for

local M = {}

M.spawn = {warm = true, run = function(size, share)
  local tasks, rounds = count(1000, size), count(300, share)
  local f = async(function(i) return i end)
  for _ = 1, rounds do
    local list = {}
    for i = 1, tasks do list[i] = f(i) end
    local results = await(gather(list))
    assert(results[tasks] == tasks)
  end
  return tasks * rounds
end}

M.switch = {warm = true, run = function(size, share)
  local tasks, rounds = count(100, size), count(5000, share)
  local worker = async(function()
    for _ = 1, rounds do await(sleep(0)) end
  end)
  local list = {}
  for i = 1, tasks do list[i] = worker() end
  await(gather(list))
  return tasks * rounds
end}

M.sleepers = {run = function(size)
  local tasks = count(100000, size)
  local sleeper = async(function(i) await(sleep((i % 1000) / 1000)) end)
  local list = {}
  for i = 1, tasks do list[i] = sleeper(i) end
  await(gather(list))
  return tasks
end}

M.queue = {warm = true, run = function(size, share)
  local items = count(300000, size, share)
  local queue = lull.queue(count(100, size))
  local producer = async(function()
    for i = 1, items do await(queue:put(i)) end
  end)
  local consumer = async(function()
    local item
    for _ = 1, items do item = await(queue:get()) end
    return item
  end)
  local _, last = await(gather(producer(), consumer()))
  assert(last == items)
  return items
end}

M.chain = {warm = true, run = function(size, share)
  local rounds, depth = count(100000, size, share), 10
  local down
  down = async(function(n)
    if n == 1 then return n end
    return (await(down(n - 1)))
  end)
  for _ = 1, rounds do await(down(depth)) end
  return rounds * depth
end}

M.waitfor = {warm = true, run = function(size, share)
  local rounds = count(50000, size, share)
  local quick = async(function() await(sleep(0)) end)
  for _ = 1, rounds do await(wait_for(quick(), 10)) end
  return rounds
end}

M.park = {run = function(size)
  local tasks = count(1000000, size)
  local event = lull.event()
  local waiter = async(function(i)
    await(event:wait())
    return i
  end)
  local before = measure.rss_kb()
  local list = {}
  for i = 1, tasks do list[i] = lull.create_task(waiter(i)) end
  await(sleep(0))
  local parked = measure.rss_kb()
  event:set()
  local results = await(gather(list))
  assert(results[tasks] == tasks)
  return tasks, (parked - before) * 1024 / tasks
end}

local rounds_before = 0

M.files = {warm = true, run = function(size, share)
  local fs = require("lull.fs")
  local files, rounds = count(1000, size), count(10, share)
  local data = ("x"):rep(4096)
  local folder, next_file
  local worker = async(function()
    while next_file <= files do
      local path = folder .. next_file
      next_file = next_file + 1
      await(fs.write_file(path, data))
      assert(#await(fs.read_file(path)) == #data)
    end
  end)
  for round = 1, rounds do
    folder, next_file = ("%s/%d/"):format(os.getenv("BENCH_DIR"), rounds_before + round), 1
    await(fs.mkdir(folder))
    local list = {}
    for i = 1, 64 do list[i] = worker() end
    await(gather(list))
  end
  rounds_before = rounds_before + rounds
  return files * rounds
end}

M.thread = {warm = true, run = function(size, share)
  local calls = count(50000, size, share)
  local to_thread = lull.to_thread
  local function f(i) return i end
  for i = 1, calls do assert(await(to_thread(f, i)) == i) end
  return calls
end}

M.fib = {warm = true, run = function(size, share)
  local rounds, n = count(10, size, share), 27
  local function fib(k)
    if k < 2 then return k end
    return fib(k - 1) + fib(k - 2)
  end
  for _ = 1, rounds do
    local list = {}
    for i = 1, 8 do
      list[i] = arg[3] == "serial" and async(fib)(n) or lull.to_thread(fib, n)
    end
    assert(await(gather(list))[8] == 196418)
  end
  return 8 * rounds
end}

local session

M.http = {warm = true, run = function(size, share)
  local requests, workers = count(10000, size, share), 100
  local url, expected = os.getenv("BENCH_URL"), ("0123456789"):rep(10)
  session = session or require("lull.http").session {connections = workers}
  local left = requests
  local worker = async(function()
    while left > 0 do
      left = left - 1
      local response = await(session:get(url))
      assert(response.status == 200 and await(response:text()) == expected)
    end
  end)
  local list = {}
  for i = 1, workers do list[i] = worker() end
  await(gather(list))
  return requests
end}

lull.run(async(function() measure.main(M, lull.now) end)())
