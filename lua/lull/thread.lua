-- lull.thread: Lua functions on OS threads, each with a Lua state of its own.
local check = require "lull.check"
local _, core = ...
local errors = require "lull.errors"
local shield = require("lull.wait").shield

local binding = core.binding("thread")
local async, await = core.async, core.await

local IDLE = 30 -- seconds; then a thread that has nothing to do ends
local MAX_SIZE = 1024
local MOST_ITEMS = 1 << 26 -- of a list to map

local M = {}

-- ---- pools --------------------------------------------------------------------------------------

local start = async(binding.run, "to_thread")
local start_in_pool = async(binding.run, "pool:run")

local function check_function(name, f)
  if type(f) ~= "function" then
    check.fail(1, name, ("function expected, got %s"):format(type(f)), 1)
  end
  if core.is_async(f) then
    check.fail(1, name, "a plain function expected, got an async function", 1)
  end
end

local function default_size() return math.max(4, binding.parallelism()) end

local default -- the handle of the pool that to_thread uses

--- Runs a function on another thread: lull.to_thread, which has the details.
---@param f function
---@param ... any
---@return lull.Coroutine coroutine awaits to what f returns
function M.to_thread(f, ...)
  check_function("to_thread", f)
  default = default or binding.new_pool(default_size(), IDLE)
  return start(default, f, ...)
end

--- A number of threads that functions are run on. It stays until it is closed or collected.
---@class lull.ThreadPool
---@field size integer how many threads it has at most
local Pool = {__name = "lull thread pool"}
Pool.__index = Pool

local function check_open(self, name)
  check.self(self, Pool, name, 1)
  if self.closed then error("the pool is closed", 3) end
end

--- Runs a function on one of the pool's threads, as lull.to_thread does. If all are busy it waits
--- its turn: first come, first served. Raises the function's error; an error if the pool is closed,
--- InvalidStateError if it is closed before the function's turn comes; what lull.to_thread does.
--- After Executor.submit of concurrent.futures.
---@param f function
---@param ... any
---@return lull.Coroutine coroutine awaits to what f returns
function Pool:run(f, ...)
  check_open(self, "run")
  check_function("run", f)
  return start_in_pool(self.handle, f, ...)
end

-- So many calls are on their way at once: while one runs the next is there already.
local function map_workers(self, n) return math.min(n, 2 * self.size) end

local function cancel_all(tasks)
  for _, task in ipairs(tasks) do task:cancel() end
  await(core.gather {return_exceptions = true, table.unpack(tasks)})
end

local function map(self, f, items, n)
  local results, next_item, tasks = {n = n}, 0, {}
  local function work()
    while next_item < n do
      next_item = next_item + 1
      local i = next_item
      results[i] = await(start_in_pool(self.handle, f, items[i]))
    end
  end
  for i = 1, map_workers(self, n) do tasks[i] = core.create_task(work) end
  local ok, err = core.pcall(await, core.gather(tasks))
  if ok then return results end
  cancel_all(tasks)
  error(err, 0)
end

local start_map = async(map, "pool:map")

--- Calls a function with each item of a list on the pool's threads. Raises the first error of a
--- call: then no more are started. Raises argument errors; an error if the pool is closed; what
--- lull.to_thread does. After Executor.map of concurrent.futures.
---@param f fun(item: any): any
---@param list any[] copied at once; one that may hold nil has its length as `n`
---@return lull.Coroutine coroutine awaits to the list of the first results, in order, and their
--- number as its `n`
function Pool:map(f, list)
  check_open(self, "map")
  check_function("map", f)
  local n = check.list(2, "map", list)
  if n > MOST_ITEMS then check.fail(2, "map", "not the length of a list") end
  return start_map(self, f, table.move(list, 1, n, 1, {}), n)
end

local function close_pool(self)
  self.closed = true
  binding.close_pool(self.handle)
  binding.wait_pool(self.handle)
end

local start_close = async(close_pool, "pool:close")

--- Closes the pool: what waits for its turn raises InvalidStateError, what runs goes on to its end,
--- which close waits for. Closing it again waits, too. After Executor.shutdown of
--- concurrent.futures, with cancel_futures.
---@return lull.Coroutine
function Pool:close()
  check.self(self, Pool, "close")
  return start_close(self)
end

function Pool:__close() close_pool(self) end

function Pool:__tostring()
  return ("thread pool (size=%d%s)"):format(self.size, self.closed and " closed" or "")
end

