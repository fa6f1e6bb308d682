-- A header with many blanks in it once kept the loop busy for minutes.
local http = require("lull.http")
local lull = require("lull")
local server = require("spec.servers.server")
local tidy = require("spec.tidy")

local await = lull.await

-- What a server says that answers once with a head: a Python expression.
local SERVER = [[
import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
connection.recv(65536)
connection.sendall(b"HTTP/1.1 200 OK\r\n" + %s + b"\r\nContent-Length: 0\r\n\r\n")
connection.recv(1)
]]

local function get(head)
  local pipe <close> = assert(io.popen("exec "
    .. server.command("timeout", "60", "python3", "-c", SERVER:format(head))))
  local session <close> = http.session()
  local began = os.clock()
  local response = await(session:get(("http://127.0.0.1:%d/"):format(pipe:read("n"))))
  local value = response.headers["X-Blanks"]
  await(response:text())
  assert.is_true(os.clock() - began < 1, ("it took %g s"):format(os.clock() - began))
  return value
end

describe("90,000 blanks in a header", function()
  tidy.watch(before_each, after_each)

  it("are a part of its value", function()
    assert.equal("a" .. (" "):rep(90000) .. "b", get([[b"X-Blanks: a" + b" " * 90000 + b"b"]]))
  end)

  it("are left out at its ends", function()
    assert.equal("a" .. (" "):rep(40000) .. "b",
      get([[b"X-Blanks:" + b" " * 40000 + b"a" + b" " * 40000 + b"b" + b"\t " * 5000]]))
  end)

  it("are nothing special in a cookie or a type", function()
    get([[b"Set-Cookie: a" + b" " * 7000 + b"b"]])
    get([[b"Set-Cookie: a=b" + b" " * 90000 + b"c"]])
    get([[b"Set-Cookie: a=b; x" + b" " * 90000 + b"=c" + b" " * 5000 + b"d"]])
    get([[b"Content-Type: text/plain; charset" + b" " * 90000 + b"x"]])
  end)
end)
