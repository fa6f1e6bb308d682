-- `async with`: an object whose set-up awaits before it is given, and whose __close awaits at the
-- end of the block, however the block is left.
local lull = require "lull"
local async, await = lull.async, lull.await

local Connection = {}
Connection.__index = Connection

function Connection:query(text)
  await(lull.sleep(0.1))
  return ("%s: result of %s"):format(self.name, text)
end

function Connection:__close(err)
  print("closing " .. self.name)
  await(lull.sleep(0.5))
  print(("closed %s %s"):format(self.name, err and "after an error" or "in peace"))
end

local connect = async(function(name)
  print("opening " .. name)
  await(lull.sleep(1))
  return setmetatable({name = name}, Connection)
end)

local main = async(function()
  do
    local connection <close> = await(connect("db"))
    print(connection:query("SELECT 1"))
  end

  local _, err = lull.try(function()
    local connection <close> = await(connect("cache"))
    error("cannot use " .. connection.name, 0)
  end)
  print("caught: " .. err)
end)

lull.run(main())
