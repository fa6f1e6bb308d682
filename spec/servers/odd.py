"""An HTTP server that behaves as it is asked to, well or badly, and a proxy, for specs. odd.lua
says what there is. What happens is noted in the file `log`, as a Lua table each line."""
import asyncio
import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import zlib
from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qsl, urlsplit

import certificates
import watched

KIB, MIB = 1024, 1024 * 1024
USER, PASSWORD = "user", "secret"
REASONS = {200: "OK", 204: "No Content", 404: "Not Found"}


class Gone(Exception):
    """The client has gone, or is to be left."""


class Garbage(Exception):
    """What came is no HTTP."""


# ---- the log -------------------------------------------------------------------------------------


def as_lua(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    if isinstance(value, bytes):
        return '"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\{c:03d}"
                             for c in value) + '"'
    return "{" + ",".join(map(as_lua, value)) + "}"


class Log:
    def __init__(self, path):
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, event, **values):
        fields = ",".join(f"{name}={as_lua(value)}" for name, value in values.items())
        os.write(self.descriptor, f'{{event="{event}",{fields}}}\n'.encode())


# ---- requests and responses ----------------------------------------------------------------------


class Request:
    """One request; the body is left unread until it is asked for."""

    def __init__(self, connection, head):
        self.connection = connection
        try:
            first, *lines = head.decode("latin-1").split("\r\n")
            self.method, self.target, self.version = first.split(" ")
            self.headers = [(name, value.strip()) for name, value in
                            (line.split(":", 1) for line in lines if line)]
        except ValueError:
            raise Garbage(head) from None
        self.path, _, self.query_string = self.target.partition("?")
        self.query = parse_qsl(self.query_string, keep_blank_values=True, encoding="latin-1")
        self.left, self.chunks, self.ended = None, 0, False

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key.lower() == name), default)

    def option(self, name, default=None):
        """A parameter of the query, as a value of the same type as the default."""
        value = next((value for key, value in self.query if key == name), None)
        if value is None:
            return default
        return value if default is None else type(default)(value)

    def options(self, name):
        return [value for key, value in self.query if key == name]

    async def continue_it(self):
        if (self.header("expect") or "").lower() == "100-continue":
            await self.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def some(self):
        """Some of the body; nothing at its end."""
        if self.left is None:
            await self.continue_it()
            self.left = int(self.header("content-length", "0"))
        if (self.header("transfer-encoding") or "").lower() == "chunked":
            return await self.chunk()
        data = await self.connection.read(min(self.left, 64 * KIB)) if self.left else b""
        self.left -= len(data)
        return data

    async def chunk(self):
        if self.ended:
            return b""
        size = int(await self.connection.read_line(), 16)
        if size == 0:
            while await self.connection.read_line():
                pass
            self.ended = True
            return b""
        data = await self.connection.read_exactly(size)
        await self.connection.read_line()
        self.chunks += 1
        return data

    async def body(self):
        pieces = []
        while data := await self.some():
            pieces.append(data)
        return b"".join(pieces)

    async def reply(self, status=200, headers=(), body=b"", reason=None, version="1.1"):
        """Sends the response; the body is bytes, or an iterable of bytes that is sent in chunks."""
        if isinstance(body, str):
            body = body.encode()
        reason = REASONS.get(status, "Odd") if reason is None else reason
        lines = [f"HTTP/{version} {status} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not isinstance(body, bytes):
            lines.append("Transfer-Encoding: chunked")
        elif status >= 200 and status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines + ["", ""]).encode("latin-1")
        if self.method == "HEAD":
            body = b""
        if isinstance(body, bytes):
            await self.connection.send(head + body)
            return
        await self.connection.send(head)
        for piece in body:
            await self.connection.send_chunk(piece)
        await self.connection.send(b"0\r\n\r\n")

    async def reply_json(self, value):
        await self.reply(headers=[("Content-Type", "application/json")], body=json.dumps(value))


