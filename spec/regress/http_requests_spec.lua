-- Requests that were sent otherwise than they were meant, or waited for what could not come.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local odd, session

local function at(path)
  return odd:url("http", path)
end

describe("a request", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
    session = http.session({ timeout = 5 })
  end)
  after_each(function()
    session:close()
  end)

  it("has the user and password of its URL after a redirect on the same host only", function()
    local function url(to)
      return (at(web.path("/redirect", { to = to })):gsub("//", "//user:secret@"))
    end
    await(session:get(url("/basic")))
    assert.is_string(header(odd:requests("/basic")[1], "authorization"))
    odd:forget()
    await(session:get(url(odd:url("other", "/basic"))))
    assert.is_nil(header(odd:requests("/basic")[1], "authorization"))
  end)

  it("may have a list of cookies beside those of the session", function()
    await(session:get(at(web.path("/cookies", { set = "kept=1" }))))
    odd:forget()
    await(session:get(at("/echo"), { headers = { Cookie = { "a=2", "b=3" } } }))
    assert.equal("a=2; b=3; kept=1", header(odd:requests()[1], "cookie"))
    odd:forget()
    await(session:get(at("/echo"), { headers = { Cookie = false } }))
    assert.is_nil(header(odd:requests()[1], "cookie"))
  end)

  it("does not wait for a body that HEAD does not bring, nor for a tunnel", function()
    waiting.fails("a HEAD request has no body", function()
      session:head(at("/echo"), { body = "x" })
    end)
    waiting.fails("CONNECT is what proxies are told", function()
      session:request("connect", at("/echo"))
    end)
  end)

  it("sends its form again, whole, when the answer came before its end", function()
    local path = odd:path("part")
    web.write(path, ("x"):rep(300000))
    local parts = { { name = "file", path = path }, { name = "last", value = "end" } }
    for _, key in ipairs({ "first", "second" }) do
      odd:forget()
      local url = at(web.path("/flaky", { key = key, times = 2, how = 503, after = 0 }))
      local response <close> = await(session:put(url,
        { multipart = parts, retries = 2, stream = key == "second" }))
      assert.equal(200, response.status)
      assert.equal(3, #odd:requests("/flaky"))
    end
    local before = web.descriptors()
    local refusing = at(web.path("/raw", { stay = 1, data = {
      "HTTP/1.1 307 There\r\nLocation: /multipart\r\nConnection: close\r\n"
        .. "Content-Length: 0\r\n\r\n" } }))
    for _, stream in ipairs({ false, true }) do
      local response <close> = await(session:post(refusing,
        { multipart = parts, stream = stream }))
      local seen = await(response:json())
      assert.equal(300000, seen.parts[1].length)
      assert.equal("end", seen.parts[2].body)
      assert.same({}, seen.defects)
    end
    web.descriptors_return_to(before + 1)
  end)

  it("that is about to be sent ends as those under way, when the session is closed", function()
    local task = lull.create_task(session:get(at("/flaky?key=close&times=10&after=1"),
      { retries = 5 }))
    local waits = lull.create_task(session:get(at("/hops?n=3")))
    session:close()
    for _, request in ipairs({ task, waits }) do
      local err = waiting.raises(http.HTTPError, await, request)
      assert.matches("closed", err.message, nil, true)
    end
  end)
end)
