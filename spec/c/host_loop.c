/* A runtime on a loop of the host's: the host's handles are served while scripts run, and the
 * loop has none of lull's when the runtime is closed. */
#include "check.h"

static int ticks;

static void on_tick(uv_timer_t *timer) {
  (void)timer;
  ticks++;
}

static void count_handle(uv_handle_t *handle, void *count) {
  (void)handle;
  ++*(int *)count;
}

static lull_t *new_on(uv_loop_t *loop) {
  lull_options options;
  lull_options_init(&options);
  options.loop = loop;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  CHECK(lull_loop(lull) == loop);
  return lull;
}

/* The ticks make the sleep last as long as 10 of them, whatever the machine's pace. */
static void serves_the_hosts_handles(uv_loop_t *loop) {
  uv_timer_t timer;
  uv_timer_init(loop, &timer);
  uv_timer_start(&timer, on_tick, 1, 1);
  lull_t *lull = new_on(loop);
  run_ok(lull, "local lull = require 'lull' lull.await(lull.sleep(0.05))");
  CHECK(ticks > 0);
  CHECK(uv_is_active((uv_handle_t *)&timer));
  lull_close(lull);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
}

/* The host's uv_run drives the tasks, and ends when they do. */
static void lets_the_host_run_the_loop(uv_loop_t *loop) {
  lull_t *lull = new_on(loop);
  run_ok(lull, "function task()\n"
               "  local lull = require 'lull'\n"
               "  for _ = 1, 5 do lull.await(lull.sleep(0.001)) lull.await(lull.sleep(0)) end\n"
               "  done = (done or 0) + 1\n"
               "end");
  for (int i = 0; i < 3; i++)
    CHECK(spawn(lull, "task") == 0);
  CHECK(global(lull, "done") == 0);
  CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
  CHECK(global(lull, "done") == 3);
  CHECK(spawn(lull, "task") == 0);
  while (uv_run(loop, UV_RUN_ONCE))
    continue;
  CHECK(global(lull, "done") == 4);
  lull_close(lull);
}

/* A runtime at rest does not keep the loop alive. */
static void rests(uv_loop_t *loop) {
  lull_t *lull = new_on(loop);
  CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
  run_ok(lull, "x = 1");
  CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
  lull_close(lull);
  lull = new_on(loop);
  lull_close(lull);
}

static void is_woken_by_the_host(uv_loop_t *loop);

int main(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  serves_the_hosts_handles(&loop);
  lets_the_host_run_the_loop(&loop);
  rests(&loop);
  is_woken_by_the_host(&loop);
  int handles = 0;
  uv_walk(&loop, count_handle, &handles);
  CHECK(handles == 0);
  CHECK(uv_loop_close(&loop) == 0);
  return 0;
}

/* A C function completes a future from a callback of the host's: from outside any task. */
static void on_wake(uv_timer_t *timer) {
  lua_State *L = timer->data;
  lua_getglobal(L, "future");
  lua_getfield(L, -1, "set_result");
  lua_insert(L, -2);
  lua_pushinteger(L, 42);
  lua_call(L, 2, 0);
}

static void is_woken_by_the_host(uv_loop_t *loop) {
  lull_t *lull = new_on(loop);
  run_ok(lull, "future = require('lull').future()");
  uv_timer_t timer;
  uv_timer_init(loop, &timer);
  timer.data = lull_state(lull);
  uv_timer_start(&timer, on_wake, 1, 0);
  run_ok(lull, "assert(require('lull').await(future) == 42)");
  uv_close((uv_handle_t *)&timer, NULL);
  lull_close(lull);
}
