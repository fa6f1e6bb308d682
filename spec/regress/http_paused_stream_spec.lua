-- A streamed response once shared its HTTP/2 connection with others. libcurl went on reading it
-- although it was paused, kept up to 32 MiB, and gave what was left to the next response.
local http = require("lull.http")
local lull = require("lull")
local nginx_server = require("spec.servers.nginx")
local tidy = require("spec.tidy")
local web = require("spec.web")

local await = lull.await

local nginx, session

local function at(path)
  return nginx:url("https", path, "localhost")
end

describe("an HTTP/2 response that is not read", function()
  setup(function()
    nginx = nginx_server.start()
  end)
  teardown(function()
    nginx:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    session = http.session({ ca_file = nginx:path("ca.pem"), connections = 8 })
  end)
  after_each(function()
    session:close()
  end)

  -- Both are as far as they get while nobody reads, and something else is done on their host.
  local function leave_alone(response)
    for _ = 1, 5 do
      await(session:get(at("/files/64k")))
    end
    return response
  end

  it("leaves nothing of it in the next one", function()
    local expected = web.read(nginx:path("files/1m"))
    local other <close> = await(session:get(at("/files/64m"), { stream = true }))
    assert.equal("2", other.http_version)
    for _ = 1, 3 do
      leave_alone(await(session:get(at("/files/64m"), { stream = true }))):close()
      local next_one = leave_alone(await(session:get(at("/files/1m"), { stream = true })))
      assert.is_true(expected == await(next_one:bytes()))
    end
  end)

  it("takes no memory, whatever else is asked of its host", function()
    local before = web.resident()
    local responses = {}
    for i = 1, 4 do
      responses[i] = leave_alone(await(session:get(at("/files/64m"), { stream = true })))
    end
    assert.is_true(web.resident() - before < 24, "it grew to " .. web.resident())
    for _, response in ipairs(responses) do
      response:close()
    end
  end)
end)
