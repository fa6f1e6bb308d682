-- Text that is pasted at the prompt.
local terminal = require "spec.terminal"

local SHORT = 5 -- seconds

describe("pasting at the prompt:", function()
  terminal.watch(after_each)

  local t

  before_each(function() t = terminal.prompt() end)

  it("takes several lines whole, and runs nothing until Enter", function()
    t:paste("print('a')\nprint('b')\n")
    t:expect("> print('a')\nprint('b')\n|")
    t:key("Enter")
    t:expect("> print('a')\nprint('b')\n\na\nb\n> |")
  end)

  it("leaves the indentation as it is, tabs and all", function()
    t:paste("function f()\n\treturn {\n        1, 2}\nend")
    t:expect("> function f()\n        return {\n        1, 2}\nend|")
    t:key("Enter")
    t:line("#f()")
    t:wait_for("\n2\n> |", {bar = true})
  end)

  it("takes the newlines of other systems", function()
    t:paste("x = [[a\r\nb\rc\nd]]", true)
    t:expect("> x = [[a\nb\nc\nd]]|")
    t:key("Enter")
    t:line("x")
    t:wait_for([["a\nb\nc\nd"]])
  end)

  it("completes nothing where there are tabs, and takes no control characters", function()
    t:paste("tostr\ta\27[A\1\3\4b", true)
    t:expect("> tostr a[Ab|")
  end)

  it("puts it where the cursor is", function()
    t:type("f()")
    t:key("Left")
    t:expect("> f(|)")
    t:paste("'ä',\n日")
    t:expect("> f('ä',\n日|)")
  end)

  it("takes a lot of it in a short time", function()
    local line = "x = x + 1 -- " .. ("y"):rep(86) .. "\n"
    t:line("x = 0")
    local start = os.time()
    t:paste(line:rep(1024) .. "print('whole')")
    t:wait_for("print('whole')|", {bar = true})
    t:key("Enter")
    t:wait_for("\nwhole\n> |", {bar = true})
    assert.is_true(os.time() - start <= SHORT)
    t:line("x")
    t:wait_for("\n1024\n> |", {bar = true})
  end)

  it("can be typed at after a paste that took the whole screen", function()
    t:paste(("-- a line\n"):rep(100) .. "x = 5")
    t:wait_for("x = 5|", {bar = true})
    t:type("6")
    t:wait_for("x = 56|", {bar = true})
    t:key("Up Up C-k Down Down Enter")
    t:line("x")
    t:wait_for("\n56\n> |", {bar = true})
  end)

  it("gives up one that never ends with Ctrl-C", function()
    t:type("\27[200~half of")
    t:key("C-c")
    t:expect("> half of^C\n> |")
    t:line("1 + 1")
    t:wait_for("\n2\n> |", {bar = true})
  end)
end)
