-- Saving a body: the whole new file, or the old one.
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session, folder

local function get(path, options)
  return await(session:get(odd:url("http", path), options))
end

describe("saving", function()
  setup(function()
    odd = odd_server.start()
    folder = odd:path("saved")
    assert(require("lfs").mkdir(folder))
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
    session = http.session()
    web.write(folder .. "/file", "old")
  end)
  after_each(function()
    session:close()
    assert.same({ "file" }, web.names(folder))
  end)

  local path
  before_each(function()
    path = folder .. "/file"
  end)

  it("writes the body of a stream, and of a response in memory", function()
    for _, stream in ipairs({ true, false }) do
      for _, size in ipairs({ 0, 1, 1000000 }) do
        web.write(path, "old")
        await(get("/body?size=" .. size, { stream = stream }):save(path))
        local expected = await(get("/body?size=" .. size):bytes())
        assert.is_true(expected == web.read(path))
      end
    end
  end)

  it("makes a file where there was none", function()
    os.remove(path)
    await(get("/reply?body=new"):save(path))
    assert.equal("new", web.read(path))
  end)

  it("tells how far it is, and of how much", function()
    for _, case in ipairs({ { "", 500000 }, { "&chunked=1", nil } }) do
      local last, calls = 0, 0
      await(get("/body?size=500000" .. case[1], { stream = true }):save(path, {
        progress = function(done, total)
          assert.is_true(done > last)
          assert.equal(case[2], total)
          last, calls = done, calls + 1
        end,
      }))
      assert.equal(500000, last)
      assert.is_true(calls > 1)
    end
  end)

  it("saves what was unpacked", function()
    local query = { encoding = "gzip", lines = 1000 }
    local response = get(web.path("/encoded", query), { stream = true })
    await(response:save(path, { progress = function(_, total)
      assert.is_nil(total)
    end }))
    assert.equal(8890, #web.read(path))
  end)

  it("leaves the old file when the body is cut short", function()
    local raw = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nnew"
    waiting.raises(http.ProtocolError, function()
      await(get(web.path("/raw", { data = raw }), { stream = true }):save(path))
    end)
    assert.equal("old", web.read(path))
  end)

  it("leaves the old file when it is cancelled, and gives the connection back", function()
    local task = lull.create_task(function()
      await(get("/drip?count=1000&size=100&pause=0.005", { stream = true }):save(path))
    end)
    web.eventually(function()
      return #web.names(folder) == 2 -- the new file, in the making
    end)
    waiting.turns(10)
    task:cancel()
    web.ended(task)
    assert.is_true(task:cancelled())
    assert.equal("old", web.read(path))
    web.eventually(function()
      collectgarbage()
      return odd:open_count() == 0
    end)
  end)

  it("leaves the old file when the progress function fails", function()
    local ok, err = pcall(function()
      await(get("/body?size=100000", { stream = true }):save(path, { progress = function()
        error("enough", 0)
      end }))
    end)
    assert.is_false(ok)
    assert.equal("enough", err)
    assert.equal("old", web.read(path))
  end)

  it("is an OSError where the file cannot be written", function()
    local err = waiting.raises(lull.OSError, function()
      await(get("/reply?body=x"):save("/nowhere/file"))
    end)
    assert.equal("ENOENT", err.code)
    assert.equal("/nowhere/file", err.path)
    err = waiting.raises(lull.OSError, function()
      await(get("/reply?body=x"):save(folder))
    end)
    assert.equal("EISDIR", err.code)
  end)

  it("leaves no descriptor behind", function()
    local before = web.descriptors()
    for _ = 1, 5 do
      await(get("/body?size=1000", { stream = true }):save(path))
      pcall(function()
        await(get("/reply?body=x"):save("/nowhere/file"))
      end)
    end
    session:close()
    web.descriptors_return_to(before)
  end)
end)
