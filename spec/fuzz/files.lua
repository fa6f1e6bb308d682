-- lull.fs: files, directories, links, a FIFO and what is not there, all in the current directory.
-- Names never lead out of it.
local fs = require "lull.fs"
local lull = require "lull"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local pick, random = values.pick, math.random
local await = lull.await

for name in fs.scandir(".") do
  error("the current directory must be empty; there is " .. name)
end
assert(os.execute(
  "mkfifo fifo; ln -s loop loop; ln -s nowhere dangling; mkdir kept dir; ln -s kept link"))

local path = values.one_of {
  "a", "a", "b", "b", "c", "dir", "dir", "dir/a", "dir/b", "dir/in", "dir/in/c", "link", "link/a",
  "kept", "fifo", "loop", "dangling", "nowhere", "nowhere/a", "a/b", ".", "./a", "dir/", "a/", "",
  "dir//a", "a\0b", "\255", "-x", "new\nline", ("n"):rep(255), ("n"):rep(256), ("d/"):rep(3000),
}
local a_file = values.one_of { "a", "b", "c", "dir/a", "link/a" }

local flag = values.one_of { true, false }
local mode = values.one_of { 511, 438, 384, 0, 4095, 4096, -1 }
local open_mode = values.one_of { "r", "w", "a", "r+", "w+", "a+", "rb", "w+b", "x", "", "rw" }

local function data()
  return pick { "", "x", "line\nline\n\nend", "\0\n", ("y"):rep(random(0, 200000)) }
end

-- ---- files and watches ----

-- Operations on the FIFO may wait; those on the others come to an end.
function values.makers.file()
  return await(fs.open(random(20) == 1 and "fifo" or a_file(), pick { "w+", "a+", "w", "w+" }))
end

function values.makers.watch()
  return (fs.watch(pick { ".", "kept", "dir" }, { recursive = random(2) == 1 }))
end

targets.add_functions("fs", fs, {
  open = { path, open_mode },
  read_file = { path },
  write_file = { path, data, values.options_of { append = flag, atomic = flag, mode = mode } },
  copy = { path, path },
  stat = { path },
  lstat = { path },
  exists = { path },
  mkdir = { path, values.options_of { parents = flag, exist_ok = flag, mode = mode } },
  mkdtemp = { values.one_of { "XXXXXX", "dir/XXXXXX", "nowhere/XXXXXX", "XXXXX", "" } },
  remove = { path, values.options_of { recursive = flag } },
  rename = { path, path },
  scandir = { path },
  walk = { path, values.options_of { on_error = values.a_function } },
  watch = { path, values.options_of { recursive = flag } },
}, setmetatable({
  scandir = targets.looped,
  walk = targets.looped,
  watch = targets.looped,
}, { __index = function() return targets.awaited end }))

local format = values.one_of { "l", "L", "a", "*a", 0, 1, 10, 1 << 20, 1 << 40, -1, 0.5, "n", "" }
local whence = values.one_of { "set", "cur", "end", "start" }
local offset = values.one_of { 0, 1, -1, 10, 1 << 20, 1 << 40, math.maxinteger, math.mininteger }

targets.add_methods("file", values.makers.file(), {
  read = { format },
  lines = { format },
  write = { data, data },
  seek = { whence, offset },
}, setmetatable({ lines = targets.looped }, {
  __index = function(_, name) return not name:find("^__") and targets.awaited or nil end,
}))

local written = 0

-- What is written is there when it is read, and nothing else.
targets.add("file", "file written whole", function()
  written = written + 1
  local name, text = "whole-" .. written, ("%d\n"):format(random(1 << 30)):rep(random(0, 5000))
  await(fs.write_file(name, text, { atomic = random(2) == 1 }))
  if await(fs.read_file(name)) ~= text then targets.defect("a file has not what was written") end
end)

targets.add_methods("watch", values.makers.watch())
