-- :help. What it says of lull is made of lull's own comments when it is built.
local commands = require("lull.prompt.commands")
local help = require("lull.prompt.help")
local lull = require("lull")
local stand_in = require("spec.stand_in")
local tidy = require("spec.tidy")

local await = lull.await

local function read(line, env, fields)
  local session = stand_in.session(env, fields)
  commands.run(session, line)
  return session.text()
end

local function about(name, env, fields) return read(":help " .. name, env, fields) end

local function failure_of(name, env)
  local ok, err = pcall(about, name, env)
  assert.is_false(ok)
  return tostring(err)
end

local function load_file(text, f)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local env = setmetatable({ lull = lull, async = lull.async }, { __index = _G })
  local ok, err = pcall(function()
    assert(loadfile(path, "t", env))()
    f(env, path, function(name) return about(name, env) end)
  end)
  os.remove(path)
  assert(ok, err)
end

describe(":help alone", function()
  tidy.watch(before_each, after_each)

  it("lists the commands and the keys", function()
    local text = read(":help")
    assert.matches("Commands\n  :help", text)
    for _, row in ipairs(help.keys) do
      assert.is_truthy(text:find("\n  " .. row[1], 1, true))
      assert.is_truthy(text:find(row[2], 1, true))
    end
  end)

  it("keeps to the width", function()
    for _, width in ipairs({ 40, 60, 80 }) do
      for line in read(":help", nil, { width = width }):gmatch("[^\n]+") do
        assert.is_true(utf8.len(line) <= width, line)
      end
    end
  end)

  it("tells of one command", function()
    assert.matches("^  :time EXPR  evaluates", about(":time"))
    assert.matches("^  :help +tells.*\n  :help NAME", about(":help"))
  end)
end)

