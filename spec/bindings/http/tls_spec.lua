-- Whom the client trusts, and how it says that it does not.
local http = require("lull.http")
local lull = require("lull")
local nginx = require("spec.servers.nginx")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local server

-- The text of /hello, or of /echo, over a session with these options.
local function text(url, options)
  local session <close> = http.session(options)
  local response = await(session:get(url))
  return await(response:text()), response
end

local function refused(url, options)
  local err = waiting.raises(http.TLSError, text, url, options)
  assert.equal("tls", err.phase)
  assert.matches(url:match("//([^/]+)"), err.message, nil, true)
  assert.equal(url:match("//([^/]+)"), err.host)
  return err.message
end

describe("TLS", function()
  setup(function()
    server = nginx.start()
  end)
  teardown(function()
    server:close()
  end)
  tidy.watch(before_each, after_each)

  local function trusting(options)
    options = options or {}
    options.ca_file = server:path("ca.pem")
    return options
  end

  it("trusts the authority it was told of, for the name and the address", function()
    assert.equal("hello\n", text(server:url("https", "/hello", "localhost"), trusting()))
    assert.equal("hello\n", text(server:url("https1", "/hello"), trusting()))
  end)

  it("trusts no one else", function()
    local message = refused(server:url("https", "/hello"))
    assert.matches("issuer", message, nil, true)
  end)

  it("refuses a certificate that has expired, and says so", function()
    assert.matches("expired", refused(server:url("https_expired", "/hello"), trusting()), nil, true)
  end)

  it("refuses a certificate that nobody has signed, and says so", function()
    local message = refused(server:url("https_self_signed", "/hello"), trusting())
    assert.matches("self%-signed", message)
    refused(server:url("https_self_signed", "/hello"))
  end)

  it("refuses a certificate for another name, and says so", function()
    local message = refused(server:url("https_wrong_name", "/hello", "localhost"), trusting())
    assert.matches("name", message, nil, true)
    refused(server:url("https_wrong_name", "/hello"), trusting())
  end)

  it("sends nothing to who is refused", function()
    local before = #(web.read(server:path("log")) or "")
    refused(server:url("https_wrong_name", "/a-secret"), trusting())
    assert.equal(200, await(http.get(server:url("http", "/hello"))).status)
    local log = web.eventually(function()
      local text_of_log = web.read(server:path("log"))
      return #text_of_log > before and text_of_log
    end)
    assert.is_nil(log:find("a-secret", 1, true))
  end)

  it("trusts everyone if it is told not to verify", function()
    for _, port in ipairs({ "https", "https_expired", "https_self_signed", "https_wrong_name" }) do
      assert.equal("hello\n", text(server:url(port, "/hello"), { verify = false }))
    end
  end)

  it("verifies each session by its own rules", function()
    local careless <close> = http.session({ verify = false })
    assert.equal(200, await(careless:get(server:url("https_expired", "/hello"))).status)
    local careful <close> = http.session(trusting())
    waiting.raises(http.TLSError, function()
      await(careful:get(server:url("https_expired", "/hello")))
    end)
    waiting.raises(http.TLSError, function()
      await(http.get(server:url("https_expired", "/hello")))
    end)
  end)

  it("speaks HTTP/2 where the server does, unless told not to", function()
    local url = server:url("https", "/echo")
    local body, response = text(url, trusting())
    assert.equal("2", response.http_version)
    assert.equal("", response.reason)
    assert.matches("^GET /echo HTTP/2.0\n", body)
    body, response = text(url, trusting({ http2 = false }))
    assert.equal("1.1", response.http_version)
    assert.matches("^GET /echo HTTP/1.1\n", body)
    response = select(2, text(server:url("https1", "/echo"), trusting()))
    assert.equal("1.1", response.http_version)
  end)

  it("carries many HTTP/2 requests over one connection", function()
    local session <close> = http.session(trusting({ connections = 2 }))
    local before = web.descriptors()
    local requests = {}
    for i = 1, 100 do
      requests[i] = session:get(server:url("https", i % 2 == 0 and "/files/64k" or "/hello"))
    end
    local responses = await(lull.gather(requests))
    assert.is_true(web.descriptors() - before <= 3)
    for i, response in ipairs(responses) do
      assert.equal("2", response.http_version)
      assert.equal(i % 2 == 0 and 65536 or 6, #await(response:bytes()))
    end
  end)

  it("uploads over HTTP/2, strings and streams", function()
    local session <close> = http.session(trusting())
    local left = 20
    await(session:put(server:url("https", "/store/string"), { body = ("s"):rep(500000) }))
    local response = await(session:put(server:url("https", "/store/stream"), { body = function()
      left = left - 1
      return left >= 0 and ("x"):rep(50000) or nil
    end }))
    assert.equal(201, response.status)
    assert.equal(("s"):rep(500000), web.read(server:path("store/string")))
    assert.equal(1000000, #web.read(server:path("store/stream")))
  end)

  it("shows its own certificate where one is demanded", function()
    local url = server:url("https_client", "/echo")
    local body = text(url, trusting({ cert_file = server:path("client.pem"),
      key_file = server:path("client.key") }))
    assert.matches("client: CN=client\n", body, nil, true)
    assert.equal(400, select(2, text(url, trusting())).status)
    local strange = trusting({ cert_file = server:path("stranger.pem"),
      key_file = server:path("stranger.key") })
    assert.equal(400, select(2, text(url, strange)).status)
  end)

  it("says which file it cannot use", function()
    local url = server:url("https", "/hello")
    local cases = {
      { ca_file = "/nowhere/ca.pem" },
      trusting({ cert_file = "/nowhere/cert.pem", key_file = server:path("client.key") }),
      trusting({ cert_file = server:path("client.pem"), key_file = "/nowhere/key.pem" }),
      { ca_file = server:path("ca.key") },
    }
    for _, options in ipairs(cases) do
      local ok, err = pcall(text, url, options)
      assert.is_false(ok)
      local path = options.ca_file ~= server:path("ca.pem") and options.ca_file
        or (options.cert_file .. options.key_file):match("/nowhere/%a+.pem")
      assert.matches(path, tostring(err), nil, true)
    end
  end)

  it("is not spoken by a plain server: that is an error, as is the reverse", function()
    local err = waiting.raises(http.TLSError, text,
      ("https://127.0.0.1:%d/"):format(server.http), trusting())
    assert.equal("tls", err.phase)
    local response = select(2, text(("http://127.0.0.1:%d/"):format(server.https1)))
    assert.equal(400, response.status)
  end)

  it("stays on when a redirect leads from it to a plain host: credentials do not", function()
    local session <close> = http.session(trusting({ auth = { "user", "secret" } }))
    local response = await(session:get(server:url("https", "/to/http", "localhost")))
    assert.matches("\nauthorization: \n", await(response:text()), nil, true)
    response = await(session:get(server:url("https", "/redirect/302", "localhost")))
    assert.matches("\nauthorization: Basic ", await(response:text()), nil, true)
  end)
end)
