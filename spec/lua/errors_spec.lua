-- The error classes and is_error.
local lull = require("lull")

local classes = { "CancelledError", "TimeoutError", "InvalidStateError", "QueueEmpty", "QueueFull",
                  "QueueShutDown", "BrokenBarrierError", "ExceptionGroup", "OSError",
                  "ConnectionError", "DNSError" }

describe("an error class", function()
  it("makes errors with a name and a message, which tostring shows", function()
    for _, name in ipairs(classes) do
      local err = lull[name]("what happened")
      assert.equal(name, err.name)
      assert.equal("what happened", err.message)
      if name ~= "ExceptionGroup" then
        assert.equal(name .. ": what happened", tostring(err))
      end
    end
    assert.equal("Error: x", tostring(lull.Error("x")))
  end)

  it("makes errors without a message", function()
    assert.equal("TimeoutError", tostring(lull.TimeoutError()))
    assert.is_nil(lull.TimeoutError().message)
  end)

  it("takes messages of any type, and further fields", function()
    assert.equal("Error: 42", tostring(lull.Error(42)))
    local message = {}
    assert.equal(message, lull.Error(message).message)
    local err = lull.OSError("gone", { code = "ENOENT", path = "/x" })
    assert.equal("ENOENT", err.code)
    assert.equal("/x", err.path)
    assert.equal("OSError: gone", tostring(err))
  end)

  it("can be extended, again and again", function()
    local ParseError = lull.Error:extend("ParseError")
    local TokenError = ParseError:extend("TokenError")
    local err = TokenError("bad token", { line = 3 })
    assert.equal("TokenError: bad token", tostring(err))
    assert.equal(3, err.line)
    assert.is_true(lull.is_error(err, TokenError))
    assert.is_true(lull.is_error(err, ParseError))
    assert.is_true(lull.is_error(err, lull.Error))
    assert.is_false(lull.is_error(err, lull.OSError))
    assert.is_false(lull.is_error(ParseError("x"), TokenError))
  end)

  it("can have methods, which the classes made from it have too", function()
    local Base = lull.Error:extend("Base")
    function Base:hint() return "try " .. self.message end
    local Derived = Base:extend("Derived")
    assert.equal("try again", Derived("again"):hint())
  end)

  it("refuses a name that is no string", function()
    for _, name in ipairs({ 42, {}, true }) do
      assert.has_error.matches(function() lull.Error:extend(name) end,
        "bad argument #1 to 'extend' %(string expected")
    end
    assert.has_error.matches(function() lull.Error:extend() end, "string expected, got nil")
  end)

  it("of connections and names is one of OSError", function()
    assert.is_true(lull.is_error(lull.ConnectionError("x"), lull.OSError))
    assert.is_true(lull.is_error(lull.DNSError("x"), lull.OSError))
    assert.is_false(lull.is_error(lull.OSError("x"), lull.DNSError))
  end)
end)

describe("a class made from CancelledError", function()
  it("cancels the task that raises it", function()
    local Stop = lull.CancelledError:extend("Stop")
    local task = lull.create_task(function() error(Stop("now")) end)
    local ok, err = pcall(lull.await, task)
    assert.is_false(ok)
    assert.is_true(task:cancelled())
    assert.is_true(lull.is_error(err, lull.CancelledError))
  end)
end)

describe("is_error", function()
  it("is true for errors of the class, and of all if none is given", function()
    for _, name in ipairs(classes) do
      local err = lull[name]("x")
      assert.is_true(lull.is_error(err))
      assert.is_true(lull.is_error(err, lull.Error))
      assert.is_true(lull.is_error(err, lull[name]))
    end
    assert.is_false(lull.is_error(lull.TimeoutError("x"), lull.CancelledError))
  end)

  it("takes any value whatever", function()
    local circle = {}
    circle.parent = circle
    for _, value in ipairs({ "TimeoutError: x", 42, true, {}, print, io.stdout, lull.future(),
                             coroutine.create(print), lull.Error, lull.TimeoutError,
                             setmetatable({}, { __metatable = "hidden" }),
                             setmetatable({}, { __metatable = false }),
                             setmetatable({}, { parent = 42 }), setmetatable({}, circle),
                             setmetatable({}, { __index = error, __eq = error }) }) do
      assert.is_false(lull.is_error(value), tostring(value))
      assert.is_false(lull.is_error(value, lull.TimeoutError))
    end
    assert.is_false(lull.is_error(nil))
    assert.is_false(lull.is_error(nil, lull.TimeoutError))
  end)

  it("looks inside groups, and groups in groups", function()
    local group = lull.ExceptionGroup("several", {
      lull.OSError("a"), "text", lull.ExceptionGroup("inner", { lull.QueueEmpty("b") }),
    })
    assert.is_true(lull.is_error(group, lull.ExceptionGroup))
    assert.is_true(lull.is_error(group, lull.OSError))
    assert.is_true(lull.is_error(group, lull.QueueEmpty))
    assert.is_false(lull.is_error(group, lull.QueueFull))
    assert.is_false(lull.is_error(lull.ExceptionGroup("empty"), lull.QueueFull))
  end)

  it("refuses what is no class", function()
    for _, class in ipairs({ 42, "TimeoutError", {}, true, print }) do
      assert.has_error.matches(function() lull.is_error(nil, class) end, "error class expected")
    end
  end)
end)

describe("an ExceptionGroup", function()
  it("keeps its errors, and tells them all", function()
    local inner = lull.ExceptionGroup("inner", { "one", lull.OSError("two") })
    local group = lull.ExceptionGroup("outer", { inner, 42 })
    assert.equal(inner, group.errors[1])
    assert.equal([[
ExceptionGroup: outer (2 errors)
  ExceptionGroup: inner (2 errors)
    one
    OSError: two
  42]], tostring(group))
    assert.same({}, lull.ExceptionGroup("none").errors)
  end)
end)
