-- lull.fs: watching files and directories.
local fs = require("lull.fs")
local lull = require("lull")
local scratch = require("spec.scratch")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local LIMIT = 20 -- seconds

-- The next events up to one of a type for a path, as "type name"; changes of one file are one.
local function events_until(watch, last)
  local list = {}
  repeat
    local event = await(lull.wait_for(function()
      return watch()
    end, LIMIT))
    local line = event and ("%s %s"):format(event.type, event.path:sub(#scratch.dir + 2)) or "end"
    if line ~= list[#list] then
      list[#list + 1] = line
    end
  until line == last or line == "end"
  return list
end

-- Whether an event is in a list.
local function has(list, line)
  for _, other in ipairs(list) do
    if other == line then
      return true
    end
  end
  return false
end

-- More events than are kept for anybody.
local function flood(bound)
  assert(scratch.sh(([[perl -e 'chdir $ARGV[0];
    for (1..%d) { open F, ">", "x"; close F; unlink "x" }' $D]]):format(bound // 2 + 100)))
end

describe("a watch", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("tells what is made, changed, moved and removed in a directory", function()
    local watch <close> = fs.watch(scratch.dir)
    scratch.write("a", "text")
    assert.same({ "create a", "change a" }, events_until(watch, "change a"))
    assert(scratch.sh("mv $D/a $D/b; mkdir $D/d; touch -d @1 $D/d/; chmod 600 $D/b"))
    assert.same({ "remove a", "create b", "create d", "change d", "change b" },
      events_until(watch, "change b"))
    assert(scratch.sh("touch $D/d/inner; rm $D/b $D/d/inner; rmdir $D/d"))
    assert.same({ "remove b", "remove d" }, events_until(watch, "remove d"))
  end)

  it("begins with the call, and ends when the loop is left", function()
    local before = scratch.descriptors()
    local function watch_one()
      local watch, state, control, closing = fs.watch(scratch.dir)
      scratch.write("f", "")
      local event
      for first in watch, state, control, closing do
        event = event or first
        if event then
          break
        end
      end
      return event, watch
    end
    local event, watch = watch_one()
    assert.same({ type = "create", path = scratch.path("f") }, event)
    assert.equal(before, scratch.descriptors())
    assert.is_nil(watch())
    watch:close()
    assert.equal(("watch (%s, over)"):format(scratch.dir), tostring(watch))
  end)

  it("of a file tells of that file, and ends when it is removed", function()
    local path = scratch.write("f", "")
    local watch <close> = fs.watch(path)
    scratch.write("g", "")
    scratch.write("f", "text")
    assert.same({ "change f" }, events_until(watch, "change f"))
    assert(scratch.sh("rm $D/f"))
    local list = events_until(watch, "end")
    assert.is_true(has(list, "remove f"))
    assert.equal("end", list[#list])
    assert.is_nil(watch())
  end)

  it("ends when its directory is moved or removed", function()
    for _, command in ipairs({ "rmdir $D/d", "mv $D/d $D/e" }) do
      assert(scratch.sh("mkdir $D/d"))
      local watch <close> = fs.watch(scratch.path("d"))
      assert(scratch.sh(command))
      assert.same({ "remove d", "end" }, events_until(watch, "end"))
    end
  end)

  it("loses nothing when its task is cancelled while it waits", function()
    local watch <close> = fs.watch(scratch.dir)
    for i = 1, 5 do
      local task = lull.create_task(function()
        return watch()
      end)
      waiting.turns(10)
      assert.is_false(task:done())
      task:cancel()
      local name = "d" .. i
      assert(scratch.sh("mkdir $D/" .. name))
      waiting.raises(lull.CancelledError, await, task)
      assert.same({ "create " .. name }, events_until(watch, "create " .. name))
    end
  end)

  it("gives each event to one of several tasks", function()
    local watch <close> = fs.watch(scratch.dir)
    local paths, readers = {}, {}
    for i = 1, 4 do
      readers[i] = lull.create_task(function()
        for event in watch do
          paths[#paths + 1] = event.path:sub(#scratch.dir + 2)
          if #paths == 20 then
            watch:close()
          end
        end
      end)
    end
    assert(scratch.sh("cd $D; for i in $(seq 20); do mkdir $(printf %02d $i); done"))
    await(lull.wait_for(lull.gather(readers), LIMIT))
    table.sort(paths)
    local expected = {}
    for i = 1, 20 do
      expected[i] = ("%02d"):format(i)
    end
    assert.same(expected, paths)
  end)

  it("that another task closes ends the loop that waits", function()
    local watch = fs.watch(scratch.dir)
    local task = lull.create_task(function()
      for _ in watch do
        error("not reached")
      end
      return "over"
    end)
    waiting.turns(10)
    watch:close()
    assert.equal("over", await(lull.wait_for(task, LIMIT)))
  end)

  it("that nobody closes is closed when it is collected", function()
    local before = scratch.descriptors()
    for _ = 1, 5 do
      fs.watch(scratch.dir)
    end
    assert.equal(before + 5, scratch.descriptors())
    collectgarbage()
    collectgarbage()
    assert.equal(before, scratch.descriptors())
  end)

  it("says when events were lost", function()
    local watch <close> = fs.watch(scratch.dir)
    local bound = tonumber(await(fs.read_file("/proc/sys/fs/inotify/max_queued_events")))
    flood(bound)
    local count, overflows = 0, 0
    repeat
      local event = watch()
      count = count + 1
      if event.type == "overflow" then
        overflows = overflows + 1
        assert.equal(scratch.dir, event.path)
      end
    until overflows > 0
    assert.equal(bound + 1, count)
    scratch.write("after", "")
    assert.same({ "create after" }, events_until(watch, "create after"))
  end)

  it("fails at the call, with what the system says", function()
    local before = scratch.descriptors()
    local err = waiting.raises(lull.OSError, fs.watch, scratch.path("none"))
    assert.equal("ENOENT", err.code)
    assert.equal(scratch.path("none"), err.path)
    assert.equal(("cannot watch '%s': no such file or directory"):format(err.path), err.message)
    assert.equal(before, scratch.descriptors())
    local function argument_error(text, ...)
      local ok, problem = pcall(fs.watch, ...)
      assert.is_false(ok)
      assert.is_truthy(problem:find(text, 1, true), problem)
    end
    argument_error("#1 to 'watch' (string expected, got nil)")
    argument_error("#1 to 'watch' (a path has no zeros in it)", "a\0")
    argument_error("#2 to 'watch' (unknown option 'deep')", "/", { deep = true })
    argument_error("(option 'recursive' must be a boolean)", "/", { recursive = "yes" })
  end)
end)

describe("a recursive watch", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  -- A watch whose directories are all watched: an event has come.
  local function start()
    local watch = fs.watch(scratch.dir, { recursive = true })
    assert(scratch.sh("mkdir $D/marker"))
    assert.same({ "create marker" }, events_until(watch, "create marker"))
    return watch
  end

  -- Lets a watch come to where every directory that it has told of is watched.
  local function settle(watch)
    assert(scratch.sh("rmdir $D/marker"))
    return events_until(watch, "remove marker")
  end

  it("tells what happens in the directories below, not where links lead", function()
    assert(scratch.sh("mkdir -p $D/a/b/c; mkdir $D.out; ln -s $D.out $D/link"))
    local watch <close> = start()
    assert(scratch.sh("touch $D/link/x; rm -r $D.out; touch $D/a/b/c/f; rm $D/a/b/c/f"))
    assert.same({ "create a/b/c/f", "change a/b/c/f", "remove a/b/c/f" },
      events_until(watch, "remove a/b/c/f"))
  end)

  it("tells of each thing in new directories once, however quickly it was made", function()
    local watch <close> = start()
    local expected = {}
    for round = 1, 10 do
      assert(scratch.sh(([[cd $D; mkdir -p %d/a/b; touch %d/f %d/a/g; sleep 0.00%d; touch %d/a/b/h
        touch %d/z]]):format(round, round, round, round % 7, round, round)))
      for _, name in ipairs({ "", "/a", "/a/b", "/f", "/a/g", "/a/b/h", "/z" }) do
        expected["create " .. round .. name] = 1
      end
    end
    local seen, left = {}, 70
    while left > 0 do
      local event = await(lull.wait_for(function()
        return watch()
      end, LIMIT))
      local line = ("%s %s"):format(event.type, event.path:sub(#scratch.dir + 2))
      if event.type == "create" then
        seen[line] = (seen[line] or 0) + 1
        left = left - 1
      end
    end
    assert.same(expected, seen)
    scratch.write("last", "")
    for _, line in ipairs(events_until(watch, "create last")) do
      assert(not seen[line], line .. " came twice")
    end
  end)

  it("follows directories that are moved within it, and leaves those moved out", function()
    assert(scratch.sh("mkdir -p $D/a/b $D/c $D.out"))
    local watch <close> = start()
    assert(scratch.sh("mv $D/a $D/c/a"))
    assert.is_true(has(events_until(watch, "create c/a/b"), "remove a"))
    settle(watch)
    assert(scratch.sh("touch $D/c/a/b/f"))
    assert.same({ "create c/a/b/f" }, events_until(watch, "create c/a/b/f"))
    assert(scratch.sh("mv $D/c/a $D.out/a"))
    assert.is_true(has(events_until(watch, "remove c/a"), "change c/a/b/f"))
    assert(scratch.sh("touch $D.out/a/b/g $D/last; rm -r $D.out"))
    assert.same({ "create last" }, events_until(watch, "create last"))
  end)

  it("goes on when directories come and go", function()
    local watch <close> = start()
    local stop = false
    local churn = lull.create_task(function()
      for i = 1, 60 do
        local path = scratch.path("d" .. i % 3)
        await(fs.mkdir(path .. "/e/f", { parents = true, exist_ok = true }))
        await(fs.write_file(path .. "/e/f/g", "text"))
        await(fs.remove(path, { recursive = true }))
      end
      stop = true
    end)
    lull.create_task(function()
      await(churn)
      scratch.write("last", "")
    end)
    local count = #events_until(watch, "create last")
    assert.is_true(stop)
    assert.is_true(count > 60)
    assert(scratch.sh("mkdir $D/d1; touch $D/d1/x"))
    assert.is_true(has(events_until(watch, "create d1/x"), "create d1"))
  end)

  it("finds what it has missed when events were lost", function()
    local watch <close> = start()
    local bound = tonumber(await(fs.read_file("/proc/sys/fs/inotify/max_queued_events")))
    flood(bound)
    assert(scratch.sh("mkdir -p $D/lost/inner"))
    local event
    repeat
      event = watch()
    until event.type == "overflow"
    settle(watch)
    assert(scratch.sh("touch $D/lost/inner/f"))
    assert.is_true(has(events_until(watch, "create lost/inner/f"), "create lost/inner/f"))
  end)

  it("closes everything when its task is cancelled, whenever that is", function()
    assert(scratch.sh("cd $D; for i in 1 2 3 4 5; do mkdir -p $i/a/b $i/c; done"))
    local before = scratch.descriptors()
    for turns = 1, 40 do
      local task = lull.create_task(function()
        for _ in fs.watch(scratch.dir, { recursive = true }) do
          error("nothing happens")
        end
      end)
      for _ = 1, turns do
        await(lull.sleep(0))
        if turns % 2 == 0 then
          await(fs.exists("/"))
        end
      end
      task:cancel()
      waiting.raises(lull.CancelledError, await, task)
    end
    scratch.eventually(function()
      return scratch.descriptors() == before
    end)
  end)
end)
