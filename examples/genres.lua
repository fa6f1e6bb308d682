-- Ten genres of music that do not exist, made up by a web service, each written to a file. All are
-- asked for at the same time, so that ten take about as long as one: compare with genres_sync.lua.
-- After Real Python's "Hands-On Python 3 Concurrency With the asyncio Module".
--
--   lull examples/genres.lua [--base URL] [--to FOLDER]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local fs = require "lull.fs"
local http = require "lull.http"
local lull = require "lull"
local timer = require "lull.timer"
local async, await = lull.async, lull.await

local options = cli.options {
  base = "https://binaryjazz.us/wp-json/genrenator/v1",
  to = "downloaded",
}

local write_genre = async(function(session, path)
  local response = await(session:get(options.base .. "/genre/"))
  local genre = await(response:raise_for_status():json())
  print(("Writing %q to %q..."):format(genre, path))
  await(fs.write_file(path, genre .. "\n"))
end)

local main = async(function()
  local clock = timer.new {text = "Time to complete: {:.2f} seconds"}:start()
  await(fs.mkdir(options.to, {parents = true, exist_ok = true}))
  local session <close> = http.session {timeout = 30}
  local genres = {}
  for i = 1, 10 do genres[i] = write_genre(session, ("%s/genre%d.txt"):format(options.to, i)) end
  await(lull.gather(genres))
  clock:stop()
end)

cli.run(main())
