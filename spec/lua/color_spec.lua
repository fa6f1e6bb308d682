-- lull.color: styles, where they are used, and taking them away again.
local color = require("lull.color")
local script = require("spec.script")

local ESC = "\27"

-- A function must fail with an argument error that blames this file.
local function fails(message, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.matches("color_spec.lua:%d+: ", err)
  assert.equal(message, (err:gsub("^.-:%d+: ", "")))
end

-- What a script prints in an environment, with its output in a pipe or on a terminal.
local function prints(environment, terminal)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write([[
local color = require "lull.color"
io.write(color.red("x"), " ", tostring(color.enabled()))]])
  file:close()
  local command = ("env -u NO_COLOR -u FORCE_COLOR TERM=xterm %s timeout 20 %s %s"):format(
    environment, assert(os.getenv("LULL")), path)
  if terminal then command = ("script -qec '%s' /dev/null </dev/null"):format(command) end
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read("a")
  pipe:close()
  os.remove(path)
  return output
end

describe("a colour", function()
  before_each(function() color.enabled(true) end)

  it("puts a value's text between two escape sequences", function()
    assert.equal(ESC .. "[33mwarm" .. ESC .. "[39m", color.yellow("warm"))
    assert.equal(ESC .. "[31m42" .. ESC .. "[39m", color.red(42))
    assert.equal(ESC .. "[31mnil" .. ESC .. "[39m", color.red(nil))
    local object = setmetatable({}, { __tostring = function() return "object" end })
    assert.equal(ESC .. "[4mobject" .. ESC .. "[24m", color.underline(object))
  end)

  it("leaves an empty text empty", function() assert.equal("", color.red("")) end)

  it("comes in sixteen, as text and as background", function()
    local names = { "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white" }
    for i, name in ipairs(names) do
      for prefix, first in pairs({ [""] = 29, bright_ = 89, on_ = 39, on_bright_ = 99 }) do
        local last = prefix:find("^on") and 49 or 39
        assert.equal(("%s[%dmx%s[%dm"):format(ESC, first + i, ESC, last),
          color[prefix .. name]("x"))
      end
    end
    assert.equal(color.bright_black("x"), color.gray("x"))
    assert.equal(color.on_bright_black("x"), color.on_gray("x"))
  end)

  it("has bold, dim, italic, underline, reverse and strikethrough beside it", function()
    local codes = { bold = { 1, 22 }, dim = { 2, 22 }, italic = { 3, 23 }, underline = { 4, 24 },
      reverse = { 7, 27 }, strikethrough = { 9, 29 } }
    for name, code in pairs(codes) do
      assert.equal(("%s[%dmx%s[%dm"):format(ESC, code[1], ESC, code[2]), color[name]("x"))
    end
  end)

  it("needs a value", function()
    fails("bad argument #1 to 'red' (value expected)", function() color.red() end)
  end)
end)

-- What each letter of a text with escape sequences looks like on a terminal: letter -> the set of
-- attributes in force, as a text.
local function looks(text)
  local kinds = { [39] = "color", [49] = "background", [22] = "intensity", [24] = "underline" }
  local function kind_of(code)
    if code == 1 or code == 2 or code == 22 then return "intensity" end
    if code == 4 or code == 24 then return "underline" end
    return code >= 40 and code <= 49 and "background" or "color"
  end
  local state, found = {}, {}
  local position = 1
  while position <= #text do
    local _, last, code = text:find("^\27%[(%d*)m", position)
    if last then
      code = tonumber(code) or 0
      if code == 0 then
        state = {}
      elseif kinds[code] then
        state[kinds[code]] = nil
      else
        state[kind_of(code)] = code
      end
      position = last + 1
    else
      local attributes = {}
      for _, value in pairs(state) do attributes[#attributes + 1] = value end
      table.sort(attributes)
      found[text:sub(position, position)] = table.concat(attributes, " ")
      position = position + 1
    end
  end
  assert.is_nil(next(state), "something is still in force at the end")
  return found
end

describe("styles inside one another", function()
  before_each(function() color.enabled(true) end)

  it("go back to the outer one at the inner one's end", function()
    assert.same({ a = "31", b = "1 31", c = "31" }, looks(color.red("a" .. color.bold("b") .. "c")))
    assert.same({ a = "31", b = "34", c = "31" }, looks(color.red("a" .. color.blue("b") .. "c")))
    assert.same({ a = "41", b = "42", c = "41" },
      looks(color.on_red("a" .. color.on_green("b") .. "c")))
  end)

  it("do so where the same sequence ends both", function()
    assert.same({ a = "2", b = "1", c = "2" }, looks(color.dim("a" .. color.bold("b") .. "c")))
    assert.same({ a = "1", b = "2", c = "1" }, looks(color.bold("a" .. color.dim("b") .. "c")))
    assert.same({ a = "4", b = "4", c = "4" },
      looks(color.underline("a" .. color.underline("b") .. "c")))
  end)

  it("do so however deep, and several times", function()
    local inner = color.green("c" .. color.yellow("d") .. "e")
    local middle = color.blue("b" .. inner .. "f" .. color.bold("g") .. "h")
    assert.same({ a = "31", b = "34", c = "32", d = "33", e = "32", f = "34", g = "1 34", h = "34",
      i = "31" }, looks(color.red("a" .. middle .. "i")))
  end)

  it("go back as well after a text from elsewhere that resets everything", function()
    for _, reset in ipairs({ "[0m", "[m" }) do
      assert.same({ a = "31", b = "32", c = "31" },
        looks(color.red("a" .. ESC .. "[32mb" .. ESC .. reset .. "c")))
    end
  end)
end)

describe("colours", function()
  after_each(function() color.enabled(true) end)

  it("are off when they were turned off, and text stays as it is", function()
    assert.is_false(color.enabled(false))
    assert.is_false(color.enabled())
    assert.equal("x", color.red("x"))
    assert.equal("42", color.on_blue(42))
    assert.is_true(color.enabled(true))
    assert.is_true(color.enabled(nil))
    assert.equal(ESC .. "[31mx" .. ESC .. "[39m", color.red("x"))
  end)

  it("are turned on and off by a boolean only", function()
    fails("bad argument #1 to 'enabled' (boolean expected, got string)",
      function() color.enabled("on") end)
  end)

  local colored = ESC .. "[31mx" .. ESC .. "[39m true"

  it("are off where the output is no terminal", function()
    assert.equal("x false", prints(""))
  end)

  it("are on where it is one, unless that is dumb", function()
    assert.equal(colored, prints("", true))
    assert.equal("x false", prints("TERM=dumb", true))
  end)

  it("are off where NO_COLOR is set to something", function()
    assert.equal("x false", prints("NO_COLOR=1", true))
    assert.equal("x false", prints("NO_COLOR=1 FORCE_COLOR=1", true))
    assert.equal(colored, prints("NO_COLOR=", true))
  end)

  it("are on where FORCE_COLOR is set to something", function()
    assert.equal(colored, prints("FORCE_COLOR=1"))
    assert.equal(colored, prints("FORCE_COLOR=1 TERM=dumb"))
    assert.equal("x false", prints("FORCE_COLOR="))
  end)

  it("can be turned on by the script, whatever the output is", function()
    local output = script.run([[
local color = require "lull.color"
color.enabled(true)
io.write(color.green("x"))]])
    assert.equal(ESC .. "[32mx" .. ESC .. "[39m", output)
  end)
end)

describe("strip", function()
  it("takes styles away", function()
    color.enabled(true)
    assert.equal("abc", color.strip(color.red("a" .. color.on_blue("b") .. color.bold("c"))))
    assert.equal("x", color.strip(ESC .. "[1;38;5;208mx" .. ESC .. "[m"))
    assert.equal("x", color.strip(ESC .. "[38:2::1:2:3mx" .. ESC .. "[0m"))
  end)

  it("takes all other control sequences away", function()
    assert.equal("ab", color.strip("a" .. ESC .. "[2K" .. ESC .. "[1;1H" .. ESC .. "[?25lb"))
    assert.equal("ab", color.strip("a" .. ESC .. "[!pb" .. ESC .. "[1 q"))
  end)

  it("takes operating system commands away: links and titles", function()
    local function link(address) return ESC .. "]8;;" .. address .. ESC .. "\\" end
    assert.equal("a text b", color.strip("a " .. link("https://x.org/[1m") .. "text" .. link("")
      .. " b"))
    assert.equal("ab", color.strip("a" .. ESC .. "]0;title\7b"))
    assert.equal("abc", color.strip("a" .. ESC .. "]0;x\7b" .. ESC .. "]0;y\7c"))
    assert.equal("abc", color.strip("a" .. ESC .. "]0;x" .. ESC .. "\\b" .. ESC .. "]0;y\7c"))
  end)

  it("leaves everything else alone", function()
    for _, text in ipairs({ "", "plain", "[31m", "100%", "ä\u{9b}31m", ESC, ESC .. "[31", "a\0b",
      ESC .. "]0;no end" }) do
      assert.equal(text, color.strip(text))
    end
  end)

  it("works when there are no colours, and on any value", function()
    color.enabled(false)
    assert.equal("x", color.strip(ESC .. "[31mx" .. ESC .. "[39m"))
    assert.equal("42", color.strip(42))
    assert.equal("nil", color.strip(nil))
    fails("bad argument #1 to 'strip' (value expected)", function() color.strip() end)
    color.enabled(true)
  end)
end)
