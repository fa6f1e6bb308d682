-- A request's body and its response could not be under way at the same time: the iterator was asked
-- before anybody looked whether the response had begun, and who read it shut out who sent.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session

-- A server that answers at once, and then reads what comes.
local function answering(...)
  return odd:url("http", web.path("/raw", { data = { ... }, stay = 1 }))
end

local HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

describe("a body that is sent while the response is read", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    session = http.session({ timeout = 5 })
  end)
  after_each(function()
    session:close()
  end)

  it("may depend on it", function()
    local read, given = lull.event(), 0
    local response <close> = await(session:post(answering(HEAD .. "5\r\nfirst\r\n"), {
      stream = true,
      body = function()
        given = given + 1
        if given > 1 then
          await(read:wait())
        end
        return given < 5 and "piece" or nil
      end,
    }))
    assert.equal("first", response:chunks()())
    read:set()
    web.eventually(function()
      return given == 5
    end)
  end)

  it("does not hinder who reads", function()
    local given = 0
    local response = await(session:post(answering(HEAD .. "5\r\nfirst\r\n"), {
      stream = true,
      body = function()
        await(lull.sleep(0))
        given = given + 1
        return ("x"):rep(1000)
      end,
    }))
    local chunks = response:chunks()
    assert.equal("first", chunks())
    local reader = lull.create_task(function()
      return chunks()
    end)
    local before = given
    web.eventually(function()
      return given > before + 100
    end)
    assert.is_false(reader:done())
    response:close()
    waiting.fails("the response is closed", await, reader)
  end)

  it("has its error raised where the response is read", function()
    local problem = {}
    local response = await(session:post(answering(HEAD .. "5\r\nfirst\r\n"), {
      stream = true,
      body = function()
        await(lull.sleep(0.05))
        error(problem)
      end,
    }))
    local chunks = response:chunks()
    assert.equal("first", chunks())
    local ok, err = pcall(chunks)
    assert.is_false(ok)
    assert.equal(problem, err)
  end)

  it("ends when the response is collected", function()
    local ended
    do
      local endless = lull.generator(function(yield)
        local _ <close> = setmetatable({}, { __close = function() ended = true end })
        while true do
          await(lull.sleep(0))
          yield(("x"):rep(1000))
        end
      end)
      await(session:post(answering(HEAD), { stream = true, body = (endless()) }))
    end
    web.eventually(function()
      collectgarbage()
      return ended
    end)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)
end)

describe("two tasks that read one response", function()
  it("do not take each other's bytes for its end", function()
    local server <close> = odd_server.start()
    local own <close> = http.session()
    local response <close> = await(own:get(server:url("http", "/drip?count=200&pause=0.001"),
      { stream = true }))
    local chunks, read, refused = response:chunks(), 0, 0
    local function read_all()
      while true do
        local ok, piece = pcall(chunks)
        if ok and not piece then
          return
        elseif ok then
          read = read + #piece
        else
          assert.matches("another task reads this response already", piece, nil, true)
          refused = refused + 1
          await(lull.sleep(0))
        end
      end
    end
    await(lull.wait_for(lull.gather(lull.create_task(read_all), lull.create_task(read_all)), 10))
    assert.equal(200, read)
    assert.is_true(refused > 0)
  end)
end)

describe("a body whose response has come before its end", function()
  for how, headers in pairs({ ["stays"] = "", ["is to close"] = "Connection: close\r\n" }) do
    it(("ends there, if the connection %s, and does no harm to others"):format(how), function()
      local server <close> = odd_server.start()
      local own <close> = http.session({ timeout = 5 })
      local refusal = "HTTP/1.1 413 No\r\n" .. headers .. "Content-Length: 8\r\n\r\ntoo much"
      local url = server:url("http", web.path("/raw", { data = refusal, stay = 1 }))
      local other
      local given = 0
      local response = await(own:post(url, { body = function()
        given = given + 1
        if given == 1 then
          return "piece"
        end
        local _, err = pcall(await, lull.sleep(100))
        other = lull.create_task(own:get(server:url("http", "/late?pause=0.05")))
        await(lull.sleep(0))
        error(err)
      end }))
      assert.equal(413, response.status)
      assert.equal("too much", await(response:text()))
      assert.equal(200, await(other).status)
    end)
  end
end)
