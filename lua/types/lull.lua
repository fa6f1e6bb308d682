---@meta lull
-- What C gives to `require "lull"`: functions, classes and methods, described for editors and
-- readers. What is written in Lua is described in lua/lull/. This file is never run.
--
-- Times are seconds, sizes are numbers of items. A function that gives a lull.Coroutine starts
-- nothing: the work is done when that is awaited, and what the description says of its results and
-- errors holds for the await. One marked @async may wait before it returns, and so may be called
-- inside a task only. Wrong arguments raise an ordinary argument error at the call, in the caller.
-- Anything that waits may raise CancelledError.

--- A coroutine object: lazy, used once. `await` runs it in place; lull.create_task, lull.gather and
--- others make a task of it. Awaiting it twice is an error, dropping it brings a warning. After
--- Python's coroutine objects.
---@class lull.Coroutine: userdata

--- Whatever `await` takes: a coroutine object, a future or task, a function (called without
--- arguments; if what it gives is a coroutine object, that is awaited), or an object whose
--- metatable has `__await`, a function that is given the object and gives one of these.
---@alias lull.Awaitable lull.Coroutine|lull.Future|fun():...|table

---@class lull
---@field Error lull.Error the base of all
---@field CancelledError lull.Error the task was asked to end: see Task:cancel
---@field TimeoutError lull.Error the time of a scope, wait_for or as_completed is up
---@field InvalidStateError lull.Error a future is done already, or not yet
---@field QueueEmpty lull.Error of Queue:get_nowait
---@field QueueFull lull.Error of Queue:put_nowait
---@field QueueShutDown lull.Error the queue was shut down
---@field BrokenBarrierError lull.Error the barrier was reset or aborted
---@field DeadlockError lull.Error every task waits and nothing can wake one
---@field ExceptionGroup lull.ExceptionGroup several errors of one task group
---@field OSError lull.OSError the system said no
---@field ConnectionError lull.OSError of network connections
---@field DNSError lull.OSError of names that cannot be resolved
local lull = {}

---@class lull.ExceptionGroup: lull.Error
---@field errors any[] the errors, in the order they happened
---@overload fun(message: any, errors: any[]): lull.ExceptionGroup

---@class lull.OSError: lull.Error
---@field code string? such as "ENOENT"
---@field path string? the file concerned
---@field address string? the address concerned

-- ---- tasks --------------------------------------------------------------------------------------

--- Makes an async function: calling it gives a coroutine object that will run f with the call's
--- arguments. After `async def`.
---@param f function it may await; its return values are the results
---@param name string? what warnings and tostring call it; the place of f if left out
---@return fun(...): lull.Coroutine
function lull.async(f, name) end

--- Gives the results of an awaitable, after waiting for it if it is not done. A coroutine object
--- runs in place, as part of the running task. Raises the awaitable's error, the same value; an
--- argument error for what cannot be awaited; an error for a coroutine object that was awaited
--- before, for a task that awaits itself, outside any task, and where a C function is in between
--- that cannot wait. After `await`.
---@async
---@param awaitable lull.Awaitable
---@return any ...
function lull.await(awaitable) end

--- Makes a task of a coroutine object, a function or an object with `__await`. It starts in the
--- loop's next turn; eager: at once, up to its first wait. The runtime holds it until it is done.
--- Raises an argument error for a future or task, and for `eager` outside any task; an error if the
--- loop is closed. After asyncio.create_task.
---@param awaitable lull.Awaitable
---@param options {name: string?, eager: boolean?}? name: "Task-N" if left out
---@return lull.Task
function lull.create_task(awaitable, options) end

--- The running task; nil outside any, as in functions that the loop calls. After
--- asyncio.current_task.
---@return lull.Task?
function lull.current_task() end

--- The tasks that are not done, in no order. After asyncio.all_tasks.
---@return lull.Task[]
function lull.all_tasks() end

--- Makes a future, pending until somebody sets its result or cancels it. After loop.create_future.
---@return lull.SettableFuture
function lull.future() end

--- Starts all awaitables and gives a future of their results, in order: the first value of each.
--- gather(a, b) awaits to the values; gather{a, b} to one list, which has its length as `n`. Raises
--- the first error of a child; the others go on. Cancelling it cancels the children. The same
--- object given twice runs once. Raises argument errors; an error if the loop is closed. After
--- asyncio.gather.
---@param list {return_exceptions: boolean?, limit: integer?, n: integer?}|lull.Awaitable[]
--- return_exceptions: errors are results; limit: how many run at once, and after a failure no more
--- are started
---@return lull.Future
---@overload fun(...: lull.Awaitable): lull.Future
function lull.gather(list) end

-- ---- time ---------------------------------------------------------------------------------------

--- Waits for so many seconds. Zero or less: for one turn of the loop, in which everything else that
--- is ready runs. After asyncio.sleep.
---@param seconds number
---@param result any
---@return lull.Coroutine coroutine awaits to result, if one was given
function lull.sleep(seconds, result) end

