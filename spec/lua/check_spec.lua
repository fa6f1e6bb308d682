-- Argument errors of the functions written in Lua: they name the argument, and the caller's line.
local lull = require("lull")
local check = require("lull.check")

local function assert_error(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(expected, (err:gsub("^.-:%d+: ", "")))
end

describe("check", function()
  it("passes what is right", function()
    check.type(1, "f", "text", "string")
    check.type(1, "f", nil, "string", true)
    check.seconds(1, "f", 0)
    check.seconds(1, "f", -1.5)
    check.seconds(1, "f", nil, true)
    local c = lull.async(function() end)()
    check.awaitable(1, "f", c)
    check.awaitable(1, "f", print)
    check.awaitable(1, "f", setmetatable({}, { __await = print }))
    lull.await(c)
    local options = { a = 1 }
    assert.equal(options, check.options(1, "f", options, { a = true, b = true }))
    assert.same({}, check.options(1, "f", nil, {}))
    assert.equal(2, check.awaitables(1, "f", { print, print }))
    assert.equal(0, check.awaitables(1, "f", {}))
  end)

  it("names the argument, the function, what was expected and what came", function()
    local function f(...) check.type(...) end
    assert_error("bad argument #2 to 'f' (string expected, got number)", f, 2, "f", 42, "string")
    assert_error("bad argument #1 to 'f' (string expected, got nil)", f, 1, "f", nil, "string")
    assert_error("bad argument #1 to 'f' (string expected, got table)", f, 1, "f", {}, "string",
      true)
    local typed = setmetatable({}, { __name = "gadget" })
    assert_error("bad argument #1 to 'f' (string expected, got gadget)", f, 1, "f", typed, "string")
  end)

  it("refuses seconds that are no number, or nan", function()
    local function f(value) check.seconds(1, "wait", value) end
    assert_error("bad argument #1 to 'wait' (number expected, got string)", f, "1")
    assert_error("bad argument #1 to 'wait' (number expected, got nil)", f)
    assert_error("bad argument #1 to 'wait' (a number of seconds expected, got nan)", f, 0 / 0)
  end)

  it("refuses what is not awaitable, and names the item of a list", function()
    local function one(value) check.awaitable(1, "f", value) end
    local function many(value) check.awaitables(1, "f", value) end
    assert_error("bad argument #1 to 'f' (awaitable expected, got number)", one, 42)
    assert_error("bad argument #1 to 'f' (awaitable expected, got nil)", one)
    assert_error("bad argument #1 to 'f' (table expected, got function)", many, print)
    assert_error("bad argument #1 to 'f' (item 2: awaitable expected, got boolean)", many,
      { print, true })
    assert_error("bad argument #1 to 'f' (item 2: awaitable expected, got nil)", many,
      { print, nil, print, n = 3 })
  end)

  it("refuses unknown options, of any type", function()
    local function f(options) check.options(2, "f", options, { known = true }) end
    assert_error("bad argument #2 to 'f' (unknown option 'unknown')", f, { unknown = 1 })
    assert_error("bad argument #2 to 'f' (unknown option '1')", f, { "x" })
    assert_error("bad argument #2 to 'f' (table expected, got number)", f, 7)
  end)

  it("blames the line that called the function", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, err = pcall(function() lull.context_var(42) end)
    assert.is_false(ok)
    assert.matches("check_spec.lua:" .. line .. ": bad argument #1 to 'context_var'", err)
    line = debug.getinfo(1, "l").currentline + 1
    ok, err = pcall(function() lull.wait({}, { timout = 1 }) end)
    assert.is_false(ok)
    assert.matches("check_spec.lua:" .. line .. ": bad argument #2 to 'wait'", err)
    line = debug.getinfo(1, "l").currentline + 1
    ok, err = pcall(function() lull.wait({ print }, 42) end)
    assert.is_false(ok)
    assert.matches("check_spec.lua:" .. line .. ": bad argument #2 to 'wait' %(table exp", err)
    line = debug.getinfo(1, "l").currentline + 1
    ok, err = pcall(function() lull.move_on_after("x", print) end)
    assert.is_false(ok)
    assert.matches("check_spec.lua:" .. line .. ": bad argument #1 to 'move_on_after'", err)
    line = debug.getinfo(1, "l").currentline + 1
    ok, err = pcall(function() lull.sleep("x") end)
    assert.is_false(ok)
    assert.matches("check_spec.lua:" .. line .. ": bad argument #1 to '", err)
  end)
end)
