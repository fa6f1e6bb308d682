-- What is tried again, how often, after how long; and what is not.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session
local keys = 0

-- A path that fails so many times, in a way.
local function flaky(times, how, after)
  keys = keys + 1
  return odd:url("http", web.path("/flaky", { key = keys, times = times, how = how or 503,
    after = after or 0 }))
end

local function request(method, url, retries, options)
  options = options or {}
  options.retries = retries
  return await(session:request(method, url, options))
end

local function tries()
  return #odd:requests()
end

describe("a retry", function()
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
  end)

  it("is not made unless it is asked for", function()
    waiting.raises(http.ProtocolError, request, "GET", flaky(1, "close"))
    assert.equal(503, request("GET", flaky(1)).status)
    assert.equal(2, tries())
  end)

  it("is made for 429 and 503, and for connections that fail", function()
    for _, how in ipairs({ "429", "503", "close", "reset" }) do
      odd:forget()
      local response = request("GET", flaky(2, how), 2)
      assert.equal(200, response.status)
      assert.equal("3", await(response:text()))
      assert.equal(3, tries())
    end
  end)

  it("is not made for other statuses", function()
    for _, how in ipairs({ "500", "502", "504", "400", "404" }) do
      odd:forget()
      assert.equal(tonumber(how), request("GET", flaky(1, how), 3).status)
      assert.equal(1, tries())
    end
  end)

  it("is made of the methods that do no harm twice, and of no other", function()
    for method, expected in pairs({ GET = 2, HEAD = 2, OPTIONS = 2, PUT = 2, DELETE = 2, POST = 1,
      PATCH = 1, REPORT = 1 }) do
      for _, how in ipairs({ "close", "503" }) do
        odd:forget()
        local ok, result = pcall(request, method, flaky(1, how), 5)
        assert.equal(expected, tries(), method .. " " .. how)
        assert.equal(expected == 2 or how == "503", ok)
        assert.equal(expected == 2 and 200 or how == "503" and 503 or nil, result.status)
      end
    end
  end)

  it("has a last time: then the response, or the error, is what there was", function()
    local err = waiting.raises(http.ProtocolError, request, "GET", flaky(100, "close"), 2)
    assert.equal("127.0.0.1:" .. odd.http, err.host)
    assert.equal(3, tries())
    odd:forget()
    assert.equal(503, request("GET", flaky(100), 2).status)
    assert.equal(3, tries())
    err = waiting.raises(http.ConnectError, request, "GET", odd:url("refusing"), 2)
    assert.equal("connect", err.phase)
  end)

  it("waits as long as the server says, in seconds", function()
    web.takes(1, 2.5, request, "GET", flaky(1, "429", 1), 1)
    web.takes(0, 0.5, request, "GET", flaky(2, "503", 0), 2)
  end)

  it("waits as long as the server says, until a date", function()
    local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 2)
    web.takes(0.5, 4, request, "GET", flaky(1, "503", date), 1)
    web.takes(0, 0.5, request, "GET", flaky(1, "503", "Thu, 01 Jan 1970 00:00:00 GMT"), 1)
  end)

  it("waits longer each time if the server says nothing, or nonsense", function()
    for _, how in ipairs({ "close", "503" }) do
      odd:forget()
      local url = flaky(4, how, "soon")
      local begin = lull.now()
      assert.equal(200, request("GET", url, 4).status)
      local seconds = lull.now() - begin
      assert.is_true(seconds > 0.2 and seconds < 20, seconds)
    end
  end)

  it("can be cancelled in the pause before it", function()
    local task = lull.create_task(function()
      request("GET", flaky(1, "503", 1000), 1)
    end)
    web.eventually(function()
      return tries() == 1
    end)
    waiting.turns(20)
    task:cancel()
    web.ended(task)
    assert.is_true(task:cancelled())
    assert.equal(1, tries())
  end)

  it("sends the body again, whole", function()
    local fs = require("lull.fs")
    web.write(odd:path("body"), "from a file")
    local path = web.path("/flaky", { key = "body", times = 1, how = "503", after = 0 })
    request("PUT", odd:url("http", path), 1, { body = "a string" })
    local file <close> = await(fs.open(odd:path("body"), "rb"))
    path = web.path("/flaky", { key = "file", times = 1, how = "503", after = 0 })
    request("PUT", odd:url("http", path), 1, { body = file })
    local lengths = {}
    for i, seen in ipairs(odd:requests()) do
      lengths[i] = odd_server.header(seen, "content-length")
    end
    assert.same({ "8", "8", "11", "11" }, lengths)
  end)

  it("is not made of a body that an iterator gave: it is gone", function()
    local given
    local response = request("PUT", flaky(1), 3, { body = function()
      given = not given
      return given and "once" or nil
    end })
    assert.equal(503, response.status)
    assert.equal(1, tries())
  end)

  it("is made of streams too, before their bodies are given out", function()
    local response <close> = request("GET", flaky(2), 2, { stream = true })
    assert.equal("3", await(response:text()))
  end)

  it("is a setting of the session, too", function()
    local patient <close> = http.session({ retries = 2 })
    assert.equal(200, await(patient:get(flaky(2))).status)
    assert.equal(503, await(patient:get(flaky(1), { retries = 0 })).status)
  end)

  it("is counted anew after a redirect", function()
    local url = odd:url("http", web.path("/redirect", { to = flaky(1) }))
    assert.equal(200, request("GET", url, 1).status)
    assert.equal(3, tries())
  end)
