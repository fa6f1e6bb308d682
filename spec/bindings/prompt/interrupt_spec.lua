-- Ctrl-C and Ctrl-D at the prompt.
local terminal = require "spec.terminal"

describe("Ctrl-C at the prompt", function()
  terminal.watch(after_each)

  local t

  before_each(function() t = terminal.prompt() end)

  -- Presses Ctrl-C, and sees that lines are read and run after that.
  local function interrupt()
    t:key("C-c")
    t:type("'still ' .. 'here'")
    t:wait_for("> 'still ' .. 'here'|", {bar = true})
    t:key("Enter")
    t:wait_for('\n"still here"\n> |', {bar = true})
  end

  it("drops the line, which is not run", function()
    t:type("print('never')")
    t:key("C-c")
    t:expect("> print('never')^C\n> |")
    interrupt()
    assert.falsy(t:screen():find("\nnever", 1, true))
  end)

  it("drops a chunk of several rows, from any place in it", function()
    t:line("do")
    t:line("print('never')")
    t:type("end")
    t:key("Up Up")
    t:key("C-c")
    t:expect("> do\n    print('never')\n    end^C\n> |")
    interrupt()
  end)

  it("cancels what the line awaits, which cleans up", function()
    t:line("lull.try(function() local c <close> = setmetatable({}, {__close = function()" ..
      " await(lull.sleep(0)) print('clean') end}) print('on') await(lull.sleep(60)) end)")
    t:wait_for("\non")
    interrupt()
    t:wait_for("clean\nlull: interrupted\n")
  end)

  it("stops what never awaits", function()
    t:line("print('on') while true do tostring(0.5) end")
    t:wait_for("\non")
    interrupt()
    assert.truthy(t:screen():find("lull: interrupted", 1, true))
  end)

  it("stops a command of the system's", function()
    t:line("print('on') os.execute('sleep 60; echo over')")
    t:wait_for("\non")
    interrupt()
  end)

  it("stops a task that is busy while a line is typed", function()
    t:line("t = lull.create_task(function() await(lull.sleep(0.01)) print('on')" ..
      " while true do tostring(0.5) end end)")
    t:wait_for("\non")
    t:type("half")
    t:wait_for("> half|", {bar = true})
    t:key("C-c")
    interrupt()
  end)

  it("lets the other tasks live", function()
    t:line("n = 0 t = lull.create_task(function()" ..
      " while true do await(lull.sleep(0)) n = n + 1 end end)")
    t:line("print('on') await(lull.sleep(60))")
    t:wait_for("\non")
    interrupt()
    t:type("half")
    t:key("C-c")
    t:line("m = n await(lull.sleep(0.01)) print(t:done(), n > m)")
    t:wait_for("\nfalse   true\n")
  end)

  it("ends a completion that takes its time", function()
    t:line("slow = setmetatable({}, {__index = function() while true do tostring(0.5) end end})")
    t:line("slower = setmetatable({}, {__pairs = function() await(lull.sleep(60)) end})")
    t:type("slow.a")
    t:key("Tab")
    interrupt()
    t:type("slower.a")
    t:key("Tab")
    interrupt()
  end)

  it("may be pressed again and again", function()
    for _ = 1, 30 do t:key("C-c C-c C-c") end
    t:key("C-l")
    t:wait_for(function(screen) return screen == "> |" end, {bar = true})
    interrupt()
  end)

  it("drops what was typed ahead", function()
    t:line("print('on') while true do tostring(0.5) end")
    t:wait_for("\non")
    t:type("print('ahead')")
    interrupt()
  end)
end)

describe("Ctrl-D at the prompt", function()
  terminal.watch(after_each)

  local t

  before_each(function() t = terminal.prompt() end)

  it("ends it on an empty line", function()
    t:ready()
    t:key("C-d")
    t:expect("> ^D\ncode 0")
  end)

  it("deletes in a line, and does not end it", function()
    t:type("ab")
    t:key("C-a C-d C-d BSpace")
    t:type("1 + 1")
    t:expect("> 1 + 1|")
    t:ready()
    t:key("C-d")
    t:key("Enter")
    t:expect("> 1 + 1\n2\n> |")
  end)

  it("unwinds the tasks there are, whose cleanup awaits and prints", function()
    t:line("function f(x) local c <close> = setmetatable({}, {__close = function()" ..
      " await(lull.sleep(0.01)) print('clean', x) end}) await(lull.sleep(60)) end")
    t:line("for _, x in ipairs {'a', 'b'} do lull.create_task(function() f(x) end) end")
    t:wait_for("\n> |", {bar = true})
    t:line("await(lull.sleep(0))")
    t:ready()
    t:key("C-d")
    t:wait_for("> ^D\nclean   a\nclean   b\ncode 0")
  end)

  it("closes what the session holds", function()
    t:line("local c <close> = setmetatable({}, {__close = function() print('closed') end})")
    t:ready()
    t:key("C-d")
    t:wait_for("^D\nclosed\ncode 0")
  end)
end)
