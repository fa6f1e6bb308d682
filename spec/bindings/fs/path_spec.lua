-- lull.fs: looking at paths, making, renaming and removing.
local fs = require("lull.fs")
local lull = require("lull")
local scratch = require("spec.scratch")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local function fails_with(code, object)
  local err = waiting.raises(lull.OSError, await, object)
  assert.equal(code, err.code)
  return err
end

local function argument_error(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(err):find(text, 1, true), err)
end

describe("stat", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("tells what a file is", function()
    local path = scratch.write("f", "12345")
    assert(scratch.sh("chmod 4750 $D/f; ln $D/f $D/g; touch -m -d @1234567890.25 $D/f; " ..
      "touch -a -d @987654321.5 $D/f"))
    local now = os.time()
    local st = await(fs.stat(path))
    assert.equal("file", st.type)
    assert.equal(5, st.size)
    assert.equal(tonumber("4750", 8), st.mode)
    assert.equal(2, st.nlink)
    assert.equal(1234567890.25, st.mtime)
    assert.equal(987654321.5, st.atime)
    assert.is_true(math.abs(st.ctime - now) < 60)
    assert.equal("float", math.type(st.ctime))
    local pipe = assert(io.popen(("stat -c '%%u %%g %%d %%i' %s"):format(path)))
    assert.equal(("%d %d %d %d\n"):format(st.uid, st.gid, st.dev, st.ino), pipe:read("a"))
    pipe:close()
    local same = await(fs.stat(scratch.path("g")))
    assert.same({ st.dev, st.ino }, { same.dev, same.ino })
  end)

  it("knows every type", function()
    scratch.write("f", "")
    assert(scratch.sh([[ln -s f $D/link; ln -s none $D/dangling; mkfifo $D/fifo
      perl -e 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($ARGV[0]))
        or die' $D/socket]]))
    local types = {}
    for name, kind in fs.scandir(scratch.dir) do
      assert.equal(kind, await(fs.lstat(scratch.path(name))).type)
      types[name] = kind
    end
    assert.same({ f = "file", link = "link", dangling = "link", fifo = "fifo", socket = "socket" },
      types)
    assert.equal("file", await(fs.stat(scratch.path("link"))).type)
    assert.equal("directory", await(fs.stat(scratch.dir)).type)
    assert.equal("char", await(fs.stat("/dev/null")).type)
    local blocks = 0
    for name, kind in fs.scandir("/dev") do
      if kind == "block" then
        assert.equal("block", await(fs.stat("/dev/" .. name)).type)
        blocks = blocks + 1
      end
    end
    assert.is_true(blocks >= 0)
  end)

  it("fails for what is not there", function()
    local path = scratch.path("none")
    local err = fails_with("ENOENT", fs.stat(path))
    assert.equal(path, err.path)
    assert.equal(("cannot stat '%s': no such file or directory"):format(path), err.message)
    fails_with("ENOENT", fs.lstat(path))
    assert(scratch.sh("ln -s none $D/dangling; ln -s loop $D/loop"))
    fails_with("ENOENT", fs.stat(scratch.path("dangling")))
    fails_with("ELOOP", fs.stat(scratch.path("loop")))
    fails_with("ENOTDIR", fs.stat(scratch.write("f", "") .. "/g"))
    argument_error("#1 to 'stat' (string expected, got nil)", fs.stat)
    argument_error("#1 to 'lstat' (a path has no zeros in it)", fs.lstat, "\0")
  end)
end)

describe("exists", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("says whether a path leads to anything", function()
    scratch.write("f", "")
    assert(scratch.sh("ln -s f $D/link; ln -s none $D/dangling; ln -s loop $D/loop"))
    for _, path in ipairs({ "", "/", "/f", "/link" }) do
      assert.is_true(await(fs.exists(scratch.dir .. path)))
    end
    for _, path in ipairs({ "/none", "/f/g", "/f/", "/dangling", "/loop", "/no/file" }) do
      assert.is_false(await(fs.exists(scratch.dir .. path)))
    end
    assert.is_false(await(fs.exists("")))
    argument_error("#1 to 'exists' (string expected, got table)", fs.exists, {})
    argument_error("#1 to 'exists' (a path has no zeros in it)", fs.exists, "a\0")
  end)
end)

describe("mkdir", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  local function is_directory(name)
    return await(fs.stat(scratch.path(name))).type == "directory"
  end

  it("makes a directory", function()
    assert.is_nil(await(fs.mkdir(scratch.path("d"))))
    assert.is_true(is_directory("d"))
    local err = fails_with("EEXIST", fs.mkdir(scratch.path("d")))
    assert.equal(("cannot make directory '%s': file already exists"):format(scratch.path("d")),
      err.message)
    assert.equal(scratch.path("d"), err.path)
    fails_with("ENOENT", fs.mkdir(scratch.path("no/d")))
    fails_with("ENOTDIR", fs.mkdir(scratch.write("f", "") .. "/d"))
  end)

  it("makes those above it, too, when it is asked to", function()
    for _, path in ipairs({ "a/b/c", "x//y///z/", "./p/./q", "u/../v/w", "a/b/d/e" }) do
      await(fs.mkdir(scratch.path(path), { parents = true }))
      assert.is_true(is_directory(path))
    end
    fails_with("EEXIST", fs.mkdir(scratch.path("a/b"), { parents = true }))
    scratch.write("f", "")
    fails_with("ENOTDIR", fs.mkdir(scratch.path("f/a/b"), { parents = true }))
    fails_with("ENOENT", fs.mkdir("", { parents = true }))
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      lull.await(fs.mkdir("one/two", {parents = true}))
      print(lull.await(fs.stat("one/two")).type)
    ]], "cd $D;")
    assert.equal("directory\n", output)
  end)

  it("takes one that is there, when it is asked to, but nothing else", function()
    await(fs.mkdir(scratch.path("d"), { exist_ok = true }))
    await(fs.mkdir(scratch.path("d"), { exist_ok = true }))
    await(fs.mkdir(scratch.path("d/e"), { exist_ok = true, parents = true }))
    await(fs.mkdir(scratch.path("d/e"), { exist_ok = true, parents = true }))
    await(fs.mkdir("/", { exist_ok = true }))
    assert(scratch.sh("ln -s d $D/link; ln -s none $D/dangling"))
    await(fs.mkdir(scratch.path("link"), { exist_ok = true }))
    fails_with("EEXIST", fs.mkdir(scratch.path("dangling"), { exist_ok = true }))
    fails_with("EEXIST", fs.mkdir(scratch.write("f", ""), { exist_ok = true }))
  end)

  it("gives it the permissions that are asked for", function()
    assert.equal("", (scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      lull.await(fs.mkdir(... .. "/plain"))
      lull.await(fs.mkdir(... .. "/above/private", {mode = 448, parents = true}))
    ]], "umask 022;")))
    assert.equal(tonumber("755", 8), await(fs.stat(scratch.path("plain"))).mode)
    assert.equal(tonumber("755", 8), await(fs.stat(scratch.path("above"))).mode)
    assert.equal(tonumber("700", 8), await(fs.stat(scratch.path("above/private"))).mode)
  end)

  it("can be done by many tasks at once, for the same directory", function()
    local makers = {}
    for i = 1, 20 do
      makers[i] = fs.mkdir(scratch.path("a/b/c/d/e/f"), { parents = true, exist_ok = true })
    end
    await(lull.gather(makers))
    assert.is_true(is_directory("a/b/c/d/e/f"))
  end)

  it("refuses what it does not understand", function()
    argument_error("#1 to 'mkdir' (string expected, got nil)", fs.mkdir)
    argument_error("#1 to 'mkdir' (a path has no zeros in it)", fs.mkdir, "a\0")
    argument_error("#2 to 'mkdir' (unknown option 'parent')", fs.mkdir, "a", { parent = true })
    argument_error("(option 'parents' must be a boolean)", fs.mkdir, "a", { parents = 1 })
    argument_error("(option 'exist_ok' must be a boolean)", fs.mkdir, "a", { exist_ok = 1 })
    argument_error("(option 'mode' must be permission bits", fs.mkdir, "a", { mode = "755" })
  end)
