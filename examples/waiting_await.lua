-- The simplest way to wait, after Hynek Schlawack's "Waiting in asyncio": await something, and get
-- what it returns. Coroutine objects, tasks and futures are all awaited alike.
local lull = require "lull"
local async, await = lull.async, lull.await

local f = async(function()
  await(lull.sleep(1))
  return "the result of f"
end)

local main = async(function()
  print(await(f()))
  print(await(lull.create_task(f())))

  local future = lull.future()
  future:set_result("the result of a future")
  print(await(future))
end)

lull.run(main())
