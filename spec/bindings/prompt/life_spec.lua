-- How the prompt begins and ends: what becomes of the terminal, and of what it is not made for.
local terminal = require "spec.terminal"

-- What stty tells of the terminal is written to a file before and after.
local MEASURED = 'stty -a >before; %s; code=$?; stty -a >after; cmp before after && ' ..
  'echo "sane $code"'

describe("the terminal after the prompt", function()
  terminal.watch(after_each)

  local function measured(command)
    return terminal.prompt {command = "cd; " .. MEASURED:format(command or '"$LULL"')}
  end

  -- It takes no marks around pasted text any more, and shows what is typed.
  local function is_sane(t, code)
    t:wait_for("sane " .. code)
    t:paste("pasted")
    t:wait_for("pasted|", {bar = true})
    assert.falsy(t:screen():find("200~", 1, true))
  end

  it("is as it was after Ctrl-D", function()
    local t = measured()
    t:line("x = 1")
    t:ready()
    t:key("C-d")
    is_sane(t, 0)
  end)

  it("is as it was after :quit", function()
    local t = measured()
    t:line(":quit")
    is_sane(t, 0)
  end)

  it("is as it was after os.exit in a line", function()
    local t = measured()
    t:line("os.exit(3)")
    is_sane(t, 3)
  end)

  it("is as it was after os.exit in a task, while a line is typed", function()
    for _, arguments in ipairs {"4", "4, true"} do
      local t = measured()
      t:line("t = lull.create_task(function() await(lull.sleep(0.1)) os.exit(" ..
        arguments .. ") end)")
      t:type("half a line")
      is_sane(t, 4)
    end
  end)

  it("is as it was after a task's error was told of", function()
    local t = measured()
    t:line("t = lull.create_task(function() await(lull.sleep(0.05)) error('boom') end)")
    t:wait_for("boom")
    t:ready()
    t:key("C-d")
    is_sane(t, 0)
  end)

  for name, code in pairs {HUP = 129, QUIT = 131, TERM = 143} do
    it("is as it was after SIG" .. name, function()
      local t = measured([[ulimit -c 0; "$LULL" -i]])
      t:line("pid = io.open('/proc/self/stat'):read('n')")
      t:line("os.execute('(sleep 0.1; kill -" .. name .. " ' .. pid .. ') &')")
      t:type("half a line")
      is_sane(t, code)
    end)
  end

  it("is the shell's after Ctrl-Z, and the prompt's again after fg", function()
    local t = terminal.open {command = "exec bash --norc -i", env = {PS1 = "$ "}}
    t:wait_for("$ |", {bar = true})
    t:line('"$LULL"')
    t:wait_for("\n> |", {bar = true})
    t:type("1 + 1")
    t:wait_for("> 1 + 1|", {bar = true})
    t:key("C-z")
    t:wait_for("Stopped")
    t:wait_for("\n$ |", {bar = true})
    t:line("echo in the $((1 + 1)). shell")
    t:wait_for("\nin the 2. shell\n")
    t:line("fg")
    t:wait_for("> 1 + 1|", {bar = true})
    t:key("BSpace")
    t:type("2")
    t:key("Enter")
    t:wait_for("> 1 + 2\n3\n> |", {bar = true})
    t:ready()
    t:key("C-d")
    t:wait_for("\n$ |", {bar = true})
    t:line("stty -a | grep -o ' icanon.* echo '")
    t:wait_for("\n icanon")
  end)
end)

describe("the prompt", function()
  terminal.watch(after_each)

  local function script(text)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
  end

  it("goes on with the tasks that a script has left", function()
    local path = script("x = 5 lull = require 'lull' lull.create_task(function()" ..
      " while x < 100 do lull.await(lull.sleep(0.01)) end print('seen') end)")
    local t = terminal.prompt {command = '"$LULL" -i ' .. path}
    t:line("x = x + 95")
    t:wait_for("seen\n> |", {bar = true})
    t:finish()
    os.remove(path)
  end)

  it("comes after a script that fails", function()
    local path = script("x = 5 error('boom')")
    local t = terminal.prompt {command = '"$LULL" -i ' .. path}
    t:wait_for("boom")
    t:line("x")
    t:wait_for("\n5\n> |", {bar = true})
    os.remove(path)
  end)

  for _, name in ipairs {"dumb", ""} do
    local named = name == "" and "has no name" or "is dumb"
    it("reads plain lines where the terminal " .. named, function()
      local t = terminal.prompt {env = {TERM = name ~= "" and name or false}, cooked = true}
      t:line("1 + 1")
      t:expect("> 1 + 1\n2\n> |")
      t:type("half")
      t:key("C-c")
      t:line("2 + 2")
      t:wait_for("\n4\n> |", {bar = true})
      t:finish()
    end)
  end

  for _, name in ipairs {"nothing-like-it", "vt100", "xterm-256color", "linux", "ansi"} do
    it("works in a terminal named " .. name, function()
      local t = terminal.prompt {env = {TERM = name}}
      t:line("1 + 1")
      t:wait_for("\n2\n> |", {bar = true})
      t:key("Up")
      t:wait_for("> 1 + 1|", {bar = true})
      t:key("BSpace")
      t:type("5")
      t:key("Enter")
      t:wait_for("\n6\n> |", {bar = true})
      t:finish()
      assert.falsy(t:screen():find("unknown", 1, true))
    end)
  end

  it("works whatever the locale is", function()
    local t = terminal.prompt {env = {LC_ALL = "C", LANG = "C"}}
    t:line("x = 'äöü日'")
    t:expect("> x = 'äöü日'\n> |")
    t:line("utf8.len(x)")
    t:wait_for("\n4\n> |", {bar = true})
  end)

  it("works on a very small screen", function()
    local t = terminal.open {columns = 10, rows = 3}
    t:wait_for("> |", {bar = true})
    t:line("x = 'a long line, and more of it'")
    t:line("x")
    t:wait_for("it\"\n> |", {bar = true})
    t:finish()
  end)

  it("ends when its terminal goes away", function()
    local t = terminal.prompt()
    local pid = t:child()
    t:type("half a line")
    t:close()
    terminal.eventually(function() return not io.open("/proc/" .. pid .. "/stat") end,
      function() return "it goes on" end)
  end)

  it("reads a thousand lines and leaks nothing", function()
    local t = terminal.prompt()
    t:line("x = 0")
    for _ = 1, 20 do t:type(("x = x + 1\r"):rep(50)) end
    t:line("x")
    t:wait_for("\n1000\n> |", {bar = true})
    t:finish() -- of the leak sanitizer, if it is built in, too
  end)
end)
