-- Waits for an hour, but for one second at most, after asyncio's documentation of wait_for.
local lull = require "lull"
local async, await = lull.async, lull.await

local eternity = async(function()
  await(lull.sleep(3600))
  print("yay!")
end)

local main = async(function()
  local _, err = lull.try(await, lull.wait_for(eternity(), 1))
  if lull.is_error(err, lull.TimeoutError) then print("timeout!") end
end)

lull.run(main())
