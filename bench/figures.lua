-- Figures: reading a program's line, medians and ratios, and how they are written.

local M = {}

-- What each metric is called, and how it follows from the line a program prints.
M.metrics = {
  ns_per_op = {title = "CPU ns", digits = 1},
  wall_ns_per_op = {title = "wall ns", digits = 1},
  cpu_s = {title = "CPU s", digits = 3, from = "ns_per_op", per = 1e9, times_ops = true},
  wall_s = {title = "wall s", digits = 3, from = "wall_ns_per_op", per = 1e9, times_ops = true},
  cpu_us = {title = "CPU us", digits = 2, from = "ns_per_op", per = 1e3},
  wall_us = {title = "wall us", digits = 2, from = "wall_ns_per_op", per = 1e3},
  cpu_ms = {title = "CPU ms", digits = 2, from = "ns_per_op", per = 1e6},
  wall_ms = {title = "wall ms", digits = 2, from = "wall_ns_per_op", per = 1e6},
  peak_mb = {title = "peak MiB", digits = 0, from = "rss_kb", per = 1024},
  bytes_per_op = {title = "bytes a task", digits = 0},
}

--- The figures in a program's output, and what else it printed. nil without such a line.
---@param output string
---@return table<string, number>?, string rest
function M.parse(output)
  local figures
  local rest = {}
  for line in output:gmatch("[^\n]+") do
    if line:find("^workload=") then
      figures = {}
      for key, value in line:gmatch("(%S+)=(%S+)") do figures[key] = tonumber(value) end
    else
      rest[#rest + 1] = line
    end
  end
  return figures, table.concat(rest, "\n")
end

--- One metric of one run; nil where the program does not give it.
---@param run table<string, number>
---@param name string
---@return number?
function M.value(run, name)
  local metric = M.metrics[name]
  local value = run[metric.from or name]
  if not value then return nil end
  return value / (metric.per or 1) * (metric.times_ops and run.ops or 1)
end

--- The median of a list; its least and its greatest value. nil for an empty list.
---@param list number[]
---@return number? median, number? min, number? max
function M.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  if n == 0 then return nil end
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2, sorted[1], sorted[n]
end

--- The median, the least and the greatest value of a metric over runs.
---@param runs table<string, number>[]
---@param name string
---@return number? median, number? min, number? max
function M.summary(runs, name)
  local list = {}
  for _, run in ipairs(runs) do list[#list + 1] = M.value(run, name) end
  return M.median(list)
end

--- The median of the ratios of two programs' runs, pair by pair: the runs of one round were made
--- next to each other, so load that comes and goes touches both alike.
---@param runs table<string, number>[]
---@param others table<string, number>[]
---@param name string
---@return number? median, number? min, number? max
function M.ratio(runs, others, name)
  local list = {}
  for i = 1, math.min(#runs, #others) do
    local value, other = M.value(runs[i], name), M.value(others[i], name)
    if value and other and other > 0 then list[#list + 1] = value / other end
  end
  return M.median(list)
end

--- A figure as text; "-" for one that is not there.
---@param value number?
---@param name string
---@return string
function M.text(value, name)
  if not value then return "-" end
  return ("%%.%df"):format(M.metrics[name].digits):format(value)
end

--- A value as JSON. A table is a list if it has a first element or is empty.
---@param value any
---@return string
function M.json(value)
  local kind = math.type(value) or type(value)
  if kind == "float" then return ("%.17g"):format(value) end
  if kind == "string" then
    return '"' .. value:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
  end
  if kind ~= "table" then return tostring(value) end
  local parts = {}
  if #value > 0 or next(value) == nil then
    for i, item in ipairs(value) do parts[i] = M.json(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(value) do parts[#parts + 1] = M.json(key) .. ":" .. M.json(item) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

return M
