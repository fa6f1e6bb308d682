-- runtime/embed_docs.lua: comments of Lua files as a table in C.
local fs = require("lull.fs")
local lull = require("lull")

local await = lull.await

local FILES = {
  ["types/lull.lua"] = [[
---@meta lull
-- What is C.

--- A thing.
---@class lull.Thing: userdata
local Thing = {}

--- Waits "for" \ it??!
---@param x number
function Thing:wait(x) end

---@class lull
---@field TimeError lull.Error the time is up
local lull = {}

--- Sleeps: ä.
---@param seconds number
function lull.sleep(seconds) end

return lull
]],
  ["lull/init.lua"] = [[
-- lull: waiting. The facade.
local wait = require "lull.wait"

local lull = {
  sleep = core.sleep,
  any = wait.any,
  barrier = require "lull.barrier",
}

--- Tries.
function lull.try(f, ...) return f(...) end

return lull
]],
  ["lull/wait.lua"] = [[
local M = {}

--- Waits for any.
function M.any(list)
  return list
end

-- Not for users.
function M.secret() end

--- Not for users, but described.
function M.inner() end

return M
]],
  ["lull/barrier.lua"] = "--- Makes a barrier.\nlocal function barrier(n)\n  return n\nend\n\n"
    .. "return barrier\n",
  ["lull/mod.lua"] = [[
-- lull.mod: a module. It has two
-- lines of head.
local part = require "lull.mod.part"

local M = {}

-- Makes a style.
---@return fun(value: any): string
local function style(name) return function() return name end end

M.red = style("red")
M.list = part.list

--- Nothing.
---@type userdata
M.null = core.null

for _, name in ipairs {"get", "put"} do
  M[name] = one_shot(name)
end

--- A timer.
---@class lull.mod.Timer
---@field name string
---@field get fun(self, url: string): lull.Thing see start
---@field put fun(self, url: string): lull.Thing
local Timer = {__name = "lull timer"}

--- Starts it.
function Timer:start()
  return self
end

function Timer:__close() end

--- Has something else by one of the names.
---@class lull.mod.Box
local Box = {}

--- Something else.
function Box:get() end

return M
]],
  ["lull/mod/part.lua"] = "local M = {}\n\n--- Lists.\nfunction M.list(path) end\n\nreturn M\n",
}

-- Writes the files and gives what is made of them: the C text, and its entries by their keys.
local function embed()
  local root = await(fs.mkdtemp("/tmp/lull-XXXXXX"))
  for _, dir in ipairs({ "types", "lull", "lull/mod" }) do await(fs.mkdir(root .. "/" .. dir)) end
  local names = {}
  for name, text in pairs(FILES) do
    names[#names + 1] = name
    await(fs.write_file(root .. "/" .. name, text))
  end
  table.sort(names)
  local ok = os.execute(("timeout 20 %s runtime/embed_docs.lua %s/docs.c %s %s"):format(
    os.getenv("LULL"), root, root, table.concat(names, " ")))
  local text = await(fs.read_file(root .. "/docs.c"))
  await(fs.remove(root, { recursive = true }))
  assert.is_true(ok)
  local entries, order = {}, {}
  for key, kind, signature, source, first, last, hidden, comment in text:gmatch(
    '\n  {"(.-)", "(.-)", "(.-)", "(.-)", (%d+), (%d+), (%d),\n(.-)},') do
    order[#order + 1] = key
    entries[key] = {
      kind = kind,
      signature = signature,
      place = source .. ":" .. first .. "-" .. last,
      hidden = hidden == "1",
      text = comment,
    }
  end
  return entries, order, text
end

describe("the documentation that is embedded", function()
  local entries, order, text
  setup(function() entries, order, text = embed() end)

  it("is sorted by its keys", function()
    local sorted = table.move(order, 1, #order, 1, {})
    table.sort(sorted)
    assert.same(sorted, order)
    assert.is_true(#order > 10)
  end)

  it("is the same each time", function()
    for _ = 1, 5 do assert.equal(text, select(3, embed())) end
  end)

  it("is C: what is special in strings is escaped", function()
    assert.equal([["Waits \"for\" \\ it\?\?!\n"]] .. "\n" .. [["@param x number"]],
      entries["lull.Thing:wait"].text)
    assert.matches("Sleeps: \\303\\244%.", entries["lull.sleep"].text)
    assert.matches('#include "docs.h"', text)
    assert.matches("const size_t lull__ndocs = ", text)
  end)

  it("has the functions of modules and the methods of classes, with their signatures", function()
    assert.equal("lull.sleep(seconds)", entries["lull.sleep"].signature)
    assert.equal("Thing:wait(x)", entries["lull.Thing:wait"].signature)
    assert.equal("method", entries["lull.Thing:wait"].kind)
    assert.equal("mod.Timer:start()", entries["lull.mod.Timer:start"].signature)
    assert.equal("class", entries["lull.Thing"].kind)
    assert.equal('"lull.mod.Timer"', entries["<lull timer>"].text)
    assert.is_nil(entries["lull.mod.Timer:__close"])
  end)

  it("has the place of what is written in Lua", function()
    assert.equal("lull/mod.lua:30-32", entries["lull.mod.Timer:start"].place)
    assert.equal("lull/barrier.lua:2-4", entries["lull.barrier"].place)
    assert.equal("lull/init.lua:11-11", entries["lull.try"].place)
    assert.matches("^:", entries["lull.sleep"].place)
  end)

  it("calls functions as users do, whatever file they are in", function()
    assert.equal("lull.any(list)", entries["lull.any"].signature)
    assert.equal("lull/wait.lua:4-6", entries["lull.any"].place)
    assert.is_false(entries["lull.any"].hidden)
    assert.equal("lull.barrier(n)", entries["lull.barrier"].signature)
    assert.equal("lull/mod/part.lua:4-4", entries["lull.mod.list"].place)
    assert.is_nil(entries["lull.wait.any"] or entries["lull.mod.part.list"])
  end)

  it("hides what is described and not for users, and leaves out what is not described", function()
    assert.is_true(entries["lull.wait.inner"].hidden)
    assert.is_nil(entries["lull.wait.secret"])
    assert.is_nil(entries["lull.wait"])
  end)

  it("has modules, by the heads of their files", function()
    assert.equal('"lull.mod: a module. It has two\\n"\n"lines of head."', entries["lull.mod"].text)
    assert.equal('"lull: waiting."', entries["lull"].text)
    assert.equal("module", entries["lull"].kind)
  end)

  it("has values, and functions that others make", function()
    assert.equal("value", entries["lull.mod.null"].kind)
    assert.equal('"the time is up\\n"\n"@type lull.Error"', entries["lull.TimeError"].text)
    assert.equal("lull.mod.red(value)", entries["lull.mod.red"].signature)
    assert.matches("Makes a style", entries["lull.mod.red"].text)
    assert.equal("mod.Timer:get(url)", entries["lull.mod.Timer:get"].signature)
    assert.matches('^"see start\\n"', entries["lull.mod.Timer:put"].text)
    assert.equal("lull.mod.put(url)", entries["lull.mod.put"].signature)
    assert.equal("lull.mod.get(url)", entries["lull.mod.get"].signature)
    assert.matches('^"see lull.mod.start', entries["lull.mod.put"].text)
  end)
end)
