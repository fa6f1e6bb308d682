-- What libcurl does with connections that do not come about. Requests for one host that wait for
-- the first one's connection, to share it, failed one after the other, each after its own timeout;
-- and of a name with several addresses, the next was tried only when something else happened.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd

describe("a connection that does not come about", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)

  for _, port in ipairs({ "full", "mute" }) do
    it(("has all time out that wait for it (%s)"):format(port), function()
      local session <close> = http.session({ timeout = { connect = 0.3 } })
      local url = "https" .. odd:url(port):match("^http(.*)$")
      local requests = {}
      web.takes(0.3, 1.5, function()
        for i = 1, 12 do
          requests[i] = lull.create_task(session:get(url))
        end
        for _, request in ipairs(requests) do
          assert.equal("connect", waiting.raises(lull.TimeoutError, await, request).phase)
        end
      end)
    end)
  end

  it("is followed by one to the name's next address at once", function()
    local output = web.run([[
      local lull, http = require "lull", require "lull.http"
      local begin = lull.now()
      local ok, err = pcall(lull.await, http.get(@refusing, {timeout = 10}))
      print(ok, err.phase, lull.now() - begin < 1)
    ]], { refusing = odd:url("refusing", "/", "9.addresses") }, web.resolver(odd.folder))
    assert.equal("false\tconnect\ttrue\n", output)
  end)
end)
