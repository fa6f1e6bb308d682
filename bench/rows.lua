-- The rows of the benchmark: what is run, which figures are shown and what they are to be.
--
-- `columns` are metrics of figures.lua; the first is the row's own and is shown with its
-- extremes. A target holds lull's `metric` to at most `max`: times the best of the programs in
-- `of`, or the plain figure where there is no `of`. A `goal` is what to reach for once the
-- target is met. `scales` marks the rows whose cost for each item must not grow with the size,
-- `settle` those whose first run pays for memory that the machine has not handed out yet, `folder`
-- those whose programs find an empty folder in BENCH_DIR.
-- `service` names what the programs talk to: see services.lua.

local NS = {"ns_per_op", "wall_ns_per_op"}

return {
  {
    number = 1,
    name = "spawn",
    title = "spawn 1,000 tasks that return at once and gather them, 300 times",
    per = "a task",
    columns = NS,
    scales = true,
    targets = {
      {metric = "ns_per_op", max = 1.0, of = {"limit"}},
      {metric = "ns_per_op", max = 1.0, of = {"node"}, goal = true},
    },
  },
  {
    number = 2,
    name = "switch",
    title = "switch: 100 tasks, each 5,000 times sleep(0)",
    per = "a switch",
    columns = NS,
    scales = true,
    targets = {
      {metric = "ns_per_op", max = 1.3, of = {"limit"}},
      {metric = "ns_per_op", max = 1.0, of = {"node"}, goal = true},
    },
  },
  {
    number = 3,
    name = "sleepers",
    title = "100,000 sleepers over one second",
    settle = true,
    per = "in all",
    columns = {"cpu_s", "wall_s", "peak_mb"},
    scales = true,
    targets = {
      {metric = "cpu_s", max = 0.7, of = {"node"}},
      {metric = "peak_mb", max = 140},
    },
  },
  {
    number = 4,
    name = "queue",
    title = "300,000 items through a queue of 100, one producer, one consumer",
    per = "an item",
    columns = NS,
    scales = true,
    targets = {{metric = "ns_per_op", max = 0.15, of = {"asyncio"}}},
  },
  {
    number = 5,
    name = "chain",
    title = "await a coroutine object, 10 deep, 100,000 times",
    per = "an await",
    columns = NS,
    targets = {{metric = "ns_per_op", max = 1.0, of = {"asyncio", "uvloop"}}},
  },
  {
    number = 6,
    name = "waitfor",
    title = "wait_for(quick, 10), 50,000 times",
    per = "a call",
    columns = NS,
    targets = {{metric = "ns_per_op", max = 0.08, of = {"uvloop"}}},
  },
  {
    number = 7,
    name = "park",
    title = "park 1,000,000 tasks on one event, wake and join them all",
    settle = true,
    per = "in all",
    columns = {"cpu_s", "wall_s", "bytes_per_op", "peak_mb"},
    targets = {
      {metric = "cpu_s", max = 1.5, of = {"limit"}},
      {metric = "bytes_per_op", max = 1300},
    },
  },
  {
    number = 9,
    name = "http",
    title = "HTTP client: 10,000 GETs of 100 bytes over 100 connections to nginx",
    per = "a request",
    columns = {"cpu_us", "wall_us", "peak_mb"},
    service = "nginx",
    targets = {{metric = "cpu_us", max = 1.25, of = {"limit"}}},
  },
  {
    number = 11,
    name = "startup",
    title = "start-up: an empty script, 8 launches in each run",
    per = "a launch",
    columns = {"wall_ms", "cpu_ms"},
    launches = 8,
    targets = {{metric = "wall_ms", max = 1.5, of = {"limit"}}},
  },
  {
    number = 12,
    name = "files",
    title = "1,000 small files written and read back, 64 at a time, 10 times",
    per = "a file",
    columns = NS,
    folder = true,
    targets = {{metric = "ns_per_op", max = 1.3, of = {"limit"}}},
  },
  {
    number = 13,
    name = "thread",
    title = "a trivial function on another thread, 50,000 times, one after the other",
    per = "a call",
    columns = {"wall_ns_per_op", "ns_per_op"},
    targets = {
      {metric = "wall_ns_per_op", max = 1.0, of = {"asyncio", "uvloop"}},
      {metric = "wall_ns_per_op", max = 1.5, of = {"limit"}, goal = true},
    },
  },
  {
    number = 13,
    name = "fib",
    title = "fib(27), 8 at a time on other threads, 10 times",
    per = "a call",
    columns = {"wall_ns_per_op", "ns_per_op"},
    -- On two cores: 1.8 times as quick.
    targets = {{metric = "wall_ns_per_op", max = 1 / 1.8, of = {"lull, one thread"}}},
  },
}
