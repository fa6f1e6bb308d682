-- Calling an async function only makes a coroutine object; it runs when it is awaited.
local lull = require "lull"
local async, await = lull.async, lull.await

local nested = async(function() return 42 end)

local main = async(function()
  -- Makes a coroutine object that is never awaited: nothing happens, but for a warning.
  nested()

  -- Let us do it differently now and await it:
  print(await(nested())) -- prints 42
end)

lull.run(main())
