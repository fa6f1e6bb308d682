-- Downloads the flags of the 20 most populous countries, all at the same time, and prints their
-- codes as they come. After "Fluent Python", chapter 20. flags_threads.lua and flags_progress.lua
-- do more.
--
--   lull examples/flags.lua [--base URL] [--to FOLDER]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local fs = require "lull.fs"
local http = require "lull.http"
local lull = require "lull"
local async, await = lull.async, lull.await

local POP20 = {"CN", "IN", "US", "ID", "BR", "PK", "NG", "BD", "RU", "JP",
               "MX", "PH", "VN", "ET", "EG", "DE", "IR", "TR", "CD", "FR"}

local options = cli.options {base = "https://www.fluentpython.com/data/flags", to = "downloaded"}

local get_flag = async(function(session, code)
  local url = ("%s/%s/%s.gif"):format(options.base, code, code):lower()
  local response = await(session:get(url))
  return await(response:raise_for_status():bytes())
end)

local download_one = async(function(session, code)
  local image = await(get_flag(session, code))
  await(fs.write_file(("%s/%s.gif"):format(options.to, code), image))
  io.write(code, " ")
  io.flush()
  return code
end)

local download_many = async(function(codes)
  local session <close> = http.session {timeout = 30}
  local downloads = {}
  for i, code in ipairs(codes) do downloads[i] = download_one(session, code) end
  return #await(lull.gather(downloads))
end)

local main = async(function()
  await(fs.mkdir(options.to, {parents = true, exist_ok = true}))
  local start = lull.now()
  local count = await(download_many(POP20))
  print(("\n%d downloads in %.2fs"):format(count, lull.now() - start))
end)

cli.run(main())