describe(":help with the name of something of lull", function()
  tidy.watch(before_each, after_each)

  it("tells of a function that is C: signature, prose, arguments, results", function()
    assert.equal([[
lull.sleep(seconds, result) -> lull.Coroutine

Waits for so many seconds. Zero or less: for one turn of the loop, in which
everything else that is ready runs. After asyncio.sleep.

Arguments
  seconds  number
  result   any

Results
  coroutine  lull.Coroutine: awaits to result, if one was given
]], about("lull.sleep", { lull = lull }))
  end)

  it("finds it by an alias, by a call, and by its name without the module", function()
    local text = about("lull.sleep", { lull = lull })
    assert.equal(text, about("nap", { nap = lull.sleep }))
    assert.equal(text, about("t.nap", { t = { nap = lull.sleep } }))
    assert.equal(text, about("lull.sleep()", { lull = lull }))
    assert.equal(text, about("sleep"))
    assert.equal(text, about("lull.sleep"))
    assert.equal(text, about("(nap)", { nap = lull.sleep }))
  end)

  it("finds a function that is Lua by where it was written", function()
    local text = about("f", { f = lull.wait_for })
    assert.matches("^lull%.wait_for%(awaitable, seconds%) %-> lull%.Coroutine\n", text)
    assert.matches("^lull%.barrier%(n%)", about("f", { f = lull.barrier }))
    assert.matches("^lull%.fs%.walk%(path, options%)", about("f", { f = require("lull.fs").walk }))
    assert.matches("^lull%.try%(f, ...%) %-> boolean, ...\n", about("f", { f = lull.try }))
  end)

  it("finds methods by their object, their class, and as values", function()
    local queue = lull.queue()
    for name, env in pairs({ ["q:put"] = { q = queue }, ["q.put"] = { q = queue },
                             ["put"] = { put = queue.put }, ["queue.put"] = {},
                             ["Queue:put"] = {}, ["lull.Queue:put"] = {} }) do
      assert.matches("^Queue:put%(item%) %-> lull%.Coroutine\n", about(name, env))
    end
    local task = lull.create_task(function() end)
    assert.matches("^Future:cancel%(message%)", about("t:cancel", { t = task }))
    assert.matches("^Task:get_name%(%)", about("t:get_name", { t = task }))
    assert.matches("^Barrier:wait%(%)", about("b:wait", { b = lull.barrier(2) }))
    await(task)
  end)

  it("tells what an object is, with its methods and those it inherits", function()
    local task = lull.create_task(function() end)
    local text = about("t", { t = task })
    assert.matches("^t: lull%.Task, a lull%.Future\n\nA coroutine that the loop runs", text)
    assert.matches("\nMethods\n.*\n  get_name%(%) +Its name%.\n", text)
    assert.matches("\nMethods of lull%.Future\n.*\n  done%(%) +Whether it has ended", text)
    await(task)
    for name, value in pairs({ Queue = lull.queue(), Semaphore = lull.lock(), Loop = lull.loop(),
                               Event = lull.event(), SettableFuture = lull.future(),
                               Future = lull.gather(), Timer = require("lull.timer").new(),
                               TimeoutScope = lull.timeout(), Barrier = lull.barrier(1),
                               ContextVar = lull.context_var("x"),
                               Stream = require("lull.stream")({}),
                               Coroutine = lull.sleep(0) }) do
      assert.matches("^x: lull%." .. name .. "%f[^%w]", about("x", { x = value }))
      if name == "Coroutine" or name == "Future" then await(value) end
    end
  end)

  it("tells of a class, and what makes errors", function()
    assert.matches("^lull%.Lock, a lull%.Semaphore\n.*\nMethods of lull%.Semaphore\n",
      about("Lock"))
    assert.matches("^lull%.TimeoutError: lull%.Error\n", about("E", { E = lull.TimeoutError }))
    assert.matches("^e: lull%.TimeoutError\n", about("e", { e = lull.TimeoutError("x") }))
    assert.matches("\nMethods\n.*  read%(format%)", about("lull.fs.File"))
    assert.matches("^lull%.fs%.File", about("File"))
  end)

  it("tells of a module: what it is for, and its functions in a sentence each", function()
    local text = about("lull.fs")
    assert.matches("^lull%.fs\n\nFiles and directories%.", text)
    assert.matches("\nFunctions\n.*\n  read_file%(path%) +Reads a whole file%.\n", text)
    assert.matches("\nClasses\n.*  File +An open file%.", text)
    assert.equal(text, about("fs", { fs = require("lull.fs") }))
    assert.matches("\nModules\n.*  fs +files and directories", about("lull", { lull = lull }))
  end)

  it("tells of functions that are made by others", function()
    assert.matches("^lull%.http%.get%(url, options%) %-> lull%.http%.Response\n\nSends a request",
      about("lull.http.get"))
    assert.matches("^lull%.color%.red%(value%) %-> string\n", about("lull.color.red"))
    assert.matches("^http%.Session:put%(url, options%).*\nSends a request%.",
      about("lull.http.Session:put"))
  end)

  it("tells of values", function()
    assert.matches("^lull%.json%.null: userdata\n\nWhat JSON calls null",
      about("n", { n = require("lull.json").null }))
  end)

  it("keeps to the width", function()
    local docs = require("lull.prompt.help.lookup").docs()
    for _, width in ipairs({ 40, 80 }) do
      for _, key in ipairs(docs.keys()) do
        for line in about(key, nil, { width = width }):gmatch("[^\n]+") do
          local long = utf8.len(line) > width and line:match("^%s*%S*$") == nil
          assert.is_false(long and not line:find("^  %S+ *%S*$"), key .. ": " .. line)
        end
      end
    end
  end)

  it("has no markup left in any text", function()
    local docs = require("lull.prompt.help.lookup").docs()
    for _, key in ipairs(docs.keys()) do
      local text = about(key)
      assert.is_nil(text:find("\n%s*@") or text:find("%-%-%-"), key)
      assert.not_equal("", text)
    end
  end)

  it("has something to say of every function of the public modules", function()
    local lookup = require("lull.prompt.help.lookup")
    for _, name in ipairs({ "lull", "lull.color", "lull.fs", "lull.http", "lull.html", "lull.json",
                            "lull.net", "lull.thread", "lull.timer" }) do
      for field, value in pairs(require(name)) do
        if type(value) == "function" then
          local doc = lookup.value(value)
          assert(doc and doc.text:find("%S"), name .. "." .. field)
        end
      end
    end
  end)

  it("colours its heads where there are colours", function()
    local text = about("lull.sleep", nil, { color = true })
    assert.matches("^\27%[1mlull%.sleep[^\n]*\27%[22m\n", text)
    assert.is_nil(about("lull.sleep"):find("\27"))
  end)
end)

