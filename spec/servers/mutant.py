"""A server for specs that answers each request with HTTP that was damaged in some way. What comes
depends on the number after `seed=` in the request's target, and on nothing else."""
import asyncio
import gzip
import os
import random
import re
import socket
import struct
import zlib

import watched

TEXT = b"".join(b"line %d of the text\n" % number for number in range(400))
PACKED = {b"gzip": gzip.compress(TEXT), b"deflate": zlib.compress(TEXT),
          b"br": bytes(range(256)), b"zstd": b"\x28\xb5\x2f\xfd" + bytes(40)}
SALT = [b"\0", b"\r\n", b"\n", b"\r", b"-", b"0", b"ffffffff", b" ", b" " * 2000, b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n", b"\r\n folded: line", b"A" * 5000, b"A" * 120000]
NUMBERS = [b"0", b"-1", b"1", b"4294967296", b"9223372036854775807", b"99999999999999999999"]


def response(status=b"200 OK", headers=(), body=b"", version=b"HTTP/1.1"):
    lines = [version + b" " + status, *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def with_length(rng, body, *headers, status=b"200 OK", version=b"HTTP/1.1"):
    length = (b"Content-Length", rng.choice([b"%d" % len(body)] * 9 + NUMBERS))
    return response(status, [*headers, length], body, version)


def in_chunks(rng, body, *headers):
    pieces = []
    while body:
        size = rng.randint(1, len(body))
        pieces.append(b"%x\r\n%b\r\n" % (size, body[:size]))
        body = body[size:]
    return response(headers=[*headers, (b"Transfer-Encoding", b"chunked")],
                    body=b"".join(pieces) + b"0\r\n\r\n")


def packed(rng, _):
    name, body = rng.choice(list(PACKED.items()))
    make = rng.choice([with_length, in_chunks])
    return make(rng, body, (b"Content-Encoding", name))


def redirect(rng, body):
    targets = [b"/ok", b"?x", b"//[::1", b"/\xff", b"#a", b"", b"ftp://x/", b"http://a b/"]
    return with_length(rng, body, (b"Location", rng.choice(targets)),
                       status=rng.choice([b"301 a", b"303 b", b"307 c"]))


def cookie(rng, body):
    values = [b"a=b", b"=", b"a", b"a=b; Max-Age=99999999999999999999", b";;;", b"a=b; Path=\xff"]
    return with_length(rng, body, (b"Set-Cookie", rng.choice(values)))


def unusual(rng, body):
    return with_length(
        rng, body, version=rng.choice([b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2", b"HTTP/0.9", b"ICY"]),
        status=rng.choice([b"204 a", b"304 b", b"101 c", b"199 d", b"999 e", b"000 f", b"20 g"]))


def interim(rng, body):
    return response(b"100 Continue") * rng.randint(1, 30) + with_length(rng, body)


def many_headers(rng, body):
    return with_length(rng, body, *((b"X-%d" % number, b"v" * rng.choice([1, 1000]))
                                    for number in range(rng.choice([1, 150]))))


KINDS = [with_length, in_chunks, packed, redirect, cookie, unusual, interim, many_headers]


def damage(rng, data):
    """One place is changed, mostly in the head."""
    limit = len(data) if rng.random() < 0.4 else min(len(data), 400)
    at = rng.randrange(limit)
    how = rng.randrange(6)
    if how == 0:
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]
    if how == 1:
        return data[:at] + rng.choice(SALT) + data[at:]
    if how == 2:
        return data[:at] + data[at + rng.choice([1, 10, 100]):]
    if how == 3:
        return data[:at]
    if how == 4:
        return data[:at] + rng.randbytes(4) + data[at + 4:]
    return re.sub(rb"\d+", lambda match: rng.choice([match[0], *NUMBERS]), data[:limit]) \
        + data[limit:]


def damaged(rng):
    body = rng.randbytes(rng.choice([0, 1, 100, 2000])) * rng.choice([1, 1, 50])
    data = rng.choice(KINDS)(rng, body)
    for _ in range(rng.choice([0, 1, 1, 2, 3, 8])):
        data = damage(rng, data) if data else data
    return data


async def answer(rng, writer):
    data = damaged(rng)
    step = rng.choice([1, 50, 5000, len(data)]) if len(data) < 3000 else len(data)
    for at in range(0, len(data), max(step, 1)):
        if writer.is_closing():
            return False
        writer.write(data[at:at + step])
        if rng.random() < 0.1:
            await asyncio.sleep(0)
    await writer.drain()
    if rng.random() < 0.1:
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return rng.random() < 0.3  # whether the connection stays


async def connected(reader, writer):
    try:
        stays = True
        while stays:
            head = await reader.readuntil(b"\r\n\r\n")
            seed = re.search(rb"seed=(\d+)", head.split(b"\r\n")[0])
            stays = await answer(random.Random(int(seed[1]) if seed else 0), writer)
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def main():
    listener = watched.listen()
    await asyncio.start_server(connected, sock=listener, limit=1 << 22)
    watched.tell(pid=os.getpid(), http=watched.port_of(listener))
    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(1, end.set)
    await end.wait()


if __name__ == "__main__":
    asyncio.run(main())
