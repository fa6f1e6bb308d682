/* The Lua state of a thread: a runtime of its own, in which jobs are called one after the other. */
#include <stdlib.h>
#include <string.h>

#include "thread.h"

/* The runtime whose code this thread runs just now, for the signal handler. */
static _Thread_local lull_t *volatile running;

/* Async-signal-safe. */
void lull__interrupt_running(void) {
  lull_t *rt = running;
  if (rt != NULL) lull__interrupt_for_good(rt);
}

/* ---- making it ---- */

/* os.exit ends the process: what other threads do is not waited for. */
static int exit_process(lua_State *L) {
  int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE)
                                 : (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  lull_exit(code);
  return 0;
}

static int prepare(lua_State *L) {
  lua_getglobal(L, "os");
  lua_pushcfunction(L, exit_process);
  lua_setfield(L, -2, "exit");
  return 0;
}

void lull__thread_open(lull_thread *thread) {
  lull_options options;
  lull_options_init(&options);
  options.debug = thread->debug;
  options.memory_limit = thread->memory_limit;
  thread->error = lull_new(&thread->rt, &options);
  if (thread->error < 0) return;
  lua_State *L = lull_state(thread->rt);
  lua_pushcfunction(L, prepare);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) return;
  lull_close(thread->rt);
  thread->rt = NULL;
  thread->error = UV_ENOMEM;
}

void lull__thread_close(lull_thread *thread) {
  if (thread->rt == NULL) return;
  lull__border_free(lull_state(thread->rt), &thread->border);
  lull_close(thread->rt);
}

/* Collects the garbage of the last jobs. */
void lull__thread_collect(lull_thread *thread) {
  if (thread->rt != NULL) lua_gc(lull_state(thread->rt), LUA_GCCOLLECT);
}

/* ---- calling ---- */

/* set_paths(path, cpath): light userdata, strings of C's. */
static int set_paths(lua_State *L) {
  static const char *const fields[] = {"path", "cpath"};
  lua_getglobal(L, "package");
  for (int i = 0; i < 2; i++) {
    const char *path = lua_touserdata(L, i + 1);
    if (path == NULL) continue;
    lua_pushstring(L, path);
    lua_setfield(L, 3, fields[i]);
  }
  return 0;
}

/* The threads of a runtime find modules where it does. */
static void follow_paths(lull_thread *thread, lua_State *L) {
  lull_hub *hub = thread->hub;
  if (thread->paths == hub->paths) return;
  uv_mutex_lock(&hub->lock);
  char *path = hub->path ? strdup(hub->path) : NULL;
  char *cpath = hub->cpath ? strdup(hub->cpath) : NULL;
  thread->paths = hub->paths;
  uv_mutex_unlock(&hub->lock);
  lua_pushcfunction(L, set_paths);
  lua_pushlightuserdata(L, path);
  lua_pushlightuserdata(L, cpath);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
  free(path);
  free(cpath);
}

typedef struct call {
  lull_thread *thread;
  const lull_parcel *parcel;
  void (*push_first)(lua_State *, lull_thread *);
  int failed;
} call;

/* call_function(call) -> its results, or its error */
static int call_function(lua_State *L) {
  call *c = lua_touserdata(L, 1);
  lua_pushcfunction(L, lull__thread_handler);
  int n = lull__unpack_parcel(L, &c->thread->border, c->parcel);
  if (c->push_first != NULL) {
    c->push_first(L, c->thread);
    lua_insert(L, 4);
    n++;
  }
  c->failed = lua_pcall(L, n - 1, LUA_MULTRET, 2) != LUA_OK;
  return lua_gettop(L) - 2;
}

/* Runs a call, and the tasks it leaves to their end; the results, or the error, are on the stack.
 * Gives whether it failed. */
static int run(lull_thread *thread, lua_State *L, call *c) {
  lull_t *rt = thread->rt;
  running = rt;
  *rt->strict = 1;
  lua_pushcfunction(L, call_function);
  lua_pushlightuserdata(L, c);
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  *rt->strict = 0;
  if (rt->live > 0) lull__drain(L, rt);
  running = NULL;
  lull__interrupt_move(rt, NULL);
  return status != LUA_OK || c->failed;
}

/* Calls the function that a parcel holds, with the arguments that follow it; push_first, unless
 * NULL, pushes one to go before these. Puts what it returns, or raises, into the parcel in their
 * place, and gives whether it has failed. */
int lull__thread_call(lull_thread *thread, lull_parcel *parcel,
                      void (*push_first)(lua_State *, lull_thread *)) {
  lua_State *L = lull_state(thread->rt);
  lull_border *border = &thread->border;
  call c = {.thread = thread, .parcel = parcel, .push_first = push_first};
  follow_paths(thread, L);
  int failed = run(thread, L, &c);
  parcel->size = 0;
  if (!failed)
    failed = lull__pack_parcel(L, border, parcel, LULL_RESULTS, lua_gettop(L), NULL) != LUA_OK;
  if (failed) lull__pack_failure(L, border, parcel);
  lua_settop(L, 0);
  return failed;
}