describe(":help with a function of the user's", function()
  tidy.watch(before_each, after_each)

  it("shows its comment, as it stands or with markup", function()
    load_file([[
--- Adds two numbers, and
--- gives the sum. e.g. 3.
---
---     add(1, 2)
---
--- - one thing
---@param a number the first
---@param b? number|string the second,
--- which may be left out
---@return number sum of both
---@nosuchtag whatever
function add(a, b) return a + b end

-- Plain words.
t = {f = function(x, ...) end}

function bare() end
]], function(_, path, tell)
      assert.equal(([[
add(a, b) -> number

Adds two numbers, and gives the sum. e.g. 3.

      add(1, 2)
  - one thing

Arguments
  a  number: the first
  b  number or string, optional: the second, which may be left out

Results
  sum  number: of both

Defined in %s:12.
]]):format(path), tell("add"))
      assert.equal(("t.f(x, ...)\n\nPlain words.\n\nDefined in %s:15.\n"):format(path), tell("t.f"))
      assert.equal(("bare()\n\nDefined in %s:17.\n"):format(path), tell("bare"))
    end)
  end)

  it("knows one of the user's among the globals and in Lua's libraries", function()
    _G.my_global = assert(load("return function(a) end", "=here"))() -- luacheck: ignore 122
    string.trim_it = _G.my_global -- luacheck: ignore 142
    local global = about("my_global", _G)
    local method = about("string.trim_it", _G)
    _G.my_global, string.trim_it = nil, nil -- luacheck: ignore 122 142
    assert.equal("my_global(a)\n\nDefined in here, line 1.\n", global)
    assert.equal("string.trim_it(a)\n\nDefined in here, line 1.\n", method)
  end)

  it("tells of the function inside an async one", function()
    load_file("-- Fetches it.\nfetch = async(function(url) return url end)\n",
      function(_, path, tell)
        assert.equal(("async fetch(url) -> coroutine object\n\nFetches it.\n\nDefined in %s:2.\n")
          :format(path), tell("fetch"))
      end)
  end)

  it("finds local variables of the session", function()
    local scope = {
      get = function(_, name) return name == "here", function(a) return a end end,
      names = function() return { "here" } end,
    }
    assert.matches("^here%(a%)\n", about("here", nil, { scope = scope }))
    local _, err = pcall(about, "heer", nil, { scope = scope })
    assert.matches("perhaps you mean here$", err)
  end)

  it("tells where one was defined that has no file", function()
    local f = load("\nreturn function(a, b) return a + b end", "=prompt")()
    assert.equal("f(a, b)\n\nDefined in prompt, line 2.\n", about("f", { f = f }))
    local g = load("return function() end")()
    assert.equal("g()\n\nDefined in a string, line 1.\n", about("g", { g = g }))
  end)

  it("writes no control character that is in a comment", function()
    load_file("--- A\27[2Jb\tc.\nfunction f() end", function(_, _, tell)
      assert.matches("\nA%?%[2Jb c%.\n", tell("f"))
    end)
  end)

  it("does without a file that is gone, or that is none", function()
    for _, source in ipairs({ "@/nonexistent.lua", "@/dev/zero", "@/tmp" }) do
      local f = load("return function(a) end", source)()
      assert.equal(("f(a)\n\nDefined in %s:1.\n"):format(source:sub(2)), about("f", { f = f }))
    end
  end)

  it("does with a file that is shorter than it was, and with one that is no text", function()
    load_file(("\n"):rep(50) .. "function f(a) end", function(env, path)
      local file = assert(io.open(path, "wb"))
      file:write("\0\xff\n--\0")
      file:close()
      assert.equal(("f(a)\n\nDefined in %s:51.\n"):format(path), about("f", env))
    end)
  end)

  it("can be cancelled while it reads the file", function()
    load_file("-- Text.\nfunction f() end", function(env)
      local session = stand_in.session(env)
      local task = lull.create_task(function() commands.run(session, ":help f") end)
      await(lull.sleep(0))
      task:cancel()
      await(lull.wait({ task }))
      assert.is_true(task:cancelled())
      assert.equal("", session.text())
    end)
  end)
end)

