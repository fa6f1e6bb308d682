-- A time limit for a block: when the time is up, what the block awaits is cancelled, and leaving
-- the block raises TimeoutError. The limit can be moved, and the scope tells whether it struck.
local lull = require "lull"
local async, await = lull.async, lull.await

local long_running_task = async(function() await(lull.sleep(3600)) end)

local main = async(function()
  local _, err = lull.try(function()
    local _ <close> = lull.timeout(10)
    await(long_running_task())
  end)
  if lull.is_error(err, lull.TimeoutError) then
    print("The long operation timed out, but we've handled it.")
  end
  print("This statement will run regardless.")

  -- The limit is not known at first.
  local scope = lull.timeout(nil)
  lull.try(function()
    local _ <close> = scope
    scope:reschedule(lull.now() + 10)
    await(long_running_task())
  end)
  if scope:expired() then print("Looks like we haven't finished on time.") end
end)

lull.run(main())
