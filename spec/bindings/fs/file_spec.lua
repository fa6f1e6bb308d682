-- lull.fs: open files on disks.
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

local function argument_error(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(err))
  assert.is_truthy(err:find(text, 1, true), err)
  assert.is_truthy(err:find("file_spec.lua", 1, true), err)
end

describe("an open file", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("is read in lines, without their ends or with them, in bytes, and to the end", function()
    local path = scratch.write("f", "one\n\ntwo\r\nthr\0ee\nlast")
    local f <close> = await(fs.open(path))
    assert.equal("one", await(f:read()))
    assert.equal("", await(f:read("l")))
    assert.equal("two\r\n", await(f:read("L")))
    assert.equal("thr\0", await(f:read(4)))
    assert.equal("", await(f:read(0)))
    assert.equal("ee\nl", await(f:read(4)))
    assert.equal("ast", await(f:read("*a")))
    assert.equal("", await(f:read("a")))
    assert.is_nil(await(f:read("l")))
    assert.is_nil(await(f:read("L")))
    assert.is_nil(await(f:read(5)))
    assert.is_nil(await(f:read(0)))
  end)

  it("gives lines that are longer than what is read at a time", function()
    local long, longer = ("x"):rep(65536), ("y"):rep(200001)
    local path = scratch.write("f", long .. "\n" .. longer .. "\n\n" .. long)
    local f <close> = await(fs.open(path))
    local lines = {}
    for line in f:lines() do
      lines[#lines + 1] = line
    end
    assert.same({ long, longer, "", long }, lines)
  end)

  it("gives large pieces whole", function()
    local text = ("0123456789abcdef"):rep(200000)
    local path = scratch.write("f", text)
    local f <close> = await(fs.open(path))
    assert.equal("01", await(f:read(2)))
    assert.equal(text:sub(3, 3000000), await(f:read(2999998)))
    assert.equal(text:sub(3000001), await(f:read(10000000)))
  end)

  it("gives lines to a loop, in each format, and stays open", function()
    local path = scratch.write("f", "a\nb\nc")
    local f <close> = await(fs.open(path))
    local lines = {}
    for line in f:lines("L") do
      lines[#lines + 1] = line
    end
    assert.same({ "a\n", "b\n", "c" }, lines)
    await(f:seek("set"))
    local pieces = {}
    for piece in f:lines(2) do
      pieces[#pieces + 1] = piece
    end
    assert.same({ "a\n", "b\n", "c" }, pieces)
    assert.equal("file (" .. path .. ")", tostring(f))
  end)

  it("writes strings and numbers, and gives itself", function()
    local f <close> = await(fs.open(scratch.path("f"), "w"))
    assert.equal(f, await(f:write("a", 1, "b", 2.5)))
    assert.equal(f, await(await(f:write("\0")):write()))
    assert.equal("a1b2.5\0", scratch.read("f"))
  end)

  it("shows others at once what was written", function()
    local f <close> = await(fs.open(scratch.path("f"), "w"))
    for i = 1, 3 do
      await(f:write("line ", i, "\n"))
      assert.equal(("line %d\n"):format(i), scratch.read("f"):sub(-7))
    end
    assert.equal(f, await(f:flush()))
    assert.equal(f, await(f:sync()))
  end)

  for _, mode in ipairs({ "r", "rb", "w", "wb", "a", "r+", "w+", "a+", "r+b" }) do
    it(("does in mode %q what io's files do"):format(mode), function()
      local function try(open, read, write, seek, name)
        scratch.write(name, "some contents")
        local f = assert(open(scratch.path(name), mode))
        local log = { (seek(f, "cur", 0)) }
        log[#log + 1] = read(f, 4) or "none"
        seek(f, "cur", 0)
        log[#log + 1] = write(f, "NEW") and "written" or "not written"
        log[#log + 1] = seek(f, "cur", 0)
        seek(f, "set", 2)
        log[#log + 1] = read(f, 100) or "none"
        return f, log
      end
      local plain, expected = try(io.open, function(f, n)
        return (f:read(n))
      end, function(f, s)
        return f:write(s) and f:flush()
      end, function(f, ...)
        return (f:seek(...))
      end, "io")
      plain:close()
      local ours, log = try(function(...)
        return await(fs.open(...))
      end, function(f, n)
        local ok, text = pcall(await, f:read(n))
        return ok and text or nil
      end, function(f, s)
        return (pcall(await, f:write(s)))
      end, function(f, ...)
        return await(f:seek(...))
      end, "fs")
      await(ours:close())
      assert.same(expected, log)
      assert.equal(scratch.read("io"), scratch.read("fs"))
    end)
  end

  it("makes a file in the modes that do, and in no other", function()
    for _, mode in ipairs({ "w", "a", "w+", "a+" }) do
      local name = "new " .. mode
      await(await(fs.open(scratch.path(name), mode)):close())
      assert.equal("", scratch.read(name))
    end
    for _, mode in ipairs({ "r", "r+" }) do
      local err = fails_with("ENOENT", await, fs.open(scratch.path("none"), mode))
      assert.equal(scratch.path("none"), err.path)
      assert.equal(("cannot open '%s': no such file or directory"):format(err.path), err.message)
    end
  end)

  it("does what io's files do, whatever is done in which order", function()
    math.randomseed(20240607)
    for round = 1, 20 do
      local text = {}
      for i = 1, math.random(0, 3000) do
        text[i] = string.char(math.random(97, 122)) .. (math.random(20) == 1 and "\n" or "")
      end
      local contents = table.concat(text)
      scratch.write("io", contents)
      scratch.write("fs", contents)
      local mode = ({ "r+", "a+", "w+" })[round % 3 + 1]
      local plain = assert(io.open(scratch.path("io"), mode))
      local ours <close> = await(fs.open(scratch.path("fs"), mode))
      for _ = 1, 100 do
        local step = math.random(7)
        plain:seek("cur", 0) -- stdio wants it between reads and writes
        if step <= 4 then
          local format = ({ "l", "L", math.random(0, 200), "a" })[step]
          if format ~= "a" or math.random(5) == 1 then
            assert.equal(plain:read(format), (await(ours:read(format))))
          end
        elseif step == 5 then
          local data = ("W"):rep(math.random(50))
          plain:write(data)
          plain:flush()
          await(ours:write(data))
        else
          local whence = ({ "set", "cur", "end" })[math.random(3)]
          local offset = math.random(-100, 500)
          local expected = plain:seek(whence, offset)
          local ok, at = pcall(await, ours:seek(whence, offset))
          assert.equal(expected ~= nil, ok)
          assert(not ok or at == expected)
        end
        assert.equal(plain:seek("cur", 0), (await(ours:seek())))
      end
      plain:close()
      assert.equal(scratch.read("io"), scratch.read("fs"))
    end
  end)

  it("refuses a position before the beginning", function()
    local f <close> = await(fs.open(scratch.write("f", "abc")))
    assert.equal(3, await(f:seek("end")))
    local err = fails_with("EINVAL", await, f:seek("cur", -4))
    assert.equal(scratch.path("f"), err.path)
    assert.equal(3, await(f:seek()))
    assert.equal(1 << 40, await(f:seek("set", 1 << 40)))
    assert.is_nil(await(f:read(1)))
  end)

  it("fails with what the system says", function()
    local reader <close> = await(fs.open(scratch.write("f", "x")))
    fails_with("EBADF", await, reader:write("y"))
    local writer <close> = await(fs.open(scratch.path("f"), "a"))
    fails_with("EBADF", await, writer:read("l"))
    local dir <close> = await(fs.open(scratch.dir))
    local err = fails_with("EISDIR", await, dir:read("a"))
    assert.equal(("cannot read '%s': illegal operation on a directory"):format(scratch.dir),
      err.message)
    fails_with("EISDIR", await, fs.open(scratch.dir, "w"))
    fails_with("ENOTDIR", await, fs.open(scratch.path("f/g")))
  end)

  it("loses nothing silently when the disk is full", function()
    local f <close> = await(fs.open("/dev/full", "w"))
    local err = fails_with("ENOSPC", await, f:write("x"))
    assert.equal("cannot write '/dev/full': no space left on device", err.message)
    assert.equal("/dev/full", err.path)
    await(f:flush())
  end)

  it("keeps the position after what was written when a write fails midway", function()
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      local f <close> = lull.await(fs.open(... .. "/f", "w"))
      lull.await(f:write(("x"):rep(1000)))
      print(pcall(lull.await, f:write(("y"):rep(100000))))
      print(lull.await(f:seek()), lull.await(f:seek("end")))
    ]], "trap '' XFSZ; ulimit -f 8;")
    local size = output:match("file too large\n(%d+)\t%1\n")
    assert.is_truthy(size, output)
    assert.equal(tonumber(size), #scratch.read("f"))
  end)

  it("reads and writes devices", function()
    local zero <close> = await(fs.open("/dev/zero", "r+"))
    assert.equal(("\0"):rep(100000), await(zero:read(100000)))
    await(zero:write("gone"))
    local null <close> = await(fs.open("/dev/null", "r+"))
    await(null:write("gone"))
    assert.equal("", await(null:read("a")))
    assert.is_nil(await(null:read("l")))
    fails_with("ESPIPE", await, null:seek())
  end)

  it("is read flat, however large it is", function()
    local f <close> = await(fs.open(scratch.path("f"), "w+"))
    local size = 64 << 20
    await(f:seek("set", size - 1))
    await(f:write("\0"))
    await(f:seek("set"))
    collectgarbage()
    local before, most, total = collectgarbage("count"), 0, 0
    for piece in f:lines(65536) do
      total = total + #piece
      if total % (4 << 20) == 0 then -- what is not garbage
        collectgarbage()
        most = math.max(most, collectgarbage("count"))
      end
    end
    assert.equal(size, total)
    assert.is_true(most > 0 and most - before < 1024, ("%.0f KiB more"):format(most - before))
  end)

  it("refuses what it does not understand, in the caller", function()
    local f <close> = await(fs.open(scratch.write("f", "abc"), "r+"))
    argument_error("bad argument #1 to 'open' (string expected, got nil)", function()
      fs.open()
    end)
    argument_error("bad argument #1 to 'open' (string expected, got number)", function()
      fs.open(1)
    end)
    argument_error("bad argument #1 to 'open' (a path has no zeros in it)", function()
      fs.open("a\0b")
    end)
    argument_error("bad argument #2 to 'open' (invalid mode)", function()
      fs.open("a", "rw")
    end)
    argument_error("bad argument #2 to 'open' (string expected, got boolean)", function()
      fs.open("a", true)
    end)
    for _, format in ipairs({ "n", "", "x", -1, 1.5, true, {} }) do
      argument_error("bad argument #1 to 'read' (invalid format", function()
        f:read(format)
      end)
      argument_error("bad argument #1 to 'lines' (invalid format", function()
        f:lines(format)
      end)
    end
    argument_error("bad argument #2 to 'write' (string expected, got nil)", function()
      f:write("a", nil, "b")
    end)
    argument_error("bad argument #1 to 'seek'", function()
      f:seek("start")
    end)
    argument_error("bad argument #2 to 'seek' (number expected, got string)", function()
      f:seek("set", "1")
    end)
    argument_error("bad argument #2 to 'seek' (number has no integer representation)", function()
      f:seek("set", 1.5)
    end)
    for _, name in ipairs({ "read", "write", "lines", "seek", "flush", "sync", "close" }) do
      argument_error(("calling '%s' on bad self"):format(name), function()
        f[name]("file")
      end)
    end
    assert.equal("abc", scratch.read("f"))
  end)
end)

describe("closing a file", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("makes every use of it an error", function()
    local f = await(fs.open(scratch.write("f", "abc\n"), "r+"))
    local late, lines = f:read(), f:lines()
    await(f:close())
    assert.equal("file (closed)", tostring(f))
    for _, name in ipairs({ "read", "write", "lines", "seek", "flush", "sync" }) do
      argument_error("attempt to use a closed file", function()
        f[name](f)
      end)
    end
    waiting.fails("attempt to use a closed file", await, late)
    waiting.fails("attempt to use a closed file", lines)
  end)

  it("can be done again, and at a block's end", function()
    local kept
    do
      local f <close> = await(fs.open(scratch.write("f", "abc"), "r+"))
      kept = f
      assert.is_nil(await(f:close()))
      assert.is_nil(await(f:close()))
    end
    await(kept:close())
    assert.equal("file (closed)", tostring(kept))
  end)

  it("gives its descriptor back at once", function()
    local before = scratch.descriptors()
    for _ = 1, 100 do
      local f <close> = await(fs.open("/dev/null"))
      await(f:read(1))
    end
    assert.equal(before, scratch.descriptors())
  end)

  it("happens when the file is collected", function()
    local before = scratch.descriptors()
    for _ = 1, 100 do
      await(fs.open("/dev/null"))
    end
    assert.is_true(scratch.descriptors() >= before)
    collectgarbage()
    collectgarbage()
    assert.equal(before, scratch.descriptors())
  end)

  it("is not needed in other programs: they do not get the descriptor", function()
    local path = scratch.write("f", "")
    local f <close> = await(fs.open(path))
    local pipe = assert(io.popen("ls -l /proc/self/fd"))
    local listing = pipe:read("a")
    pipe:close()
    assert.is_nil(listing:find(path, 1, true))
    assert.equal("", await(f:read("a")))
  end)
end)

describe("operations of several tasks on one file", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("give each line to one of them, whole", function()
    local expected, lines = {}, {}
    for i = 1, 2000 do
      expected[i] = ("line %d %s"):format(i, ("x"):rep(i % 300))
    end
    local f <close> = await(fs.open(scratch.write("f", table.concat(expected, "\n"))))
    local readers = {}
    for i = 1, 8 do
      readers[i] = function()
        for line in f:lines() do
          lines[#lines + 1] = line
          await(lull.sleep(0))
        end
      end
    end
    await(lull.gather(readers))
    assert.same(expected, lines)
  end)

  it("write one after the other, in the order in which they began", function()
    local f <close> = await(fs.open(scratch.path("f"), "w"))
    local writes, expected = {}, {}
    for i = 1, 50 do
      expected[i] = tostring(i % 10):rep(100000)
      writes[i] = f:write(expected[i])
    end
    await(lull.gather(writes))
    assert.is_true(scratch.read("f") == table.concat(expected))
  end)

  it("can be a thousand, on a thousand files", function()
    local before = scratch.descriptors()
    local jobs = { limit = 200 }
    for i = 1, 1000 do
      jobs[i] = function()
        local f <close> = await(fs.open(scratch.path("f" .. i), "w+"))
        await(f:write(i, "\n"))
        await(f:seek("set"))
        return await(f:read())
      end
    end
    local results = await(lull.gather(jobs))
    for i = 1, 1000 do
      assert.equal(tostring(i), results[i])
    end
    assert.equal(before, scratch.descriptors())
  end)
end)
