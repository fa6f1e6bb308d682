-- Measures one workload and prints one line about it. The Lua programs of this folder share it; the
-- programs in other languages print the same line.
--
-- A program is called with the workload's name and, if it is not 1, a size factor. Figures are
-- the CPU time of the whole process, helper threads included, divided by the operations done.

local M = {}

local PAGE_KB = 4

--- The memory this process has in RAM now, in KiB.
---@return integer
function M.rss_kb()
  local file <close> = assert(io.open("/proc/self/statm"))
  local _, resident = file:read("n", "n")
  return resident * PAGE_KB
end

--- The most memory this process ever had in RAM, in KiB.
---@return integer
function M.peak_kb()
  for line in io.lines("/proc/self/status") do
    local peak = line:match("^VmHWM:%s*(%d+)")
    if peak then return math.tointeger(peak) end
  end
  error("/proc/self/status has no VmHWM line", 0)
end

--- An integer count for a size that was multiplied by a factor.
---@param base number
---@param ... number factors
---@return integer
function M.count(base, ...)
  for _, factor in ipairs({...}) do base = base * factor end
  return math.max(1, math.floor(base + 0.5))
end

--- Runs the workload that the command line names and prints its line.
---
--- A workload is `{run = function(size, share) ... end, warm = boolean}`. `run` gives the number
--- of operations done and, if it measured its tasks' memory, the bytes each of them took. `size`
--- multiplies the number of tasks or items, `share` the number of repetitions: those marked
--- `warm` run a tenth of theirs first, outside the measurement.
---@param workloads table<string, table>
---@param wall (fun(): number)? a wall clock in seconds; stock Lua has none
function M.main(workloads, wall)
  local name, size = arg[1], tonumber(arg[2] or 1)
  local work = workloads[name]
  if not work or not size then
    error(("usage: %s WORKLOAD [SIZE]; no workload %q here"):format(arg[0], tostring(name)), 0)
  end
  if work.warm then work.run(size, 0.1) end
  local wall_start = wall and wall()
  local cpu_start = os.clock()
  local ops, bytes_per_op = work.run(size, 1)
  local cpu = os.clock() - cpu_start
  local line = {("workload=%s ops=%d ns_per_op=%.2f"):format(name, ops, cpu / ops * 1e9)}
  if wall then
    line[#line + 1] = ("wall_ns_per_op=%.2f"):format((wall() - wall_start) / ops * 1e9)
  end
  if bytes_per_op then line[#line + 1] = ("bytes_per_op=%.1f"):format(bytes_per_op) end
  line[#line + 1] = ("rss_kb=%d"):format(M.peak_kb())
  print(table.concat(line, " "))
end

return M
