-- The moments at which a cancellation may strike a task that waits: before it starts, while it
-- waits, in the turn in which what it waits for comes, and in its cleanup. `moments` makes a test
-- of each for one operation, described by functions:
--
--   setup()           gives a state in which the operation would have to wait
--   operation(state)  the operation, in a task; gives back what it has taken
--   complete(state)   lets one operation complete, at once
--   check(state)      asserts that nothing was lost, when one operation was cancelled and
--                     another one, if there was one, has completed
--   alone = true      when there cannot be another task with the same operation
--
-- The other task, the heir, begins to wait after the victim. `complete` is called once: if the
-- victim kept for itself what came, the heir would wait for ever.
local assert = require "luassert"
local lull = require "lull"
local waiting = require "spec.waiting"

local async, await = lull.async, lull.await
local turns = waiting.turns

local LONG = 1000 -- seconds
local SETTLE = 8 -- turns in which whatever can happen does

local M = {}

local function start(case, state)
  return lull.create_task(async(case.operation)(state))
end

local function start_heir(case, state)
  if not case.alone then
    state.heir = start(case, state)
  end
end

local function must_end(task, what)
  local done = await(lull.wait({ task }, { timeout = LONG }))
  assert.equal(task, done[1], what .. " still waits")
end

local function finish(case, state, victim)
  must_end(victim, "the victim")
  assert.is_true(victim:cancelled())
  if not state.completed then
    case.complete(state)
  end
  if state.heir then
    must_end(state.heir, "the heir")
    assert.is_nil(state.heir:exception())
  end
  case.check(state)
  waiting.nothing_left()
end

local function complete(case, state)
  state.completed = true
  case.complete(state)
end

-- A task that performs the operation in a close handler, while a cancellation unwinds it.
local function start_unwinding(case, state)
  local victim = lull.create_task(function()
    local _ <close> = setmetatable({}, {
      __close = function()
        case.operation(state)
        state.cleaned_up = true
      end,
    })
    await(lull.sleep(LONG))
  end)
  turns(1)
  victim:cancel()
  turns(SETTLE)
  return victim
end

local function add(list, name, body)
  list[#list + 1] = { name, body }
end

local function before(list, case)
  add(list, "takes nothing when it is cancelled before it starts", function()
    local state = case.setup()
    local victim = start(case, state)
    victim:cancel()
    start_heir(case, state)
    turns(SETTLE)
    finish(case, state, victim)
  end)
  add(list, "does not wait when the task was cancelled before it comes to it", function()
    local state = case.setup()
    local victim = lull.create_task(function()
      lull.current_task():cancel()
      case.operation(state)
    end)
    start_heir(case, state)
    turns(SETTLE)
    assert.is_true(victim:done())
    finish(case, state, victim)
  end)
end

local function during(list, case)
  add(list, "takes nothing when it is cancelled while it waits", function()
    local state = case.setup()
    local victim = start(case, state)
    start_heir(case, state)
    turns(SETTLE)
    assert.is_false(victim:done())
    victim:cancel()
    turns(SETTLE)
    finish(case, state, victim)
  end)
  add(list, "stays interrupted when the cancellation is taken back in the same turn", function()
    local state = case.setup()
    local victim = start(case, state)
    start_heir(case, state)
    turns(SETTLE)
    victim:cancel()
    victim:uncancel()
    turns(SETTLE)
    finish(case, state, victim)
  end)
end

local function together(list, case)
  add(list, "passes on what came in the turn in which it is cancelled", function()
    local state = case.setup()
    local victim = start(case, state)
    start_heir(case, state)
    turns(SETTLE)
    complete(case, state)
    victim:cancel()
    finish(case, state, victim)
  end)
  add(list, "leaves to others what comes later in the turn in which it was cancelled", function()
    local state = case.setup()
    local victim = start(case, state)
    start_heir(case, state)
    turns(SETTLE)
    victim:cancel()
    complete(case, state)
    finish(case, state, victim)
  end)
end

local function unwinding(list, case)
  add(list, "waits and completes in a close handler while a cancellation unwinds", function()
    local state = case.setup()
    local victim = start_unwinding(case, state)
    assert.is_false(victim:done())
    complete(case, state)
    must_end(victim, "the victim")
    assert.is_true(state.cleaned_up)
    assert.is_true(victim:cancelled())
    case.check(state)
    waiting.nothing_left()
  end)
  add(list, "can be cancelled again in a close handler", function()
    local state = case.setup()
    local victim = start_unwinding(case, state)
    start_heir(case, state)
    turns(SETTLE)
    victim:cancel()
    finish(case, state, victim)
    assert.is_nil(state.cleaned_up)
  end)
  add(list, "passes on in a close handler what came in the turn of a new cancellation", function()
    local state = case.setup()
    local victim = start_unwinding(case, state)
    start_heir(case, state)
    turns(SETTLE)
    complete(case, state)
    victim:cancel()
    finish(case, state, victim)
    assert.is_nil(state.cleaned_up)
  end)
end

--- For each moment a sentence and a test: `for name, test in moments(case) do it(name, test) end`.
function M.moments(case)
  local list, i = {}, 0
  before(list, case)
  during(list, case)
  together(list, case)
  unwinding(list, case)
  return function()
    i = i + 1
    if list[i] then
      return table.unpack(list[i])
    end
  end
end

return M
