-- Everything that lull exports is described: what is C in lua/types/lull.lua, what is Lua where it
-- is written. And what is described exists.
local lull = require "lull"
local await = lull.await

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local types = read("lua/types/lull.lua")
local modules = {}
do
  local listing = assert(io.popen("find lua/lull -name '*.lua'"))
  for path in listing:lines() do modules[path] = read(path) end
  listing:close()
end

-- The functions a file defines: name -> whether a `---` comment stands above. Names are as in the
-- text: lull.sleep, Queue:get.
local function definitions(text)
  local found, above = {}, ""
  for line in text:gmatch("[^\n]*") do
    local name = line:match("^function ([%w_]+[.:][%w_]+)%(")
      or line:match("^local function ([%w_]+)%(")
    if name then found[name] = above:find("^%-%-%-") ~= nil end
    above = line
  end
  return found
end

local declared = definitions(types)

-- Where the functions of the facade that are written in Lua come from.
local function described_in_lua(name)
  for _, text in pairs(modules) do
    local defined = definitions(text)
    if defined["M." .. name] or defined["lull." .. name] or defined[name] then return true end
  end
  return false
end

-- One object of each class that C has, by the class's name in the types file.
local function objects()
  local future, gather, handle = lull.future(), lull.gather(), lull.loop():call_soon(function() end)
  local task = lull.create_task(function() end)
  await(task)
  await(gather)
  local scope <close> = lull.timeout()
  return {
    Event = lull.event(),
    Future = gather,
    Guard = await(lull.lock():acquire()),
    Handle = handle,
    Loop = lull.loop(),
    Queue = lull.queue(),
    Semaphore = lull.semaphore(),
    SettableFuture = future,
    Task = task,
    TimeoutScope = scope,
  }
end

local parents = {SettableFuture = "Future", Task = "Future"}

local function is_described(class, method)
  if declared[class .. ":" .. method] or declared[class .. "." .. method] then return true end
  return parents[class] ~= nil and is_described(parents[class], method)
end

describe("the descriptions of functions and methods", function()
  it("are there for every function of lull", function()
    local count = 0
    for name, value in pairs(lull) do
      if type(value) == "function" then
        count = count + 1
        assert(declared["lull." .. name] or described_in_lua(name),
          ("lull.%s is not described"):format(name))
      end
    end
    assert.is_true(count > 30)
  end)

  it("are there for every class of errors", function()
    for name, value in pairs(lull) do
      if type(value) == "table" then
        assert(types:find(("\n---@field %s "):format(name), 1, true),
          ("lull.%s is not described"):format(name))
      end
    end
  end)

  it("are there for every method that C has", function()
    local loop_methods = definitions(modules["lua/lull/loop.lua"])
    local count = 0
    for class, object in pairs(objects()) do
      for name, method in pairs(debug.getmetatable(object).__index) do
        local is_method = type(method) == "function" and not name:find("^__")
        if is_method and not (class == "Loop" and loop_methods["Loop." .. name]) then
          count = count + 1
          assert(is_described(class, name), ("%s:%s is not described"):format(class, name))
        end
      end
    end
    assert.is_true(count > 50)
  end)

  it("are there for every function and method that Lua modules export", function()
    for path, text in pairs(modules) do
      for name, described in pairs(definitions(text)) do
        if name:find("[.:]") and not name:find("[.:]__") then
          assert(described, ("%s: %s is not described"):format(path, name))
        end
      end
    end
  end)

  it("are of functions that exist", function()
    local all = objects()
    for name, described in pairs(declared) do
      assert(described, ("%s has no comment"):format(name))
      local class, field = name:match("^([%w_]+)[.:]([%w_]+)$")
      local object = class == "lull" and lull or all[class]
      assert.is_function(object[field], name)
    end
  end)

  it("give every argument that is declared a type", function()
    local above = ""
    for line in types:gmatch("[^\n]*") do
      local name, arguments = line:match("^function ([%w_.:]+)%((.-)%)")
      for argument in (arguments or ""):gmatch("[%w_.]+") do
        assert(above:find(("---@param %s "):format(argument), 1, true)
          or above:find(("---@param %s? "):format(argument), 1, true),
          ("%s: the argument %s has no type"):format(name, argument))
      end
      above = line:find("^%-%-%-") and above .. "\n" .. line or ""
    end
  end)

  it("are no part of the library", function()
    local preloaded = 0
    for name in pairs(package.preload) do
      if name:find("^lull") then preloaded = preloaded + 1 end
      assert.is_nil(name:find("types", 1, true))
    end
    assert.is_true(preloaded > 5)
  end)

  it("leave no task behind", function() assert.equal(1, #lull.all_tasks()) end)
end)
