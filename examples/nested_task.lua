-- A task runs as soon as its creator waits for something, side by side with it.
local lull = require "lull"
local async, await = lull.async, lull.await

local nested = async(function() return 42 end)

local main = async(function()
  local task = lull.create_task(nested())

  -- The task can be cancelled, or awaited until it is done:
  print(await(task)) -- prints 42
end)

lull.run(main())
