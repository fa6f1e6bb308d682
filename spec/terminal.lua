-- A program in a real terminal: one of tmux's, with a server, a home and a state folder of its own.
-- `terminal.watch(after_each)` in a describe block ends those that a test has opened.
local M = {}

local DEADLINE = 10 -- seconds
local PAUSE = "0.01" -- between two looks at the screen
local MOST_COMPARED = 15 -- bytes of what was typed
local MOST_TYPED = 8000 -- bytes: tmux takes no longer messages

---@class spec.Terminal
---@field folder string its home, which holds its state folder too
---@field state string XDG_STATE_HOME
---@field borrowed boolean whether the folder is another one's
---@field cooked boolean? whether the terminal edits the lines
local Terminal = {}
Terminal.__index = Terminal

local opened, count = {}, 0

-- ---- processes ----------------------------------------------------------------------------------

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read("a")
  return output, pipe:close()
end

-- Runs tmux commands, which are quoted already.
function Terminal:tmux(commands, quietly)
  local output, ok = run(("unset TMUX; LC_ALL=C.UTF-8 TMUX_TMPDIR=%s tmux -u -L %s %s")
    :format(self.folder, self.name, commands))
  if not ok and not quietly then error("tmux " .. commands .. ": " .. output, 2) end
  return output
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

function Terminal:device() return self:tmux("display-message -p '#{pane_tty}'"):match("%S+") end

-- ---- the screen ---------------------------------------------------------------------------------

local WIDE = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3}, {0xFF00, 0xFF60},
  {0x1F300, 0x1FAFF}}
local ACCENTS = {0x300, 0x36F}

local function width_of(code)
  if code >= ACCENTS[1] and code <= ACCENTS[2] then return 0 end
  for _, range in ipairs(WIDE) do
    if code >= range[1] and code <= range[2] then return 2 end
  end
  return 1
end

-- Puts a bar where the cursor is in a row.
local function with_bar(row, column)
  local at = 0
  for position, code in utf8.codes(row) do
    if at >= column then return row:sub(1, position - 1) .. "|" .. row:sub(position) end
    at = at + width_of(code)
  end
  return row .. (" "):rep(column - at) .. "|"
end

