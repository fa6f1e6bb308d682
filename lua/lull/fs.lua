-- lull.fs: files and directories. What may take its time is done on libuv's pool of threads, while
-- other tasks go on. The folder fs has what open files can do, listing and watching.
local check = require "lull.check"
local _, core = ...
local common = require "lull.fs.common"
local file = require "lull.fs.file"
local list = require "lull.fs.list"
local new_watch = require "lull.fs.watch"

local async = core.async
local binding = core.binding("fs")
local check_flag, check_mode, check_path = common.check_flag, common.check_mode, common.check_path
local checked, fail, join = common.checked, common.fail, common.join
local is_path, type = binding.is_path, type -- what is done most often costs the least

local ALL_MAY_WRITE, ALL_MAY_ENTER = 438, 511 -- 0666 and 0777; the umask takes from them

local M = {}

-- ---- files --------------------------------------------------------------------------------------

local open = async(file.open, "fs.open")

--- Opens a file, in the modes of io.open. A FIFO that is opened for reading is there at once, and
--- the first read waits until somebody opens it for writing. Raises OSError; argument errors. After
--- io.open.
---@param path string
---@param mode string? "r", "w", "a", with "+" for both ways, and "b", which changes nothing; "r" if
--- left out
---@return lull.Coroutine coroutine awaits to a lull.fs.File
function M.open(path, mode)
  check_path(1, "open", path)
  check.type(2, "open", mode, "string", true)
  if mode and not mode:find("^[rwa]%+?b?$") then check.fail(2, "open", "invalid mode") end
  return open(path, mode or "r")
end

local read_file = async(function(path)
  local data, number, what = binding.read_file(path)
  if type(data) == "string" then return data end
  local f <close> = file.wrap(checked(path, data, number, what), path)
  return file.take_all(f)
end, "fs.read_file")

--- Reads a whole file. Raises OSError; argument errors. After Path.read_bytes of Python.
---@param path string
---@return lull.Coroutine coroutine awaits to the contents
function M.read_file(path)
  if not is_path(path) then check_path(1, "read_file", path) end
  return read_file(path)
end

-- A pipe, a device: written as an open file is.
local function write_special(path, data, handle, mode, append)
  local f <close> = handle and file.wrap(handle, path)
    or file.open(path, append and "a" or "w", mode)
  file.put(f, data)
end

local write_file = async(function(path, data, mode, append)
  local done, number, what = binding.write_file(path, data, mode, append)
  if done == true then return end
  if not done and number ~= binding.EAGAIN then fail(what, path, number) end
  write_special(path, data, done, mode, append)
end, "fs.write_file")

local write_atomic = async(function(path, data, mode, keeps_mode)
  checked(path, binding.write_atomic(path, data, mode, keeps_mode))
end, "fs.write_file")

--- Writes a whole file, made if need be. `append`: after what is in it. `mode`: the permissions of
--- a file that is made, less the process's umask (0666 if left out). `atomic`: makes a new file in
--- the same directory (`.lull-*.tmp`), writes it to the disk, and then lets it take the place of
--- the old one; whatever happens, the old contents are there or the new, whole. It has the
--- permissions of the file it replaces, unless `mode` is given, and if it may its owner. Of a link
--- what it leads to is written or replaced, and only plain files can be replaced. Cancelled, or
--- failing, an atomic write leaves the old file; another one may leave the first part of the data.
--- Raises OSError; argument errors. After Path.write_bytes of Python.
---@param path string
---@param data string
---@param options {append: boolean?, atomic: boolean?, mode: integer?}?
---@return lull.Coroutine
function M.write_file(path, data, options)
  if not is_path(path) then check_path(1, "write_file", path) end
  if type(data) ~= "string" then check.type(2, "write_file", data, "string") end
  if options == nil then return write_file(path, data, ALL_MAY_WRITE) end
  options = check.options(3, "write_file", options, {append = true, atomic = true, mode = true})
  check_flag(3, "write_file", options, "append")
  check_flag(3, "write_file", options, "atomic")
  if options.append and options.atomic then
    check.fail(3, "write_file", "options 'append' and 'atomic' exclude each other")
  end
  local mode = check_mode(3, "write_file", options, ALL_MAY_WRITE)
  if options.atomic then return write_atomic(path, data, mode, options.mode == nil) end
  return write_file(path, data, mode, options.append)
end

local copy = async(function(from, to)
  local done, number = binding.copy(from, to)
  if not done then fail("copy", from, number, to) end
end, "fs.copy")

--- Copies a plain file: contents, and who may read, write and execute it. The copy is complete
--- before it takes the target's place: one that fails, or is cancelled, leaves the target that was
--- there, or none. Of links, what they lead to is copied or replaced. Raises OSError, whose path is
--- the source; argument errors. After shutil.copy of Python, but a directory is no target.
---@param from string
---@param to string
---@return lull.Coroutine
function M.copy(from, to)
  check_path(1, "copy", from)
  check_path(2, "copy", to)
  return copy(from, to)
end

-- ---- what there is ------------------------------------------------------------------------------

--- What is known of a file, directory or other.
---@class lull.fs.Stat
---@field type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"|"unknown"
---@field size integer bytes
---@field mode integer permission bits
---@field mtime number when the contents changed, in seconds since 1970
---@field atime number when it was read
---@field ctime number when contents or status changed
---@field uid integer
---@field gid integer
---@field dev integer with ino, what it is known by as long as it is there
---@field ino integer
---@field nlink integer how many names it has

local stat = async(function(path) return checked(path, binding.stat(path)) end, "fs.stat")
local lstat = async(function(path) return checked(path, binding.lstat(path)) end, "fs.lstat")
local exists = async(function(path) return binding.stat(path) ~= nil end, "fs.exists")

