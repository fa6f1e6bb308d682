-- Transcripts of sessions at the prompt: lines that begin with "> ", or ">> " where a chunk goes
-- on, were typed; the others are what came of them.
local M = {}

local host = os.getenv("LULL") or "lull"

local MARK = "\1" -- before each prompt, so that it is found among what is printed
local PROMPTS = ("_PROMPT, _PROMPT2 = '\\1> ', '\\1>> '")

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read_and_remove(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  os.remove(path)
  return text
end

--- What was typed, line by line.
---@param transcript string
---@return string[]
function M.inputs(transcript)
  local inputs = {}
  for line in transcript:gmatch("[^\n]+") do
    inputs[#inputs + 1] = line:match("^>>? (.*)$") or line:match("^>>?()$") and ""
  end
  return inputs
end

--- Types the lines of a transcript again, through a pipe; gives the transcript of that, without the
--- banner. Errors are part of it, as on a terminal.
---@param transcript string
---@param options string? of the host, quoted for the shell
---@return string transcript
function M.replay(transcript, options)
  local inputs = M.inputs(transcript)
  local base = os.tmpname()
  local file = assert(io.open(base, "wb"))
  file:write(table.concat(inputs, "\n"), "\n")
  file:close()
  local command = ("timeout 60 %s --virtual-clock %s -e %s -i <%s >%s.out 2>&1"):format(
    quote(host), options or "", quote(PROMPTS), base, base)
  os.execute(command)
  os.remove(base)
  local parts, i = {}, 0
  for prompt, output in read_and_remove(base .. ".out"):gmatch(MARK .. "(>+ )([^\1]*)") do
    i = i + 1
    if inputs[i] then parts[#parts + 1] = prompt .. inputs[i] .. "\n" .. output end
  end
  return table.concat(parts)
end

return M
