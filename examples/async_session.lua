-- `async with AsyncSession(url) as session`: a class of one's own, whose objects are opened with an
-- await, and closed with another at the end of the block, however that is left. After Real Python's
-- "Context Managers and Python's with Statement".
--
--   lull examples/async_session.lua [--base URL]
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local cli = require "cli"
local http = require "lull.http"
local lull = require "lull"
local async, await = lull.async, lull.await

local options = cli.options {base = "https:/"} -- the sites are below it

local AsyncSession = {}
AsyncSession.__index = AsyncSession

-- `__init__` and `__aenter__`. There is no object to close before this is through: what it has
-- opened by then, it closes itself if it fails.
local open = async(function(site)
  local self = setmetatable({pages = {}}, AsyncSession)
  self.http = http.session {base_url = ("%s/%s/"):format(options.base, site), timeout = 30}
  local ok, result = pcall(function()
    return await(self.http:get("")):raise_for_status()
  end)
  if not ok then
    self.http:close()
    error(result, 0)
  end
  self.front = result
  return self
end)

-- Asks for another page, and gives a task: the answer can be waited for later, or never.
function AsyncSession:fetch(path)
  local page = lull.create_task(self.http:get(path))
  self.pages[#self.pages + 1] = page
  return page
end

-- `__aexit__`. Pages that nobody has waited for are given up, which may take a moment: when that is
-- cut short by a cancellation, the pool of connections is closed all the same.
function AsyncSession:__close(err)
  local _ <close> = self.http
  print(("%s: closes %s"):format(self.front.url, err and "after an error" or "in peace"))
  for _, page in ipairs(self.pages) do page:cancel() end
  await(lull.gather {return_exceptions = true, table.unpack(self.pages)})
end

local check = async(function(site)
  local session <close> = await(open(site))
  local url = session.front.url
  print(("%s: status -> %d"):format(url, session.front.status))
  local robots = session:fetch("robots.txt")
  session:fetch("sitemap.xml")
  local html = await(session.front:text())
  print(("%s: type -> %s"):format(url, html:sub(1, 17):match("^%s*([^\r\n]*)")))
  local rules = await(await(robots):raise_for_status():text())
  print(("%s: robots.txt -> %d bytes"):format(url, #rules))
end)

local main = async(function()
  await(lull.gather(check("realpython.com"), check("pycoders.com")))
end)

cli.run(main())
