-- Names: addresses, errors, and resolvers that do not answer. For those a script runs with a
-- library whose getaddrinfo sleeps ten seconds when a name ends in ".never".
local lull = require("lull")
local net = require("lull.net")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local function lookup(...)
  return await(lull.wait_for(net.getaddrinfo(...), 20))
end

-- How many descriptors are open, of the first 256.
local function descriptors()
  local n = 0
  collectgarbage()
  for fd = 0, 255 do
    local file = io.open("/proc/self/fdinfo/" .. fd)
    if file then
      file:close()
      n = n + 1
    end
  end
  return n
end

describe("net.getaddrinfo", function()
  tidy.watch(before_each, after_each)

  it("gives a numeric address as it is, with its family and the port", function()
    assert.same({ { address = "127.0.0.1", family = "inet", port = 80 } }, lookup("127.0.0.1", 80))
    assert.same({ { address = "::1", family = "inet6", port = 0 } }, lookup("::1"))
  end)

  it("gives each address of a name once", function()
    local list, seen = lookup("localhost", 8080), {}
    assert.is_true(#list >= 1)
    for _, found in ipairs(list) do
      assert.equal(8080, found.port)
      assert.is_true(found.family == "inet" or found.family == "inet6")
      assert.is_nil(seen[found.address])
      seen[found.address] = true
    end
  end)

  it("keeps the interface of a link-local address", function()
    assert.equal("fe80::1%lo", lookup("fe80::1%lo", 1)[1].address)
  end)

  it("gives addresses of one family only, if it is asked to", function()
    for _, found in ipairs(lookup("localhost", 1, { family = "inet" })) do
      assert.equal("inet", found.family)
    end
  end)

  it("takes the type of the socket", function()
    assert.equal("127.0.0.1", lookup("127.0.0.1", 53, { type = "dgram" })[1].address)
  end)

  it("takes a port that is a float without a fraction", function()
    assert.equal(80, lookup("127.0.0.1", 80.0)[1].port)
  end)

  it("raises a DNSError with libuv's code and the host", function()
    local err = waiting.raises(lull.DNSError, lookup, "127.0.0.1", 1, { family = "inet6" })
    assert.is_true(lull.is_error(err, lull.OSError))
    assert.equal("EAI_ADDRFAMILY", err.code)
    assert.equal("127.0.0.1", err.host)
    assert.matches("^DNSError: cannot resolve '127.0.0.1': %l", tostring(err))
  end)

  it("raises a DNSError for a service that does not exist", function()
    local err = waiting.raises(lull.DNSError, lookup, "127.0.0.1", "no-such-service")
    assert.matches("^EAI_", err.code)
  end)

  it("raises a DNSError for a name that is too long, or is none", function()
    local err = waiting.raises(lull.DNSError, lookup, ("a"):rep(300))
    assert.equal("EAI_NONAME", err.code)
    waiting.raises(lull.DNSError, lookup, "\xff\xfe")
  end)

  it("refuses what is no host", function()
    local refused = "bad argument #1 to 'getaddrinfo' (a host expected"
    waiting.fails("bad argument #1 to 'getaddrinfo' (string expected, got nil)", net.getaddrinfo)
    waiting.fails(refused, net.getaddrinfo, "")
    waiting.fails("bad argument #1 to 'getaddrinfo'", net.getaddrinfo, "a\0b")
    waiting.fails("bad argument #1 to 'getaddrinfo'", net.getaddrinfo, 127)
  end)

  it("refuses what is no port", function()
    for _, port in ipairs({ -1, 65536, 1.5, "", {}, true, "a\0" }) do
      waiting.fails("bad argument #2 to 'getaddrinfo'", net.getaddrinfo, "localhost", port)
    end
  end)

  it("refuses unknown options and values, and names the caller's line", function()
    local function call(options)
      net.getaddrinfo("localhost", 1, options)
    end
    waiting.fails("bad argument #3 to 'getaddrinfo' (unknown option 'x')", call, { x = 1 })
    waiting.fails("bad argument #3 to 'getaddrinfo' (option 'family'", call, { family = "ipx" })
    waiting.fails("bad argument #3 to 'getaddrinfo' (option 'type'", call, { type = 1 })
    waiting.fails("net_spec.lua:", call, { type = 1 })
  end)

  it("is lazy", function()
    local coroutine_object = net.getaddrinfo("127.0.0.1", 1)
    assert.matches("^coroutine object", tostring(coroutine_object))
    assert.equal("127.0.0.1", await(coroutine_object)[1].address)
  end)

  it("looks up many names at once", function()
    local list = {}
    for i = 1, 50 do
      list[i] = net.getaddrinfo(("127.0.0.%d"):format(i), i)
    end
    for i, found in ipairs(await(lull.wait_for(lull.gather(list), 20))) do
      assert.same({ { address = ("127.0.0.%d"):format(i), family = "inet", port = i } }, found)
    end
  end)

  it("can be cancelled at any moment, and leaves nothing open", function()
    lookup("127.0.0.1")
    local before = descriptors()
    for turns = 0, 60 do
      local task = lull.create_task(net.getaddrinfo("127.0.0.1", 1))
      waiting.turns(turns % 20)
      task:cancel()
      pcall(await, task)
      assert.is_true(task:done())
    end
    for _ = 1, 200 do -- lookups that nobody waits for may still be at their end
      if descriptors() == before then break end
      os.execute("sleep 0.01")
    end
    assert.equal(before, descriptors())
  end)
end)

describe("loop:getaddrinfo", function()
  tidy.watch(before_each, after_each)

  it("is net.getaddrinfo", function()
    local loop = lull.loop()
    assert.same(
      { { address = "127.0.0.1", family = "inet", port = 7 } },
      await(loop:getaddrinfo("127.0.0.1", 7, { family = "inet" }))
    )
    waiting.fails("bad argument #1 to 'getaddrinfo'", loop.getaddrinfo, loop, "")
    waiting.raises(lull.DNSError, function()
      await(loop:getaddrinfo("127.0.0.1", 7, { family = "inet6" }))
    end)
  end)
end)

-- ---- a resolver that hangs ----------------------------------------------------------------------

local SHIM = [[
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);
static int ends(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  lookup *real;
  if (name != NULL && ends(name, ".never")) {
    sleep(10);
    return EAI_AGAIN;
  }
  if (name != NULL && ends(name, ".nowhere")) return EAI_NONAME;
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  return real(name, service, hints, found);
}
]]

