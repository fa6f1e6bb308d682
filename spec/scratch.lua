-- A directory of its own for each test that works with files, and what such tests ask: how many
-- descriptors are open, what is in a file by io's account, how a script does in another process.
local fs = require("lull.fs")
local lull = require("lull")

local await = lull.await

local M = {}

local DEADLINE = 20 -- seconds of the processor's, or turns of real input and output

--- The path of something in the test's directory.
function M.path(name)
  return M.dir .. "/" .. name
end

function M.write(name, text)
  local file = assert(io.open(M.path(name), "wb"))
  assert(file:write(text))
  assert(file:close())
  return M.path(name)
end

--- What is in a file; nil if it is not there.
function M.read(name)
  local file = io.open(M.path(name), "rb")
  if not file then
    return nil
  end
  local text = file:read("a")
  file:close()
  return text
end

--- The names in the test's directory, in order.
function M.names()
  local names = {}
  for name in fs.scandir(M.dir) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- Runs a shell command, in which $D is the test's directory.
function M.sh(command)
  local ok, _, code = os.execute(("D='%s'; %s"):format(M.dir, command))
  return ok, code
end

--- How many descriptors this process has open.
function M.descriptors()
  local count = 0
  for _ in fs.scandir("/proc/self/fd") do
    count = count + 1
  end
  return count
end

--- Lets other work go on until a condition holds; an error if that takes too long.
function M.eventually(condition, what)
  local start = os.time()
  while not condition() do
    assert(os.time() - start < DEADLINE, what or "it does not come about")
    await(fs.exists("/"))
  end
end

--- Blocks this thread until a condition holds: what other threads do goes on, the loop does not.
function M.spin(condition)
  local start = os.time()
  while not condition() do
    assert(os.time() - start < DEADLINE, "it does not come about")
  end
end

--- Runs Lua code in a host of its own, `...` being the test's directory; gives what it prints and
--- how it ends. A prefix is a shell command that runs what follows it, or ends with a semicolon.
function M.run(code, prefix, host)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  os.execute("chmod a+r " .. path)
  local command = ("D='%s'; %s timeout 60 %s %s '%s' 2>&1"):format(M.dir, prefix or "",
    host or os.getenv("LULL"), path, M.dir)
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  local _, _, status = pipe:close()
  os.remove(path)
  return output, status
end

local function prefix_of_nobody()
  local pipe = assert(io.popen("id -u"))
  local id = pipe:read("l")
  pipe:close()
  return id == "0" and "setpriv --reuid=65534 --regid=65534 --clear-groups" or ""
end

--- The same as a user without rights, for whom the test's directory is open. A copy of the host is
--- run: the build may be where such a user cannot look.
function M.run_as_nobody(code)
  local build = assert(os.getenv("LULL_BUILD"))
  assert(M.sh(("chmod a+rx $D; mkdir $D/.host; cp %s/lull %s/liblull.so.* $D/.host"):format(build,
    build)))
  local output, status = M.run(code, prefix_of_nobody(), M.path(".host/lull"))
  M.sh("rm -r $D/.host")
  return output, status
end

local before

--- Has each test of the block get a directory, and checks that it leaves no descriptor open.
function M.watch(before_each, after_each)
  before_each(function()
    M.dir = await(fs.mkdtemp())
    before = M.descriptors()
  end)
  after_each(function()
    collectgarbage()
    collectgarbage()
    M.eventually(function()
      return M.descriptors() <= before
    end, "descriptors are left open")
    await(fs.remove(M.dir, { recursive = true }))
  end)
end

return M
