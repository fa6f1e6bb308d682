-- What is in a table: its list part, and its other keys in order. No metamethod is called, and no
-- more of a huge table is visited than takes a few hundredths of a second.
local math_type = math.type
local next, rawget, rawlen, sort, type = next, rawget, rawlen, table.sort, type

local M = {}

local SAMPLE = 100 -- of a list's items, to see whether it is one
local LONG = 100000 -- items: what is not in the list is looked for from its middle on
local KEYS = 10000 -- so many are sorted, of each type
local ODD_KEYS = 100 -- of those whose label has to be found out

--- How long the list part is: as rawlen has it, if no more than half of the first items are nil;
--- else up to the first nil.
---@param t table
---@return integer
function M.list_length(t)
  local n = rawlen(t)
  local sample, holes, first_hole = n < SAMPLE and n or SAMPLE, 0, nil
  for i = 1, sample do
    if rawget(t, i) == nil then
      holes, first_hole = holes + 1, first_hole or i
    end
  end
  return holes * 2 > sample and first_hole - 1 or n
end

-- The key to look for others from. That of a power of two is in the array of a table that was
-- filled as lists are; the items before it are, too, and need no visit.
local function start(t, n)
  if n <= LONG then return nil end
  local power = 1
  while power * 2 <= n do power = power * 2 end
  return rawget(t, power) ~= nil and power or nil
end

-- The keys that are not in the list, by type, and how many there are.
local function collect(t, n, budget)
  local kinds, count, key = {}, 0, start(t, n)
  while budget.visits > 0 do
    key = next(t, key)
    if key == nil then break end
    budget.visits = budget.visits - 1
    if math_type(key) ~= "integer" or key < 1 or key > n then
      count = count + 1
      local kind = type(key)
      local list = kinds[kind] or {}
      kinds[kind] = list
      if #list < KEYS then list[#list + 1] = key end
    end
  end
  return kinds, count
end

local function sort_odd(keys, label)
  for i = #keys, ODD_KEYS + 1, -1 do keys[i] = nil end
  local labels = {}
  for _, key in next, keys do labels[key] = label(key) end
  sort(keys, function(a, b) return labels[a] < labels[b] end)
end

local function sort_booleans(keys)
  sort(keys, function(a, b) return not a and b end)
end

-- The types of keys in their order, and how those of one are sorted.
local ORDER = {
  {"string", sort}, {"number", sort}, {"boolean", sort_booleans}, {"function", sort_odd},
  {"table", sort_odd}, {"thread", sort_odd}, {"userdata", sort_odd},
}

--- The first of the keys that are not in the list part: strings in order, numbers by value, then
--- booleans, and others by type and label.
---@param t table
---@param n integer how long the list part is
---@param limit integer how many keys are wanted
---@param budget {visits: integer} how many may be visited; what was is taken off
---@param label fun(key: any): string what a function, a table etc. is called
---@return any[] keys
---@return integer count how many there are
---@return boolean all whether those are all; else there may be more
function M.keys(t, n, limit, budget, label)
  local kinds, count = collect(t, n, budget)
  local keys = {}
  for i = 1, #ORDER do
    local list = kinds[ORDER[i][1]]
    if list and #keys < limit then
      if ORDER[i][2] == sort then sort(list) else ORDER[i][2](list, label) end
      for j = 1, #list do
        if #keys < limit then keys[#keys + 1] = list[j] end
      end
    end
  end
  return keys, count, budget.visits > 0
end

return M