-- What each script begins with. `hung` is a task whose name is being looked up for ten seconds.
local PRELUDE = [[
local lull = require "lull"
local net = require "lull.net"
local await, start = lull.await, lull.now()
local function within(seconds) assert(lull.now() - start < seconds, "it took too long") end
local hung = lull.create_task(net.getaddrinfo("host.never", 80))
await(lull.sleep(0.05))
assert(not hung:done())
]]

describe("a resolver that does not answer", function()
  local folder

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local source = assert(io.open(folder .. "/shim.c", "w"))
    source:write(SHIM)
    source:close()
    local compile = "cc -shared -fPIC -o %s/shim.so %s/shim.c -ldl"
    assert(os.execute(compile:format(folder, folder)))
  end)

  teardown(function()
    os.execute("rm -r " .. folder)
  end)

  -- Gives the output, the exit code and the seconds it took.
  local function run(code)
    local path = folder .. "/script.lua"
    local file = assert(io.open(path, "w"))
    file:write(PRELUDE, code)
    file:close()
    local preload = (os.getenv("LULL_PRELOAD") or "") .. " " .. folder .. "/shim.so"
    local command = ("date +%%s.%%N; LD_PRELOAD='%s' timeout 30 '%s' %s 2>&1; echo code $?;"
      .. " date +%%s.%%N"):format(preload, os.getenv("LULL"), path)
    local pipe = assert(io.popen(command))
    local text = pipe:read("a")
    pipe:close()
    local from, output, status, to = text:match("^([%d.]+)\n(.*)code (%d+)\n([%d.]+)\n$")
    return output, tonumber(status), tonumber(to) - tonumber(from)
  end

  local PROMPT = 4 -- seconds; the resolver takes ten

  it("is let go of at once when who waits is cancelled", function()
    local output, status, seconds = run([[
      hung:cancel()
      local ok, err = pcall(await, hung)
      assert(not ok and lull.is_error(err, lull.CancelledError))
      within(2)
      print("done")
    ]])
    assert.equal("done\n", output)
    assert.equal(0, status)
    assert.is_true(seconds < PROMPT)
  end)

  it("does not outlast a timeout", function()
    local output, status = run([[
      local ok, err = pcall(await, lull.wait_for(hung, 0.1))
      print(ok, err)
      within(2)
    ]])
    assert.equal("false\tTimeoutError: the time is up\n", output)
    assert.equal(0, status)
  end)

  it("keeps no other name from being resolved", function()
    local output = run([[
      for i = 1, 20 do
        local another = lull.create_task(net.getaddrinfo(i .. ".never"))
        await(lull.sleep(0.001))
        another:cancel()
      end
      for i = 1, 20 do assert(#await(net.getaddrinfo("127.0.0." .. i)) == 1) end
      local ok, err = pcall(await, net.getaddrinfo("some.nowhere", 80))
      print(ok, err, err.code, err.host)
      within(2)
    ]])
    assert.equal(
      "false\tDNSError: cannot resolve 'some.nowhere': unknown node or service"
        .. "\tEAI_NONAME\tsome.nowhere\n",
      output
    )
  end)

  it("does not keep queued lookups of cancelled tasks", function()
    local output, _, seconds = run([[
      local tasks = {}
      for i = 1, 20 do tasks[i] = lull.create_task(net.getaddrinfo(i .. ".never")) end
      await(lull.sleep(0.05))
      for _, task in ipairs(tasks) do task:cancel() end
      await(lull.wait(tasks))
      within(2)
      print("done")
    ]])
    assert.equal("done\n", output)
    assert.is_true(seconds < PROMPT)
  end)

  it("does not delay the end of the script", function()
    local output, status, seconds = run([[io.write("not flushed")]])
    assert.equal("not flushed", output)
    assert.equal(0, status)
    assert.is_true(seconds < PROMPT)
  end)

  it("does not delay the end of a script that fails", function()
    local _, status, seconds = run([[error("oops")]])
    assert.equal(1, status)
    assert.is_true(seconds < PROMPT)
  end)

  it("does not delay os.exit, which flushes what was written", function()
    for _, arguments in ipairs({ "7", "7, true", "7, false" }) do
      local output, status, seconds = run(([[
        local file = io.open(%q, "w")
        file:write("in a file")
        kept = file
        io.write("not flushed")
        os.exit(%s)
      ]]):format(folder .. "/written", arguments))
      assert.equal("not flushed", output)
      assert.equal(7, status)
      assert.is_true(seconds < PROMPT)
      local file = assert(io.open(folder .. "/written"))
      assert.equal("in a file", file:read("a"))
      file:close()
    end
  end)

  it("is not waited for by a task that is cancelled before it starts", function()
    local output, _, seconds = run([[
      local task = lull.create_task(net.getaddrinfo("another.never"))
      task:cancel()
      assert(not pcall(await, task))
      hung:cancel()
      within(2)
      print(task:cancelled())
    ]])
    assert.equal("true\n", output)
    assert.is_true(seconds < PROMPT)
  end)

  it("can be asked again in the cleanup of who was cancelled", function()
    local output = run([[
      local task = lull.create_task(function()
        local _ <close> = setmetatable({}, {__close = function()
          print(await(net.getaddrinfo("127.0.0.1"))[1].address)
        end})
        await(net.getaddrinfo("another.never"))
      end)
      await(lull.sleep(0.05))
      task:cancel()
      assert(not pcall(await, task))
      within(2)
    ]])
    assert.equal("127.0.0.1\n", output)
  end)
end)
