-- Calls functions and methods of lull with random arguments: `lull --virtual-clock
-- spec/fuzzer.lua GROUP SEED CALLS` does so with those of one group, each so many times; those that
-- work with files do it in the current directory, which must be empty. Errors are as good as
-- results, if they blame the caller; the process must end by itself, with 0. On stderr stands what
-- was called last. The calls are made by tasks that the driver cancels as soon as they wait for
-- long. For requests there are URLs, too: of a server of spec/servers/odd.lua, of ports that refuse
-- and that do not answer, and of a proxy.
local root = arg[0]:match("^(.-)spec/fuzzer%.lua$")
package.path = root .. "?.lua;" .. package.path

local lull = require "lull"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local group, seed, calls = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3])
math.randomseed(seed)
local random = math.random

local BATCH = 50 -- calls made by one task
local ROUNDS = 100 -- of cancelling and collecting what is left

function _G.print() end -- what timers say

-- The file that knows the targets, and the names of the parts. `patience`: for up to how many
-- turns, and then seconds, a call may wait before it is cancelled; `more`: descriptors that may be
-- open in the end.
local groups = {
  functions = { "functions", file = "core" },
  errors = { "errors", "error", "error_group", file = "core" },
  futures = { "future", "task", "gather", "coroutine", "sleep", file = "core" },
  waiting = {
    "queue", "lock", "semaphore", "guard", "event", "condition", "barrier", file = "core",
  },
  others = {
    "scope", "task_group", "generator", "completion", "handle", "loop", "context_var", "timer",
    file = "core",
  },
  formats = { "json", "html", "node", file = "formats" },
  colors = { "color", file = "colors" },
  streams = { "stream", "stream_iterator", file = "streams" },
  files = { "fs", "file", "watch", file = "files", patience = 200 },
  threads = { "threads", "pool", "worker", file = "threads", patience = 300, more = 16 },
  names = { "names", file = "network", patience = 200 },
  requests = {
    "http", "session", "response", "headers", file = "network", patience = 600, more = 100,
  },
}

-- ---- what errors say ----

-- What a metamethod that was given has done, or a function: called by lull, it blames lull.
local foreign = {
  "%(metamethod '", "attempt to index a %l+ value$", "^'__tostring' must", "^await inside a C",
  "^__await gave",
  "^bad argument #%d to 'f'", "^bad argument #%d to 'len'", "^bad argument #%d to 'index'",
  "^bad argument #%d to 'on_error'", "^bad argument #%d to 'iterator'",
  "^bad argument #%d to 'progress'",
}

-- A position in lull's own files: nobody was blamed.
local function is_senseless(text)
  local rest = text:match("^lull/[%w_/]+%.lua:%d+: (.*)")
  if not rest then return false end
  for _, pattern in ipairs(foreign) do
    if rest:find(pattern) then return false end
  end
  return true
end

local function look_at(err, name, depth)
  if type(err) == "string" then
    if is_senseless(err) then targets.defect(name .. ": " .. err) end
  elseif lull.is_error(err) and depth < 3 then
    look_at(rawget(err, "message"), name, depth + 1)
    local inner = rawget(err, "errors")
    for _, one in ipairs(type(inner) == "table" and inner or {}) do
      look_at(one, name, depth + 1)
    end
  end
end

-- ---- the driver ----

local tried, made, answered = 0, 0, 0

-- What errors say is not kept: raised again by others it would be theirs.
local function count(target, ok, ...)
  made = made + 1
  if ok then
    answered = answered + 1
  else
    look_at((...), target.name, 0)
  end
  if ok or type((...)) ~= "string" then values.keep(...) end
end

local function argument(target, i)
  if target.takes[i] and random(4) > 1 then return target.takes[i]() end
  return values.value()
end

-- Each call has random numbers of its own: what others have used does not matter.
local function call(target)
  values.begin(seed, tried)
  tried = tried + 1
  local args, n = {}, values.pick { 0, 1, 1, 2, 2, 3, 4 }
  if random(4) > 1 then n = math.max(n, #target.takes) end
  for i = 1, n do
    args[i] = argument(target, i)
  end
  if target.kind and (target.is_inner or random(10) > 1) then
    count(target, pcall(target.f, values.object(target.kind), table.unpack(args, 1, n)))
  else
    count(target, pcall(target.f, table.unpack(args, 1, n)))
  end
end

local obstacle -- why the last call that was not made was not

local function batch(target)
  for _ = 1, BATCH do
    local ok, err = pcall(call, target)
    if not ok then obstacle = err end
  end
end

-- Others have this task at hand too, and may cancel it.
local function pause(seconds) pcall(lull.await, lull.sleep(seconds)) end

local function cancel_others(driver)
  for _, task in ipairs(lull.all_tasks()) do
    if task ~= driver then task:cancel() end
  end
end

-- Gives what the calls wait for some time to come, of which without patience there is none.
local function wait_for(worker)
  local patience = groups[group].patience
  for _ = 1, random(0, patience or 0) do
    if worker:done() then return end
    pause(0)
  end
  pause(random(50) == 1 and (patience and 0.001 or 1) or 0)
end

local function finish(driver, worker)
  local rounds = 0
  while not worker:done() do
    rounds = rounds + 1
    assert(rounds < 10000, "a task cannot be cancelled")
    wait_for(worker)
    worker:cancel()
    if rounds % 20 == 0 then cancel_others(driver) end
  end
end

-- Those left over may catch their cancellation, and wait again, a few times over.
local function clear(driver)
  for _ = 1, 20 do
    cancel_others(driver)
    pause(0)
  end
  lull.loop():set_exception_handler(nil)
end

local function fuzz(part, target)
  io.stderr:write("\n=== ", target.name, "\n")
  local driver = lull.current_task()
  local goal = made + calls
  while made < goal do
    assert(tried < 10 * goal, obstacle)
    pcall(targets.prepare, part)
    finish(driver, lull.create_task(function() batch(target) end))
  end
  clear(driver)
end

-- ---- what is left ----

local function descriptors()
  local pipe = assert(io.popen("ls /proc/$PPID/fd | wc -l"))
  local count_ = pipe:read("n")
  pipe:close()
  return count_
end

-- Lets everything go, and waits until it has gone.
local function check_nothing_is_left(before)
  values.drop()
  for _ = 1, ROUNDS do
    clear(lull.current_task())
    collectgarbage()
    if #lull.all_tasks() == 1 and descriptors() <= before then return end
  end
  targets.defect(("%d tasks and %d descriptors are left"):format(#lull.all_tasks() - 1,
    descriptors() - before))
end

require("spec.fuzz." .. groups[group].file)
values.kinds()
values.open_files()
local before = descriptors()
local fuzzed = 0
for _, part in ipairs(groups[group]) do
  for _, target in ipairs(targets.parts[part]) do
    fuzz(part, target)
    fuzzed = fuzzed + 1
  end
end
check_nothing_is_left(before + (groups[group].more or 0))
for _, text in ipairs(targets.defects) do
  io.stderr:write("defect: ", text, "\n")
end
io.stdout:write(("%d targets, %d calls, %d answered\n"):format(fuzzed, made, answered))
os.exit(#targets.defects == 0 and 0 or 1)
