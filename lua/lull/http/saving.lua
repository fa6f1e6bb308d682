-- Writing a body to a file: beside it first, and in its place when it is whole.
local _, core = ...
local errors = require "lull.errors"
local fs = require "lull.fs"

local await, pcall = core.await, core.pcall

local M = {}

local function write_to(response, path, progress)
  local file <close> = await(fs.open(path, "wb"))
  local done, total = 0, math.tointeger(tonumber(response.headers:get("content-length")))
  if response.headers:get("content-encoding") then total = nil end -- that of the compressed body
  for piece in response:chunks() do
    await(file:write(piece))
    done = done + #piece
    if progress then progress(done, total) end
  end
  await(file:close())
end

-- Awaits something; an error of the system's is about the path itself.
local function for_path(path, start, ...)
  local ok, result = pcall(await, start(...))
  if ok then return result end
  if errors.is_instance(result, errors.OSError) then
    local reason = result.message:match("[^:]*$")
    result = errors.OSError(("cannot save to '%s':%s"):format(path, reason),
      {code = result.code, path = path})
  end
  error(result, 0)
end

-- A folder beside a path, which is removed in the end.
local function folder_beside(path)
  local folder = for_path(path, fs.mkdtemp, (path:match("^(.*/)") or "") .. ".lull-XXXXXX")
  return setmetatable({path = folder}, {__close = function()
    await(fs.remove(folder, {recursive = true}))
  end})
end

local function is_special(path)
  local ok, stat = pcall(function() return await(fs.stat(path)) end)
  if not ok and not errors.is_instance(stat, errors.OSError) then error(stat, 0) end
  return ok and stat.type ~= "file"
end

--- Saves the body of a response. What is there and is no plain file, a device say, is written to.
function M.save(response, path, progress)
  if is_special(path) then return write_to(response, path, progress) end
  local folder <close> = folder_beside(path)
  local part = folder.path .. "/part"
  write_to(response, part, progress)
  for_path(path, fs.rename, part, path)
end

return M
