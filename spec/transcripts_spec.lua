-- The sessions shown in the docs and examples/ are typed again, and must come out the same.
local transcript = require "spec.transcript"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

-- Names are known without a network, and the answers come in an order that is always the same.
local KNOWN_NAMES = [[-e '
  local lull = require "lull"
  local delays = {["golang.org"] = 0.1, ["no-lang.invalid"] = 0.2, ["python.org"] = 0.3}
  package.path = "examples/?.lua;" .. package.path
  require("domainlib").resolve = lull.async(function(name)
    lull.await(lull.sleep(delays[name] or 0.4))
    if name:find("invalid", 1, true) then error(lull.DNSError("no such name")) end
    return {}
  end)']]

describe("the session at the prompt", function()
  it("of the tutorial gives what it shows", function()
    local text = read("examples/console_session.txt")
    assert.equal(text, transcript.replay(text, KNOWN_NAMES))
  end)

  for path, expected in pairs {["docs/prompt.md"] = 5, ["README.md"] = 1} do
    local n = 0
    for block in read(path):gmatch("\n```console\n(.-\n)```") do
      n = n + 1
      it(("number %d of %s gives what it shows"):format(n, path), function()
        assert.equal(block, transcript.replay(block))
      end)
    end

    it(("is shown in %s so many times"):format(path), function() assert.equal(expected, n) end)
  end
end)
