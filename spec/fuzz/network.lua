-- lull.net and lull.http: addresses, and requests to a server and to ports on this machine that the
-- arguments name (spec/fuzz_spec.lua starts them). Nothing here asks for another host.
local fs = require "lull.fs"
local http = require "lull.http"
local lull = require "lull"
local net = require "lull.net"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local pick, random = values.pick, math.random
local await = lull.await

local NOBODY = "http://127.0.0.1:1"
local server = arg[4] or NOBODY
local refusing, mute, proxy = arg[5] or NOBODY, arg[6] or NOBODY, arg[7] or NOBODY

-- ---- names ----

local hosts = {
  "127.0.0.1", "127.0.0.1", "::1", "localhost", "localhost", "0.0.0.0", "127.1", "::ffff:1.2.3.4",
  "::", "fe80::1%lo", "", "a\0b", ("x"):rep(256),
}
local known = {}
for _, host in ipairs(hosts) do
  known[host] = true
end

local name_arguments = {
  values.one_of(hosts),
  values.one_of { 0, 80, 443, 65535, 65536, -1, 80.0, 0.5, "http", "80", "nosuch", "" },
  values.options_of {
    family = values.one_of { "inet", "inet6", "unix" }, type = values.one_of { "stream", "dgram" },
  },
}

local function here(host)
  if type(host) == "string" and not known[host] then return "localhost" end
  return host
end

targets.add("names", "getaddrinfo", targets.awaited(function(host, ...)
  return net.getaddrinfo(here(host), ...)
end), nil, name_arguments)
targets.add("names", "loop:getaddrinfo", targets.awaited(function(host, ...)
  return lull.loop():getaddrinfo(here(host), ...)
end), nil, name_arguments)

-- ---- what requests are made of ----

local paths = {
  "/echo?x=1", "/echo", "/reply?status=404", "/reply?status=204", "/reply?status=503",
  "/reply?header=Content-Type:text/plain;charset=latin1&body=%e9", "/reply?version=1.0&body=x",
  "/redirect?to=/echo", "/redirect?status=307&to=/mirror", "/redirect?to=//", "/redirect?to=x:y",
  "/hops?n=2", "/hops?n=20", "/close", "/reset", "/stall?in=line", "/stall?in=head",
  "/stall?in=body", "/stall?in=chunk", "/silent", "/drip?count=3&size=10&pause=0",
  "/body?size=100000&chunked=1", "/body?size=300000", "/mirror", "/cookies?set=a=1&set=b=2;path=/x",
  "/encoded?encoding=gzip", "/encoded?encoding=gzip&keep=20", "/encoded?encoding=br&as=gzip",
  "/headers?count=50", "/headers?count=200&size=2000", "/raw?data=nonsense", "/raw?data=HTTP/1.1",
  "/raw?data=HTTP/1.1%20200%20OK%0D%0AContent-Length:%20-1%0D%0A%0D%0A", "/late?pause=0.001",
  "/basic", "/interim", "/trailers", "/stale", "/closing",
}

local function url()
  local how = random(10)
  if how == 1 then return pick { refusing, mute } .. pick { "", "/", "/x" } end
  if how == 2 then return pick(paths) end
  if how == 3 then
    return pick { "", "x", "?q", "#f", "http://", "http:///x", "ftp://127.0.0.1/", "file:///x",
      "http:x", "http://127.0.0.1:99999/", "http://[::1", "http://127.0.0.1:0/", "a b\r\nc", "\0",
      "../x" }
  end
  return server .. pick(paths)
end

local function is_away(text)
  return type(text) == "string" and text:find("^%s*%a*:?//")
    and not text:find("//127.0.0.1", 1, true)
end

local function closed_file()
  local file = await(fs.open("upload", "w+"))
  await(file:close())
  return file
end

local function open_file()
  await(fs.write_file("upload", ("upload\n"):rep(random(0, 20000))))
  return await(fs.open("upload"))
end

local function pieces()
  local left = random(0, 3)
  return function()
    left = left - 1
    if random(10) == 1 then values.fail() end
    return left >= 0 and ("z"):rep(random(0, 100000)) or nil
  end
end

local function body()
  return pick { pieces, open_file, closed_file, values.a_function,
    function() return pick { "", "body", ("b"):rep(200000) } end }()
end

local function fields()
  return pick { { a = 1, b = { "x", true } }, { { "a", "b" } }, {}, { a = {} }, { 1 },
    { a = print } }
end

local function parts()
  return { pick { { name = "a", value = "b" }, { name = "f", path = "upload" },
    { name = "f", path = "nowhere" }, { name = "i", body = pieces(), filename = "x" }, { name = 1 },
    { name = "q", value = 1, content_type = "a\nb" } }, { name = "z", value = "y" } }
end

local flag = values.one_of { true, false }
local count = values.one_of { 0, 1, 2, 1000, -1, 0.5 }

