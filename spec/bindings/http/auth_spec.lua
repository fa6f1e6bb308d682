-- Credentials: how they are given, and who gets them.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local odd

local function at(path, userinfo)
  local url = odd:url("http", path)
  return userinfo and url:gsub("://", "://" .. userinfo .. "@") or url
end

local function status(url, options)
  return await(http.get(url, options)).status
end

-- The Authorization header of a request.
local function sent(session, options, url)
  odd:forget()
  await(session:request("GET", url or at("/echo"), options))
  return header(odd:requests()[1], "authorization")
end

describe("credentials", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
  end)

  it("of a user are sent at once", function()
    assert.equal(200, status(at("/basic"), { auth = { "user", "secret" } }))
    assert.equal(1, #odd:requests())
    assert.equal(401, status(at("/basic"), { auth = { "user", "wrong" } }))
    assert.equal(401, status(at("/basic")))
  end)

  it("may hold any bytes but control characters, and a colon in the password", function()
    for _, pair in ipairs({ { "", "" }, { "a b", "c:d" }, { "ü", "\xff%@/" } }) do
      local url = at(web.path("/basic", { user = pair[1], password = pair[2] }))
      assert.equal(200, status(url, { auth = pair }), pair[1])
    end
    assert.has_error(function()
      http.get(at("/basic"), { auth = { "a:b", "c" } })
    end)
  end)

  it("can be a token", function()
    local session <close> = http.session()
    assert.equal("Bearer abc.def", sent(session, { auth = { bearer = "abc.def" } }))
  end)

  it("can be in the URL, which is not told to anyone else", function()
    local response = await(http.get(at("/basic", "user:secret")))
    assert.equal(200, response.status)
    assert.equal(at("/basic"), response.url)
    assert.equal(200, status(at(web.path("/basic", { user = "a b", password = "@:" }),
      "a%%20b:%%40%%3A")))
    local seen = await(await(http.get(at("/echo", "user:secret"))):json())
    assert.equal("127.0.0.1:" .. odd.http, header(seen, "host"))
  end)

  it("of a session go with each of its requests, unless one has its own or none", function()
    local session <close> = http.session({ auth = { "user", "secret" } })
    assert.matches("^Basic ", sent(session))
    assert.equal("Bearer x", sent(session, { auth = { bearer = "x" } }))
    assert.is_nil(sent(session, { auth = false }))
  end)

  it("do not stay on a connection that is used again", function()
    local session <close> = http.session({ connections = 1 })
    assert.is_truthy(sent(session, { auth = { "user", "secret" } }))
    assert.is_nil(sent(session))
    assert.equal("Bearer x", sent(session, { auth = { bearer = "x" } }))
    assert.is_nil(sent(session))
    assert.is_truthy(sent(session, nil, at("/echo", "user:secret")))
    assert.is_nil(sent(session))
  end)

  it("are not part of what errors say", function()
    local url = ("http://user:secret@127.0.0.1:%d/"):format(odd.refusing)
    local ok, err = pcall(function()
      await(http.get(url))
    end)
    assert.is_false(ok)
    assert.is_nil(tostring(err):find("secret", 1, true))
  end)

  it("of the wrong form are an argument error", function()
    for _, auth in ipairs({ "user:secret", {}, { "user" }, { bearer = 1 }, { "user", 1 }, true }) do
      assert.has_error.matches(function()
        http.get(at("/echo"), { auth = auth })
      end, "'auth'")
    end
    assert.same({}, odd:noted())
  end)
end)
