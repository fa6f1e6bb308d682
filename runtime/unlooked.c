/* Failures nobody looks at: a sentinel lives as long as the failed future does, and its finalizer
 * sees to it that the failure is told, unless the error was seen. */
#include "internal.h"

typedef struct sentinel {
  lull_node node; /* in the runtime's list of them */
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

static void forget(sentinel *watch) {
  lull__list_remove(&watch->node);
  lull__list_init(&watch->node);
}

/* A finalizer runs in the midst of whatever allocates: the next turn is the time to tell. */
static int sentinel_gc(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  sentinel *watch = lua_touserdata(L, 1);
  if (watch->looked || rt->closed) {
    forget(watch);
    return 0;
  }
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
    lua_rawgeti(L, -1, i);
    forget(lua_touserdata(L, -1));
    lua_pop(L, 1);
  }
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
    lua_pushcclosure(L, tell_unlooked, 1);
    lua_rawgeti(L, -2, i);
    lua_call(L, 1, 0);
  }
  lua_pop(L, 1);
}

/* tell_unlooked(rt): of every failure nobody has looked at, in the order they happened. */
int lull__tell_unlooked(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  int dying = 0; /* some have lost all but their finalizer */
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
  while (!lull__list_empty(&rt->sentinels)) {
    sentinel *watch = lull__container(rt->sentinels.next, sentinel, node);
    lull__list_remove(&watch->node);
    lull__list_init(&watch->node);
    if (watch->looked) continue;
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
    lua_pushcclosure(L, tell_unlooked, 1);
    if (lua_rawgetp(L, 2, watch) == LUA_TNIL) {
      dying = 1;
    } else {
      watch->looked = 1;
      if (lua_pcall(L, 1, 0, 0) == LUA_OK) continue;
    }
    lua_settop(L, 2);
  }
  if (dying) lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

/* The future at index has failed with the error on top of the stack, which is left there. */
void lull__watch_error(lua_State *L, lull_t *rt, lull_future *future, int index) {
  index = lua_absindex(L, index);
  if (future->o.flags & LULL_LOOKED) return;
  sentinel *watch = lua_newuserdatauv(L, sizeof *watch, 1);
  watch->looked = 0;
  lull__list_init(&watch->node);
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, watch);
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.sentinel_meta);
  lua_setmetatable(L, -2);
  lull__list_append(&rt->sentinels, &watch->node);
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
}
