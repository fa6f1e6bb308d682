-- Which of Lua's short keywords are domains under .dev? All are looked up at the same time, and "+"
-- marks those found, in the order in which that turns out. After "Fluent Python", chapter 21.
--
--   lull examples/blogdom.lua [--resolver FILE]
--
-- FILE is Lua code that gives a function to take the place of net.getaddrinfo.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local lull = require "lull"
local net = require "lull.net"
local async, await = lull.async, lull.await

local KEYWORDS = [[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]
local LONGEST = 4

local options = cli.options {resolver = false}
local resolve = options.resolver and dofile(options.resolver) or net.getaddrinfo

local probe = async(function(domain)
  local ok, err = lull.try(await, resolve(domain))
  if not ok and not lull.is_error(err, lull.DNSError) then error(err, 0) end
  return domain, ok
end)

local main = async(function()
  local probes = {}
  for word in KEYWORDS:gmatch("%a+") do
    if #word <= LONGEST then probes[#probes + 1] = probe(word .. ".dev") end
  end
  for task in lull.as_completed(probes) do
    local domain, found = await(task)
    print((found and "+ " or "  ") .. domain)
  end
end)

cli.run(main())