class Connection:
    """One connection, and what is noted about it."""

    numbers = 0

    def __init__(self, server, port, reader, writer):
        Connection.numbers += 1
        self.number, self.port = Connection.numbers, port
        self.server, self.reader, self.writer = server, reader, writer
        self.sent, self.last, self.stale = 0, False, False

    def note(self, event, **values):
        self.server.log.note(event, connection=self.number, port=self.port, **values)

    async def read(self, size):
        data = await self.reader.read(size)
        if not data:
            raise Gone
        return data

    async def read_exactly(self, size):
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise Gone from None

    async def read_line(self):
        try:
            return (await self.reader.readuntil(b"\r\n"))[:-2]
        except asyncio.IncompleteReadError:
            raise Gone from None

    async def read_request(self):
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise Garbage(error.partial) from None
            raise Gone from None
        return Request(self, head[:-4])

    async def send(self, data):
        if self.writer.is_closing() or self.reader.at_eof():
            raise Gone
        self.writer.write(data)
        await self.writer.drain()
        self.sent += len(data)

    async def send_chunk(self, data):
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def until_gone(self):
        """What else the client sends is read, and thrown away."""
        while True:
            await self.read(64 * KIB)

    def reset(self):
        """Has the client find the connection reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def run(self, answer):
        self.note("open")
        how = "here"
        try:
            while not self.last:
                await answer(self)
        except (Gone, ConnectionError):
            how = "there"
        except Garbage as error:
            self.note("garbage", bytes=error.args[0])
        finally:
            self.note("close", by=how, sent=self.sent)
            self.writer.close()


# ---- what the paths do ---------------------------------------------------------------------------

PATHS = {}


def path(*names):
    def add(function):
        for name in names:
            PATHS[name] = function
        return function
    return add


def described(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest(),
            "body": data.decode("utf-8", "replace") if len(data) <= 64 * KIB else None}


@path("/echo")
async def echo(request):
    body = await request.body()
    await request.reply_json({
        "method": request.method, "target": request.target, "path": request.path,
        "version": request.version, "headers": request.headers,
        "query": parse_qsl(request.query_string, keep_blank_values=True),
        "connection": request.connection.number, "chunks": request.chunks, **described(body)})


@path("/multipart")
async def multipart(request):
    """Parsed by another's hand."""
    head = f"Content-Type: {request.header('content-type')}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + await request.body())
    parts = []
    for part in message.iter_parts():
        data = part.get_payload(decode=True)
        parts.append({
            "name": part.get_param("name", header="content-disposition"),
            "filename": part.get_filename(),
            "content_type": part.get_content_type() if part["content-type"] else None,
            **described(data)})
    await request.reply_json({"content_type": message.get_content_type(), "parts": parts,
                              "defects": [repr(defect) for defect in message.defects]})


@path("/reply")
async def reply(request):
    await request.body()
    headers = [header.split(":", 1) for header in request.options("header")]
    body = request.option("body", "").encode("latin-1")
    if request.option("chunk"):
        body = [chunk.encode("latin-1") for chunk in request.options("chunk")]
    request.connection.last = request.option("close") is not None
    await request.reply(request.option("status", 200), headers, body, request.option("reason"),
                        request.option("version", "1.1"))


@path("/raw")
async def raw(request):
    pieces = [data.encode("latin-1") for data in request.options("data")]
    request.connection.last = True
    for piece in pieces:
        await request.connection.send(piece)
    if request.option("stay"):
        await request.connection.until_gone()


@path("/body")
async def body_of_size(request):
    """A body in which each 16 bytes say where they are."""
    size = request.option("size", 0)
    data = b"".join(b"%015x\n" % position for position in range(0, size, 16))[:size]
    step = request.option("step", 64 * KIB)
    chunks = (data[at:at + step] for at in range(0, size, step))
    await request.reply(body=chunks if request.option("chunked") else data)


@path("/mirror")
async def mirror(request):
    """The request's body, in chunks."""
    data, step = await request.body(), request.option("step", 64 * KIB)
    await request.reply(body=(data[at:at + step] for at in range(0, len(data), step)))


