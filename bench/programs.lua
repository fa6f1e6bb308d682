-- The programs that are compared: lull, the bare programs that mark the limit, and the peers.

local shell = require("shell")

-- Debian's packages of the peers; nodejs is only asked for where there is no node.
local PACKAGES = "lua5.4 python3 python3-aiofiles python3-uvloop golang-go lua-cqueues lua-luv"
  .. " gcc libuv1-dev libcurl4-openssl-dev nginx-light python3-aiohttp python3-httpx"

local M = {}

local function set(text)
  local names = {}
  for name in text:gmatch("%S+") do names[name] = true end
  return names
end

-- Debian's own python3 sees Debian's uvloop; another one earlier in PATH may not.
local function python()
  return shell.succeeds("test -x /usr/bin/python3") and "/usr/bin/python3" or "python3"
end

local function has_module(name)
  return function() return shell.succeeds("lua5.4 -l " .. name .. " -e ''") end
end

local function has_command(name)
  return function() return shell.succeeds("command -v " .. name) end
end

--- The programs, in the order of the tables. Each has:
---   name       as rows.lua and the command line know it
---   peer       the name that `--peers` selects it by; lull and the limit have none
---   workloads  those it has
---   installed  whether it can run here
---   command    what runs a workload; the name and the size follow, then `variant`
---   startup    what the start-up row launches
---   version    a command that prints its version
---   prepare    what has to be built first, if anything
---@param bench string the folder of the benchmark
---@param build string the folder for what is built
---@param host string the lull binary
---@return table[]
function M.list(bench, build, host)
  local quote = shell.quote
  local py = python()
  local go_source, go_binary = bench .. "/peers/go/main.go", build .. "/peer-go"
  local threads_source, threads_binary = bench .. "/limit/threads.c", build .. "/limit-threads"
  local files_source, files_binary = bench .. "/limit/files.c", build .. "/limit-files"
  local node_command = "node " .. quote(bench .. "/peers/node.mjs")
  local python_command = py .. " " .. quote(bench .. "/peers/python.py")
  local asyncio_startup = "import asyncio; asyncio.run(asyncio.sleep(0))"
  local uvloop_startup = "import asyncio, uvloop; uvloop.install(); asyncio.run(asyncio.sleep(0))"
  local http_source, http_binary = bench .. "/limit/http.c", build .. "/limit-http"
  local function prepare_http()
    local libraries = "$(pkg-config --cflags --libs libuv libcurl)"
    local build_command = ("%s -std=gnu11 -O2 -o %s %s %s"):format(
      os.getenv("CC") or "cc", quote(http_binary), quote(http_source), libraries)
    return shell.build(http_binary, http_source, build_command)
  end
  return {
    {
      name = "lull",
      workloads = set("spawn switch sleepers queue chain waitfor park startup files thread fib"
        .. " http"),
      installed = function() return shell.succeeds("command -v " .. quote(host)) end,
      command = quote(host) .. " " .. quote(bench .. "/lull/workloads.lua"),
      startup = quote(host) .. " " .. quote(bench .. "/lull/empty.lua"),
      version = quote(host) .. " -v",
    },
    {
      name = "limit",
      workloads = set("spawn switch queue chain park startup"),
      installed = has_command("lua5.4"),
      command = "lua5.4 " .. quote(bench .. "/limit/workloads.lua"),
      startup = "lua5.4 -e ''",
      version = "lua5.4 -v",
    },
    {
      name = "limit",
      workloads = set("files"),
      installed = function() return shell.succeeds("pkg-config libuv") end,
      prepare = function()
        local build_command = ("%s -std=gnu11 -O2 -o %s %s $(pkg-config --cflags --libs libuv)")
          :format(os.getenv("CC") or "cc", quote(files_binary), quote(files_source))
        return shell.build(files_binary, files_source, build_command)
      end,
      command = quote(files_binary),
    },
    {
      name = "limit",
      workloads = set("thread"),
      installed = function() return shell.succeeds("pkg-config libuv") end,
      prepare = function()
        local build_command = ("%s -std=gnu11 -O2 -o %s %s $(pkg-config --cflags --libs libuv)")
          :format(os.getenv("CC") or "cc", quote(threads_binary), quote(threads_source))
        return shell.build(threads_binary, threads_source, build_command)
      end,
      command = quote(threads_binary),
    },
    {
      name = "limit",
      workloads = set("http"),
      installed = function() return shell.succeeds("pkg-config libuv libcurl") end,
      prepare = prepare_http,
      command = quote(http_binary),
    },
    {
      name = "limit, tuned",
      workloads = set("http"),
      installed = function() return shell.succeeds("pkg-config libuv libcurl") end,
      prepare = prepare_http,
      command = quote(http_binary),
      variant = "tuned",
    },
    {
      name = "lull, one thread",
      workloads = set("fib"),
      installed = function() return shell.succeeds("command -v " .. quote(host)) end,
      command = quote(host) .. " " .. quote(bench .. "/lull/workloads.lua"),
      variant = "serial",
    },
    {
      name = "asyncio",
      peer = "asyncio",
      workloads = set("spawn switch sleepers queue chain waitfor park files thread startup"),
      installed = function() return shell.succeeds(py .. " -c 'import asyncio'") end,
      command = python_command,
      startup = py .. " -c " .. quote(asyncio_startup),
      version = py .. " -V",
    },
    {
      name = "asyncio, aiofiles",
      peer = "asyncio",
      workloads = set("files"),
      installed = function() return shell.succeeds(py .. " -c 'import aiofiles'") end,
      command = python_command,
      variant = "aiofiles",
    },
    {
      name = "asyncio, processes",
      peer = "asyncio",
      workloads = set("thread fib"),
      installed = function() return shell.succeeds(py .. " -c 'import asyncio'") end,
      command = python_command,
      variant = "processes",
    },
    {
      name = "uvloop",
      peer = "uvloop",
      workloads = set("spawn switch sleepers queue chain waitfor park files thread startup"),
      installed = function() return shell.succeeds(py .. " -c 'import uvloop'") end,
      command = python_command,
      variant = "uvloop",
      startup = py .. " -c " .. quote(uvloop_startup),
      version = py .. " -c 'import uvloop; print(uvloop.__version__)'",
    },
    {
      name = "aiohttp",
      peer = "aiohttp",
      workloads = set("http"),
      installed = function() return shell.succeeds(py .. " -c 'import aiohttp'") end,
      command = python_command,
      version = py .. " -c 'import aiohttp; print(aiohttp.__version__)'",
    },
    {
      name = "aiohttp, uvloop",
      peer = "aiohttp",
      workloads = set("http"),
      installed = function() return shell.succeeds(py .. " -c 'import aiohttp, uvloop'") end,
      command = python_command,
      variant = "uvloop",
    },
    {
      name = "httpx",
      peer = "httpx",
      workloads = set("http"),
      installed = function() return shell.succeeds(py .. " -c 'import httpx'") end,
      command = python_command,
      variant = "httpx",
      version = py .. " -c 'import httpx; print(httpx.__version__)'",
    },
    {
      name = "node",
      peer = "node",
      workloads = set("spawn switch sleepers queue chain waitfor park files http startup"),
      installed = has_command("node"),
      command = node_command,
      startup = "node -e ''",
      version = "node -v",
    },
    {
      name = "node, setImmediate",
      peer = "node",
      workloads = set("switch"),
      installed = has_command("node"),
      command = node_command,
      variant = "immediate",
    },
    {
      name = "node, async functions",
      peer = "node",
      workloads = set("sleepers"),
      installed = has_command("node"),
      command = node_command,
      variant = "async",
    },
    {
      name = "node, fetch",
      peer = "node",
      workloads = set("http"),
      installed = has_command("node"),
      command = node_command,
      variant = "fetch",
    },
    {
      name = "go",
      peer = "go",
      workloads = set("spawn switch sleepers queue waitfor park files startup"),
      installed = has_command("go"),
      prepare = function()
        local build_command = "go build -o " .. quote(go_binary) .. " " .. quote(go_source)
        return shell.build(go_binary, go_source, build_command)
      end,
      command = quote(go_binary),
      startup = quote(go_binary) .. " startup",
      version = "go version",
    },
    {
      name = "cqueues",
      peer = "cqueues",
      workloads = set("spawn switch sleepers queue waitfor park startup"),
      installed = has_module("cqueues"),
      command = "lua5.4 " .. quote(bench .. "/peers/lua-cqueues.lua"),
      startup = "lua5.4 -l cqueues -e ''",
      version = "lua5.4 -l cqueues -e 'print(cqueues.VERSION)'",
    },
    {
      name = "luv",
      peer = "luv",
      workloads = set("switch sleepers waitfor files startup"),
      installed = has_module("luv"),
      command = "lua5.4 " .. quote(bench .. "/peers/lua-luv.lua"),
      startup = "lua5.4 -l luv -e ''",
      version = "lua5.4 -l luv -e 'print(\"libuv \" .. luv.version_string())'",
    },
  }
end

--- Gets the peers from Debian.
---@return boolean ok
function M.install()
  local packages = PACKAGES .. (has_command("node")() and "" or " nodejs")
  local sudo = shell.read("id -u") == "0" and "" or "sudo "
  local install = sudo .. "env DEBIAN_FRONTEND=noninteractive apt-get install -y"
    .. " --no-install-recommends " .. packages
  return os.execute(install) or os.execute(sudo .. "apt-get update && " .. install) or false
end

return M
