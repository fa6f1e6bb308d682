-- A response whose first header line began with a blank had libcurl 7.88 write to memory of the
-- response before, which it had freed.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

describe("a header line that goes on with the line before", function()
  tidy.watch(before_each, after_each)

  it("is refused where there is no line before", function()
    local odd <close> = odd_server.start()
    local session <close> = http.session()
    for _, blank in ipairs({ " ", "\t" }) do
      for _ = 1, 3 do
        assert.equal(200, await(session:get(odd:url("http", "/headers?count=5"))).status)
        local head = "HTTP/1.1 200 OK\r\n" .. blank .. "folded: line\r\nContent-Length: 0\r\n\r\n"
        waiting.raises(http.ProtocolError, function()
          await(session:get(odd:url("http", web.path("/raw", { data = head }))))
        end)
      end
    end
  end)
end)
