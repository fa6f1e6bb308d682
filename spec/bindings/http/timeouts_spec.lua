-- How long a request may take, in its parts and in all, and that the error says which it was.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session

local function at(path)
  return odd:url("http", path)
end

local function get(url, options)
  return await(session:get(url, options))
end

-- A request must time out in a phase, soon after some seconds; gives the error.
local function times_out(phase, seconds, f, ...)
  local err = web.takes(seconds, seconds + 1, waiting.raises, lull.TimeoutError, f, ...)
  assert.equal(phase, err.phase)
  assert.matches("127.0.0.1:%d+", err.message)
  assert.matches(("%g s"):format(seconds), err.message, nil, true)
  assert.is_false(lull.is_error(err, http.HTTPError))
  return err
end

local function nothing_open()
  web.eventually(function()
    return odd:open_count() == 0
  end, "a connection is left open")
end

describe("a timeout", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
    session = http.session()
  end)
  after_each(function()
    session:close()
    nothing_open()
  end)

  it("of connecting covers TCP", function()
    local err = times_out("connect", 0.1, get, odd:url("full"), { timeout = { connect = 0.1 } })
    assert.equal("127.0.0.1:" .. odd.full, err.host)
  end)

  it("of connecting covers TLS", function()
    local url = odd:url("mute"):gsub("http", "https")
    times_out("connect", 0.1, get, url, { timeout = { connect = 0.1 } })
    nothing_open()
  end)

  it("of connecting does not count what comes after it", function()
    local options = { timeout = { connect = 0.05 } }
    assert.equal(200, get(at("/late?pause=0.15"), options).status)
  end)

  it("of connecting does not count waiting for a place in the pool", function()
    local narrow <close> = http.session({ connections = 1, timeout = { connect = 0.1 } })
    local holder = lull.create_task(narrow:get(at("/hold?key=place")))
    web.eventually(function()
      return #odd:requests("/hold") == 1
    end)
    local waits = lull.create_task(narrow:get(at("/echo")))
    await(lull.wait({ waits }, { timeout = 0.3 }))
    assert.is_false(waits:done())
    await(session:get(at("/release?key=place")))
    assert.equal(200, await(waits).status)
    await(holder)
  end)

  it("of reading is the longest silence", function()
    for _, path in ipairs({ "/silent", "/stall?in=line", "/stall?in=head", "/stall?in=body",
      "/stall?in=chunk" }) do
      times_out("read", 0.1, get, at(path), { timeout = { read = 0.1 } })
    end
    nothing_open()
  end)

  it("of reading begins anew with each byte", function()
    local response = web.takes(0.3, 3, get, at("/drip?count=10&pause=0.03"),
      { timeout = { read = 0.2 } })
    assert.equal("..........", await(response:text()))
  end)

  it("of reading covers a streamed body", function()
    local response = get(at("/stall?in=body"), { timeout = { read = 0.1 }, stream = true })
    local err = times_out("read", 0.1, function()
      return await(response:text())
    end)
    assert.equal(at("/stall?in=body"), err.url)
  end)

  it("of reading does not count while nobody reads", function()
    local response = get(at("/body?size=2000000"), { timeout = { read = 0.5 }, stream = true })
    local next_piece = response:chunks()
    local read = #next_piece()
    await(lull.sleep(0.8))
    for piece in next_piece do
      read = read + #piece
    end
    assert.equal(2000000, read)
  end)

  it("of reading does not count while there is nothing to send", function()
    local left = 3
    local response = await(session:post(at("/echo"), { timeout = { read = 0.3 }, body = function()
      await(lull.sleep(0.4))
      left = left - 1
      return left >= 0 and "piece" or nil
    end }))
    assert.equal(15, await(response:json()).length)
  end)

  it("in total is what a number means", function()
    times_out("total", 0.1, get, at("/silent"), { timeout = 0.1 })
    times_out("total", 0.1, get, at("/drip?count=100"), { timeout = { total = 0.1 } })
  end)

  it("in total is not moved by what comes", function()
    times_out("total", 0.15, get, at("/drip?count=1000&pause=0.01"),
      { timeout = { total = 0.15, read = 0.1 } })
  end)

  it("in total covers redirects", function()
    local url = at("/late?pause=0.08")
    local path = web.path("/redirect", { to = web.path("/redirect", { to = "/late?pause=0.3" }) })
    assert.equal(200, get(url, { timeout = 0.5 }).status)
    times_out("total", 0.15, get, at(path), { timeout = 0.15 })
  end)

  it("in total covers retries and the pauses between them", function()
    local path = "/flaky?key=total&times=1000000&after=0"
    times_out("total", 0.15, get, at(path), { timeout = 0.15, retries = 1000000 })
    odd:forget()
    times_out("total", 0.1, get, at("/flaky?key=long&times=1&after=100"),
      { timeout = 0.1, retries = 1 })
    assert.equal(1, #odd:requests("/flaky"))
    times_out("total", 0.1, get, odd:url("refusing"), { timeout = 0.1, retries = 1000000 })
  end)

  it("in total covers waiting for a connection", function()
    local narrow <close> = http.session({ connections = 1 })
    local holder = lull.create_task(narrow:get(at("/hold?key=pool")))
    web.eventually(function()
      return #odd:requests("/hold") == 1
    end)
    times_out("total", 0.1, function()
      await(narrow:get(at("/echo"), { timeout = 0.1 }))
    end)
    assert.equal(0, #odd:requests("/echo"))
    await(session:get(at("/release?key=pool")))
    assert.equal(200, await(holder).status)
    assert.equal(200, await(narrow:get(at("/echo"))).status)
  end)

  it("in total covers a streamed body, in whatever way it is read", function()
    for _, read in ipairs({
      function(response)
        return await(response:text())
      end,
      function(response)
        for _ in response:chunks() do end
      end,
      function(response)
        for _ in response:lines() do end
      end,
    }) do
      times_out("total", 0.15, function()
        read(get(at("/drip?count=1000&pause=0.01"), { timeout = 0.15, stream = true }))
      end)
    end
    nothing_open()
  end)

  it("of the session is that of its requests, unless they have their own", function()
    local hasty <close> = http.session({ timeout = 0.05 })
    times_out("total", 0.05, function()
      await(hasty:get(at("/silent")))
    end)
    assert.equal(200, await(hasty:get(at("/late?pause=0.1"), { timeout = 5 })).status)
    assert.equal(200, await(hasty:get(at("/late?pause=0.1"), { timeout = false })).status)
  end)

  it("around a request ends it as well", function()
    web.takes(0.1, 1, waiting.raises, lull.TimeoutError, function()
      await(lull.wait_for(session:get(at("/silent")), 0.1))
    end)
    nothing_open()
    web.takes(0.1, 1, waiting.raises, lull.TimeoutError, function()
      local _ <close> = lull.timeout(0.1)
      get(at("/silent"))
    end)
  end)

  it("of one request leaves the others alone", function()
    local slow = lull.create_task(session:get(at("/late?pause=0.2")))
    times_out("total", 0.05, get, at("/silent"), { timeout = 0.05 })
    assert.equal(200, await(slow).status)
  end)

  it("must be a positive number, or a table of such", function()
    for _, timeout in ipairs({ -1, 0, 0 / 0, "1", true, { total = -1 }, { read = "x" },
      { conect = 1 } }) do
      assert.has_error.matches(function()
        http.get(at("/echo"), { timeout = timeout })
      end, "bad argument #2 to 'get' %(option 'timeout")
      assert.has_error.matches(function()
        http.session({ timeout = timeout })
      end, "bad argument #1 to 'session' %(option 'timeout")
    end
  end)
end)

describe("a timeout of connecting", function()
  it("covers looking up the name", function()
    local folder = odd_server.start()
    local output = web.run([[
      local lull, http = require "lull", require "lull.http"
      local begin = lull.now()
      local ok, err = pcall(lull.await, http.get("http://a.never:1/", {timeout = {connect = 0.1}}))
      print(ok, err.phase, err.host, lull.now() - begin < 2)
      print(lull.is_error(err, lull.TimeoutError))
    ]], {}, web.resolver(folder.folder))
    folder:close()
    assert.equal("false\tconnect\ta.never:1\ttrue\ntrue\n", output)
  end)
end)
