-- What a name stands for, and which description a value has. Descriptions are in the binding
-- `docs`; a function written in Lua finds its own by its place, any other value by where it is.
local _, core = ...

local getmetatable = debug.getmetatable -- lull's hide themselves

local M = {}

-- Kinds of C, by their __name.
local CLASSES = {
  ["lull task"] = "lull.Task",
  ["lull future"] = "lull.SettableFuture",
  ["lull gather future"] = "lull.Future",
  ["lull coroutine object"] = "lull.Coroutine",
  ["lull handle"] = "lull.Handle",
  ["lull timeout scope"] = "lull.TimeoutScope",
  ["lull queue"] = "lull.Queue",
  ["lull lock or semaphore"] = "lull.Semaphore",
  ["lull event"] = "lull.Event",
  ["lull guard"] = "lull.Guard",
  ["lull html node"] = "lull.HtmlNode",
}

---@class lull.prompt.Doc
---@field key string
---@field kind string "function", "method", "class", "module" or "value"
---@field signature string
---@field text string the comment, with its markup

local docs

-- What stands in for the binding where it cannot be loaded: nothing is described then.
local function no_docs(reason)
  local function nothing() end
  return {at = nothing, get = nothing, keys = function() return {} end, reason = reason}
end

--- The binding; without it, one that knows nothing, and the `reason`.
function M.docs()
  if not docs then
    local ok, binding = pcall(core.binding, "docs")
    docs = ok and binding or no_docs(binding)
  end
  return docs
end

--- The description with a key.
---@param key string
---@return lull.prompt.Doc?
function M.get(key) return M.docs().get(key) end

-- ---- names ----

local function get_field(value, key) return value[key] end

-- The value of a global or local variable.
local function get_variable(session, name)
  local found, value
  if session.scope then found, value = session.scope:get(name) end
  if not found then
    local ok, global = pcall(get_field, session.env, name)
    value = ok and global or nil
  end
  return value
end

--- Follows a path such as `a.b:c` from a variable on.
---@param session table
---@param path string
---@return any value nil if there is none
---@return any owner what it is a field of
---@return string? key the field's name
function M.follow(session, path)
  local first, rest = path:match("^([%a_][%w_]*)(.*)$")
  if not first then return nil end
  local value, owner, last = get_variable(session, first), nil, nil
  for key in rest:gmatch("[.:]([%a_][%w_]*)") do
    if value == nil then return nil end
    local ok, field = pcall(get_field, value, key)
    if not ok then return nil end
    owner, last, value = value, key, field
  end
  return value, owner, last
end

--- Whether text is a path of names.
function M.is_path(text)
  local first = text:match("^[%a_][%w_]*()")
  return first ~= nil and text:sub(first):gsub("[.:][%a_][%w_]*", "") == ""
end

local by_name -- keys, in lower case and as they are, with and without "lull." -> key

local function names()
  if by_name then return by_name end
  by_name = {}
  local function note(name, key) by_name[name] = by_name[name] or key end
  for _, fold in ipairs {function(text) return text end, string.lower} do
    for _, key in ipairs(M.docs().keys()) do
      local plain = key:gsub(":", ".")
      note(fold(plain), key)
      note(fold((plain:gsub("^lull%.", ""))), key)
    end
  end
  for _, key in ipairs(M.docs().keys()) do
    local class = key:match("%.(%u%w*)$")
    if class then note(class, key) end
  end
  return by_name
end

--- The description of what users call so, in upper or lower case, with "lull." or without.
---@param name string
---@return lull.prompt.Doc?
function M.named(name)
  local plain = name:gsub(":", ".")
  local key = names()[plain] or names()[plain:lower()]
  return key and M.get(key)
end

-- ---- values ----

--- The description of the class a value is of.
---@param value any
---@return lull.prompt.Doc?
function M.class_of(value)
  if core.is_coroutine(value) then return M.get("lull.Coroutine") end
  local meta = getmetatable(value)
  local name = type(meta) == "table" and type(value) ~= "string" and rawget(meta, "__name")
  if type(name) ~= "string" then return nil end
  local class = CLASSES[name]
  if class then return M.get(class) end
  local doc = M.get("<" .. name .. ">")
  return doc and M.get(doc.text) or M.value(meta)