--- Looks at what a path leads to. Raises OSError; argument errors. After os.stat of Python.
---@param path string
---@return lull.Coroutine coroutine awaits to a lull.fs.Stat
function M.stat(path)
  check_path(1, "stat", path)
  return stat(path)
end

--- The same for a link itself. Raises OSError; argument errors. After os.lstat of Python.
---@param path string
---@return lull.Coroutine coroutine awaits to a lull.fs.Stat
function M.lstat(path)
  check_path(1, "lstat", path)
  return lstat(path)
end

--- Whether a path leads to anything: no for a link that leads nowhere, and for what is in a
--- directory that may not be entered. Raises argument errors. After os.path.exists of Python.
---@param path string
---@return lull.Coroutine coroutine awaits to a boolean
function M.exists(path)
  check_path(1, "exists", path)
  return exists(path)
end

-- ---- directories --------------------------------------------------------------------------------

local function is_directory(path)
  local found = binding.stat(path)
  return found ~= nil and found.type == "directory"
end

local function parent_of(path) return path:match("^(.*[^/])/+[^/]+/*$") end

local function make(path, mode, parents, exist_ok)
  local done, number, what = binding.mkdir(path, mode)
  local parent = parents and number == binding.ENOENT and parent_of(path)
  if parent then
    make(parent, ALL_MAY_ENTER, true, true)
    done, number, what = binding.mkdir(path, mode)
  end
  if not done and not (exist_ok and is_directory(path)) then fail(what, path, number) end
end

local mkdir = async(make, "fs.mkdir")

--- Makes a directory. `parents`: those above it, too, as far as they are not there. `exist_ok`: it
--- may be there already. `mode`: its permissions, less the process's umask (0777 if left out).
--- Raises OSError; argument errors. After Path.mkdir of Python.
---@param path string
---@param options {parents: boolean?, exist_ok: boolean?, mode: integer?}?
---@return lull.Coroutine
function M.mkdir(path, options)
  check_path(1, "mkdir", path)
  options = check.options(2, "mkdir", options, {parents = true, exist_ok = true, mode = true})
  check_flag(2, "mkdir", options, "parents")
  check_flag(2, "mkdir", options, "exist_ok")
  local mode = check_mode(2, "mkdir", options, ALL_MAY_ENTER)
  return mkdir(path, mode, options.parents, options.exist_ok)
end

local mkdtemp = async(function(template)
  return checked(template, binding.mkdtemp(template))
end, "fs.mkdtemp")

--- Makes a directory with a name that nothing had, which only its owner may enter. Raises OSError;
--- an argument error. After mkdtemp(3).
---@param template string? a path that ends with XXXXXX, which the name has something else for; one
--- in the environment's TMPDIR, or in /tmp, if left out
---@return lull.Coroutine coroutine awaits to the path
function M.mkdtemp(template)
  if template == nil then template = join(os.getenv("TMPDIR") or "/tmp", "lull-XXXXXX") end
  check_path(1, "mkdtemp", template)
  if template:sub(-6) ~= "XXXXXX" then
    check.fail(1, "mkdtemp", "a path that ends with XXXXXX expected")
  end
  return mkdtemp(template)
end

local remove = async(function(path) checked(path, binding.remove(path)) end, "fs.remove")
local remove_tree = async(function(path)
  local done, number, what, where = binding.remove_tree(path)
  if not done then fail(what, where, number) end
end, "fs.remove")

--- Removes a file, a link or an empty directory. `recursive`: a directory with all that is in it;
--- links are removed, not followed. Cancelled, or failing, that leaves what it did not come to.
--- Raises OSError, whose path is that of what could not be removed; argument errors. After
--- os.remove of Lua and shutil.rmtree of Python.
---@param path string
---@param options {recursive: boolean?}?
---@return lull.Coroutine
function M.remove(path, options)
  check_path(1, "remove", path)
  options = check.options(2, "remove", options, {recursive = true})
  check_flag(2, "remove", options, "recursive")
  if not options.recursive then return remove(path) end
  return remove_tree((path:gsub("([^/])/+$", "%1")))
end

local rename = async(function(from, to)
  local done, number = binding.rename(from, to)
  if not done then fail("rename", from, number, to) end
end, "fs.rename")

--- Gives a file or directory another path in the same file system; a file that has it is replaced.
--- Raises OSError, whose path is the first; argument errors. After os.replace of Python.
---@param from string
---@param to string
---@return lull.Coroutine
function M.rename(from, to)
  check_path(1, "rename", from)
  check_path(2, "rename", to)
  return rename(from, to)
end

-- ---- what is in directories ---------------------------------------------------------------------

M.scandir, M.walk = list.scandir, list.walk

--- For a loop over what happens to a file or in a directory: `for event in fs.watch(path) do`. Each
--- event is a lull.fs.Event. `recursive`: in the directories below, too, new ones included, but
--- not where links lead. It is watched from the call on; the directories below from the loop's
--- first step on. The loop ends when what is watched is removed or moved. Leaving it ends the
--- watch. To follow a file that others replace, watch its directory. Raises OSError, ENOSPC and
--- EMFILE where the system's bounds on watches are reached; argument errors. On Linux only.
---@param path string
---@param options {recursive: boolean?}?
---@return lull.fs.Watch
function M.watch(path, options)
  check_path(1, "watch", path)
  options = check.options(2, "watch", options, {recursive = true})
  check_flag(2, "watch", options, "recursive")
  return new_watch(path, options.recursive or false)
end

return M