--- Stops the whole thread for so many seconds; with the virtual clock, moves it. After time.sleep.
---@param seconds number
function lull.blocking_sleep(seconds) end

--- The clock: seconds since some moment, never going back. After time.perf_counter and loop.time.
---@return number seconds
function lull.now() end

--- A scope: `do local scope <close> = lull.timeout(5) ... end`. When the time is up the running
--- task is cancelled, and leaving the scope raises TimeoutError in place of that CancelledError.
--- Raises an error outside any task. After asyncio.timeout.
---@param seconds number? nil: no limit, until reschedule sets one
---@return lull.TimeoutScope
function lull.timeout(seconds) end

--- The same with a time of lull.now's clock. After asyncio.timeout_at.
---@param when number? nil: no limit
---@return lull.TimeoutScope
function lull.timeout_at(when) end

-- ---- futures ------------------------------------------------------------------------------------

--- A result that may not be there yet: a task, a gather, what lull.future makes. It can be awaited
--- by many, and more than once. After asyncio.Future.
---@class lull.Future: userdata
local Future = {}

--- Whether it has ended: with results, an error, or cancelled.
---@return boolean
function Future:done() end

--- Whether it was cancelled.
---@return boolean
function Future:cancelled() end

--- Its results. Raises its error, or CancelledError; InvalidStateError if it is not done.
---@return any ...
function Future:result() end

--- Its error, or nil if it has none. Raises CancelledError if it was cancelled, InvalidStateError
--- if it is not done.
---@return any
function Future:exception() end

--- Asks for its cancellation. A task gets CancelledError where it waits, a gather's children do, a
--- plain future is cancelled at once.
---@param message any? of the CancelledError
---@return boolean asked false if it was done already
function Future:cancel(message) end

--- Has a function called with the future, in the loop's next turn after it is done: outside any
--- task, so that it cannot await. Its errors go to the exception handler. Called on what is done it
--- has the function called in the next turn.
---@param f fun(future: lull.Future)
function Future:add_done_callback(f) end

--- Takes a function off again, as often as it was added.
---@param f fun(future: lull.Future)
---@return integer count how often that was
function Future:remove_done_callback(f) end

--- What lull.future makes.
---@class lull.SettableFuture: lull.Future
local SettableFuture = {}

--- Ends the future with a result. Raises InvalidStateError if it is done.
---@param value any
function SettableFuture:set_result(value) end

--- Ends the future with an error, or cancelled if that is a CancelledError. Raises
--- InvalidStateError if it is done.
---@param err any any value: it is raised as it is
function SettableFuture:set_exception(err) end

--- A coroutine that the loop runs. After asyncio.Task.
---@class lull.Task: lull.Future
local Task = {}

--- Its name.
---@return string
function Task:get_name() end

--- Sets its name.
---@param name string
function Task:set_name(name) end

--- How many requests to cancel it there were, less those taken back.
---@return integer
function Task:cancelling() end

--- Takes one request to cancel it back. When none is left, a CancelledError that is still to come
--- at the task's next wait does not come.
---@return integer left what cancelling gives then
function Task:uncancel() end

--- Where it is, if it waits: its frames, one a line. Of one that failed, where it did, and in which
--- tasks the error was before. nil if there is nothing to tell. After Task.print_stack.
---@return string?
function Task:traceback() end

-- ---- scopes and handles -------------------------------------------------------------------------

--- What lull.timeout and lull.timeout_at give. After asyncio.Timeout.
---@class lull.TimeoutScope: userdata
local TimeoutScope = {}

--- Whether the time was up before the scope was left.
---@return boolean
function TimeoutScope:expired() end

--- Whether leaving the scope raised TimeoutError. No counterpart in asyncio.
---@return boolean
function TimeoutScope:converted() end

--- When the time will be up, by lull.now's clock; nil if never, or if it was.
---@return number?
function TimeoutScope:when() end

--- Sets another time. Raises an error if the scope has expired or was left.
---@param when number? by lull.now's clock; nil for no limit
function TimeoutScope:reschedule(when) end

--- A call that the loop will make. After asyncio.Handle and asyncio.TimerHandle.
---@class lull.Handle: userdata
local Handle = {}

--- The call will not be made, if it was not yet.
function Handle:cancel() end

--- Whether it was cancelled.
---@return boolean
function Handle:cancelled() end

---@class lull.Loop
local Loop = {}

--- Has a function called in the loop's next turn, in the order of everything that is ready. It is
--- called outside any task: it cannot await. Its errors go to the exception handler. Raises an
--- error if the loop is closed. After loop.call_soon.
---@param f function
---@param ... any its arguments
---@return lull.Handle
function Loop:call_soon(f, ...) end

--- The same after so many seconds. After loop.call_later.
---@param seconds number
---@param f function
---@param ... any
---@return lull.Handle
function Loop:call_later(seconds, f, ...) end

--- The same at a time of the loop's clock. After loop.call_at.
---@param when number
---@param f function
---@param ... any
---@return lull.Handle
function Loop:call_at(when, f, ...) end

