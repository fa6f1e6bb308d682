-- Runs programs: builds what needs it, starts each workload and collects its figures.

local figures = require("figures")
local shell = require("shell")

local M = {}

local TIMEOUT = 900

-- Settings of the user's that would slow down or change one program and not the others.
local ENV = "env -u LULL_DEBUG -u LUA_INIT -u LUA_INIT_5_4 -u NODE_OPTIONS -u PYTHONASYNCIODEBUG"
  .. " -u PYTHONDEVMODE -u GODEBUG -u GOGC"

local on_terminal = os.execute("test -t 2") == true

local function progress(text)
  if on_terminal then io.stderr:write("\r\27[K", text) end
end

--- What failed in this session, one line each.
M.failures = {}

local function fail(program, message, details)
  program.failed = true
  table.insert(M.failures, program.name .. ": " .. message)
  progress("")
  io.stderr:write(("bench: %s: %s\n"):format(program.name, message))
  if details ~= "" then io.stderr:write((details:gsub("[^\n]+", "  | %0")), "\n") end
end

local function build_launch(bench, build)
  local binary, source = build .. "/launch", bench .. "/launch.c"
  local compiler = os.getenv("CC") or "cc"
  local command = ("%s -std=gnu11 -O2 -o %s %s"):format(
    compiler, shell.quote(binary), shell.quote(source))
  return shell.build(binary, source, command)
end

--- Builds the programs that have to be built, and the launcher if a row needs it.
---@param programs table[]
---@param rows table[]
---@param bench string
---@param build string
---@return boolean ok false only where no row could be run
function M.prepare(programs, rows, bench, build)
  M.launcher = build .. "/launch"
  for _, row in ipairs(rows) do
    if row.launches then
      local ok, message = build_launch(bench, build)
      if not ok then
        fail({name = "launch.c"}, "it does not build", message)
        return false
      end
    end
  end
  for _, program in ipairs(programs) do
    if program.is_installed and program.prepare then
      local ok, message = program.prepare()
      program.unbuilt = not ok
      if not ok then fail(program, "it does not build", message) end
    end
  end
  return true
end

-- Runs a command with a folder of its own. In memory, where that can be: a disk has moods.
local function in_folder(command)
  local base = shell.succeeds("test -w /dev/shm") and "/dev/shm" or "/tmp"
  return ("BENCH_DIR=$(mktemp -d %s/lull-bench-XXXXXX) && export BENCH_DIR || exit 1\n"
    .. "trap 'rm -rf \"$BENCH_DIR\"' EXIT\n%s"):format(base, command)
end

local function command_line(program, row, size, environment)
  local command
  if row.launches then
    command = ("%s %d %s"):format(shell.quote(M.launcher), row.launches, program.startup)
  else
    command = ("%s %s %.14g %s"):format(program.command, row.name, size, program.variant or "")
  end
  command = ("%s %s timeout --foreground -k 5 %d %s"):format(ENV, environment, TIMEOUT, command)
  return row.folder and in_folder(command) or command
end

-- The figures of one run; nil if it failed, which is said.
local function run_once(program, row, size, environment)
  local output, ok, how, code = shell.read(command_line(program, row, size, environment))
  if how == "signal" and code == 2 or code == 130 then error("interrupted", 0) end
  local run, rest = figures.parse(output)
  if ok and run then
    if rest ~= "" then
      progress("")
      io.stderr:write(("bench: %s also printed: %s\n"):format(program.name, rest))
    end
    return run
  end
  local reason = ("it ended with %s %d"):format(how, code)
  if code == 124 then reason = ("it was still running after %d s"):format(TIMEOUT) end
  if ok then reason = "it printed no figures" end
  fail(program, ("%s: %s"):format(row.name, reason), rest)
end

--- Runs each entry's program at the entry's size, in turns (A B C A B C), and puts the figures in
--- the entry's `runs`. A program that fails is not run again. In a row that is to settle, the
--- last entry's program has a first run that does not count.
---@param row table
---@param entries table[] each with program, size and runs
---@param times integer
---@param environment string variables that the programs get, as env takes them
function M.interleave(row, entries, times, environment)
  for _, entry in ipairs(entries) do entry.program.failed = entry.program.unbuilt end
  if row.settle and not entries[#entries].program.failed then
    local last = entries[#entries]
    progress(row.name .. ": settling, " .. last.program.name)
    run_once(last.program, row, last.size, environment)
  end
  for round = 1, times do
    for _, entry in ipairs(entries) do
      if not entry.program.failed then
        progress(("%s: run %d of %d, %s"):format(row.name, round, times, entry.program.name))
        local run = run_once(entry.program, row, entry.size, environment)
        entry.runs[#entry.runs + 1] = run
      end
    end
  end
  progress("")
end

return M
