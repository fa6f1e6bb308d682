-- A require through which modules can await while they load. Of tasks that require a module at
-- the same time one loads it and the others wait. Otherwise as Lua's own.
local _, core = ...

-- For lull's own modules, whichever is loaded next: in debug mode the global ones note what they
-- catch.
core.pcall, core.xpcall = pcall, xpcall

local package = package
local loaded = package.loaded
local loading = {} -- name -> {name=, task=, done=event}
local waiting = setmetatable({}, {__mode = "k"}) -- task -> the name it waits for

local function find_loader(name)
  local searchers = package.searchers
  if type(searchers) ~= "table" then error("'package.searchers' must be a table", 3) end
  local reasons = {}
  for i = 1, math.huge do
    local searcher = rawget(searchers, i)
    if searcher == nil then
      error(("module '%s' not found:%s"):format(name, table.concat(reasons)), 3)
    end
    local loader, data = searcher(name)
    if type(loader) == "function" then return loader, data end
    if type(loader) == "string" then reasons[#reasons + 1] = "\n\t" .. loader:gsub("^\n\t", "") end
  end
end

local function load(name, loader, data)
  local value = loader(name, data)
  if value ~= nil then loaded[name] = value end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name], data
end

-- Lets the others know, however the loading ends.
local Loading = {__close = function(self)
  loading[self.name] = nil
  self.done:set()
end}

-- Whether a module is being loaded by `task`, or by one that waits, if through others, for it.
local function in_circle(entry, task)
  while entry and entry.task ~= task do entry = loading[waiting[entry.task]] end
  return entry ~= nil
end

local function wait_for(entry, task)
  if in_circle(entry, task) then
    error(("module '%s' requires itself, directly or through others, while it is being loaded")
      :format(entry.name), 3)
  end
  waiting[task] = entry.name
  local ok, err = pcall(core.await, entry.done:wait())
  waiting[task] = nil
  if not ok then error(err, 0) end
end

--- Gives a module, loaded if need be: the global require, where modules can await as they load.
--- Raises an argument error, an error that says where the module was looked for, or what loading it
--- raises.
---@async
---@param name string
---@return any module, any data as Lua's own require does
local function require_module(name)
  if type(name) ~= "string" and type(name) ~= "number" then
    error(("bad argument #1 to 'require' (string expected, got %s)")
      :format(name == nil and "no value" or type(name)), 2)
  end
  name = tostring(name)
  local task = core.current_task()
  while true do
    local module = loaded[name]
    if module then return module end
    local other = loading[name]
    if not other or not task then break end
    wait_for(other, task)
  end
  local loader, data = find_loader(name)
  if not task then return load(name, loader, data) end
  local mine <close> = setmetatable({name = name, task = task, done = core.event()}, Loading)
  loading[name] = mine
  return load(name, loader, data)
end

return require_module
