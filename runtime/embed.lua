-- Turns Lua modules into a C file of bytecode: embed.lua OUTPUT ROOT FILE...
-- Each FILE is relative to ROOT; "lull/task_group.lua" becomes the module "lull.task_group",
-- "lull/init.lua" becomes "lull". The bytecode keeps its debug information.

local output, root = arg[1], arg[2]

local function module_name(file)
  local name = file:gsub("%.lua$", ""):gsub("/", ".")
  return (name:gsub("%.init$", ""))
end

local function compile(file)
  local source = assert(io.open(root .. "/" .. file, "rb"))
  local text = source:read("a")
  source:close()
  -- "=": a traceback shows this name as it is, and nobody takes it for a file to open.
  return string.dump(assert(load(text, "=" .. file, "t")))
end

local function c_array(name, bytes)
  local lines = {}
  for i = 1, #bytes, 20 do
    lines[#lines + 1] = table.concat({ bytes:byte(i, i + 19) }, ",")
  end
  return ("static const unsigned char %s[] = {\n%s};\n"):format(name, table.concat(lines, ",\n"))
end

local arrays, entries = {}, {}
for i, file in ipairs({ table.unpack(arg, 3) }) do
  local name = "code_" .. i
  arrays[i] = c_array(name, compile(file))
  entries[i] = ('  {"%s", %s, sizeof(%s)},\n'):format(module_name(file), name, name)
end

local out = assert(io.open(output, "wb"))
out:write("/* Made by runtime/embed.lua. */\n\n#include \"internal.h\"\n\n")
out:write(table.concat(arrays, "\n"), "\n")
out:write("const lull__module lull__modules[] = {\n", table.concat(entries), "  {0, 0, 0},\n};\n")
assert(out:close())
