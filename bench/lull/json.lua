-- JSON: lull.json beside lua-cjson (Debian: lua-cjson) where it is installed, in MB of text a
-- second. Call: lull json.lua
local json = require "lull.json"

local function list(count, item)
  local items = {}
  for i = 1, count do items[i] = item(i) end
  return items
end

local random = math.random

local function record(i)
  return {
    id = i, name = "item " .. i, active = i % 2 == 0, price = random(1, 99999) / 100,
    position = {latitude = random() * 180 - 90, longitude = random() * 360 - 180},
    tags = {"one", "two", "three"}, about = ("some words of text "):rep(random(1, 20)),
    friends = list(3, function(k) return {id = k, name = "friend " .. k} end),
  }
end

local documents = {
  {"objects", list(20000, function(i) return {id = i, ok = true, name = "item " .. i} end)},
  {"strings", list(10000, function(i) return ("line %d\n\"Grüße\" "):format(i):rep(3) end)},
  {"integers", list(120000, function() return random(-10 ^ 12 // 1, 10 ^ 12 // 1) end)},
  {"floats", list(60000, function() return random() * 1000 end)},
  {"prices", list(120000, function() return random(1, 99999) / 100 end)},
  {"mixed", list(3000, record)},
}

local function rate(f, value, bytes)
  local rounds, began = 0, os.clock()
  repeat
    f(value)
    rounds = rounds + 1
  until os.clock() - began > 0.1
  return rounds * bytes / (os.clock() - began) / 1e6
end

-- The median of 5 runs of each, in turns.
local function compare(title, bytes, calls)
  local rates = {{}, {}}
  for run = 1, 5 do
    for i, call in ipairs(calls) do rates[i][run] = rate(call[1], call[2], bytes) end
  end
  for _, column in ipairs(rates) do table.sort(column) end
  local ours, theirs = rates[1][3], rates[2][3]
  local beside = theirs and ("%8.1f   %.2f x"):format(theirs, ours / theirs) or "       -"
  print(("%-18s %8.1f %s"):format(title, ours, beside))
end

local has_cjson, cjson = pcall(require, "cjson")
print("MB/s               lull.json    cjson")
for _, document in ipairs(documents) do
  local name, value = document[1], document[2]
  local text = json.encode(value)
  compare("decode " .. name, #text, {{json.decode, text}, has_cjson and {cjson.decode, text}})
  compare("encode " .. name, #text, {{json.encode, value}, has_cjson and {cjson.encode, value}})
end