--- Makes a pool of threads; they start as they are needed. Raises argument errors. After
--- concurrent.futures.ThreadPoolExecutor.
---@param options {size: integer?}? size: how many threads at most; by default as many as there are
--- processors, and at least 4
---@return lull.ThreadPool
function M.pool(options)
  options = check.options(1, "pool", options, {size = true})
  local size = options.size
  if size == nil then size = default_size() end
  if math.type(size) ~= "integer" or size < 1 or size > MAX_SIZE then
    check.fail(1, "pool", ("option 'size' must be an integer from 1 to %d"):format(MAX_SIZE))
  end
  return setmetatable({
    size = size,
    handle = binding.new_pool(size, IDLE),
    closed = false,
  }, Pool)
end

-- ---- workers ------------------------------------------------------------------------------------

--- The worker's end of the messages; the function that runs on the worker's thread gets it.
---@class lull.Port
local Port = {__name = "lull port"}
Port.__index = Port

--- Waits for the next message, blocking the thread. Gives nil once the worker was closed and what
--- was sent before has been received. Raises an error if the message cannot be unpacked here.
---@return any message
function Port:receive()
  check.self(self, Port, "receive")
  return (binding.port_receive(self.handle))
end

--- Sends a message; does not wait. It is copied, as the arguments of lull.to_thread are. Raises
--- QueueFull when 64 MiB of messages wait to be received; an error if the message is nil or cannot
--- be copied.
---@param message any
function Port:send(message)
  check.self(self, Port, "send")
  if message == nil then check.fail(1, "send", "nil cannot be sent") end
  binding.port_send(self.handle, message)
end

binding.new_port = function(handle) return setmetatable({handle = handle}, Port) end

--- A function that runs on a thread of its own, and exchanges messages.
---@class lull.Worker
local Worker = {__name = "lull worker"}
Worker.__index = Worker

-- Waits for the end; raises the worker's error. Who is cancelled here does not end the worker.
local function join(self)
  local ok, err = core.pcall(await, shield(self.task))
  if ok then return end
  if not self.task:done() then error(err, 0) end
  self.raised = true
  error(err, 0)
end

local function send(self, message)
  if binding.send(self.handle, message) then return end
  if self.closed then error("the worker is closed", 0) end
  join(self)
  error(errors.InvalidStateError("the worker has ended"), 0)
end

local start_send = async(send, "worker:send")

--- Sends the worker a message, which is copied, as the arguments of lull.to_thread are. If 64 were
--- not received yet it waits until one is. Raises an error if the message is nil, cannot be
--- copied, or the worker is closed; the worker's error if it has failed, InvalidStateError if it
--- has ended.
---@param message any
---@return lull.Coroutine
function Worker:send(message)
  check.self(self, Worker, "send")
  if message == nil then check.fail(1, "send", "nil cannot be sent") end
  if self.closed then error("the worker is closed", 2) end
  return start_send(self, message)
end

local function receive(self)
  local received, message = binding.receive(self.handle)
  if received then return message end
  join(self)
  return nil
end

local start_receive = async(receive, "worker:receive")

--- Waits for the next message of the worker. Gives nil when its function has returned and no
--- message is left. Raises the worker's error then, if it has failed.
---@return lull.Coroutine coroutine awaits to the message
function Worker:receive()
  check.self(self, Worker, "receive")
  return start_receive(self)
end

local function close_worker(self)
  self.closed = true
  binding.close_worker(self.handle)
  if not self.raised then join(self) end
end

local start_worker_close = async(close_worker, "worker:close")

--- Closes the worker: its port gives what was sent before, and then nil. Waits for its function to
--- return; messages it has sent can still be received. Raises the worker's error, unless send or
--- receive have raised it before. A second time it only waits.
---@return lull.Coroutine
function Worker:close()
  check.self(self, Worker, "close")
  return start_worker_close(self)
end

function Worker:__close() close_worker(self) end

function Worker:__tostring()
  local state = self.task:done() and "ended" or self.closed and "closed" or "running"
  return ("worker (%s)"):format(state)
end

--- Starts a function on a thread of its own, in a new Lua state: `f(port, ...)`. It and the
--- arguments are copied at once, as lull.to_thread does. What it returns is dropped. Raises
--- argument errors, and an error that names what cannot be copied. After the Worker of HTML's Web
--- Workers.
---@param f fun(port: lull.Port, ...)
---@param ... any
---@return lull.Worker
function M.worker(f, ...)
  check_function("worker", f)
  local handle = binding.start_worker(f, ...)
  local task = core.create_task(function() binding.join(handle) end, {name = "worker"})
  return setmetatable({handle = handle, task = task, closed = false, raised = false}, Worker)
end

return M
