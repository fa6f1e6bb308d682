/* A loop and a state that are both the host's, and a C function of the host's that waits. */
#include "check.h"

/* How a host offers something to wait for: it makes a future, and completes it in a callback. */
typedef struct wait {
  uv_timer_t timer;
  lua_State *L;
  int future; /* in the registry */
} wait;

static void on_closed(uv_handle_t *handle) {
  free(handle->data);
}

static void on_time(uv_timer_t *timer) {
  wait *self = timer->data;
  lua_State *L = self->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, self->future);
  lua_getfield(L, -1, "set_result");
  lua_insert(L, -2);
  lua_pushliteral(L, "from C");
  lua_call(L, 2, 0);
  luaL_unref(L, LUA_REGISTRYINDEX, self->future);
  uv_close((uv_handle_t *)timer, on_closed);
}

/* later(milliseconds) -> a future */
static int later(lua_State *L) {
  uv_loop_t *loop = lua_touserdata(L, lua_upvalueindex(1));
  lua_getglobal(L, "require");
  lua_pushliteral(L, "lull");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "future");
  lua_call(L, 0, 1);
  wait *self = malloc(sizeof *self);
  CHECK(self != NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  self->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  self->future = luaL_ref(L, LUA_REGISTRYINDEX);
  uv_timer_init(loop, &self->timer);
  self->timer.data = self;
  uv_timer_start(&self->timer, on_time, (uint64_t)luaL_checkinteger(L, 1), 0);
  return 1;
}

int main(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_pushlightuserdata(L, &loop);
  lua_pushcclosure(L, later, 1);
  lua_setglobal(L, "later");
  lull_options options;
  lull_options_init(&options);
  options.loop = &loop;
  options.state = L;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  run_ok(lull, "local lull = require 'lull'\n"
               "local a, b = lull.await(lull.gather(later(2), later(1)))\n"
               "assert(a == 'from C' and b == 'from C')");
  run_ok(lull, "function task() result = require('lull').await(later(1)) end");
  CHECK(spawn(lull, "task") == 0);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
  lua_getglobal(L, "result");
  CHECK(strcmp(lua_tostring(L, -1), "from C") == 0);
  lua_pop(L, 1);
  lull_close(lull);
  CHECK(uv_loop_close(&loop) == 0);
  CHECK(lua_gettop(L) == 0);
  lua_close(L);
  return 0;
}
