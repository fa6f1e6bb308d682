-- Random calls of everything that lull exports: spec/fuzzer.lua makes them, in a process for each
-- group, of which two run at once. LULL_FUZZ_SEED and LULL_FUZZ_CALLS change what is tried.
local SEED = math.tointeger(os.getenv("LULL_FUZZ_SEED") or 5044)
local CALLS = math.tointeger(os.getenv("LULL_FUZZ_CALLS") or 10000)
local DEADLINE = 240 -- seconds a group may take; it takes a few

local groups = { "functions", "futures", "waiting", "others", "errors" }

local processes = {}

local function start(i)
  local group = groups[i]
  if not group or processes[i] then return end
  local log = os.tmpname()
  local command = ("timeout -k 5 %d %s --virtual-clock spec/fuzzer.lua %s %d %d 2>%s"):format(
    DEADLINE, assert(os.getenv("LULL"), "LULL must name the host"), group, SEED, CALLS, log)
  processes[i] = { pipe = assert(io.popen(command)), log = log, command = command }
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
  local log = read_end(process.log)
  local told = ("%s: %s %d, seed %d\n%s"):format(process.command, how, code, SEED, log)
  return code, output, told
end

describe("random calls", function()
  for i, group in ipairs(groups) do
    it("of the group '" .. group .. "' give results or errors", function()
      start(i)
      start(i + 1)
      local code, output, told = finish(processes[i])
      assert.equal(0, code, told)
      local targets, made, answered = output:match("^(%d+) targets, (%d+) calls, (%d+) answered\n$")
      assert.is_truthy(made, told .. output)
      assert.is_true(tonumber(made) >= targets * CALLS, output)
      assert.is_true(tonumber(answered) > made / 10, output)
    end)
  end
end)