local function trimmed(rows)
  for i, row in ipairs(rows) do rows[i] = row:gsub("%s+$", "") end
  while rows[#rows] == "" do rows[#rows] = nil end
  return table.concat(rows, "\n")
end

local function split(text)
  local rows = {}
  for row in text:gmatch("([^\n]*)\n") do rows[#rows + 1] = row end
  return rows
end

--- What is on the screen, without blanks at the ends of lines and of the whole. With options.bar
--- there is a "|" where the cursor is, with options.escapes the colours are kept, with options.all
--- what was scrolled away comes first, and lines that were too long for a row are whole.
function Terminal:screen(options)
  options = options or {}
  local flags = (options.escapes and " -e" or "") .. (options.all and " -J -S -" or "")
  local output = self:tmux([[display-message -p '#{cursor_x} #{cursor_y}' \; capture-pane -p]] ..
    flags)
  local column, row, text = output:match("^(%d+) (%d+)\n(.*)$")
  local rows = split(text)
  if options.bar then
    local at = tonumber(row) + 1
    rows[at] = with_bar(rows[at]:gsub("%s+$", ""), tonumber(column))
  end
  return trimmed(rows)
end

-- ---- waiting ------------------------------------------------------------------------------------

--- Waits until a condition holds; gives what it gives.
function M.eventually(condition, describe)
  local start = os.time()
  while true do
    local result = condition()
    if result then return result end
    if os.time() - start > DEADLINE then error(describe(), 3) end
    os.execute("sleep " .. PAUSE)
  end
end

--- Waits until the screen has a text, or, with options.pattern, what fits a pattern, or until a
--- function that gets it gives something true.
function Terminal:wait_for(what, options)
  local screen
  return M.eventually(function()
    screen = self:screen(options)
    if type(what) == "function" then return what(screen) end
    return screen:find(what, 1, not (options and options.pattern))
  end, function() return ("not seen: %s\n---- on the screen:\n%s"):format(what, screen) end)
end

--- Waits until the screen, less the greeting, is this text, in which "|" may be the cursor.
function Terminal:expect(text)
  local options, screen = {bar = text:find("|", 1, true) ~= nil}, nil
  M.eventually(function()
    screen = self:screen(options):gsub("^lull [^\n]*:help[^\n]*\n", "")
    return screen == text
  end, function()
    return ("expected:\n%s\n---- on the screen:\n%s"):format(text, screen)
  end)
end

-- ---- keys ---------------------------------------------------------------------------------------

-- Where to cut a text that is too long, between two characters.
local function cut(text, first)
  local last = math.min(#text, first + MOST_TYPED - 1)
  while last < #text and text:byte(last + 1) & 0xC0 == 0x80 do last = last - 1 end
  return last
end

--- Types text as it is.
function Terminal:type(text)
  local first = 1
  while first <= #text do
    local last = cut(text, first)
    local part = text:sub(first, last):gsub(";$", "\\;") -- one at the end is tmux's
    self:tmux("send-keys -t 0 -l -- " .. quote(part))
    first = last + 1
  end
end

--- Presses keys, named as tmux does: "Enter", "C-c", "Up", "M-Enter".
function Terminal:key(...) self:tmux("send-keys -t 0 " .. table.concat({...}, " ")) end

-- Whether what was typed stands before the cursor: its end, as rows may be cut anywhere.
local function ends_with(screen, text)
  screen = screen:gsub("%s", "")
  text = text:gsub("%s", ""):sub(-MOST_COMPARED) .. "|"
  return screen:sub(-#text) == text
end

--- Waits until a line is edited: until then the terminal echoes what is typed by itself.
function Terminal:ready()
  if self.cooked then return end
  local modes
  M.eventually(function()
    modes = run("stty -a <" .. self:device())
    return modes:find("-icanon", 1, true)
  end, function() return "no line is edited:\n" .. self:screen() end)
end

--- Types a line when one is edited, presses Enter, and waits until that has been taken.
function Terminal:line(text)
  self:ready()
  self:type(text)
  self:wait_for(function(screen) return ends_with(screen, text) end, {bar = true})
  self:key("Enter")
  local last = text:match("(%S)%s*$") .. "|"
  self:wait_for(function(screen) return not screen:find(last, 1, true) end, {bar = true})
end

--- Ends the prompt, when a line is edited.
function Terminal:finish()
  self:ready()
  self:key("C-d")
  self:wait_for("code 0")
end

--- Sends bytes that may be no text.
function Terminal:bytes(text)
  self:tmux("send-keys -t 0 -H " .. text:gsub(".", function(c)
    return ("%02x "):format(c:byte())
  end))
end

--- Pastes text as terminals do: between marks, if the program wants these, with carriage returns
--- for newlines unless it is to be raw.
function Terminal:paste(text, raw)
  local path = self.folder .. "/pasted"
  write(path, text)
  self:tmux(([[load-buffer %s \; paste-buffer -d -p %s -t 0]]):format(path, raw and "-r" or ""))
end

-- ---- life ---------------------------------------------------------------------------------------

--- Gives the terminal another size, and waits until its program can know: tmux takes its time.
function Terminal:resize(columns, rows)
  self:tmux(("resize-window -t 0 -x %d -y %d"):format(columns, rows))
  local size
  M.eventually(function()
    size = run("stty size <" .. self:device())
    return size == ("%d %d\n"):format(rows, columns)
  end, function() return "the size of the terminal stays " .. size end)
end

--- The process that the shell in the terminal runs.
function Terminal:child()
  local shell = self:tmux("display-message -p '#{pane_pid}'"):match("%d+")
  return tonumber((run(("cat /proc/%s/task/%s/children"):format(shell, shell)):match("%d+")))
end

--- Ends the program, whatever it does.
function Terminal:close()
  if not opened[self] then return end
  opened[self] = nil
  self:tmux("kill-server", true)
  if not self.borrowed then run("rm -rf " .. quote(self.folder)) end
end

local function assignments(env)
  local words = {}
  for name, value in pairs(env) do
    words[#words + 1] = value and name .. "=" .. quote(value) or "-u " .. name
  end
  table.sort(words) -- the options come first
  return table.concat(words, " ")
end

--- Opens a terminal: command (a shell's, "$LULL" if left out; what it exits with is shown), columns
--- and rows (80 and 24), env (false takes a variable away), folder (of a terminal that is there
--- already), cooked (the program reads lines that the terminal edits).
function M.open(options)
  options = options or {}
  local folder = options.folder or run("mktemp -d"):match("[^\n]+")
  local self = setmetatable({folder = folder, state = folder .. "/state"}, Terminal)
  count = count + 1
  self.name = "terminal" .. count
  self.borrowed, self.cooked = options.folder ~= nil, options.cooked
  local env = {LULL = os.getenv("LULL"), HOME = folder, XDG_STATE_HOME = self.state,
    LULL_DEBUG = false, NO_COLOR = "1", PS1 = "$ "}
  for name, value in pairs(options.env or {}) do env[name] = value end
  local script = ('trap : INT; %s; echo "code $?"; trap "" INT; exec sleep 600')
    :format(options.command or '"$LULL"')
  opened[self] = true
  self:tmux(("-f /dev/null new-session -d -x %d -y %d %s"):format(options.columns or 80,
    options.rows or 24, quote(("exec env %s sh -c %s"):format(assignments(env), quote(script)))))
  return self
end

--- The same, of a prompt: waits until it may be typed at.
function M.prompt(options)
  local self = M.open(options)
  self:wait_for(function(screen) return screen:find("\n> |$") end, {bar = true})
  return self
end

--- Has each test of the block close what it opened.
function M.watch(after_each)
  after_each(function()
    local all = {}
    for terminal in pairs(opened) do all[#all + 1] = terminal end
    -- Those in another one's folder come first: a server is found by a file that is there.
    table.sort(all, function(a, b) return a.borrowed and not b.borrowed end)
    for _, terminal in ipairs(all) do terminal:close() end
  end)
end

return M