local common = {
  headers = values.one_of {
    {}, { ["X-A"] = "1" }, { ["x-a"] = { "1", "2" } }, { Accept = false }, { ["a b"] = "c" },
    { A = "b\r\nc" }, { A = "x", a = "y" }, { ["Content-Length"] = "1" }, { [1] = 2 },
  },
  timeout = values.one_of {
    1, 0.002, false, { connect = 1 }, { total = 1, read = 0.001 }, 0, { x = 1 }, { read = "x" },
  },
  follow_redirects = flag,
  max_redirects = count,
  max_body = values.one_of { 0, 10, 1 << 20, -1 },
  auth = values.one_of {
    { "user", "secret" }, { bearer = "t" }, false, { "a:b", "c" }, { bearer = "\n" }, { "user" },
  },
  retries = values.one_of { 0, 1, -1 },
}

local request_options, session_options = {
  params = function() return pick { fields(), "a=b", "#" } end,
  body = body,
  json = values.value,
  form = fields,
  multipart = parts,
  stream = flag,
}, {
  base_url = values.one_of { server, server .. "/a/b", "x", "", "http://", "ftp://127.0.0.1" },
  connections = values.one_of { 1, 2, 100, 0 },
  http2 = flag,
  proxy = values.one_of { false, refusing, proxy, "", "\n" },
  verify = flag,
  ca_file = values.one_of { "nowhere", "upload" },
  cert_file = values.one_of { "nowhere" },
  cookies = values.one_of { true, false, { a = "b" }, { a = 1 }, { ["a b"] = "c" }, { a = ";" } },
}
for name, make in pairs(common) do
  request_options[name], session_options[name] = make, make
end
for name in pairs(session_options) do
  table.insert(values.options, name)
end
table.sort(values.options)

-- ---- sessions, responses, headers ----

-- Options that lead to another host are left out.
local function new_session(options, ...)
  if type(options) == "table" then
    local through = rawget(options, "proxy")
    if type(through) == "string" and not through:find("^http://127%.0%.0%.1:") then
      rawset(options, "proxy", refusing)
    end
    if is_away(rawget(options, "base_url")) then rawset(options, "base_url", server) end
  end
  return http.session(options, ...)
end

local new_options = values.options_of(session_options)

function values.makers.session()
  local ok, session = pcall(new_session, new_options())
  return ok and session or http.session { base_url = server, connections = 2 }
end

local plain = http.session { base_url = server, timeout = 1 }

-- Responses take longer than what makes objects may take.
local responses = {}

local function get_responses(part)
  if part == "http" or part == "session" then return end
  for i = 1, 6 do
    local path = pick {
      "/echo", "/body?size=100000&chunked=1", "/reply?status=404&body=x", "/hops?n=1",
    }
    responses[i] = await(plain:get(path, { stream = random(2) == 1 }))
  end
end

function values.makers.response() return pick(responses) end

function values.makers.headers() return values.object("response").headers end

local function at_home(at, f)
  return function(...)
    local args = table.pack(...)
    if is_away(args[at]) then args[at] = server end
    return f(table.unpack(args, 1, args.n))
  end
end

local send_options = values.options_of(request_options)
local method = values.one_of { "GET", "post", "PUT", "DELETE", "OPTIONS", "X-Y", "", "A B", "a\n" }
local verbs = { "get", "post", "put", "patch", "delete", "head", "options" }

local takes, wrappers = {
  request = { method, url, send_options },
  session = { new_options },
  join = { url, url },
}, {
  request = function(f) return targets.awaited(at_home(2, f)) end,
  session = function() return new_session end,
  join = function(f) return at_home(1, at_home(2, f)) end,
}
for _, verb in ipairs(verbs) do
  takes[verb] = { url, send_options }
  wrappers[verb] = function(f) return targets.awaited(at_home(1, f)) end
end
targets.add_functions("http", http, takes, wrappers)
targets.add_classes("http", http)

local method_wrappers = {
  request = function(f) return targets.awaited(at_home(3, f)) end,
}
for _, verb in ipairs(verbs) do
  method_wrappers[verb] = function(f) return targets.awaited(at_home(2, f)) end
end
targets.add_methods("session", plain, takes, method_wrappers)

if server ~= NOBODY then
  get_responses()
  targets.prepare = get_responses
  local response = responses[1]
  targets.add_methods("response", response)
  for _, name in ipairs { "bytes", "text", "json", "save", "raise_for_status", "close" } do
    targets.add("response", "response." .. name, targets.awaited(response[name]), "response",
      name == "save" and { values.one_of { "saved", "nowhere/x", ".", "", "a\0b" },
        values.options_of { progress = values.a_function } } or nil)
  end
  for _, name in ipairs { "chunks", "lines" } do
    targets.add("response", "response." .. name, targets.looped(response[name]), "response")
  end
  for _, name in ipairs { "ok", "reason", "headers", "history", "http_version", "nothing" } do
    targets.add("response", "response's " .. name, function(one) return one[name] end, "response")
  end
  targets.add_methods("headers", response.headers)
  local names = values.one_of { "content-type", "CONTENT-LENGTH", "x", "" }
  for _, name in ipairs { "get", "get_all" } do
    targets.add("headers", "headers." .. name, response.headers[name], "headers", { names })
  end
end
