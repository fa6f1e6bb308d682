-- Compressed bodies: unpacked on the way, and never more than there may be.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local MIB = 1024 * 1024

local odd, session

local function get(path, query, options)
  return await(session:get(odd:url("http", web.path(path, query)), options))
end

local function lines(count)
  local list = {}
  for i = 0, count - 1 do
    list[#list + 1] = ("line %d\n"):format(i)
  end
  return table.concat(list)
end

describe("a compressed body", function()
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

  for _, encoding in ipairs({ "gzip", "deflate", "raw-deflate", "br", "zstd", "identity",
    "gzip,br" }) do
    it(("is unpacked: %s"):format(encoding), function()
      for _, framing in ipairs({ 0, 1 }) do
        local query = { encoding = encoding, lines = 10000 }
        query.chunked = framing == 1 and 1 or nil
        assert.equal(lines(10000), await(get("/encoded", query):text()))
      end
    end)
  end

  it("is unpacked as it comes, when it is streamed", function()
    for _, encoding in ipairs({ "gzip", "br", "zstd" }) do
      local query = { encoding = encoding, lines = 200000 }
      local pieces = {}
      for piece in get("/encoded", query, { stream = true }):chunks() do
        table.insert(pieces, piece)
      end
      assert.is_true(#pieces > 1)
      assert.is_true(lines(200000) == table.concat(pieces))
    end
  end)

  it("that is none of what was said is an error", function()
    for _, case in ipairs({ { "gzip", "br" }, { "gzip", "zstd" }, { "br", "gzip" },
      { "zstd", "gzip" }, { "identity", "gzip" }, { "identity", "deflate" }, { "identity", "br" },
      { "identity", "zstd" } }) do
      local query = { encoding = case[1], as = case[2] }
      local err = waiting.raises(http.ProtocolError, get, "/encoded", query)
      assert.equal("response", err.phase)
      assert.matches("packed", err.message, nil, true)
    end
  end)

  it("cut short is an error", function()
    for _, encoding in ipairs({ "gzip", "deflate", "br", "zstd" }) do
      local query = { encoding = encoding, lines = 10000, keep = 1000 }
      local err = waiting.raises(http.ProtocolError, get, "/encoded", query)
      assert.matches("breaks off", err.message, nil, true)
      local response = get("/encoded", query, { stream = true })
      waiting.raises(http.ProtocolError, function()
        for _ in response:chunks() do end
      end)
    end
  end)

  it("in a way nobody knows is left to the caller", function()
    local response = get("/encoded", { encoding = "identity", as = "x-odd", lines = 1 })
    assert.equal("line 0\n", await(response:text()))
    assert.equal("x-odd", response.headers["content-encoding"])
  end)

  it("too many times over is refused", function()
    waiting.raises(http.ProtocolError, get, "/encoded",
      { encoding = "gzip", as = ("gzip,"):rep(5) .. "gzip" })
  end)

  it("may be empty", function()
    for _, encoding in ipairs({ "gzip", "deflate", "br", "zstd" }) do
      assert.equal("", await(get("/encoded", { encoding = encoding, lines = 0 }):text()))
    end
    local response = get("/reply", { header = "Content-Encoding: gzip", status = 204 })
    assert.equal("", await(response:text()))
  end)

  for _, encoding in ipairs({ "gzip", "deflate", "br", "zstd" }) do
    it(("that unpacks to more than there may be is an error: %s"):format(encoding), function()
      local memory = web.resident()
      local query = { encoding = encoding, megabytes = 1024 }
      local err = waiting.raises(http.BodyTooLarge, get, "/bomb", query, { max_body = MIB })
      assert.equal("127.0.0.1:" .. odd.http, err.host)
      web.grew_less(8, memory)
      web.eventually(function()
        return odd:open_count() == 0
      end)
    end)
  end

  for _, encoding in ipairs({ "gzip", "deflate", "br", "zstd" }) do
    it("that unpacks to very much can be streamed in little memory: " .. encoding, function()
      local query = { encoding = encoding, megabytes = 64 }
      local memory, read = web.resident(), 0
      for piece in get("/bomb", query, { stream = true }):chunks() do
        read = read + #piece
        web.grew_less(32, memory)
        waiting.turns(3)
      end
      assert.equal(64 * MIB, read)
    end)
  end

  it("is bounded as a stream, if it is to be", function()
    local response = get("/bomb", { megabytes = 1024 }, { stream = true, max_body = 3 * MIB })
    local read = 0
    waiting.raises(http.BodyTooLarge, function()
      for piece in response:chunks() do
        read = read + #piece
      end
    end)
    assert.is_true(read <= 3 * MIB)
  end)
end)
