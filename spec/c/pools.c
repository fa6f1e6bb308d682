/* Threads that run Lua, of several runtimes at once, and what becomes of them when these close. */
#include "check.h"

#include <unistd.h>

#ifdef __SANITIZE_THREAD__
/* libuv closes descriptors behind the sanitizer's back: a number that another thread gets next
 * looks as if it had two owners. Signals may come late. */
LULL_API const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
  return "race_top:epoll_create1\nrace_top:eventfd\nrace_top:pipe2\n";
}
#define SIGNALS_COME_AT_ONCE 0
#else
#define SIGNALS_COME_AT_ONCE 1
#endif

#define RUNTIMES 3

static const char exercise[] =
    "local lull = require 'lull'\n"
    "local thread = require 'lull.thread'\n"
    "local await = lull.await\n"
    "local shared = {1, 2, 3}\n"
    "local function sum(n, list)\n"
    "  local s = #shared\n"
    "  for i = 1, #list do s = s + list[i] end\n"
    "  return s + n, {list = list, text = ('x'):rep(n)}\n"
    "end\n"
    "result = 0\n"
    "for round = 1, 20 do\n"
    "  local jobs = {}\n"
    "  for i = 1, 20 do jobs[i] = lull.create_task(lull.to_thread(sum, i, {round, i})) end\n"
    "  for i = 1, 20, 3 do jobs[i]:cancel() end\n"
    "  for i = 1, 20 do\n"
    "    local ok, value = pcall(await, jobs[i])\n"
    "    if ok then result = result + value end\n"
    "  end\n"
    "  assert(not pcall(await, lull.to_thread(error, 'expected')))\n"
    "  collectgarbage('step')\n"
    "end\n"
    "do\n"
    "  local pool <close> = thread.pool{size = 2}\n"
    "  for _, x in ipairs(await(pool:map(math.abs, {-1, -2, -3}))) do result = result + x end\n"
    "end\n"
    "local function echo(port)\n"
    "  for m in function() return port:receive() end do port:send(m) end\n"
    "end\n"
    "for _ = 1, 3 do\n"
    "  local worker <close> = thread.worker(echo)\n"
    "  local sender = lull.create_task(function()\n"
    "    for i = 1, 200 do await(worker:send{i}) end\n"
    "  end)\n"
    "  for i = 1, 200 do result = result + await(worker:receive())[1] end\n"
    "  await(sender)\n"
    "end\n"
    "assert(#await(lull.loop():getaddrinfo('127.0.0.1', 1)) == 1)\n"
    "local deep = lull.to_thread(function()\n"
    "  local inner = require 'lull'\n"
    "  return inner.run(inner.to_thread(function() return 7 end))\n"
    "end)\n"
    "result = result + await(deep)\n";

/* Of 20 rounds of 20 jobs every third is cancelled before it starts. */
static double expected(void) {
  double sum = 7 + 6 + 3 * 20100;
  for (int round = 1; round <= 20; round++)
    for (int i = 1; i <= 20; i++)
      if (i % 3 != 1) sum += 3 + round + i + i;
  return sum;
}

static void live(void *data) {
  double *result = data;
  for (int i = 0; i < 2; i++) {
    lull_t *lull = new_default();
    run_ok(lull, exercise);
    *result = global(lull, "result");
    CHECK(lull_close(lull) == 0);
  }
}

static void each_has_its_own(void) {
  uv_thread_t threads[RUNTIMES];
  double results[RUNTIMES] = {0};
  for (int i = 0; i < RUNTIMES; i++)
    CHECK(uv_thread_create(&threads[i], live, &results[i]) == 0);
  for (int i = 0; i < RUNTIMES; i++)
    uv_thread_join(&threads[i]);
  for (int i = 0; i < RUNTIMES; i++)
    CHECK(results[i] == expected());
}

/* Runs a function on a thread, which is still at it when the runtime closes; gives what that said.
 */
static int close_with(const char *function) {
  lull_t *lull = new_default();
  char code[1000];
  snprintf(code, sizeof code,
           "local lull = require 'lull'\n"
           "local started = os.tmpname()\n"
           "os.remove(started)\n"
           "lull.create_task(lull.to_thread(function(name, f)\n"
           "  io.open(name, 'w'):close()\n"
           "  f()\n"
           "end, started, %s))\n"
           "repeat lull.await(lull.sleep(0.001)) until os.remove(started)\n",
           function);
  run_ok(lull, code);
  return lull_close(lull);
}

static void are_stopped(void) {
  uint64_t begin = uv_hrtime();
  int status = close_with("function() while true do end end");
  CHECK(status == 0 || !SIGNALS_COME_AT_ONCE);
  CHECK(close_with("function() require('lull').blocking_sleep(1000) end") == 0);
  CHECK(close_with("function() require('lull').run(require('lull').sleep(1000)) end") == 0);
  CHECK(uv_hrtime() - begin < UINT64_C(10000000000));
}

/* One that blocks in C goes on after the runtime has closed, and ends by itself. */
static void are_left(void) {
  uint64_t begin = uv_hrtime();
  char name[] = "/tmp/lull_left_XXXXXX", function[200];
  int fd = mkstemp(name);
  CHECK(fd >= 0);
  close(fd);
  snprintf(function, sizeof function, "function() os.execute('sleep 1') os.remove('%s') end", name);
  CHECK(close_with(function) == UV_EBUSY);
  CHECK(uv_hrtime() - begin < UINT64_C(900000000));
  CHECK(access(name, F_OK) == 0);
  usleep(1500000);
  unlink(name); /* if it was interrupted after the sleep */
}

/* A limit of the runtime's memory is one of its threads' states as well. */
static void have_its_limit(void) {
  lull_options options;
  lull_options_init(&options);
  options.memory_limit = (size_t)32 * 1024 * 1024;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  run_ok(lull, "local lull = require 'lull'\n"
               "local function grow(mib) return #(('x'):rep(mib * 1024 * 1024)) end\n"
               "assert(lull.await(lull.to_thread(grow, 4)) == 4 * 1024 * 1024)\n"
               "local ok, err = pcall(lull.await, lull.to_thread(grow, 64))\n"
               "assert(not ok and tostring(err):find('not enough memory'), err)\n"
               "assert(lull.await(lull.to_thread(grow, 4)) == 4 * 1024 * 1024)\n");
  CHECK(lull_close(lull) == 0);
}

/* In a loop and a state of the host's. */
static void leave_nothing(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lull_options options;
  lull_options_init(&options);
  options.loop = &loop;
  options.state = L;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  run_ok(lull, exercise);
  run_ok(lull, "pool = require('lull.thread').pool()\n"
               "worker = require('lull.thread').worker(function(port) port:receive() end)");
  CHECK(lull_close(lull) == 0);
  CHECK(uv_loop_close(&loop) == 0);
  CHECK(luaL_dostring(L, "pool:run(print)") != LUA_OK);
  lua_close(L);
}

int main(void) {
  each_has_its_own();
  are_stopped();
  are_left();
  have_its_limit();
  leave_nothing();
  return 0;
}
