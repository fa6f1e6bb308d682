-- Three factorials computed side by side, after asyncio's documentation of gather.
local lull = require "lull"
local async, await = lull.async, lull.await

local factorial = async(function(name, number)
  local f = 1
  for i = 2, number do
    print(("Task %s: Compute factorial(%d), currently i=%d..."):format(name, number, i))
    await(lull.sleep(1))
    f = f * i
  end
  print(("Task %s: factorial(%d) = %d"):format(name, number, f))
  return f
end)

local main = async(function()
  local results = await(lull.gather {factorial("A", 2), factorial("B", 3), factorial("C", 4)})
  print(("[%s]"):format(table.concat(results, ", ")))
end)

lull.run(main())
