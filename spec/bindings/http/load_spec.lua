-- Many requests at a time against a real server: none fails, and nothing is left of them.
local nginx = require("spec.servers.nginx")
local web = require("spec.web")

local server

-- Runs 10,000 requests, 1,000 at a time, in a process of its own, then as many again: prints how
-- many answers were good and how many requests ran at once, and that nothing is left.
local LOAD = [[
local lull, http = require "lull", require "lull.http"
local web = require "spec.web"
local await = lull.await
local before = web.descriptors()
local session = http.session{connections = 1000, @options}
local function round(count)
  local good, running, most = 0, 0, 0
  local requests = {limit = 1000}
  for i = 1, count do
    requests[i] = function()
      running = running + 1
      most = math.max(most, running)
      local response = await(session:get(@url))
      if response.status == 200 and await(response:text()) == "hello\n" then good = good + 1 end
      running = running - 1
    end
  end
  await(lull.gather(requests))
  collectgarbage()
  return good, most
end
print(round(10000))
local memory = web.resident()
print(round(10000))
web.grew_less(8, memory)
session:close()
web.descriptors_return_to(before)
print("nothing left")
]]

describe("ten thousand requests, a thousand at a time", function()
  setup(function()
    server = nginx.start()
  end)
  teardown(function()
    server:close()
  end)

  local function run(port, options)
    local code = LOAD:gsub("@options", options or "")
    local output = web.run(code, { url = server:url(port, "/hello") }, { LUA_PATH = "./?.lua;;" })
    assert.equal("10000\t1000\n10000\t1000\nnothing left\n", output)
  end

  it("over plain connections all succeed, and leave nothing behind", function()
    run("http")
  end)

  it("over HTTP/2 all succeed, and leave nothing behind", function()
    run("https", ("ca_file = %q"):format(server:path("ca.pem")))
  end)
end)
