/* The binding's table: what lull/thread.lua builds on. */
#include "thread.h"

void lull__thread_setfuncs(lua_State *L, lull_t *rt, lull_hub *hub, const luaL_Reg *functions) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  lua_pushlightuserdata(L, hub);
  luaL_setfuncs(L, functions, 2);
}

int luaopen_lull_thread(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  lull_hub *hub = lull__hub_new(L, rt);
  lua_newtable(L);
  lull__open_pool(L, rt, hub);
  lull__open_worker(L, rt, hub);
  return 1;
}
