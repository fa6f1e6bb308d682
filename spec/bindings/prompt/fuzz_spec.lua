-- Whatever keys come, the prompt lives on, and can be ended.
local terminal = require "spec.terminal"

local SEEDS = {11, 12, 13, 14}
local STEPS = 40

local BACKGROUND = [[t = lull.create_task(function() local n = 0 while true do]] ..
  [[ await(lull.sleep(0.003)) n = n + 1 if n % 3 == 0 then print('out', n)]] ..
  [[ elseif n % 3 == 1 then io.write('part') io.stdout:flush()]] ..
  [[ else io.stderr:write('\r\27[31mred\27[0m\n') end end end)]]

-- No Ctrl-D, which would end it, Ctrl-Z nor Ctrl-\; Ctrl-V takes the next key as a character.
local CONTROLS = "\1\2\3\5\6\7\8\9\11\12\13\14\16\18\19\20\21\23\24\25\29\30\31\127"
local CHUNKS = {"if x then\r", "x = {\r", "[[\r", "end\r", "1 + 1\r", "string.\t\t", ":tasks\r",
  "await(lull.sleep(0.001))\r", "\18x", "\18=\18", "\24\24", "\27\r"}
local SEQUENCES = {"A", "B", "C", "D", "H", "F", "3~", "5~", "6~", "1;5C", "1;5D", "15~", "I", "Z",
  "", "1;", "?", "99;99~", "\255"}
local WORDS = {"ä", "€", "日本", "😀", "e\u{301}", "\u{200B}", "\xC3", "\xE6\x97", "\xF5\xFF", "\x80"}
local SIZES = {{1, 1}, {2, 2}, {5, 3}, {20, 5}, {80, 24}, {200, 60}}

local function pick(list) return list[math.random(#list)] end

local function characters(alphabet, most)
  local list = {}
  for i = 1, math.random(most) do
    local at = math.random(#alphabet)
    list[i] = alphabet:sub(at, at)
  end
  return table.concat(list)
end

local steps = {
  function() return characters("abcxyz01 ()[]{}='\".,:;#%+-", 20) end,
  function() return characters(CONTROLS, 4) end,
  function() return pick(CHUNKS) end,
  function() return "\27[" .. pick(SEQUENCES) end,
  function() return "\27" .. characters("abcdfhxyzB<>?.-_%^$", 1) end,
  function() return pick(WORDS) .. pick(WORDS) .. pick(WORDS) end,
  function()
    local ending = pick {"\27[201~", "\27[201~", "\27[20"}
    return "\27[200~" .. characters("abc \r\n\t()=\3\27[]ä", 100) .. ending
  end,
}

describe("random keys at the prompt", function()
  terminal.watch(after_each)

  for _, seed in ipairs(SEEDS) do
    it("do no harm, seed " .. seed, function()
      math.randomseed(seed)
      local t = terminal.prompt()
      t:line(BACKGROUND)
      t:ready()
      for _ = 1, STEPS do
        if math.random(10) == 1 then
          t:tmux(("resize-window -t 0 -x %d -y %d"):format(table.unpack(pick(SIZES))))
        else
          t:bytes(pick(steps)())
        end
      end
      t:resize(80, 24)
      terminal.eventually(function()
        t:key("C-c")
        t:key("C-c")
        t:key("C-d")
        return t:screen():find("code %d")
      end, function() return "it does not end:\n" .. t:screen() end)
      t:wait_for("code 0")
    end)
  end
end)
