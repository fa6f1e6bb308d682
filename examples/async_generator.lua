-- `async def` with `yield`: a generator that awaits between its values, taken by a plain for loop.
-- When the loop is left early the generator cleans up.
local lull = require "lull"
local async, await = lull.async, lull.await

local powers_of_two = lull.generator(function(yield, stop)
  local _ <close> = setmetatable({}, {__close = function() print("no more") end})
  for exponent = 0, (stop or math.huge) - 1 do
    yield(1 << exponent)
    await(lull.sleep(0.2))
  end
end)

local main = async(function()
  for i in powers_of_two(5) do print(i) end

  for i in powers_of_two() do
    if i > 1000 then break end
    print(i)
  end
end)

lull.run(main())
