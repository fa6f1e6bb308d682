/* Running things to their end: scripts, strings and functions from C; awaitables from Lua. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- from C ---- */

/* spawn(rt, main, f, ...): makes the task; runs protected. */
static int spawn(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull_task *task = lull__new_task(L, rt, 3, lua_gettop(L) - 3);
  lull__schedule(L, rt, task, -1);
  if (lua_toboolean(L, 2)) {
    rt->main_task = task;
    lua_pushliteral(L, "main");
    lull__set_extra(L, -2, LULL_X_NAME);
  }
  return 1;
}

/* Takes a function and nargs arguments off the stack; leaves the task, or gives an error. */
static int start(lua_State *L, lull_t *rt, int nargs, int is_main) {
  int first = lua_gettop(L) - nargs;
  if (!lua_checkstack(L, 4)) {
    lua_pop(L, nargs + 1);
    return UV_ENOMEM;
  }
  lua_pushcfunction(L, spawn);
  lua_insert(L, first);
  lua_pushlightuserdata(L, rt);
  lua_insert(L, first + 1);
  lua_pushboolean(L, is_main);
  lua_insert(L, first + 2);
  int status = lua_pcall(L, nargs + 3, 1, 0);
  if (status == LUA_OK) return 0;
  lull__set_error(rt, lua_tostring(L, -1));
  lua_pop(L, 1);
  return status == LUA_ERRMEM ? UV_ENOMEM : LULL_ESCRIPT;
}

/* report(rt, task): keeps the text of the task's error. */
static int report(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull_future *future = lua_touserdata(L, 2);
  if (future->o.state == LULL_CANCELLED) {
    lull__get_extra(L, 2, LULL_X_MESSAGE);
    lull__push_cancelled(L, rt, 3);
    lua_replace(L, 3);
  } else {
    lull__look(L, future, 2);
    lull__get_value(L, &future->o, 2);
  }
  lull__get_extra(L, 2, LULL_X_TRACEBACK);
  lull__push_report(L, rt, 3, 4);
  lull__set_error(rt, lua_tostring(L, -1));
  return 0;
}

/* The main task at the top of the stack has ended, or the loop could not go on. */
static int conclude(lua_State *L, lull_t *rt, lull_task *task, int status) {
  if (rt->exit_code >= 0) return LULL_EEXIT;
  if (status < 0 || task->f.o.state == LULL_RESULT) return status;
  if (task->f.o.state == LULL_PENDING) {
    lull__set_error(rt, "the loop was stopped before the main task was done");
    return LULL_ESCRIPT;
  }
  lua_pushcfunction(L, report);
  lua_pushlightuserdata(L, rt);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    lull__set_error(rt, "not enough memory to tell the error");
    lua_pop(L, 1);
  }
  if (task->f.o.state == LULL_CANCELLED && rt->interrupted) return LULL_EINTERRUPTED;
  return LULL_ESCRIPT;
}

static int is_busy(const lull_t *rt) {
  return rt->driving || rt->in_turn;
}

int lull_run_function(lull_t *rt, int nargs) {
  lua_State *L = rt->main;
  if (is_busy(rt)) {
    lua_pop(L, nargs + 1);
    return LULL_EBUSY;
  }
  lull__set_error(rt, NULL);
  rt->interrupted = 0;
  rt->exit_code = -1;
  rt->loop_closed = 0;
  int status = start(L, rt, nargs, 1);
  if (status < 0) return status;
  lull_task *task = rt->main_task;
  status = lull__drive(L, rt, &task->f);
  status = conclude(L, rt, task, status);
  rt->main_task = NULL;
  if (status != LULL_EEXIT) lull__drain(L, rt);
  lua_pop(L, 1);
  return status;
}

/* A script and its arguments; what became of loading it. */
typedef struct script {
  const char *path, *code, *name;
  size_t size;
  int argc;
  const char *const *argv;
  int status, reason;
} script;

/* load(script) -> the function and the arguments. Runs protected: no memory is an error too. */
static int load(lua_State *L) {
  script *what = lua_touserdata(L, 1);
  luaL_checkstack(L, what->argc + 4, "too many arguments");
  errno = 0;
  what->status = what->code ? luaL_loadbuffer(L, what->code, what->size, what->name)
                            : luaL_loadfile(L, what->path);
  what->reason = errno;
  if (what->status != LUA_OK) return lua_error(L);
  for (int i = 0; i < what->argc; i++)
    lua_pushstring(L, what->argv[i]);
  return what->argc + 1;
}

