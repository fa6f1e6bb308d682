-- The titles of ten episodes of a podcast, taken out of their pages by a CSS selector. All pages
-- are asked for at once, and looked at in order; colours tell what is going on. After the scraper
-- in Talk Python's "Async Techniques and Examples in Python".
--
--   lull examples/scrape_titles.lua [--base URL] [--first N] [--last N]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local color = require "lull.color"
local html = require "lull.html"
local http = require "lull.http"
local lull = require "lull"
local async, await = lull.async, lull.await

local options = cli.options {base = "https://talkpython.fm", first = 150, last = 159}

local get_html = async(function(session, episode)
  print(color.yellow("Getting HTML for episode " .. episode))
  local response = await(session:get(("%s/%d"):format(options.base, episode)))
  return await(response:raise_for_status():text())
end)

local function get_title(text, episode)
  print(color.cyan("Getting TITLE for episode " .. episode))
  local header = html.parse(text):select_one("h1")
  return header and header.text or "MISSING"
end

local main = async(function()
  local session <close> = http.session {timeout = 30}
  local group <close> = lull.task_group()
  local tasks = {}
  for episode = options.first, options.last do
    tasks[episode] = group:create_task(get_html(session, episode))
  end
  for episode = options.first, options.last do
    local title = get_title(await(tasks[episode]), episode)
    print(color.bright_white("Title found: " .. title))
  end
end)

cli.run(main())
