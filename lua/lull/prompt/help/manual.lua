-- What Lua itself brings, and the sections of its reference manual that tell of it.
local standard = require "lull.prompt.help.standard"

local M = {}

local MANUAL = "https://www.lua.org/manual/5.4/manual.html"

local LIBRARIES = {
  _G = "6.1", coroutine = "6.2", package = "6.3", string = "6.4", utf8 = "6.5", table = "6.6",
  math = "6.7", io = "6.8", os = "6.9", debug = "6.10",
}

local KEYWORDS = {
  ["and"] = "3.4.5", ["break"] = "3.3.4", ["do"] = "3.3.1", ["else"] = "3.3.4",
  ["elseif"] = "3.3.4", ["end"] = "3.3.1", ["false"] = "2.1", ["for"] = "3.3.5",
  ["function"] = "3.4.11", ["goto"] = "3.3.4", ["if"] = "3.3.4", ["in"] = "3.3.5",
  ["local"] = "3.3.7", ["nil"] = "2.1", ["not"] = "3.4.5", ["or"] = "3.4.5",
  ["repeat"] = "3.3.4", ["return"] = "3.3.4", ["then"] = "3.3.4", ["true"] = "2.1",
  ["until"] = "3.3.4", ["while"] = "3.3.4",
}

local function section(number) return ("§%s of the reference manual"):format(number) end

--- Where the manual tells of a word of the language.
---@param word string
---@return string? text
function M.keyword(word)
  local number = KEYWORDS[word]
  if not number then return nil end
  return ("'%s' is a word of Lua's syntax: see %s,\n%s#%s"):format(word, section(number), MANUAL,
    number)
end

local function anchor_of(library, name)
  if library == "_G" then return name, name == "require" and "6.3" or LIBRARIES._G end
  return library .. "." .. name, LIBRARIES[library]
end

-- A library may have functions of users, too.
local function in_libraries(value)
  if debug.getinfo(value, "S").what ~= "C" then return nil end
  for library in pairs(LIBRARIES) do
    for name, other in pairs(package.loaded[library] or {}) do
      if rawequal(value, other) and type(name) == "string" then
        local anchor, number = anchor_of(library, name)
        if standard.get(anchor) then return anchor, number end
      end
    end
  end
end

local function in_files(value)
  for name, method in pairs(getmetatable(io.stdout).__index) do
    if rawequal(value, method) then return "file:" .. name, LIBRARIES.io end
  end
end

--- Where the manual tells of a value: a function of the standard libraries, or one of these.
---@param value any
---@return string? text of several lines, the first a signature
---@return string? name how the manual calls it
function M.value(value)
  for library, number in pairs(LIBRARIES) do
    if rawequal(value, package.loaded[library]) and library ~= "_G" then
      return ("%s is a library of Lua: see %s,\n%s#%s"):format(library, section(number), MANUAL,
        number), library
    end
  end
  if type(value) ~= "function" then return nil end
  local name, number = in_libraries(value)
  if not name then name, number = in_files(value) end
  if not name then return nil end
  local signature, text = standard.get(name)
  return ("%s\n\n%sOne of Lua's own: see %s,\n%s#pdf-%s"):format(signature or name,
    text and text .. "\n\n" or "", section(number), MANUAL, name), name
end

return M
