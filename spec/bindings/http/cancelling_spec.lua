-- Cancelling a request at every moment of its life.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd

local function at(path)
  return odd:url("http", path)
end

describe("a request that is cancelled", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
  end)

  it("before it starts is never sent", function()
    local session <close> = http.session()
    local task = lull.create_task(session:get(at("/echo")))
    task:cancel()
    web.ended(task)
    assert.is_true(task:cancelled())
    waiting.turns(5)
    assert.same({}, odd:noted())
  end)

  it("by a task that was cancelled before is never sent", function()
    local session <close> = http.session()
    local task = lull.create_task(function()
      lull.current_task():cancel()
      await(session:get(at("/echo")))
    end)
    web.ended(task)
    assert.is_true(task:cancelled())
    assert.same({}, odd:requests())
  end)

  -- What is done in a task, with a session; each turn of its life is a moment to cancel it.
  local LIVES = {
    ["a small request"] = function(session)
      return await(await(session:get(at("/echo"))):json())
    end,
    ["redirects"] = function(session)
      return await(session:get(at("/hops?n=3")))
    end,
    ["a stream"] = function(session)
      local response <close> = await(session:get(at("/body?size=300000"), { stream = true }))
      return await(response:bytes())
    end,
    ["an upload"] = function(session)
      local left = 5
      return await(session:post(at("/echo"), { body = function()
        await(lull.sleep(0))
        left = left - 1
        return left > 0 and ("x"):rep(10000) or nil
      end }))
    end,
    ["retries"] = function(session)
      return await(session:get(at("/flaky?times=1000&after=0&key=life"), { retries = 3 }))
    end,
  }

  for what, life in pairs(LIVES) do
    it(("at any moment of %s leaves nothing behind"):format(what), function()
      local session <close> = http.session({ connections = 1 })
      local before, cancelled, finished = web.descriptors(), 0, 0
      for moment = 0, 60 do
        local task = lull.create_task(function()
          return life(session)
        end)
        for _ = 1, moment do
          await(lull.sleep(0))
          if moment % 3 == 0 then
            require("system").sleep(0.0005) -- so that more has come in fewer turns
          end
        end
        task:cancel()
        web.ended(task)
        if task:cancelled() then
          cancelled = cancelled + 1
        else
          assert.is_nil(task:exception())
          finished = finished + 1
        end
        -- The only connection is free again: the next request gets it.
        assert.equal(200, await(lull.wait_for(session:get(at("/echo")), 5)).status)
      end
      assert.is_true(cancelled > 0)
      assert.is_true(web.descriptors() - before <= 1)
      session:close()
      web.descriptors_return_to(before)
      web.eventually(function()
        return odd:open_count() == 0
      end)
    end)
  end

  it("can be made in a close handler while a cancellation unwinds", function()
    local session <close> = http.session()
    local status
    local task = lull.create_task(function()
      local _ <close> = setmetatable({}, { __close = function()
        status = await(session:delete(at("/echo"))).status
      end })
      await(session:get(at("/silent")))
    end)
    web.eventually(function()
      return #odd:requests("/silent") == 1
    end)
    task:cancel()
    web.ended(task)
    assert.is_true(task:cancelled())
    assert.equal(200, status)
  end)

  it("in a gather ends those that fail and those that wait alike", function()
    local session <close> = http.session({ connections = 2 })
    waiting.raises(http.HTTPStatusError, function()
      local group <close> = lull.task_group()
      for _ = 1, 5 do
        group:create_task(session:get(at("/silent")))
      end
      group:create_task(function()
        local other <close> = http.session()
        await(other:get(at("/reply?status=500"))):raise_for_status()
      end)
    end)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("many times over leaves memory as it was", function()
    local session <close> = http.session({ connections = 4 })
    local function churn()
      for _ = 1, 200 do
        local task = lull.create_task(session:get(at("/silent")))
        waiting.turns(2)
        task:cancel()
        web.ended(task)
      end
      collectgarbage()
    end
    churn()
    local memory = web.resident()
    churn()
    web.grew_less(4, memory)
  end)
end)
