/* Every way to fail has its code and its text. */
#include "check.h"

static int busy[4];

/* Called by a task: the runtime is running already. */
static int call_back(lua_State *L) {
  lull_t *lull = lua_touserdata(L, lua_upvalueindex(1));
  lua_State *main = lull_state(lull);
  int top = lua_gettop(main);
  busy[0] = run(lull, "return");
  busy[1] = lull_run(lull, 0);
  busy[2] = lull_run_file(lull, "none.lua", 0, NULL);
  lua_pushcfunction(main, call_back);
  lua_pushinteger(main, 1);
  busy[3] = lull_run_function(lull, 1);
  CHECK(lua_gettop(main) == top);
  return 0;
}

static void busy_runtime(lull_t *lull) {
  lua_State *L = lull_state(lull);
  lua_pushlightuserdata(L, lull);
  lua_pushcclosure(L, call_back, 1);
  lua_setglobal(L, "call_back");
  run_ok(lull, "call_back() require('lull').await(require('lull').sleep(0)) call_back()");
  for (int i = 0; i < 4; i++)
    CHECK(busy[i] == LULL_EBUSY);
}

static void scripts_that_fail(lull_t *lull) {
  CHECK(run(lull, "x = = 1") == LULL_ESYNTAX);
  CHECK(strcmp(lull_error(lull), "spec:1: unexpected symbol near '='") == 0);
  CHECK(run(lull, "local function f() error('boom') end\nf()") == LULL_ESCRIPT);
  CHECK(strcmp(lull_error(lull), "spec:1: boom\nstack traceback:\n"
                                 "\tspec:1: in local 'f'\n\tspec:2: in main chunk") == 0);
  CHECK(run(lull, "error({})") == LULL_ESCRIPT);
  CHECK_HAS(lull_error(lull), "(error object is a table value)");
  CHECK(run(lull, "local lull = require 'lull'\n"
                  "lull.current_task():cancel('enough')\n"
                  "lull.await(lull.sleep(1))") == LULL_ESCRIPT);
  CHECK_HAS(lull_error(lull), "CancelledError: enough");
  CHECK(lull_run_string(lull, "\x1bLua", 4, "=binary", 0, NULL) == LULL_ESYNTAX);
  CHECK(lull_run_file(lull, "/no/such/file", 0, NULL) == UV_ENOENT);
}

static void deadlocks(lull_t *lull) {
  CHECK(run(lull, "cleaned = 0\n"
                  "local lull = require 'lull'\n"
                  "local _ <close> = setmetatable({}, {__close = function()\n"
                  "  lull.await(lull.sleep(0.001)) cleaned = cleaned + 1\n"
                  "end})\n"
                  "lull.create_task(function()\n"
                  "  local _ <close> = setmetatable({}, {__close = function()\n"
                  "    lull.await(lull.sleep(0.002)) cleaned = cleaned + 1\n"
                  "  end})\n"
                  "  lull.await(lull.event():wait())\n"
                  "end, {name = 'other'})\n"
                  "lull.await(lull.future())") == LULL_EDEADLOCK);
  CHECK_HAS(lull_error(lull), "task 'main' waits for a future at spec:12");
  CHECK_HAS(lull_error(lull), "task 'other' waits for an event at spec:10");
  CHECK(global(lull, "cleaned") == 2);
}

static void exits(void) {
  lull_options options;
  lull_options_init(&options);
  options.main_is_script = 1;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  CHECK(run(lull, "function leave() os.exit(3, true) end\n"
                  "require('lull').create_task(leave)\n"
                  "require('lull').await(require('lull').sleep(60))") == LULL_EEXIT);
  CHECK(lull_exit_code(lull) == 3);
  run_ok(lull, "x = 1"); /* the host may go on */
  CHECK(spawn(lull, "leave") == 0);
  CHECK(lull_run(lull, 0) == LULL_EEXIT);
  CHECK(lull_exit_code(lull) == 3);
  lull_close(lull);
}

static void texts(void) {
  for (int code = LULL_EBUSY; code <= LULL_ESCRIPT; code++)
    CHECK(strlen(lull_strerror(code)) > 5);
  CHECK(strcmp(lull_strerror(UV_ENOENT), uv_strerror(UV_ENOENT)) == 0);
  CHECK(strcmp(lull_strerror(0), "success") == 0);
}

int main(void) {
  lull_t *lull = new_default();
  busy_runtime(lull);
  scripts_that_fail(lull);
  deadlocks(lull);
  run_ok(lull, "assert(#require('lull').all_tasks() == 1)");
  lull_close(lull);
  exits();
  texts();
  return 0;
}
