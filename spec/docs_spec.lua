-- Runs the examples of README.md and docs/: a block of ```lua with a block of ```text below it is a
-- script named example.lua and what it prints, on stdout and stderr, under the virtual clock. Other
-- blocks of ```lua have to parse, those of ```c to compile.
assert(os.getenv("LULL"), "LULL names the host under test")

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local documents = {"README.md"}
do
  local listing = assert(io.popen("ls docs/*.md"))
  for path in listing:lines() do documents[#documents + 1] = path end
  listing:close()
end

-- The fenced blocks of a text: {language=, line= of the fence, text=, tail= what follows it}.
local function blocks(text)
  local found, position = {}, 1
  while true do
    local first, last, language = text:find("\n```(%l+)\n", position)
    if not first then return found end
    local close, after = assert(text:find("\n```\n", last, true))
    found[#found + 1] = {
      language = language,
      line = select(2, text:sub(1, first):gsub("\n", "")) + 1,
      text = text:sub(last + 1, close),
      tail = text:sub(after + 1),
    }
    position = after
  end
end

-- What a script prints, as example.lua in a folder of its own.
local function run(script)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s'"):format(folder)))
  local file = assert(io.open(folder .. "/example.lua", "w"))
  file:write(script)
  file:close()
  local pipe = assert(io.popen(([[
    lull=$(realpath "$LULL") && cd '%s' &&
    timeout 60 "$lull" --virtual-clock example.lua 2>&1 </dev/null]]):format(folder)))
  local output = pipe:read("a")
  local _, how, code = pipe:close()
  os.remove(folder .. "/example.lua")
  os.remove(folder)
  assert.equal("exit", how)
  assert.is_true(code <= 1, ("the script ended with status %d"):format(code))
  return output
end

-- What a C compiler has to say of a program.
local function compile(program)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(program)
  file:close()
  local pipe = assert(io.popen(([[
    cc -Wall -Wextra -fsyntax-only -Iruntime $(pkg-config --cflags lua5.4 libuv) \
      -x c '%s' 2>&1]]):format(path)))
  local output = pipe:read("a")
  assert(pipe:close(), output)
  os.remove(path)
  return output
end

describe("the documentation", function()
  local examples = 0

  for _, path in ipairs(documents) do
    local found = blocks(read(path))
    for i, block in ipairs(found) do
      local following = found[i + 1]
      local is_example = block.language == "lua" and following and following.language == "text"
        and block.tail:find("^\n*```text\n") ~= nil
      if is_example then
        examples = examples + 1
        it(("tells what a script prints: %s:%d"):format(path, block.line), function()
          assert.equal(following.text, run(block.text))
        end)
      elseif block.language == "lua" then
        it(("shows Lua that parses: %s:%d"):format(path, block.line), function()
          assert.is_function(assert(load(block.text, "=" .. path)))
        end)
      elseif block.language == "c" then
        it(("shows C that compiles: %s:%d"):format(path, block.line), function()
          assert.equal("", compile(block.text))
        end)
      end
    end

    it(("links to what exists: %s"):format(path), function()
      local folder = path:match("^(.*/)") or ""
      for target in read(path):gmatch("%]%(([^)#]+)") do
        if not target:find("^%l+:") then
          local file = io.open(folder .. target)
          assert(file, ("%s links to %s, which is not there"):format(path, target)):close()
        end
      end
    end)
  end

  it("has examples that were run", function() assert.is_true(examples >= 10) end)
end)
