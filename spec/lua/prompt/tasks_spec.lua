-- :tasks, :cancel and :trace.
local commands = require("lull.prompt.commands")
local lull = require("lull")
local script = require("spec.script")
local stand_in = require("spec.stand_in")
local tidy = require("spec.tidy")
local trees = require("lull.prompt.tasks.tree")
local words = require("lull.prompt.tasks.words")

local await = lull.await

local function run(line, fields)
  local session = stand_in.session({}, fields)
  commands.run(session, line)
  return session.text()
end

local function cancel_all(...)
  local list = { ... }
  for _, task in ipairs(list) do task:cancel() end
  await(lull.wait(list))
end

-- The number of a task, which its default name has.
local function number_of(task)
  local name = task:get_name()
  return tonumber(name:match("^Task%-(%d+)$"))
end

-- The line of :tasks that tells of a task, without its number and the branch that leads from the
-- task that runs the spec, which has started it.
local function line_of(text, name)
  for line in text:gmatch("[^\n]+") do
    if line:find(name, 1, true) then
      line = line:gsub("^ *%d+  ", "")
      for _, branch in ipairs({ "├ ", "└ ", "│ ", "  " }) do
        if line:sub(1, #branch) == branch then return line:sub(#branch + 1) end
      end
      return line
    end
  end
end

describe(":tasks", function()
  tidy.watch(before_each, after_each)

  it("tells of each task: what it waits for, where, and for how long", function()
    local queue, lock = lull.queue(), lull.lock()
    local guard <close> = await(lock:acquire()) -- luacheck: ignore 211
    local list = {
      lull.create_task(function() await(queue:get()) end, { name = "taker" }),
      lull.create_task(function() await(lock:acquire()) end, { name = "locker" }),
      lull.create_task(function() await(lull.sleep(100)) end, { name = "sleeper" }),
      lull.create_task(function() await(lull.future()) end, { name = "hoper" }),
    }
    await(lull.sleep(1.5))
    local text = run(":tasks", { width = 200 })
    cancel_all(table.unpack(list))
    local here = "[%w_/.]*tasks_spec%.lua:%d+"
    assert.matches("^ +task +waits for +at +for\n", text)
    assert.matches("^taker +an item of a queue +" .. here .. "  1%.5 s$", line_of(text, "taker"))
    assert.matches("^locker +a lock +" .. here .. "  1%.5 s$", line_of(text, "locker"))
    assert.matches("^sleeper +sleep +" .. here .. "  1%.5 s$", line_of(text, "sleeper"))
    assert.matches("^hoper +a future +" .. here .. "  1%.5 s$", line_of(text, "hoper"))
  end)

  it("tells which task runs it, and which have not begun or are about to go on", function()
    local paused = lull.create_task(function() await(lull.sleep(0)) end,
      { name = "paused", eager = true })
    local new = lull.create_task(function() end, { name = "fresh" })
    local text = run(":tasks")
    assert.matches("^paused +is about to run$", line_of(text, "paused"))
    assert.matches("^fresh +has not started$", line_of(text, "fresh"))
    assert.matches("runs this$", line_of(text, lull.current_task():get_name()))
    await(lull.gather(paused, new))
  end)

  it("does without what was not watched: who started a task, and since when it waits", function()
    local output, status = script.run([[
      local lull = require "lull"
      local task = lull.create_task(function()
        for _ = 1, 2 do lull.await(lull.sleep(0.01)) end
        lull.await(lull.sleep(100))
      end)
      lull.await(lull.sleep(0))
      local trees = require "lull.prompt.tasks.tree"
      local function show()
        local node = trees.tree()[2]
        print(node.task == task, node.starter, node.what, node.seconds ~= nil)
      end
      show()
      lull.await(lull.sleep(0.015))
      show()
    ]], " ")
    assert.equal("true\t0\tsleep\tfalse\ntrue\t0\tsleep\ttrue\n", output)
    assert.equal(0, status)
  end)

  it("counts real seconds where the clock is real", function()
    local output, status = script.run([[
      local lull = require "lull"
      local tasks = require "lull.prompt.tasks.tree"
      local begun = lull.now()
      local task = lull.create_task(function() lull.await(lull.sleep(100)) end)
      lull.await(lull.sleep(0))
      local began = lull.now()
      lull.await(lull.sleep(0.03))
      local before = lull.now()
      local node = tasks.tree()[2]
      assert(node.task == task and node.what == "sleep")
      assert(node.seconds >= before - began, "too short")
      assert(node.seconds <= lull.now() - begun, "too long")
      print("right")
    ]], " ")
    assert.equal("right\n", output)
    assert.equal(0, status)
  end)

  it("puts a task below the one that awaits it, and what is gathered below who gathers", function()
    local inner = lull.create_task(function() await(lull.sleep(100)) end, { name = "inner" })
    local middle = lull.create_task(function() await(inner) end, { name = "middle" })
    local one = lull.create_task(function() await(lull.sleep(100)) end, { name = "one" })
    local outer = lull.create_task(function()
      await(lull.gather(one, lull.gather(middle, lull.future())))
    end, { name = "outer" })
    await(lull.sleep(0.01))
    local text = run(":tasks")
    assert.equal("outer", line_of(text, "outer"):match("^%S+"))
    assert.matches("^├ middle +task " .. text:match("(%d+)    │ └ inner"), line_of(text, "middle"))
    assert.matches("^│ └ inner +sleep", line_of(text, "inner"))
    assert.matches("^└ one +sleep", line_of(text, "one"))
    assert.matches("outer[^\n]*\n[^\n]*middle[^\n]*\n[^\n]*inner[^\n]*\n[^\n]*one ", text)
    cancel_all(outer, middle, inner, one)
  end)

  it("puts a task that nobody awaits below the one that has started it", function()
    local host = lull.create_task(function()
      local group <close> = lull.task_group()
      group:create_task(function() await(lull.sleep(100)) end, { name = "member" })
      await(lull.sleep(100))
    end, { name = "host" })
    local orphan
    await(lull.create_task(function()
      orphan = lull.create_task(function() await(lull.sleep(100)) end, { name = "orphan" })
    end))
    await(lull.sleep(0.01))
    local text = run(":tasks")
    assert.matches("\n *%d+  └ host[^\n]*\n *%d+    └ member +sleep", text)
    assert.matches("\n *%d+  orphan +sleep", text)
    cancel_all(host, orphan)
  end)

  it("puts a task that several await below the first", function()
    local shared = lull.create_task(function() await(lull.sleep(100)) end, { name = "shared" })
    local a = lull.create_task(function() await(shared) end)
    local b = lull.create_task(function() await(shared) end)
    await(lull.sleep(0.01))
    local text = run(":tasks")
    local _, count = text:gsub("shared", "")
    assert.equal(1, count)
    assert.matches(("\n *%d  ├ Task%%-%d +task %%d+[^\n]*\n *%%d+  │ └ shared"):format(number_of(a),
      number_of(a)), text)
    assert.matches(("Task%%-%d +task %%d+"):format(number_of(b)), text)
    cancel_all(a, b, shared)
  end)

  it("tells of tasks that wait for each other in a circle", function()
    local a, b
    a = lull.create_task(function() await(lull.sleep(0)) await(b) end, { name = "chicken" })
    b = lull.create_task(function() await(a) end, { name = "egg" })
    await(lull.sleep(0.01))
    local text = run(":tasks")
    for _, name in ipairs({ "chicken", "egg" }) do
      local _, count = text:gsub(name, "")
      assert.equal(1, count)
    end
    local trace = run(":trace egg")
    assert.matches("'egg' waits for task", trace)
    assert.matches("awaits task %d+ 'chicken', which waits for task", trace)
    cancel_all(a, b)
  end)

  it("keeps to the width, and cuts what is too long", function()
    local name = ("n\tä"):rep(40)
    local task = lull.create_task(function() await(lull.sleep(100)) end, { name = name })
    await(lull.sleep(0.01))
    for _, width in ipairs({ 200, 80, 60, 40, 20 }) do
      local text = run(":tasks", { width = width })
      for line in text:gmatch("[^\n]+") do
        assert.is_true(assert(utf8.len(line)) <= width, line)
      end
      assert.is_nil(text:find("\t"))
    end
    assert.matches("…", run(":tasks", { width = 60 }))
    cancel_all(task)
  end)

  it("takes names that are no UTF-8", function()
    local task = lull.create_task(function() await(lull.sleep(100)) end,
      { name = ("\xff"):rep(100) })
    await(lull.sleep(0.01))
    assert.matches("sleep", run(":tasks"))
    cancel_all(task)
  end)

  it("colours its head where there are colours", function()
    assert.matches("^\27%[1m +task", run(":tasks", { color = true }))
    assert.is_nil(run(":tasks"):find("\27"))
  end)

  it("shows the first thousand of very many tasks", function()
    local list = {}
    for i = 1, 1500 do list[i] = lull.sleep(1000) end
    local all = lull.gather(list)
    await(lull.sleep(0.01))
    local text = run(":tasks")
    all:cancel()
    await(lull.sleep(0.01))
    assert.equal(1 + 1000 + 1, select(2, text:gsub("\n", "")))
    assert.matches("\nand 501 more\n$", text)
  end)

  it("takes long chains of tasks, whichever began first", function()
    local chain = { lull.create_task(function() await(lull.sleep(1000)) end) }
    for i = 2, 2000 do
      local before = chain[i - 1]
      chain[i] = lull.create_task(function() await(before) end)
    end
    local others = {}
    for i = 1, 2000 do
      others[i] = lull.create_task(function()
        await(lull.sleep(0))
        await(others[i + 1] or lull.sleep(1000))
      end)
    end
    await(lull.sleep(0.01))
    local nodes, roots = trees.tree()
    local text = run(":tasks", { width = 100 })
    for _, task in ipairs({ chain[1], others[2000] }) do task:cancel() end
    await(lull.wait({ chain[2000], others[1] }))
    assert.equal(4001, #nodes)
    assert.is_true(#roots < 10)
    assert.matches("and 3001 more\n$", text)
    for line in text:gmatch("[^\n]+") do assert.is_true(utf8.len(line) <= 100) end
    for _, task in ipairs(chain) do pcall(task.exception, task) end
    for _, task in ipairs(others) do pcall(task.exception, task) end
  end)
end)

describe(":cancel", function()
  tidy.watch(before_each, after_each)

  it("cancels a task by its number or name, and tells so", function()
    local a = lull.create_task(function() await(lull.sleep(100)) end)
    local b = lull.create_task(function() await(lull.sleep(100)) end, { name = "b c" })
    local number = number_of(a)
    await(lull.sleep(0.01))
    assert.equal(("task %d was cancelled\n"):format(number), run(":cancel " .. number))
    assert.is_true(a:cancelled())
    assert.matches("^task %d+ 'b c' was cancelled\n$", run(":cancel b c"))
    assert.is_true(b:cancelled())
  end)

  it("tells of a task that has not begun", function()
    local ran = false
    local task = lull.create_task(function() ran = true end, { name = "late" })
    assert.matches("'late' was cancelled\n$", run(":cancel late"))
    assert.is_true(task:cancelled())
    assert.is_false(ran)
  end)

  it("tells what a task does that does not end at once", function()
    local task = lull.create_task(function()
      pcall(await, lull.sleep(100))
      await(lull.sleep(50))
    end, { name = "stubborn" })
    await(lull.sleep(0.01))
    assert.matches("'stubborn' was asked to end, and waits for sleep at %S+tasks_spec.lua:%d+\n$",
      run(":cancel stubborn"))
    await(task)
  end)

  it("tells of a task that ends in another way", function()
    local task = lull.create_task(function() pcall(await, lull.sleep(100)) error("x", 0) end,
      { name = "failing" })
    local other = lull.create_task(function() pcall(await, lull.sleep(100)) return 1 end,
      { name = "returning" })
    await(lull.sleep(0.01))
    assert.matches("'failing' was to be cancelled, and failed: x\n$", run(":cancel failing"))
    assert.matches("'returning' was to be cancelled, and returned\n$", run(":cancel returning"))
    assert.is_true(task:done() and other:done())
  end)

  it("cancels what the task awaits as well, down a chain", function()
    local inner = lull.create_task(function() await(lull.sleep(100)) end)
    local outer = lull.create_task(function() await(inner) end, { name = "outer" })
    await(lull.sleep(0.01))
    assert.matches("was cancelled\n$", run(":cancel outer"))
    assert.is_true(inner:cancelled() and outer:cancelled())
  end)

  it("refuses what is no task, the prompt's own, and a name that several have", function()
    local function failure_of(line)
      local ok, err = pcall(run, line)
      assert.is_false(ok)
      return err
    end
    assert.equal(":cancel needs the number or name of a task: see :tasks", failure_of(":cancel"))
    assert.equal("there is no task '999999', or it is done: see :tasks",
      failure_of(":cancel 999999"))
    assert.equal("there is no task '1.5', or it is done: see :tasks", failure_of(":cancel 1.5"))
    assert.matches("runs the prompt: :quit ends it$",
      failure_of(":cancel " .. lull.current_task():get_name()))
    local a = lull.create_task(function() await(lull.sleep(100)) end, { name = "twin" })
    local b = lull.create_task(function() await(lull.sleep(100)) end, { name = "twin" })
    assert.matches("^2 tasks are called 'twin': say which by its number, %d+ or %d+$",
      failure_of(":cancel twin"))
    cancel_all(a, b)
  end)
end)

describe(":trace", function()
  tidy.watch(before_each, after_each)

  it("shows where a task is, and those it awaits", function()
    local inner = lull.create_task(function() await(lull.sleep(100)) end, { name = "inner" })
    local outer = lull.create_task(function() await(lull.gather(inner)) end, { name = "outer" })
    await(lull.sleep(2))
    local text = run(":trace outer")
    cancel_all(outer)
    assert.matches("^task %d+ 'outer' waits for a gather, for 2%.0 s\n\t%S+tasks_spec.lua:%d+: in "
      .. "[^\n]*\ntask %d+ awaits task %d+ 'inner', which waits for sleep, for 2%.0 s\n"
      .. "\t%S+tasks_spec.lua:%d+: in [^\n]*\n$", text)
  end)

  it("tells of tasks that run, or have not begun", function()
    local task = lull.create_task(function() end, { name = "fresh" })
    assert.matches("^task %d+ 'fresh' has not started\n$", run(":trace fresh"))
    assert.matches("runs this\n$", run(":trace " .. lull.current_task():get_name()))
    await(task)
    assert.has_error.matches(function() run(":trace fresh") end, "there is no task 'fresh'")
  end)
end)

describe("a duration", function()
  it("is told in units that suit it", function()
    for seconds, text in pairs({
      [0] = "0 us", [12e-6] = "12 us", [0.4e-3] = "400 us", [1e-3] = "1 ms", [1.25e-3] = "1.2 ms",
      [0.0125] = "12.5 ms", [0.25] = "250 ms", [0.99999] = "1.000 s", [1.003] = "1.003 s",
      [12.34] = "12.3 s", [59.99] = "1 min 0 s", [125] = "2 min 5 s", [3 * 3600] = "3 h 0 min",
      [50 * 3600] = "2 d 2 h", [math.huge] = "for ever",
    }) do
      assert.equal(text, words.duration(seconds))
    end
  end)
end)
