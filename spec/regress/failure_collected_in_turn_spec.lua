-- A failure nobody had looked at, and whose future was collected while others of its kind were
-- being told of, was forgotten, and what watched it freed where it was still listed.
local lull = require "lull"

describe("failures that are collected while others are told of", function()
  it("are all told", function()
    local told, failed = 0, 0
    lull.loop():set_exception_handler(function() told = told + 1 end)
    local pause, stepmul = collectgarbage("incremental", 100, 1000)
    for _ = 1, 200 do
      for _ = 1, 20 do
        lull.future():set_exception("x")
        failed = failed + 1
      end
      collectgarbage("step", 1)
      lull.await(lull.sleep(0))
    end
    collectgarbage("incremental", pause, stepmul)
    collectgarbage()
    collectgarbage()
    lull.await(lull.sleep(0))
    lull.loop():set_exception_handler(nil)
    assert.equal(failed, told)
  end)
end)
