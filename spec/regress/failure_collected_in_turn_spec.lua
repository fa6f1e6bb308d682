-- A failure nobody had looked at, and whose future was collected while others of its kind were
-- being told of, was forgotten, and what watched it freed where it was still listed.
local script = require "spec.script"

describe("failures that are collected while others are told of", function()
  it("are all told", function()
    local output = script.run([[
      local lull = require "lull"
      local told, failed = 0, 0
      lull.loop():set_exception_handler(function() told = told + 1 end)
      collectgarbage("incremental", 10, 100, 5) -- all the time, in small steps
      for _ = 1, 3000 do
        lull.future():set_exception("x")
        failed = failed + 1
        if failed % 7 == 0 then lull.await(lull.sleep(0)) end
      end
      collectgarbage()
      collectgarbage()
      lull.await(lull.sleep(0))
      print(failed - told)
    ]])
    assert.equal("0\n", output)
  end)
end)
