-- Three counters side by side: one second in all, not three.
local lull = require "lull"
local async, await = lull.async, lull.await

local count = async(function()
  print("One")
  await(lull.sleep(1))
  print("Two")
end)

local main = async(function()
  await(lull.gather(count(), count(), count()))
end)

local start = lull.now()
lull.run(main())
print(("countasync.lua executed in %.2f seconds."):format(lull.now() - start))
