/* lull_spawn and lull_run: tasks without a main one. */
#include "check.h"

static const char functions[] =
    "local lull = require 'lull'\n"
    "count = 0\n"
    "event = lull.event()\n"
    "function sleeper() lull.await(lull.sleep(0.002)) count = count + 1 end\n"
    "function waiter() lull.await(event:wait()) count = count + 1 end\n"
    "function setter() event:set() end\n"
    "function failing() error('boom') end\n"
    "function adder(a, b) count = count + a + b end\n"
    "function busy() for _ = 1, 3 do lull.await(lull.sleep(0)) end count = count + 1 end\n";

static int warnings;

static void on_warning(void *data, const char *message) {
  CHECK(data == &warnings);
  CHECK_HAS(message, "failed and nobody looked: spec:7: boom");
  warnings++;
}

static void runs_to_the_end(lull_t *lull) {
  run_ok(lull, "count = 0");
  CHECK(lull_run(lull, 0) == 0);
  for (int i = 0; i < 10; i++)
    CHECK(spawn(lull, "sleeper") == 0);
  CHECK(lull_run(lull, 0) == 0);
  CHECK(global(lull, "count") == 10);
}

static void hands_over_arguments(lull_t *lull) {
  lua_State *L = lull_state(lull);
  run_ok(lull, "count = 0");
  lua_getglobal(L, "adder");
  lua_pushinteger(L, 40);
  lua_pushinteger(L, 2);
  CHECK(lull_spawn(lull, 2) == 0);
  CHECK(lua_gettop(L) == 0);
  CHECK(lull_run(lull, 0) == 0);
  CHECK(global(lull, "count") == 42);
}

static void goes_one_round_at_a_time(lull_t *lull) {
  run_ok(lull, "count = 0");
  CHECK(spawn(lull, "sleeper") == 0);
  CHECK(spawn(lull, "busy") == 0);
  CHECK(lull_run(lull, 1) >= 1); /* the sleeper is not done, and nothing blocks */
  int left;
  do
    left = lull_run(lull, 1);
  while (left > 0);
  CHECK(left == 0);
  CHECK(global(lull, "count") == 2);
}

static void tells_a_deadlock(lull_t *lull) {
  run_ok(lull, "count = 0 event:clear()");
  CHECK(spawn(lull, "waiter") == 0);
  CHECK(lull_run(lull, 0) == LULL_EDEADLOCK);
  CHECK_HAS(lull_error(lull), "deadlock");
  CHECK_HAS(lull_error(lull), "waits for an event at spec:5");
  CHECK(lull_run(lull, 1) == LULL_EDEADLOCK);
  CHECK(spawn(lull, "setter") == 0); /* the waiter is as it was */
  CHECK(lull_run(lull, 0) == 0);
  CHECK(global(lull, "count") == 1);
}

static void goes_on_when_a_task_fails(lull_t *lull) {
  run_ok(lull, "count = 0");
  CHECK(spawn(lull, "failing") == 0);
  CHECK(spawn(lull, "sleeper") == 0);
  CHECK(lull_run(lull, 0) == 0);
  CHECK(global(lull, "count") == 1);
}

/* What was spawned before a script runs is served with it, and cancelled at its end. */
static void runs_beside_a_script(lull_t *lull) {
  run_ok(lull, "count = 0 event:clear()");
  CHECK(spawn(lull, "sleeper") == 0);
  CHECK(spawn(lull, "waiter") == 0);
  run_ok(lull, "local lull = require 'lull' lull.await(lull.sleep(0.02))");
  CHECK(global(lull, "count") == 1);
  CHECK(lull_run(lull, 0) == 0);
}

int main(void) {
  lull_options options;
  lull_options_init(&options);
  options.warn = on_warning;
  options.warn_data = &warnings;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  run_ok(lull, functions);
  runs_to_the_end(lull);
  hands_over_arguments(lull);
  goes_one_round_at_a_time(lull);
  tells_a_deadlock(lull);
  goes_on_when_a_task_fails(lull);
  runs_beside_a_script(lull);
  lull_close(lull);
  CHECK(warnings == 1);
  return 0;
}
