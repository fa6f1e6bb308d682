-- The modules and files that the prompt's completion finds. Directories that are missing, or may
-- not be listed, have none.
local _, core = ...
local fs = require "lull.fs"
local fs_list = require "lull.fs.list"
local lull = require "lull"

local next, try = next, lull.try

local M = {}

-- Of lull's own modules those that are documented; the others are its parts.
local PUBLIC = {}
for _, name in ipairs {"color", "fs", "html", "http", "json", "net", "prompt", "stream", "thread",
                       "timer"} do
  PUBLIC["lull." .. name] = true
end

-- What is in a directory: type by name; nothing if it cannot be listed.
local function entries_of(dir)
  local entries = {}
  try(fs_list.each_piece, dir == "" and "." or dir, false, function(list)
    for i = 1, #list, 2 do entries[list[i]] = list[i + 1] end
  end)
  return entries
end

local function leads_to_directory(path, kind)
  if kind ~= "link" and kind ~= "unknown" then return kind == "directory" end
  local ok, stat = try(core.await, fs.stat(path))
  return ok and stat.type == "directory"
end

local function add_module(found, name)
  if PUBLIC[name] or not name:find("^lull%.") then found:add(name) end
end

-- What is between the two in a text; nil if it does not begin and end with them.
local function between(text, front, back)
  local size = #text - #back
  if size > #front and text:sub(1, #front) == front and text:sub(size + 1) == back then
    return text:sub(#front + 1, size)
  end
end

local function has_module(dir, ending)
  for entry in next, entries_of(dir) do
    local name = between(entry, "", ending)
    if name and name ~= "init" then return true end
  end
  return false
end

-- Adds the modules that a template of package.path or package.cpath finds, of those in the same
-- place as the word: "a.b." of "a.b.c". A directory that has some is added with a dot; one's own
-- module is `a`, not `a.init`.
local function add_modules_by(found, template)
  local front, ending, rest = template:match("^([^?]*)%?([^/]*)(.*)$")
  if not front then return end
  local word = found.word
  local place = word:match("^.*%.") or ""
  local function wanted(name)
    return name and name:find("^[%w_-]+$") and (place .. name):sub(1, #word) == word
      and (name ~= "init" or place == "")
  end
  local dir, stem = (front .. place:gsub("%.", "/")):match("^(.-)([^/]*)$")
  for entry, kind in next, entries_of(dir) do
    local name = between(entry, stem, ending)
    if wanted(name) then
      local path = template:gsub("%?", ((place .. name):gsub("%.", "/")))
      if rest == "" and kind ~= "directory" or rest ~= "" and core.await(fs.exists(path)) then
        add_module(found, place .. name)
      end
    elseif rest == "" and wanted(entry) and leads_to_directory(dir .. entry, kind)
      and has_module(dir .. entry, ending) then
      add_module(found, place .. entry .. ".")
    end
  end
end

--- Adds the modules that can be required.
---@async
---@param found lull.prompt.Found
function M.add_modules(found)
  if ("." .. found.word):find("[^%w_.-]") or ("." .. found.word):find("..", 1, true) then return end
  for _, key in ipairs {"preload", "loaded"} do
    for name in next, package[key] do
      if type(name) == "string" then add_module(found, name) end
    end
  end
  for _, key in ipairs {"path", "cpath"} do
    for template in tostring(package[key]):gmatch("[^;]+") do add_modules_by(found, template) end
  end
end

--- Adds the files of a directory, those that may stand in a string as they are. A "~" is the
--- home directory.
---@async
---@param found lull.prompt.Found
---@param dir string with the slash at its end; "" for the word "~"
function M.add_files(found, dir)
  local home = os.getenv("HOME")
  if dir == "" then return home and found:add("~/") end
  local path = home and dir:find("^~/") and home .. dir:sub(2) or dir
  for name, kind in next, entries_of(path) do
    if found.done then return end
    if name:sub(1, #found.word) == found.word and not name:find("[%c\"'\\]") and utf8.len(name) then
      found:add(leads_to_directory(path .. name, kind) and name .. "/" or name)
    end
  end
end

return M
