-- lull.fs: what is in directories.
local fs = require("lull.fs")
local lull = require("lull")
local scratch = require("spec.scratch")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local function fails_with(code, f, ...)
  local err = waiting.raises(lull.OSError, f, ...)
  assert.equal(code, err.code)
  return err
end

describe("scandir", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("gives each name, whatever is in it, and its type", function()
    local names = { "plain", ".hidden", "white space", "new\nline", "\xff\xfe", "-rf", "*" }
    for _, name in ipairs(names) do
      scratch.write(name, "")
    end
    assert(scratch.sh("mkdir $D/dir; ln -s dir $D/link"))
    local found = {}
    for name, kind in fs.scandir(scratch.dir) do
      assert.is_nil(found[name])
      found[name] = kind
    end
    local expected = { dir = "directory", link = "link" }
    for _, name in ipairs(names) do
      expected[name] = "file"
    end
    assert.same(expected, found)
  end)

  it("gives nothing for an empty directory", function()
    for name in fs.scandir(scratch.dir) do
      assert.is_nil(name)
    end
  end)

  it("lists large directories, in pieces, and may be left in the midst of them", function()
    assert(scratch.sh("cd $D; seq 5000 | xargs touch"))
    local found, count = {}, 0
    for name in fs.scandir(scratch.dir) do
      found[name] = true
      count = count + 1
    end
    assert.equal(5000, count)
    for i = 1, 5000 do
      assert.is_true(found[tostring(i)])
    end
    local before = scratch.descriptors()
    for stop = 1, 3000, 500 do
      count = 0
      for _ in fs.scandir(scratch.dir) do
        count = count + 1
        if count == stop then
          break
        end
      end
      assert.equal(before, scratch.descriptors())
    end
  end)

  it("goes on while the directory is emptied", function()
    assert(scratch.sh("cd $D; seq 3000 | xargs touch"))
    for name in fs.scandir(scratch.dir) do
      await(fs.remove(scratch.path(name)))
    end
    assert.same({}, scratch.names())
  end)

  it("fails at its first step, with what the system says", function()
    local list = fs.scandir(scratch.path("none"))
    local err = fails_with("ENOENT", list)
    assert.equal(scratch.path("none"), err.path)
    assert.equal(("cannot list '%s': no such file or directory"):format(err.path), err.message)
    fails_with("ENOTDIR", fs.scandir(scratch.write("f", "")))
    local ok, problem = pcall(fs.scandir, "a\0b")
    assert.is_false(ok)
    assert.matches("#1 to 'scandir' %(a path has no zeros in it%)", problem)
    ok, problem = pcall(fs.scandir)
    assert.is_false(ok)
    assert.matches("#1 to 'scandir' %(string expected, got nil%)", problem)
  end)

  it("closes the directory when its task is cancelled", function()
    assert(scratch.sh("cd $D; seq 3000 | xargs touch"))
    for turns = 1, 20 do
      local task = lull.create_task(function()
        for _ in fs.scandir(scratch.dir) do
          await(lull.sleep(0))
        end
      end)
      waiting.turns(turns)
      task:cancel()
      waiting.raises(lull.CancelledError, await, task)
    end
  end)
end)

