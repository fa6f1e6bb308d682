-- Many requests at a time against a real server: none fails, and nothing is left of them.
local nginx = require("spec.servers.nginx")
local web = require("spec.web")

local server

-- Runs 10,000 requests, 1,000 at a time, in a process of its own, and some more until memory must
-- have settled: prints how many answers were good and how many requests ran at once, how many
-- descriptors there are more meanwhile, and that nothing is left.
local LOAD = [[
local lull, http = require "lull", require "lull.http"
local web = require "spec.web"
local await = lull.await
local before = web.descriptors()
local session = http.session{connections = @connections, ca_file = @ca}
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
local most_open = web.descriptors() - before
round(4000)
local memory = web.resident()
print(round(4000))
web.grew_less(8, memory)
print(most_open <= @connections + 10)
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

  local function run(port, connections)
    local values = { url = server:url(port, "/hello"), connections = connections,
      ca = server:path("ca.pem") }
    local output = web.run(LOAD, values, { LUA_PATH = "./?.lua;;" })
    assert.equal("10000\t1000\n4000\t1000\ntrue\nnothing left\n", output)
  end

  it("over plain connections all succeed, and leave nothing behind", function()
    run("http", 1000)
  end)

  it("over ten connections of HTTP/2 all succeed, and leave nothing behind", function()
    run("https", 10)
  end)
end)
