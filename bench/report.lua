-- Runs rows and prints what came out beside what was to come out. Each function also gives what
-- the JSON file shall hold of it.

local figures = require("figures")
local runner = require("runner")
local services = require("services")
local shell = require("shell")

local M = {}

-- How much more an item may cost when there are more of them: what cache misses cost.
local SCALE_MAX = 2.0

-- The first column is flush left, the others flush right unless all are to be left.
local function print_table(lines, all_left)
  local widths = {}
  for _, line in ipairs(lines) do
    for i, cell in ipairs(line) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, line in ipairs(lines) do
    local cells = {}
    for i, cell in ipairs(line) do
      local pad = (" "):rep(widths[i] - #cell)
      cells[i] = (i == 1 or all_left) and cell .. pad or pad .. cell
    end
    print((("  " .. table.concat(cells, "  ")):gsub("%s+$", "")))
  end
end

local function heading(row)
  local line = {row.per}
  for i, name in ipairs(row.columns) do
    line[#line + 1] = figures.metrics[name].title
    if i == 1 then table.move({"min", "max"}, 1, 2, #line + 1, line) end
  end
  line[#line + 1] = "lull is"
  return line
end

local function figures_line(row, entry, ours)
  if #entry.runs == 0 then return {entry.program.name, "failed"} end
  local line = {entry.program.name}
  for i, name in ipairs(row.columns) do
    local median, min, max = figures.summary(entry.runs, name)
    line[#line + 1] = figures.text(median, name)
    if i == 1 then
      line[#line + 1] = figures.text(min, name)
      line[#line + 1] = figures.text(max, name)
    end
  end
  local ratio = entry ~= ours and figures.ratio(ours.runs, entry.runs, row.columns[1])
  line[#line + 1] = ratio and ("%.2f x"):format(ratio) or ""
  return line
end

-- The entry with the lowest median among the programs a target is measured against.
local function best_of(entries, names, metric)
  local best, best_median
  for _, name in ipairs(names) do
    local entry = entries[name]
    local median = entry and figures.summary(entry.runs, metric)
    if median and (not best or median < best_median) then best, best_median = entry, median end
  end
  return best
end

local function verdict(value, max, judged)
  if not judged then return "not judged at this size" end
  return value <= max and "ok" or "MISS"
end

-- What lull achieved against a target, and the same as text. Without a value the text says why.
local function achieved(target, entries)
  local ours = entries.lull
  if #ours.runs == 0 then return nil, "no figures of lull" end
  if not target.of then
    local value = figures.summary(ours.runs, target.metric)
    return value, figures.text(value, target.metric)
  end
  local other = best_of(entries, target.of, target.metric)
  local value, min, max
  if other then value, min, max = figures.ratio(ours.runs, other.runs, target.metric) end
  if not value then return nil, "nothing to compare with" end
  local by = #target.of > 1 and " " .. other.program.name or ""
  return value, ("%.3f x%s (%.3f to %.3f)"):format(value, by, min, max)
end

local function judge(target, entries, judged)
  local value, text = achieved(target, entries)
  local result = value and verdict(value, target.max, judged)
  local kind = target.goal and "goal" or "target"
  local title = figures.metrics[target.metric].title
  local bound = ("%s <= %.4g"):format(title, target.max)
  if target.of then
    bound = ("%s <= %.2f x %s"):format(title, target.max, table.concat(target.of, " or "))
  end
  local record = {
    metric = target.metric, max = target.max, of = target.of, kind = kind, achieved = value,
    verdict = result or text,
  }
  return record, {kind, bound, text, result or ""}
end

-- A row's programs: those to run, those that are not installed, and all by name.
local function entries_of(row, programs, size)
  local list, absent, by_name = {}, {}, {}
  for _, program in ipairs(programs) do
    if program.workloads[row.name] then
      local entry = {program = program, size = size, runs = {}}
      table.insert(program.is_installed and list or absent, entry)
      by_name[program.name] = entry
    end
  end
  return list, absent, by_name
end

--- Runs a row on all programs and prints its table and its targets.
---@param row table
---@param programs table[] lull first
---@param options table runs and size
---@return table record
function M.row(row, programs, options)
  print(("\nRow %d  %s"):format(row.number, row.title))
  local list, absent, by_name = entries_of(row, programs, options.size)
  local service <close>, message = services.start(row.service)
  if not service then
    print("  left out: " .. message)
    return {row = row.number, name = row.name, left_out = message}
  end
  runner.interleave(row, list, options.runs, service.environment)
  local record = {
    row = row.number, name = row.name, size = options.size, programs = {}, targets = {},
  }
  local lines = {heading(row)}
  for i, entry in ipairs(list) do
    lines[#lines + 1] = figures_line(row, entry, by_name.lull)
    record.programs[i] = {name = entry.program.name, runs = entry.runs}
  end
  for _, entry in ipairs(absent) do lines[#lines + 1] = {entry.program.name, "not installed"} end
  print_table(lines)
  local verdicts = {}
  for i, target in ipairs(row.targets) do
    record.targets[i], verdicts[i] = judge(target, by_name, options.size == 1)
  end
  print_table(verdicts, true)
  return record
end

local function scale_line(label, entry)
  local line = {label}
  for _, value in ipairs({figures.summary(entry.runs, "ns_per_op")}) do
    line[#line + 1] = figures.text(value, "ns_per_op")
  end
  return line
end

--- Runs a row on lull alone, at the plain and at a larger size, and prints how the cost of an
--- item changed.
---@param row table
---@param lull table the program
---@param options table runs, size and scale
---@return table record
function M.scale(row, lull, options)
  print(("\nRow %d  %s"):format(row.number, row.title))
  local plain = {program = lull, size = options.size, runs = {}}
  local large = {program = lull, size = options.size * options.scale, runs = {}}
  runner.interleave(row, {plain, large}, options.runs, "")
  local ratio, min, max = figures.ratio(large.runs, plain.runs, "ns_per_op")
  local result = ratio and verdict(ratio, SCALE_MAX, options.size == 1) or "failed"
  if ratio then
    print_table({
      {row.per == "in all" and "a task" or row.per, "CPU ns", "min", "max"},
      scale_line("at the plain size", plain),
      scale_line(("at %.4g x the size"):format(options.scale), large),
    })
    print(("  target  growth <= %.2f x  %.3f x (%.3f to %.3f)  %s"):format(
      SCALE_MAX, ratio, min, max, result))
  else
    print("  failed")
  end
  return {
    row = row.number, name = row.name, size = options.size, scale = options.scale,
    max = SCALE_MAX, achieved = ratio, verdict = result, plain = plain.runs, large = large.runs,
  }
end

local function first_line(command)
  local output, ok = shell.read(command)
  return ok and output:match("^%s*([^\n]*)") or "unknown"
end

--- Prints when, where and what is compared.
---@param programs table[]
---@return table record
function M.machine(programs)
  local record = {date = os.date("!%Y-%m-%dT%H:%M:%SZ"), versions = {}}
  record.machine = ("%s, %s processors, %s, load %s"):format(
    first_line("sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo"), first_line("nproc"),
    first_line("uname -sr"), first_line("cat /proc/loadavg"):match("^%S+"))
  print(record.date .. "  " .. record.machine)
  local lines = {}
  for _, program in ipairs(programs) do
    if program.version and program.is_installed then
      local version = first_line(program.version)
      table.insert(record.versions, {name = program.name, version = version})
      lines[#lines + 1] = ("  %-8s %s"):format(program.name, version)
    end
  end
  print(table.concat(lines, "\n"))
  return record
end

return M
