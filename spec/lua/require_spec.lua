-- require under lull: modules that await while they load.
local lull = require("lull")
local script = require("spec.script")
local tidy = require("spec.tidy")

local async, await = lull.async, lull.await

local function assert_error(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

describe("require", function()
  local names = {}

  -- A module that exists for one test.
  local function module(name, loader)
    package.preload[name] = loader
    table.insert(names, name)
  end

  after_each(function()
    for _, name in ipairs(names) do
      package.preload[name], package.loaded[name] = nil, nil
    end
    names = {}
  end)

  tidy.watch(before_each, after_each)

  it("loads a module that awaits", function()
    module("spec_m", function(...)
      await(lull.sleep(0))
      return { ... }
    end)
    local m, data = require("spec_m")
    assert.same({ "spec_m", ":preload:" }, m)
    assert.equal(":preload:", data)
    assert.equal(m, (require("spec_m")))
    assert.equal(m, package.loaded.spec_m)
  end)

  it("gives true for a module that returns nothing, and keeps false", function()
    module("spec_nothing", function() end)
    module("spec_false", function() return false end)
    module("spec_sets", function(name) package.loaded[name] = "set" end)
    assert.is_true((require("spec_nothing")))
    assert.is_false((require("spec_false")))
    assert.equal("set", (require("spec_sets")))
  end)

  it("loads a module once, though two tasks require it at the same time", function()
    local loads = 0
    module("spec_shared", function()
      loads = loads + 1
      await(lull.sleep(0.001))
      return { loads }
    end)
    local get = async(function() return (require("spec_shared")) end)
    local a, b, c = await(lull.gather(get(), get(), get()))
    assert.equal(a, b)
    assert.equal(a, c)
    assert.equal(1, loads)
  end)

  it("loads again if loading fails: the one task gets the error, the other the module", function()
    local loads = 0
    module("spec_flaky", function()
      loads = loads + 1
      local mine = loads
      await(lull.sleep(0.001))
      if mine == 1 then error("not yet", 0) end
      return "module"
    end)
    local get = async(function() return (require("spec_flaky")) end)
    local results = await(lull.gather({ get(), get(), return_exceptions = true }))
    assert.same({ n = 2, "not yet", "module" }, results)
  end)

  it("can be cancelled while it waits for another task's loading, which goes on", function()
    module("spec_slow", function()
      await(lull.sleep(0.002))
      return "module"
    end)
    local get = async(function() return (require("spec_slow")) end)
    local first, second, third = lull.create_task(get()), lull.create_task(get()),
      lull.create_task(get())
    await(lull.sleep(0))
    second:cancel()
    assert.is_false(pcall(await, second))
    assert.is_true(second:cancelled())
    assert.equal("module", await(first))
    assert.equal("module", await(third))
  end)

  it("can be cancelled while it loads; another that waits loads then", function()
    local loads = 0
    module("spec_cancelled", function()
      loads = loads + 1
      await(lull.sleep(0.002))
      return "module"
    end)
    local get = async(function() return (require("spec_cancelled")) end)
    local first, second = lull.create_task(get()), lull.create_task(get())
    await(lull.sleep(0))
    first:cancel()
    assert.is_false(pcall(await, first))
    assert.equal("module", await(second))
    assert.equal(2, loads)
  end)

  it("loads modules that require others, in several tasks", function()
    module("spec_outer", function()
      await(lull.sleep(0))
      return "outer " .. require("spec_inner")
    end)
    module("spec_inner", function()
      await(lull.sleep(0.001))
      return "inner"
    end)
    local outer = async(function() return (require("spec_outer")) end)
    local inner = async(function() return (require("spec_inner")) end)
    assert.same({ "outer inner", "inner", "outer inner" },
      { await(lull.gather(outer(), inner(), outer())) })
  end)

  it("is an error, not a deadlock, when two tasks load modules that require each other", function()
    local function loader(other)
      return function()
        await(lull.sleep(0.001))
        return require(other)
      end
    end
    module("spec_a", loader("spec_b"))
    module("spec_b", loader("spec_a"))
    local get = async(function(name) return (require(name)) end)
    local results = await(lull.gather({ get("spec_a"), get("spec_b"), return_exceptions = true }))
    for i = 1, 2 do
      assert.matches("module 'spec_%a' requires itself, directly or through others", results[i])
    end
  end)

  it("is an error when a module requires itself", function()
    module("spec_self", function()
      await(lull.sleep(0))
      return require("spec_self")
    end)
    assert_error("module 'spec_self' requires itself", require, "spec_self")
    module("spec_early", function(name)
      package.loaded[name] = "early"
      return (require("spec_early"))
    end)
    assert.equal("early", (require("spec_early")))
  end)

  it("raises the module's error, the very value, each time", function()
    local err = {}
    module("spec_fails", function() error(err) end)
    for _ = 1, 2 do
      local ok, caught = pcall(require, "spec_fails")
      assert.is_false(ok)
      assert.equal(err, caught)
    end
    assert.is_nil(package.loaded.spec_fails)
  end)

  it("says where it looked for a module that is not there", function()
    assert_error("module 'no.such.module' not found:", require, "no.such.module")
    assert_error("no field package.preload%['no.such.module'%]", require, "no.such.module")
    assert_error("no file '[^']*no/such/module.lua'", require, "no.such.module")
  end)

  it("checks its argument", function()
    for _, value in ipairs({ {}, true, print }) do
      assert_error("bad argument #1 to 'require' %(string expected", require, value)
    end
    assert_error("bad argument #1 to 'require' %(string expected", require)
  end)
end)

describe("require from files", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)

  after_each(function()
    os.execute("rm -r " .. folder)
  end)

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  it("awaits in the very first module of a script, too", function()
    write("first.lua", [[
      local lull = require "lull"
      lull.await(lull.sleep(1))
      return {name = ..., at = lull.now()}
    ]])
    local output, status = script.run(([[
      package.path = %q .. "/?.lua;" .. package.path
      local first, place = require "first"
      print(first.name, first.at, place:match("[^/]*$"))
    ]]):format(folder))
    assert.equal("first\t1.0\tfirst.lua\n", output)
    assert.equal(0, status)
  end)

  it("tells of a module that does not parse, with file and line", function()
    write("broken.lua", "local x =\n= 1")
    local output, status = script.run(([[
      package.path = %q .. "/?.lua"
      print(select(2, pcall(require, "broken")))
    ]]):format(folder))
    assert.matches("error loading module 'broken' from file '[^']*broken.lua'", output)
    assert.matches("broken.lua:2: unexpected symbol near '='", output)
    assert.equal(0, status)
  end)
end)
