-- Bodies that were found to be of no use only while they were being sent, and files that a request
-- or a response waited for whatever became of the task.
local fs = require("lull.fs")
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local scratch = require("spec.scratch")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")

local await = lull.await

local odd, session

local function refuses(text, options)
  local ok, err = pcall(function() session:post(odd:url("http", "/echo"), options) end)
  assert.is_false(ok)
  assert.matches("http_bodies_spec%.lua:%d+: bad argument #2 to 'post'", err)
  assert.is_truthy(err:find(text, 1, true), "another error: " .. err)
end

describe("a body", function()
  setup(function() odd = odd_server.start() end)
  teardown(function() odd:close() end)
  tidy.watch(before_each, after_each)
  before_each(function() session = http.session({ timeout = 10 }) end)
  after_each(function() session:close() end)
  scratch.watch(before_each, after_each)

  it("cannot be a file that is closed, or one of io's", function()
    local file = await(fs.open(scratch.write("x", "text")))
    await(file:close())
    refuses("option 'body': the file is closed", { body = file })
    refuses("option 'multipart': a body: the file is closed",
      { multipart = { { name = "f", body = file } } })
    local plain <close> = io.open(scratch.path("x"))
    refuses("option 'body' must be a string, an iterator or an open file", { body = plain })
  end)

  it("that is a file closed meanwhile fails with that", function()
    local file = await(fs.open(scratch.write("x", "text")))
    local request = session:post(odd:url("http", "/echo"), { body = file })
    await(file:close())
    local ok, err = pcall(await, request)
    assert.is_false(ok)
    assert.equal("the body's file is closed", err)
  end)

  it("is checked in each part of a form", function()
    refuses("option 'multipart': a body must be a string", {
      multipart = { { name = "a", body = function() end }, { name = "b", body = 42 } },
    })
    refuses("part 2: a path has no zeros in it", {
      multipart = { { name = "a", value = "x" }, { name = "b", path = "a\0b" } },
    })
  end)

  it("that waits for its file can be cancelled", function()
    assert(scratch.sh("mkfifo $D/fifo"))
    local file <close> = await(fs.open(scratch.path("fifo"), "r+"))
    local reader = lull.create_task(file:read(1)) -- it is its turn: others wait
    waiting.turns(3)
    local task = lull.create_task(session:post(odd:url("http", "/echo"), { body = file }))
    waiting.turns(3)
    task:cancel()
    await(lull.wait({ task }, { timeout = 5 }))
    local was_cancelled = task:done() and task:cancelled()
    reader:cancel()
    task:cancel()
    waiting.turns(3)
    assert.is_true(was_cancelled)
  end)

  it("is not saved by who is cancelled before it begins to come", function()
    local response = await(session:get(odd:url("http", "/body?size=100")))
    local task = lull.create_task(response:save(scratch.path("saved")))
    waiting.turns(1)
    task:cancel()
    waiting.raises(lull.CancelledError, await, task)
    assert.same({}, scratch.names())
  end)

  it("that cannot be saved has an error about the path it was to have", function()
    local response = await(session:get(odd:url("http", "/body?size=100")))
    local err = waiting.raises(lull.OSError, await, response:save(""))
    assert.equal("cannot save to '': no such file or directory", err.message)
    assert.equal("", err.path)
    waiting.fails("a path has no zeros in it", response.save, response, "a\0b")
  end)
end)
