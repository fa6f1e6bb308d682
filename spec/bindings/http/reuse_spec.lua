-- Requests one after the other use the same parts of the client again: nothing of one may show in
-- the next. And what is done at little cost for a plain request is what is done for any other.
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

local function get(path, options)
  return await(session:get(at(path), options))
end

local function raw(...)
  return get(web.path("/raw", { data = table.concat({ ... }) }))
end

local function with_server()
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
end

-- What the server sees of a plain request.
local function plain()
  local seen = await(get("/echo"):json())
  local names = {}
  for _, pair in ipairs(seen.headers) do
    names[#names + 1] = pair[1]:lower()
  end
  return { method = seen.method, length = seen.length, names = table.concat(names, " ") }
end

describe("a request after another", function()
  with_server()

  it("has nothing of its method, headers, body or credentials", function()
    local first = plain()
    assert.equal("GET", first.method)
    local others = {
      function()
        await(session:post(at("/echo"), { body = "some", headers = { ["X-One"] = "1" } }))
      end,
      function() await(session:put(at("/echo"), { body = coroutine.wrap(function()
        coroutine.yield("piece")
      end) })) end,
      function() await(session:head(at("/echo"))) end,
      function() await(session:request("REPORT", at("/echo"), { json = { 1 } })) end,
      function() get("/echo", { auth = { "user", "secret" } }) end,
      function() get("/echo", { headers = { ["User-Agent"] = false, Accept = "text/html" } }) end,
      function() await(get("/body?size=100000", { stream = true }):text()) end,
      function() get("/echo", { timeout = 5, max_body = 100000 }) end,
    }
    for i, other in ipairs(others) do
      other()
      assert.same(first, plain(), "after " .. i)
    end
  end)

  it("has nothing of a response's head and body", function()
    local long = ("x"):rep(100000)
    local response = get(web.path("/reply", { status = 299, reason = "Long", body = "long",
      header = { "X-Long: " .. long:sub(1, 5000), "Set-Cookie: a=b" } }))
    assert.equal(299, response.status)
    response = get(web.path("/reply", { body = "short" }))
    assert.equal(200, response.status)
    assert.equal("short", await(response:text()))
    assert.is_nil(response.headers["x-long"])
    assert.is_nil(response.headers["set-cookie"])
    assert.equal("a=b", header(odd:requests("/reply")[2], "cookie"))
  end)

  it("is as good after one that has failed", function()
    local failures = {
      function() raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc") end,
      function() get("/body?size=100000", { max_body = 10 }) end,
      function() get("/close") end,
      function() raw("nothing of the kind\r\n\r\n") end,
    }
    for _, failure in ipairs(failures) do
      assert.equal("good", await(get("/reply?body=good"):text()))
      waiting.raises(http.HTTPError, failure)
      assert.equal("good", await(get("/reply?body=good"):text()))
    end
  end)

  it("gives a response that stays what it is", function()
    local first = get("/reply?body=first&header=X-Name:+first")
    local second = get("/reply?body=second&header=X-Name:+second")
    assert.equal("first", await(first:text()))
    assert.equal("first", first.headers["x-name"])
    first:close()
    assert.equal("second", await(second:text()))
    assert.equal("second", second.headers["x-name"])
  end)
end)

describe("header lines", function()
  with_server()

  it("that begin with a blank where there is none to go on with are refused", function()
    for _, blank in ipairs({ " ", "\t" }) do
      get("/reply?header=X-Before:+1")
      local err = waiting.raises(http.ProtocolError, raw, "HTTP/1.1 200 OK\r\n", blank,
        "X: 1\r\nContent-Length: 0\r\n\r\n")
      assert.equal("response", err.phase)
      waiting.raises(http.ProtocolError, raw, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        blank, "X: 1\r\nContent-Length: 0\r\n\r\n")
    end
  end)

  it("that begin with a blank go on with the line before", function()
    get("/reply?header=X-Before:+1")
    local response = raw("HTTP/1.1 200 OK\r\nX-One: a\r\n b\r\n\tc\r\nContent-Length: 0\r\n\r\n")
    assert.equal("a b c", response.headers["x-one"])
  end)

  it("may be long, and come in any pieces", function()
    for _, size in ipairs({ 16378, 16379, 16380, 16381, 16382, 16383, 16384, 32762, 60000 }) do
      local value = ("v"):rep(size)
      local header_lines = { "X: " .. value, "Y: 1" }
      local response = get(web.path("/reply", { body = "body", header = header_lines }))
      assert.equal(value, response.headers.x)
      assert.equal("1", response.headers.y)
      assert.equal("body", await(response:text()))
    end
  end)
end)

describe("the text of a body", function()
  with_server()

  local function text(content_type, body)
    return await(get(web.path("/reply", { header = content_type, body = body })):text())
  end

  it("follows the character set, however it is written", function()
    local e = "\xE9" -- in Latin-1
    for _, value in ipairs({ "text/plain; charset=iso-8859-1", 'text/plain;CHARSET="ISO-8859-1"',
      "text/plain; charset = latin1", "text/plain; a=b; charset=ISO-8859-1; c=d" }) do
      assert.equal("é", text({ "Content-Type: " .. value }, e), value)
      assert.equal("é", text({ "X: 1", "content-TYPE:" .. value }, e), value)
    end
    assert.equal(e, text({ "Content-Type: text/plain; charset=utf-8" }, e))
    assert.equal(e, text({ "Content-Type: text/plain; charset=nonsense" }, e))
    assert.equal(e, text({ "Content-Type: text/plain; charset=" .. ("x"):rep(500) }, e))
    assert.equal(e, text({ "Content-Type: text/plain; charset" }, e))
    assert.equal(e, text({ "X-Content-Type: text/plain; charset=latin1" }, e))
    assert.equal(e, text({ "Content-Type:" }, e))
  end)

  it("follows a folded line", function()
    local response = raw("HTTP/1.1 200 OK\r\nContent-Type: text/plain;\r\n charset=latin1\r\n",
      "Content-Length: 1\r\n\r\n\xE9")
    assert.equal("é", await(response:text()))
  end)
end)

-- Plain URLs are not taken apart each time; the others are.
describe("a URL", function()
  with_server()

  it("is asked for as http.join writes it, the second time too", function()
    local host = "http://127.0.0.1:" .. odd.http
    for _, path in ipairs({ "/echo", "/echo?", "/echo?a=1&b=%20%c3%A9", "/echo?x=/../y", "/./echo",
      "/a/../echo", "/echo#part", "/echo?a b", "/echo?é", "/echo?a=/.hidden", "/echo?[]",
      "/echo?$&'()*+,-;=:@!~_" }) do
      local wanted = http.join(host, host .. path)
      for _ = 1, 2 do
        odd:forget()
        local response = await(session:get(host .. path))
        assert.equal(wanted, response.url)
        assert.equal(wanted:sub(#host + 1), odd:requests()[1].target)
      end
    end
  end)

  it("finds its host, whichever was spoken to before", function()
    for _ = 1, 2 do
      for _, port in ipairs({ "http", "other" }) do
        local response = await(session:get(odd:url(port, "/echo")))
        local seen = await(response:json())
        assert.equal("127.0.0.1:" .. odd[port], header(seen, "host"))
      end
    end
  end)

  it("is an error as often as it is wrong", function()
    for _ = 1, 2 do
      assert.equal(200, get("/echo").status)
      for _, url in ipairs({ "http:///echo", "http://", "http://127.0.0.1:99999/", "http://:80/",
        "http://a:b@/" }) do
        waiting.raises(http.InvalidURL, function() await(session:get(url)) end)
      end
    end
  end)
end)
