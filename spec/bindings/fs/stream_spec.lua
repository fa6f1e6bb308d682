-- lull.fs: pipes and terminals, where data comes when it comes.
local fs = require("lull.fs")
local lull = require("lull")
local scratch = require("spec.scratch")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await
local turns = waiting.turns

local LIMIT = 20 -- seconds

-- A FIFO, and its end that reads.
local function new_fifo()
  assert(scratch.sh("mkfifo $D/fifo"))
  return scratch.path("fifo")
end

-- Something into a FIFO that somebody reads, by io's means.
local function feed(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("a FIFO", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("is waited for, until somebody writes to it", function()
    local path = new_fifo()
    local f <close> = await(fs.open(path))
    local reader = lull.create_task(f:read())
    turns(20)
    assert.is_false(reader:done())
    feed(path, "line\nrest")
    assert.equal("line", await(lull.wait_for(reader, LIMIT)))
    assert.equal("rest", await(f:read("a")))
    assert.is_nil(await(f:read("l")))
    assert.equal("", await(f:read("a")))
    feed(path, "more")
    assert.equal("more", await(f:read("a")))
  end)

  it("gives as many bytes as are asked for, however they come", function()
    local path = new_fifo()
    local f <close> = await(fs.open(path))
    local writer <close> = await(fs.open(path, "w"))
    local reader = lull.create_task(f:read(6))
    for _, piece in ipairs({ "ab", "c", "defg" }) do
      turns(20)
      assert.is_false(reader:done())
      await(writer:write(piece))
    end
    assert.equal("abcdef", await(lull.wait_for(reader, LIMIT)))
    await(writer:close())
    assert.equal("g", await(f:read(6)))
  end)

  it("keeps for the next read what came for one that was cancelled", function()
    local path = new_fifo()
    local f <close> = await(fs.open(path, "r+"))
    for _, format in ipairs({ "l", 100, "a" }) do
      local reader = lull.create_task(f:read(format))
      await(f:write("half"))
      turns(20)
      assert.is_false(reader:done())
      reader:cancel()
      waiting.raises(lull.CancelledError, await, reader)
      await(f:write(" whole\n"))
      assert.equal("half", await(f:read(4)))
      assert.equal(" whole", await(f:read("l")))
    end
  end)

  it("is waited for when it is to be written and nobody reads it yet", function()
    local path = new_fifo()
    local opening = lull.create_task(fs.open(path, "w"))
    for _ = 1, 3 do
      await(fs.exists(path))
    end
    assert.is_false(opening:done())
    local reader <close> = await(fs.open(path))
    local writer <close> = await(lull.wait_for(opening, LIMIT))
    await(writer:write("hello\n"))
    assert.equal("hello", await(reader:read()))
  end)

  it("is given up when the opening is cancelled; meanwhile other files can be opened", function()
    local path = new_fifo()
    local openings = {}
    for i = 1, 8 do
      openings[i] = lull.create_task(fs.open(path, "w"))
    end
    scratch.write("f", "text")
    assert.equal("text", await(lull.wait_for(fs.read_file(scratch.path("f")), LIMIT)))
    for _, opening in ipairs(openings) do
      opening:cancel()
    end
    local results = await(lull.gather({ return_exceptions = true, table.unpack(openings) }))
    for _, err in ipairs(results) do
      assert.is_true(lull.is_error(err, lull.CancelledError))
    end
  end)

  it("takes what fits, and the rest as it is read", function()
    local path = new_fifo()
    local reader <close> = await(fs.open(path))
    local writer <close> = await(fs.open(path, "w"))
    local text = ("0123456789"):rep(50000)
    local writing = lull.create_task(writer:write(text))
    turns(20)
    assert.is_false(writing:done())
    assert.equal(text, await(lull.wait_for(reader:read(#text), LIMIT)))
    assert.equal(writer, await(writing))
  end)

  it("gets nothing more of a write that is cancelled", function()
    local path = new_fifo()
    local reader <close> = await(fs.open(path))
    local writer <close> = await(fs.open(path, "w"))
    local text = ("0123456789"):rep(50000)
    local writing = lull.create_task(writer:write(text))
    turns(20)
    writing:cancel()
    waiting.raises(lull.CancelledError, await, writing)
    local rest = lull.create_task(reader:read("a"))
    await(writer:write("END"))
    await(writer:close())
    local got = await(lull.wait_for(rest, LIMIT))
    assert.is_true(#got > 3 and #got < #text)
    assert.equal(text:sub(1, #got - 3) .. "END", got)
  end)

  it("is an error to write when its reader is gone, and ends no process", function()
    local path = new_fifo()
    local reader = await(fs.open(path))
    local writer <close> = await(fs.open(path, "w"))
    await(reader:close())
    local err = waiting.raises(lull.OSError, await, writer:write("x"))
    assert.equal("EPIPE", err.code)
    assert.equal(("cannot write '%s': broken pipe"):format(path), err.message)
    local blocked <close> = await(fs.open(path, "r+"))
    local writing = lull.create_task(writer:write(("x"):rep(200000)))
    turns(20)
    assert.is_false(writing:done())
    await(blocked:close())
    err = waiting.raises(lull.OSError, await, lull.wait_for(writing, LIMIT))
    assert.equal("EPIPE", err.code)
  end)

  it("has no position", function()
    local f <close> = await(fs.open(new_fifo(), "r+"))
    local err = waiting.raises(lull.OSError, await, f:seek())
    assert.equal("ESPIPE", err.code)
    assert.equal(("cannot seek in '%s': invalid seek"):format(f.path), err.message)
  end)

  it("is read and written whole as files are", function()
    local path = new_fifo()
    local text = ("text\n"):rep(50000)
    local reading = lull.create_task(fs.read_file(path))
    local writing = lull.create_task(fs.write_file(path, text))
    assert.is_true(await(lull.wait_for(reading, LIMIT)) == text)
    assert.is_nil(await(lull.wait_for(writing, LIMIT)))
  end)
end)

describe("closing a file that is in use", function()
  tidy.watch(before_each, after_each)
  scratch.watch(before_each, after_each)

  it("waits for the operation that runs, and those before it", function()
    local path = new_fifo()
    local f <close> = await(fs.open(path))
    local log = {}
    local function note(name, object)
      return function()
        local _, value = pcall(await, object)
        log[#log + 1] = name .. " " .. tostring(value)
      end
    end
    local tasks = lull.gather(note("first", f:read()), note("second", f:read()),
      note("close", f:close()), note("late", f:read()))
    turns(20)
    assert.same({}, log)
    feed(path, "1\n2\n3\n")
    await(tasks)
    assert.same({ "first 1", "second 2", "close nil", "late attempt to use a closed file" }, log)
  end)

  it("happens though the task that closes it is cancelled while it waits", function()
    local before = scratch.descriptors()
    local f = await(fs.open(new_fifo(), "r+"))
    local reader = lull.create_task(f:read())
    turns(5)
    local closing = lull.create_task(f:close())
    turns(5)
    closing:cancel()
    waiting.raises(lull.CancelledError, await, closing)
    waiting.fails("attempt to use a closed file", await, reader)
    waiting.fails("attempt to use a closed file", f.read, f)
    assert.equal(before, scratch.descriptors())
    await(f:close())
  end)

  it("happens at a block's end that a cancellation leaves, also when another one comes", function()
    local before = scratch.descriptors()
    local path = new_fifo()
    local shared
    local task = lull.create_task(function()
      local f <close> = await(fs.open(path, "r+"))
      shared = f
      await(lull.sleep(1000))
    end)
    scratch.eventually(function()
      return shared ~= nil
    end)
    local reader = lull.create_task(shared:read())
    turns(5)
    task:cancel()
    turns(5)
    assert.is_false(task:done())
    task:cancel()
    waiting.raises(lull.CancelledError, await, task)
    waiting.fails("attempt to use a closed file", await, reader)
    assert.equal(before, scratch.descriptors())
  end)
end)

describe("standard input, opened by its name", function()
  scratch.watch(before_each, after_each)

  local code = [[
    local lull, fs = require("lull"), require("lull.fs")
    local f <close> = lull.await(fs.open("/dev/stdin"))
    for line in f:lines() do io.write("[", line, "]") end
    io.write(" ", tostring(lull.await(f:read("l"))))
  ]]

  it("is a pipe, which ends", function()
    assert.equal("[one][two] nil", (scratch.run(code, "printf 'one\\ntwo' |")))
    assert.equal(" nil", (scratch.run(code, "printf '' |")))
  end)

  it("is a pipe whose end comes late", function()
    assert.equal("[one][two] nil", (scratch.run(code, "{ echo one; sleep 0.1; echo two; } |")))
  end)

  it("is a file, or a device", function()
    scratch.write("f", "one\ntwo\n")
    assert.equal("[one][two] nil", (scratch.run(code, "<$D/f")))
    assert.equal(" nil", (scratch.run(code, "</dev/null")))
  end)

  it("is a terminal, whose lines are waited for", function()
    scratch.write("code.lua", [[
      local lull, fs = require("lull"), require("lull.fs")
      local f <close> = lull.await(fs.open("/dev/stdin"))
      io.write("[", lull.await(f:read()), "][", lull.await(f:read()), "]")
    ]])
    local pipe = assert(io.popen(("{ sleep 0.1; echo one; sleep 0.1; echo two; } | " ..
      "timeout 60 script -qec '%s %s' /dev/null"):format(os.getenv("LULL"),
      scratch.path("code.lua"))))
    local output = pipe:read("a"):gsub("\r", "")
    pipe:close()
    assert.matches("%[one%]%[two%]", output)
  end)

  it("can be read while other tasks go on, and a cancelled read loses nothing", function()
    local output = scratch.run([[
      local lull, fs = require("lull"), require("lull.fs")
      local f <close> = lull.await(fs.open("/dev/stdin"))
      local early = lull.await(lull.move_on_after(0.01, function() return lull.await(f:read()) end))
      print(early, lull.await(f:read()), lull.await(f:read()))
    ]], "{ sleep 0.2; echo one; echo two; } |")
    assert.matches("^false\tone\ttwo\n$", output)
  end)
end)
