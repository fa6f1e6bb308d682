-- Bodies that lost a part of themselves without a word.
local fs = require("lull.fs")
local http = require("lull.http")
local lull = require("lull")
local odd_server = require("spec.servers.odd")
local server = require("spec.servers.server")
local tidy = require("spec.tidy")
local waiting = require("spec.waiting")
local web = require("spec.web")

local await = lull.await

local odd, session

describe("a body", function()
  setup(function()
    odd = odd_server.start()
  end)
  teardown(function()
    odd:close()
  end)
  tidy.watch(before_each, after_each)
  before_each(function()
    odd:forget()
    session = http.session({ timeout = 10 })
  end)
  after_each(function()
    session:close()
  end)

  it("that is too large says so, even if only its last piece is", function()
    for size = 262200, 290000, 1500 do
      local response = await(session:get(odd:url("http", "/body?size=" .. size),
        { stream = true, max_body = size - 1 }))
      web.settled(function()
        return #odd:noted()
      end)
      waiting.raises(http.BodyTooLarge, function()
        for _ in response:chunks() do end
      end)
    end
  end)

  -- A server that answers once with a body: a Python expression.
  local SERVER = [[
import gzip, socket, subprocess
def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE).stdout
body = %s
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
for _ in range(2):
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: %s\r\n"
                       b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
    connection.recv(1)
    connection.close()
]]

  local function bodies(expression, encoding)
    local pipe <close> = assert(io.popen("exec " .. server.command("timeout", "60", "python3",
      "-c", SERVER:format(expression, encoding))))
    local url = ("http://127.0.0.1:%d/"):format(pipe:read("n"))
    local whole = await(await(session:get(url)):bytes())
    return whole, await(await(session:get(url, { stream = true })):bytes())
  end

  it("that is packed in parts has those after an empty one", function()
    for expression, encoding in pairs({
      ["gzip.compress(b'a') + gzip.compress(b'') + gzip.compress(b'b')"] = "gzip",
      ["zstd(b'a') + 3 * zstd(b'') + zstd(b'b')"] = "zstd",
      ["gzip.compress(zstd(b'a') + 3 * zstd(b'') + zstd(b'b'))"] = "zstd, gzip",
    }) do
      assert.same({ "ab", "ab" }, { bodies(expression, encoding) }, expression)
    end
  end)

  it("that is sent from a file is as long as it was when it began", function()
    local path = odd:path("growing")
    web.write(path, ("x"):rep(200000))
    local file <close> = await(fs.open(path, "rb"))
    local request = lull.create_task(session:post(odd:url("http", "/slow-read?key=grow"),
      { body = file }))
    web.eventually(function()
      return odd:requests("/slow-read")[1]
    end)
    local added <close> = assert(io.open(path, "ab"))
    added:write(("y"):rep(3000000))
    added:flush()
    await(session:get(odd:url("http", "/release?key=grow")))
    assert.equal(200000, await(await(request):json()).length)
    assert.same({}, odd:noted("garbage"))
  end)

  it("that is sent from a file that ends too early is an error", function()
    local path = odd:path("shrinking")
    web.write(path, ("x"):rep(40000000))
    local file <close> = await(fs.open(path, "rb"))
    local request = lull.create_task(session:post(odd:url("http", "/slow-read?key=shrink"),
      { body = file }))
    web.eventually(function()
      return odd:requests("/slow-read")[1]
    end)
    web.write(path, "")
    await(session:get(odd:url("http", "/release?key=shrink")))
    waiting.fails("bytes before its length", await, request)
  end)
end)
