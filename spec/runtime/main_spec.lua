-- The host from outside: each test starts the program and looks at its output and exit code.
local host = os.getenv("LULL") or "lull"

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

describe("the host", function()
  local folder

  before_each(function()
    local pipe = assert(io.popen("mktemp -d"))
    folder = pipe:read("l")
    pipe:close()
  end)

  after_each(function() os.execute("rm -rf " .. quote(folder)) end)

  -- Runs a shell command in the folder, where $LULL is the host; gives exit code, stdout, stderr.
  local function shell(command, env)
    local _, _, code = os.execute(("cd %s && %s LULL=%s timeout 60 sh -c %s >out 2>err </dev/null")
      :format(quote(folder), env or "env -u LULL_DEBUG -u LUA_INIT", quote(host), quote(command)))
    return code, read(folder .. "/out"), read(folder .. "/err")
  end

  -- The same for a script, which is app.lua, and what comes before and after it.
  local function run(script, options, arguments, env)
    write(folder .. "/app.lua", script)
    local command = ('"$LULL" %s app.lua %s'):format(options or "", arguments or "")
    return shell(command, env)
  end

  local function assert_fails(message, code, out, err)
    assert.equal(message, err)
    assert.equal("", out)
    assert.equal(1, code)
  end

  describe("running a script", function()
    it("gives it the arguments as `...` and in `arg`", function()
      local code, out, err = run([[
        print(...)
        print(#arg, arg[0], arg[1], arg[2], arg[-1] == os.getenv("LULL"), arg[-2])
      ]], nil, "one 'two words'")
      assert.equal("one\ttwo words\n2\tapp.lua\tone\ttwo words\ttrue\tnil\n", out)
      assert.equal("", err)
      assert.equal(0, code)
    end)

    it("puts the options at negative places of `arg`", function()
      local _, out = run("print(arg[-1], arg[-2], arg[-3] == os.getenv('LULL'))", "--debug --")
      assert.equal("--\t--debug\ttrue\n", out)
    end)

    it("makes it the main task, which may await at its top level", function()
      local code, out = run([[
        local lull = require "lull"
        lull.await(lull.sleep(0.001))
        print(lull.current_task():get_name())
      ]])
      assert.equal("main\n", out)
      assert.equal(0, code)
    end)

    it("cancels the other tasks at its end and lets their cleanup await", function()
      local code, out, err = run([[
        local lull = require "lull"
        local await = lull.await
        lull.create_task(function()
          local _ <close> = setmetatable({}, {__close = function()
            await(lull.sleep(0.01))
            print("clean")
          end})
          await(lull.event():wait())
        end)
        await(lull.sleep(0))
        print("end")
      ]])
      assert.equal("end\nclean\n", out)
      assert.equal("", err)
      assert.equal(0, code)
    end)

    it("reads it from standard input, when that is no terminal or is asked for with -", function()
      local script = "print(arg[0], ...)"
      write(folder .. "/app.lua", script)
      local code, out = shell('"$LULL" <app.lua')
      assert.equal(host .. "\n", out)
      assert.equal(0, code)
      code, out = shell('"$LULL" - one <app.lua')
      assert.equal("-\tone\n", out)
      assert.equal(0, code)
    end)

    it("skips a first line that starts with #", function()
      local code, out = run("#!/usr/bin/env lull\nprint('ran')")
      assert.equal("ran\n", out)
      assert.equal(0, code)
    end)
  end)

  describe("a script that cannot be run", function()
    it("is named when it does not exist", function()
      assert_fails("lull: cannot open none.lua: No such file or directory\n",
        shell('"$LULL" none.lua'))
    end)

    it("is named when it is a directory", function()
      assert_fails("lull: cannot read .: Is a directory\n", shell('"$LULL" .'))
    end)

    it("is named with the line when it does not parse", function()
      assert_fails("lull: app.lua:2: unexpected symbol near '='\n", run("print(1)\nx = = 3"))
    end)

    it("is told of as standard input when it came from there", function()
      write(folder .. "/app.lua", "x = = 3")
      assert_fails("lull: stdin:1: unexpected symbol near '='\n", shell('"$LULL" - <app.lua'))
    end)
  end)

  describe("a script that fails", function()
    it("ends with its message, a traceback and exit code 1", function()
      assert_fails("lull: app.lua:2: boom\n" ..
        "stack traceback:\n" ..
        "\tapp.lua:2: in upvalue 'inner'\n" ..
        "\tapp.lua:4: in local 'outer'\n" ..
        "\tapp.lua:5: in main chunk\n",
        run('local function inner()\n  error("boom")\nend\n' ..
          "local function outer() inner() print() end\nouter()"))
    end)

    it("has a traceback that goes on through the tasks that awaited it", function()
      assert_fails("lull: app.lua:3: boom\n" ..
        "stack traceback:\n" ..
        "\tapp.lua:3: in function <app.lua:3>\n" ..
        "\tapp.lua:4: in function <app.lua:4>\n" ..
        "  awaited by task 'outer':\n" ..
        "\tapp.lua:5: in function <app.lua:5>\n" ..
        "  awaited by task 'main':\n" ..
        "\tapp.lua:6: in main chunk\n",
        run('local lull = require "lull"\n' ..
          "local async, await = lull.async, lull.await\n" ..
          'local inner = async(function() await(lull.sleep(0)) error("boom") end)\n' ..
          "local middle = async(function() await(inner()) end)\n" ..
          "local outer = async(function() await(lull.create_task(middle())) end)\n" ..
          'await(lull.create_task(outer(), {name = "outer"}))\n'))
    end)

    it("has a traceback that goes on through gather", function()
      local code, _, err = run('local lull = require "lull"\n' ..
        "local async, await = lull.async, lull.await\n" ..
        'local bad = async(function() await(lull.sleep(0)) error("boom") end)\n' ..
        "await(lull.gather(bad(), lull.sleep(1)))\n")
      assert.equal("lull: app.lua:3: boom\n" ..
        "stack traceback:\n" ..
        "\tapp.lua:3: in function <app.lua:3>\n" ..
        "  awaited by task 'main':\n" ..
        "\tapp.lua:4: in main chunk\n", err)
      assert.equal(1, code)
    end)

    it("tells an error object by its __tostring, or by its type", function()
      assert_fails("lull: ParseError: bad token\nstack traceback:\n\tapp.lua:2: in main chunk\n",
        run('local lull = require "lull"\nerror(lull.Error:extend("ParseError")("bad token"))'))
      assert_fails("lull: (error object is a table value)\n" ..
        "stack traceback:\n\tapp.lua:1: in main chunk\n", run("error({})"))
      assert_fails("lull: (error object is a nil value)\n" ..
        "stack traceback:\n\tapp.lua:1: in main chunk\n", run("error(nil)"))
      assert_fails("lull: (error object whose __tostring fails)\n" ..
        "stack traceback:\n\tapp.lua:1: in main chunk\n",
        run("error(setmetatable({}, {__tostring = error}))"))
    end)

    it("lists the errors of a group", function()
      local code, _, err = run([[
        local lull = require "lull"
        local tg <close> = lull.task_group()
        tg:create_task(function() error("one", 0) end)
        tg:create_task(function() error("two", 0) end)
        lull.await(lull.sleep(1))
      ]])
      assert.equal("lull: ExceptionGroup: tasks of a group failed (2 errors)\n  one\n  two\n", err)
      assert.equal(1, code)
    end)

    it("is told of when it cancels itself", function()
      local code, _, err = run([[
        local lull = require "lull"
        lull.current_task():cancel("enough")
        lull.await(lull.sleep(1))
      ]])
      assert.equal("lull: CancelledError: enough\n", err)
      assert.equal(1, code)
    end)

    it("still lets the other tasks clean up", function()
      local code, out = run([[
        local lull = require "lull"
        lull.create_task(function()
          local _ <close> = setmetatable({}, {__close = function()
            lull.await(lull.sleep(0))
            print("clean")
          end})
          lull.await(lull.sleep(60))
        end)
        lull.await(lull.sleep(0))
        error("boom")
      ]])
      assert.equal("clean\n", out)
      assert.equal(1, code)
    end)
  end)

  describe("warnings", function()
    it("tell of a coroutine object that is left unawaited, and where it was made", function()
      local code, out, err = run('local lull = require "lull"\n' ..
        "local f = lull.async(function() end)\n" ..
        "\nlocal kept = f()\nprint(kept)")
      assert.equal("lull: warning: coroutine object (app.lua:2) was never awaited " ..
        "(made at app.lua:4)\n", err)
      assert.equal("coroutine object (app.lua:2)\n", out)
      assert.equal(0, code)
    end)

    it("tell of an unawaited coroutine object soon after it is collected", function()
      local _, out = run('local lull = require "lull"\n' ..
        "lull.async(function() end)()\n" ..
        "collectgarbage()\n" ..
        "lull.await(lull.sleep(0)) lull.await(lull.sleep(0))\n" ..
        'io.stderr:write("then\\n")', nil, "2>&1")
      assert.equal("lull: warning: coroutine object (app.lua:2) was never awaited " ..
        "(made at app.lua:2)\nthen\n", out)
    end)

    it("name the operation when it is one of lull's", function()
      local _, _, err = run('local lull = require "lull"\nlull.sleep(1)')
      assert.equal("lull: warning: coroutine object (sleep) was never awaited " ..
        "(made at app.lua:2)\n", err)
    end)

    it("tell of a task that failed and that nobody looked at, with its traceback", function()
      local code, _, err = run('local lull = require "lull"\n' ..
        "local t = lull.create_task(function()\n" ..
        '  error("oops")\n' ..
        'end, {name = "worker"})\n' ..
        "lull.await(lull.sleep(0))\nprint(t)")
      assert.equal("lull: warning: task 'worker' failed and nobody looked: app.lua:3: oops\n" ..
        "stack traceback:\n" ..
        "\tapp.lua:3: in function <app.lua:2>\n", err)
      assert.equal(0, code)
    end)

    it("tell of failures at exit in the order they happened", function()
      local _, _, err = run([[
        local lull = require "lull"
        tasks = {}
        for i = 1, 20 do
          tasks[i] = lull.create_task(function() error("oops" .. i, 0) end)
        end
        lull.await(lull.sleep(0))
      ]])
      local seen = {}
      for number in err:gmatch("looked: oops(%d+)") do seen[#seen + 1] = tonumber(number) end
      assert.equal(20, #seen)
      for i = 1, 20 do assert.equal(i, seen[i]) end
    end)

    it("are not given for a failure that somebody saw", function()
      local code, _, err = run([[
        local lull = require "lull"
        local function bad() error("oops") end
        local t, u = lull.create_task(bad), lull.create_task(bad)
        pcall(lull.await, t)
        print(u:exception())
      ]])
      assert.equal("", err)
      assert.equal(0, code)
    end)
  end)

  describe("a deadlock", function()
    local script = 'local lull = require "lull"\n' ..
      "local await = lull.await\n" ..
      "local queue = lull.queue()\n" ..
      "lull.create_task(function()\n" ..
      "  local _ <close> = setmetatable({}, {__close = function()\n" ..
      "    await(lull.sleep(0.001))\n" ..
      '    print("clean")\n' ..
      "  end})\n" ..
      "  await(queue:get())\n" ..
      'end, {name = "getter"})\n' ..
      "await(lull.event():wait())"

    it("is an error that lists each task and the line where it waits", function()
      local code, _, err = run(script)
      assert.equal("lull: deadlock: every task waits and nothing can wake one\n" ..
        "\ttask 'main' waits for an event at app.lua:11\n" ..
        "\ttask 'getter' waits for an item of a queue at app.lua:9\n", err)
      assert.equal(1, code)
    end)

    it("cancels the tasks, whose cleanup may await", function()
      local _, out = run(script)
      assert.equal("clean\n", out)
    end)

    it("is found when a task awaits its own end through another", function()
      local code, _, err = run([[
        local lull = require "lull"
        local main = lull.current_task()
        lull.await(lull.create_task(function() lull.await(main) end, {name = "other"}))
      ]])
      assert.truthy(err:find("task 'main' waits for a task at app.lua:3", 1, true), err)
      assert.truthy(err:find("task 'other' waits for a task at app.lua:3", 1, true), err)
      assert.equal(1, code)
    end)

    it("ends the process even if a task goes on waiting whenever it is cancelled", function()
      local code, _, err = run([[
        local lull = require "lull"
        while true do pcall(lull.await, lull.future()) end
      ]])
      assert.truthy(err:find("^lull: deadlock: "), err)
      assert.equal(1, code)
    end)
  end)

  describe("SIGINT", function()
    -- Starts app.lua, waits until it has said each word, and interrupts it then.
    local function interrupt(script, words)
      write(folder .. "/app.lua", 'io.stdout:setvbuf("no")\n' .. script)
      local lines = {'"$LULL" app.lua & pid=$!'}
      for _, word in ipairs(words) do
        lines[#lines + 1] = ("until grep -q %s out; do sleep 0.01; done"):format(word)
        lines[#lines + 1] = "kill -INT $pid"
      end
      lines[#lines + 1] = "wait $pid"
      return shell(table.concat(lines, "\n"))
    end

    local cleanup = [[
      local lull = require "lull"
      local await = lull.await
      local _ <close> = setmetatable({}, {__close = function()
        print("cleaning")
        await(lull.sleep(tonumber(SECONDS)))
        print("cleaned")
      end})
    ]]

    it("cancels the main task, runs the cleanup and exits with 130", function()
      local code, out, err = interrupt("SECONDS = 0.01\n" .. cleanup .. [[
        print("ready")
        await(lull.sleep(60))
      ]], {"ready"})
      assert.equal("ready\ncleaning\ncleaned\n", out)
      assert.equal("", err)
      assert.equal(130, code)
    end)

    it("exits at once when it comes a second time", function()
      local code, out = interrupt("SECONDS = 60\n" .. cleanup .. [[
        print("ready")
        await(lull.sleep(60))
      ]], {"ready", "cleaning"})
      assert.equal("ready\ncleaning\n", out)
      assert.equal(130, code)
    end)

    it("stops a loop that never awaits, and its cleanup may await", function()
      local code, out, err = interrupt("SECONDS = 0.01\n" .. cleanup .. [[
        print("ready")
        while true do end
      ]], {"ready"})
      assert.equal("ready\ncleaning\ncleaned\n", out)
      assert.equal("", err)
      assert.equal(130, code)
    end)

    it("stops a loop in a task that is not the main one, and in a coroutine", function()
      local code, out = interrupt("SECONDS = 0\n" .. cleanup .. [[
        local spin = coroutine.create(function() print("ready") while true do end end)
        local task = lull.create_task(function() print(coroutine.resume(spin)) end)
        await(task)
      ]], {"ready"})
      assert.equal("ready\nfalse\tCancelledError: interrupted\ncleaning\ncleaned\n", out)
      assert.equal(130, code)
    end)

    it("stops a loop in a callback", function()
      local code, out, err = interrupt("SECONDS = 0\n" .. cleanup .. [[
        lull.loop():call_soon(function() print("ready") while true do end end)
        await(lull.sleep(60))
      ]], {"ready"})
      assert.equal("ready\ncleaning\ncleaned\n", out)
      assert.truthy(err:find("callback of the loop: CancelledError: interrupted", 1, true), err)
      assert.equal(130, code)
    end)

    it("lets a script that handles the cancellation end well", function()
      local code, out = interrupt([[
        local lull = require "lull"
        print("ready")
        local ok, err = pcall(lull.await, lull.sleep(60))
        lull.await(lull.sleep(0))
        print(ok, lull.is_error(err, lull.CancelledError))
      ]], {"ready"})
      assert.equal("ready\nfalse\ttrue\n", out)
      assert.equal(0, code)
    end)

    it("wakes blocking_sleep", function()
      local code = interrupt([[
        local lull = require "lull"
        print("ready")
        lull.blocking_sleep(60)
        lull.await(lull.sleep(60))
      ]], {"ready"})
      assert.equal(130, code)
    end)
  end)

  describe("os.exit", function()
    it("exits with the code given, what was written flushed", function()
      local code, out, err = run('io.write("no newline") os.exit(7)')
      assert.equal("no newline", out)
      assert.equal("", err)
      assert.equal(7, code)
      assert.equal(0, (run("os.exit()")))
      assert.equal(0, (run("os.exit(true)")))
      assert.equal(1, (run("os.exit(false)")))
    end)

    it("exits at once from any task", function()
      local code, out = run([[
        local lull = require "lull"
        lull.create_task(function() os.exit(5) end)
        lull.await(lull.sleep(1))
        print("not reached")
      ]])
      assert.equal("", out)
      assert.equal(5, code)
    end)

    it("with true as second argument lets every task unwind first", function()
      local code, out, err = run([[
        local lull = require "lull"
        local function closing(word)
          return setmetatable({}, {__close = function()
            lull.await(lull.sleep(0.001))
            print(word)
          end})
        end
        lull.create_task(function()
          local _ <close> = closing("task")
          lull.await(lull.event():wait())
        end)
        lull.create_task(function()
          local _ <close> = closing("exiting task")
          os.exit(9, true)
          print("not reached")
        end)
        local _ <close> = closing("main")
        lull.await(lull.sleep(60))
      ]])
      local words = {}
      for word in out:gmatch("[^\n]+") do words[#words + 1] = word end
      table.sort(words)
      assert.same({"exiting task", "main", "task"}, words)
      assert.equal("", err)
      assert.equal(9, code)
    end)

    it("with true exits at once where nothing can wait", function()
      local code, out = run([[
        table.sort({2, 1}, function() os.exit(4, true) end)
        print("not reached")
      ]])
      assert.equal("", out)
      assert.equal(4, code)
    end)
  end)

  describe("debug mode", function()
    local slow = 'local lull = require "lull"\n' ..
      "local task = lull.create_task(function()\n" ..
      "  lull.blocking_sleep(0.15)\n" ..
      "  lull.await(lull.sleep(0))\n" ..
      'end, {name = "slow"})\n' ..
      "lull.await(task)"

    local function assert_slow(err)
      local seconds, rest =
        err:match("^lull: warning: task 'slow' ran ([%d.]+) s without awaiting\n(.*)$")
      assert.truthy(seconds, err)
      assert.truthy(tonumber(seconds) >= 0.15)
      assert.equal("stack traceback:\n\tapp.lua:4: in function <app.lua:2>\n", rest)
    end

    it("warns of a task that runs over 100 ms without awaiting", function()
      local code, _, err = run(slow, "--debug")
      assert_slow(err)
      assert.equal(0, code)
    end)

    it("is turned on by LULL_DEBUG=1, unless -E is given, and not by LULL_DEBUG=0", function()
      local function warnings(...) return (select(3, run(slow, ...))) end
      assert_slow(warnings(nil, nil, "LULL_DEBUG=1"))
      assert.equal("", warnings("-E", nil, "LULL_DEBUG=1"))
      assert.equal("", warnings(nil, nil, "LULL_DEBUG=0"))
    end)

    it("warns of a task that caught CancelledError with pcall and awaits again", function()
      local script = 'local lull = require "lull"\n' ..
        "local task = lull.create_task(function()\n" ..
        "  pcall(function() lull.await(lull.sleep(60)) end)\n" ..
        "  lull.await(lull.sleep(WAIT))\n" ..
        'end, {name = "stubborn"})\n' ..
        "lull.await(lull.sleep(0))\n" ..
        "task:cancel()\n" ..
        "lull.await(task)"
      for _, wait in ipairs {"0", "0.001"} do
        local code, _, err = run((script:gsub("WAIT", wait)), "--debug")
        assert.equal("lull: warning: task 'stubborn' caught CancelledError with pcall and " ..
          "awaits again (lull.try lets it through)\n" ..
          "stack traceback:\n\tapp.lua:4: in function <app.lua:2>\n", err)
        assert.equal(0, code)
      end
      local _, _, err = run((script:gsub("WAIT", "0")))
      assert.equal("", err)
    end)
  end)

  describe("the virtual clock", function()
    it("jumps to the next timer, so that sleeps take no time", function()
      local began = os.time()
      local code, out = run([[
        local lull = require "lull"
        local before = lull.now()
        lull.await(lull.gather(lull.sleep(3600), lull.sleep(7200.5)))
        print(lull.now() - before)
      ]], "--virtual-clock")
      assert.equal("7200.5\n", out)
      assert.equal(0, code)
      assert.truthy(os.time() - began < 60)
    end)

    it("gives the same output every time", function()
      local script = [[
        local lull = require "lull"
        local await = lull.await
        math.randomseed(42)
        local tasks = {}
        for i = 1, 50 do
          tasks[i] = lull.async(function()
            for _ = 1, 5 do
              await(lull.sleep(math.random()))
              io.write(i, " ", lull.now(), "\n")
            end
          end)()
        end
        await(lull.gather(tasks))
      ]]
      local _, first = run(script, "--virtual-clock")
      local _, second = run(script, "--virtual-clock")
      assert.equal(first, second)
      assert.equal(250, select(2, first:gsub("\n", "")))
    end)
  end)

  describe("the option", function()
    it("-e executes a string, with the others in the order given", function()
      local code, out = shell([["$LULL" -e 'x = 1' -e 'print(x)' -e'print(x + 1)']])
      assert.equal("1\n2\n", out)
      assert.equal(0, code)
      assert_fails("lull: (command line):1: boom\n" ..
        "stack traceback:\n\t(command line):1: in main chunk\n",
        shell([["$LULL" -e 'error("boom")' -e 'print("not reached")']]))
      assert_fails("lull: (command line):1: unexpected symbol near '='\n",
        shell([["$LULL" -e '= 1']]))
    end)

    it("-e comes before the script and gets no arguments", function()
      local _, out = run("print(x, ...)", "-e 'x = select(\"#\", ...)'", "one")
      assert.equal("0\tone\n", out)
    end)

    it("-e may await", function()
      local code, out = shell([["$LULL" -l lull -e 'lull.await(lull.sleep(0)) print("awaited")']])
      assert.equal("awaited\n", out)
      assert.equal(0, code)
    end)

    it("-l requires a module into a global", function()
      write(folder .. "/mod.lua", "require('lull').await(require('lull').sleep(0)) return {...}")
      local _, out = shell([["$LULL" -l mod -e 'print(mod[1])']])
      assert.equal("mod\n", out)
      _, out = shell([["$LULL" -lm=mod -e 'print(m[1], mod)']])
      assert.equal("mod\tnil\n", out)
    end)

    it("-l tells of a module that is not there, or that fails", function()
      local code, out, err = shell('"$LULL" -l none')
      assert.equal("", out)
      assert.truthy(err:find("^lull: module 'none' not found:\n\tno field"), err)
      assert.falsy(err:find("traceback", 1, true))
      assert.equal(1, code)
      write(folder .. "/bad.lua", 'error("boom")')
      assert_fails("lull: ./bad.lua:1: boom\nstack traceback:\n\t./bad.lua:1: in main chunk\n",
        shell('"$LULL" -l bad'))
    end)

    it("-m runs a module as the script", function()
      write(folder .. "/mod.lua", "print(arg[0], arg[1], arg[-1], ...)")
      local code, out = shell('"$LULL" -m mod one --debug')
      assert.equal("./mod.lua\tone\t-m\tone\t--debug\n", out)
      assert.equal(0, code)
      local _, joined = shell('"$LULL" -mmod one')
      assert.equal(("./mod.lua\tone\t%s\tone\n"):format(host), joined)
    end)

    it("-m tells of a module that is not there, or that does not parse", function()
      local code, _, err = shell('"$LULL" -m none')
      assert.truthy(err:find("^lull: module 'none' not found:\n\tno file '"), err)
      assert.falsy(err:find("traceback", 1, true))
      assert.equal(1, code)
      write(folder .. "/bad.lua", "x = = 3")
      assert_fails("lull: ./bad.lua:1: unexpected symbol near '='\n", shell('"$LULL" -m bad'))
    end)

    it("-v shows the version, and ends if there is nothing to run", function()
      local code, out = shell('"$LULL" -v')
      assert.truthy(out:find("^lull %d+%.%d+%.%d+, Lua 5%.4%.%d+, libuv %d+%.%d+%.%d+\n$"), out)
      assert.equal(0, code)
      local _, long = shell('"$LULL" --version')
      assert.equal(out, long)
      _, long = shell([["$LULL" -v -e 'print("ran")']])
      assert.equal(out .. "ran\n", long)
    end)

    it("-W turns Lua's warnings on", function()
      local _, _, on = shell([["$LULL" -W -e 'warn("one ", "two")']])
      assert.equal("Lua warning: one two\n", on)
      local _, _, off = shell([["$LULL" -e 'warn("one")']])
      assert.equal("", off)
    end)

    it("-E ignores the environment", function()
      local env = "LUA_INIT='print(1)' LUA_PATH='here/?.lua'"
      local _, out = run("print(package.path)", nil, nil, env)
      assert.equal("1\nhere/?.lua\n", out)
      _, out = run("print(package.path)", "-E", nil, env)
      assert.falsy(out:find("here", 1, true))
      assert.falsy(out:find("^1\n"))
    end)

    it("-- ends the options", function()
      write(folder .. "/-v", "print('a file')")
      local code, out = shell('"$LULL" -- -v')
      assert.equal("a file\n", out)
      assert.equal(0, code)
    end)

    it("--help shows the options", function()
      local code, out, err = shell('"$LULL" --help')
      for _, option in ipairs {"-e", "-l", "-m", "-i", "-v", "-W", "-E", "--", "-", "--debug",
                               "--virtual-clock"} do
        assert.truthy((out:gsub(",", " ")):find("\n  " .. option .. " ", 1, true), option)
      end
      assert.equal("", err)
      assert.equal(0, code)
    end)

    it("that is unknown, or lacks its argument, is an error that shows the options", function()
      for _, option in ipairs {"-x", "--bogus", "-iv", "--debug=1"} do
        local code, out, err = shell('"$LULL" ' .. option)
        local first = ("lull: unrecognised option '%s'\nusage: lull [options] [script [args]]\n")
          :format(option)
        assert.equal(first, err:sub(1, #first))
        assert.equal("", out)
        assert.equal(1, code)
      end
      for _, option in ipairs {"-e", "-l", "-m"} do
        local code, _, err = shell('"$LULL" ' .. option)
        local first = ("lull: an argument is missing after '%s'\nusage: "):format(option)
        assert.equal(first, err:sub(1, #first))
        assert.equal(1, code)
      end
    end)
  end)

  describe("LUA_INIT", function()
    it("is executed first", function()
      local _, out = run("print(x)", nil, nil, "LUA_INIT='x = 5'")
      assert.equal("5\n", out)
    end)

    it("may name a file, and LUA_INIT_5_4 goes before it", function()
      write(folder .. "/init.lua", "x = 'file'")
      local _, out = run("print(x)", nil, nil, "LUA_INIT=@init.lua")
      assert.equal("file\n", out)
      _, out = run("print(x)", nil, nil, "LUA_INIT=@init.lua LUA_INIT_5_4='x = 54'")
      assert.equal("54\n", out)
    end)

    it("that fails ends the program", function()
      assert_fails("lull: LUA_INIT:1: unexpected symbol near '='\n",
        run("print(1)", nil, nil, "LUA_INIT='= 1'"))
      assert_fails("lull: cannot open none.lua: No such file or directory\n",
        run("print(1)", nil, nil, "LUA_INIT=@none.lua"))
    end)
  end)

  describe("misuse", function()
    -- Each line of the script fails with the message; where it fails is the line's own number.
    local function assert_message(message, line)
      local code, _, err = run('local lull = require "lull"\n' ..
        "local async, await = lull.async, lull.await\n" .. line)
      local first = err:match("^[^\n]*")
      assert.equal("lull: app.lua:3: " .. message, first)
      assert.truthy(err:find("\nstack traceback:\n\tapp.lua:3: in ", 1, true), err)
      assert.equal(1, code)
    end

    it("of await is told", function()
      assert_message("bad argument #1 to 'await' (awaitable expected, got number)", "await(42)")
      assert_message("bad argument #1 to 'await' (awaitable expected, got nil)", "await(nil)")
      assert_message("bad argument #1 to 'await' (value expected)", "await()")
    end)

    it("of gather is told", function()
      assert_message("bad argument #1 to 'gather' (awaitable expected, got nil)",
        "lull.gather(nil)")
      assert_message("bad argument #1 to 'gather' (item 1: awaitable expected, got number)",
        "lull.gather{1}")
      assert_message("bad argument #1 to 'gather' (unknown option 'bogus')",
        "lull.gather{bogus = true}")
    end)

    it("of sleep and queue is told", function()
      assert_message("bad argument #1 to 'sleep' (number expected, got string)", 'lull.sleep("x")')
      assert_message("bad argument #1 to 'queue' (a size from 0 (no bound) on expected)",
        "lull.queue(-1)")
    end)

    it("of options is told", function()
      assert_message("bad argument #2 to 'create_task' (unknown option 'nmae')",
        'lull.create_task(function() end, {nmae = "x"})')
      assert_message("bad argument #2 to 'wait' (unknown option 'bogus')",
        "lull.wait({function() end}, {bogus = 1})")
      assert_message("bad argument #2 to 'run' (unknown option 'bogus')",
        "lull.run(function() end, {bogus = 1})")
    end)

    it("of run, inside a task other than the main one, is told", function()
      assert_message("run can be called in the main task only: " ..
        "the loop is running already (use await)",
        "await(lull.create_task(function() lull.run(function() end) end))")
    end)

    it("of a closed loop is told", function()
      assert_message("the loop is closed", "lull.loop():close() lull.create_task(function() end)")
      assert_message("the loop is closed", "lull.loop():close() lull.loop():call_soon(print)")
      assert_message("the loop is closed", "lull.loop():close() lull.run(function() end)")
      assert_message("the loop is closed",
        "lull.loop():close() lull.loop():run_until_complete(function() end)")
    end)

    it("of await where nothing can wait is told", function()
      assert_message("await inside a C function that cannot wait " ..
        "(such as table.sort's comparator, string.gsub's replacement, or a __gc metamethod)",
        "local c = lull.async(print)() table.sort({2, 1}, function() await(c) end)")
    end)

    it("of await outside any task is told", function()
      local code, _, err = run([[
        local lull = require "lull"
        lull.loop():call_soon(function() lull.await(lull.future()) end)
        lull.await(lull.sleep(0))
      ]])
      assert.truthy(err:find("^lull: warning: error in a callback of the loop: app.lua:2: " ..
        "await outside any task: start one with lull.run or lull.create_task\n"), err)
      assert.equal(0, code)
    end)

    it("of a coroutine object, awaited twice, is told", function()
      assert_message("coroutine object (app.lua:3) was already awaited",
        "local c = async(function() end)() await(c) await(c)")
    end)
  end)
end)
