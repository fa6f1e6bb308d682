-- Not an example: the module of domaincheck.lua, which looks domains up. After "Fluent Python",
-- chapter 21.
local lull = require "lull"
local net = require "lull.net"
local async, await = lull.async, lull.await

local M = {}

--- What looks a name up, and raises DNSError for one that does not exist.
M.resolve = net.getaddrinfo

--- Awaits to a result, {domain = "lua.org", found = true}.
M.probe = async(function(domain)
  local ok, err = lull.try(await, M.resolve(domain))
  if not ok and not lull.is_error(err, lull.DNSError) then error(err, 0) end
  return {domain = domain, found = ok}
end)

--- Probes the domains of a list, all at the same time, and gives the results as they come:
--- `for result in domainlib.multi_probe(domains) do ... end`.
M.multi_probe = lull.generator(function(yield, domains)
  local probes = {}
  for i, domain in ipairs(domains) do probes[i] = M.probe(domain) end
  for task in lull.as_completed(probes) do yield(await(task)) end
end)

return M
