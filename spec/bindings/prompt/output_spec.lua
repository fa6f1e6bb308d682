-- What is printed while a line is typed at the prompt.
local terminal = require "spec.terminal"

describe("output while a line is typed:", function()
  terminal.watch(after_each)

  -- A prompt with a line that is half typed, and tasks that go on as soon as a file is there.
  local function start(code, options)
    local t = terminal.prompt(options)
    t:line("go = " .. ("%q"):format(t.folder .. "/go"))
    t:line("function gate() while not io.open(go) do await(lull.sleep(0.005)) end end")
    t:line("t = lull.create_task(function() gate() " .. code .. " end)")
    t:wait_for(function(screen)
      return screen:find(" gate() ", 1, true) and screen:find("\n> |$")
    end, {bar = true})
    t:key("C-l")
    t:type("half a")
    t:wait_for(function(screen) return screen == "> half a|" end, {bar = true})
    assert(io.open(t.folder .. "/go", "w")):close()
    return t
  end

  local function shows(code, screen, options)
    local t = start(code, options)
    t:wait_for(function(text) return text == screen end, {bar = true})
    t:key("Left Left")
    t:type("X")
    t:wait_for(function(text) return text == screen:gsub("half a|$", "halfX| a") end, {bar = true})
    return t
  end

  it("appears above the line", function()
    shows("print('one') print('two')", "one\ntwo\n> half a|")
  end)

  it("keeps its order, whichever way it comes", function()
    shows("print('one') io.stdout:write('two\\n') io.stderr:write('three\\n')" ..
      " io.stdout:write('four\\n') print('five')", "one\ntwo\nthree\nfour\nfive\n> half a|")
  end)

  it("may come from other processes", function()
    shows("os.execute('echo one; echo two >&2')", "one\ntwo\n> half a|")
  end)

  it("may be a warning of what was never awaited", function()
    local t = start("lull.async(function() end)() collectgarbage() collectgarbage()")
    t:wait_for(function(text)
      return text:find("^lull: [^\n]*never awaited") and text:find("\n> half a|$")
    end, {bar = true})
  end)

  it("goes on where it was if its line had not ended", function()
    shows("io.write('one') io.stdout:flush() await(lull.sleep(0.02)) io.write(' two')" ..
      " io.stdout:flush() await(lull.sleep(0.02)) io.write(' three\\nfour') io.stdout:flush()",
      "one two three\nfour\n> half a|")
  end)

  it("goes over its line again after a carriage return", function()
    shows("for i = 1, 20 do io.write('\\r', i * 5, '%') io.stdout:flush()" ..
      " await(lull.sleep(0.002)) end print()", "100%\n> half a|")
  end)

  it("goes over its line again however often", function()
    shows("for i = 1, 200 do io.write('\\r', i, ' of 200 ', ('.'):rep(40)) io.stdout:flush()" ..
      " await(lull.sleep(0.001)) end print()", "200 of 200 " .. ("."):rep(40) .. "\n> half a|")
  end)

  it("goes on in a line that is longer than the screen is wide", function()
    shows("for i = 1, 5 do io.write(('0123456789'):rep(2)) io.stdout:flush()" ..
      " await(lull.sleep(0.005)) end",
      ("0123456789"):rep(4) .. "\n" .. ("0123456789"):rep(4) .. "\n" .. ("0123456789"):rep(2) ..
      "\n> half a|", {columns = 40})
  end)

  it("may end in the last column", function()
    shows("for i = 1, 2 do io.write(('0123456789'):rep(2)) io.stdout:flush()" ..
      " await(lull.sleep(0.005)) end", ("0123456789"):rep(4) .. "\n> half a|", {columns = 40})
  end)

  it("keeps its colours", function()
    local t = start("print('\\27[31mred\\27[0m plain')")
    t:wait_for("\27[31mred\27[39m plain", {escapes = true})
  end)

  it("may be text of any bytes", function()
    local t = start("print('\\255\\254 \\0 ä日') print(('x\\1\\2\\3'):rep(3)) print('end')")
    t:wait_for("\nend\n> half a|", {bar = true})
  end)

  it("appears above a line of several rows", function()
    local t = terminal.prompt()
    t:line("t = lull.create_task(function() await(lull.sleep(0.05)) print('out') end)")
    t:line("do")
    t:type("x = 1")
    t:key("Left Left Left")
    t:wait_for("\nout\n> do\n    x |= 1", {bar = true})
    t:type("Y")
    t:wait_for("\nout\n> do\n    x Y|= 1", {bar = true})
  end)

  it("does not disturb what is typed, at 1,000 lines a second", function()
    local t = start("for i = 1, 1500 do print('line', i) await(lull.sleep(0.001)) end" ..
      " print('over')")
    t:key("C-u")
    local text = "x = 'typed while it printed' .. 'äöü' .. '日本'"
    for word in text:gmatch("%S+%s*") do
      t:type(word)
      t:wait_for(word:match("%S+") .. " ?|", {bar = true, pattern = true})
    end
    t:wait_for("line    1500\nover\n> " .. text .. "|", {bar = true})
    local all, last = t:screen({all = true}), 0
    for number in all:gmatch("line    (%d+)\n") do
      assert.equal(last + 1, tonumber(number))
      last = last + 1
    end
    assert.equal(1500, last)
  end)

  it("lets one type, and stop it, however fast it comes", function()
    local t = start("local i = 0 while true do i = i + 1 print('line', i) await(lull.sleep(0)) end")
    t:wait_for("\nline ")
    t:key("C-u")
    t:type("t:cancel()")
    t:wait_for("\n> t:cancel()|", {bar = true})
    t:key("C-c")
    t:wait_for("\n> |", {bar = true})
    t:type("t:cancel()")
    t:wait_for("\n> t:cancel()|", {bar = true})
    t:key("Enter")
    t:line("'still here'")
    t:wait_for('"still here"\n> |', {bar = true})
  end)

  it("lets one type while another process floods", function()
    local t = start("os.execute('(while :; do echo flood; done) & echo $! >' .. go)")
    t:wait_for("flood\nflood\n")
    t:key("C-u")
    t:type("os.execute('kill $(cat ' .. go .. ')')")
    t:wait_for("')')|", {bar = true})
    t:key("Enter")
    t:line("'still here'")
    t:wait_for('"still here"\n> |', {bar = true})
  end)

  describe("when the terminal gets another size", function()
    local long = "x = '" .. ("0123456789"):rep(9) .. "'"

    -- The edited line, whatever rows it is cut into.
    local function is_edited(line)
      return function(screen)
        local text = screen:match("\n> ([^>]*)$") or screen:match("^> ([^>]*)$")
        return text and text:gsub("\n", "") == line
      end
    end

    it("draws a long line anew, narrower and wider", function()
      local t = terminal.prompt()
      t:type(long)
      t:wait_for(is_edited(long .. "|"), {bar = true})
      for _, columns in ipairs {40, 120, 30, 80} do
        t:resize(columns, 24)
        t:type("y")
        t:wait_for("'y|", {bar = true})
        t:key("BSpace")
        t:wait_for(is_edited(long .. "|"), {bar = true})
      end
      t:key("Enter")
      t:line("#x")
      t:wait_for("\n90\n> |", {bar = true})
    end)

    it("goes on with output above the line", function()
      local t = start("while true do print('out') await(lull.sleep(0.005)) end")
      t:key("C-u")
      t:type(long)
      for _, columns in ipairs {40, 100, 33, 80} do
        t:resize(columns, 24)
        t:wait_for(is_edited(long .. "|"), {bar = true})
      end
      t:key("Enter")
      t:line("t:cancel()")
      t:line("#x")
      t:wait_for("\n90\n> |", {bar = true})
    end)
  end)
end)