static int load_failed(lull_t *rt, const script *what, int status) {
  lua_State *L = rt->main;
  lull__set_error(rt, lua_tostring(L, -1));
  lua_pop(L, 1);
  if (status == LUA_ERRMEM || what->status == LUA_ERRMEM) return UV_ENOMEM;
  if (what->status == LUA_OK) return UV_E2BIG;
  if (what->status == LUA_ERRFILE && what->reason) return uv_translate_sys_error(what->reason);
  return LULL_ESYNTAX;
}

static int run_script(lull_t *rt, script *what) {
  lua_State *L = rt->main;
  if (is_busy(rt)) return LULL_EBUSY;
  lull__set_error(rt, NULL);
  if (!lua_checkstack(L, 4)) return UV_ENOMEM;
  lua_pushcfunction(L, load);
  lua_pushlightuserdata(L, what);
  *rt->strict = 1;
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  *rt->strict = 0;
  return status == LUA_OK ? lull_run_function(rt, what->argc) : load_failed(rt, what, status);
}

int lull_run_string(lull_t *rt, const char *code, size_t size, const char *name, int argc,
                    const char *const *argv) {
  script what = {.code = code, .size = size, .name = name, .argc = argc, .argv = argv};
  return run_script(rt, &what);
}

int lull_prompt(lull_t *rt, int input, int output) {
  static const char code[] = "local input, output = ...\n"
                             "require('lull.prompt').run {\n"
                             "  input = tonumber(input), output = tonumber(output)}\n";
  if (is_busy(rt)) return LULL_EBUSY;
  lull__set_error(rt, NULL);
  if (!lull__is_open(input, O_RDONLY) || !lull__is_open(output, O_WRONLY)) return UV_EBADF;
  char texts[2][16];
  snprintf(texts[0], sizeof texts[0], "%d", input);
  snprintf(texts[1], sizeof texts[1], "%d", output);
  const char *const args[] = {texts[0], texts[1]};
  return lull_run_string(rt, code, sizeof code - 1, "=lull/prompt", 2, args);
}

int lull_run_file(lull_t *rt, const char *path, int argc, const char *const *argv) {
  script what = {.path = path, .argc = argc, .argv = argv};
  return run_script(rt, &what);
}

int lull_spawn(lull_t *rt, int nargs) {
  lua_State *L = rt->main;
  int status = start(L, rt, nargs, 0);
  if (status == 0) lua_pop(L, 1);
  return status;
}

static int tell_deadlock(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull__push_deadlock(L, rt);
  lull__set_error(rt, lua_tostring(L, -1));
  return 0;
}

static int deadlocked(lull_t *rt) {
  lua_State *L = rt->main;
  lua_pushcfunction(L, tell_deadlock);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
  return LULL_EDEADLOCK;
}

