/* The JSON binding: null, the mark of arrays, and the two functions. */
#include "../bindings.h"
#include "json.h"

static int null_to_string(lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

static void push_null(lua_State *L) {
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, null_to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "json.null");
  lua_setfield(L, -2, "__name");
  lua_setmetatable(L, -2);
}

/* Its own metatable makes it a class, which values that go to another thread may be of. */
static void push_mark(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "json.array");
  lua_setfield(L, -2, "__name");
  lua_createtable(L, 0, 0);
  lua_setmetatable(L, -2);
}

int luaopen_lull_json(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"decode", lull__json_decode}, {"encode", lull__json_encode}, {NULL, NULL}};
  lua_createtable(L, 0, 5);
  push_null(L);
  push_mark(L);
  lua_pushvalue(L, -2);
  lua_setfield(L, -4, "null");
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "mark");
  luaL_setfuncs(L, functions, 2);
  lua_pushinteger(L, LULL_JSON_DEPTH);
  lua_setfield(L, -2, "max_depth");
  return 1;
}
