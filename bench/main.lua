-- Runs the benchmark: the workloads of rows.lua on lull, on the limit programs and on the peers
-- that are installed. README.md tells how to read what it prints.

local bench = arg[0]:match("^(.*)/") or "."
package.path = bench .. "/?.lua;" .. package.path

local figures = require("figures")
local programs = require("programs")
local report = require("report")
local rows = require("rows")
local runner = require("runner")

local USAGE = [[
usage: ./dev bench [ROW | NAME ...] [options]

  ROW, NAME          a row's number or name; without any, all rows
  --runs N           runs of each program (5)
  --peers A,B        only these peers; none for no peers
  --install-peers    get the peers from Debian first
  --scale K          instead: lull alone, at the plain size and at K times the size
  --size F           all at F times the size: a quick look, nothing is judged
  --json FILE        write every figure of every run to FILE too
  --list             list the rows and the peers
  --help             print this

environment: LULL, the host binary to measure (build/lull)]]

local build = bench .. "/../build/bench"
local host = os.getenv("LULL") or (bench .. "/../build/lull")
local catalogue = programs.list(bench, build, host)

local function stop(message, code)
  io.stderr:write("bench: ", message, "\n")
  os.exit(code or 1, true)
end

-- Adds the row of a name, or those of a number.
local function add_rows(list, word)
  local n = #list
  for _, row in ipairs(rows) do
    if row.name == word or tostring(row.number) == word then list[#list + 1] = row end
  end
  if #list == n then stop(("no row %q; --list shows them"):format(word), 2) end
end

local function peer_names()
  local list, known = {}, {}
  for _, program in ipairs(catalogue) do
    if program.peer and not known[program.peer] then
      known[program.peer] = true
      list[#list + 1] = program.peer
    end
  end
  return list, known
end

local function parse_peers(text)
  local wanted = {}
  if text == "none" then return wanted end
  local _, known = peer_names()
  for name in text:gmatch("[^,%s]+") do
    if not known[name] then stop(("no peer %q; --list shows them"):format(name), 2) end
    wanted[name] = true
  end
  return wanted
end

local function parse_number(word, text, integer)
  local value = tonumber(text)
  if integer then value = math.tointeger(value) end
  if not value or value <= 0 or value == math.huge then
    stop(("%s needs a positive %s"):format(word, integer and "integer" or "number"), 2)
  end
  return value
end

local FLAGS = {
  ["--install-peers"] = "install", ["--list"] = "list", ["--help"] = "help", ["-h"] = "help",
}

local SETTINGS = {
  ["--runs"] = function(options, word, text) options.runs = parse_number(word, text, true) end,
  ["--scale"] = function(options, word, text) options.scale = parse_number(word, text) end,
  ["--size"] = function(options, word, text) options.size = parse_number(word, text) end,
  ["--peers"] = function(options, _, text) options.peers = parse_peers(text) end,
  ["--json"] = function(options, _, text) options.json = text end,
}

local function parse_arguments(words)
  local options = {rows = {}, runs = 5, size = 1}
  local i = 1
  while words[i] do
    local word, text = words[i]:match("^(%-%-[^=]+)=(.*)$")
    word = word or words[i]
    if SETTINGS[word] then
      if not text then
        i = i + 1
        text = words[i] or stop(word .. " needs a value", 2)
      end
      SETTINGS[word](options, word, text)
    elseif FLAGS[words[i]] then
      options[FLAGS[word]] = true
    elseif word:find("^%-") then
      stop(("unknown option %s\n%s"):format(words[i], USAGE), 2)
    else
      add_rows(options.rows, word)
    end
    i = i + 1
  end
  if #options.rows == 0 then options.rows = rows end
  return options
end

local function print_list()
  for _, row in ipairs(rows) do
    print(("%2d  %-9s %s"):format(row.number, row.name, row.title))
  end
  print("peers: " .. table.concat((peer_names()), ", "))
end

-- lull, then the limit, then the peers that were asked for.
local function select_programs(options)
  local selected = {}
  for _, program in ipairs(catalogue) do
    local wanted = not program.peer or not options.peers or options.peers[program.peer]
    if options.scale then wanted = program.name == "lull" end
    if wanted then
      program.is_installed = program.installed()
      selected[#selected + 1] = program
    end
  end
  return selected
end

local function run_rows(selected, options)
  local records = {}
  for _, row in ipairs(options.rows) do
    if not options.scale then
      records[#records + 1] = report.row(row, selected, options)
    elseif row.scales then
      records[#records + 1] = report.scale(row, selected[1], options)
    elseif options.rows ~= rows then
      print(("\nRow %d  %s\n  no target for growth"):format(row.number, row.title))
    end
  end
  return records
end

local function write_json(path, record)
  local file, message = io.open(path, "w")
  if not file then stop(message) end
  file:write(figures.json(record), "\n")
  if not file:close() then stop("cannot write " .. path) end
end

local function main()
  local options = parse_arguments(arg)
  if options.help then return print(USAGE) end
  if options.list then return print_list() end
  if options.install and not programs.install() then stop("the peers could not be installed") end
  local selected = select_programs(options)
  if not selected[1].is_installed then
    stop(("there is no lull at %s: build it, or set LULL"):format(host))
  end
  if not runner.prepare(selected, options.rows, bench, build) then os.exit(1, true) end
  local record = report.machine(selected)
  if options.runs < 5 then print("  fewer than 5 runs: a look, not a result") end
  record.runs = options.runs
  record.rows = run_rows(selected, options)
  if options.json then write_json(options.json, record) end
  if #runner.failures > 0 then
    stop(("%d failed:\n  %s"):format(#runner.failures, table.concat(runner.failures, "\n  ")))
  end
end

main()
