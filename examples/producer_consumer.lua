-- Producers put items into a queue and consumers take them out, after "Async IO in Python". The
-- tutorial throws dice: here are the throws of the run it prints, so that ours goes the same way.
local lull = require "lull"
local async, await = lull.async, lull.await

local throws = {3, 3, 1, 3, 4, 3, 3, 5, 4, 5, 3, 4, 1, 4, 5}
local items = {"377b1e8f82", "413b8802f8", "06c055b3ab", "17a8613276"}

local function randint() return table.remove(throws, 1) end
local function makeitem() return table.remove(items, 1) end

local randsleep = async(function(caller)
  local i = randint()
  print(("%s sleeping for %d seconds."):format(caller, i))
  await(lull.sleep(i))
end)

local produce = async(function(name, q)
  for _ = 1, randint() do
    await(randsleep("Producer " .. name))
    local item = makeitem()
    await(q:put {item = item, time = lull.now()})
    print(("Producer %d added <%s> to queue."):format(name, item))
  end
end)

local consume = async(function(name, q)
  while true do
    await(randsleep("Consumer " .. name))
    local element = await(q:get())
    local waited = lull.now() - element.time
    print(("Consumer %d got element <%s> in %.5f seconds."):format(name, element.item, waited))
    q:task_done()
  end
end)

local function start(n, f, q)
  local tasks = {}
  for i = 1, n do tasks[i] = lull.create_task(f(i - 1, q)) end
  return tasks
end

local main = async(function(nprod, ncon)
  local q = lull.queue()
  local producers = start(nprod, produce, q)
  local consumers = start(ncon, consume, q)
  await(lull.gather(producers))
  await(q:join()) -- waits until the consumers have taken everything
  for _, c in ipairs(consumers) do c:cancel() end
end)

local begin = lull.now()
lull.run(main(2, 5))
print(("Program completed in %.5f seconds."):format(lull.now() - begin))
