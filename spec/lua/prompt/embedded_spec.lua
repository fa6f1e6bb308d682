-- prompt.run with descriptors of the program's choice: which it takes, where things appear, and how
-- a task that runs one is ended.
local prompt = require "lull.prompt"

local host = os.getenv("LULL") or "lull"

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read_and_remove(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  os.remove(path)
  return text
end

-- Runs code in the host whose descriptor 3 gives some input, and 4 takes output; gives what came
-- out there, on standard output and on standard error, and the exit code.
local function run(code, input)
  local base = os.tmpname()
  local _, _, status = os.execute(
    ("printf '%%s' %s | timeout 20 %s -e %s 3<&0 4>%s.out >%s.std 2>%s.err")
    :format(quote(input), host, quote(code), base, base, base))
  os.remove(base)
  return read_and_remove(base .. ".out"), read_and_remove(base .. ".std"),
    read_and_remove(base .. ".err"), status
end

-- The same with an input that is empty and has no end, unless the code writes to it.
local function run_open(code)
  local base = os.tmpname()
  os.execute(("mkfifo %s.in; timeout 20 %s -e %s 3<>%s.in 4>%s.out >%s.std 2>%s.err </dev/null")
    :format(base, host, quote(code), base, base, base, base))
  os.remove(base)
  os.remove(base .. ".in")
  return read_and_remove(base .. ".out"), read_and_remove(base .. ".std"),
    read_and_remove(base .. ".err")
end

describe("a prompt on given descriptors", function()
  local function refuses(options, message)
    local ok, err = pcall(prompt.run, options)
    assert.is_false(ok)
    assert.truthy(tostring(err):find(message, 1, true), err)
  end

  it("refuses an option that it does not know", function()
    refuses({inptu = 0}, "inptu")
    refuses(5, "bad argument #1 to 'run'")
  end)

  it("refuses what is no descriptor", function()
    for _, value in ipairs {-1, 1.5, "0", 0x80000000, io.stdin} do
      refuses({input = value}, "option 'input' must be a file descriptor")
      refuses({output = value}, "option 'output' must be a file descriptor")
    end
  end)

  it("refuses a descriptor that is not open", function()
    refuses({input = 98765}, "option 'input' is a descriptor that is not open")
    refuses({output = 98765}, "option 'output' is a descriptor that is not open")
  end)

  it("refuses one that is open the other way only", function()
    local _, _, err, status = run("require('lull.prompt').run {input = 4, output = 4}", "")
    assert.truthy(err:find("option 'input' is a descriptor that is not open for it", 1, true), err)
    assert.equal(1, status)
    _, _, err = run("require('lull.prompt').run {input = 3, output = 3}", "")
    assert.truthy(err:find("option 'output'", 1, true), err)
  end)

  it("refuses to run first what is no function", function()
    refuses({before = 1}, "option 'before' must be a function")
  end)

  it("shows there what it shows, and what print prints, but not what io.write writes", function()
    local out, std, err, status = run("require('lull.prompt').run {input = 3, output = 4}",
      "print('there', 1)\nio.write('here\\n')\nerror('boom')\nprint == _G.print\n")
    assert.truthy(out:find("^lull [^\n]*\n> there\t1\n> "), out)
    assert.truthy(out:find("lull: stdin:1: boom\nstack traceback:\n", 1, true), out)
    assert.truthy(out:find("> false\n> \n$"), out)
    assert.equal("here\n", std)
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("ends with :quit, and the program goes on", function()
    local out, std = run("require('lull.prompt').run {input = 3, output = 4} print('on')",
      ":quit\nprint('not reached')\n")
    assert.is_nil(out:find("not reached"))
    assert.equal("on\n", std)
  end)

  it("ends when its task is cancelled, before it starts, while it waits, or runs a line", function()
    local out, std, err = run_open([[
      local lull = require "lull"
      local await = lull.await
      local function start()
        return lull.create_task(function()
          require("lull.prompt").run {input = 3, output = 4}
        end)
      end
      local function cancel(task)
        task:cancel()
        print(pcall(await, task))
      end
      function note() return setmetatable({}, {__close = function()
        await(lull.sleep(0))
        print("closed")
      end}) end
      cancel(start())
      local task = start()
      await(lull.sleep(0.02))
      cancel(task)
      local input = io.open("/proc/self/fd/3", "w")
      input:write("local n <close> = note() running = true await(lull.future())\n")
      input:close()
      task = start()
      while not running do await(lull.sleep(0.001)) end
      cancel(task)
    ]])
    local cancelled = "false\tCancelledError: the task was cancelled\n"
    assert.equal(cancelled .. cancelled .. "closed\n" .. cancelled, std)
    assert.equal("", err)
    assert.is_nil(out:find("interrupted", 1, true))
  end)

  it("tells of a cancellation of what a line awaits as one of that line", function()
    local out, std = run([[
      local lull = require "lull"
      lull.await(lull.create_task(function()
        require("lull.prompt").run {input = 3, output = 4}
      end))
      print("to the end")
    ]], "f = lull.future() f:cancel()\nawait(f)\n'on'\n")
    assert.truthy(out:find("lull: interrupted\n> \"on\"\n> \n$"), out)
    assert.equal("to the end\n", std)
  end)

  it("leaves no descriptor behind", function()
    local _, std = run([[
      local function count()
        local pipe <close> = io.popen("ls /proc/$PPID/fd | wc -l")
        return pipe:read("n")
      end
      local prompt = require "lull.prompt"
      prompt.run {input = 3, output = 4}
      local before = count()
      for _ = 1, 5 do prompt.run {input = 3, output = 4} end
      print(count() - before)
    ]], "1\n")
    assert.equal("0\n", std)
  end)
end)