describe(":help with something else", function()
  tidy.watch(before_each, after_each)

  it("tells of Lua's own functions, and names the section of the manual", function()
    assert.equal([[
string.rep(s, n, sep) -> string

Repeats a string, with sep in between.

One of Lua's own: see §6.4 of the reference manual,
https://www.lua.org/manual/5.4/manual.html#pdf-string.rep
]], about("string.rep"))
    assert.matches("^print%(...%)\n.*see §6%.1 ", about("p", { p = print }))
    assert.matches("^file:write%(...%) %-> file\n.*see §6%.8 ", about("io.stdout:write"))
    assert.matches("^string%.rep%(", about("s:rep", { s = "x" }))
    assert.matches("^string is a library of Lua: see §6%.4 ", about("string"))
    assert.matches("^'for' is a word of Lua's syntax: see §3%.3%.5 ", about("for"))
  end)

  it("has a signature and a sentence for each of Lua's functions", function()
    local standard = require("lull.prompt.help.standard")
    local count = 0
    local function check(name, value)
      if type(value) ~= "function" then return end
      count = count + 1
      local signature, sentence = standard.get(name)
      assert(signature and sentence:find("^[%u\"].*%.$"), name)
      assert.equal(name, signature:match("^[%w_.:]+"))
    end
    for _, name in ipairs({ "assert", "pcall", "require", "xpcall", "warn", "rawlen", "next" }) do
      check(name, _G[name])
    end
    for _, library in ipairs({ "coroutine", "debug", "io", "math", "os", "string", "table",
                               "utf8" }) do
      for name, value in pairs(_G[library]) do
        check(library .. "." .. name, value)
      end
    end
    check("package.loadlib", package.loadlib)
    check("package.searchpath", package.searchpath)
    for name, value in pairs(getmetatable(io.stdout).__index) do check("file:" .. name, value) end
    assert.is_true(count > 120)
  end)

  it("tells the type of a value there is no description of", function()
    assert.matches("^x is a number%.", about("x", { x = 1 }))
    assert.matches("^print is a userdata%.", about("print", { print = io.stdout }))
    assert.matches("^x is a table%.", about("x", { x = { __name = 1 } }))
    assert.matches("^x is a table%.", about("x", { x = setmetatable({}, { __name = "my class" }) }))
    assert.matches("^1 %+ 1 is a number%.", about("1 + 1"))
    assert.matches("^no%(%) or nil is nil%.", about("no() or nil", { no = function() end }))
  end)

  it("says that a name is unknown, and which are near", function()
    assert.equal("nothing is known of 'xyzzyplugh'", failure_of("xyzzyplugh"))
    assert.equal("nothing is known of 'slep'; perhaps you mean lull.sleep", failure_of("slep"))
    assert.matches("perhaps you mean lull%.create_task", failure_of("lull.creat_task"))
    assert.matches("perhaps you mean .*lull%.Queue:put", failure_of("Queue:ptu"))
    assert.matches("perhaps you mean mine$", failure_of("mnie", { mine = 1 }))
    assert.matches("nothing is known of 'a%.b%.c'", failure_of("a.b.c", { a = {} }))
  end)

  it("does with objects whose metamethods fail", function()
    local bad = setmetatable({}, {
      __index = function() error("no") end,
      __name = setmetatable({}, { __tostring = error }),
      __eq = error,
      __metatable = "hidden",
    })
    assert.matches("^bad is a table%.", about("bad", { bad = bad }))
    assert.matches("nothing is known of 'bad%.x'", failure_of("bad.x", { bad = bad }))
    local session = stand_in.session()
    session.env = setmetatable({}, { __index = function() error("strict") end })
    commands.run(session, ":help lull.sleep")
    assert.matches("^lull%.sleep", session.text())
  end)

  it("raises what is wrong with an expression", function()
    assert.matches("syntax error", failure_of("a b"))
    assert.matches("oops", failure_of("(error('oops'))"))
  end)
end)
