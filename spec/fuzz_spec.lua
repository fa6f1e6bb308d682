-- Random calls of everything that lull exports: spec/fuzzer.lua makes them, in a process for each
-- group, of which two run at once, each in a directory of its own. LULL_FUZZ_SEED and
-- LULL_FUZZ_CALLS change what is tried.
local odd = require "spec.servers.odd"

local SEED = math.tointeger(os.getenv("LULL_FUZZ_SEED") or 5044)
local CALLS = math.tointeger(os.getenv("LULL_FUZZ_CALLS") or 10000)
local DEADLINE = 240 -- seconds a group may take; it takes a few

-- Of the calls of each function one in so many is made.
local groups = {
  { name = "functions", share = 1 },
  { name = "futures", share = 1 },
  { name = "waiting", share = 1 },
  { name = "others", share = 1 },
  { name = "errors", share = 1 },
  { name = "formats", share = 4 },
  { name = "colors", share = 20 },
  { name = "streams", share = 4 },
  { name = "files", share = 20 },
  { name = "threads", share = 10 },
  { name = "names", share = 10 },
  { name = "requests", share = 50, has_server = true },
}

-- Files larger than 32 MiB are refused. Proxies of the environment are for the world outside.
local COMMAND = [[P=$PWD; D=$(mktemp -d) && cd "$D" && trap '' XFSZ && ulimit -f 65536 &&
  TMPDIR=$D http_proxy= https_proxy= HTTPS_PROXY= all_proxy= ALL_PROXY= timeout -k 5 %d %s \
  --virtual-clock "$P/spec/fuzzer.lua" %s %d %d %s 2>%s
  S=$?; cd "$P"; chmod -R u+rwx "$D"; rm -rf "$D"; exit $S]]

local processes = {}

-- The ports that requests go to.
local function urls_of(server)
  local urls = {}
  for i, port in ipairs { "http", "refusing", "mute", "proxy" } do
    urls[i] = server:url(port, ""):gsub("/$", "")
  end
  return table.concat(urls, " ")
end

local function start(i)
  local group = groups[i]
  if not group or processes[i] then return end
  local log, calls = os.tmpname(), math.max(1, CALLS // group.share)
  local server = group.has_server and odd.start() or nil
  local command = COMMAND:format(DEADLINE, assert(os.getenv("LULL"), "LULL must name the host"),
    group.name, SEED, calls, server and urls_of(server) or "", log)
  processes[i] = {
    pipe = assert(io.popen(command)), log = log, calls = calls, server = server,
    title = ("the group %s, seed %d, %d calls"):format(group.name, SEED, calls),
  }
end

local function read_end(path)
  local file = assert(io.open(path, "rb"))
  local size = file:seek("end")
  file:seek("set", math.max(0, size - 4000))
  local text = file:read("a")
  file:close()
  os.remove(path)
  return text
end

local function finish(process)
  local output = process.pipe:read("a")
  local _, how, code = process.pipe:close()
  if process.server then process.server:close() end
  local told = ("%s: %s %d\n%s"):format(process.title, how, code, read_end(process.log))
  return code, output, told
end

describe("random calls", function()
  for i, group in ipairs(groups) do
    it("of the group '" .. group.name .. "' give results or errors", function()
      start(i)
      start(i + 1)
      local code, output, told = finish(processes[i])
      assert.equal(0, code, told)
      local targets, made, answered = output:match("^(%d+) targets, (%d+) calls, (%d+) answered\n$")
      assert.is_truthy(made, told .. output)
      assert.is_true(tonumber(made) >= targets * processes[i].calls, output)
      assert.is_true(tonumber(answered) > made / 20, output)
    end)
  end
end)
