-- What the specs of waiting things share: the virtual clock, turns of the loop, and assertions.
local assert = require "luassert"
local lull = require "lull"

local await = lull.await

local M = {}

--- Makes the clock virtual for the rest of the run.
function M.use_virtual_clock()
  lull.run(function() end, { clock = "virtual" })
end

--- Lets everything that is ready run, and what that makes ready, n times over.
function M.turns(n)
  for _ = 1, n or 1 do
    await(lull.sleep(0))
  end
end

--- Awaits a function's error, which must be of a class; gives it.
function M.raises(class, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.is_true(lull.is_error(err, class), "another error: " .. tostring(err))
  return err
end

--- The function's error must be a string that contains a text.
function M.fails(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(err))
  assert.is_truthy(err:find(text, 1, true), "another error: " .. err)
end

--- Nothing but the main task may be left.
function M.nothing_left()
  local names = {}
  for _, task in ipairs(lull.all_tasks()) do
    names[#names + 1] = task:get_name()
  end
  assert.same({ lull.current_task():get_name() }, names)
end

--- How many virtual seconds a function takes, to the microsecond.
function M.seconds(f, ...)
  local start = lull.now()
  f(...)
  return math.floor((lull.now() - start) * 1e6 + 0.5) / 1e6
end

return M
