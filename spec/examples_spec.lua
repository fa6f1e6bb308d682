-- Runs every script of examples/ as a user would, on the virtual clock, and compares all that it
-- prints with what it should.
local lull = assert(os.getenv("LULL"), "LULL names the host under test")

local expected = {}

expected.as_completed = [[
one task down!	h	result of h
ouch	g	no luck today
one task down!	f	result of f
]]

expected.async_generator = [[
1
2
4
8
16
no more
1
2
4
8
16
32
64
128
256
512
no more
]]

expected.async_iterator = [[
3
2
1
Lift-off!
]]

expected.blocking_calls = [[
Task One running
Task One elapsed time: 15.0
Task Two running
Task Two elapsed time: 10.0
Task One running
Task One elapsed time: 5.0
Task Two running
Task Two elapsed time: 2.0

Total elapsed time: 32.0
]]

expected.chess_exhibition = [[
Synchronous version: 12.0 hours
Asynchronous version: 1.0 hours
]]

expected.comprehensions = [[
g = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
f = [1, 2, 16, 32, 256, 512]
set = [1, 2, 4]
squares[1] = 1
squares[2] = 4
squares[4] = 16
squares[8] = 64
after 3 s = [1, 4, 9]
after 1 s = [1, 4, 9]
]]

expected.context_manager = [[
opening db
db: result of SELECT 1
closing db
closed db in peace
opening cache
closing cache
closed cache after an error
caught: cannot use cache
]]

expected.cooperative = [[
Task One running
Task Two running
Task Two total: 10
Task Two running
Task One total: 15
Task One running
Task Two total: 5
Task One total: 2
]]

expected.countasync = [[
One
One
One
Two
Two
Two
countasync.lua executed in 1.00 seconds.
]]

expected.countsync = [[
One
Two
One
Two
One
Two
countsync.lua executed in 3.00 seconds.
]]

expected.eternity = [[
timeout!
]]

expected.event_loop = [[
running:	true
result:	done
closed:	true
]]

expected.factorial = [[
Task A: Compute factorial(2), currently i=2...
Task B: Compute factorial(3), currently i=2...
Task C: Compute factorial(4), currently i=2...
Task A: factorial(2) = 2
Task B: Compute factorial(3), currently i=3...
Task C: Compute factorial(4), currently i=3...
Task B: factorial(3) = 6
Task C: Compute factorial(4), currently i=4...
Task C: factorial(4) = 24
[2, 6, 24]
]]

expected.gather_return_exceptions = [[
gather raised ValueError: no luck today
f is done
f is done
1	result of f
2	ValueError: no luck today
]]

expected.nested = [[
42
]]

expected.nested_task = [[
42
]]

expected.nonblocking_calls = [[
Task One running
Task Two running
Task Two total elapsed time: 10.0
Task Two running
Task One total elapsed time: 15.0
Task One running
Task Two total elapsed time: 5.0
Task One total elapsed time: 2.0

Total elapsed time: 17.0
]]

expected.producer_consumer = [[
Producer 0 sleeping for 3 seconds.
Producer 1 sleeping for 3 seconds.
Consumer 0 sleeping for 4 seconds.
Consumer 1 sleeping for 3 seconds.
Consumer 2 sleeping for 3 seconds.
Consumer 3 sleeping for 5 seconds.
Consumer 4 sleeping for 4 seconds.
Producer 0 added <377b1e8f82> to queue.
Producer 0 sleeping for 5 seconds.
Producer 1 added <413b8802f8> to queue.
Consumer 1 got element <377b1e8f82> in 0.00000 seconds.
Consumer 1 sleeping for 3 seconds.
Consumer 2 got element <413b8802f8> in 0.00000 seconds.
Consumer 2 sleeping for 4 seconds.
Producer 0 added <06c055b3ab> to queue.
Producer 0 sleeping for 1 seconds.
Consumer 0 got element <06c055b3ab> in 0.00000 seconds.
Consumer 0 sleeping for 4 seconds.
Producer 0 added <17a8613276> to queue.
Consumer 4 got element <17a8613276> in 0.00000 seconds.
Consumer 4 sleeping for 5 seconds.
Program completed in 9.00000 seconds.
]]

expected.say_after_await = [[
started at 00:00:00
hello
world
finished at 00:00:03
]]

expected.say_after_tasks = [[
started at 00:00:00
hello
world
finished at 00:00:02
]]

expected.sync_queue = [[
Task One running
Task One total: 15
Task One running
Task One total: 10
Task One running
Task One total: 5
Task One running
Task One total: 2
Task Two nothing to do
]]

