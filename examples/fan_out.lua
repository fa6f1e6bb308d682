-- A crawler: it begins with one page, follows the links to others of the same site, and ends with a
-- summary. Every page is a task of its own, in a group that ends when the last of them has. A
-- semaphore bounds how many ask the server at a time; the session tries again what fails only for
-- the moment. On a terminal there is a progress bar.
--
--   lull examples/fan_out.lua [--base URL] [--pages N] [--most N]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local html = require "lull.html"
local http = require "lull.http"
local lull = require "lull"
local progress = require "progress"
local async, await = lull.async, lull.await

local options = cli.options {
  base = "https://www.lua.org/", -- where to begin
  pages = 50, -- in all
  most = 5, -- requests at a time
}

local function site_of(url) return url:match("^%a+://[^/?]+") end

local Crawler = {}
Crawler.__index = Crawler

-- Takes a page on, unless that was done already.
function Crawler:follow(url)
  if self.seen[url] or self.found == options.pages or site_of(url) ~= self.site then return end
  self.seen[url] = true
  self.found = self.found + 1
  self.group:create_task(self:visit(url))
end

-- Gives the text of a page, and where it came from in the end. What is not HTML is not read.
Crawler.fetch = async(function(self, url)
  local _ <close> = await(self.slots:acquire())
  local response <close> = await(self.session:get(url, {stream = true}))
  local kind = response:raise_for_status().headers["Content-Type"] or ""
  if kind:find("text/html", 1, true) then return await(response:text()), response.url end
end)

function Crawler:follow_links(text, page)
  for _, node in ipairs(html.parse(text):select("a[href]")) do
    local ok, url = lull.try(http.join, page, node:attr("href"))
    if ok then self:follow(url) end
  end
end

Crawler.visit = async(function(self, url)
  local ok, text, page = lull.try(await, self:fetch(url))
  if not ok then
    if not lull.is_error(text) then error(text, 0) end -- a mistake in this script
    self.failures[#self.failures + 1] = text
  elseif text then
    self.bytes = self.bytes + #text
    self:follow_links(text, page)
  end
  self.done = self.done + 1
  self.bar:update(self.done, self.found)
end)

local crawl = async(function(start)
  local session <close> = http.session {timeout = 60, retries = 2}
  local bar <close> = progress.new()
  local group <close> = lull.task_group()
  local crawler = setmetatable({
    site = site_of(start), session = session, slots = lull.semaphore(options.most), group = group,
    bar = bar, seen = {}, found = 0, done = 0, bytes = 0, failures = {},
  }, Crawler)
  crawler:follow(start)
  return crawler -- once the group is closed, and by that all done
end)

local main = async(function()
  local begin = lull.now()
  local crawler = await(crawl(http.join(options.base, "")))
  local failures = crawler.failures
  if #failures == crawler.found then error(failures[1], 0) end
  print(("%d pages, %.1f KB, in %.2fs"):format(
    crawler.found - #failures, crawler.bytes / 1e3, lull.now() - begin))
  if #failures > 0 then print(#failures .. " failed:") end
  for _, err in ipairs(failures) do print("  " .. err.message) end
end)

cli.run(main())
