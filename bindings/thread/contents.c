/* Packing what tables and functions hold. */
#include <string.h>

#include "pack.h"

static int has_name(packer *p) {
  if (!lull__push_names(p->L, p->border, lua_gettop(p->L), &p->checked)) return 0;
  lua_pop(p->L, 2);
  return 1;
}

#define MAX_PARENTS 100

/* Replaces a class of errors on top by the nearest parent that has a name; else pops it. */
static int push_named_parent(packer *p) {
  lua_State *L = p->L;
  for (int depth = 0; depth < MAX_PARENTS; depth++) {
    lua_pushliteral(L, "parent");
    if (lua_rawget(L, -2) != LUA_TTABLE) break;
    lua_replace(L, -2);
    if (has_name(p)) return 1;
  }
  lua_pop(L, 2);
  return 0;
}

/* Packs the metatable of a table, which must have a name, or nil. Gives, and pushes, the name that
 * an error of a class without one gets as its own. */
static int pack_metatable(packer *p, int table) {
  lua_State *L = p->L;
  if (!lua_getmetatable(L, table)) {
    lull__put_tag(p, LULL_T_NIL);
    return 0;
  }
  if (has_name(p)) {
    lull__pack_value(p, lua_gettop(L));
    lua_pop(L, 1);
    return 0;
  }
  if (p->cargo != LULL_FAILURE) {
    lua_pushliteral(L, "__name");
    if (lua_rawget(L, -2) != LUA_TSTRING)
      lull__refuse_object(p, p->current, "a table with a metatable");
    lull__refuse_object(p, p->current,
                        lua_pushfstring(L, "a table with a metatable (%s)", lua_tostring(L, -1)));
  }
  lua_pushliteral(L, "name");
  lua_rawget(L, -2);
  lua_insert(L, -2);
  if (push_named_parent(p)) {
    lull__pack_value(p, lua_gettop(L));
    lua_pop(L, 1);
  } else {
    lull__put_tag(p, LULL_T_NIL);
  }
  lua_pushliteral(L, "name");
  if (lua_isstring(L, -2) && lua_rawget(L, table) == LUA_TNIL) {
    lua_pop(L, 1);
    return 1;
  }
  lua_pop(L, 2);
  return 0;
}

typedef struct sizes {
  uint32_t items, pairs;
} sizes;

/* The items of a sequence, in order, as far as it goes; then pairs of a key and a value. */
static void pack_fields(packer *p, int table, sizes *n) {
  lua_State *L = p->L;
  int key = lua_gettop(L) + 1;
  for (lua_pushnil(L); lua_next(L, table); lua_settop(L, key)) {
    if (n->pairs == 0 && lua_isinteger(L, key) && lua_tointeger(L, key) == n->items + 1) {
      n->items++;
    } else {
      n->pairs++;
      lull__pack_value(p, key);
    }
    lull__pack_value(p, key + 1);
  }
}

static void pack_table_contents(packer *p, int table) {
  lua_State *L = p->L;
  sizes n = {0, 0};
  int named = pack_metatable(p, table);
  size_t place = p->parcel->size;
  lull__put(p, &n, sizeof n);
  pack_fields(p, table, &n);
  if (named) {
    n.pairs++;
    lua_pushliteral(L, "name");
    lull__pack_value(p, lua_gettop(L));
    lull__pack_value(p, lua_gettop(L) - 1);
  }
  memcpy(p->parcel->bytes + place, &n, sizeof n);
  memcpy(p->parcel->bytes + p->objects[p->current - 1].header, &n, sizeof n);
}

static void pack_upvalue(packer *p, int function, int which) {
  lua_State *L = p->L;
  void *identity = lua_upvalueid(L, function, which);
  uint64_t known = lull__seen(p, identity);
  if (known != 0) {
    lull__put_tagged(p, LULL_T_SHARED, &known, sizeof known);
    return;
  }
  lull__see(p, identity, (uint64_t)p->current << 8 | (unsigned)which);
  const char *name = lua_getupvalue(L, function, which);
  if (strcmp(name, "_ENV") == 0)
    lull__put_tag(p, LULL_T_GLOBALS);
  else
    lull__pack_value(p, lua_gettop(L));
  lua_pop(L, 1);
}

static void pack_upvalues(packer *p, int function) {
  lua_Debug ar;
  lua_pushvalue(p->L, function);
  lua_getinfo(p->L, ">u", &ar);
  lull__put(p, &ar.nups, 1);
  for (int i = 1; i <= ar.nups; i++)
    pack_upvalue(p, function, i);
}

/* Those of all objects, and of those found meanwhile. A number that is 0 ends them. */
void lull__pack_contents(packer *p) {
  lua_State *L = p->L;
  for (uint32_t number = 1; number <= p->count; number++) {
    if (!p->objects[number - 1].has_contents) continue;
    p->current = number;
    lull__put_u32(p, number);
    lua_rawgeti(L, pack_objects(p), number);
    int object = lua_gettop(L);
    if (lua_istable(L, object))
      pack_table_contents(p, object);
    else if (lull__push_inner(L, object) != NULL)
      lull__pack_value(p, object + 1);
    else
      pack_upvalues(p, object);
    lua_settop(L, object - 1);
  }
  lull__put_u32(p, 0);
}
