-- Bodies that are sent piece by piece, no faster than they are taken.
local fs = require("lull.fs")
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await
local header = odd_server.header

local KIB = 1024

local odd, session

local function at(path)
  return odd:url("http", path)
end

local function post(path, body, options)
  options = options or {}
  options.body = body
  return await(session:post(at(path), options))
end

-- An iterator of so many pieces that counts how many it gave.
local function counting(pieces, piece)
  local counter = { given = 0 }
  function counter.next()
    if counter.given < pieces then
      counter.given = counter.given + 1
      return piece
    end
  end
  return counter
end

describe("a streamed upload", function()
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

  it("takes an iterator's pieces until nil, in chunks", function()
    local counter = counting(100, "piece\n")
    local seen = await(post("/echo", counter.next):json())
    assert.equal(("piece\n"):rep(100), seen.body)
    assert.equal("chunked", header(seen, "transfer-encoding"))
    assert.is_nil(header(seen, "content-length"))
    assert.is_true(seen.chunks > 0)
  end)

  it("skips empty pieces: they do not end it", function()
    local pieces = { "", "a", "", "", "b", "" }
    local i = 0
    local seen = await(post("/echo", function()
      i = i + 1
      return pieces[i]
    end):json())
    assert.equal("ab", seen.body)
  end)

  it("may be empty", function()
    assert.equal(0, await(post("/echo", function() end):json()).length)
  end)

  it("takes an async generator, whose body may wait", function()
    local lines = lull.generator(function(yield)
      for i = 1, 5 do
        await(lull.sleep(0.001))
        yield(i .. "\n")
      end
    end)
    assert.equal("1\n2\n3\n4\n5\n", await(post("/echo", (lines())):json()).body)
  end)

  it("takes an open file, from where it stands, with its length", function()
    web.write(odd:path("upload"), "skipped" .. ("x"):rep(200 * KIB))
    local file <close> = await(fs.open(odd:path("upload"), "rb"))
    await(file:seek("set", 7))
    local seen = await(post("/echo", file):json())
    assert.equal(200 * KIB, seen.length)
    assert.equal(tostring(200 * KIB), header(seen, "content-length"))
  end)

  it("carries much more than what fits in memory's buffers, unharmed", function()
    local counter = counting(512, ("0123456789abcdef"):rep(4 * KIB))
    local seen = await(post("/echo", counter.next):json())
    assert.equal(32 * KIB * KIB, seen.length)
  end)

  it("asks its iterator no faster than the server reads", function()
    local counter = counting(1600, ("x"):rep(64 * KIB)) -- 100 MiB
    local upload = lull.create_task(function()
      return post("/slow-read?key=up", counter.next)
    end)
    web.eventually(function()
      return counter.given > 0 and odd:requests("/slow-read")[1]
    end)
    local given = web.settled(function()
      return counter.given
    end)
    assert.is_true(given < 200, given .. " pieces are under way")
    assert.is_false(upload:done())
    await(session:get(at("/release?key=up")))
    local seen = await(await(upload):json())
    assert.equal(1600, counter.given)
    assert.equal(1600 * 64 * KIB, seen.length)
  end)

  it("leaves the loop to others while it waits", function()
    local released = lull.event()
    local upload = lull.create_task(function()
      local first = true
      return post("/echo", function()
        if first then
          first = false
          await(released:wait())
          return "late"
        end
      end)
    end)
    assert.equal(200, await(session:get(at("/echo"))).status)
    released:set()
    assert.equal("late", await(await(upload):json()).body)
  end)

  it("fails with the iterator's own error, and tells the server nothing false", function()
    local problem = setmetatable({}, { __tostring = function() return "problem" end })
    local ok, err = pcall(post, "/echo", function()
      error(problem)
    end)
    assert.is_false(ok)
    assert.equal(problem, err)
    web.eventually(function()
      return odd:open_count() == 0
    end)
    assert.same({}, odd:noted("garbage"))
  end)

  it("fails when the iterator gives something else than strings", function()
    waiting.fails("must give strings, not a table", post, "/echo", function()
      return {}
    end)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("runs the cleanup of a generator when the request is cancelled", function()
    local started, cleaned
    local endless = lull.generator(function(yield)
      local _ <close> = setmetatable({}, { __close = function()
        await(lull.sleep(0))
        cleaned = true
      end })
      while true do
        started = true
        yield(("x"):rep(KIB))
      end
    end)
    local upload = lull.create_task(function()
      return post("/slow-read?key=never", (endless()))
    end)
    web.eventually(function()
      return started and odd:requests("/slow-read")[1]
    end)
    upload:cancel()
    web.ended(upload)
    assert.is_true(upload:cancelled())
    assert.is_true(cleaned)
    await(session:get(at("/release?key=never")))
    web.eventually(function()
      return odd:open_count() <= 1
    end)
  end)

  it("gives the answer of a server that does not want all of it", function()
    local counter = counting(100000, ("x"):rep(64 * KIB))
    local response = post("/early?status=413", counter.next)
    assert.equal(413, response.status)
    assert.equal("too much\n", await(response:text()))
    assert.is_true(counter.given < 100000)
  end)

  it("is told of a connection that breaks meanwhile", function()
    local counter = counting(100000, ("x"):rep(64 * KIB))
    local err = waiting.raises(http.HTTPError, post, "/reset", counter.next)
    assert.equal("127.0.0.1:" .. odd.http, err.host)
    assert.is_true(counter.given < 100000)
  end)

  it("is told of its timeout although the iterator waits for something else", function()
    local err = web.takes(0.1, 2, function()
      return waiting.raises(lull.TimeoutError, post, "/echo", function()
        await(lull.sleep(100))
        return "x"
      end, { timeout = 0.1 })
    end)
    assert.equal("total", err.phase)
  end)
end)
