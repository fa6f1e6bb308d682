-- Turns the comments of Lua files into a C file of documentation, for the prompt's :help:
-- embed_docs.lua OUTPUT ROOT FILE...
-- Each FILE is relative to ROOT: "lull/fs.lua" describes the module lull.fs, "types/lull.lua" what
-- is C in lull. An entry has a key ("lull.sleep", "lull.Queue:put", "lull.Queue", "lull.fs"), a
-- signature, the comment as it is written, less its dashes, and for what is Lua the place, by which
-- a function finds its description. Keys that begin with "<" are an object's __name, the text being
-- the key of its class. What is no public name is hidden: it is found by its place only.

local output, root = arg[1], arg[2]

-- Modules that are parts of `lull`, or of no use to users.
local INTERNAL = {}
for _, name in ipairs {"barrier", "check", "condition", "context", "errors", "generator", "loop",
                       "require", "task_group", "timeouts", "wait"} do
  INTERNAL["lull." .. name] = true
end

-- Classes whose objects users do not get to see.
local function is_internal_class(class)
  return class == "lull.Stage" or class:find("^lull%.prompt%.") ~= nil
end

local entries = {} -- by key
local renamed = {} -- key of an internal module's function -> the name users know it by

local function add(key, kind, entry)
  local known = entries[key]
  if known and #known.text >= #entry.text then return end
  entry.key, entry.kind = key, kind
  entries[key] = entry
end

local function read_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

local function module_name(file)
  return (file:gsub("%.lua$", ""):gsub("^types/", "lull/"):gsub("/", ".")
    :gsub("%.init$", ""):gsub("^lull%.lull$", "lull"):gsub("^lull%.(%l+)%.%1$", "lull.%1"))
end

---@class File
---@field module string
---@field public boolean whether what it returns is a module for users
---@field returned string? the local variable it returns
---@field classes table<string, string> local variable -> class
---@field class string? the last one
---@field requires table<string, string> local variable -> module
---@field shared string[][] names of functions that are as the methods of a class of the module
---@field makers table<string, string[]> local functions that make functions -> comment
local File = {}
File.__index = File

local function new_file(name)
  local module = module_name(name)
  local part = module:find("%.%l+%.") ~= nil
  return setmetatable({
    name = name,
    source = not name:find("^types/") and name or "",
    module = module,
    public = not part and not INTERNAL[module],
    lines = read_lines(root .. "/" .. name),
    returned = nil,
    class = nil,
    classes = {},
    requires = {},
    makers = {},
    shared = {},
  }, File)
end

