-- The commands of the prompt: finding one, and those that are not about tasks or help.
local commands = require("lull.prompt.commands")
local lull = require("lull")
local stand_in = require("spec.stand_in")
local tidy = require("spec.tidy")

local await = lull.await

local function failure_of(session, line)
  local ok, err = pcall(commands.run, session, line)
  assert.is_false(ok)
  return tostring(err)
end

local function with_file(text, f)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, err = pcall(f, path)
  os.remove(path)
  assert(ok, err)
end

describe("a command", function()
  tidy.watch(before_each, after_each)

  it("is found by its name, or what its name alone begins with", function()
    for _, line in ipairs({ ":quit", ":q", ":qu", "  :quit  " }) do
      assert.is_true(commands.run(stand_in.session(), line))
    end
    for _, line in ipairs({ ":tasks", ":ta", ":help", ":h" }) do
      local session = stand_in.session()
      assert.is_false(commands.run(session, line))
      assert.not_equal("", session.text())
    end
  end)

  it("whose name may be several is refused, with what it may be", function()
    assert.equal("':t' may be :tasks, :time or :trace", failure_of(stand_in.session(), ":t"))
  end)

  it("that there is not is refused, and :help named", function()
    for line, name in pairs({ [":bla"] = "bla", [":"] = "", [": quit"] = "", ["::x::"] = ":x::",
                              [":quitt"] = "quitt", [":QUIT"] = "QUIT" }) do
      local message = failure_of(stand_in.session(), line)
      assert.equal(("there is no command ':%s': see :help"):format(name), message)
    end
  end)

  it("is refused with an argument it does not take", function()
    assert.equal(":tasks takes nothing after it", failure_of(stand_in.session(), ":tasks all"))
    assert.equal(":quit takes nothing after it", failure_of(stand_in.session(), ":quit now"))
  end)

  it("is in the list of names, and in the text of :help", function()
    local session = stand_in.session()
    commands.run(session, ":help")
    local text = session.text()
    for _, name in ipairs(commands.names) do
      assert.matches("\n  :" .. name .. "[ \n]", text)
    end
  end)
end)

describe(":time", function()
  tidy.watch(before_each, after_each)

  it("shows the values, and how long it took by lull's clock", function()
    local session = stand_in.session({ lull = lull, await = await })
    local begun = lull.now()
    assert.is_false(commands.run(session, ":time await(lull.sleep(0.02, 42)), nil"))
    local took = lull.now() - begun
    assert.same({ { 42, nil, n = 2 } }, session.shown)
    local ms, cpu = session.text():match("^([%d.]+) ms %(([%d.]+ [mu]?s) of it CPU%)\n$")
    assert.is_truthy(cpu)
    assert.is_true(tonumber(ms) >= 19.9 and tonumber(ms) <= took * 1e3 + 0.1)
  end)

  it("takes a statement, which gives nothing to show", function()
    local session = stand_in.session()
    commands.run(session, ":time local x = 1")
    assert.same({}, session.shown)
    assert.matches("^[%d.]+ us %(.* of it CPU%)\n$", session.text())
  end)

  it("raises the errors of what it evaluates, the same values", function()
    local err = {}
    local ok, raised = pcall(commands.run, stand_in.session({ err = err }), ":time error(err)")
    assert.is_false(ok)
    assert.equal(err, raised)
  end)

  it("needs something to evaluate", function()
    assert.equal(":time needs something to evaluate", failure_of(stand_in.session(), ":time"))
  end)

  it("can be cancelled", function()
    local session = stand_in.session({ lull = lull, await = await })
    local task = lull.create_task(function()
      commands.run(session, ":time await(lull.sleep(1000))")
    end)
    await(lull.sleep(0.001))
    task:cancel()
    await(lull.wait({ task }))
    assert.is_true(task:cancelled())
    assert.equal("", session.text())
  end)
end)

