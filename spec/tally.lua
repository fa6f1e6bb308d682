-- A busted helper: writes to the file LULL_TALLY how each test ended, as it ends, so that a run
-- that breaks off can still be counted. The last line of a complete run is "finished".
local path = os.getenv("LULL_TALLY")
if not path or path == "" then
  return
end

local busted = require("busted")
local tally = assert(io.open(path, "a"))
tally:setvbuf("line")

local function write(outcome, element)
  tally:write(outcome, " ", tostring(element.name or ""):gsub("%s+", " "), "\n")
  return nil, true
end

-- Outside a test: a file that does not load, a describe block or a set-up that fails.
local function outside_test(element)
  if element.descriptor ~= "it" then
    write("failed", element)
  end
  return nil, true
end

local outcomes = { success = "passed", pending = "pending", failure = "failed", error = "failed" }

busted.subscribe({ "test", "start" }, function(element)
  return write("running", element)
end)
busted.subscribe({ "test", "end" }, function(element, _, status)
  return write(outcomes[status] or "failed", element)
end)
busted.subscribe({ "error" }, outside_test)
busted.subscribe({ "failure" }, outside_test)
busted.subscribe({ "suite", "end" }, function()
  tally:write("finished\n")
  return nil, true
end)