@path("/endless")
async def endless(request):
    piece = b"x" * MIB
    await request.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await request.connection.send_chunk(piece)
        request.connection.note("sent", bytes=request.connection.sent)
        await asyncio.sleep(0)  # so that it is noticed when the client goes


@path("/drip")
async def drip(request):
    count, size = request.option("count", 10), request.option("size", 1)
    await request.connection.send(
        f"HTTP/1.1 200 OK\r\nContent-Length: {count * size}\r\n\r\n".encode())
    for _ in range(count):
        await asyncio.sleep(request.option("pause", 0.01))
        await request.connection.send(b"." * size)


@path("/silent")
async def silent(request):
    await request.connection.until_gone()


@path("/stall")
async def stall(request):
    """Stops in the middle, and stays."""
    parts = {"line": b"HTTP/1.1 2", "head": b"HTTP/1.1 200 OK\r\nContent-Le",
             "body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789",
             "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"}
    await request.connection.send(parts[request.option("in", "body")])
    await request.connection.until_gone()


@path("/late")
async def late(request):
    await asyncio.sleep(request.option("pause", 0.1))
    await request.reply(body="late\n")


@path("/close")
async def close(request):
    request.connection.last = True


@path("/reset")
async def reset(request):
    request.connection.reset()
    raise Gone


@path("/stale")
async def stale(request):
    """Answers, but not what comes next on this connection."""
    request.connection.stale = True
    await request.reply(body="stale\n")


@path("/closing")
async def closing(request):
    """Answers, lets the client believe that the connection stays, and closes it."""
    request.connection.last = True
    await request.reply(body="closing\n")


@path("/flaky")
async def flaky(request):
    """Fails so many times for a key, and then answers how often it was asked."""
    key, server = request.option("key", ""), request.connection.server
    await request.body()
    server.counts[key] = server.counts.get(key, 0) + 1
    if server.counts[key] > request.option("times", 1):
        await request.reply(body=str(server.counts[key]))
        return
    how = request.option("how", "503")
    if how == "close":
        request.connection.last = True
    elif how == "reset":
        await reset(request)
    else:
        after = [("Retry-After", value) for value in request.options("after")]
        await request.reply(int(how), after)


