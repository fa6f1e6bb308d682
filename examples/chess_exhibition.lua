-- Judit Polgár plays 24 amateurs, 30 pairs of moves each; a move takes her 5 seconds, an opponent
-- 55. Game by game that is 12 hours; from board to board, one. On the virtual clock it is no time.
local lull = require "lull"
local async, await = lull.async, lull.await

local OPPONENTS, MOVE_PAIRS = 24, 30
local HER_MOVE, THEIR_MOVE = 5, 55

local function play()
  for _ = 1, MOVE_PAIRS do
    lull.blocking_sleep(HER_MOVE)
    lull.blocking_sleep(THEIR_MOVE)
  end
end

-- She is one person, so her moves still block; while an opponent thinks she is at other boards.
local play_simultaneously = async(function()
  for _ = 1, MOVE_PAIRS do
    lull.blocking_sleep(HER_MOVE)
    await(lull.sleep(THEIR_MOVE))
  end
end)

local function report(version, seconds)
  print(("%s version: %.1f hours"):format(version, seconds / 3600))
end

local main = async(function()
  local start = lull.now()
  for _ = 1, OPPONENTS do play() end
  report("Synchronous", lull.now() - start)

  start = lull.now()
  local games = {}
  for i = 1, OPPONENTS do games[i] = play_simultaneously() end
  await(lull.gather(games))
  report("Asynchronous", lull.now() - start)
end)

lull.run(main(), {clock = "virtual"})