expected.timeout_block = [[
The long operation timed out, but we've handled it.
This statement will run regardless.
Looks like we haven't finished on time.
]]

-- Real times of day, whatever the clock.
expected.to_thread = [[
started main at TIME
start blocking_io at TIME
blocking_io complete at TIME
finished main at TIME
]]

expected.wait = [[
first completed: 1 done, 2 pending
result of f
5 seconds later: 1 done, 1 pending
result of g
after cancelling: 1 done, 0 pending
true
]]

expected.wait_for_is_lazy = [[
the task starts
10 seconds later
the coroutine object starts
the coroutine object is done
the task is done
]]

expected.waiting_await = [[
the result of f
the result of f
the result of a future
]]

expected.waiting_coroutines = [[
f starts
f is done
g starts
g is done
result of f	result of g
Elapsed time: 3.0 seconds
]]

expected.waiting_gather = [[
f starts
g starts
g is done
f is done
result of f	result of g
Elapsed time: 2.0 seconds
]]

expected.waiting_tasks = [[
f starts
g starts
f is done
g is done
result of f	result of g
Elapsed time: 2.0 seconds
]]

expected.waiting_wait_for = [[
oops took longer than 5s!
f was cancelled:	false
g was cancelled:	true
]]

local warnings = {
  nested = "lull: warning: coroutine object (examples/nested.lua:5) was never awaited"
    .. " (made at examples/nested.lua:9)\n",
}

-- Those that need servers, and the modules they share: spec/examples_online_spec.lua runs them.
local online = {
  "async_session", "blogdom", "cli", "domaincheck", "domainlib", "fan_out", "flags",
  "flags_progress", "flags_threads", "genres", "genres_sync", "progress", "scrape_titles",
}
for _, name in ipairs(online) do online[name] = true end

-- Gives what a run prints on stdout and stderr, and how it exits.
local function run(name, options)
  local errors_path = os.tmpname()
  local command = ("timeout 60 '%s' %s examples/%s.lua 2>'%s' </dev/null"):format(
    lull, options, name, errors_path)
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  local _, how, code = pipe:close()
  local file = assert(io.open(errors_path))
  local errors = file:read("a")
  file:close()
  os.remove(errors_path)
  return {output = output, errors = errors, how = how, code = code}
end

local names = {}
do
  local listing = assert(io.popen("ls examples"))
  for file in listing:lines() do
    local name = file:match("^(.+)%.lua$")
    if not online[name] then names[#names + 1] = name end
  end
  listing:close()
end

describe("the examples", function()
  it("are all run here, and nothing else is", function()
    for _, name in ipairs(names) do
      assert.is_string(expected[name], ("examples/%s.lua is not tested"):format(name))
    end
    for name in pairs(expected) do
      assert(io.open(("examples/%s.lua"):format(name))):close()
    end
    for _, name in ipairs(online) do
      assert(io.open(("examples/%s.lua"):format(name))):close()
    end
  end)

  for _, name in ipairs(names) do
    it(("print the same every time: %s.lua"):format(name), function()
      local result = {
        output = expected[name],
        errors = warnings[name] or "",
        how = "exit",
        code = 0,
      }
      for _ = 1, 3 do
        local got = run(name, "--virtual-clock")
        if name == "to_thread" then got.output = got.output:gsub("%d%d:%d%d:%d%d", "TIME") end
        assert.same(result, got)
      end
    end)
  end

  it("take their time on the real clock: countasync.lua a second", function()
    local result = run("countasync", "")
    local text = expected.countasync:gsub("1%.00 seconds", "%%s")
    assert.equal(text:format(result.output:match("%d+%.%d+ seconds")), result.output)
    local seconds = tonumber(result.output:match("([%d.]+) seconds"))
    assert.is_true(seconds >= 1 and seconds < 2.5)
  end)

  it("block a thread, not the loop: to_thread.lua takes a second", function()
    local times = {}
    for hour, minute, second in run("to_thread", "").output:gmatch("(%d+):(%d+):(%d+)") do
      times[#times + 1] = (hour * 60 + minute) * 60 + second
    end
    assert.equal(4, #times)
    local seconds = (times[4] - times[1]) % 86400 -- of times without fractions
    assert.is_true(seconds == 1 or seconds == 2)
  end)

  it("may choose the virtual clock themselves, as chess_exhibition.lua does", function()
    assert.equal(expected.chess_exhibition, run("chess_exhibition", "").output)
  end)
end)
