-- Which of Lua's short keywords are domains under a top-level domain? The results come from the
-- async generator of domainlib.lua. After "Fluent Python", chapter 21.
--
--   lull examples/domaincheck.lua [--resolver FILE] TLD
--
-- FILE is Lua code that gives a function to take the place of net.getaddrinfo.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local domainlib = require "domainlib"
local lull = require "lull"

local KEYWORDS = [[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]
local LONGEST = 4

local options = cli.options {resolver = false}
if #options ~= 1 then cli.fail(("which TLD? For example: lull %s COM.BR"):format(arg[0])) end
if options.resolver then domainlib.resolve = dofile(options.resolver) end

local main = lull.async(function(tld)
  local domains = {}
  for word in KEYWORDS:gmatch("%a+") do
    if #word <= LONGEST then domains[#domains + 1] = word .. "." .. tld end
  end
  print("FOUND\t\tNOT FOUND")
  print("=====\t\t=========")
  for result in domainlib.multi_probe(domains) do
    print((result.found and "" or "\t\t") .. result.domain)
  end
end)

cli.run(main(options[1]:lower():match("^%.*(.-)%.*$")))
