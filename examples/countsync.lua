-- Three counters one after the other: three seconds. countasync.lua does it in one.
local lull = require "lull"

local function count()
  print("One")
  lull.blocking_sleep(1)
  print("Two")
end

local function main()
  for _ = 1, 3 do count() end
end

local start = lull.now()
main()
print(("countsync.lua executed in %.2f seconds."):format(lull.now() - start))
