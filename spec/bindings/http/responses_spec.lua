-- What a response tells, and the ways to read its body.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local KIB = 1024

local odd, session

local function at(path)
  return odd:url("http", path)
end

local function get(path, options)
  return await(session:get(at(path), options))
end

local function reply(query, options)
  return get(web.path("/reply", query), options)
end

-- The body of /body?size=, from Lua.
local function numbered(size)
  local lines = {}
  for at_byte = 0, size - 1, 16 do
    lines[#lines + 1] = ("%015x\n"):format(at_byte)
  end
  return table.concat(lines):sub(1, size)
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

describe("a response", function()
  with_server()

  it("has a status, a reason, and is ok below 400", function()
    local response = reply({ status = 418, reason = "I am a teapot" })
    assert.equal(418, response.status)
    assert.equal("I am a teapot", response.reason)
    assert.is_false(response.ok)
    assert.is_true(reply({ status = 399 }).ok)
    assert.is_false(reply({ status = 400 }).ok)
    assert.equal("", reply({ reason = "" }).reason)
  end)

  it("knows where it came from, its version, and how long it took", function()
    local response = get("/late?pause=0.05")
    assert.equal(at("/late?pause=0.05"), response.url)
    assert.equal("1.1", response.http_version)
    assert.is_true(response.elapsed >= 0.049 and response.elapsed < 3, response.elapsed)
    assert.same({}, response.history)
    assert.equal("1.0", reply({ version = "1.0" }).http_version)
  end)

  it("has headers that are found in any case", function()
    local sent = { "X-One: 1", "x-two: a", "X-Two: b", "X-Three:", "X-Odd:a:b" }
    local headers = reply({ header = sent }).headers
    assert.equal("1", headers["x-one"])
    assert.equal("1", headers["X-ONE"])
    assert.equal("1", headers:get("x-One"))
    assert.same({ "a", "b" }, headers:get_all("X-TWO"))
    assert.matches("^a", headers:get("x-two"))
    assert.equal("", headers:get("x-three"))
    assert.equal("a:b", headers:get("x-odd"))
    assert.is_nil(headers:get("x-none"))
    assert.is_nil(headers["x-none"])
    assert.same({}, headers:get_all("x-none"))
  end)

  it("has headers to iterate over, in their order", function()
    local names = {}
    for name, value in pairs(reply({ header = { "B: 1", "A: 2", "B: 3" } }).headers) do
      if name ~= "Content-Length" then
        table.insert(names, name .. "=" .. value)
      end
    end
    assert.same({ "B=1", "A=2", "B=3" }, names)
  end)

  it("leaves out interim responses and trailers", function()
    local response = get("/interim")
    assert.equal(200, response.status)
    assert.equal("at last\n", await(response:text()))
    assert.is_nil(response.headers["link"])
    response = get("/trailers")
    assert.equal("body", await(response:text()))
  end)

  it("has no body where HTTP says so", function()
    assert.equal("", await(reply({ status = 204 }):bytes()))
    assert.equal("", await(reply({ status = 304 }):bytes()))
    local head = await(session:head(at("/reply?body=hidden")))
    assert.equal("6", head.headers["content-length"])
    assert.equal("", await(head:text()))
  end)

  it("raises for its status from 400 on, and else gives itself", function()
    local good = reply({ status = 302 }, { follow_redirects = false })
    assert.equal(good, good:raise_for_status())
    local bad = reply({ status = 503, reason = "Later", body = "sorry" })
    local err = waiting.raises(http.HTTPStatusError, bad.raise_for_status, bad)
    assert.equal(503, err.status)
    assert.equal(bad, err.response)
    assert.matches("503", err.message, nil, true)
    assert.matches(at("/reply"), err.message, nil, true)
    assert.is_true(lull.is_error(err, http.HTTPError))
    assert.equal("sorry", await(err.response:text()))
  end)
end)

describe("a body", function()
  with_server()

  it("comes whole, whatever its size and framing", function()
    for _, size in ipairs({ 0, 1, 15, 16 * KIB, 65536, 65537, 1000000 }) do
      local expected = numbered(size)
      for _, framing in ipairs({ "", "&chunked=1", "&chunked=1&step=7919" }) do
        local response = get(("/body?size=%d%s"):format(size, framing))
        assert.is_true(expected == await(response:bytes()), size .. framing)
      end
    end
  end)

  it("may end with the connection, if it has no length", function()
    local head = "HTTP/1.0 200 OK\r\n\r\n"
    local response = get(web.path("/raw", { data = { head .. "all", " of it" } }))
    assert.equal("all of it", await(response:text()))
  end)

  it("can be read again, in any way", function()
    local response = reply({ body = '{"a": [1, 2]}' })
    for _ = 1, 2 do
      assert.equal('{"a": [1, 2]}', await(response:text()))
      assert.equal('{"a": [1, 2]}', await(response:bytes()))
      assert.same({ a = { 1, 2 } }, await(response:json()))
      local pieces = {}
      for piece in response:chunks() do
        table.insert(pieces, piece)
      end
      assert.equal('{"a": [1, 2]}', table.concat(pieces))
    end
  end)

  it("that was streamed can be read again once it was read whole", function()
    local response = get("/body?size=100000", { stream = true })
    local first = await(response:bytes())
    assert.equal(100000, #first)
    assert.equal(first, await(response:text()))
  end)

  it("that is no JSON is an error that says where", function()
    local response = reply({ body = '{"a":\n oops}' })
    local ok, err = pcall(function()
      return await(response:json())
    end)
    assert.is_false(ok)
    assert.matches("line 2", tostring(err))
    assert.equal('{"a":\n oops}', await(response:text()))
  end)

  it("is converted to UTF-8 where its character set is another", function()
    local response = reply({ header = "Content-Type: text/plain; charset=ISO-8859-1",
      body = "\xe9t\xe9" })
    assert.equal("été", await(response:text()))
    assert.equal("\xe9t\xe9", await(response:bytes()))
    response = reply({ header = "Content-Type: text/plain; charset=no-such-thing", body = "\xe9" })
    assert.equal("\xe9", await(response:bytes()))
    assert.equal("string", type(await(response:text())))
  end)

  it("is not held in memory beyond max_body", function()
    for _, path in ipairs({ "/body?size=100001", "/body?size=100001&chunked=1", "/endless" }) do
      local err = waiting.raises(http.BodyTooLarge, get, path, { max_body = 100000 })
      assert.matches("100000", err.message, nil, true)
      assert.matches("127.0.0.1", err.message, nil, true)
    end
    assert.equal(100000, #await(get("/body?size=100000", { max_body = 100000 }):bytes()))
    web.eventually(function()
      return odd:open_count() <= 1
    end)
  end)

  it("cut short is an error, not half a body", function()
    for _, raw in ipairs({
      "Content-Length: 100\r\n\r\n0123456789",
      "Transfer-Encoding: chunked\r\n\r\nff\r\n0123456789",
      "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
    }) do
      local path = web.path("/raw", { data = "HTTP/1.1 200 OK\r\n" .. raw })
      local err = waiting.raises(http.ProtocolError, function()
        return await(get(path):bytes())
      end)
      assert.equal("127.0.0.1:" .. odd.http, err.host)
      err = waiting.raises(http.ProtocolError, function()
        return await(get(path, { stream = true }):bytes())
      end)
      assert.equal("response", err.phase)
    end
  end)
end)

describe("a streamed body", function()
  with_server()

  it("comes in pieces while the server still sends", function()
    local response <close> = get("/stall?in=body", { stream = true })
    assert.equal(200, response.status)
    local next_piece = response:chunks()
    local read = ""
    while #read < 10 do
      read = read .. next_piece()
    end
    assert.equal("0123456789", read)
  end)

  it("is whole when its pieces are put together", function()
    for _, framing in ipairs({ "", "&chunked=1&step=10007" }) do
      local pieces = {}
      for piece in get("/body?size=2000000" .. framing, { stream = true }):chunks() do
        assert.is_true(#piece > 0)
        table.insert(pieces, piece)
      end
      assert.is_true(#pieces > 1)
      assert.is_true(numbered(2000000) == table.concat(pieces))
    end
  end)

  it("holds the server back while nobody reads", function()
    local response <close> = get("/endless", { stream = true })
    local memory = web.resident()
    local function sent()
      local last = odd:noted("sent")
      return last[1] and last[#last].bytes or 0
    end
    assert.is_true(web.settled(sent) < 32 * KIB * KIB, sent() .. " bytes were sent")
    web.grew_less(16, memory)
    local read = 0
    for piece in response:chunks() do
      read = read + #piece
      if read > 64 * KIB * KIB then
        break
      end
    end
    web.grew_less(32, memory)
    web.eventually(function()
      return odd:open_count() == 0
    end, "the connection was left open")
  end)

  it("gives its connection back when it was read to its end", function()
    for _ = 1, 3 do
      local response = get("/body?size=100000", { stream = true })
      assert.equal(100000, #await(response:bytes()))
    end
    assert.equal(1, #odd:noted("open"))
  end)

  it("is closed by a loop that is left early", function()
    local response = get("/endless", { stream = true })
    local read = 0
    for piece in response:chunks() do
      read = read + #piece
      if read > 100000 then
        break
      end
    end
    web.eventually(function()
      return odd:open_count() == 0
    end)
    assert.has_error(function()
      await(response:bytes())
    end)
  end)

  it("cannot be read after it was closed", function()
    local response = get("/endless", { stream = true })
    response:close()
    response:close()
    waiting.fails("closed", function()
      await(response:bytes())
    end)
    waiting.fails("closed", function()
      for _ in response:chunks() do
        error("a piece of a closed body")
      end
    end)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("is closed at the end of its scope", function()
    do
      local response <close> = get("/endless", { stream = true })
      assert.equal(200, response.status)
    end
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("loses nothing to a read that is cancelled", function()
    local response <close> = get("/drip?count=20&size=3&pause=0.005", { stream = true })
    local next_piece = response:chunks()
    local read, cancelled, ended = {}, 0, false
    while not ended do
      local finished = await(lull.move_on_after(0.002, function()
        local piece = next_piece()
        ended = piece == nil
        table.insert(read, piece)
      end))
      cancelled = cancelled + (finished and 0 or 1)
    end
    assert.equal(("."):rep(60), table.concat(read))
    assert.is_true(cancelled > 0)
  end)

  it("loses nothing when reading it whole is cancelled", function()
    local response <close> = get("/drip?count=20&size=3&pause=0.01", { stream = true })
    assert.is_false((await(lull.move_on_after(0.05, function()
      await(response:bytes())
    end))))
    assert.equal(("."):rep(60), await(response:bytes()))
  end)

  it("cannot be read by two at once", function()
    local response <close> = get("/stall?in=body", { stream = true })
    local next_piece = response:chunks()
    assert.equal("0123456789", next_piece())
    local reader = lull.create_task(next_piece)
    waiting.turns(2)
    waiting.fails("another task", next_piece)
    reader:cancel()
    web.ended(reader)
    assert.is_true(reader:cancelled())
  end)

  it("wakes who reads it when it is closed", function()
    local response = get("/stall?in=body", { stream = true })
    local next_piece = response:chunks()
    assert.equal("0123456789", next_piece())
    local reader = lull.create_task(next_piece)
    waiting.turns(2)
    response:close()
    web.ended(reader)
    assert.matches("closed", reader:exception())
  end)
end)

describe("the lines of a body", function()
  with_server()

  -- The lines of a text that the server sends in chunks of so many bytes.
  local function lines_of(text, step)
    local path = at("/mirror?step=" .. step)
    local response = await(session:post(path, { body = text, stream = true }))
    local lines = {}
    for line in response:lines() do
      table.insert(lines, line)
    end
    return lines
  end

  it("come without their ends, wherever the chunks are cut", function()
    local text = "one\n\ntwo\r\nthree \rhalf\n\0\nlast"
    for step = 1, 9 do
      assert.same({ "one", "", "two", "three \rhalf", "\0", "last" }, lines_of(text, step))
    end
  end)

  it("need no end at the end", function()
    assert.same({ "a" }, lines_of("a", 1))
    assert.same({ "a" }, lines_of("a\n", 1))
    assert.same({ "a", "" }, lines_of("a\n\n", 1))
    assert.same({ "a" }, lines_of("a\r\n", 1))
    assert.same({}, lines_of("", 1))
  end)

  it("may be long and many", function()
    local long = ("x"):rep(500000)
    assert.same({ long, "short", long }, lines_of(long .. "\nshort\n" .. long, 50021))
    assert.equal(100000, #lines_of(("line\n"):rep(100000), 65537))
  end)

  it("can be had of a body in memory, again", function()
    local response = reply({ body = "a\nb" })
    for _ = 1, 2 do
      local lines = {}
      for line in response:lines() do
        table.insert(lines, line)
      end
      assert.same({ "a", "b" }, lines)
    end
  end)

  it("have a bound: a line without end is an error", function()
    local response = get("/endless", { stream = true })
    local err = waiting.raises(http.ProtocolError, function()
      for _ in response:lines() do
        error("there is no line")
      end
    end)
    assert.matches("line", err.message, nil, true)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("close the response when they are left early", function()
    local response = get("/body?size=1000000", { stream = true })
    for line in response:lines() do
      if line == "000000000000010" then
        break
      end
    end
    assert.has_error(function()
      await(response:bytes())
    end)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)
end)
