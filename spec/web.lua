-- What the specs of the HTTP client share.
local assert = require("luassert")
local lfs = require("lfs")
local lull = require("lull")
local server = require("spec.servers.server")
local system = require("system")

local await = lull.await

local M = {}

local TRIES, PAUSE = 2000, 0.002 -- four seconds

--- Waits, in real time, until a function gives a true value; gives it.
function M.eventually(f, what)
  for _ = 1, TRIES do
    local value = f()
    if value then
      return value
    end
    await(lull.sleep(0))
    system.sleep(PAUSE)
  end
  error("never: " .. (what or "what was waited for"), 2)
end

--- Waits, in real time, until a number that a function gives has stopped to change; gives it.
function M.settled(f)
  local before
  return M.eventually(function()
    for _ = 1, 20 do
      await(lull.sleep(0))
      system.sleep(PAUSE)
    end
    local value = f()
    local stands = value == before
    before = value
    return stands and value
  end, "what was to settle")
end

--- Percent-encodes a text for a query.
function M.escape(text)
  return (text:gsub("[^%w._~-]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- A path and its query; a list of values is a name that occurs repeatedly.
function M.path(path, query)
  local parts = {}
  for name, value in pairs(query) do
    for _, item in ipairs(type(value) == "table" and value or { value }) do
      table.insert(parts, name .. "=" .. M.escape(tostring(item)))
    end
  end
  return path .. "?" .. table.concat(parts, "&")
end

--- How many files the process has open.
function M.descriptors()
  local count = 0
  for _ in lfs.dir("/proc/self/fd") do
    count = count + 1
  end
  return count
end

--- Waits until as many files are open as there were.
function M.descriptors_return_to(count)
  M.eventually(function()
    collectgarbage()
    return M.descriptors() <= count
  end, "descriptors are left open")
end

--- The megabytes of memory the process holds.
function M.resident()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match("VmRSS:%s*(%d+) kB")) / 1024
end

-- A sanitizer keeps what was freed for a while.
local SLACK = (os.getenv("LULL_PRELOAD") or "") ~= "" and 320 or 0

--- The process may hold so many megabytes more than it did.
function M.grew_less(megabytes, before)
  local more = M.resident() - before
  assert.is_true(more < megabytes + SLACK, ("%.1f MB more"):format(more))
end

--- Awaits something that must take a time between two bounds, in seconds.
function M.takes(least, most, f, ...)
  local begin = lull.now()
  local results = table.pack(f(...))
  local seconds = lull.now() - begin
  assert.is_true(seconds >= least - 0.005, ("took only %g s"):format(seconds))
  assert.is_true(seconds <= most, ("took %g s"):format(seconds))
  return table.unpack(results, 1, results.n)
end

--- A task that is done with what it waits for can still be asked how it ended.
function M.ended(task)
  local done = await(lull.wait({ task }, { timeout = 5 }))
  assert.equal(task, done[1], "the task still waits")
  return task
end

--- Reads a whole file; nil if there is none.
function M.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

--- Writes a whole file.
function M.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

--- The names in a folder, sorted.
function M.names(path)
  local names = {}
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then
      table.insert(names, name)
    end
  end
  table.sort(names)
  return names
end

--- Runs Lua code in a host of its own, in real time. `@name` in the code stands for a value, as a
--- Lua literal; the environment has those variables more. Gives what it prints, with stderr.
function M.run(code, values, environment)
  code = code:gsub("@([%w_]+)", function(name)
    return ("%q"):format(assert(values[name], name))
  end)
  local path = os.tmpname()
  M.write(path, code)
  local words = { "env" }
  for name, value in pairs(environment or {}) do
    table.insert(words, name .. "=" .. value)
  end
  local command = server.command(table.unpack(words)) .. " "
    .. server.command("timeout", "20", assert(os.getenv("LULL")), path)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read("a")
  os.remove(path)
  return output
end

--- Builds the resolver of spec/servers/slow_dns.c in a folder; gives the environment that has a
--- host use it. It knows NAME.never, NAME.nowhere, NAME.here and MILLISECONDS.late.
function M.resolver(folder)
  local library = folder .. "/slow_dns.so"
  assert(os.execute(server.command("cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
    "spec/servers/slow_dns.c")))
  local preload = os.getenv("LULL_PRELOAD") or ""
  return { LD_PRELOAD = (preload .. " " .. library):match("^ ?(.*)$"), LULL_NEVER = "10" }
end

return M
