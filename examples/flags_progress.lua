-- Downloads flags, so many at a time. as_completed tells of each as it is done, well or badly: one
-- that cannot be had does not stop the others, and at the end is a count of how they went. On a
-- terminal there is a progress bar. After flags2 of "Fluent Python", chapters 20 and 21.
--
--   lull examples/flags_progress.lua [--base URL] [--to FOLDER] [--most N] [CODE...]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local fs = require "lull.fs"
local http = require "lull.http"
local lull = require "lull"
local progress = require "progress"
local async, await = lull.async, lull.await

local POP20 = {"CN", "IN", "US", "ID", "BR", "PK", "NG", "BD", "RU", "JP",
               "MX", "PH", "VN", "ET", "EG", "DE", "IR", "TR", "CD", "FR"}

local options = cli.options {
  base = "https://www.fluentpython.com/data/flags",
  to = "downloaded",
  most = 5, -- requests at a time
}

local get_flag = async(function(session, code)
  local url = ("%s/%s/%s.gif"):format(options.base, code, code):lower()
  local response = await(session:get(url))
  return await(response:raise_for_status():bytes())
end)

-- Gives how it went. Other failures than those known here are for the caller.
local download_one = async(function(session, semaphore, code)
  local _ <close> = await(semaphore:acquire())
  local ok, image = lull.try(await, get_flag(session, code))
  if ok then
    await(fs.write_file(("%s/%s.gif"):format(options.to, code), image))
    return "downloaded"
  elseif lull.is_error(image, http.HTTPStatusError) and image.status == 404 then
    return "not found"
  end
  error(image, 0)
end)

local download_many = async(function(codes)
  local session <close> = http.session {timeout = 30}
  local semaphore = lull.semaphore(options.most)
  local downloads = {}
  for i, code in ipairs(codes) do downloads[i] = download_one(session, semaphore, code) end

  local counts, done, last_error = {}, 0, nil
  local bar <close> = progress.new()
  for task in lull.as_completed(downloads) do
    local ok, status = lull.try(await, task)
    if not ok then status, last_error = "failed", status end
    counts[status] = (counts[status] or 0) + 1
    done = done + 1
    bar:update(done, #codes)
  end
  return counts, last_error
end)

local main = async(function(codes)
  print(("%d flags from %s, %d at a time"):format(#codes, options.base, options.most))
  await(fs.mkdir(options.to, {parents = true, exist_ok = true}))
  local start = lull.now()
  local counts, last_error = await(download_many(codes))
  for _, status in ipairs {"downloaded", "not found", "failed"} do
    if counts[status] then print(("%d %s"):format(counts[status], status)) end
  end
  print(("Elapsed time: %.2fs"):format(lull.now() - start))
  if last_error then error(last_error, 0) end
end)

cli.run(main(#options > 0 and options or POP20))
