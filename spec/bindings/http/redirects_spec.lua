-- Where redirects lead, with what, and where they do not.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local odd

local function at(path, port, host)
  return odd:url(port or "http", path, host)
end

local function to(url, status, more)
  local query = { to = url, status = status or 302 }
  for name, value in pairs(more or {}) do
    query[name] = value
  end
  return at(web.path("/redirect", query))
end

describe("a redirect", function()
  setup(function()
    odd = odd_server.start({ tls = true })
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
  end)

  it("is followed, and leaves a history", function()
    local response = await(http.get(at("/hops?n=3")))
    assert.equal(200, response.status)
    assert.equal(at("/hops?n=0"), response.url)
    assert.equal(3, #response.history)
    for i, earlier in ipairs(response.history) do
      assert.equal(302, earlier.status)
      assert.equal(at("/hops?n=" .. 4 - i), earlier.url)
      assert.equal("/hops?n=" .. 3 - i, earlier.headers.location)
    end
  end)

  it("uses the same connection", function()
    local session <close> = http.session()
    await(session:get(at("/hops?n=5")))
    assert.equal(1, #odd:noted("open"))
  end)

  -- What becomes of each method, and whether the body goes with it.
  local CASES = {
    [301] = { GET = "GET", HEAD = "HEAD", POST = "GET", PUT = "PUT+", PATCH = "PATCH+",
      DELETE = "DELETE+" },
    [303] = { GET = "GET", HEAD = "HEAD", POST = "GET", PUT = "GET", PATCH = "GET",
      DELETE = "GET" },
    [307] = { GET = "GET", HEAD = "HEAD", POST = "POST+", PUT = "PUT+", PATCH = "PATCH+",
      DELETE = "DELETE+" },
  }
  CASES[302], CASES[308] = CASES[301], CASES[307]

  for status, methods in pairs(CASES) do
    it(("of status %d keeps or changes the method, and the body with it"):format(status), function()
      for method, expected in pairs(methods) do
        odd:forget()
        local with_body = method ~= "GET" and method ~= "HEAD"
        await(http.request(method, to("/echo", status), { json = with_body and { 1 } or nil,
          headers = { ["X-Kept"] = "yes" } }))
        local last = odd:requests("/echo")[1]
        assert.equal(expected:gsub("+", ""), last.method)
        assert.equal("yes", header(last, "x-kept"))
        local sent = header(last, "content-length")
        assert.equal(expected:find("+", 1, true) and "3" or nil, sent, method)
        assert.equal(sent and "application/json", header(last, "content-type"))
      end
    end)
  end

  it("goes to relative references of all kinds", function()
    for location, expected in pairs({
      ["/echo?a"] = "/echo?a",
      ["echo?b"] = "/echo?b",
      ["./echo"] = "/echo",
      ["../../echo"] = "/echo",
      ["//127.0.0.1:" .. odd.http .. "/echo"] = "/echo",
      ["?status=200"] = "/redirect?status=200",
      ["/echo#part"] = "/echo",
      ["/echo?a b"] = "/echo?a%20b",
    }) do
      odd:forget()
      await(http.get(to(location)))
      local requests = odd:requests()
      assert.equal(expected, requests[#requests].target:gsub("+", "%%20"))
    end
  end)

  it("is given back as it is when it has no Location, or is none", function()
    assert.equal(302, await(http.get(at("/reply?status=302"))).status)
    for _, status in ipairs({ 201, 300, 304, 305, 306 }) do
      local path = web.path("/reply", { status = status, header = "Location: /echo" })
      assert.equal(status, await(http.get(at(path))).status)
    end
    assert.same({}, odd:requests("/echo"))
  end)

  it("is given back if it is not to be followed", function()
    local response = await(http.get(to("/echo"), { follow_redirects = false }))
    assert.equal(302, response.status)
    assert.equal("/echo", response.headers.location)
    assert.equal("elsewhere\n", await(response:text()))
    local session <close> = http.session({ follow_redirects = false })
    assert.equal(302, await(session:get(to("/echo"))).status)
    assert.equal(200, await(session:get(to("/echo"), { follow_redirects = true })).status)
  end)

  it("has a bound", function()
    assert.equal(200, await(http.get(at("/hops?n=10"))).status)
    local err = waiting.raises(http.TooManyRedirects, function()
      await(http.get(at("/hops?n=11")))
    end)
    assert.matches("10", err.message, nil, true)
    assert.matches("127.0.0.1:" .. odd.http, err.message, nil, true)
    odd:forget()
    local options = { max_redirects = 2 }
    assert.equal(200, await(http.get(at("/hops?n=2"), options)).status)
    waiting.raises(http.TooManyRedirects, function()
      await(http.get(at("/hops?n=100"), options))
    end)
    assert.equal(3 + 3, #odd:requests())
    waiting.raises(http.TooManyRedirects, function()
      await(http.get(at("/hops?n=1"), { max_redirects = 0 }))
    end)
  end)

  it("goes to http and https only", function()
    local secret = odd:path("secret")
    web.write(secret, "secret")
    for _, url in ipairs({ "file://" .. secret, "file:///etc/passwd", "ftp://127.0.0.1:1/x",
      "gopher://127.0.0.1:" .. odd.http .. "/_GET", "javascript:alert(1)", "data:text/plain,x",
      "dict://127.0.0.1:" .. odd.http .. "/x", "ws://127.0.0.1:" .. odd.http .. "/" }) do
      odd:forget()
      local err = waiting.raises(http.InvalidURL, function()
        await(http.get(to(url)))
      end)
      assert.matches(url:match("^%a+"), err.message, nil, true)
      assert.equal(1, #odd:requests())
    end
  end)

  it("to what is no URL is an error", function()
    for _, url in ipairs({ "http://", "http://[::1", "http://127.0.0.1:99999/", "http://a b/" }) do
      waiting.raises(http.InvalidURL, function()
        await(http.get(to(url)))
      end)
    end
  end)

  it("sends an open file again from where it stood", function()
    local fs = require("lull.fs")
    web.write(odd:path("body"), "skipped, sent")
    local file <close> = await(fs.open(odd:path("body"), "rb"))
    await(file:seek("set", 9))
    local seen = await(await(http.post(to("/echo", 307), { body = file })):json())
    assert.equal("sent", seen.body)
  end)

  it("cannot send again what an iterator gave", function()
    local given
    local err = waiting.raises(http.HTTPError, function()
      await(http.post(to("/echo", 308), { body = function()
        given = not given
        return given and "once" or nil
      end }))
    end)
    assert.matches("again", err.message, nil, true)
    assert.same({}, odd:requests("/echo"))
  end)

  it("drops the iterator when the body is not needed any more", function()
    local given
    local response = await(http.post(to("/echo", 303), { body = function()
      given = not given
      return given and "once" or nil
    end }))
    assert.equal(200, response.status)
    assert.equal("GET", odd:requests("/echo")[1].method)
  end)
end)

describe("a redirect elsewhere", function()
  setup(function()
    odd = odd_server.start({ tls = true })
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
  end)

  local function elsewhere()
    return {
      at("/echo", "other"), -- another port
      at("/echo", "http", "localhost"), -- another host
      at("/echo", "https"), -- another scheme, and port
    }
  end

  local function follow(session, url, options)
    odd:forget()
    await(session:get(to(url), options))
    local first, second = odd:requests("/redirect")[1], odd:requests("/echo")[1]
    return first, second
  end

  it("takes no credentials along", function()
    for _, options in ipairs({
      { headers = { Authorization = "secret" } },
      { headers = { authorization = "secret", Cookie = "own=secret" } },
      { auth = { "user", "secret" } },
      { auth = { bearer = "secret" } },
    }) do
      local session <close> = http.session({ ca_file = odd:path("ca.pem") })
      for _, url in ipairs(elsewhere()) do
        local first, second = follow(session, url, options)
        assert.is_truthy(header(first, "authorization"))
        assert.is_nil(header(second, "authorization"))
        assert.is_nil(header(second, "cookie"))
      end
      local _, second = follow(session, at("/echo"), options)
      assert.is_truthy(header(second, "authorization"))
    end
  end)

  it("takes no credentials of the session along, nor those in the URL", function()
    local session <close> = http.session({ ca_file = odd:path("ca.pem"),
      auth = { "user", "secret" } })
    for _, url in ipairs(elsewhere()) do
      local _, second = follow(session, url)
      assert.is_nil(header(second, "authorization"))
      odd:forget()
      await(http.get((to(at("/echo", "other")):gsub("://", "://user:secret@"))))
      assert.is_truthy(header(odd:requests("/redirect")[1], "authorization"))
      assert.is_nil(header(odd:requests("/echo")[1], "authorization"))
    end
  end)

  it("takes no cookies along", function()
    local session <close> = http.session({ ca_file = odd:path("ca.pem"),
      cookies = { given = "secret" } })
    await(session:get(at(web.path("/cookies", { set = { "kept=secret; Domain=localhost",
      "own=secret; Path=/" } }))))
    for _, url in ipairs(elsewhere()) do
      local first, second = follow(session, url)
      assert.matches("own=secret", header(first, "cookie"), nil, true)
      assert.is_nil(header(second, "cookie"))
    end
    local _, second = follow(session, at("/echo"))
    assert.matches("own=secret", header(second, "cookie"), nil, true)
    assert.matches("given=secret", header(second, "cookie"), nil, true)
  end)

  it("takes other headers along, but no Host", function()
    local session <close> = http.session()
    local first, second = follow(session, at("/echo", "other"),
      { headers = { ["X-A"] = "1", Host = "made-up.test" } })
    assert.equal("made-up.test", header(first, "host"))
    assert.equal("1", header(second, "x-a"))
    assert.equal("127.0.0.1:" .. odd.other, header(second, "host"))
  end)

  it("keeps the cookies that it sets on its way", function()
    local session <close> = http.session()
    local response = await(session:get(to("/echo", 302, { cookie = "a=1" })))
    assert.equal("a=1", header(await(response:json()), "cookie"))
  end)
end)
