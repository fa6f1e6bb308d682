-- Watching files and directories. The kernel keeps what happens, up to a bound, until a loop asks
-- for the next event; what a step has found out stays here until it was given.
local check = require "lull.check"
local _, core = ...
local common = require "lull.fs.common"
local list = require "lull.fs.list"

local binding = core.binding("fs")
local enter = binding.enter
local fail, join = common.fail, common.join

--- Something that has happened to a file or directory.
---@class lull.fs.Event
---@field type "create"|"change"|"remove"|"overflow" create: it is there now, new or moved there,
--- perhaps in the place of another; change: its contents or what stat tells; remove: it is gone
--- from there; overflow: so much happened that events were lost, so that only looking tells what is
--- there
---@field path string the path that is watched, or that with names after it

--- For a loop over what happens. After the watchers of Node and of Python's watchfiles.
---@class lull.fs.Watch
local Watch = {__name = "lull watch"}
Watch.__index = Watch

local function emit(self, kind, path)
  self.last = self.last + 1
  self.events[self.last] = {type = kind, path = path}
end

local function take(self)
  local event = self.events[self.first]
  if not event then return nil end
  self.events[self.first] = nil
  self.first = self.first + 1
  return event
end

-- ---- directories below --------------------------------------------------------------------------

-- Errors that say that a directory is none any more.
local GONE = {[binding.ENOENT] = true, [binding.ENOTDIR] = true, [binding.ELOOP] = true}

local function add(self, path)
  local number, errno, what = binding.watch_add(self.handle, path, path ~= self.path)
  if number then
    self.paths[number] = path
  elseif not GONE[errno] then
    fail(what, path, errno)
  end
  return number
end

-- Names and types of all entries; none if the directory is gone.
local function entries(path, is_inner)
  local all = {}
  local ok, err = core.pcall(list.each_piece, path, is_inner, function(piece)
    table.move(piece, 1, #piece, #all + 1, all)
  end)
  if not ok and not list.is_gone(err) then error(err, 0) end
  return all
end

-- Watches a directory that is to be looked through, and those in it. What is in a new one may have
-- been made before it was watched, or after, and then there is an event: it is told once.
local function look_through(self, job)
  if not add(self, job.path) then return end
  local found = entries(job.path, job.path ~= self.path)
  for i = 1, #found, 2 do
    local path = join(job.path, found[i])
    if job.is_new and not self.told[path] then
      self.told[path] = true
      emit(self, "create", path)
    end
    if found[i + 1] == "directory" then
      table.insert(self.jobs, 1, {path = path, is_new = job.is_new})
    end
  end
end

-- A directory was moved away or removed: what happens there happens elsewhere.
local function forget(self, gone)
  local inside = gone .. "/"
  for number, path in pairs(self.paths) do
    if path == gone or path:sub(1, #inside) == inside then
      binding.watch_remove(self.handle, number)
      self.paths[number] = nil
    end
  end
end

-- ---- events -------------------------------------------------------------------------------------

-- What happened to a directory or file that is watched itself.
local function note_self(self, number, kind, path)
  if kind == "ended" then self.paths[number] = nil end
  if path ~= self.path or self.over then return end
  if kind == "change" then return emit(self, "change", path) end
  emit(self, "remove", path)
  self.over = true
end

local function note(self, number, kind, name, is_directory)
  if kind == "overflow" then
    emit(self, "overflow", self.path)
    if self.recursive then table.insert(self.jobs, {path = self.path, is_new = false}) end
    return
  end
  local dir = self.paths[number]
  if not dir then return end
  if not name then return note_self(self, number, kind, dir) end
  local path = join(dir, name)
  local was_told = self.told[path]
  self.told[path] = nil
  if kind == "create" and was_told then return end
  emit(self, kind, path)
  if not self.recursive or not is_directory then return end
  if kind == "create" then table.insert(self.jobs, {path = path, is_new = true}) end
  if kind == "remove" then forget(self, path) end
end

-- Does the next thing that may give events.
local function go_on(self)
  local job = self.jobs[#self.jobs]
  if job then
    look_through(self, job)
    for i = #self.jobs, 1, -1 do
      if self.jobs[i] == job then return table.remove(self.jobs, i) end
    end
  end
  local news = common.checked(self.path, binding.watch_read(self.handle))
  for i = 1, #news, 4 do note(self, table.unpack(news, i, i + 3)) end
  if #news > 0 then return end
  self.told = {} -- whatever was made before it was told of has had its event
  if not binding.watch_wait(self.handle) then self.over = true end
end

--- Gives the next event, after waiting for it; nil once the watch was closed, or what it watches is
--- gone. Cancelled, it loses nothing. Raises OSError.
---@async
---@return lull.fs.Event?
function Watch:__call()
  local _ <close> = enter(self.handle)
  while true do
    local event = take(self)
    if event or self.over then return event end
    go_on(self)
  end
end

--- Ends the watch; a loop does it when it is left. Who waits for an event gets nil. It may be
--- closed more than once.
function Watch:close()
  check.self(self, Watch, "close")
  self.over = true
  binding.discard(self.handle)
end

function Watch:__close() self:close() end

function Watch:__tostring()
  return ("watch (%s%s)"):format(self.path, self.over and ", over" or "")
end

return function(path, recursive)
  local handle, errno, what = binding.watch()
  if not handle then fail(what, path, errno) end
  local self = setmetatable({
    handle = handle,
    path = path,
    recursive = recursive,
    paths = {}, -- by the kernel's numbers
    jobs = {}, -- directories to look through
    told = {}, -- paths that were told of and may have an event yet
    events = {},
    first = 1,
    last = 0,
    over = false,
  }, Watch)
  local number, failed, of = binding.watch_add(handle, path, false)
  if not number then
    binding.discard(handle)
    fail(of, path, failed)
  end
  self.paths[number] = path
  if recursive then self.jobs[1] = {path = path, is_new = false} end
  return self, nil, nil, self
end