end)

describe("mkdtemp", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("makes directories that nothing had the name of, for their owner only", function()
    local seen = {}
    for _ = 1, 50 do
      local path = await(fs.mkdtemp(scratch.path("a-XXXXXX")))
      assert.equal(scratch.path("a-"), path:sub(1, -7))
      assert.is_nil(seen[path])
      seen[path] = true
      assert.equal(tonumber("700", 8), await(fs.stat(path)).mode)
    end
    assert.equal(50, #scratch.names())
  end)

  it("makes one where others go, when no path is given", function()
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      print(lull.await(fs.mkdtemp()))
    ]], "export TMPDIR=$D;")
    assert.equal(scratch.path("lull-"), output:sub(1, -8))
  end)

  it("fails with what the system says, and refuses what is no template", function()
    local template = scratch.path("no/XXXXXX")
    local err = fails_with("ENOENT", fs.mkdtemp(template))
    assert.equal(template, err.path)
    assert.equal(
      ("cannot make a directory like '%s': no such file or directory"):format(template),
      err.message)
    argument_error("#1 to 'mkdtemp' (a path that ends with XXXXXX expected)", fs.mkdtemp, "a-XXXXX")
    argument_error("#1 to 'mkdtemp' (a path has no zeros in it)", fs.mkdtemp, "\0XXXXXX")
    argument_error("#1 to 'mkdtemp' (string expected, got number)", fs.mkdtemp, 1)
  end)
