-- What is said of functions, coroutines, userdata, and tables that are objects: a text, and what
-- fields go with it. Of a user's metamethods only __tostring is called, and it may do anything.
local _, core = ...
local Error = require "lull.errors".Error
local generator = require "lull.generator"
local names = require "lull.prompt.show.names"
local strings = require "lull.prompt.show.strings"

local async_body, current_task, has_failed = core.async_body, core.current_task, core.has_failed
local is_coroutine = core.is_coroutine
local getinfo, getmetatable, getupvalue, setuservalue =
  debug.getinfo, debug.getmetatable, debug.getupvalue, debug.setuservalue
local find, format, match, sub = string.find, string.format, string.match, string.sub
local concat, pack = table.concat, table.pack
local error, next, pcall, rawequal, rawget, tostring, type =
  error, next, pcall, rawequal, rawget, tostring, type
local status = coroutine.status

local M = {}

local NAME = 100 -- bytes of names, places and reasons
local RESULTS = 3 -- of a task
local FIELDS = 1000 -- of an error that are looked at

local function cancels()
  local task = current_task()
  return task and task:cancelling() or 0
end

-- A protected call. If it was interrupted the interrupt goes on.
local function try(f, ...)
  local before = cancels()
  local ok, result = pcall(f, ...)
  if not ok and cancels() > before then error(result, 0) end
  return ok, result
end

local function has_text(value)
  local meta = getmetatable(value)
  return type(value) == "string" or meta and rawget(meta, "__tostring") ~= nil
end

local function reason(err)
  local ok, text
  if has_text(err) then ok, text = try(tostring, err) end
  return strings.plain(ok and text or type(err), NAME, true)
end

-- The text that __tostring gives; nil and why not if it fails.
local function text_of(value)
  local ok, text = try(tostring, value)
  if ok then return text end
  return nil, format("<__tostring failed: %s>", reason(text))
end

local function class_name(meta)
  local name = meta and rawget(meta, "__name")
  return type(name) == "string" and strings.plain(name, NAME, true) or nil
end

-- ---- functions and coroutines ----

local function place_of(info)
  local line = info.what == "main" and "" or ":" .. info.linedefined
  return format("<%s%s>", strings.plain(info.short_src, NAME, true), line)
end

