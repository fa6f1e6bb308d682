-- A function that blocks, on a thread of its own, beside a sleep: together they take one second.
local lull = require "lull"
local async, await = lull.async, lull.await

local function time() return os.date("%X") end

local function blocking_io()
  print("start blocking_io at " .. time())
  -- It stands for whatever blocks: reading a file with Lua's io library, say.
  lull.blocking_sleep(1)
  print("blocking_io complete at " .. time())
end

local main = async(function()
  print("started main at " .. time())

  await(lull.gather(
    lull.to_thread(blocking_io),
    lull.sleep(1)))

  print("finished main at " .. time())
end)

lull.run(main())
