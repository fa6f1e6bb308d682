-- What is in directories. Large ones are listed in pieces.
local check = require "lull.check"
local _, core = ...
local common = require "lull.fs.common"
local errors = require "lull.errors"
local generator = require "lull.generator"

local binding = core.binding("fs")
local check_path, checked, fail, join = common.check_path, common.checked, common.fail, common.join

local M = {}

local Discarding = {__close = function(self) binding.discard(self.handle) end}

--- Calls f with each piece of the list of a directory's entries: name, type, name, type, ...
function M.each_piece(path, is_no_link, f)
  local list, handle, what = binding.scan(path, is_no_link)
  if not list then fail(what, path, handle) end
  if not handle then return f(list) end
  local _ <close> = setmetatable({handle = handle}, Discarding)
  repeat
    f(list)
    list = checked(path, binding.scan_next(handle))
  until #list == 0
end

local scandir = generator(function(yield, path)
  M.each_piece(path, false, function(list)
    for i = 1, #list, 2 do yield(list[i], list[i + 1]) end
  end)
end)

--- For a loop over what is in a directory, in no order: `for name, type in fs.scandir(path) do`.
--- Types are those of lull.fs.Stat; "." and ".." are left out. Its steps wait, and raise OSError.
--- Raises an argument error. After os.scandir of Python.
---@param path string
---@return lull.Generator
function M.scandir(path)
  check_path(1, "scandir", path)
  return scandir(path)
end

local function split(dir, is_no_link)
  local dirs, files = {}, {}
  M.each_piece(dir, is_no_link, function(list)
    for i = 1, #list, 2 do
      local names = list[i + 1] == "directory" and dirs or files
      names[#names + 1] = list[i]
    end
  end)
  return dirs, files
end

local GONE = {ENOENT = true, ENOTDIR = true, ELOOP = true}

--- Whether an error says that a directory is none any more.
function M.is_gone(err) return type(err) == "table" and GONE[err.code] == true end

local walk = generator(function(yield, root, on_error)
  local left = {root}
  while #left > 0 do
    local dir = table.remove(left)
    local ok, dirs, files = core.pcall(split, dir, dir ~= root)
    if ok then
      yield(dir, dirs, files)
      for i = #dirs, 1, -1 do left[#left + 1] = join(dir, dirs[i]) end
    elseif dir == root or not M.is_gone(dirs) then
      if not on_error or not errors.is_error(dirs, errors.OSError) then error(dirs, 0) end
      on_error(dirs)
    end
  end
end)

--- For a loop over a directory and all below it, each before those in it: `for dir, dirnames,
--- filenames in fs.walk(path) do`. The names are lists, in no order; filenames has everything that
--- is no directory, and links wherever they lead: they are not followed. Names taken out of
--- dirnames, or put in another order, are so walked. Directories that are gone when it comes to
--- them are left out. Its steps wait, and raise OSError where `on_error` is not given. Raises
--- argument errors. After os.walk of Python.
---@param path string
---@param options {on_error: fun(err: lull.OSError)?}? on_error: called with the error of a
--- directory that cannot be listed; the walk goes on
---@return lull.Generator
function M.walk(path, options)
  check_path(1, "walk", path)
  options = check.options(2, "walk", options, {on_error = true})
  if options.on_error ~= nil and type(options.on_error) ~= "function" then
    check.fail(2, "walk", "option 'on_error' must be a function")
  end
  return walk(path, options.on_error)
end

return M
