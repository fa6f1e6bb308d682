-- A session: its base URL, and its end.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd

local function at(path)
  return odd:url("http", path)
end

describe("a session", function()
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

  it("joins URLs with its base, as RFC 3986 says", function()
    for _, case in ipairs({
      { "/", "echo", "/echo" },
      { "/", "/echo", "/echo" },
      { "/a/b", "echo", "/a/echo" },
      { "/a/b/", "echo", "/a/b/echo" },
      { "/a/b/", "../echo", "/a/echo" },
      { "/a/b/", "../../../echo", "/echo" },
      { "/a/b/", "./echo", "/a/b/echo" },
      { "/a/b/", "/echo", "/echo" },
      { "/a/b?x=1", "?y=2", "/a/b?y=2" },
      { "/a/b/?x=1", "echo?y=2", "/a/b/echo?y=2" },
      { "/a/b?x=1", "", "/a/b?x=1" },
      { "/a/b/", "//127.0.0.1:" .. odd.http .. "/echo", "/echo" },
      { "/a/b/", at("/echo"), "/echo" },
    }) do
      odd:forget()
      local session <close> = http.session({ base_url = at(case[1]) })
      local response = await(session:get(case[2]))
      assert.equal(case[3], odd:requests()[1].target, case[1] .. " + " .. case[2])
      assert.equal(at(case[3]), response.url)
    end
  end)

  it("without a base takes whole URLs only", function()
    local session <close> = http.session()
    waiting.raises(http.InvalidURL, function()
      await(session:get("/echo"))
    end)
  end)

  it("keeps the base's query apart from parameters", function()
    local session <close> = http.session({ base_url = at("/echo?key=1") })
    await(session:get("", { params = { a = "b" } }))
    assert.equal("/echo?key=1&a=b", odd:requests()[1].target)
  end)

  it("closes its connections with it", function()
    local before = web.descriptors()
    do
      local session <close> = http.session()
      await(lull.gather(session:get(at("/echo")), session:get(at("/echo"))))
      assert.is_true(web.descriptors() > before)
    end
    web.descriptors_return_to(before)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("closes them too when it is collected", function()
    local before = web.descriptors()
    do
      local session = http.session()
      await(session:get(at("/echo")))
    end
    web.descriptors_return_to(before)
    web.eventually(function()
      return odd:open_count() == 0
    end)
  end)

  it("is not collected while a request or a stream needs it", function()
    local request = lull.create_task(http.session():get(at("/late?pause=0.1")))
    local response = await(http.session():get(at("/body?size=3000000"), { stream = true }))
    collectgarbage()
    collectgarbage()
    assert.equal(200, await(request).status)
    collectgarbage()
    assert.equal(3000000, #await(response:bytes()))
  end)

  it("can be closed again, and cannot be used then", function()
    local session = http.session()
    session:close()
    session:close()
    waiting.fails("closed", function()
      await(session:get(at("/echo")))
    end)
    assert.same({}, odd:noted())
  end)

  it("that is closed is not used by a request made before", function()
    local session = http.session()
    local request = session:get(at("/echo"))
    session:close()
    assert.has_error(function()
      await(request)
    end)
    assert.same({}, odd:noted())
  end)

  it("ends what is under way when it is closed", function()
    local session = http.session({ connections = 2 })
    local tasks = {}
    for i, path in ipairs({ "/silent", "/stall?in=body", "/echo?waits" }) do
      tasks[i] = lull.create_task(session:get(at(path)))
    end
    web.eventually(function()
      return #odd:requests() == 2
    end)
    session:close()
    for _, task in ipairs(tasks) do
      web.ended(task)
      local err = task:exception()
      assert.is_true(lull.is_error(err, http.HTTPError), tostring(err))
      assert.matches("closed", err.message, nil, true)
    end
    web.eventually(function()
      return odd:open_count() == 0
    end)
    assert.equal(2, #odd:requests())
  end)

  it("ends the pause before a retry when it is closed", function()
    local session = http.session()
    local task = lull.create_task(session:get(at("/flaky?key=x&after=1000"), { retries = 3 }))
    web.eventually(function()
      return #odd:requests() == 1
    end)
    waiting.turns(20)
    session:close()
    lull.loop():call_later(0.1, function() task:cancel() end)
    web.ended(task)
    assert.equal(1, #odd:requests())
  end)

  it("ends the streams that are read when it is closed", function()
    local session = http.session()
    local response = await(session:get(at("/stall?in=body"), { stream = true }))
    local reader = lull.create_task(response:text())
    waiting.turns(10)
    session:close()
    web.ended(reader)
    assert.matches("closed", tostring(reader:exception()))
    assert.has_error(function()
      await(response:bytes())
    end)
  end)

  it("leaves responses that have come as they are", function()
    local session = http.session()
    local response = await(session:get(at("/reply?body=text")))
    session:close()
    assert.equal("text", await(response:text()))
    assert.equal(200, response.status)
  end)

  it("does not keep a process alive, nor do its idle connections", function()
    local output = web.takes(0, 5, web.run, [[
      local lull, http = require "lull", require "lull.http"
      session = http.session()
      print(lull.await(session:get(@url)).status)
      print(lull.await(http.get(@url)).status)
    ]], { url = at("/echo") })
    assert.equal("200\n200\n", output)
  end)

  it("that is left open with requests under way is ended with the process", function()
    local output = web.takes(0, 5, web.run, [[
      local lull, http = require "lull", require "lull.http"
      local session = http.session()
      local stream = lull.await(session:get(@stream, {stream = true}))
      lull.create_task(session:get(@silent))
      lull.await(lull.sleep(0.05))
      print("done")
    ]], { silent = at("/silent"), stream = at("/stall?in=body") })
    assert.equal("done\n", output)
    web.eventually(function()
      return odd:open_count() <= 1
    end)
  end)
end)