describe(":load", function()
  tidy.watch(before_each, after_each)

  it("runs a file with the session's globals, and shows what it returns", function()
    with_file("#!/usr/bin/env lull\nanswer = base + 2 return answer, ...", function(path)
      local session = stand_in.session({ base = 40 })
      assert.is_false(commands.run(session, ":load " .. path))
      assert.equal(42, session.env.answer)
      assert.is_nil(rawget(_G, "answer"))
      assert.same({ { 42, n = 1 } }, session.shown)
    end)
  end)

  it("lets the file await", function()
    with_file("await(lull.sleep(0.001)) done = true", function(path)
      local session = stand_in.session({ lull = lull, await = await })
      commands.run(session, ":load " .. path)
      assert.is_true(session.env.done)
      assert.same({}, session.shown)
    end)
  end)

  it("finds what is in the home directory", function()
    with_file("x = 1", function(path)
      local home = os.getenv
      local session = stand_in.session()
      os.getenv = function(name) -- luacheck: ignore 122
        return name == "HOME" and path:match("^(.*)/") or home(name)
      end
      local ok, err = pcall(commands.run, session, ":load ~/" .. path:match("[^/]*$"))
      os.getenv = home -- luacheck: ignore 122
      assert(ok, err)
      assert.equal(1, session.env.x)
    end)
  end)

  it("raises the file's errors, which say where", function()
    with_file("local x = 1\nerror('oops')", function(path)
      assert.equal(path .. ":2: oops", failure_of(stand_in.session(), ":load " .. path))
    end)
    with_file("x = = 1", function(path)
      local message = failure_of(stand_in.session(), ":l " .. path)
      assert.matches(":1: unexpected symbol near '='", message)
    end)
  end)

  it("runs no bytecode", function()
    with_file(string.dump(function() end), function(path)
      assert.matches("attempt to load a binary chunk",
        failure_of(stand_in.session(), ":load " .. path))
    end)
  end)

  it("raises what keeps it from reading", function()
    local ok, err = pcall(commands.run, stand_in.session(), ":load /nonexistent/x.lua")
    assert.is_false(ok)
    assert.is_true(lull.is_error(err, lull.OSError))
    assert.equal("ENOENT", err.code)
    assert.equal(":load needs the path of a file", failure_of(stand_in.session(), ":load"))
  end)
end)

describe("the completion of arguments", function()
  tidy.watch(before_each, after_each)

  it("offers files and directories for :load, hidden ones if asked", function()
    local fs = require("lull.fs")
    local dir = await(fs.mkdtemp("/tmp/lull-XXXXXX"))
    for _, name in ipairs({ "one.lua", "other.lua", "two.lua", ".one" }) do
      await(fs.write_file(dir .. "/" .. name, ""))
    end
    await(fs.mkdir(dir .. "/of"))
    local function offered(text)
      local list = commands.complete("load", dir .. "/" .. text, stand_in.session())
      for i, item in ipairs(list) do
        assert.equal(dir .. "/", item:sub(1, #dir + 1))
        list[i] = item:sub(#dir + 2)
      end
      return list
    end
    local all, o, hidden, none = offered(""), offered("o"), offered("."), offered("x")
    await(fs.remove(dir, { recursive = true }))
    assert.same({ "of/", "one.lua", "other.lua", "two.lua" }, all)
    assert.same({ "of/", "one.lua", "other.lua" }, o)
    assert.same({ ".one" }, hidden)
    assert.same({}, none)
    assert.same({}, commands.complete("load", dir .. "/", stand_in.session()))
  end)

  it("offers the numbers and names of other tasks for :cancel and :trace", function()
    local task = lull.create_task(lull.sleep(100), { name = "napper" })
    for _, command in ipairs({ "cancel", "trace", "can" }) do
      assert.same({ "napper" }, commands.complete(command, "na", stand_in.session()))
      local all = commands.complete(command, "", stand_in.session())
      assert.equal(2, #all)
      assert.matches("^%d+$", all[1])
    end
    task:cancel()
  end)

  it("offers what is described for :help", function()
    local list = commands.complete("help", "Queue:get", stand_in.session())
    assert.same({ "Queue:get", "Queue:get_nowait" }, list)
    list = commands.complete("help", "lull.sl", stand_in.session())
    assert.same({ "lull.sleep" }, list)
  end)

  it("offers nothing where nothing is taken", function()
    assert.same({}, commands.complete("quit", "", stand_in.session()))
    assert.same({}, commands.complete("nosuch", "", stand_in.session()))
    assert.same({}, commands.complete("t", "", stand_in.session()))
  end)
end)
