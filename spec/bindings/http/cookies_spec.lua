-- What cookies a session keeps, and where it sends them.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local odd, session

local function at(path, port, host)
  return odd:url(port or "http", path, host)
end

-- Has the server set cookies, for a path below which the request is.
local function set(...)
  await(session:get(at(web.path("/cookies", { set = { ... } }))))
end

-- The cookies sent to an address.
local function sent(url, options)
  odd:forget()
  await(session:get(url or at("/echo"), options))
  return header(odd:requests()[1], "cookie")
end

describe("a session's cookies", function()
  setup(function()
    odd = odd_server.start({ tls = true })
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    session = http.session({ ca_file = odd:path("ca.pem") })
  end)
  after_each(function()
    session:close()
  end)

  it("are sent back", function()
    assert.is_nil(sent())
    set("a=1", "b=two words", "c=")
    assert.equal("a=1; b=two words; c=", sent())
  end)

  it("replace those of the same name and path", function()
    set("a=1", "b=1")
    set("a=2", "a=other; Path=/echo")
    assert.equal("a=other; a=2; b=1", sent())
  end)

  it("are of the session, and of no other request", function()
    set("a=1")
    odd:forget()
    await(http.get(at(web.path("/cookies", { set = "one=shot" }))))
    await(http.get(at("/echo")))
    local other <close> = http.session()
    await(other:get(at("/echo")))
    for _, request in ipairs(odd:requests()) do
      assert.is_nil(header(request, "cookie"))
    end
  end)

  it("are not kept if there are to be none", function()
    session:close()
    session = http.session({ cookies = false })
    set("a=1")
    assert.is_nil(sent())
  end)

  it("go to their own host and port only", function()
    set("a=1", "b=2; Domain=localhost", "c=3; Domain=127.0.0.1")
    assert.is_nil(sent(at("/echo", "other")))
    assert.is_nil(sent(at("/echo", "http", "localhost")))
    assert.is_nil(sent(at("/echo", "https")))
  end)

  it("go to their path and what is below it", function()
    set("root=1; Path=/", "echo=2; Path=/echo", "deep=3; Path=/echo/deep", "slash=4; Path=/echo/",
      "prefix=5; Path=/ec", "default=6", "relative=7; Path=echo")
    assert.equal("echo=2; root=1; default=6; relative=7", sent())
    local deep = sent(at("/echo/deep/er"))
    assert.equal("deep=3; slash=4; echo=2; root=1; default=6; relative=7", deep)
  end)

  it("expire", function()
    set("a=1; Max-Age=1000", "b=1; Max-Age=0", "c=1; Max-Age=-1",
      "d=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "e=1; Expires=Sun, 06 Nov 2994 08:49:37 GMT",
      "f=1; Expires=nonsense", "g=1; Max-Age=1000; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
      "h=1; Max-Age=nonsense")
    assert.equal("a=1; e=1; f=1; g=1; h=1", sent())
  end)

  it("can be taken back by the server", function()
    set("a=1", "b=2")
    set("a=; Max-Age=0")
    assert.equal("b=2", sent())
  end)

  it("that are Secure are neither taken nor sent in the clear", function()
    set("a=1; Secure", "b=2; secure ; HttpOnly")
    assert.is_nil(sent())
    await(session:get(at(web.path("/cookies", { set = { "a=1; Secure", "b=2" } }), "https")))
    assert.equal("a=1; b=2", sent(at("/echo", "https")))
    assert.is_nil(sent())
  end)

  it("that make no sense are left out", function()
    set("", "=x", "no equals sign", ";;;", "  ", "ok=1", "ctl=a\1b")
    assert.equal("ok=1", sent())
  end)

  it("are bounded: a host cannot fill the memory", function()
    for round = 1, 3 do
      local many = {}
      for i = 1, 100 do
        many[i] = ("c%d_%d=1"):format(round, i)
      end
      set(table.unpack(many))
    end
    local _, count = sent():gsub("=", "")
    assert.is_true(count >= 50 and count <= 200, count)
  end)

  it("can be given, for the host that is asked first", function()
    session:close()
    session = http.session({ cookies = { b = "2", a = "1" } })
    assert.equal("a=1; b=2", sent())
    assert.is_nil(sent(at("/echo", "other")))
    set("a=3")
    assert.equal("a=3; b=2", sent())
  end)

  it("come beside those of the request's own header", function()
    set("a=1")
    local cookies = sent(nil, { headers = { Cookie = "own=1" } })
    assert.matches("own=1", cookies, nil, true)
    assert.matches("a=1", cookies, nil, true)
  end)
end)
