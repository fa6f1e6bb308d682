-- Misuse that was found out deep inside, "attempt to index a nil value (local 'self')" in a file of
-- lull's: it is the caller's, and is told so.
local fs = require("lull.fs")
local html = require("lull.html")
local json = require("lull.json")
local lull = require("lull")
local net = require("lull.net")
local stream = require("lull.stream")
local thread = require("lull.thread")
local timer = require("lull.timer")

local await = lull.await

-- The function is to fail where it calls lull, with this text.
local function blames(text, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.equal("string", type(err))
  assert.matches("misuse_spec%.lua:%d+: ", err)
  assert.is_truthy(err:find(text, 1, true), "another error: " .. err)
end

local function nothing() end

describe("a method called with a dot, or on something else", function()
  local function refuses(object, name, methods)
    for _, method in ipairs(methods) do
      local text = ("calling '%s' on bad self (%s expected)"):format(method, name)
      for _, self in ipairs { false, 42, "x", {}, lull.lock() } do
        blames(text, function()
          local _ = object[method](self)
        end)
      end
      blames(text, function()
        local _ = object[method]()
      end)
    end
  end

  it("is an error that names the method and what it belongs to", function()
    refuses(lull.barrier(1), "lull barrier",
      { "wait", "reset", "abort", "parties", "n_waiting", "broken" })
    refuses(lull.condition(), "lull condition",
      { "acquire", "release", "locked", "wait", "wait_for", "notify", "notify_all" })
    refuses(lull.context_var("v"), "lull context variable", { "get", "set" })
    refuses((lull.generator(nothing)()), "lull generator", { "close" })
    refuses(timer.new(), "lull timer", { "start", "stop" })
    refuses(lull.Error, "error class", { "extend" })
    local group <close> = lull.task_group()
    refuses(group, "lull task group", { "create_task", "cancel" })
  end)

  it("is one in the other modules, too", function()
    refuses(stream({}), "lull stream", { "list", "merge", "zip", "iter", "close" })
    local iterator <close> = stream({}):iter()
    refuses(iterator, "lull stream iterator", { "close" })
    local watch <close> = fs.watch(".")
    refuses(watch, "lull watch", { "close" })
    local pool <close> = thread.pool()
    refuses(pool, "lull thread pool", { "run", "map", "close" })
    local worker <close> = thread.worker(nothing)
    refuses(worker, "lull worker", { "send", "receive", "close" })
  end)

  it("is one of the HTTP client", function()
    local session <close> = require("lull.http").session()
    refuses(session, "lull http session", { "get", "request", "post", "close" })
  end)

  it("is one in a worker, of its port", function()
    local worker <close> = thread.worker(function(port)
      port:send({ pcall(port.send, 1, 2) })
      port:send({ pcall(port.receive) })
    end)
    assert.same({ false, "calling 'send' on bad self (lull port expected)" },
      await(worker:receive()))
    assert.same({ false, "calling 'receive' on bad self (lull port expected)" },
      await(worker:receive()))
  end)
end)

describe("an argument error of what a method calls", function()
  it("blames the method's caller", function()
    local group <close> = lull.task_group()
    blames("create_task' (coroutine object or function expected, got number)", function()
      group:create_task(42)
    end)
    blames("create_task' (unknown option 'n')", function()
      group:create_task(nothing, { n = 1 })
    end)
    local condition = lull.condition()
    blames("the lock is not acquired", function() condition:release() end)
  end)
end)

describe("a value that cannot be shown", function()
  local unshowable = setmetatable({}, { __tostring = function() return 42 end, __name = "thing" })
  local worse = setmetatable({}, { __tostring = error })

  it("does not get in the way of the argument error", function()
    blames("a port from 0 to 65535 expected, got thing", function()
      net.getaddrinfo("::1", unshowable)
    end)
    blames("unknown option 'table'", function() timer.new({ [worse] = 1 }) end)
    blames("unknown option 'thing'", function() json.encode(1, { [unshowable] = 1 }) end)
    local path = os.tmpname()
    local file <close> = await(fs.open(path))
    os.remove(path)
    blames("expected, got thing", function() file:seek(unshowable) end)
  end)

  it("may be an error's name", function()
    assert.matches("^table: 0x%x+: text$", tostring(lull.Error("text", { name = {} })))
  end)

  it("is refused where a string is expected", function()
    blames("string expected, got thing", function() html.parse(unshowable) end)
  end)
end)

describe("pool:map", function()
  it("refuses what is no list, or longer than memory could hold", function()
    local pool <close> = thread.pool({ size = 1 })
    for _, n in ipairs { -1, 1 << 40, math.maxinteger, math.mininteger } do
      blames("bad argument #2 to 'map' (not the length of a list)", function()
        pool:map(nothing, { n = n })
      end)
    end
    local odd = setmetatable({}, { __len = function() return "x" end })
    blames("bad argument #2 to 'map' (not the length of a list)", function()
      pool:map(nothing, odd)
    end)
  end)
end)

describe("a value that claims to be equal to everything", function()
  local equal = setmetatable({}, { __eq = function() return true end })
  local liar = setmetatable({}, { __metatable = equal })

  it("is no object of lull's for that", function()
    blames("calling 'wait' on bad self", function() lull.barrier(1).wait(liar) end)
    blames("calling 'list' on bad self", function() stream({}).list(liar) end)
    assert.is_false(json.is_array(liar))
    assert.same({}, await(stream(liar):list()))
    assert.same({}, await(stream({ 1 }):flat_map(function() return liar end):list()))
  end)
end)