@path("/hold")
async def hold(request):
    """Answers when /release is asked with the same key."""
    released = request.connection.server.gate(request.option("key", ""))
    gone = asyncio.ensure_future(request.connection.until_gone())
    waiting = asyncio.ensure_future(released.wait())
    await asyncio.wait([gone, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if gone.done():
        gone.result()
    gone.cancel()
    await asyncio.wait([gone])
    await request.reply(body="released\n")


@path("/slow-read")
async def slow_read(request):
    """Reads so many bytes of the body, and the rest after /release."""
    left = request.option("first", 0)
    while left > 0 and (data := await request.some()):
        left -= len(data)
    await request.connection.server.gate(request.option("key", "")).wait()
    await echo(request)


@path("/release")
async def release(request):
    request.connection.server.gate(request.option("key", "")).set()
    await request.reply(body="done\n")


@path("/redirect")
async def redirect(request):
    headers = [("Location", request.option("to", "/echo"))]
    headers += [("Set-Cookie", cookie) for cookie in request.options("cookie")]
    if request.option("close"):
        headers.append(("Connection", "close"))
        request.connection.last = True
    await request.body()
    body = request.option("body", "elsewhere\n")
    await request.reply(request.option("status", 302), headers, body)


@path("/hops")
async def hops(request):
    left = request.option("n", 0)
    if left == 0:
        await echo(request)
    else:
        await request.reply(302, [("Location", f"/hops?n={left - 1}")])


@path("/cookies")
async def cookies(request):
    await request.reply(headers=[("Set-Cookie", value) for value in request.options("set")],
                        body=request.header("cookie", ""))


@path("/basic")
async def basic(request):
    user, password = request.option("user", USER), request.option("password", PASSWORD)
    token = base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()
    if request.header("authorization") == "Basic " + token:
        await request.reply(body="welcome\n")
    else:
        await request.reply(401, [("WWW-Authenticate", 'Basic realm="odd"')], "who are you?\n")


@path("/headers")
async def many_headers(request):
    size = request.option("size", 10)
    headers = [(f"X-{number}", "v" * size) for number in range(request.option("count", 1))]
    await request.reply(headers=headers, body="many\n")


@path("/early")
async def early(request):
    """Refuses the request before its body has come."""
    request.connection.last = True
    await request.reply(request.option("status", 413), [("Connection", "close")], "too much\n")
    if request.connection.writer.can_write_eof():
        request.connection.writer.write_eof()
    await request.connection.until_gone()


@path("/interim")
async def interim(request):
    for status in ("100 Continue", "103 Early Hints"):
        await request.connection.send(f"HTTP/1.1 {status}\r\nLink: </x>\r\n\r\n".encode())
    await request.reply(body="at last\n")


@path("/trailers")
async def trailers(request):
    await request.connection.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"4\r\nbody\r\n0\r\nX-Sum: 4\r\n\r\n")


# ---- compression ---------------------------------------------------------------------------------


def by_tool(*command):
    def compress(data):
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    return compress


def by_zlib(wbits):
    def compress(data):
        compressor = zlib.compressobj(6, zlib.DEFLATED, wbits)
        return compressor.compress(data) + compressor.flush()
    return compress


ENCODINGS = {
    "gzip": by_zlib(31), "deflate": by_zlib(15), "raw-deflate": by_zlib(-15),
    "br": by_tool("brotli", "-q", "1", "-c"), "zstd": by_tool("zstd", "-q", "-1", "-c"),
    "identity": bytes,
}


@path("/encoded")
async def encoded(request):
    """A text of so many lines, compressed; `as` is what the header says; `keep` bytes are sent."""
    text = b"".join(b"line %d\n" % number for number in range(request.option("lines", 100)))
    name = request.option("encoding", "gzip")
    data = text
    for part in name.split(","):
        data = ENCODINGS[part](data)
    data = data[:request.option("keep", len(data))]
    label = request.option("as", name.replace("raw-", ""))
    await request.reply(headers=[("Content-Encoding", label)],
                        body=[data] if request.option("chunked") else data)


def inflating(megabytes):
    """Raw deflate data of so many MiB of zeros: one compressed MiB, over and over."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    yield from (piece for _ in range(megabytes))
    yield compressor.flush()


def gzip_bomb(megabytes):
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    yield from inflating(megabytes)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(bytes(MIB), checksum)
    yield struct.pack("<II", checksum, megabytes * MIB & 0xffffffff)


def deflate_bomb(megabytes):
    yield b"\x78\x9c"
    yield from inflating(megabytes)
    yield struct.pack(">HH", megabytes * MIB % 65521, 1)


def tool_bomb(name):
    """The tools pack as many as 64 MiB of zeros quickly."""
    def bomb(megabytes):
        yield ENCODINGS[name](bytes(min(megabytes, 64) * MIB))
    return bomb


BOMBS = {
    "gzip": gzip_bomb, "deflate": deflate_bomb, "br": tool_bomb("br"), "zstd": tool_bomb("zstd"),
}


@path("/bomb")
async def bomb_of(request):
    name = request.option("encoding", "gzip")
    pieces = BOMBS[name](request.option("megabytes", 1024))
    await request.reply(headers=[("Content-Encoding", name)], body=pieces)


# ---- the server ----------------------------------------------------------------------------------


class Server:
    def __init__(self, log):
        self.log, self.counts, self.gates = log, {}, {}

    def gate(self, key):
        return self.gates.setdefault(key, asyncio.Event())

    async def answer(self, connection):
        request = await connection.read_request()
        if connection.stale:
            connection.note("dropped", target=request.target)
            connection.last = True
            return
        connection.note("request", method=request.method, target=request.target,
                        path=request.path, headers=request.headers)
        await PATHS.get(request.path, not_found)(request)
        if (request.header("connection") or "").lower() == "close":
            connection.last = True
        if not connection.last:
            await request.body()

    async def never(self, connection):
        await connection.until_gone()

    async def close_at_once(self, connection):
        connection.last = True

    async def proxy(self, connection):
        request = await connection.read_request()
        connection.note("proxied", method=request.method, target=request.target,
                        headers=request.headers)
        if connection.port == "guarded_proxy" and not is_allowed(request):
            await request.body()
            await request.reply(407, [("Proxy-Authenticate", 'Basic realm="proxy"')])
        elif "forbidden.test" in request.target:
            await request.reply(403, body="forbidden\n")
        elif request.method == "CONNECT":
            await tunnel(request)
        else:
            await forward(request)


async def not_found(request):
    await request.body()
    await request.reply(404, body="there is no " + request.path + "\n")


def is_allowed(request):
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return request.header("proxy-authorization") == "Basic " + token


async def dial(connection, host, port):
    """Names under .test are known to the proxy only."""
    if host == "silent.test":
        await connection.until_gone()
    return await asyncio.open_connection(watched.HOST if host.endswith(".test") else host, port)


async def copy(reader, writer):
    try:
        while data := await reader.read(64 * KIB):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def tunnel(request):
    connection = request.connection
    host, port = request.target.rsplit(":", 1)
    try:
        reader, writer = await dial(connection, host.strip("[]"), int(port))
    except OSError:
        await request.reply(502)
        return
    await request.connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
    await asyncio.gather(copy(connection.reader, writer), copy(reader, connection.writer))
    raise Gone


async def forward(request):
    """One request for each connection to the server."""
    parts = urlsplit(request.target)
    try:
        reader, writer = await dial(request.connection, parts.hostname, parts.port or 80)
    except OSError:
        await request.reply(502)
        return
    target = request.target[len(f"{parts.scheme}://{parts.netloc}"):] or "/"
    lines = [f"{request.method} {target} HTTP/1.1", "Connection: close", "Via: 1.1 odd"]
    lines += [f"{name}: {value}" for name, value in request.headers
              if name.lower() not in ("connection", "proxy-connection", "proxy-authorization")]
    writer.write("\r\n".join(lines + ["", ""]).encode("latin-1"))
    if request.header("content-length"):
        writer.write(await request.body())
    request.connection.last = True
    await copy(reader, request.connection.writer)
    writer.close()


# ---- ports ---------------------------------------------------------------------------------------


def full_listener():
    """A socket whose queue of connections is full, and the connections that fill it: the kernel
    leaves further ones unanswered."""
    listener, fillers = watched.listen(backlog=0), []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener, fillers


def refusing_socket():
    """A socket that has a port and does not listen."""
    bound = socket.socket()
    bound.bind((watched.HOST, 0))
    return bound


def tls_context(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "good.pem"), os.path.join(folder, "good.key"))
    return context


async def serve(folder, server):
    ports = {}

    async def add(name, answer, **options):
        listener = watched.listen()
        ports[name] = watched.port_of(listener)

        async def connected(reader, writer):
            try:
                await Connection(server, name, reader, writer).run(answer)
            except asyncio.CancelledError:
                pass
        await asyncio.start_server(connected, sock=listener, limit=256 * KIB, **options)

    await add("http", server.answer)
    await add("other", server.answer)
    if "--tls" in sys.argv:
        certificates.make(folder)
        await add("https", server.answer, ssl=tls_context(folder))
    await add("proxy", server.proxy)
    await add("guarded_proxy", server.proxy)
    await add("mute", server.never)
    await add("closing", server.close_at_once)
    full, fillers = full_listener()
    refusing = refusing_socket()
    ports["full"], ports["refusing"] = watched.port_of(full), watched.port_of(refusing)
    watched.tell(folder=folder, pid=os.getpid(), **ports)
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(1, end.set)
    await end.wait()
    loop.set_exception_handler(lambda *_: None)  # of connections that are cancelled
    for kept in (full, refusing, *fillers):
        kept.close()


async def main(folder):
    await serve(folder, Server(Log(os.path.join(folder, "log"))))


if __name__ == "__main__":
    with watched.folder() as own_folder:
        asyncio.run(main(own_folder))
