/* Two runtimes in one process, taking turns on one loop and on their own. */
#include "check.h"

static const char script[] =
    "local lull = require 'lull'\n"
    "steps = 0\n"
    "function task()\n"
    "  for i = 1, 10 do lull.await(lull.sleep(0.001)) steps = steps + 1 end\n"
    "end\n";

static void on_one_loop(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  lull_options options;
  lull_options_init(&options);
  options.loop = &loop;
  lull_t *a, *b;
  CHECK(lull_new(&a, &options) == 0);
  CHECK(lull_new(&b, &options) == 0);
  CHECK(lull_state(a) != lull_state(b));
  run_ok(a, script);
  run_ok(b, script);
  CHECK(spawn(a, "task") == 0);
  CHECK(spawn(b, "task") == 0);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0); /* the host drives both at once */
  CHECK(global(a, "steps") == 10 && global(b, "steps") == 10);
  CHECK(spawn(b, "task") == 0);
  run_ok(a, "local lull = require 'lull' lull.await(lull.sleep(0.1))");
  CHECK(global(b, "steps") == 20); /* a's run served b's task */
  lull_close(a);
  CHECK(spawn(b, "task") == 0);
  CHECK(lull_run(b, 0) == 0);
  lull_close(b);
  CHECK(uv_loop_close(&loop) == 0);
}

static lull_t *other;

static int run_other(lua_State *L) {
  (void)L;
  run_ok(other, "local lull = require 'lull'\n"
                "lull.await(lull.gather(lull.sleep(0.001), lull.sleep(0.002))) x = 1");
  return 0;
}

/* A task of one runs a script in the other, which has a loop of its own. */
static void one_inside_the_other(void) {
  lull_t *lull = new_default();
  other = new_default();
  lua_register(lull_state(lull), "run_other", run_other);
  run_ok(lull, "run_other() require('lull').await(require('lull').sleep(0.001)) run_other()");
  CHECK(global(other, "x") == 1);
  CHECK(global(lull, "x") == 0);
  lull_close(other);
  lull_close(lull);
}

int main(void) {
  on_one_loop();
  one_inside_the_other();
  return 0;
}
