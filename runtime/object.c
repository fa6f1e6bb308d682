/* Userdata of lull: making and recognising them, the references a runtime keeps in the registry,
 * the table of live objects, and the extras that few objects need. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *const kind_names[LULL_KINDS] = {
    "task",   "future",        "gather future", "coroutine object",
    "handle", "timeout scope", "queue",         "lock or semaphore",
    "event",  "guard"};

const char *lull__kind_name(lull_kind kind) {
  return kind_names[kind];
}

void *lull__new_object(lua_State *L, lull_t *rt, size_t size, int uservalues, lull_kind kind) {
  lull_object *object = lua_newuserdatauv(L, size, uservalues);
  memset(object, 0, size);
  object->kind = (uint8_t)kind;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.metas[kind]);
  lua_setmetatable(L, -2);
  return object;
}

lull_object *lull__object(lua_State *L, lull_t *rt, int index) {
  if (!lua_getmetatable(L, index)) return NULL;
  const void *meta = lua_topointer(L, -1);
  lua_pop(L, 1);
  for (int kind = 0; kind < LULL_KINDS; kind++)
    if (meta == rt->metas[kind]) return lua_touserdata(L, index);
  return NULL;
}

void *lull__check(lua_State *L, lull_t *rt, int index, lull_kind kind) {
  lull_object *object = lull__object(L, rt, index);
  if (object == NULL || object->kind != kind) luaL_typeerror(L, index, kind_names[kind]);
  return object;
}

/* Makes the metatable of a kind; the methods are its __index. */
void lull__new_meta(lua_State *L, lull_t *rt, lull_kind kind, const luaL_Reg *meta,
                    const luaL_Reg *methods) {
  lua_newtable(L);
  lua_pushfstring(L, "lull %s", kind_names[kind]);
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "lull");
  lua_setfield(L, -2, "__metatable");
  lull__setfuncs(L, rt, meta);
  lua_newtable(L);
  lull__setfuncs(L, rt, methods);
  lua_setfield(L, -2, "__index");
  rt->metas[kind] = lua_topointer(L, -1);
  rt->refs.metas[kind] = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Adds functions to the table on top; each has the runtime as its upvalue. */
void lull__setfuncs(lua_State *L, lull_t *rt, const luaL_Reg *functions) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  luaL_setfuncs(L, functions, 1);
}

/* Takes n values off the stack and pushes them as a table, as table.pack does. */
void lull__pack(lua_State *L, int n) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, n, 1);
  lua_insert(L, top - n + 1);
  for (int i = n; i >= 1; i--)
    lua_rawseti(L, top - n + 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
}

/* Replaces a packed table on top of the stack by its values; gives their number. */
int lull__unpack(lua_State *L) {
  int packed = lua_gettop(L);
  lua_getfield(L, packed, "n");
  int n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, n, "too many values");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, packed, i);
  lua_remove(L, packed);
  return n;
}

static void grow_anchors(lua_State *L, lull_t *rt) {
  uint32_t capacity = rt->anchors_capacity ? 2 * rt->anchors_capacity : 64;
  uint32_t *grown = realloc(rt->free_anchors, capacity * sizeof *grown);
  if (grown == NULL) luaL_error(L, "not enough memory");
  rt->free_anchors = grown;
  rt->anchors_capacity = capacity;
}

/* Keeps the value at index alive; gives its slot, never 0. */
uint32_t lull__anchor(lua_State *L, lull_t *rt, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 4, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  uint32_t slot = lull__anchor_in(L, rt, index, lua_gettop(L));
  lua_pop(L, 1);
  return slot;
}

/* The same, with the table of anchors at a stack index. */
uint32_t lull__anchor_in(lua_State *L, lull_t *rt, int index, int anchors) {
  if (rt->nfree_anchors == 0 && rt->nanchors == rt->anchors_capacity) grow_anchors(L, rt);
  uint32_t slot = rt->nfree_anchors ? rt->free_anchors[rt->nfree_anchors - 1] : rt->nanchors + 1;
  lua_pushvalue(L, index);
  lua_rawseti(L, anchors, slot);
  if (rt->nfree_anchors)
    rt->nfree_anchors--;
  else
    rt->nanchors++;
  return slot;
}

void lull__unanchor(lua_State *L, lull_t *rt, uint32_t *slot) {
  if (*slot == 0) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  lull__unanchor_from(L, rt, slot, lua_gettop(L));
  lua_pop(L, 1);
}

/* The same, with the table of anchors at a stack index. */
void lull__unanchor_from(lua_State *L, lull_t *rt, uint32_t *slot, int anchors) {
  lua_pushboolean(L, 0); /* not nil, which would shrink the table at its next rehash */
  lua_rawseti(L, anchors, *slot);
  rt->free_anchors[rt->nfree_anchors++] = *slot;
  *slot = 0;
}

void lull__push_anchored(lua_State *L, lull_t *rt, uint32_t slot) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  lua_rawgeti(L, -1, slot);
  lua_remove(L, -2);
}

/* Pushes the extras table of the object at index, made when there is none. The object's value
 * moves into it. */
static void push_extras(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lull_object *object = lua_touserdata(L, index);
  lua_getiuservalue(L, index, 1);
  if (object->flags & LULL_HAS_EXTRAS) return;
  lua_createtable(L, LULL_X_CONTEXT, 0);
  lua_insert(L, -2);
  lua_rawseti(L, -2, LULL_X_VALUE);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, index, 1);
  object->flags |= LULL_HAS_EXTRAS;
}

/* Pops a value and makes it an extra of the object at index. */
void lull__set_extra(lua_State *L, int index, int extra) {
  index = lua_absindex(L, index);
  push_extras(L, index);
  lua_insert(L, -2);
  lua_rawseti(L, -2, extra);
  lua_pop(L, 1);
}

/* Pushes an extra, or nil; gives its type. */
int lull__get_extra(lua_State *L, int index, int extra) {
  const lull_object *object = lua_touserdata(L, index);
  if (!(object->flags & LULL_HAS_EXTRAS)) {
    lua_pushnil(L);
    return LUA_TNIL;
  }
  lua_getiuservalue(L, index, 1);
  int type = lua_rawgeti(L, -1, extra);
  lua_remove(L, -2);
  return type;
}

/* Pushes the value of the future at index: its result or error; before that a task's thread, and
 * before that its function. */
void lull__get_value(lua_State *L, const lull_object *object, int index) {
  if (object->flags & LULL_HAS_EXTRAS)
    lull__get_extra(L, index, LULL_X_VALUE);
  else
    lua_getiuservalue(L, index, 1);
}

/* Pops a value and makes it the value of the future at index, which is not relative to it. */
void lull__set_value(lua_State *L, const lull_object *object, int index) {
  if (object->flags & LULL_HAS_EXTRAS)
    lull__set_extra(L, index, LULL_X_VALUE);
  else
    lua_setiuservalue(L, index, 1);
}