end

--- The description of a class's method, its own or an ancestor's.
---@param class string
---@param name string
---@return lull.prompt.Doc?
function M.method(class, name)
  for _ = 1, 10 do
    local doc = M.get(class .. ":" .. name)
    if doc then return doc end
    doc = M.get(class)
    class = doc and doc.text:match("@class [%w_.]+%s*:%s*([%w_.]+)")
    if not class then return nil end
  end
end

-- Value -> key, of everything in lull's modules and in the classes that are C.
local function places()
  local found = setmetatable({}, {__mode = "k"})
  local function note(value, key)
    local kind = type(value)
    if (kind == "function" or kind == "table" or kind == "userdata") and not found[value] then
      found[value] = key
    end
  end
  local function note_fields(container, prefix)
    for name, value in next, container do
      if type(name) == "string" then note(value, prefix .. name) end
    end
  end
  if type(package.loaded.lull) == "table" then note_fields(package.loaded.lull, "lull.") end
  for name, module in pairs(package.loaded) do
    if type(name) == "string" and name:find("^lull%.") and M.get(name) then
      note(module, name)
      if type(module) == "table" then note_fields(module, name .. ".") end
    end
  end
  for _, meta in pairs(debug.getregistry()) do
    local class = type(meta) == "table" and CLASSES[rawget(meta, "__name")]
    local methods = class and rawget(meta, "__index")
    for name, method in pairs(type(methods) == "table" and methods or {}) do
      local doc = M.method(class, name)
      if doc then note(method, doc.key) end
    end
  end
  return found
end

local function is_of_lull(info) return info.source:find("^=lull/") ~= nil end

--- The description of a value: a function, a module, a class or another value of lull.
---@param value any
---@return lull.prompt.Doc?
function M.value(value)
  if type(value) == "function" then
    local info = debug.getinfo(core.async_body(value) or value, "S")
    if info.what ~= "C" then
      if not is_of_lull(info) then return nil end
      local doc = M.docs().at(info.source:sub(2), info.linedefined)
      if doc then return doc end
    end
  end
  if rawequal(value, package.loaded.lull) then return M.get("lull") end
  local key = places()[value]
  return key and M.get(key)
end

-- ---- names that are nearly right ----

-- How many characters have to be put in, left out, changed or swapped with the next to make one of
-- the other; more than `limit` if it is more.
local function distance(a, b, limit)
  if math.abs(#a - #b) > limit then return limit + 1 end
  local before, last = nil, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    local row = {[0] = i}
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, last = last, row
  end
  return last[#b]
end

local function variables(session)
  local list = {}
  for name in pairs(session.env or {}) do
    if type(name) == "string" then list[#list + 1] = name end
  end
  if session.scope then
    for _, name in ipairs(session.scope:names()) do list[#list + 1] = name end
  end
  return list
end

local MOST = 5

--- Names like one that stands for nothing, the nearest first.
---@param session table
---@param name string
---@return string[]
function M.near(session, name)
  local wanted = name:lower():gsub(":", "."):gsub("^lull%.", "")
  local limit = math.max(1, math.min(3, #wanted // 3))
  local found, seen = {}, {}
  local function try(candidate)
    local plain = candidate:lower():gsub(":", "."):gsub("^lull%.", "")
    local steps = math.min(distance(plain, wanted, limit),
      distance(plain:match("[%w_]+$") or plain, wanted, limit) + 0.5)
    if steps > limit + 0.5 or seen[candidate] then return end
    seen[candidate] = true
    found[#found + 1] = {candidate, steps}
  end
  for _, key in ipairs(M.docs().keys()) do try(key) end
  for _, variable in ipairs(variables(session)) do try(variable) end
  table.sort(found, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  local list = {}
  for i = 1, math.min(MOST, #found) do
    if found[i][2] <= found[1][2] + 1 then list[i] = found[i][1] end
  end
  return list
end

return M
