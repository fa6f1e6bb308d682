-- Starts the servers of this folder. Each tells, when it is ready, what a spec has to know (ports,
-- a folder), over a pipe, and ends when the pipe is closed: by close, by the collector, or because
-- the process that runs the specs is gone.
local M = {}

--- What a server that was started can do.
local Server = {}
Server.__index = Server
M.Server = Server

local HOST = "127.0.0.1"

local function quote(argument)
  return "'" .. tostring(argument):gsub("'", "'\\''") .. "'"
end

--- A command line for the shell.
function M.command(...)
  local words = table.pack(...)
  for i = 1, words.n do
    words[i] = quote(words[i])
  end
  return table.concat(words, " ")
end

local function read_told(pipe, server)
  for line in pipe:lines() do
    if line == "ready" then
      return true
    end
    local name, value = line:match("^(%S+) (.*)$")
    server[name] = math.tointeger(value) or value
  end
end

--- Runs a Python program of this folder; gives a table with what it told, once it is ready.
function M.start(program, ...)
  local pipe = assert(io.popen("exec " .. M.command("python3", "spec/servers/" .. program, ...)))
  local server = { pipe = pipe }
  if not read_told(pipe, server) then
    pipe:close()
    error(program .. " did not start", 2)
  end
  return setmetatable(server, Server)
end

--- Ends the server, and waits until it has ended.
function Server:close()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
  end
end

Server.__close = Server.close
Server.__gc = Server.close

--- An address on one of the server's ports: `server:url("http", "/hello")`. The scheme is the
--- port's, which has a name that begins with https or does not.
function Server:url(port, path, host)
  local scheme = port:match("^https") or "http"
  return ("%s://%s:%d%s"):format(scheme, host or HOST, self[port], path or "/")
end

--- A file in the server's folder.
function Server:path(name)
  return self.folder .. "/" .. name
end

return M
