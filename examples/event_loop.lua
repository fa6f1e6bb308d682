-- The event loop by hand, as it was done before run: run_until_complete, then close. In a script of
-- lull's own the loop runs from the first line on; under a stock Lua, only inside main.
local lull = require "lull"
local async, await = lull.async, lull.await

local main = async(function()
  print("running:", lull.loop():is_running())
  await(lull.sleep(1))
  return "done"
end)

local loop = lull.loop()
print("result:", loop:run_until_complete(main()))
loop:close()
print("closed:", loop:is_closed())
