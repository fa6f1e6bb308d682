-- Servers that a row's programs talk to: started before its first run, ended after its last one,
-- whatever happens in between.

local shell = require("shell")

local M = {}

local NGINX = [[
worker_processes 1;
pid %s/nginx.pid;
error_log %s/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  default_type text/plain;
  charset utf-8;
  client_body_temp_path %s/temp;
  proxy_temp_path %s/temp;
  fastcgi_temp_path %s/temp;
  uwsgi_temp_path %s/temp;
  scgi_temp_path %s/temp;
  server {
    listen 127.0.0.1:%d;
    location / { return 200 "%s"; }
  }
}
]]

local BODY = ("0123456789"):rep(10)
local TRIES = 5

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  assert(file:close())
end

-- nginx returns when it listens, and fails if somebody else has the port.
local function start_nginx(folder, port)
  local quoted = shell.quote(folder)
  local conf = NGINX:gsub("%%s/", folder .. "/"):format(port, BODY)
  write_file(folder .. "/nginx.conf", conf)
  return shell.read(("nginx -p %s -c %s/nginx.conf -e %s/error.log"):format(quoted, quoted, quoted))
end

-- A shell that waits for the end of its input, which comes when the service is closed or this
-- process has ended, and then stops nginx.
local function guard(folder)
  local script = ("trap '' INT TERM HUP; cd %s; read -r _; pid=$(cat nginx.pid) && kill $pid;"
    .. " while kill -0 $pid; do sleep 0.02; done; cd /; rm -rf %s"):format(
    shell.quote(folder), shell.quote(folder))
  return assert(io.popen("{ " .. script .. "; } >/dev/null 2>&1", "w"))
end

local Service = {}
Service.__index = Service

function Service:__close()
  self.guard:close()
end

-- nginx, which answers every request with 100 digits. Its URL is in BENCH_URL.
local function nginx()
  if not shell.succeeds("command -v nginx") then return nil, "nginx is not installed" end
  local folder = shell.read("mktemp -d")
  local message, ok
  for _ = 1, TRIES do
    local port = math.random(20000, 29999)
    message, ok = start_nginx(folder, port)
    if ok then
      local environment = ("BENCH_URL=http://127.0.0.1:%d/"):format(port)
      return setmetatable({environment = environment, guard = guard(folder)}, Service)
    end
  end
  shell.succeeds("rm -rf " .. shell.quote(folder))
  return nil, "nginx does not start: " .. message
end

local start = {nginx = nginx}

--- Starts the service that a row needs. It is to be closed, and has an `environment` for the
--- programs. A row that needs none gets one that does nothing.
---@param name string?
---@return table? service, string? message
function M.start(name)
  if not name then return setmetatable({environment = ""}, {__close = function() end}) end
  return start[name]()
end

return M
