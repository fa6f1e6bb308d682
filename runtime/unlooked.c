/* Failures nobody looks at: a sentinel lives as long as the failed future does, and its finalizer
 * sees to it that the failure is told, unless the error was seen. */
#include <stdlib.h>

#include "internal.h"

typedef struct sentinel {
  lua_Integer number; /* failures are told in the order they happened */
  int looked;
} sentinel;

/* tell(sentinel): the upvalue is the runtime. */
static int tell_unlooked(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1); /* the future, which may be about to be collected as well */
  lull_future *future = lua_touserdata(L, 2);
  if (future->o.kind == LULL_TASK) {
    lull__push_task_name(L, (lull_task *)future, 2);
    lua_pushfstring(L, "task '%s' failed and nobody looked", lua_tostring(L, -1));
  } else {
    lua_pushfstring(L, "a %s failed and nobody looked", lull__kind_name(future->o.kind));
  }
  const char *message = lua_tostring(L, -1);
  lua_pushnil(L);
  lua_copy(L, -2, 1);
  lua_pop(L, 1);
  lull__get_value(L, &future->o, 2);
  lull__get_extra(L, 2, LULL_X_TRACEBACK);
  lull__report_exception(L, rt, message, 2);
  return 0;
}

/* A finalizer runs in the midst of whatever allocates: the next turn is the time to tell. */
static int sentinel_gc(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  const sentinel *watch = lua_touserdata(L, 1);
  if (watch->looked || rt->closed) return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unlooked);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  rt->unawaited.collected = 1;
  return 0;
}

/* Tells of the failures whose futures were collected. */
void lull__tell_collected(lua_State *L, lull_t *rt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unlooked);
  if (lua_rawlen(L, -1) > 0) {
    lua_newtable(L); /* may run finalizers, which add to the old one */
    lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.unlooked);
  }
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
    lua_pushcclosure(L, tell_unlooked, 1);
    lua_rawgeti(L, -2, i);
    lua_call(L, 1, 0);
  }
  lua_pop(L, 1);
}

/* Adds the sentinels in a table of the registry to the table at index 2, by number. */
static size_t add_all(lua_State *L, int ref) {
  size_t count = 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const sentinel *watch = lua_touserdata(L, -1);
    if (watch->looked) {
      lua_pop(L, 1);
      continue;
    }
    lua_rawseti(L, 2, watch->number);
    count++;
  }
  lua_pop(L, 1);
  return count;
}

static int by_number(const void *a, const void *b) {
  lua_Integer first = *(const lua_Integer *)a, second = *(const lua_Integer *)b;
  return (first > second) - (first < second);
}

/* tell_unlooked(rt): of every failure nobody has looked at, in the order they happened. */
int lull__tell_unlooked(lua_State *L) {
  const lull_t *rt = lua_touserdata(L, 1);
  lua_gc(L, LUA_GCCOLLECT); /* what is dying comes among the collected */
  lua_newtable(L);
  size_t most = add_all(L, rt->refs.unlooked) + add_all(L, rt->refs.sentinels), n = 0;
  lua_Integer *numbers = lua_newuserdatauv(L, (most + 1) * sizeof *numbers, 0);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
    numbers[n++] = lua_tointeger(L, -2);
  qsort(numbers, n, sizeof *numbers, by_number);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
    lua_pushcclosure(L, tell_unlooked, 1);
    lua_rawgeti(L, 2, numbers[i]);
    ((sentinel *)lua_touserdata(L, -1))->looked = 1;
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  return 0;
}

/* The future at index has failed with the error on top of the stack, which is left there. */
void lull__watch_error(lua_State *L, lull_t *rt, lull_future *future, int index) {
  index = lua_absindex(L, index);
  if (future->o.flags & LULL_LOOKED) return;
  sentinel *watch = lua_newuserdatauv(L, sizeof *watch, 1);
  watch->looked = 0;
  watch->number = ++rt->failures;
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.sentinels);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, watch->number);
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.sentinel_meta);
  lua_setmetatable(L, -2);
  lull__set_extra(L, index, LULL_X_SENTINEL);
}

/* Somebody has seen the error of the future at index. */
void lull__look(lua_State *L, lull_future *future, int index) {
  if (future->o.flags & LULL_LOOKED) return;
  future->o.flags |= LULL_LOOKED;
  if (lull__get_extra(L, index, LULL_X_SENTINEL) != LUA_TNIL)
    ((sentinel *)lua_touserdata(L, -1))->looked = 1;
  lua_pop(L, 1);
}

static const luaL_Reg sentinel_metamethods[] = {{"__gc", sentinel_gc}, {NULL, NULL}};

void lull__open_unlooked(lua_State *L, lull_t *rt) {
  lua_newtable(L);
  lull__setfuncs(L, rt, sentinel_metamethods);
  rt->refs.sentinel_meta = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  rt->refs.sentinels = luaL_ref(L, LUA_REGISTRYINDEX);
}
