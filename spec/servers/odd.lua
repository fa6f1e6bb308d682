-- An HTTP server that behaves as it is asked to, well or badly; a proxy; ports that do not answer.
--
--   local odd = require("spec.servers.odd").start()
--   odd:url("http", "/echo?x=1")
--
-- Ports: http, other (plain too), https (with start{tls = true}), proxy, guarded_proxy (demands
-- user:secret; both also know names under .test, as this machine, but silent.test and
-- forbidden.test), mute (takes connections and never answers), closing (closes them), full (a queue
-- of connections that is full: connecting hangs), refusing.
--
--   /echo                               the request, as JSON; /multipart: as another parses it
--   /reply?status=&reason=&version=&header=&body=&chunk=&close=      headers and chunks repeat
--   /raw?data=&stay=                    these bytes as the response, then the end, or silence
--   /body?size=&step=&chunked=          a body in which each 16 bytes say where they are
--   /mirror?step=                       the request's body, in chunks
--   /endless                            a body without end
--   /drip?count=&size=&pause=           a body that comes slowly
--   /silent, /stall?in=line|head|body|chunk, /late?pause=
--   /close, /reset                      no answer
--   /stale                              an answer, but none to the next request of the connection
--   /closing                            an answer, and the end of a connection that was to stay
--   /flaky?key=&times=&how=STATUS|close|reset&after=    fails so many times
--   /hold?key=, /slow-read?key=&first=, /release?key=    wait for the release
--   /redirect?status=&to=&cookie=&body=&close=, /hops?n=
--   /cookies?set=                       sets these, and answers with those that came
--   /basic?user=&password=              demands user:secret unless told otherwise
--   /headers?count=&size=, /early?status=, /interim, /trailers
--   /encoded?lines=&encoding=&as=&keep=&chunked=    gzip, deflate, raw-deflate, br, zstd, identity
--   /bomb?encoding=&megabytes=          zeros; of br and zstd 64 MiB at most
local server = require("spec.servers.server")

local M = {}

-- What any server can do, and reading the log.
local Odd = setmetatable({}, { __index = server.Server })
Odd.__index = Odd
Odd.__close = Odd.close
Odd.__gc = Odd.close

--- Starts it, with ports and a folder of its own; with certificates and the port https if asked.
function M.start(options)
  local self = server.start("odd.py", options and options.tls and "--tls" or "--plain")
  self.file = assert(io.open(self:path("log")))
  self.rest = ""
  self.open_connections = {}
  self.events = {}
  return setmetatable(self, Odd)
end

local function take_note(self, event)
  local open = self.open_connections
  if event.event == "open" then
    open[event.connection] = event
  elseif event.event == "close" then
    open[event.connection] = nil
  end
  table.insert(self.events, event)
end

-- Reads what was added to the log.
local function catch_up(self)
  local text = self.rest .. self.file:read("a")
  local complete, rest = text:match("^(.*\n)(.-)$")
  self.rest = rest or text
  for line in (complete or ""):gmatch("[^\n]+") do
    take_note(self, assert(load("return " .. line, "=log", "t", {}))())
  end
end

--- Forgets what was noted up to now, but not which connections are open.
function Odd:forget()
  catch_up(self)
  self.events = {}
end

--- What was noted since: open, close, request, sent, dropped, garbage, proxied; all or one kind.
function Odd:noted(kind)
  catch_up(self)
  local list = {}
  for _, event in ipairs(self.events) do
    if not kind or event.event == kind then
      table.insert(list, event)
    end
  end
  return list
end

--- The requests since then, to a path or to all.
function Odd:requests(path)
  local list = {}
  for _, event in ipairs(self:noted("request")) do
    if not path or event.path == path then
      table.insert(list, event)
    end
  end
  return list
end

--- How many connections are open, on a port or on all.
function Odd:open_count(port)
  catch_up(self)
  local count = 0
  for _, event in pairs(self.open_connections) do
    if not port or event.port == port then
      count = count + 1
    end
  end
  return count
end

--- A header of a request that was noted, or of one that /echo gave; nil if it was not sent.
function M.header(request, name)
  for _, header in ipairs(request.headers) do
    if header[1]:lower() == name:lower() then
      return header[2]
    end
  end
  return nil
end

return M
