/* The Lua modules, embedded as bytecode, and loaded when they are required first. */
#include "internal.h"

/* The loader of an embedded module; its upvalue is the module's description. A module is called
 * with its name and the core, the table of what C gives it, which nobody else sees. */
static int load_module(lua_State *L) {
  const lull__module *module = lua_touserdata(L, lua_upvalueindex(1));
  if (luaL_loadbufferx(L, (const char *)module->code, module->size, module->name, "b") != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, module->name);
  lua_rawgeti(L, LUA_REGISTRYINDEX, lull__from_state(L)->refs.core);
  lua_call(L, 2, 1);
  return 1;
}

/* Sets package.preload[name] for each, so that only what is required is loaded. */
void lull__preload(lua_State *L, int remove) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (const lull__module *module = lull__modules; module->name != NULL; module++) {
    if (remove) {
      lua_pushnil(L);
      lua_setfield(L, -2, module->name);
      lua_pushnil(L);
    } else {
      lua_pushlightuserdata(L, (void *)module);
      lua_pushcclosure(L, load_module, 1);
    }
    lua_setfield(L, -3, module->name);
  }
  lua_pop(L, 2);
}

/* Pushes an embedded module, loaded if need be, whatever has become of the global require. */
int lull__require(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, name) == LUA_TNIL) {
    lua_pop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_getfield(L, -1, name);
    lua_replace(L, -2);
    lua_call(L, 0, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
  }
  lua_replace(L, -2);
  return 1;
}