end)

describe("a connection that has gone stale", function()
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
  end)

  it("is replaced unnoticed, when the server has closed it", function()
    for _ = 1, 3 do
      assert.equal(200, request("GET", odd:url("http", "/closing")).status)
      web.eventually(function()
        return odd:open_count() == 0
      end)
    end
    assert.equal(200, request("POST", odd:url("http", "/echo")).status)
  end)

  it("is replaced unnoticed, when it closes as the request is sent", function()
    assert.equal(200, request("GET", odd:url("http", "/stale")).status)
    assert.equal(200, request("GET", odd:url("http", "/echo")).status)
    assert.equal(1, #odd:noted("dropped"))
    assert.equal(2, #odd:noted("open"))
  end)

  it("is an error for what must not be sent twice", function()
    for _, body in ipairs({ "pay", function() end }) do
      odd:forget()
      assert.equal(200, request("GET", odd:url("http", "/stale")).status)
      local err = waiting.raises(http.ProtocolError, request, "POST", odd:url("http", "/echo"), 3,
        { body = body })
      assert.matches("closed", err.message, nil, true)
      assert.equal(1, #odd:noted("dropped"))
      assert.equal(0, #odd:requests("/echo"))
      assert.equal(200, request("POST", odd:url("http", "/echo"), 0, { body = "x" }).status)
    end
  end)

  it("is an error under a body that is gone: what is left of it is not sent", function()
    for _, first in ipairs({ 1, 300000 }) do
      odd:forget()
      assert.equal(200, request("GET", odd:url("http", "/stale")).status)
      local left = 20
      local err = waiting.raises(http.ProtocolError, request, "PUT", odd:url("http", "/echo"), 3,
        { body = function()
          left = left - 1
          return left >= 0 and ("x"):rep(first) or nil
        end })
      assert.equal("127.0.0.1:" .. odd.http, err.host)
      assert.equal(0, #odd:requests("/echo"))
    end
  end)

  it("is replaced under a body that can be sent again", function()
    local fs = require("lull.fs")
    web.write(odd:path("body"), ("x"):rep(300000))
    for _, body in ipairs({ ("y"):rep(300000), await(fs.open(odd:path("body"), "rb")) }) do
      assert.equal(200, request("GET", odd:url("http", "/stale")).status)
      local response = request("PUT", odd:url("http", "/echo"), 1, { body = body })
      assert.equal(300000, await(response:json()).length)
      if type(body) ~= "string" then
        await(body:close())
      end
    end
  end)
end)
