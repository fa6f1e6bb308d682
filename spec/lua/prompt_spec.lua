-- The prompt: fed through a pipe for what it makes of lines, and in a terminal of tmux's for what
-- is between the lines.
local host = os.getenv("LULL") or "lull"

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read_and_remove(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  os.remove(path)
  return text
end

-- Runs a shell command with some input; gives exit code, stdout, stderr.
local function shell(command, input)
  local base = os.tmpname()
  local file = assert(io.open(base, "wb"))
  file:write(input or "")
  file:close()
  local _, _, code = os.execute(("LULL_DEBUG= LULL=%s timeout 60 sh -c %s <%s >%s.out 2>%s.err")
    :format(quote(host), quote(command), base, base, base))
  os.remove(base)
  return code, read_and_remove(base .. ".out"), read_and_remove(base .. ".err")
end

describe("the prompt", function()
  local banner

  setup(function()
    local _, version = shell('"$LULL" -v')
    banner = ("lull %s, Lua 5.4. lull, async and await are there; :help tells more.\n")
      :format(version:match("^lull ([%d.]+)"))
  end)

  -- Feeds it lines; gives what it showed after each prompt, what it complained of, and its code.
  local function feed(input, options)
    local code, out, err = shell(('cat | "$LULL" -i %s'):format(options or ""), input)
    assert.equal(banner, out:sub(1, #banner))
    return out:sub(#banner + 1), err, code
  end

  it("shows the values of an expression, and nothing for a statement", function()
    local out, err, code = feed("x = 5\nx + 1, nil\n")
    assert.equal("> > 6\tnil\n> \n", out)
    assert.equal("", err)
    assert.equal(0, code)
  end)

  it("awaits at top level", function()
    local out, err = feed("await(lull.sleep(0.001, 'slept'))\n" ..
      "f = async(function(a) await(lull.sleep(0)) return a end)\nawait(f(3))\n")
    assert.equal("> \"slept\"\n> > 3\n> \n", out)
    assert.equal("", err)
  end)

  it("goes on reading until a chunk is complete", function()
    local out, err = feed("for i = 1, 2 do\n  print(i)\nend\nx = [[a\nb]]\nx\n")
    assert.equal("> >> >> 1\n2\n> >> > \"a\\nb\"\n> \n", out)
    assert.equal("", err)
  end)

  it("tells of an error with its traceback, and goes on", function()
    local out, err, code = feed("f = async(function() error('deep') end)\n" ..
      "await(f())\nx = = 1\nawait(lull.create_task(f(), {name = 'child'}))\n'still here'\n")
    assert.equal("> > > > > \"still here\"\n> \n", out)
    assert.equal("lull: stdin:1: deep\n" ..
      "stack traceback:\n" ..
      "\tstdin:1: in function <stdin:1>\n" ..
      "\tstdin:1: in main chunk\n" ..
      "lull: stdin:1: unexpected symbol near '='\n" ..
      "lull: stdin:1: deep\n" ..
      "stack traceback:\n" ..
      "\tstdin:1: in function <stdin:1>\n" ..
      "  awaited by task 'main':\n" ..
      "\tstdin:1: in main chunk\n", err)
    assert.equal(0, code)
  end)

  it("tells what is in an error that is no message", function()
    local out, err = feed("error({code = 5, 'x'})\nerror(nil)\nerror(lull.TimeoutError('late'))\n")
    assert.equal("> > > > \n", out)
    assert.equal('lull: error object {"x", code = 5}\n' ..
      "stack traceback:\n\tstdin:1: in main chunk\n" ..
      "lull: error object nil\nstack traceback:\n\tstdin:1: in main chunk\n" ..
      "lull: TimeoutError: late\nstack traceback:\n\tstdin:1: in main chunk\n", err)
  end)

  it("tells of a chunk that is cut off by the end of the input", function()
    local out, err, code = feed("if x")
    assert.equal("> >> > \n", out)
    assert.equal("lull: stdin:1: 'then' expected near <eof>\n", err)
    assert.equal(0, code)
  end)

  it("cancels the tasks that are left at its end, which clean up", function()
    local out = feed("t = lull.create_task(function() " ..
      "local c <close> = setmetatable({}, {__close = function() " ..
      "await(lull.sleep(0)) print('clean') end}) await(lull.sleep(60)) end)\n" ..
      "await(lull.sleep(0))\n")
    assert.equal("> > > \nclean\n", out)
  end)

  it("goes on where a script ended, with what it left in globals", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("x = 42 error('boom')")
    file:close()
    local out, err = feed("x\n", path)
    os.remove(path)
    assert.equal("> 42\n> \n", out)
    assert.truthy(err:find("1: boom\nstack traceback:\n", 1, true), err)
  end)

  it("goes on with the tasks that the script has started", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write([[
      local lull, name = require "lull", ...
      task = lull.create_task(function()
        for i = 1, 3 do lull.await(lull.sleep(0.01)) print(name, i) end
        return "all of them"
      end)
    ]])
    file:close()
    local out, err = feed("task\nawait(task)\n", path .. " x")
    os.remove(path)
    assert.equal("", err)
    assert.truthy(out:find("^> task 'Task%-2' %(pending[^\n]*%)\n> "), out)
    assert.truthy(out:find('\n\"all of them\"\n> \n$'), out)
  end)

  it("does not run the script if what comes before it fails", function()
    local out, err = feed("x\n", "-e 'error([[early]], 0)' /dev/null/none.lua")
    assert.equal("> nil\n> \n", out)
    assert.equal("lull: early\nstack traceback:\n\t(command line):1: in main chunk\n", err)
  end)

  it("runs a module before it too, with its arguments", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    local file = assert(io.open(folder .. "/some.lua", "w"))
    file:write("seen = table.concat({...}, ' ') .. ' ' .. arg[1]")
    file:close()
    local code, out, err = shell(('cd %s && "$LULL" -i -m some a b'):format(folder), "seen\n")
    os.execute("rm -r " .. folder)
    assert.equal("", err)
    assert.equal(banner .. '> "a b a"\n> \n', out)
    assert.equal(0, code)
  end)

  it("keeps local variables from line to line, and what the last line gave", function()
    local out, err = feed("local n = 1\nlocal function next() n = n + 1 return n end\n" ..
      "next(), next()\nn, _\nx = 5\n_\nprint('none')\n_\nnil\n_\n")
    assert.equal("", err)
    assert.equal("> > > 2\t3\n> 3\t2\n> > 3\n> none\n> 3\n> nil\n> 3\n> \n", out)
  end)

  it("closes at its end, last first, what was declared <close>, which may await", function()
    local out = feed("closer = function(name) return setmetatable({}, {__close = function()\n" ..
      "await(lull.sleep(0.001)) print('closes', name) end}) end\n" ..
      "local a <close> = closer('a')\nlocal b <close> = closer('b')\n'open'\n")
    assert.equal('> >> > > > \"open\"\n> closes\tb\ncloses\ta\n\n', out)
  end)

  it("points at once to an object that is dropped without being awaited", function()
    local out, err = feed("f = async(function() end)\nf()\n_ = nil\n'next'\n")
    assert.equal("> > coroutine object (stdin:1), not awaited: await(_) runs it\n" ..
      '> > "next"\n> \n', out)
    assert.equal("lull: warning: coroutine object (stdin:1) was never awaited (made at stdin:1)\n",
      err)
  end)

  it("knows commands, which an error does not end", function()
    local out, err, code = feed(":time 1 + 1\n:nothing\n::label:: print('no command')\n:q\n1\n")
    assert.truthy(out:find("^> 2\n[^\n]+ CPU%)\n> > no command\n> \n$"), out)
    assert.equal("lull: there is no command ':nothing': see :help\n", err)
    assert.equal(0, code)
  end)

  it("helps those who type what other prompts understand", function()
    local out, err = feed("exit\nquit()\nhelp\nawait lull.sleep(1)\nexit = 5\nexit\n")
    assert.equal("> > > > > > 5\n> \n", out)
    assert.equal("lull: :quit ends the prompt, and so does Ctrl-D\n" ..
      "lull: :quit ends the prompt, and so does Ctrl-D\n" ..
      "lull: :help tells more\n" ..
      "lull: stdin:1: syntax error near 'lull' (await is a function: await(...))\n", err)
  end)

  it("is not there for what is read from a pipe without -i", function()
    local code, out, err = shell('"$LULL"', "print(await == nil, 1 + 1)\nlocal x = 1 return x\n")
    assert.equal("true\t2\n", out)
    assert.equal("", err)
    assert.equal(0, code)
  end)

  it("takes its input from a file too", function()
    local code, out = shell('"$LULL" -i', "1 + 1\nawait(lull.sleep(0.001, 'slept'))\n")
    assert.equal(banner .. "> 2\n> \"slept\"\n> \n", out)
    assert.equal(0, code)
  end)

  it("leaves with os.exit", function()
    local _, _, code = feed("os.exit(7, true)\nprint('not reached')\n")
    assert.equal(7, code)
  end)

  it("does not warn, in debug mode, of the cancellations it catches", function()
    local out, err = feed("lull.current_task():cancel() await(lull.sleep(1))\n" ..
      "await(lull.sleep(0.001, 'slept'))\nlull.current_task():cancelling()\n", "--debug")
    assert.equal("> > \"slept\"\n> 0\n> \n", out)
    assert.equal("lull: interrupted\n", err)
  end)

  describe("in a terminal", function()
    -- Each step is what to type, as tmux names keys, and a line to wait for, a regular expression.
    local function type_in(steps)
      local lines = {
        'tmux="tmux -L lull-spec-$$ -f /dev/null"',
        [[show() { $tmux capture-pane -p -t 0 | sed -e 's/ *$//' -e '/^$/d'; }]],
        'expect() {',
        '  for _ in $(seq 1000); do',
        '    if show | grep -q -x -e "$1"; then return; fi',
        '    sleep 0.01',
        '  done',
        '  echo "not seen: $1"',
        '}',
        [[$tmux new-session -d -x 100 -y 50 '"$LULL"; echo "code $?"; exec sleep 60']],
        "expect '>'",
      }
      for _, step in ipairs(steps) do
        local keys, line = table.unpack(step)
        lines[#lines + 1] = "$tmux send-keys -t 0 " .. keys
        lines[#lines + 1] = "expect " .. quote(line)
      end
      lines[#lines + 1] = "show"
      lines[#lines + 1] = "$tmux kill-server"
      local code, out, err = shell("unset TMUX\n" .. table.concat(lines, "\n"))
      assert.equal("", err)
      assert.equal(0, code)
      assert.falsy(out:find("not seen", 1, true), out)
      return out
    end

    it("comes up without arguments and ends with Ctrl-D", function()
      local out = type_in {
        {"'x = 20' Enter", "> x = 20"},
        {"'x + 1' Enter", "21"},
        {"C-d", "code 0"},
      }
      assert.equal(banner .. "> x = 20\n> x + 1\n21\n> ^D\ncode 0\n", out)
    end)

    it("lets other tasks go on while it waits for a line", function()
      type_in {
        {"'t = lull.create_task(function() await(lull.sleep(0.05)) print([[bg]], 1) end)' Enter",
         "bg *1"},
        {"C-d", "code 0"},
      }
    end)

    it("forgets the line that Ctrl-C is pressed in", function()
      local out = type_in {
        {"'half a line'", "> half a line"},
        {"C-c", ">"},
        {"'if true then' Enter", "> if true then"},
        {"C-c", " *^C"},
        {"'1 + 1' Enter", "2"},
        {"C-d", "code 0"},
      }
      assert.equal(banner .. "> half a line^C\n> if true then\n    ^C\n" ..
        "> 1 + 1\n2\n> ^D\ncode 0\n", out)
    end)

    it("interrupts what runs with Ctrl-C, and goes on", function()
      type_in {
        {"'print([[a]]) await(lull.sleep(60))' Enter", "a"},
        {"C-c", ".*lull: interrupted"},
        {"'print([[b]]) while true do end' Enter", "b"},
        {"C-c 'print([[c]])' Enter", [[\(> \)*c]]},
        {"'print([[d]]) await(lull.future())' Enter", "d"}, -- nothing can wake it: no deadlock
        {"C-c 'print([[e]])' Enter", [[\(> \)*e]]},
        {"C-d", "code 0"},
      }
    end)
  end)
end)
