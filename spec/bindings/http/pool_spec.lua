-- The connections of a session: how many there are, who gets them, and that they come back.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session

local function at(path, port)
  return odd:url(port or "http", path)
end

local function pool(connections)
  session = http.session({ connections = connections })
  return session
end

local function start(path, options)
  return lull.create_task(session:get(path:find("://") and path or at(path), options))
end

-- Releases what holds, over a connection of its own.
local function release(key)
  local other <close> = http.session()
  await(other:get(at("/release?key=" .. key)))
end

local function seen(path, count)
  web.eventually(function()
    return #odd:requests(path) >= count
  end, count .. " requests to " .. path)
end

describe("a pool", function()
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
  after_each(function()
    session:close()
    web.eventually(function()
      return odd:open_count() == 0
    end, "a connection is left open")
  end)

  it("uses a connection again", function()
    pool()
    for _ = 1, 50 do
      await(session:get(at("/echo")))
    end
    assert.equal(1, #odd:noted("open"))
  end)

  it("has no more connections than it may", function()
    pool(3)
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = start("/hold?key=bound")
    end
    seen("/hold", 3)
    waiting.turns(50)
    assert.equal(3, #odd:requests("/hold"))
    assert.equal(3, odd:open_count())
    release("bound")
    for _, task in ipairs(tasks) do
      assert.equal(200, await(task).status)
    end
    assert.equal(10, #odd:requests("/hold"))
    local opened = {}
    for _, event in ipairs(odd:requests("/hold")) do
      opened[event.connection] = true
    end
    local count = 0
    for _ in pairs(opened) do
      count = count + 1
    end
    assert.equal(3, count)
  end)

  it("serves those who wait in the order they came", function()
    pool(1)
    local first = start("/hold?key=order")
    seen("/hold", 1)
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = start("/echo?" .. i)
      waiting.turns(i % 3)
    end
    release("order")
    await(first)
    await(lull.gather(tasks))
    for i, request in ipairs(odd:requests("/echo")) do
      assert.equal("/echo?" .. i, request.target)
    end
  end)

  it("lets nobody overtake who waits, not even when a connection is idle", function()
    pool(1)
    local order = {}
    local function ask(name, path)
      return lull.create_task(function()
        await(session:get(at(path)))
        table.insert(order, name)
        if name == "first" then
          await(session:get(at("/echo?again")))
          table.insert(order, "again")
        end
      end)
    end
    local first = ask("first", "/hold?key=overtake")
    seen("/hold", 1)
    local second, third = ask("second", "/echo?2"), ask("third", "/echo?3")
    waiting.turns(5)
    release("overtake")
    await(lull.gather(first, second, third))
    assert.same({ "first", "second", "third", "again" }, order)
  end)

  it("bounds the connections to all hosts together", function()
    pool(2)
    local tasks = { start(at("/hold?key=hosts", "http")), start(at("/hold?key=hosts", "other")),
      start(at("/hold?key=hosts", "http")), start(at("/hold?key=hosts", "other")) }
    seen("/hold", 2)
    waiting.turns(50)
    assert.equal(2, #odd:requests("/hold"))
    release("hosts")
    for _, task in ipairs(tasks) do
      assert.equal(200, await(task).status)
    end
  end)

  it("closes an idle connection to one host where another needs its place", function()
    pool(1)
    for _ = 1, 3 do
      assert.equal(200, await(session:get(at("/echo", "http"))).status)
      assert.equal(200, await(session:get(at("/echo", "other"))).status)
      web.eventually(function()
        return odd:open_count() <= 1
      end)
    end
  end)

  it("does the same for who waits already", function()
    pool(2)
    local first, second = start("/hold?key=a"), start("/hold?key=b")
    seen("/hold", 2)
    local third = start(at("/echo", "other"))
    waiting.turns(10)
    assert.is_false(third:done())
    release("a")
    await(first)
    web.ended(third)
    assert.equal(200, third:result().status)
    release("b")
    await(second)
  end)

  -- What a request may be doing when it is cancelled, so that nothing else can be done meanwhile.
  local PHASES = {
    ["connecting"] = function()
      return start(at("/", "full")), function() end
    end,
    ["TLS"] = function()
      return start((at("/", "mute"):gsub("http", "https"))), function()
        web.eventually(function()
          return odd:open_count("mute") == 1
        end)
      end
    end,
    ["waiting for the head"] = function()
      return start("/silent"), function()
        seen("/silent", 1)
      end
    end,
    ["reading the head"] = function()
      return start("/stall?in=head"), function()
        seen("/stall", 1)
      end
    end,
    ["reading the body"] = function()
      return start("/stall?in=body"), function()
        seen("/stall", 1)
      end
    end,
    ["reading a streamed body"] = function()
      return lull.create_task(function()
        local response <close> = await(session:get(at("/stall?in=chunk"), { stream = true }))
        await(response:text())
      end), function()
        seen("/stall", 1)
      end
    end,
    ["sending the body"] = function()
      return lull.create_task(session:post(at("/slow-read?key=cancelled"),
        { body = ("x"):rep(20000000) })), function()
        seen("/slow-read", 1)
      end
    end,
    ["sending a streamed body"] = function()
      return lull.create_task(session:post(at("/slow-read?key=cancelled"), { body = function()
        return ("x"):rep(65536)
      end })), function()
        seen("/slow-read", 1)
      end
    end,
    ["waiting for what to send"] = function()
      return lull.create_task(session:post(at("/echo"), { body = function()
        await(lull.sleep(1000))
      end })), function()
        web.eventually(function()
          return #odd:noted("open") == 1
        end)
      end
    end,
    ["following a redirect"] = function()
      return start("/redirect?to=/silent"), function()
        seen("/silent", 1)
      end
    end,
  }

  for phase, begin in pairs(PHASES) do
    it("has its place back from who is cancelled while " .. phase, function()
      pool(1)
      local before = web.descriptors()
      local victim, begun = begin()
      begun()
      waiting.turns(10)
      assert.is_false(victim:done())
      local heir = start("/echo")
      waiting.turns(10)
      assert.is_false(heir:done())
      victim:cancel()
      web.ended(victim)
      assert.is_true(victim:cancelled())
      web.ended(heir)
      assert.equal(200, heir:result().status)
      release("cancelled")
      session:close()
      web.descriptors_return_to(before)
    end)
  end

  it("has its place back from who is cancelled while he waits for it", function()
    pool(1)
    local holder = start("/hold?key=waiting")
    seen("/hold", 1)
    local victim, heir = start("/echo?victim"), start("/echo?heir")
    waiting.turns(10)
    victim:cancel()
    web.ended(victim)
    assert.is_true(victim:cancelled())
    release("waiting")
    await(holder)
    assert.equal(200, await(heir).status)
    assert.equal("/echo?heir", odd:requests("/echo")[1].target)
  end)

  it("has its places back from requests that fail", function()
    pool(2)
    for _ = 1, 5 do
      pcall(await, session:get(at("/reset")))
      pcall(await, session:get(at("/close")))
      pcall(await, session:get(at("/", "refusing")))
      pcall(await, session:get(at("/silent"), { timeout = 0.01 }))
      pcall(await, session:get(at("/", "full"), { timeout = 0.01 }))
      pcall(await, session:get(at("/endless"), { max_body = 1000 }))
    end
    assert.equal(200, await(session:get(at("/echo"))).status)
  end)

  it("lends a connection to a stream that is not read, until it is closed", function()
    pool(1)
    local response = await(session:get(at("/body?size=5000000"), { stream = true }))
    local other = start("/echo")
    waiting.turns(100)
    assert.is_false(other:done())
    response:close()
    web.ended(other)
    assert.equal(200, other:result().status)
  end)

  it("lends a connection to a stream that is not read, until it is collected", function()
    pool(1)
    local response = await(session:get(at("/body?size=5000000"), { stream = true }))
    assert.equal(200, response.status)
    local other = start("/echo")
    waiting.turns(100)
    assert.is_false(other:done())
    response = nil -- luacheck: ignore 311
    web.eventually(function()
      collectgarbage()
      return other:done()
    end)
    assert.equal(200, other:result().status)
  end)

  it("has the connection of a short stream back once all of it has come", function()
    pool(1)
    local response = await(session:get(at("/body?size=1000"), { stream = true }))
    assert.equal(200, await(session:get(at("/echo"))).status)
    assert.equal(1000, #await(response:bytes()))
    assert.equal(1, #odd:noted("open"))
  end)

  it("is shared by one-shot requests", function()
    pool()
    for _ = 1, 5 do
      await(http.get(at("/echo")))
    end
    assert.is_true(#odd:noted("open") <= 1)
    -- The shared pool stays open for later: the server ends its connection.
    await(http.get(at("/closing")))
  end)
end)

describe("a pool, while a name is looked up", function()
  it("has its place back at once from who is cancelled", function()
    local server <close> = odd_server.start()
    local output = web.run([[
      local lull, http = require "lull", require "lull.http"
      local await = lull.await
      local session = http.session{connections = 1}
      local victim = lull.create_task(session:get("http://a.never:1/"))
      await(lull.sleep(0.05))
      local heir = lull.create_task(session:get(@url))
      await(lull.sleep(0.05))
      print(victim:done(), heir:done())
      local begin = lull.now()
      victim:cancel()
      await(lull.wait{victim})
      print(victim:cancelled(), lull.now() - begin < 0.5)
      print(await(heir).status, lull.now() - begin < 0.5)
      session:close()
      print(lull.now() - begin < 0.5)
    ]], { url = server:url("http", "/echo") }, web.resolver(server.folder))
    assert.equal("false\tfalse\ntrue\ttrue\n200\ttrue\ntrue\n", output)
  end)

  it("does not hold up a process that ends", function()
    local server <close> = odd_server.start()
    local output = web.takes(0, 5, web.run, [[
      local lull, http = require "lull", require "lull.http"
      lull.create_task(http.get("http://a.never:1/"))
      lull.await(lull.sleep(0.05))
      print("done")
    ]], {}, web.resolver(server.folder))
    assert.equal("done\n", output)
  end)

  it("serves other hosts meanwhile", function()
    local server <close> = odd_server.start()
    local output = web.run([[
      local lull, http = require "lull", require "lull.http"
      local slow = lull.create_task(http.get(@late))
      print(lull.await(http.get(@url)).status, slow:done())
      print(lull.await(slow).status)
    ]], { url = server:url("http", "/echo"), late = server:url("http", "/echo", "300.late") },
      web.resolver(server.folder))
    assert.equal("200\tfalse\n200\n", output)
  end)
end)
