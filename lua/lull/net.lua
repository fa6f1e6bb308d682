-- lull.net: the network. So far names.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"

local binding = core.binding("net")

local M = {}

-- ---- names --------------------------------------------------------------------------------------

local MAX_HOST = 255 -- bytes; no name in the DNS is longer

---@class lull.Address
---@field address string such as "127.0.0.1" or "::1"
---@field family "inet"|"inet6"
---@field port integer

local function check_host(name, host)
  if host == "" then check.fail(1, name, "a host expected, got an empty string", 1) end
  if host:find("\0", 1, true) then check.fail(1, name, "a host has no zeros in it", 1) end
end

-- Gives what getaddrinfo calls a service: a port, or the name of one.
local function check_port(name, port)
  if port == nil then return "0" end
  if type(port) == "string" and port ~= "" and not port:find("\0", 1, true) then return port end
  local number = math.type(port) and math.tointeger(port)
  if not number or number < 0 or number > 65535 then
    check.fail(2, name, "a port from 0 to 65535 expected, got " .. check.show(port), 1)
  end
  return ("%d"):format(number)
end

local function check_choice(name, options, key, choices)
  local value = options[key]
  if value == nil or choices[value] then return value end
  check.fail(3, name, ("option '%s' is none of its values"):format(key), 1)
end

local FAMILIES = {inet = true, inet6 = true}
local TYPES = {stream = true, dgram = true}

local function lookup(host, service, family, socket_type)
  local list, code, text
  if #host > MAX_HOST then
    code, text = "EAI_NONAME", "the name is too long"
  else
    list, code, text = binding.lookup(host, service, family, socket_type)
  end
  if list then return list end
  error(errors.DNSError(("cannot resolve '%s': %s"):format(host, text),
    {code = code, host = host}), 0)
end

local start_lookup = core.async(lookup, "getaddrinfo")

--- Looks up the addresses of a host, each once. A numeric address gives itself. 16 names are looked
--- up at a time, on threads of their own. Raises DNSError, whose `code` is libuv's, such as
--- "EAI_NONAME", and whose `host` is the host; argument errors. After loop.getaddrinfo of asyncio,
--- RFC 3493 section 6.1.
---@param host string
---@param port integer|string|nil from 0 to 65535, or a service's name; 0 if left out
---@param options {family: "inet"|"inet6"|nil, type: "stream"|"dgram"|nil}? family: only addresses
--- of it; type: of the socket the address is for ("stream"), for which the service is looked up
---@return lull.Coroutine coroutine awaits to a list of lull.Address, in the order of RFC 6724
function M.getaddrinfo(host, port, options)
  check.type(1, "getaddrinfo", host, "string")
  check_host("getaddrinfo", host)
  local service = check_port("getaddrinfo", port)
  options = check.options(3, "getaddrinfo", options, {family = true, type = true})
  local family = check_choice("getaddrinfo", options, "family", FAMILIES)
  local socket_type = check_choice("getaddrinfo", options, "type", TYPES)
  return start_lookup(host, service, family or false, socket_type or "stream")
end

return M
