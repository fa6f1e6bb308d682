-- What can go wrong, and that the error says with whom, when and why.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session

local function get(url, options)
  return await(session:get(url, options))
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

describe("the errors", function()
  it("are all HTTPErrors, and errors of lull", function()
    for _, name in ipairs({ "HTTPStatusError", "ConnectError", "ProtocolError", "TLSError",
      "TooManyRedirects", "BodyTooLarge", "InvalidURL" }) do
      local err = http[name]("text")
      assert.is_true(lull.is_error(err, http.HTTPError), name)
      assert.is_true(lull.is_error(err, lull.Error))
      assert.equal(name .. ": text", tostring(err))
    end
  end)
end)

describe("no connection", function()
  with_server()

  it("is a ConnectError: the port refuses", function()
    local host = "127.0.0.1:" .. odd.refusing
    local err = waiting.raises(http.ConnectError, get, "http://" .. host .. "/path")
    assert.equal("connect", err.phase)
    assert.equal(host, err.host)
    assert.equal("http://" .. host .. "/path", err.url)
    assert.equal("ECONNREFUSED", err.cause.code)
    assert.is_true(lull.is_error(err.cause, lull.ConnectionError))
    assert.matches(host, err.message, nil, true)
    assert.matches("refused", err.message, nil, true)
  end)

  it("is a ConnectError: there is no such name", function()
    local output = web.run([[
      local lull, http = require "lull", require "lull.http"
      local ok, err = pcall(lull.await, http.get("http://some.nowhere/x"))
      print(ok, err.name, err.phase, err.host)
      print(err.message:find("some.nowhere", 1, true) ~= nil)
      print(lull.is_error(err.cause, lull.DNSError))
    ]], {}, web.resolver(odd.folder))
    assert.equal("false\tConnectError\tresolve\tsome.nowhere:80\ntrue\ntrue\n", output)
  end)

  it("leaves no descriptor behind", function()
    local before = web.descriptors()
    for _ = 1, 20 do
      pcall(get, odd:url("refusing"))
    end
    web.descriptors_return_to(before)
  end)
end)

describe("no answer", function()
  with_server()

  local function no_answer(url)
    local err = waiting.raises(http.ProtocolError, get, url)
    assert.matches("127.0.0.1:%d+", err.message)
    assert.equal("response", err.phase)
    return err
  end

  it("is a ProtocolError: the server closes", function()
    no_answer(odd:url("http", "/close"))
    no_answer(odd:url("http", "/reset"))
  end)

  it("is an error: the server closes at once", function()
    waiting.raises(http.HTTPError, get, odd:url("closing"))
  end)
end)

describe("a response that is none", function()
  with_server()

  local HEAD = "HTTP/1.1 200 OK\r\n"
  local CHUNKED = HEAD .. "Transfer-Encoding: chunked\r\n\r\n"
  local BAD = {
    ["an odd status line"] = "HTTP/1.1 abc\r\n\r\n",
    ["text"] = "hello, world\r\n\r\n",
    ["text and no more"] = "hello",
    ["another protocol"] = "SSH-2.0-OpenSSH_9.2\r\n",
    ["half a status line"] = "HTTP/1.1 2",
    ["half a head"] = HEAD .. "Content-Le",
    ["a version there is not"] = "HTTP/9.9 200 OK\r\n\r\n",
    ["a status of two digits"] = "HTTP/1.1 20 OK\r\n\r\n",
    ["a negative length"] = HEAD .. "Content-Length: -1\r\n\r\nx",
    ["a length that is no number"] = HEAD .. "Content-Length: x\r\n\r\nx",
    ["two lengths"] = HEAD .. "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    ["a chunk without a size"] = CHUNKED .. "xyz\r\nabc\r\n",
    ["a chunk longer than its size"] = CHUNKED .. "1\r\nabc\r\n0\r\n\r\n",
    ["a huge chunk size"] = CHUNKED .. "fffffffffffffffffff\r\nabc",
  }
  for what, data in pairs(BAD) do
    it("is a ProtocolError: " .. what, function()
      for _, options in ipairs({ {}, { stream = true } }) do
        local err = waiting.raises(http.ProtocolError, function()
          return await(get(odd:url("http", web.path("/raw", { data = data })), options):bytes())
        end)
        assert.equal("response", err.phase)
        assert.equal("127.0.0.1:" .. odd.http, err.host)
      end
    end)
  end

  it("is a ProtocolError: a head without end", function()
    for _, query in ipairs({ { count = 100000, size = 10 }, { count = 1, size = 1000000 } }) do
      local memory = web.resident()
      local url = odd:url("http", web.path("/headers", query))
      waiting.raises(http.ProtocolError, get, url)
      web.grew_less(16, memory)
    end
    local response = get(odd:url("http", "/headers?count=100&size=200"))
    assert.equal(("v"):rep(200), response.headers["x-99"])
  end)

  it("does not spoil what comes after it", function()
    pcall(get, odd:url("http", web.path("/raw", { data = "nonsense\r\n\r\n" })))
    assert.equal(200, get(odd:url("http", "/echo")).status)
  end)
end)

