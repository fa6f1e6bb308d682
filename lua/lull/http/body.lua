-- The body of a request that is sent piece by piece: from an iterator, an open file, or the parts
-- of a form. A source has next() -> bytes or nil, size (or nil), rewind() (or nil) and close().
local _, core = ...
local errors = require "lull.errors"

local await = core.await
local PIECE = 64 * 1024

local M = {}

-- Closed by whoever is done with it, an iterator that is a generator too.
local Source = {}
Source.__index = Source
Source.__close = function(self) self:close() end

Source.close = function() end -- most have nothing to close

local function new(fields) return setmetatable(fields, Source) end

local function is_file(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__name") == "lull file"
end

--- Whether it is a file that is closed.
function M.is_closed(value) return is_file(value) and value.closed end

-- Who has given the file may have closed it meanwhile.
local function check_open(file)
  if file.closed then error("the body's file is closed", 0) end
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and type(rawget(meta, "__call")) == "function"
end

--- Whether a value can be a streamed body.
function M.is_source(value)
  return is_callable(value) or is_file(value)
end

local function check_piece(piece)
  if piece == nil or type(piece) == "string" then return piece end
  error(("the body's iterator must give strings, not a %s"):format(type(piece)), 0)
end

local function of_iterator(iterator)
  local function next_piece()
    local piece
    repeat piece = check_piece(iterator()) until piece ~= ""
    return piece
  end
  local source = new {next = next_piece}
  if type(iterator) == "table" and iterator.close then
    source.close = function()
      source.close = nil
      iterator:close()
    end
  end
  return source
end

-- The position in a file, or nil where there is none.
local function tell(file)
  check_open(file)
  local ok, at = core.pcall(function() return await(file:seek("cur", 0)) end)
  if ok then return at end
  if not (errors.is_instance(at, errors.OSError) and at.code == "ESPIPE") then error(at, 0) end
  return nil
end

-- What is left of an open file. Where it cannot be sought, as in a pipe, its size is not known.
local function of_file(file)
  local start = tell(file)
  local source = new {next = function()
    check_open(file)
    return await(file:read(PIECE))
  end}
  if not start then return source end
  check_open(file)
  source.size = await(file:seek("end", 0)) - start
  source.rewind = function()
    check_open(file)
    await(file:seek("set", start))
  end
  source.rewind()
  return source
end

-- The source of one piece of a form, or the string it is.
local function of_piece(piece)
  if type(piece) == "string" then return piece end
  if piece.path then
    local fs = require "lull.fs"
    local file = await(fs.open(piece.path, "rb"))
    local source = of_file(file)
    source.close = function() await(file:close()) end
    return source
  end
  return M.open(piece.body)
end

-- How long all of a form is, if that can be told without opening anything but files.
local function size_of(pieces)
  local fs = require "lull.fs"
  local size = 0
  for _, piece in ipairs(pieces) do
    if type(piece) == "string" then
      size = size + #piece
    elseif piece.path then
      size = size + await(fs.stat(piece.path)).size
    else
      return nil
    end
  end
  return size
end

local function of_form(pieces)
  local i, current = 0, nil
  local self = new {size = size_of(pieces)}
  function self.close()
    local source = current
    current = nil
    if source then source:close() end
  end
  function self.next()
    while true do
      local piece = current and current.next()
      if piece then return piece end
      self.close()
      i = i + 1
      if not pieces[i] then return nil end
      current = of_piece(pieces[i])
      if type(current) == "string" then
        current, piece = nil, current
        if piece ~= "" then return piece end
      end
    end
  end
  function self.rewind()
    self.close()
    i = 0
  end
  for _, piece in ipairs(pieces) do
    if type(piece) == "table" and piece.body then self.rewind = nil end
  end
  return self
end

--- Makes the source of a body: a function, a generator, an open file, or {form = pieces}.
function M.open(value)
  if type(value) == "table" and rawget(value, "form") then return of_form(value.form) end
  if is_file(value) then return of_file(value) end
  return of_iterator(value)
end

return M
