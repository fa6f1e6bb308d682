-- Coroutine objects with a C body, such as lull.sleep(1) or queue:get(), which are used again.
local lull = require("lull")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

describe("an operation", function()
  tidy.watch(before_each, after_each)

  it("is a coroutine object that says what it is", function()
    local op = lull.sleep(0)
    assert.equal("coroutine object (sleep)", tostring(op))
    await(op)
  end)

  it("does nothing until it is awaited", function()
    local queue = lull.queue()
    local put = queue:put("item")
    assert.equal(0, queue:qsize())
    await(put)
    assert.equal(1, queue:qsize())
    assert.equal("item", await(queue:get()))
  end)

  it("can be awaited once", function()
    local op = lull.sleep(0)
    await(op)
    local ok, err = pcall(await, op)
    assert.is_false(ok)
    assert.matches("coroutine object %(sleep%) was already awaited", err)
  end)

  it("made while others are unused is one of its own", function()
    local queue = lull.queue()
    local puts = {}
    for i = 1, 5 do puts[i] = queue:put(i) end
    for i = 5, 1, -1 do await(puts[i]) end
    for i = 5, 1, -1 do assert.equal(i, await(queue:get())) end
  end)

  it("awaited in one task can be made in another meanwhile", function()
    local queue, got = lull.queue(), {}
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = lull.create_task(async(function() got[i] = await(queue:get()) end)())
    end
    await(lull.sleep(0))
    for i = 1, 5 do await(queue:put(i * 10)) end
    await(lull.gather(tasks))
    assert.same({ 10, 20, 30, 40, 50 }, got)
  end)

  it("has no methods of a future", function()
    local op = lull.sleep(0)
    assert.is_nil(op.done)
    assert.is_nil(op.cancel)
    assert.has_error(function() lull.future().done(op) end)
    await(op)
  end)

  it("is collected with what it was made of", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function run()
      local queue = lull.queue()
      weak[queue] = true
      local op = queue:put({})
      weak[op] = true
      await(op)
      await(queue:get())
    end
    await(lull.create_task(async(run)()))
    await(lull.sleep(0))
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)
