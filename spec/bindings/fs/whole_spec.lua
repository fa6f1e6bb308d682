-- lull.fs: reading, writing and copying whole files.
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

local function mode_of(name)
  return await(fs.stat(scratch.path(name))).mode
end

-- A text that is none of a file's parts: every byte of it, and of no other length.
local function text_of(size)
  return ("\0\1\2...\r\n\xff0123456789abcdef"):rep(size // 20 + 1):sub(1, size)
end

local SIZES = { 0, 1, 4095, 4096, 4097, 1000000, 9000000 }

describe("a whole file", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("is written and read, whatever its size", function()
    local path = scratch.path("f")
    for _, size in ipairs(SIZES) do
      local text = text_of(size)
      assert.is_nil(await(fs.write_file(path, text)))
      assert.is_true(scratch.read("f") == text)
      assert.is_true(await(fs.read_file(path)) == text)
      assert.is_nil(await(fs.write_file(path, text, { atomic = true })))
      assert.is_true(await(fs.read_file(path)) == text)
    end
    assert.same({ "f" }, scratch.names())
  end)

  it("is written over, or to its end", function()
    local path = scratch.write("f", "a long text")
    await(fs.write_file(path, "short"))
    assert.equal("short", scratch.read("f"))
    await(fs.write_file(path, " and long", { append = true }))
    assert.equal("short and long", scratch.read("f"))
    await(fs.write_file(scratch.path("new"), "made", { append = true }))
    assert.equal("made", scratch.read("new"))
  end)

  it("is read though it does not tell its size", function()
    local text = await(fs.read_file("/proc/self/status"))
    assert.matches("^Name:", text)
    assert.matches("nonvoluntary_ctxt_switches:%s+%d+\n$", text)
    assert.equal("", await(fs.read_file("/dev/null")))
  end)

  it("has the permissions that are asked for when it is made", function()
    local umask = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      lull.await(fs.write_file(... .. "/plain", ""))
      lull.await(fs.write_file(... .. "/private", "", {mode = 384}))
      lull.await(fs.write_file(... .. "/all", "", {mode = 511}))
      lull.await(fs.write_file(... .. "/atomic", "", {mode = 511, atomic = true}))
      lull.await(fs.write_file(... .. "/new", "", {atomic = true}))
    ]], "umask 027;")
    assert.equal("", umask)
    assert.equal(tonumber("640", 8), mode_of("plain"))
    assert.equal(tonumber("600", 8), mode_of("private"))
    assert.equal(tonumber("750", 8), mode_of("all"))
    assert.equal(tonumber("750", 8), mode_of("atomic"))
    assert.equal(tonumber("640", 8), mode_of("new"))
  end)

  it("fails with what the system says", function()
    local path = scratch.path("none")
    local err = fails_with("ENOENT", fs.read_file(path))
    assert.equal(path, err.path)
    assert.equal(("cannot open '%s': no such file or directory"):format(path), err.message)
    assert.equal("OSError: " .. err.message, tostring(err))
    fails_with("ENOENT", fs.write_file(scratch.path("no/file"), "x"))
    fails_with("ENOENT", fs.write_file(scratch.path("no/file"), "x", { atomic = true }))
    fails_with("ENOENT", fs.write_file("", "x", { atomic = true }))
    err = fails_with("EISDIR", fs.read_file(scratch.dir))
    assert.equal(("cannot read '%s': illegal operation on a directory"):format(scratch.dir),
      err.message)
    fails_with("EISDIR", fs.write_file(scratch.dir, "x"))
    fails_with("EISDIR", fs.write_file(scratch.dir, "x", { atomic = true }))
    fails_with("ENAMETOOLONG", fs.read_file(("x"):rep(5000)))
    err = fails_with("ENOSPC", fs.write_file("/dev/full", "x"))
    assert.equal("/dev/full", err.path)
    assert.same({}, scratch.names())
  end)

  it("says no where rights are missing, and leaves nothing", function()
    scratch.write("secret", "x")
    assert(scratch.sh("chmod 600 $D/secret; mkdir $D/closed; chmod 700 $D/closed; chmod 755 $D"))
    local output = scratch.run_as_nobody([[
      local lull, fs = require("lull"), require("lull.fs")
      local dir = ...
      local function try(what, object)
        local ok, err = pcall(lull.await, object)
        local inside = not ok and err.path:sub(1, #dir) == dir
        print(what, ok or err.code, ok or err.path:sub(inside and #dir + 1 or 1))
      end
      try("read", fs.read_file(dir .. "/secret"))
      try("write", fs.write_file(dir .. "/new", "x"))
      try("atomic", fs.write_file(dir .. "/new", "x", {atomic = true}))
      try("over", fs.write_file(dir .. "/secret", "x", {atomic = true}))
      try("copy", fs.copy("/etc/passwd", dir .. "/copy"))
      try("open", fs.open(dir .. "/closed/x"))
      try("mkdir", fs.mkdir(dir .. "/new"))
      try("remove", fs.remove(dir .. "/secret"))
      try("tree", fs.remove(dir .. "/closed", {recursive = true}))
      try("watch", function() return fs.watch(dir .. "/closed/x") end)
      try("list", function() for _ in fs.scandir(dir .. "/closed") do end end)
      print(lull.await(fs.exists(dir .. "/closed/x")))
    ]])
    assert.equal([[
read	EACCES	/secret
write	EACCES	/new
atomic	EACCES	/new
over	EACCES	/secret
copy	EACCES	/etc/passwd
open	EACCES	/closed/x
mkdir	EACCES	/new
remove	EACCES	/secret
tree	EACCES	/closed
watch	EACCES	/closed/x
list	EACCES	/closed
false
]], output)
    assert.same({ "closed", "secret" }, scratch.names())
  end)

  it("refuses what it does not understand, in the caller", function()
    local function argument_error(text, f, ...)
      local ok, err = pcall(f, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(text, 1, true), err)
    end
    local path = scratch.path("f")
    argument_error("#1 to 'read_file' (string expected, got nil)", fs.read_file)
    argument_error("#1 to 'read_file' (a path has no zeros in it)", fs.read_file, "a\0")
    argument_error("#1 to 'write_file' (a path has no zeros in it)", fs.write_file, "\0", "x")
    argument_error("#2 to 'write_file' (string expected, got nil)", fs.write_file, path)
    argument_error("#2 to 'write_file' (string expected, got number)", fs.write_file, path, 1)
    argument_error("#3 to 'write_file' (table expected", fs.write_file, path, "", "a")
    argument_error("#3 to 'write_file' (unknown option 'atomc')", fs.write_file, path, "",
      { atomc = true })
    argument_error("(option 'atomic' must be a boolean)", fs.write_file, path, "", { atomic = 1 })
    argument_error("(option 'append' must be a boolean)", fs.write_file, path, "", { append = "" })
    argument_error("options 'append' and 'atomic' exclude each other", fs.write_file, path, "",
      { append = true, atomic = true })
    for _, mode in ipairs({ -1, 4096, 1.5, "644" }) do
      argument_error("(option 'mode' must be permission bits", fs.write_file, path, "",
        { mode = mode })
    end
    argument_error("#1 to 'copy' (string expected, got nil)", fs.copy)
    argument_error("#2 to 'copy' (a path has no zeros in it)", fs.copy, path, "a\0b")
    local ok, err = pcall(function()
      fs.read_file(nil)
    end)
    assert.is_false(ok)
    assert.matches("whole_spec%.lua:%d+: bad argument", err)
    assert.same({}, scratch.names())
  end)
end)

describe("a file that is replaced", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  local function replace(name, text, mode)
    await(fs.write_file(scratch.path(name), text, { atomic = true, mode = mode }))
  end

  it("is another one, with the permissions of the old, and its owner if that may be", function()
    scratch.write("f", "old")
    assert(scratch.sh("chmod 604 $D/f; test $(id -u) != 0 || chown 12:34 $D/f"))
    local old = await(fs.stat(scratch.path("f")))
    local f <close> = await(fs.open(scratch.path("f")))
    replace("f", "new")
    local new = await(fs.stat(scratch.path("f")))
    assert.is_true(old.ino ~= new.ino)
    assert.equal(old.mode, new.mode)
    assert.equal(old.uid, new.uid)
    assert.equal(old.gid, new.gid)
    assert.equal("new", scratch.read("f"))
    assert.equal("old", await(f:read("a")))
    replace("f", "newer", tonumber("600", 8))
    assert.equal(tonumber("600", 8), mode_of("f"))
  end)

  it("is what a link leads to, the link stays", function()
    scratch.write("target", "old")
    assert(scratch.sh([[
      mkdir $D/dir $D/sub
      ln -s target $D/relative; ln -s $D/target $D/absolute; ln -s relative $D/chain
      ln -s ../target $D/dir/up; ln -s dir/up $D/through; ln -s none $D/dangling
      ln -s loop $D/loop; ln -s $D/dir $D/todir]]))
    for _, name in ipairs({ "relative", "absolute", "chain", "dir/up", "through", "todir/up" }) do
      replace(name, "by " .. name)
      assert.equal("by " .. name, scratch.read("target"))
      assert.equal("link", await(fs.lstat(scratch.path(name))).type)
    end
    replace("dangling", "made")
    assert.equal("made", scratch.read("none"))
    fails_with("ELOOP", fs.write_file(scratch.path("loop"), "x", { atomic = true }))
    fails_with("EISDIR", fs.write_file(scratch.path("todir"), "x", { atomic = true }))
  end)

  it("may have any name, in the current directory, too", function()
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      local long = ("x"):rep(255)
      lull.await(fs.write_file("plain", "1", {atomic = true}))
      lull.await(fs.write_file(long, "2", {atomic = true}))
      lull.await(fs.copy("plain", "copy"))
      print(lull.await(fs.read_file("plain")), lull.await(fs.read_file(long)))
    ]], "cd $D;")
    assert.equal("1\t2\n", output)
    assert.same({ "copy", "plain", ("x"):rep(255) }, scratch.names())
  end)

  it("is a plain one: a device or a FIFO is not replaced", function()
    fails_with("EINVAL", fs.write_file("/dev/null", "x", { atomic = true }))
    assert.equal("char", await(fs.stat("/dev/null")).type)
    assert(scratch.sh("mkfifo $D/fifo"))
    local err = fails_with("EINVAL", fs.write_file(scratch.path("fifo"), "x", { atomic = true }))
    assert.equal(("cannot write '%s': invalid argument"):format(scratch.path("fifo")), err.message)
    fails_with("EINVAL", fs.copy("/proc/self/status", scratch.path("fifo")))
    assert.same({ "fifo" }, scratch.names())
  end)

  it("stays as it was when the new one cannot be written, and nothing is left", function()
    scratch.write("f", "old")
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      local big = ("x"):rep(100000)
      local ok, err = pcall(lull.await, fs.write_file(... .. "/f", big, {atomic = true}))
      print(ok, err.code, err.message:match("cannot write"))
      ok, err = pcall(lull.await, fs.write_file(... .. "/new", big, {atomic = true}))
      print(ok, err.code)
      lull.await(fs.write_file(... .. "/f", ("y"):rep(4000), {atomic = true}))
    ]], "trap '' XFSZ; ulimit -f 8;")
    assert.equal("false\tEFBIG\tcannot write\nfalse\tEFBIG\n", output)
    assert.same({ "f" }, scratch.names())
    assert.equal(("y"):rep(4000), scratch.read("f"))
  end)

  it("is old or new, whole, at whatever moment the process is killed", function()
    local size = 300000
    local names = { a = ("a"):rep(size), b = ("b"):rep(size) }
    scratch.write("f", names.a)
    local code = scratch.write("writer.lua", ([[
      local lull, fs = require("lull"), require("lull.fs")
      local a, b = ("a"):rep(%d), ("b"):rep(%d)
      io.open(... .. "/ready", "w"):close()
      while true do
        lull.await(fs.write_file(... .. "/f", b, {atomic = true}))
        lull.await(fs.write_file(... .. "/f", a, {atomic = true}))
      end
    ]]):format(size, size))
    math.randomseed(7)
    local seen = {}
    for _ = 1, 100 do
      scratch.sh(([[rm -f $D/ready; i=0; { %s %s $D &
        until test -e $D/ready || test $i -gt 9999; do sleep 0.001; i=$((i + 1)); done
        sleep %.4f; kill -9 $!; wait $!; } 2>/dev/null]]):format(os.getenv("LULL"), code,
        0.03 * math.random()))
      local text = scratch.read("f")
      local which = text:sub(1, 1)
      assert(text == names[which], ("%d bytes, from %q"):format(#text, which))
      seen[which] = (seen[which] or 0) + 1
    end
    assert.is_true((seen.a or 0) > 0 and (seen.b or 0) > 0)
  end)
end)

describe("a copy", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("has the contents and the permissions, whatever the size", function()
    for _, size in ipairs(SIZES) do
      local text = text_of(size)
      local from = scratch.write("from", text)
      assert(scratch.sh("chmod 640 $D/from"))
      assert.is_nil(await(fs.copy(from, scratch.path("to"))))
      assert.is_true(scratch.read("to") == text)
      assert.equal(tonumber("640", 8), mode_of("to"))
    end
    assert.same({ "from", "to" }, scratch.names())
  end)

  it("is made of files that may only be read, and does not take over more rights", function()
    local from = scratch.write("from", "text")
    assert(scratch.sh("chmod 4555 $D/from"))
    await(fs.copy(from, scratch.path("to")))
    assert.equal(tonumber("555", 8), mode_of("to"))
    await(fs.copy(from, scratch.path("to")))
    assert.equal("text", scratch.read("to"))
  end)

  it("is made of what does not tell its size", function()
    await(fs.copy("/proc/self/status", scratch.path("to")))
    assert.matches("^Name:.*nonvoluntary_ctxt_switches:%s+%d+\n$", scratch.read("to"))
  end)

  it("takes the place of the target, or of what it leads to", function()
    local from = scratch.write("from", "new")
    scratch.write("to", "old")
    assert(scratch.sh("ln -s to $D/link; ln -s from $D/source; ln $D/to $D/hard"))
    await(fs.copy(scratch.path("source"), scratch.path("link")))
    assert.equal("new", scratch.read("to"))
    assert.equal("old", scratch.read("hard"))
    assert.equal("link", await(fs.lstat(scratch.path("link"))).type)
    await(fs.copy(from, from))
    assert.equal("new", scratch.read("from"))
    assert.same({ "from", "hard", "link", "source", "to" }, scratch.names())
  end)

  it("that fails names the source, and leaves the target that was there, or none", function()
    local to = scratch.path("to")
    local err = fails_with("ENOENT", fs.copy(scratch.path("none"), to))
    assert.equal(scratch.path("none"), err.path)
    assert.equal(("cannot copy '%s' to '%s': no such file or directory"):format(err.path, to),
      err.message)
    local from = scratch.write("from", "text")
    assert.equal(from, fails_with("ENOENT", fs.copy(from, scratch.path("no/dir"))).path)
    fails_with("EISDIR", fs.copy(from, scratch.dir))
    fails_with("EISDIR", fs.copy(scratch.dir, to))
    fails_with("EINVAL", fs.copy("/dev/zero", to))
    fails_with("EINVAL", fs.copy(from, "/dev/null"))
    assert.same({ "from" }, scratch.names())
  end)

  it("that the disk has no room for leaves the target that was there", function()
    scratch.write("from", ("x"):rep(100000))
    scratch.write("to", "old")
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      for _, name in ipairs {"/to", "/new"} do
        local ok, err = pcall(lull.await, fs.copy(... .. "/from", ... .. name))
        print(ok, err.code, err.path == ... .. "/from")
      end
    ]], "trap '' XFSZ; ulimit -f 8;")
    assert.equal("false\tEFBIG\ttrue\nfalse\tEFBIG\ttrue\n", output)
    assert.equal("old", scratch.read("to"))
    assert.same({ "from", "to" }, scratch.names())
  end)
end)
