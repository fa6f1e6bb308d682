-- What a request says: its method, address, headers and body, as the server sees them.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local odd

local function at(path)
  return odd:url("http", path)
end

-- What the server saw of a request, with a method and options.
local function echo(method, options, query)
  local response = await(http.request(method, at("/echo" .. (query or "")), options))
  return await(response:json())
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
  end)

  it("has the method of its function", function()
    for _, name in ipairs({ "get", "post", "put", "patch", "delete", "options" }) do
      local seen = await(await(http[name](at("/echo"))):json())
      assert.equal(name:upper(), seen.method)
      assert.equal(0, seen.length)
    end
    local response = await(http.head(at("/echo")))
    assert.equal("", await(response:bytes()))
    assert.equal("HEAD", odd:requests()[7].method)
  end)

  it("can have any method", function()
    assert.equal("REPORT", echo("REPORT").method)
    assert.equal("x-odd!", echo("x-odd!").method:lower())
  end)

  it("is not sent before it is awaited", function()
    local request = http.get(at("/echo"))
    waiting.turns(5)
    assert.same({}, odd:noted())
    assert.equal(200, await(request).status)
    assert.equal(1, #odd:requests())
  end)

  it("waits for nothing else: others run meanwhile", function()
    local order = {}
    local slow = lull.create_task(function()
      await(http.get(at("/late?pause=0.1")))
      table.insert(order, "slow")
    end)
    await(http.get(at("/echo")))
    table.insert(order, "quick")
    await(slow)
    assert.same({ "quick", "slow" }, order)
  end)

  it("adds parameters to the query, escaped, in a stable order", function()
    local params = { b = "1 2&=", a = { "x", 7 }, ["ä/"] = "ö", c = true, empty = "" }
    local seen = echo("GET", { params = params }, "?z=0")
    assert.same({ { "z", "0" }, { "a", "x" }, { "a", "7" }, { "b", "1 2&=" }, { "c", "true" },
      { "empty", "" }, { "ä/", "ö" } }, seen.query)
    assert.equal("/echo?z=0&a=x&a=7&b=1%202%26%3D&c=true&empty=&%C3%A4%2F=%C3%B6", seen.target)
  end)

  it("takes a query as it is, too", function()
    assert.equal("/echo?a=1&b=%20", echo("GET", { params = "a=1&b=%20" }).target)
    assert.equal("/echo", echo("GET", { params = {} }).target)
  end)

  it("leaves the fragment out, and encodes what a URL must not hold", function()
    local seen = await(await(http.get(at("/echo?q=a b#part"))):json())
    assert.matches("^/echo%?q=a[%%+]2?0?b$", seen.target)
    seen = await(await(http.get(at("/echo?q=é"))):json())
    assert.equal("/echo?q=%c3%a9", seen.target:lower())
  end)

  it("sends the headers it was given, lists repeatedly", function()
    local seen = echo("GET", { headers = { ["X-One"] = "1", ["x-many"] = { "a", "b" },
      ["X-Number"] = 42, ["X-Empty"] = "" } })
    assert.equal("1", header(seen, "X-One"))
    assert.equal("42", header(seen, "X-Number"))
    assert.equal("", header(seen, "X-Empty"))
    local many = {}
    for _, pair in ipairs(seen.headers) do
      if pair[1]:lower() == "x-many" then
        table.insert(many, pair[2])
      end
    end
    assert.same({ "a", "b" }, many)
  end)

  it("names host, user agent and the compressions it understands", function()
    local seen = echo("GET")
    assert.equal("127.0.0.1:" .. odd.http, header(seen, "host"))
    assert.matches("^lull/", header(seen, "user-agent"))
    for _, name in ipairs({ "gzip", "deflate", "br", "zstd" }) do
      assert.matches(name, header(seen, "accept-encoding"), nil, true)
    end
    assert.is_nil(header(seen, "content-type"))
    assert.is_nil(header(seen, "content-length"))
    assert.is_nil(header(seen, "expect"))
  end)

  it("lets its headers replace those of the session and of the client, in any case", function()
    local session <close> = http.session({ headers = { ["X-A"] = "session", ["X-B"] = "session" } })
    local options = { headers = { ["x-a"] = "request", ["USER-AGENT"] = "me" } }
    local seen = await(await(session:get(at("/echo"), options)):json())
    assert.equal("request", header(seen, "x-a"))
    assert.equal("session", header(seen, "x-b"))
    assert.equal("me", header(seen, "user-agent"))
  end)

  it("sends a string as it is", function()
    local body = "\0\1\255 plain \r\n"
    local seen = echo("POST", { body = body, headers = { ["Content-Type"] = "x/y" } })
    assert.equal(tostring(#body), header(seen, "content-length"))
    assert.equal("x/y", header(seen, "content-type"))
    assert.equal(#body, seen.length)
    assert.equal("\0\1\u{FFFD} plain \r\n", seen.body) -- as JSON can say it
    assert.equal(0, echo("PUT", { body = "" }).length)
  end)

  it("sends large strings, by any method that is to have a body", function()
    local body = ("0123456789abcdef"):rep(256 * 1024)
    for _, method in ipairs({ "POST", "PUT", "PATCH", "DELETE", "GET" }) do
      local seen = echo(method, { body = body })
      assert.equal(method, seen.method)
      assert.equal(#body, seen.length)
      assert.equal("3cab7815c40973b8", seen.sha256:sub(1, 16))
    end
  end)

  it("sends JSON", function()
    local seen = echo("POST", { json = { a = { 1, 2 }, b = "ü" } })
    assert.equal("application/json", header(seen, "content-type"))
    assert.same({ a = { 1, 2 }, b = "ü" }, require("lull.json").decode(seen.body))
    assert.equal("false", echo("POST", { json = false }).body)
    seen = echo("POST", { json = 1, headers = { ["content-type"] = "application/x+json" } })
    assert.equal("application/x+json", header(seen, "content-type"))
  end)

  it("sends a form", function()
    local seen = echo("POST", { form = { name = "a b&c=d", list = { 1, "+" } } })
    assert.equal("application/x-www-form-urlencoded", header(seen, "content-type"))
    assert.equal("list=1&list=%2B&name=a+b%26c%3Dd", seen.body)
    assert.equal("", echo("POST", { form = {} }).body)
  end)
end)

describe("a multipart form", function()
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

  local function sent(parts)
    local response = await(http.post(at("/multipart"), { multipart = parts }))
    local seen = await(response:json())
    assert.equal("multipart/form-data", seen.content_type)
    assert.same({}, seen.defects)
    return seen.parts
  end

  it("is understood by another parser: fields", function()
    local parts = sent({ { name = "a", value = "1" }, { name = "a", value = "two\r\nlines" },
      { name = "empty", value = "" }, { name = "number", value = 3 } })
    assert.equal(4, #parts)
    for i, expected in ipairs({ { "a", "1" }, { "a", "two\r\nlines" }, { "empty", "" },
      { "number", "3" } }) do
      assert.equal(expected[1], parts[i].name)
      assert.equal(expected[2], parts[i].body)
    end
  end)

  it("is understood by another parser: files", function()
    local binary = "\0\1\2\r\n--not a boundary\r\n"
    local parts = sent({
      { name = "f", filename = "x.bin", body = binary },
      { name = "g", filename = "y.txt", content_type = "text/plain", body = "text" },
    })
    assert.equal("x.bin", parts[1].filename)
    assert.equal("application/octet-stream", parts[1].content_type)
    assert.equal(binary, parts[1].body)
    assert.equal("y.txt", parts[2].filename)
    assert.equal("text/plain", parts[2].content_type)
  end)

  it("escapes in names what would end them", function()
    local parts = sent({ { name = 'a"; filename="evil', value = "1" },
      { name = "b\r\nX-Evil: 1", value = "2" } })
    assert.equal(2, #parts)
    assert.is_falsy(parts[1].filename and parts[1].filename ~= require("lull.json").null
      and parts[1].filename == "evil")
    assert.matches("^a%%22; filename=%%22evil$", parts[1].name)
    assert.equal("b%0D%0AX-Evil: 1", parts[2].name)
  end)

  it("streams files by their path, with a length", function()
    local folder = odd.folder
    web.write(folder .. "/upload.bin", ("x"):rep(300000))
    local parts = sent({ { name = "a", value = "1" },
      { name = "f", path = folder .. "/upload.bin", content_type = "application/x" } })
    assert.equal("upload.bin", parts[2].filename)
    assert.equal(300000, parts[2].length)
    assert.equal("application/x", parts[2].content_type)
    assert.is_truthy(tonumber(header(odd:requests("/multipart")[1], "content-length")) > 300000)
  end)

  it("streams parts from iterators", function()
    local left = 3
    local parts = sent({ { name = "f", filename = "n", body = function()
      left = left - 1
      return left >= 0 and ("%d\n"):format(left) or nil
    end } })
    assert.equal("2\n1\n0\n", parts[1].body)
  end)

  it("fails as opening the file does", function()
    local err = waiting.raises(lull.OSError, function()
      await(http.post(at("/multipart"), { multipart = { { name = "f", path = "/nowhere/x" } } }))
    end)
    assert.equal("ENOENT", err.code)
    assert.equal("/nowhere/x", err.path)
  end)
end)