--- Sets what is called with errors that nobody gets: those of functions the loop calls, of tasks
--- and futures that nobody looked at, of shielded tasks whose awaiter was cancelled. Without one
--- they are warnings on stderr. After loop.set_exception_handler.
---@param f fun(context: {message: string, exception: any, task: lull.Future?})? nil: none
function Loop:set_exception_handler(f) end

-- ---- locks, semaphores, events ------------------------------------------------------------------

--- Makes a lock. After asyncio.Lock.
---@return lull.Lock
function lull.lock() end

--- Makes a semaphore. After asyncio.Semaphore.
---@param permits integer? 1 if left out
---@return lull.Semaphore
function lull.semaphore(permits) end

--- Makes a semaphore that cannot be released above its first number of permits. After
--- asyncio.BoundedSemaphore.
---@param permits integer? 1 if left out
---@return lull.Semaphore
function lull.bounded_semaphore(permits) end

--- Makes an event, not set. After asyncio.Event.
---@return lull.Event
function lull.event() end

--- A number of permits. Who waits for one is served in order. After asyncio.Semaphore.
---@class lull.Semaphore: userdata
local Semaphore = {}

--- Takes a permit, after waiting for one if there is none: `local guard <close> =
--- await(s:acquire())`.
---@return lull.Coroutine coroutine awaits to a lull.Guard
function Semaphore:acquire() end

--- Gives a permit back; to whom has waited longest, if anybody has. Raises an error if a lock is
--- not held, or a bounded semaphore has all its permits.
function Semaphore:release() end

--- Whether there is no permit: the lock is held.
---@return boolean
function Semaphore:locked() end

--- A semaphore of one permit. Not reentrant, and not tied to the task that has it. After
--- asyncio.Lock.
---@class lull.Lock: lull.Semaphore

--- What acquire gives: a value to close, which gives the permit back once. Of a lock that was
--- released by its name already it does nothing.
---@class lull.Guard: userdata
local Guard = {}

--- Gives the permit back before the guard is closed.
function Guard:release() end

--- Something that happens once, until it is cleared. After asyncio.Event.
---@class lull.Event: userdata
local Event = {}

--- Waits until it is set.
---@return lull.Coroutine coroutine awaits to true
function Event:wait() end

--- Sets it, and wakes all that wait.
function Event:set() end

--- Clears it: who waits from now on waits for the next set.
function Event:clear() end

--- Whether it is set.
---@return boolean
function Event:is_set() end

-- ---- queues -------------------------------------------------------------------------------------

--- Makes a queue, first in first out. After asyncio.Queue.
---@param maxsize integer? how many items it may hold; 0, or left out: any number
---@return lull.Queue
function lull.queue(maxsize) end

--- Makes a queue, last in first out. After asyncio.LifoQueue.
---@param maxsize integer?
---@return lull.Queue
function lull.lifo_queue(maxsize) end

--- Makes a queue, least item first; the order of equal ones is open. After asyncio.PriorityQueue.
---@param maxsize integer?
---@param less (fun(a: any, b: any): boolean)? whether a goes before b; `<` if left out. It cannot
--- await; its errors are raised by put, get and their like, which then have changed nothing
---@return lull.Queue
function lull.priority_queue(maxsize, less) end

--- Items on their way from task to task. Who waits is served in order. After asyncio.Queue.
---@class lull.Queue: userdata
local Queue = {}

--- Takes an item, after waiting for one if there is none. Raises QueueShutDown if the queue is shut
--- down and empty.
---@return lull.Coroutine coroutine awaits to the item
function Queue:get() end

--- Adds an item, after waiting for room if there is none. Raises QueueShutDown if the queue is shut
--- down.
---@param item any not nil
---@return lull.Coroutine
function Queue:put(item) end

--- Takes an item. Raises QueueEmpty if there is none; QueueShutDown if none will come.
---@return any
function Queue:get_nowait() end

--- Adds an item. Raises QueueFull if there is no room, QueueShutDown if the queue is shut down.
---@param item any not nil
function Queue:put_nowait(item) end

--- How many items there are.
---@return integer
function Queue:qsize() end

--- How many items there may be; 0: any number.
---@return integer
function Queue:maxsize() end

--- Whether there is no item.
---@return boolean
function Queue:empty() end

--- Whether there is no room.
---@return boolean
function Queue:full() end

--- Says that an item that was taken is worked off. Raises an error if called more often than items
--- were put.
function Queue:task_done() end

--- Waits until all items that were put are worked off.
---@return lull.Coroutine
function Queue:join() end

--- Ends the queue: nothing can be put any more, and get raises QueueShutDown once the queue is
--- empty; who waits is woken.
---@param immediate boolean? throw away the items there are, as if they were worked off
function Queue:shutdown(immediate) end

--- For a loop over the items, `for item in queue:iter() do ... end`: each step takes one, and waits
--- if there is none; the loop ends when the queue is shut down and empty. No counterpart in
--- asyncio.
---@return async fun(queue: lull.Queue): any
---@return lull.Queue
function Queue:iter() end

return lull
