-- as_completed gives the tasks in the order in which they finish, each of them done.
local lull = require "lull"
local async, await = lull.async, lull.await

local fail = async(function(delay, message)
  await(lull.sleep(delay))
  error(message, 0)
end)

local main = async(function()
  local tasks = {
    lull.create_task(lull.sleep(3, "result of f"), {name = "f"}),
    lull.create_task(fail(2, "no luck today"), {name = "g"}),
    lull.create_task(lull.sleep(1, "result of h"), {name = "h"}),
  }
  for task in lull.as_completed(tasks, {timeout = 5}) do
    local ok, result = lull.try(await, task)
    print(ok and "one task down!" or "ouch", task:get_name(), result)
  end
end)

lull.run(main())
