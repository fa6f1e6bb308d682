/* lull_close: what is left is cancelled and unwinds, and the last warnings are given. */
#include "check.h"

static char said[4096];

static void on_warning(void *data, const char *message) {
  CHECK(data == said);
  CHECK(strlen(said) + strlen(message) + 2 < sizeof said);
  size_t used = strlen(said);
  snprintf(said + used, sizeof said - used, "%s\n", message);
}

static lull_t *new_listened(uv_loop_t *loop) {
  lull_options options;
  lull_options_init(&options);
  options.loop = loop;
  options.warn = on_warning;
  options.warn_data = said;
  lull_t *lull;
  said[0] = '\0';
  CHECK(lull_new(&lull, &options) == 0);
  return lull;
}

static int cleanups;

static int cleaned(lua_State *L) {
  (void)L;
  cleanups++;
  return 0;
}

static const char tasks[] =
    "local lull = require 'lull'\n"
    "local await = lull.await\n"
    "local function cleanup(delay) return setmetatable({}, {__close = function()\n"
    "  await(lull.sleep(delay))\n"
    "  await(lull.gather(lull.sleep(0), lull.async(function() await(lull.sleep(delay)) end)()))\n"
    "  cleaned()\n"
    "end}) end\n"
    "function waits() local _ <close> = cleanup(0.002) await(lull.event():wait()) end\n"
    "function sleeps() local _ <close> = cleanup(0.001) await(lull.sleep(60)) end\n"
    "function gets() local _ <close> = cleanup(0) await(lull.queue():get()) end\n"
    "function group()\n"
    "  local _ <close> = cleanup(0)\n"
    "  local tg <close> = lull.task_group()\n"
    "  tg:create_task(sleeps) tg:create_task(waits)\n"
    "end\n"
    "function gathers() local _ <close> = cleanup(0) await(lull.gather(sleeps, waits)) end\n"
    "function spawns()\n"
    "  local _ <close> = setmetatable({}, {__close = function()\n"
    "    await(lull.create_task(function() await(lull.sleep(0.001)) end))\n"
    "    cleaned()\n"
    "  end})\n"
    "  await(lull.future())\n"
    "end\n"
    "function stubborn() while true do pcall(await, lull.future()) end end\n"
    "function never_started() cleaned() end\n";

static void lets_tasks_unwind(uv_loop_t *loop) {
  lull_t *lull = new_listened(loop);
  lua_register(lull_state(lull), "cleaned", cleaned);
  run_ok(lull, tasks);
  cleanups = 0;
  const char *const names[] = {"waits", "sleeps", "gets", "group", "gathers", "spawns"};
  for (int i = 0; i < 6; i++)
    CHECK(spawn(lull, names[i]) == 0);
  for (int i = 0; i < 5; i++)
    CHECK(lull_run(lull, 1) > 0);
  CHECK(spawn(lull, "never_started") == 0);
  CHECK(cleanups == 0);
  lull_close(lull);
  CHECK(cleanups == 10);
  CHECK(strcmp(said, "") == 0);
}

/* One that will not go is left. */
static void gives_up_on_stubborn_tasks(uv_loop_t *loop) {
  lull_t *lull = new_listened(loop);
  run_ok(lull, tasks);
  CHECK(spawn(lull, "stubborn") == 0);
  CHECK(lull_run(lull, 1) != 0);
  lull_close(lull);
}

static void tells_what_was_left(uv_loop_t *loop) {
  lull_t *lull = new_listened(loop);
  run_ok(lull, "local lull = require 'lull'\n"
               "kept = lull.async(function() end)()\n"
               "failed = lull.create_task(function() error('oops') end, {name = 'first'})\n"
               "lull.create_task(function() error({}) end, {name = 'second'})\n"
               "lull.await(lull.sleep(0))\n"
               "future = lull.future() future:set_exception('bad')");
  lull_close(lull);
  CHECK_HAS(said, "task 'first' failed and nobody looked: spec:3: oops\n"
                  "stack traceback:\n\tspec:3: in function <spec:3>\n"
                  "task 'second' failed and nobody looked: (error object is a table value)\n");
  CHECK_HAS(said, "\na future failed and nobody looked: bad\n"
                  "coroutine object (spec:2) was never awaited (made at spec:2)\n");
}

/* Cleanup that runs while the runtime is closed may fail, and start others. */
static void survives_bad_cleanup(uv_loop_t *loop) {
  lull_t *lull = new_listened(loop);
  run_ok(lull, "local lull = require 'lull'\n"
               "function bad()\n"
               "  local _ <close> = setmetatable({}, {__close = function() error('worse') end})\n"
               "  lull.await(lull.future())\n"
               "end\n"
               "function breeds()\n"
               "  local _ <close> = setmetatable({}, {__close = function()\n"
               "    lull.create_task(function() lull.await(lull.sleep(0.001)) end)\n"
               "  end})\n"
               "  lull.await(lull.future())\n"
               "end\n"
               "setmetatable({}, {__gc = function() pcall(lull.create_task, print) end})");
  CHECK(spawn(lull, "bad") == 0);
  CHECK(spawn(lull, "breeds") == 0);
  CHECK(lull_run(lull, 1) == LULL_EDEADLOCK);
  lull_close(lull);
  CHECK_HAS(said, "failed and nobody looked: spec:3: worse");
}

static void all(uv_loop_t *loop) {
  lets_tasks_unwind(loop);
  gives_up_on_stubborn_tasks(loop);
  tells_what_was_left(loop);
  survives_bad_cleanup(loop);
}

int main(void) {
  all(NULL);
  uv_loop_t loop;
  uv_loop_init(&loop);
  all(&loop);
  CHECK(uv_loop_close(&loop) == 0);
  return 0;
}
