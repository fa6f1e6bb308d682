-- What genres.lua does, one request after the other, so that their times add up. Nothing here is an
-- async function: await may be called in any function that a task calls.
--
--   lull examples/genres_sync.lua [--base URL] [--to FOLDER]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local fs = require "lull.fs"
local http = require "lull.http"
local lull = require "lull"
local timer = require "lull.timer"
local await = lull.await

local options = cli.options {
  base = "https://binaryjazz.us/wp-json/genrenator/v1",
  to = "downloaded",
}

local function write_genre(session, path)
  local response = await(session:get(options.base .. "/genre/"))
  local genre = await(response:raise_for_status():json())
  print(("Writing %q to %q..."):format(genre, path))
  await(fs.write_file(path, genre .. "\n"))
end

local function main()
  local clock = timer.new {text = "Time to complete: {:.2f} seconds"}:start()
  await(fs.mkdir(options.to, {parents = true, exist_ok = true}))
  local session <close> = http.session {timeout = 30}
  for i = 1, 10 do write_genre(session, ("%s/genre%d.txt"):format(options.to, i)) end
  clock:stop()
end

cli.run(main)
