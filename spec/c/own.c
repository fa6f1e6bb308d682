/* A runtime with an own loop and an own state: strings, files and functions run to their end. */
#include "check.h"

static int given; /* what c_function was called with */

static int c_function(lua_State *L) {
  given = (int)lua_tointeger(L, 1) * 10 + (int)lua_tointeger(L, 2);
  return 0;
}

static void runs_strings(lull_t *lull) {
  const char *const args[] = {"one", "two words"};
  static const char code[] = "local a, b = ...\n"
                             "assert(a == 'one' and b == 'two words' and select('#', ...) == 2)\n"
                             "local lull = require 'lull'\n"
                             "lull.await(lull.gather(lull.sleep(0.001), lull.sleep(0)))\n"
                             "result = #debug.getinfo(1, 'S').source\n";
  CHECK(lull_run_string(lull, code, sizeof code - 1, "@name.lua", 2, args) == 0);
  CHECK(strcmp(lull_error(lull), "") == 0);
  CHECK(global(lull, "result") == strlen("@name.lua"));
  CHECK(lull_run_string(lull, "x = '\0' y = #x", 14, "=zeros", 0, NULL) == 0);
  CHECK(global(lull, "y") == 1);
}

static void runs_files(lull_t *lull) {
  char path[] = "/tmp/lull-spec-XXXXXX";
  int fd = mkstemp(path);
  FILE *file = fdopen(fd, "w");
  fputs("#!first line\nlocal n = ... file_got = n + 1", file);
  fclose(file);
  const char *const args[] = {"41"};
  CHECK(lull_run_file(lull, path, 1, args) == 0);
  CHECK(global(lull, "file_got") == 42);
  remove(path);
  CHECK(lull_run_file(lull, path, 0, NULL) == UV_ENOENT);
  CHECK_HAS(lull_error(lull), "No such file or directory");
  CHECK(lull_run_file(lull, "/tmp", 0, NULL) == UV_EISDIR);
}

static void runs_functions(lull_t *lull) {
  lua_State *L = lull_state(lull);
  int top = lua_gettop(L);
  lua_pushcfunction(L, c_function);
  lua_pushinteger(L, 4);
  lua_pushinteger(L, 2);
  CHECK(lull_run_function(lull, 2) == 0);
  CHECK(given == 42);
  CHECK(lua_gettop(L) == top);
}

static void keeps_what_it_was_given_between_runs(lull_t *lull) {
  run_ok(lull, "x = 1");
  CHECK(run(lull, "error('boom')") == LULL_ESCRIPT);
  run_ok(lull, "assert(x == 1) assert(#require('lull').all_tasks() == 1)");
  CHECK(strcmp(lull_error(lull), "") == 0);
  CHECK(lua_gettop(lull_state(lull)) == 0);
}

int main(void) {
  lull_t *lull = new_default();
  CHECK(strlen(lull_version()) >= 5);
  runs_strings(lull);
  runs_files(lull);
  runs_functions(lull);
  keeps_what_it_was_given_between_runs(lull);
  CHECK(lull_loop(lull) != NULL);
  lull_close(lull);
  lull_close(NULL);
  return 0;
}
