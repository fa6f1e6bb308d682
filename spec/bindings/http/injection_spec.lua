-- Line breaks, NUL and other control characters: whatever was to be smuggled into a request is
-- refused before a byte of it is sent, or comes out harmless.
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
  return odd:url("http", path or "/echo")
end

-- What follows makes a second request, or a header line, wherever it gets through.
local EVIL = { "\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0", "\1", "\127",
  "\r\n\r\nGET /evil HTTP/1.1\r\n\r\n" }

describe("an injection", function()
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
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  -- The server must not even see a connection; a request after it shows that it was looked for.
  local function nothing_came()
    assert.same({}, odd:noted())
    assert.equal(200, await(session:get(at("/echo?probe"))).status)
    assert.equal(1, #odd:noted("open"))
    assert.equal(1, #odd:requests())
  end

  it("by the method is refused", function()
    for _, evil in ipairs(EVIL) do
      assert.has_error.matches(function()
        http.request("GET" .. evil, at())
      end, "bad argument #1 to 'request'")
    end
    for _, method in ipairs({ "", "GET /evil", "GET ", " GET", "G:T", "GÉT", "GET\tX" }) do
      assert.has_error.matches(function()
        http.request(method, at())
      end, "bad argument #1 to 'request'")
    end
    nothing_came()
  end)

  it("by a header's name is refused", function()
    for _, evil in ipairs(EVIL) do
      assert.has_error(function()
        http.get(at(), { headers = { ["X-A" .. evil] = "1" } })
      end)
      assert.has_error(function()
        http.session({ headers = { ["X-A" .. evil] = "1" } })
      end)
    end
    for _, name in ipairs({ "", "X A", "X:", ":path", "X-É", "X\t", "@file", "a;b" }) do
      assert.has_error(function()
        http.get(at(), { headers = { [name] = "1" } })
      end)
    end
    nothing_came()
  end)

  it("by a header's value is refused", function()
    for _, evil in ipairs(EVIL) do
      for _, value in ipairs({ "1" .. evil, { "1", "2" .. evil }, evil }) do
        assert.has_error.matches(function()
          http.get(at(), { headers = { ["X-A"] = value } })
        end, "header 'X%-A'")
        assert.has_error.matches(function()
          http.session({ headers = { ["X-A"] = value } })
        end, "header 'X%-A'")
      end
    end
    nothing_came()
  end)

  it("by the URL is refused", function()
    for _, evil in ipairs(EVIL) do
      for _, url in ipairs({ at() .. evil, at("/echo?" .. evil), "http://127.0.0.1" .. evil .. "/",
        "http://a" .. evil .. "@127.0.0.1/", (at():gsub("://", ":" .. evil .. "//")),
        at("/#" .. evil) }) do
        waiting.raises(http.InvalidURL, function()
          await(session:get(url))
        end)
      end
    end
    nothing_came()
  end)

  it("by the base of a session is refused", function()
    for _, evil in ipairs(EVIL) do
      assert.has_error(function()
        http.session({ base_url = at("/") .. evil })
      end)
    end
    nothing_came()
  end)

  it("by parameters comes out escaped", function()
    for _, evil in ipairs(EVIL) do
      odd:forget()
      local seen = await(await(session:get(at(), { params = { ["a" .. evil] = evil } })):json())
      assert.same({ { "a" .. evil, evil } }, seen.query)
      assert.equal(1, #odd:requests())
    end
    for _, evil in ipairs(EVIL) do
      waiting.raises(http.InvalidURL, function()
        await(session:get(at(), { params = "a=" .. evil }))
      end)
    end
  end)

  it("by credentials is refused", function()
    for _, evil in ipairs(EVIL) do
      for _, auth in ipairs({ { "user" .. evil, "x" }, { "user", "x" .. evil },
        { bearer = "x" .. evil } }) do
        assert.has_error.matches(function()
          http.get(at(), { auth = auth })
        end, "'auth'")
        assert.has_error.matches(function()
          http.session({ auth = auth })
        end, "'auth'")
      end
    end
    nothing_came()
  end)

  it("by escapes in a URL stays escaped", function()
    local seen = await(await(session:get(at("/echo?x=%0d%0aX-Evil:%201"))):json())
    assert.is_nil(header(seen, "x-evil"))
    assert.equal("/echo?x=%0d%0aX-Evil:%201", seen.target)
    local url = at():gsub("://", "://user%%0d%%0aX-Evil:%%0d%%0a@")
    local ok, response = pcall(await, session:get(url))
    if ok then
      assert.is_nil(header(await(response:json()), "x-evil"))
    end
  end)

  it("by a given cookie is refused", function()
    for _, evil in ipairs(EVIL) do
      for _, cookies in ipairs({ { a = "1" .. evil }, { ["a" .. evil] = "1" } }) do
        assert.has_error.matches(function()
          http.session({ cookies = cookies })
        end, "'cookies'")
      end
    end
    for _, cookies in ipairs({ { a = "1; b=2" }, { ["a;b"] = "1" }, { ["a=b"] = "1" },
      { [""] = "1" }, { a = {} }, { "a" } }) do
      assert.has_error.matches(function()
        http.session({ cookies = cookies })
      end, "'cookies'")
    end
    nothing_came()
  end)

  it("by a cookie of the server's does not come back", function()
    await(session:get(at(web.path("/cookies", { set = { "a=1\1", "b=\t2", "c=3" } }))))
    local cookies = header(await(await(session:get(at())):json()), "cookie")
    assert.is_nil(cookies:find("\1", 1, true))
    assert.matches("c=3", cookies, nil, true)
  end)

  it("by the parts of a form comes out escaped, or is refused", function()
    for _, evil in ipairs(EVIL) do
      local response = await(session:post(at("/multipart"), { multipart = {
        { name = "n" .. evil, filename = "f" .. evil .. '"; x="', body = "1" },
        { name = "last", value = evil },
      } }))
      local seen = await(response:json())
      assert.equal(2, #seen.parts)
      assert.equal(evil, seen.parts[2].body)
      assert.same({}, seen.defects)
      assert.has_error.matches(function()
        local part = { name = "n", body = "1", content_type = "a/b" .. evil }
        http.post(at(), { multipart = { part } })
      end, "content_type")
    end
  end)

  it("by a redirect is refused", function()
    for _, evil in ipairs({ "\1", "\127", "\t" }) do
      odd:forget()
      waiting.raises(http.InvalidURL, function()
        await(session:get(at(web.path("/redirect", { to = "/echo?" .. evil .. "x" }))))
      end)
      assert.equal(1, #odd:requests())
    end
  end)

  it("by the proxy is refused", function()
    for _, evil in ipairs(EVIL) do
      local ok = pcall(function()
        local other <close> = http.session({ proxy = odd:url("proxy") .. evil })
        await(other:get(at()))
      end)
      assert.is_false(ok)
    end
    nothing_came()
  end)
end)