end)

describe("rename", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("gives files and directories another name, in the place of what has it", function()
    local a, b = scratch.write("a", "one"), scratch.path("b")
    assert.is_nil(await(fs.rename(a, b)))
    assert.same({ "b" }, scratch.names())
    scratch.write("a", "two")
    await(fs.rename(a, b))
    assert.equal("two", scratch.read("b"))
    await(fs.mkdir(scratch.path("d/e"), { parents = true }))
    await(fs.rename(scratch.path("d"), scratch.path("f")))
    assert.is_true(await(fs.exists(scratch.path("f/e"))))
  end)

  it("fails with what the system says, and names the source", function()
    local a, b = scratch.path("a"), scratch.path("b")
    local err = fails_with("ENOENT", fs.rename(a, b))
    assert.equal(a, err.path)
    assert.equal(("cannot rename '%s' to '%s': no such file or directory"):format(a, b),
      err.message)
    scratch.write("a", "")
    await(fs.mkdir(b))
    fails_with("EISDIR", fs.rename(a, b))
    fails_with("EXDEV", fs.rename(a, "/proc/a"))
    argument_error("#2 to 'rename' (string expected, got nil)", fs.rename, "a")
    argument_error("#1 to 'rename' (a path has no zeros in it)", fs.rename, "\0", "a")
    argument_error("#2 to 'rename' (a path has no zeros in it)", fs.rename, "a", "a\0")
  end)
end)

