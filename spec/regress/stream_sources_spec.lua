-- Sources that were lost, open, when the stage that was to take them refused another one; values
-- that no table can have as a key, and functions that give what cannot be used.
local lull = require("lull")
local stream = require("lull.stream")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await, fails = lull.await, waiting.fails

-- A source that tells whether it was closed.
local function source()
  local state = { closed = false }
  local iterator = setmetatable({}, {
    __call = function() return 1 end,
    __close = function() state.closed = true end,
  })
  return iterator, state
end

describe("a stream given twice", function()
  tidy.watch(before_each, after_each)

  it("is refused by merge and zip, which use neither it nor the others", function()
    for _, name in ipairs { "merge", "zip" } do
      local one, state = source()
      local first, second = stream(one), stream({ 1 })
      fails("the stream was used already", function()
        return first[name](first, second, second)
      end)
      fails("the stream was used already", function()
        return first[name](first, first)
      end)
      assert.same({ 1 }, await(second:list()))
      assert.is_false(state.closed)
      first:close()
      assert.is_true(state.closed)
    end
  end)
end)

describe("a list whose __index fails", function()
  tidy.watch(before_each, after_each)

  local function bad_list()
    return setmetatable({}, { __index = function(_, key) error("no " .. key, 0) end })
  end

  it("fails when values are asked for, and the other sources are closed", function()
    for _, name in ipairs { "merge", "zip" } do
      local one, state = source()
      local s = stream(one)
      local both = s[name](s, bad_list())
      fails("no n", await, both:list())
      assert.is_true(state.closed)
    end
  end)

  it("is asked for its length once", function()
    local asked = 0
    local list = setmetatable({ 1, 2 }, { __index = function(_, key)
      if key ~= "n" then return nil end
      asked = asked + 1
      return asked == 1 and 2 or "x"
    end })
    assert.same({ 1, 2 }, await(stream(list):list()))
  end)
end)

describe("flat_map", function()
  tidy.watch(before_each, after_each)

  it("names itself when its function gives a stream that was used", function()
    local used = stream({ 1 })
    used:close()
    local ok, err = pcall(await, stream({ 1 }):flat_map(function() return used end):list())
    assert.is_false(ok)
    assert.equal("flat_map: the stream was used already: it can be used once", err)
  end)

  it("takes a table whose __call is no function as a list", function()
    local list = setmetatable({ "x" }, { __call = 42 })
    assert.same({ "x" }, await(stream({ 1 }):flat_map(function() return list end):list()))
  end)
end)

describe("nan", function()
  tidy.watch(before_each, after_each)

  it("cannot be in a set, or a key of a table", function()
    local function raised(name)
      local s = stream({ 0 / 0 })
      return select(2, pcall(await, s[name](s)))
    end
    assert.equal("set: nan cannot be the key of a table", raised("set"))
    assert.equal("table: nan cannot be the key of a table", raised("table"))
  end)
end)
