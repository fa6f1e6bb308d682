-- Many tasks that do with sessions whatever can be done, at random: requests, large and small, over
-- HTTP/1.1 and HTTP/2, that are cancelled, closed, left to the collector or cut off by a timeout.
-- Bodies must be right, and nothing may be left behind.
local http = require("lull.http")
local lull = require("lull")
local nginx_server = require("spec.servers.nginx")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local web = require("spec.web")

local await, random = lull.await, math.random

local STEPS, AT_A_TIME = 400, 16

local odd, nginx, noise

local function pick(list)
  return list[random(#list)]
end

local function at(path)
  return random(4) == 1 and odd:url("https", path, "localhost") or odd:url("http", path)
end

local function file(path)
  return nginx:url(pick({ "http", "https", "https", "https1" }), path, "localhost")
end

local function pause(longest)
  await(lull.sleep(random() * longest))
end

-- What can be done with a session.
local DEEDS = {
  function(session)
    local size = random(0, 200000)
    local path = ("/body?size=%d%s"):format(size, pick({ "", "&chunked=1" }))
    local body = await(await(session:get(at(path), { stream = random(2) == 1 })):bytes())
    assert(#body == size, "a body of another size")
    local place = random(0, math.max(0, size // 16 - 1)) * 16
    assert(size < 16 or body:sub(place + 1, place + 16) == ("%015x\n"):format(place), "wrong bytes")
  end,
  function(session)
    local url = file(pick({ "/files/1m", "/gzip/1m", "/packed/1m" }))
    assert(await(await(session:get(url, { stream = random(2) == 1 })):bytes()) == noise)
  end,
  function(session)
    local response = await(session:get(file("/files/1m"), { stream = true }))
    local place = 0
    for piece in response:chunks() do
      assert(noise:sub(place + 1, place + #piece) == piece, "a wrong piece")
      place = place + #piece
      if random(20) == 1 then
        pause(0.005)
      elseif random(60) == 1 then
        break
      end
    end
  end,
  function(session)
    local response = await(session:get(file("/files/64m"), { stream = true }))
    local chunks = response:chunks()
    for _ = 1, random(0, 4) do
      assert(not chunks():find("[^%z]"), "bytes of something else")
    end
    if random(2) == 1 then
      response:close() -- otherwise it is left to the collector
    end
  end,
  function(session)
    local response = await(session:get(at("/body?size=500000"), { stream = true }))
    local reader = lull.create_task(function()
      for _ in response:chunks() do end
    end)
    local _ <close> = setmetatable({}, { __close = function()
      response:close()
      await(lull.wait({ reader }))
      return reader:cancelled() or reader:exception()
    end })
    pause(0.003)
  end,
  function(session)
    local piece, count = ("x"):rep(random(20000)), random(0, 20)
    local left = count
    local response = await(session:post(at("/echo"), { body = function()
      if random(4) == 1 then
        pause(0.002)
      end
      left = left - 1
      return left >= 0 and piece or nil
    end }))
    assert(await(response:json()).length == count * #piece, "another length")
  end,
  function(session)
    local url = at(web.path("/raw", { data = { "HTTP/1.1 200 OK\r\n\r\nfirst" }, stay = 1 }))
    local response = await(session:post(url, { stream = true, body = function()
      pause(0.001)
      return ("x"):rep(random(20000))
    end }))
    response:chunks()()
    if random(2) == 1 then
      response:close()
    end
  end,
  function(session)
    local body = ("y"):rep(random(0, 100000))
    local options = { body = body, stream = random(2) == 1 }
    assert(await(await(session:post(at("/mirror"), options)):bytes()) == body)
  end,
  function(session) await(session:get(at("/silent"), { timeout = random() * 0.05 + 0.001 })) end,
  function(session) await(session:get(at("/silent"))) end,
  function(session)
    local url = at("/stall?in=" .. pick({ "line", "head", "body", "chunk" }))
    await(session:get(url, { stream = random(2) == 1, timeout = { read = 0.05, total = 1 } }))
  end,
  function(session) await(session:get(at(pick({ "/close", "/reset", "/stale", "/closing" })))) end,
  function(session) await(session:get(at("/hops?n=" .. random(0, 4)))) end,
  function(session)
    local path = ("/flaky?key=%d&times=%d&how=%s&after=0"):format(random(1000000), random(0, 2),
      pick({ "503", "close", "reset" }))
    await(session:get(at(path), { retries = 2, stream = random(2) == 1 }))
  end,
  function(session)
    local url = odd:url(pick({ "refusing", "mute", "closing", "full" }))
    url = random(2) == 1 and url or url:gsub("^http", "https")
    await(session:get(url, { timeout = { connect = 0.02, read = 0.02, total = 0.5 } }))
  end,
  function(session) await(session:get(at("/endless"), { max_body = random(200000) })) end,
}

local function is_expected(err)
  if type(err) ~= "string" then
    return lull.is_error(err, http.HTTPError) or lull.is_error(err, lull.TimeoutError)
  end
  return err:find("the session is closed", 1, true) or err:find("the response is closed", 1, true)
end

describe("a storm of requests", function()
  setup(function()
    odd = odd_server.start({ tls = true })
    nginx = nginx_server.start()
    noise = web.read(nginx:path("files/1m"))
    web.write(odd:path("both.pem"), web.read(odd:path("ca.pem")) .. web.read(nginx:path("ca.pem")))
  end)
  teardown(function()
    odd:close()
    nginx:close()
  end)
  tidy.watch(before_each, after_each)

  local sessions = {}

  local function session()
    local number = random(4)
    if not sessions[number] or sessions[number].closed then
      sessions[number] = http.session({
        connections = pick({ 1, 2, 4, 20 }), ca_file = odd:path("both.pem"), http2 = random(4) > 1,
        timeout = { connect = 1, total = 1 },
      })
    end
    return sessions[number]
  end

  -- Does something, in a task that may be cancelled, with a session that may be closed meanwhile.
  local function step()
    local used, deed = session(), pick(DEEDS)
    local task = lull.create_task(function() return deed(used) end)
    local how = random(10)
    if how <= 4 then
      for _ = 1, random(0, 4) do
        pause(pick({ 0, 0.005 }))
      end
      task:cancel()
    elseif how == 5 then
      pause(0.01)
      used:close()
    end
    assert.equal(task, await(lull.wait({ task }, { timeout = 10 }))[1], "it hangs")
    local err = not task:cancelled() and task:exception() or nil
    assert.is_truthy(err == nil or is_expected(err), tostring(err))
  end

  it("passes, and leaves nothing behind", function()
    http.session():close()
    local before, steps = web.descriptors(), 0
    local workers = {}
    for i = 1, AT_A_TIME do
      workers[i] = lull.create_task(function()
        while steps < STEPS do
          steps = steps + 1
          step()
        end
      end)
    end
    await(lull.gather(workers))
    for _, used in pairs(sessions) do
      used:close()
    end
    web.descriptors_return_to(before)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)
end)