-- The comment that ends above a line: its lines less their dashes, and whether they are for users;
-- then those that are not come last, with the others.
function File:comment_above(number)
  local first = number
  while first > 1 and self.lines[first - 1]:find("^%-%-") do first = first - 1 end
  local all, described = {}, {}
  for i = first, number - 1 do
    all[#all + 1] = self.lines[i]:gsub("^%-%-%-? ?", "")
    if self.lines[i]:find("^%-%-%-") then described[#described + 1] = all[#all] end
  end
  if #described > 0 then return described, true, all end
  return all, false, all
end

-- The last line of the function that a line begins.
function File:end_of(number)
  local line = self.lines[number]
  if line:find("%f[%w]end%)?$") or line:find(" end, ") then return number end
  for i = number + 1, #self.lines do
    if self.lines[i]:find("^end") then return i end
  end
  return number
end

function File:read_head()
  local head = {}
  for _, line in ipairs(self.lines) do
    local text = line:match("^%-%- ?([^-].*)$")
    if not text then break end
    head[#head + 1] = text
  end
  if self.module == "lull" then head = {table.concat(head, " "):match("^(.-%.) %u") or head[1]} end
  if self.public and #head > 0 and self.source ~= "" then
    add(self.module, "module", {text = table.concat(head, "\n")})
  end
end

local function short(class) return (class:gsub("^lull%.", "")) end

local function is_method_type(text) return text:find("^fun%(") ~= nil end

-- A class's fields that are functions are methods that have no body to stand above; one without
-- a description is as the one before it.
local function add_fields(class, comment)
  local last = ""
  for _, line in ipairs(comment) do
    local name, rest = line:match("^@field ([%w_]+)%?? (.*)$")
    local args, results = (rest or ""):match("^fun(%b())(.*)$")
    if args then
      local result, text = results:match("^: ([%w_.|?%[%]]+) ?(.*)$")
      if not result then text = results:match("^ ?(.*)$") end
      if text == "" then text = last end
      last = text
      local names = {}
      for arg in args:sub(2, -2):gmatch("[^,]+") do
        local arg_name, arg_type = arg:match("^%s*([%w_.]+)%??:?%s*(.*)$")
        if arg_name ~= "self" then
          names[#names + 1] = arg_name
          text = text .. ("\n@param %s %s"):format(arg_name, arg_type)
        end
      end
      if result then text = text .. "\n@return " .. result end
      add(class .. ":" .. name, "method", {
        signature = ("%s:%s(%s)"):format(short(class), name, table.concat(names, ", ")),
        text = text,
        hidden = is_internal_class(class),
      })
    elseif name and class == "lull" and not is_method_type(rest) then
      add("lull." .. name, "value", {signature = "lull." .. name,
                                     text = (rest:gsub("^(%S+) (.*)$", "%2\n@type %1"))})
    end
  end
end

-- A comment with a @class in it, and the variable below that stands for the class, if any.
function File:read_class(number, comment, line)
  local class
  for _, text in ipairs(comment) do class = class or text:match("^@class ([%w_.]+)") end
  if not class then return false end
  local variable = line:match("^local ([%w_]+) =")
  if variable then
    self.classes[variable], self.class = class, class
    local name = line:match('__name = "([^"]+)"')
    if name then add("<" .. name .. ">", "name", {text = class}) end
  end
  add_fields(class, comment)
  if class ~= "lull" then
    add(class, "class", {source = self.source, first = number, last = number,
                         text = table.concat(comment, "\n"), hidden = is_internal_class(class)})
  end
  return true
end

-- The key, kind and signature of a function that is written as `owner.name(args)`.
function File:name_function(owner, separator, name, args)
  local class = self.classes[owner] or owner == "methods" and self.class
  if class and class ~= "lull" then
    if separator == "." then args = args:gsub("^_,? ?", "") end
    return class .. ":" .. name, "method", ("%s:%s(%s)"):format(short(class), name, args)
  end
  if class ~= "lull" and owner ~= self.returned then return end
  local key = self.module .. "." .. name
  return key, "function", ("%s(%s)"):format(key, args)
end

function File:add_function(number, owner, separator, name, args)
  local comment, described = self:comment_above(number)
  local key, kind, signature = self:name_function(owner, separator, name, args)
  if not key or not described then return end
  add(key, kind, {
    signature = signature,
    source = self.source,
    first = number,
    last = self:end_of(number),
    text = table.concat(comment, "\n"),
    hidden = kind == "function" and not self.public or name:find("^__") ~= nil
      or kind == "method" and is_internal_class(key:match("^(.*):")),
  })
end

function File:add_local_function(number, name, args)
  local comment, described, all = self:comment_above(number)
  if name == self.returned and described then
    add(self.module, "function", {
      signature = ("%s(%s)"):format(self.module, args), source = self.source, first = number,
      last = self:end_of(number), text = table.concat(comment, "\n"), hidden = not self.public,
    })
  elseif described then
    self.makers[name] = all
  end
end

-- What a module gives that is no function written in it: a value, another module's function, or
-- what a local function made.
function File:add_value(number, names, values)
  local comment, described = self:comment_above(number)
  local maker = self.makers[values:match("^([%w_]+)%(") or ""]
  local list = {}
  for value in (values .. ","):gmatch("(.-),%s*") do list[#list + 1] = value end
  local i = 0
  for name in names:gmatch("[%w_]+%.([%w_]+)") do
    i = i + 1
    local key = self.module .. "." .. name
    local variable, field = (list[i] or ""):match("^([%w_]+)%.([%w_]+)$")
    if variable and self.requires[variable] then
      renamed[self.requires[variable] .. "." .. field] = key
    elseif maker then
      local args, result = table.concat(maker, "\n"):match("@return fun%(([^)]*)%): ([%w_.]+)")
      local text = table.concat(maker, "\n"):gsub("@return fun[^\n]*", "")
      if args then text = ("%s@param %s\n@return %s"):format(text, args:gsub(":", ""), result) end
      add(key, "function", {
        signature = ("%s(%s)"):format(key, (args or "..."):gsub(": [%w_.]+", "")), text = text,
      })
    elseif described and self.public then
      add(key, "value", {signature = key, text = table.concat(comment, "\n")})
    end
  end
end

-- The facade's table: `wait = wait.wait`, `barrier = require "lull.barrier"`.
function File:add_facade(line)
  local name, variable, field = line:match("^  ([%w_]+) = ([%w_]+)%.([%w_]+),$")
  if name and self.requires[variable] then
    renamed[self.requires[variable] .. "." .. field] = "lull." .. name
  end
  local function_name, module = line:match('^  ([%w_]+) = require "([%w_.]+)",$')
  if function_name then renamed[module] = "lull." .. function_name end
end

-- Functions that are as the methods of a class, each in its turn: see add_shared.
function File:add_loop(number, line)
  local owner = (self.lines[number + 1] or ""):match("^  ([%w_]+)%[name%] = [%w_]+%(name%)$")
  if owner == nil or owner ~= self.returned then return end
  local names = {}
  for name in line:gmatch('"([%w_]+)"') do names[#names + 1] = name end
  self.shared[#self.shared + 1] = names
end

local function has_methods(class, names)
  for _, name in ipairs(names) do
    if not entries[class .. ":" .. name] then return false end
  end
  return true
end

-- Describes them as the methods of the module's class that has them all, in whatever file it is.
function File:add_shared()
  local classes = {}
  for key, entry in pairs(entries) do
    if entry.kind == "class" and key:match("^(.*)%.") == self.module then
      classes[#classes + 1] = key
    end
  end
  table.sort(classes)
  for _, names in ipairs(self.shared) do
    for _, class in ipairs(classes) do
      for _, name in ipairs(has_methods(class, names) and names or {}) do
        local method = entries[class .. ":" .. name]
        add(self.module .. "." .. name, "function", {
          signature = method.signature:gsub("^.*:", self.module .. "."),
          text = method.text:gsub("^see ([%w_]+)", "see " .. self.module .. ".%1"),
        })
      end
    end
  end
end

function File:read_line(number, line)
  local variable, module = line:match('^local ([%w_]+) = require%(?%s*"([%w_.]+)"')
  if variable then self.requires[variable] = module end
  if self.name == "lull/init.lua" then self:add_facade(line) end
  local owner, separator, name, args = line:match("^function ([%w_]+)([.:])([%w_]+)%((.-)%)")
  if owner then return self:add_function(number, owner, separator, name, args) end
  name, args = line:match("^local function ([%w_]+)%((.-)%)")
  if name then return self:add_local_function(number, name, args) end
  local names, values = line:match("^([%w_]+%.[%w_., ]+) = (.*)$")
  if names and names:match("^[%w_]+") == self.returned then
    self:add_value(number, names, values)
  end
  if line:find("^for _, name in ipairs {.*} do$") then self:add_loop(number, line) end
end

function File:read()
  for i = #self.lines, 1, -1 do
    self.returned = self.returned or self.lines[i]:match("^return ([%w_]+)$")
  end
  self:read_head()
  for i = 1, #self.lines + 1 do
    local line = self.lines[i] or ""
    if not line:find("^%-%-") then
      local comment, described = self:comment_above(i)
      if described then self:read_class(i, comment, line) end
      self:read_line(i, line)
    end
  end
end

-- ---- what was found, as C ----

local function quote(text)
  local escaped = text:gsub('[\\"?]', "\\%0"):gsub("[^\n -~]", function(c)
    return ("\\%03o"):format(c:byte())
  end)
  return '"' .. escaped:gsub("\n", '\\n"\n"') .. '"'
end

local function rename(entry)
  local key = renamed[entry.key]
  if not key then return end
  entry.signature = entry.signature:gsub("^[%w_.]+", key, 1)
  entry.key, entry.hidden = key, false
end

local function write(list)
  local out = assert(io.open(output, "wb"))
  out:write("/* Made by runtime/embed_docs.lua. */\n\n#include \"docs.h\"\n\n")
  out:write("const lull__doc lull__docs[] = {\n")
  for _, entry in ipairs(list) do
    out:write(("  {%s, %s, %s, %s, %d, %d, %d,\n%s},\n"):format(
      quote(entry.key), quote(entry.kind), quote(entry.signature or ""), quote(entry.source or ""),
      entry.first or 0, entry.last or 0, entry.hidden and 1 or 0, quote(entry.text)))
  end
  out:write("};\n\nconst size_t lull__ndocs = sizeof lull__docs / sizeof *lull__docs;\n")
  assert(out:close())
end

local files = {}
for i, name in ipairs {table.unpack(arg, 3)} do
  files[i] = new_file(name)
  files[i]:read()
end
for _, file in ipairs(files) do file:add_shared() end
local list = {}
for _, entry in pairs(entries) do
  rename(entry)
  list[#list + 1] = entry
end
table.sort(list, function(a, b) return a.key < b.key end)
write(list)
