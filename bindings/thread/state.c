/* The Lua state of a thread: a runtime of its own, in which functions are called one after the
 * other. */
#include <stdlib.h>

#include "thread.h"

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

/* On the runtime's thread: what the state takes over from it. */
void lull__state_init(lull_thread *thread) {
  const lull_t *rt = thread->hub->rt;
  lull_lua_thread *self = lull__lua_thread(thread);
  self->debug = rt->debug;
  self->memory_limit = rt->memory ? lull__memory_limit(rt->memory) : 0;
}

int lull__state_open(lull_thread *thread) {
  lull_lua_thread *self = lull__lua_thread(thread);
  lull_options options;
  lull_options_init(&options);
  options.debug = self->debug;
  options.memory_limit = self->memory_limit;
  int error = lull_new(&self->rt, &options);
  if (error < 0) return error;
  lua_State *L = lull_state(self->rt);
  lua_pushcfunction(L, prepare);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) return 0;
  lull_close(self->rt);
  return UV_ENOMEM;
}

void lull__state_close(lull_thread *thread) {
  lull_lua_thread *self = lull__lua_thread(thread);
  lull__border_free(lull_state(self->rt), &self->border);
  lull__paths_unref(self->paths);
  lull_close(self->rt);
}

/* Collects the garbage of the last calls. */
void lull__state_collect(lull_thread *thread) {
  lua_gc(lull_state(lull__lua_thread(thread)->rt), LUA_GCCOLLECT);
}

/* ---- calling ---- */

typedef struct calling {
  lull_thread *thread;
  const lull_parcel *parcel;
  void (*push_first)(lua_State *, lull_thread *);
  int failed;
} calling;

/* call_function(calling) -> its results, or its error */
static int call_function(lua_State *L) {
  calling *c = lua_touserdata(L, 1);
  lua_pushcfunction(L, lull__thread_handler);
  int n = lull__unpack_parcel(L, &lull__lua_thread(c->thread)->border, c->parcel);
  if (c->push_first != NULL) {
    c->push_first(L, c->thread);
    lua_insert(L, 4);
    n++;
  }
  c->failed = lua_pcall(L, n - 1, LUA_MULTRET, 2) != LUA_OK;
  return lua_gettop(L) - 2;
}

/* Makes a call, and lets the tasks it leaves unwind; its results, or its error, are on the stack
 * then. Gives whether it failed. */
static int run(lull_t *rt, lua_State *L, calling *c) {
  lull__thread_runs(rt);
  *rt->strict = 1;
  lua_pushcfunction(L, call_function);
  lua_pushlightuserdata(L, c);
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  *rt->strict = 0;
  if (rt->live > 0) lull__drain(L, rt);
  lull__thread_runs(NULL);
  lull__interrupt_move(rt, NULL);
  rt->loop_closed = 0;
  return status != LUA_OK || c->failed;
}

/* Makes a call, whose outcome takes the place of its arguments. push_first, unless NULL, pushes one
 * more to go before these. */
void lull__state_call(lull_thread *thread, lull_call *call,
                      void (*push_first)(lua_State *, lull_thread *)) {
  lull_lua_thread *self = lull__lua_thread(thread);
  lua_State *L = lull_state(self->rt);
  lull_parcel *parcel = &call->parcel;
  calling c = {.thread = thread, .parcel = parcel, .push_first = push_first};
  lull__paths_follow(L, &self->paths, call->paths);
  int failed = run(self->rt, L, &c), n = lua_gettop(L);
  parcel->size = 0;
  if (!failed)
    failed = lull__pack_parcel(L, &self->border, parcel, LULL_RESULTS, n, NULL) != LUA_OK;
  if (failed) lull__pack_failure(L, &self->border, parcel);
  call->failed = (uint8_t)failed;
  lua_settop(L, 0);
}
