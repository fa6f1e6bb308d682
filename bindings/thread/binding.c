/* The binding's table, which lull/thread.lua builds on, and the desk behind it. */
#include <stdlib.h>

#include "thread.h"

void lull__desk_functions(lua_State *L, lull_t *rt, lull_desk *desk, const luaL_Reg *functions) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  lua_pushlightuserdata(L, desk);
  luaL_setfuncs(L, functions, 2);
}

static void close_desk(lull_closer *closer) {
  lull_desk *desk = lull__container(closer, lull_desk, closer);
  lull__border_free(desk->hub->rt->main, &desk->border);
  lull__paths_unref(desk->paths);
  free(desk);
}

static lull_desk *new_desk(lua_State *L, lull_t *rt) {
  lull_hub *hub = lull__hub(L, rt);
  lull_desk *desk = calloc(1, sizeof *desk);
  if (desk == NULL) lull__no_memory(L);
  desk->hub = hub;
  desk->closer.close = close_desk;
  lull__at_close(rt, &desk->closer);
  return desk;
}

int luaopen_lull_thread(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  lull_desk *desk = new_desk(L, rt);
  lua_newtable(L);
  lull__open_jobs(L, rt, desk);
  lull__open_workers(L, rt, desk);
  return 1;
}