local function join(...)
  local words = pack(...)
  local said = {}
  for i = 1, words.n do
    if words[i] then said[#said + 1] = words[i] end
  end
  return concat(said, " ")
end

local function no_body() end

local generator_info = getinfo(generator(no_body), "S")

-- The body of a generator function, which it holds besides a function of lull.generator's.
local function generator_body(f)
  local info = getinfo(f, "S")
  local source = generator_info.source
  if info.source ~= source or info.linedefined ~= generator_info.linedefined then return nil end
  for i = 1, 2 do
    local _, held = getupvalue(f, i)
    if type(held) == "function" and getinfo(held, "S").source ~= source then return held end
  end
end

-- What kind of function it is, the one to tell the place of, and the name it was given.
local function kind_of(f)
  local body, called = async_body(f)
  if body then return "async function", body, not find(called, ":%d+$") and called or nil end
  body = generator_body(f)
  if body then return "generator function", body end
  return getinfo(f, "S").what == "C" and "builtin function" or "function", f
end

local function describe_function(f)
  local kind, body, called = kind_of(f)
  local name, info = names.of(f) or called, getinfo(body, "S")
  return join(kind, name and strings.plain(name, NAME, true), info.what ~= "C" and place_of(info))
end

-- The line of a suspended coroutine's innermost function that is not one of lull's.
local function line_of(thread)
  for level = 0, 20 do
    local info = getinfo(thread, level, "Sl")
    if not info then return nil end
    if info.currentline > 0 and sub(info.source, 1, 6) ~= "=lull/" then
      return format("%s:%d", strings.plain(info.short_src, NAME, true), info.currentline)
    end
  end
end

local function describe_thread(thread)
  local state = status(thread)
  local line = state ~= "dead" and state ~= "running" and line_of(thread)
  return format(line and "coroutine (%s at %s)" or "coroutine (%s)", state, line)
end

-- ---- futures, tasks and coroutine objects ----

local function describe_coroutine(object, text, options)
  if not is_coroutine(object) then return text .. ", awaited already" end
  return text .. (options.hint and ", not awaited: await(_) runs it" or ", not awaited")
end

local function describe_results(results, brief)
  local texts = {}
  for i = 1, results.n do
    texts[i] = i > RESULTS and "..." or brief(results[i])
    if i > RESULTS then break end
  end
  return #texts > 0 and "done: " .. concat(texts, ", ") or "done"
end

-- To show an error is to look at it: no warning comes that nobody did.
local function describe_done(future, options)
  if future:cancelled() then return "cancelled" end
  if options.terse then return has_failed(future) and "failed" or "done" end
  if not has_failed(future) then return describe_results(pack(future:result()), options.brief) end
  local err = future:exception()
  local said = type(err) == "string" and strings.plain(err, 2 * NAME, true) or options.brief(err)
  return "failed: " .. said
end

local function describe_pending(task)
  if rawequal(task, current_task()) then return "running" end
  local line = match(task:traceback(), "^\n\t(.-:%d+):")
  local state = line and "pending at " .. strings.plain(line, NAME, true) or "pending"
  return task:cancelling() > 0 and state .. ", cancelled" or state
end

local function describe_future(future, text, options)
  if future:done() then return format("%s (%s)", text, describe_done(future, options)) end
  return text .. " (pending)"
end

local function describe_task(task, text, options)
  if find(text, "^coroutine object") then return describe_coroutine(task, text, options) end
  local name = format("task '%s'", strings.plain(task:get_name(), NAME, true))
  if task:done() then return describe_future(task, name, options) end
  return format("%s (%s)", name, describe_pending(task))
end

-- Of lull's own objects, by the name of their metatable.
local own = {
  ["json.null"] = function() return "json.null" end,
  ["lull coroutine object"] = describe_coroutine,
  ["lull future"] = function(future, _, options)
    return describe_future(future, "future", options)
  end,
  ["lull gather future"] = function(future, _, options)
    return describe_future(future, "gather future", options)
  end,
  ["lull task"] = describe_task,
}

-- ---- userdata ----

-- Of light userdata no user value can be set; one that is not there can be of no other, either.
local function is_light(value) return not pcall(setuservalue, value, nil, 0) end

local function describe_userdata(value, options)
  if is_light(value) then return format("light userdata %p", value) end
  local meta = getmetatable(value)
  local name = class_name(meta)
  local text, failure = text_of(value)
  if not text then return join(name or "userdata", failure) end
  local described = own[name]
  if described and (name == "json.null" or rawget(meta, "__metatable") == "lull") then
    local ok, result = try(described, value, text, options)
    if ok then return result end
  end
  if rawget(meta or {}, "__tostring") ~= nil then return text end
  return format("%s %p", name or "userdata", value)
end

-- ---- tables ----

-- Whether a table is lull.Error, or a class made from it. It is the metatable of its errors.
local function is_error_class(class)
  for _ = 1, 100 do
    if type(class) ~= "table" then return false end
    if rawequal(class, Error) then return true end
    class = rawget(class, "parent")
  end
  return false
end

-- An error: its class and message, and what else it has.
local function describe_error(err)
  local text, failure = text_of(err)
  local fields, left = {}, FIELDS
  for key, value in next, err do
    left = left - 1
    if left < 0 then break end
    if key ~= "message" and key ~= "traceback" then fields[key] = value end
  end
  if text and rawget(err, "errors") ~= nil then text = match(text, "^[^\n]*") end
  return text or failure, "error", next(fields) ~= nil and fields or nil
end

-- Headers keep their lines, pairs of name and value, at their metatable as a key.
local function describe_headers(lines)
  local fields = {}
  for i = 1, #lines do
    local name, value = lines[i][1], lines[i][2]
    fields[name] = fields[name] and fields[name] .. ", " .. value or value
  end
  return "headers", "object", fields
end

local function describe_table(t)
  local meta = getmetatable(t)
  if not meta then return nil, nil, t end
  if rawget(t, "__tostring") ~= nil and is_error_class(t) then
    return "error class " .. strings.plain(tostring(rawget(t, "name")), NAME, true), "error"
  end
  if is_error_class(meta) then return describe_error(t) end
  local name = class_name(meta)
  if name == "lull headers" and type(rawget(t, meta)) == "table" then
    return describe_headers(rawget(t, meta))
  end
  if rawget(meta, "__tostring") == nil then
    if name and sub(name, 1, 5) == "lull " then return sub(name, 6), "object" end
    return name, "object", t
  end
  local text, failure = text_of(t)
  if text then return text, "object" end
  return join(name, failure), "object", t
end

--- What is said of a function, a coroutine, userdata or a table. Options: brief, a function that
--- gives any value as a short text; terse, if no results of tasks are wanted; hint, if `_` is the
--- value.
---@param value any
---@param options {brief: (fun(value: any): string), terse: boolean?, hint: boolean?}
---@return string? text nil if the fields say all
---@return string? style
---@return table? fields a table whose contents are to be shown
function M.describe(value, options)
  local kind = type(value)
  if kind == "table" then return describe_table(value) end
  if kind == "function" then return describe_function(value), "object" end
  if kind == "thread" then return describe_thread(value), "object" end
  return describe_userdata(value, options), "object"
end

return M