describe("remove", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("removes files, links and empty directories", function()
    assert(scratch.sh("touch $D/f; mkdir $D/d $D/full; touch $D/full/f; ln -s full $D/link; " ..
      "ln -s none $D/dangling; mkfifo $D/fifo"))
    for _, name in ipairs({ "f", "d", "link", "dangling", "fifo" }) do
      assert.is_nil(await(fs.remove(scratch.path(name))))
    end
    assert.same({ "full" }, scratch.names())
    local err = fails_with("ENOTEMPTY", fs.remove(scratch.path("full")))
    assert.equal(("cannot remove '%s': directory not empty"):format(scratch.path("full")),
      err.message)
    err = fails_with("ENOENT", fs.remove(scratch.path("none")))
    assert.equal(scratch.path("none"), err.path)
    fails_with("ENOTDIR", fs.remove(scratch.path("full/f/g")))
  end)

  it("removes a tree, and nothing outside of it", function()
    assert(scratch.sh([[
      mkdir -p $D/tree/a/b/c $D/tree/d $D/tree/empty $D/out; touch $D/out/kept $D/tree/a/f
      touch $D/tree/a/b/c/f $D/tree/.hidden; ln -s ../out $D/tree/link; ln -s .. $D/tree/d/up
      ln -s none $D/tree/a/dangling; mkfifo $D/tree/d/fifo; chmod 0 $D/tree/.hidden
      for i in $(seq 300); do echo > $D/tree/d/$i; done]]))
    await(fs.remove(scratch.path("tree"), { recursive = true }))
    assert.same({ "out" }, scratch.names())
    assert.equal("", scratch.read("out/kept"))
  end)

  it("removes files and links the same way, a link with a slash after it, too", function()
    assert(scratch.sh("mkdir $D/d; touch $D/d/kept $D/f; ln -s d $D/link; ln -s d $D/slash"))
    for _, name in ipairs({ "f", "link", "slash/" }) do
      await(fs.remove(scratch.path(name), { recursive = true }))
    end
    assert.same({ "d" }, scratch.names())
    assert.equal("", scratch.read("d/kept"))
    await(fs.remove(scratch.path("d//"), { recursive = true }))
    assert.same({}, scratch.names())
    fails_with("ENOENT", fs.remove(scratch.path("d"), { recursive = true }))
  end)

  it("removes a tree that is deeper than paths can be long", function()
    assert(scratch.sh([[cd $D && perl -e 'for (1..1500) { mkdir "dd"; chdir "dd" }
      open F, ">", "bottom"; for (1..1500) { chdir ".."; mkdir "beside" }']]))
    local before = scratch.descriptors()
    await(fs.remove(scratch.path("dd"), { recursive = true }))
    assert.equal(before, scratch.descriptors())
    assert.is_false(await(fs.exists(scratch.path("dd"))))
  end)

  it("says what it could not remove", function()
    assert(scratch.sh("mkdir -p $D/tree/a/b/c $D/tree/z; touch $D/tree/a/b/c/f; " ..
      "chmod -R a+rx $D; chmod 777 $D/tree $D/tree/a $D/tree/a/b; chmod 700 $D/tree/z"))
    local output = scratch.run_as_nobody([[
      local lull, fs = require("lull"), require("lull.fs")
      local ok, err = pcall(lull.await, fs.remove(... .. "/tree/a", {recursive = true}))
      print(ok, err.code, err.path:sub(#... + 1), err.message:match("cannot remove"))
      ok, err = pcall(lull.await, fs.remove(... .. "/tree/z", {recursive = true}))
      print(ok, err.code, err.path:sub(#... + 1))
    ]])
    assert.equal("false\tEACCES\t/tree/a/b/c/f\tcannot remove\nfalse\tEACCES\t/tree/z\n", output)
    assert.equal("", scratch.read("tree/a/b/c/f"))
  end)

  it("can be done by many tasks at once, for the same tree", function()
    assert(scratch.sh("for i in 1 2 3 4 5; do mkdir -p $D/tree/$i/a/b; touch $D/tree/$i/f; done"))
    local removals = { return_exceptions = true }
    for i = 1, 8 do
      removals[i] = fs.remove(scratch.path("tree"), { recursive = true })
    end
    for _, err in ipairs(await(lull.gather(removals))) do
      assert.is_true(lull.is_error(err, lull.OSError))
      assert.equal("ENOENT", err.code)
    end
    assert.same({}, scratch.names())
  end)

  it("refuses what it does not understand", function()
    argument_error("#1 to 'remove' (string expected, got nil)", fs.remove)
    argument_error("#1 to 'remove' (a path has no zeros in it)", fs.remove, "a\0", {})
    argument_error("#2 to 'remove' (unknown option 'force')", fs.remove, "a", { force = true })
    argument_error("(option 'recursive' must be a boolean)", fs.remove, "a", { recursive = 1 })
  end)
end)
