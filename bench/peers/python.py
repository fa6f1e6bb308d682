"""The workloads on asyncio. Call: python.py WORKLOAD [SIZE] [uvloop | aiofiles]

Where aiofiles is asked for, `files` goes through it: a thread for each call. Plainly a file is written
in one call of a thread, and read in another.
"""
import asyncio
import os
import sys
import time

PAGE = os.sysconf("SC_PAGE_SIZE")


def rss_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def peak_kb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def count(base, *factors):
    for factor in factors:
        base *= factor
    return max(1, int(base + 0.5))


async def spawn(size, share):
    tasks, rounds = count(1000, size), count(300, share)

    async def f(i):
        return i

    for _ in range(rounds):
        results = await asyncio.gather(*[f(i) for i in range(tasks)])
        assert results[-1] == tasks - 1
    return tasks * rounds


async def switch(size, share):
    tasks, rounds = count(100, size), count(5000, share)
    sleep = asyncio.sleep

    async def worker():
        for _ in range(rounds):
            await sleep(0)

    await asyncio.gather(*[worker() for _ in range(tasks)])
    return tasks * rounds


async def sleepers(size, share):
    tasks = count(100_000, size)

    async def sleeper(i):
        await asyncio.sleep((i % 1000) / 1000)

    await asyncio.gather(*[sleeper(i) for i in range(tasks)])
    return tasks


async def queue(size, share):
    items = count(300_000, size, share)
    q = asyncio.Queue(count(100, size))

    async def producer():
        for i in range(items):
            await q.put(i)

    async def consumer():
        for _ in range(items):
            item = await q.get()
        return item

    _, last = await asyncio.gather(producer(), consumer())
    assert last == items - 1
    return items


async def chain(size, share):
    rounds, depth = count(100_000, size, share), 10

    async def down(n):
        if n == 1:
            return n
        return await down(n - 1)

    for _ in range(rounds):
        await down(depth)
    return rounds * depth


async def waitfor(size, share):
    rounds = count(50_000, size, share)

    async def quick():
        await asyncio.sleep(0)

    for _ in range(rounds):
        await asyncio.wait_for(quick(), 10)
    return rounds


async def park(size, share):
    tasks = count(1_000_000, size)
    event = asyncio.Event()

    async def waiter(i):
        await event.wait()
        return i

    before = rss_bytes()
    waiting = [asyncio.create_task(waiter(i)) for i in range(tasks)]
    await asyncio.sleep(0)
    parked = rss_bytes()
    event.set()
    results = await asyncio.gather(*waiting)
    assert results[-1] == tasks - 1
    return tasks, (parked - before) / tasks


round_number = 0


def write_whole(path, data):
    with open(path, "wb", 0) as file:
        file.write(data)


def read_whole(path):
    with open(path, "rb", 0) as file:
        return file.read()


async def plain_files(path, data):
    await asyncio.to_thread(write_whole, path, data)
    return await asyncio.to_thread(read_whole, path)


async def with_aiofiles(path, data):
    async with aiofiles.open(path, "wb", 0) as file:
        await file.write(data)
    async with aiofiles.open(path, "rb", 0) as file:
        return await file.read()


async def files(size, share):
    global round_number
    number, rounds = count(1000, size), count(10, share)
    data = b"x" * 4096
    write_and_read = with_aiofiles if aiofiles else plain_files

    async def worker(paths):
        for path in paths:
            assert len(await write_and_read(path, data)) == len(data)

    for _ in range(rounds):
        round_number += 1
        folder = f"{os.environ['BENCH_DIR']}/{round_number}"
        os.mkdir(folder)
        paths = (f"{folder}/{i}" for i in range(number))
        await asyncio.gather(*[worker(paths) for _ in range(64)])
    return number * rounds


def identity(i):
    return i


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


async def thread(size, share):
    calls = count(50_000, size, share)
    if processes:
        run = asyncio.get_running_loop().run_in_executor
        for i in range(calls):
            assert await run(processes, identity, i) == i
        return calls
    for i in range(calls):
        assert await asyncio.to_thread(identity, i) == i
    return calls


async def fib(size, share):
    rounds = count(10, size, share)
    run = asyncio.get_running_loop().run_in_executor
    for _ in range(rounds):
        results = await asyncio.gather(*[run(processes, fibonacci, 27) for _ in range(8)])
        assert results[-1] == 196418
    return 8 * rounds


client = None


async def aiohttp_worker(url, expected, turns):
    for _ in turns:
        async with client.get(url) as response:
            assert response.status == 200 and await response.text() == expected


async def httpx_worker(url, expected, turns):
    for _ in turns:
        response = await client.get(url)
        assert response.status_code == 200 and response.text == expected


async def http(size, share):
    global client
    requests, workers = count(10_000, size, share), 100
    if client is None and httpx:
        client = httpx.AsyncClient(limits=httpx.Limits(max_connections=workers,
                                                       max_keepalive_connections=workers))
    elif client is None:
        client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=workers))
    worker = httpx_worker if httpx else aiohttp_worker
    url, expected, turns = os.environ["BENCH_URL"], "0123456789" * 10, iter(range(requests))
    await asyncio.gather(*[worker(url, expected, turns) for _ in range(workers)])
    return requests


WARM = {spawn, switch, queue, chain, waitfor, files, thread, fib, http}
WORKLOADS = {f.__name__: f for f in WARM | {sleepers, park}}


async def main(name, size):
    work = WORKLOADS[name]
    if work in WARM:
        await work(size, 0.1)
    wall_start, cpu_start = time.perf_counter(), time.process_time()
    ops = await work(size, 1)
    cpu, wall = time.process_time() - cpu_start, time.perf_counter() - wall_start
    ops, extra = (ops[0], f" bytes_per_op={ops[1]:.1f}") if isinstance(ops, tuple) else (ops, "")
    print(f"workload={name} ops={ops} ns_per_op={cpu / ops * 1e9:.2f}"
          f" wall_ns_per_op={wall / ops * 1e9:.2f}{extra} rss_kb={peak_kb()}")
    if client:
        await (client.aclose if httpx else client.close)()


args = sys.argv[1:]
if "uvloop" in args:
    args.remove("uvloop")
    import uvloop
    uvloop.install()
aiofiles = None
if "aiofiles" in args:
    args.remove("aiofiles")
    import aiofiles
httpx = None
if "httpx" in args:
    args.remove("httpx")
    import httpx
elif args[:1] == ["http"]:
    import aiohttp
processes = None
if "processes" in args:
    args.remove("processes")
    from concurrent.futures import ProcessPoolExecutor
    processes = ProcessPoolExecutor()
asyncio.run(main(args[0], float(args[1]) if len(args) > 1 else 1))
if processes:
    processes.shutdown()