describe("a URL", function()
  with_server()

  it("that cannot be requested is an InvalidURL, which shows it", function()
    for _, url in ipairs({ "", "nonsense", "http://", "http:///path", "//127.0.0.1/", "/path",
      "///x",
      "http://[::1", "http://a b/", "http://127.0.0.1:99999/", "http://127.0.0.1:port/",
      "http://127.0.0.1:-1/", "ftp://127.0.0.1/", "file:///etc/passwd", "javascript:alert(1)",
      "ws://127.0.0.1/", "HTTP//x", "://x", "http://%00/", "http://user@" }) do
      local err = waiting.raises(http.InvalidURL, get, url)
      assert.matches("'" .. url .. "'", err.message, nil, true)
    end
    assert.same({}, odd:noted())
  end)

  it("may be written in many ways", function()
    for _, url in ipairs({ odd:url("http", "/echo"):gsub("http", "HTTP"),
      "http://127.0.0.1:" .. odd.http .. "/./x/../echo", odd:url("http", "/echo#part"),
      "http://127.1:" .. odd.http .. "/echo", "http://@127.0.0.1:" .. odd.http .. "/echo" }) do
      assert.equal(200, get(url).status, url)
      assert.equal("/echo", await(get(url):json()).target)
    end
    assert.equal(404, get("http://127.0.0.1:" .. odd.http).status)
  end)
end)

describe("a wrong argument", function()
  with_server()

  local function refused(text, f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.equal("string", type(err))
    assert.matches(text, err, nil, true)
    assert.matches("errors_spec.lua:%d+: bad argument", err)
  end

  it("is refused at once, where the call was made", function()
    local url = odd:url("http", "/echo")
    for options, text in pairs({
      [{ retry = 1 }] = "unknown option 'retry'",
      [{ [1] = 1 }] = "unknown option '1'",
      [{ headers = "x" }] = "option 'headers'",
      [{ headers = { "x" } }] = "header",
      [{ headers = { x = {} , X = "y" } }] = "given twice",
      [{ headers = { x = function() end } }] = "header 'x'",
      [{ headers = { ["Content-Length"] = "3" } }] = "Content-Length",
      [{ params = 1 }] = "option 'params'",
      [{ params = { x = {{}} } }] = "'x'",
      [{ body = 1 }] = "option 'body'",
      [{ body = {} }] = "option 'body'",
      [{ body = "x", json = 1 }] = "exclude each other",
      [{ form = "x" }] = "option 'form'",
      [{ form = { x = print } }] = "'x'",
      [{ multipart = { { name = "x" } } }] = "multipart part 1",
      [{ multipart = { { name = "x", value = "1", body = "2" } } }] = "multipart part 1",
      [{ multipart = { { name = 1, value = "1" } } }] = "multipart part 1",
      [{ multipart = { 1 } }] = "multipart part 1",
      [{ stream = 1 }] = "option 'stream'",
      [{ follow_redirects = 1 }] = "option 'follow_redirects'",
      [{ max_redirects = -1 }] = "option 'max_redirects'",
      [{ max_body = 1.5 }] = "option 'max_body'",
      [{ max_body = -1 }] = "option 'max_body'",
      [{ retries = "1" }] = "option 'retries'",
    }) do
      refused(text, function() http.get(url, options) end)
      refused(text, function() session:post(url, options) end)
      refused(text, function() http.request("GET", url, options) end)
    end
    assert.has_error.matches(function() http.post(url, { json = print }) end, "function")
    refused("#1 to 'get'", function() http.get() end)
    refused("#1 to 'get'", function() http.get({}) end)
    refused("#2 to 'get'", function() http.get(url, "x") end)
    refused("#1 to 'request'", function() http.request() end)
    refused("#2 to 'request'", function() http.request("GET") end)
    refused("#3 to 'request'", function() http.request("GET", url, 1) end)
    assert.same({}, odd:noted())
  end)

  it("is refused of a session, too", function()
    for options, text in pairs({
      [{ retry = 1 }] = "unknown option 'retry'",
      [{ base_url = 1 }] = "option 'base_url'",
      [{ base_url = "nonsense" }] = "option 'base_url'",
      [{ base_url = "ftp://x/" }] = "option 'base_url'",
      [{ connections = 0 }] = "option 'connections'",
      [{ connections = "1" }] = "option 'connections'",
      [{ http2 = 1 }] = "option 'http2'",
      [{ verify = "no" }] = "option 'verify'",
      [{ ca_file = true }] = "option 'ca_file'",
      [{ cookies = "a=1" }] = "option 'cookies'",
      [{ headers = { ["a b"] = "x" } }] = "header",
      [{ max_body = -1 }] = "option 'max_body'",
      [{ proxy = 1 }] = "option 'proxy'",
    }) do
      refused(text, function() http.session(options) end)
    end
    refused("#1 to 'session'", function() http.session("x") end)
  end)

  it("to a response's methods is refused as well", function()
    local response = get(odd:url("http", "/echo"))
    refused("#1 to 'save'", function() response:save() end)
    refused("unknown option", function() response:save("/tmp/x", { prgress = print }) end)
    refused("#1 to 'get'", function() response.headers:get() end)
    refused("#1 to 'get_all'", function() response.headers:get_all(1) end)
  end)
end)