describe("walk", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  -- A line for each directory: its path from the test's, and what is in it, in order.
  local function walk(edit, options)
    local lines = {}
    for dir, dirs, files in fs.walk(scratch.dir, options) do
      table.sort(dirs)
      table.sort(files)
      lines[#lines + 1] = ("%s: %s; %s"):format(dir:sub(#scratch.dir + 2), table.concat(dirs, " "),
        table.concat(files, " "))
      if edit then
        edit(dirs, dir)
      end
    end
    return lines
  end

  local function plant()
    assert(scratch.sh([[mkdir -p $D/a/b/c $D/d $D/e/f; touch $D/1 $D/a/2 $D/a/b/c/3 $D/e/f/4
      ln -s .. $D/a/up; ln -s a $D/toa; ln -s none $D/d/dangling]]))
  end

  it("gives each directory before those in it, and follows no link", function()
    plant()
    assert.same({
      ": a d e; 1 toa",
      "a: b; 2 up",
      "a/b: c; ",
      "a/b/c: ; 3",
      "d: ; dangling",
      "e: f; ",
      "e/f: ; 4",
    }, walk())
  end)

  it("goes where the names that are left in the list lead, in their order", function()
    plant()
    assert.same({ ": a d e; 1 toa", "e: f; ", "e/f: ; 4", "d: ; dangling" }, walk(function(dirs)
      if dirs[1] == "a" then
        dirs[1], dirs[2], dirs[3] = "e", "d", nil
      end
    end))
  end)

  it("follows a link that it is begun with", function()
    plant()
    local count = 0
    for dir in fs.walk(scratch.path("toa")) do
      assert.equal(scratch.path("toa"), dir:sub(1, #scratch.path("toa")))
      count = count + 1
    end
    assert.equal(3, count)
  end)

  it("leaves out what is gone, or has become something else, when it comes there", function()
    plant()
    assert.same({ ": a d e; 1 toa", "e: f; ", "e/f: ; 4" }, walk(function(_, dir)
      if dir == scratch.dir then
        assert(scratch.sh("rm -r $D/a $D/d; ln -s e $D/a; touch $D/d"))
      end
    end))
  end)

  it("puts paths together with one slash", function()
    assert(scratch.sh("mkdir -p $D/a/b"))
    local dirs = {}
    for dir in fs.walk(scratch.dir .. "/") do
      dirs[#dirs + 1] = dir
    end
    assert.same({ scratch.dir .. "/", scratch.path("a"), scratch.path("a/b") }, dirs)
  end)

  it("fails where it cannot look, or tells it and goes on", function()
    fails_with("ENOENT", fs.walk(scratch.path("none")))
    assert(scratch.sh("mkdir -p $D/a $D/closed $D/z; chmod 700 $D/closed"))
    local output = scratch.run_as_nobody([[
      local lull, fs = require("lull"), require("lull.fs")
      local dir = ...
      print(pcall(function()
        for path in fs.walk(dir) do if path == dir then print("first") end end
      end))
      local count, errors = 0, {}
      for _ in fs.walk(dir, {on_error = function(err) errors[#errors + 1] = err end}) do
        count = count + 1
      end
      print(count, #errors, errors[1].code, errors[1].path:sub(#dir + 1))
      for _ in fs.walk(dir .. "/none", {on_error = function(err) print(err.code) end}) do end
    ]])
    assert.matches("^first\nfalse\tOSError: cannot list '[^']+/closed': permission denied\n",
      output)
    assert.matches("\n4\t1\tEACCES\t/closed\nENOENT\n$", output)
  end)

  it("lets errors of its caller's function, and cancellations, through", function()
    plant()
    waiting.fails("mine", function()
      for _ in fs.walk(scratch.path("none"), { on_error = function() error("mine") end }) do
        error("not reached")
      end
    end)
    for turns = 1, 20 do
      local task = lull.create_task(function()
        for _ in fs.walk(scratch.dir, { on_error = error }) do
          await(lull.sleep(0))
        end
      end)
      waiting.turns(turns)
      task:cancel()
      waiting.raises(lull.CancelledError, await, task)
    end
  end)

  it("refuses what it does not understand", function()
    local function argument_error(text, ...)
      local ok, err = pcall(fs.walk, ...)
      assert.is_false(ok)
      assert.is_truthy(err:find(text, 1, true), err)
    end
    argument_error("#1 to 'walk' (string expected, got nil)")
    argument_error("#1 to 'walk' (a path has no zeros in it)", "\0")
    argument_error("#2 to 'walk' (unknown option 'topdown')", "/", { topdown = true })
    argument_error("(option 'on_error' must be a function)", "/", { on_error = true })
  end)
end)