int lull_run(lull_t *rt, int once) {
  if (is_busy(rt)) return LULL_EBUSY;
  if (!lua_checkstack(rt->main, 4)) return UV_ENOMEM;
  lull__set_error(rt, NULL);
  rt->out_of_memory = 0;
  rt->exit_code = -1;
  do {
    int alive = uv_run(rt->loop, once ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    if (rt->out_of_memory) return UV_ENOMEM;
    if (rt->exit_code >= 0) return LULL_EEXIT;
    if (!alive && rt->live > 0 && rt->nready == 0) return deadlocked(rt);
  } while (!once && rt->live > 0);
  return rt->live > INT32_MAX ? INT32_MAX : (int)rt->live;
}

/* ---- from Lua ---- */

static int drive_error(lua_State *L, lull_t *rt, int status) {
  if (status != LULL_EDEADLOCK) return luaL_error(L, "%s", lull_strerror(status));
  lua_pushstring(L, lull_error(rt));
  lull__set_error(rt, NULL);
  return lull__raise(L, rt, LULL_DEADLOCK_ERROR, lua_tostring(L, -1));
}

/* drive(awaitable, whole): runs the loop until it is done, outside any task; whole: then cancels
 * the other tasks and lets them unwind, as asyncio.run does. */
static int drive(lua_State *L) {
  lull_t *rt = lull__rt(L);
  int whole = lua_toboolean(L, 2);
  if (rt->closed || rt->loop_closed) return luaL_error(L, "the loop is closed");
  if (rt->driving || rt->in_turn) return luaL_error(L, "the loop is running already");
  if (!lull__is_awaitable(L, rt, 1)) return luaL_typeerror(L, 1, "awaitable");
  lua_settop(L, 1);
  lull_future *future = lull__ensure_future(L, rt, 1);
  int is_task = future->o.kind == LULL_TASK;
  lull__set_error(rt, NULL);
  if (whole && is_task) rt->main_task = (lull_task *)future;
  int status = lull__drive(L, rt, future);
  if (whole) rt->main_task = NULL;
  if (whole) lull__drain(L, rt);
  if (status < 0) return drive_error(L, rt, status);
  if (future->o.state == LULL_PENDING)
    return luaL_error(L, "the loop was stopped before the awaitable was done");
  return lull__outcome(L, rt, future, 1);
}

/* drive_forever(): until stop(), or until nothing is left to do. */
static int drive_forever(lua_State *L) {
  lull_t *rt = lull__rt(L);
  if (rt->closed || rt->loop_closed) return luaL_error(L, "the loop is closed");
  if (rt->driving || rt->in_turn) return luaL_error(L, "the loop is running already");
  int status = lull__drive(L, rt, NULL);
  return status < 0 ? drive_error(L, rt, status) : 0;
}

static int stop(lua_State *L) {
  lull_t *rt = lull__rt(L);
  if (rt->driving) rt->stopping = 1;
  return 0;
}

/* status() -> running, closed, in the main task, in any task */
static int status(lua_State *L) {
  const lull_t *rt = lull__rt_or_closed(L);
  lua_pushboolean(L, rt->driving || rt->in_turn);
  lua_pushboolean(L, rt->closed || rt->loop_closed);
  lua_pushboolean(L, rt->current != NULL && rt->current == rt->main_task);
  lua_pushboolean(L, rt->current != NULL);
  return 4;
}

static int close_loop(lua_State *L) {
  lull__rt(L)->loop_closed = 1;
  return 0;
}

/* configure(debug, virtual): nil leaves a setting alone; gives the settings. */
static int configure(lua_State *L) {
  lull_t *rt = lull__rt(L);
  if (!lua_isnoneornil(L, 1)) rt->debug = (uint8_t)lua_toboolean(L, 1);
  if (lua_toboolean(L, 2) && !rt->is_virtual) {
    if (rt->heap.count > 0)
      return luaL_error(L, "the clock cannot become virtual while something waits for it");
    rt->virtual_now = 0;
    rt->is_virtual = 1;
  }
  lua_pushboolean(L, rt->debug);
  lua_pushboolean(L, rt->is_virtual);
  return 2;
}

/* ---- os.exit(code, true) of a script: the tasks unwind first ---- */

static void cancel_exit(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  (void)task;
}

static const lull_wait exit_wait = {"the end of the process", cancel_exit, NULL};

static int exit_again(lua_State *L, int state, lua_KContext ctx) {
  (void)state;
  lull__woken(L, (lull_t *)ctx);
  return 0;
}

static int exit_process(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE)
                                 : (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  int unwinds = lua_toboolean(L, 2) && rt->current != NULL && !rt->closed && !rt->blocked;
  if (!unwinds || !lua_isyieldable(L)) lull__exit(rt, code);
  rt->exit_code = code & 0xff;
  return lull__suspend(L, rt, &exit_wait, NULL, exit_again, (lua_KContext)rt);
}

static const luaL_Reg exit_function[] = {{"exit", exit_process}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"drive", drive},   {"drive_forever", drive_forever}, {"stop", stop},
    {"status", status}, {"close_loop", close_loop},       {"configure", configure},
    {NULL, NULL}};

void lull__open_run(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
  if (!rt->main_is_script) return;
  if (lua_getglobal(L, "os") == LUA_TTABLE) lull__setfuncs(L, rt, exit_function);
  lua_pop(L, 1);
}
