-- Requests that go through a proxy: one that is given, or the environment's.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local odd

local function with_server()
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
end

-- A session with a proxy of the server's, user and password before its host if any.
local function through(port, userinfo)
  local host = userinfo and userinfo .. "@127.0.0.1" or nil
  return http.session({ proxy = odd:url(port, "/", host), ca_file = odd:path("ca.pem") })
end

describe("a proxy", function()
  with_server()

  it("forwards plain requests, and resolves their names", function()
    local session <close> = through("proxy")
    local response = await(session:get(odd:url("http", "/echo?x=1", "only-the-proxy-knows.test")))
    local seen = await(response:json())
    assert.equal("/echo?x=1", seen.target)
    assert.equal("1.1 odd", header(seen, "via"))
    assert.matches("^http://only%-the%-proxy%-knows.test:", odd:noted("proxied")[1].target)
    assert.equal("only-the-proxy-knows.test:" .. odd.http, header(seen, "host"))
  end)

  it("forwards bodies", function()
    local session <close> = through("proxy")
    local response = await(session:post(odd:url("http", "/echo"), { body = "a body" }))
    assert.equal("a body", await(response:json()).body)
  end)

  it("lets TLS through a tunnel, which it cannot look into", function()
    local session <close> = through("proxy")
    local options = { headers = { ["X-Secret"] = "1", Authorization = "secret" } }
    local response = await(session:get(odd:url("https", "/echo"), options))
    local seen = await(response:json())
    assert.equal("1", header(seen, "x-secret"))
    assert.equal("secret", header(seen, "authorization"))
    local proxied = odd:noted("proxied")
    assert.equal(1, #proxied)
    assert.equal("CONNECT", proxied[1].method)
    assert.equal("127.0.0.1:" .. odd.https, proxied[1].target)
    assert.is_nil(header(proxied[1], "x-secret"))
    assert.is_nil(header(proxied[1], "authorization"))
  end)

  it("gets its own credentials, which nobody else gets", function()
    local session <close> = through("guarded_proxy", "user:secret")
    for _, port in ipairs({ "http", "https" }) do
      local seen = await(await(session:get(odd:url(port, "/echo"))):json())
      assert.is_nil(header(seen, "proxy-authorization"))
      assert.is_nil(header(seen, "authorization"))
    end
    for _, proxied in ipairs(odd:noted("proxied")) do
      assert.is_truthy(header(proxied, "proxy-authorization"))
    end
  end)

  it("answers 407 to who has none: the response, or a ConnectError where TLS was to be", function()
    local session <close> = through("guarded_proxy")
    assert.equal(407, await(session:get(odd:url("http", "/echo"))).status)
    local err = waiting.raises(http.ConnectError, function()
      await(session:get(odd:url("https", "/echo")))
    end)
    assert.equal("proxy", err.phase)
    assert.matches("407", err.message, nil, true)
    assert.is_nil(tostring(err):find("secret", 1, true))
  end)

  it("may refuse a tunnel", function()
    local session <close> = through("proxy")
    local err = waiting.raises(http.ConnectError, function()
      await(session:get(odd:url("https", "/echo", "forbidden.test")))
    end)
    assert.equal("proxy", err.phase)
    assert.equal("forbidden.test:" .. odd.https, err.host)
    assert.matches("403", err.message, nil, true)
  end)

  it("may not be there", function()
    local session <close> = through("refusing")
    local err = waiting.raises(http.ConnectError, function()
      await(session:get(odd:url("http", "/echo")))
    end)
    assert.equal("ECONNREFUSED", err.cause.code)
    assert.same({}, odd:requests())
  end)

  it("may be silent: that is a timeout of connecting", function()
    local session <close> = through("proxy")
    local err = waiting.raises(lull.TimeoutError, function()
      await(session:get(odd:url("https", "/echo", "silent.test"), { timeout = { connect = 0.1 } }))
    end)
    assert.equal("connect", err.phase)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("does not get in the way of verifying certificates", function()
    local session <close> = http.session({ proxy = odd:url("proxy"), ca_file = odd:path("ca.pem") })
    local err = waiting.raises(http.TLSError, function()
      await(session:get(odd:url("https", "/echo", "other-name.test")))
    end)
    assert.equal("tls", err.phase)
    assert.same({}, odd:requests())
  end)

  it("must be a URL", function()
    for _, proxy in ipairs({ true, 1, {}, "http://a\r\nb", "nonsense://x", "http://" }) do
      local ok, err = pcall(function()
        local session <close> = http.session({ proxy = proxy })
        await(session:get(odd:url("http", "/echo")))
      end)
      assert.is_false(ok, tostring(proxy))
      assert.matches("proxy", tostring(err):lower(), nil, true)
      assert.same({}, odd:requests())
    end
  end)
end)

describe("the environment's proxy", function()
  with_server()

  -- Asks the plain and the TLS server in another process, whose environment has these variables;
  -- gives what the proxy was asked.
  local function asked(environment, options)
    odd:forget()
    for _, name in ipairs({ "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
      "no_proxy", "NO_PROXY" }) do
      environment[name] = environment[name] or ""
    end
    local output = web.run([[
      local lull, http = require "lull", require "lull.http"
      local session <close> = http.session{ca_file = @ca, ]] .. (options or "") .. [[}
      for _, url in ipairs{@plain, @secure} do
        io.write(lull.await(session:get(url)).status, "\n")
      end
    ]], { ca = odd:path("ca.pem"), plain = odd:url("http", "/echo"),
      secure = odd:url("https", "/echo") }, environment)
    assert.equal("200\n200\n", output)
    local methods = {}
    for _, proxied in ipairs(odd:noted("proxied")) do
      table.insert(methods, proxied.method)
    end
    return table.concat(methods, " ")
  end

  it("is used by scheme, or for all", function()
    local proxy = odd:url("proxy")
    assert.equal("", asked({}))
    assert.equal("GET", asked({ http_proxy = proxy }))
    assert.equal("CONNECT", asked({ https_proxy = proxy }))
    assert.equal("CONNECT", asked({ HTTPS_PROXY = proxy }))
    assert.equal("GET CONNECT", asked({ ALL_PROXY = proxy }))
  end)

  it("is not used for the hosts it is not for", function()
    local proxy = odd:url("proxy")
    assert.equal("", asked({ all_proxy = proxy, no_proxy = "127.0.0.1" }))
    assert.equal("", asked({ all_proxy = proxy, NO_PROXY = "example.com,127.0.0.1" }))
    assert.equal("", asked({ all_proxy = proxy, no_proxy = "*" }))
    assert.equal("GET CONNECT", asked({ all_proxy = proxy, no_proxy = "localhost" }))
  end)

  it("is ignored if the session has its own, or is to have none", function()
    local environment = { all_proxy = odd:url("refusing") }
    assert.equal("", asked(environment, "proxy = false"))
    assert.equal("GET CONNECT", asked(environment, ("proxy = %q"):format(odd:url("proxy"))))
  end)
end)
