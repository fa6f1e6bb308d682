-- What the comprehensions of Python with `async for` and `await` become in Lua: loops that fill a
-- table. Where the values do not depend on each other, gather does them side by side.
local lull = require "lull"
local async, await = lull.async, lull.await

local powers_of_two = lull.generator(function(yield, stop)
  for exponent = 0, stop - 1 do
    yield(1 << exponent)
    await(lull.sleep(0.1))
  end
end)

local square = async(function(x)
  await(lull.sleep(1))
  return x * x
end)

local function show(what, list) print(("%s = [%s]"):format(what, table.concat(list, ", "))) end

local function sorted_keys(set)
  local keys = {}
  for key in pairs(set) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local main = async(function()
  -- [i async for i in powers_of_two(10)]
  local g = {}
  for i in powers_of_two(10) do g[#g + 1] = i end
  show("g", g)

  -- [j async for j in powers_of_two(10) if not (j // 3 % 5)]
  local f = {}
  for j in powers_of_two(10) do
    if j // 3 % 5 == 0 then f[#f + 1] = j end
  end
  show("f", f)

  -- {i % 7 async for i in powers_of_two(10)}
  local remainders = {}
  for i in powers_of_two(10) do remainders[i % 7] = true end
  show("set", sorted_keys(remainders))

  -- {i: await square(i) async for i in powers_of_two(4)}
  local squares = {}
  for i in powers_of_two(4) do squares[i] = await(square(i)) end
  for _, i in ipairs(sorted_keys(squares)) do print(("squares[%d] = %d"):format(i, squares[i])) end

  -- [await square(i) for i in range(1, 4)], one after the other
  local start, one_by_one = lull.now(), {}
  for i = 1, 3 do one_by_one[i] = await(square(i)) end
  show(("after %.0f s"):format(lull.now() - start), one_by_one)

  -- await gather(*[square(i) for i in range(1, 4)]), side by side
  local coroutines = {}
  for i = 1, 3 do coroutines[i] = square(i) end
  start = lull.now()
  local together = await(lull.gather(coroutines))
  show(("after %.0f s"):format(lull.now() - start), together)
end)

lull.run(main())
