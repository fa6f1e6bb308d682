/* Packing: values become bytes. First come the values themselves; where one is a table or a
 * function its contents follow after all of them, and theirs after that, so that nothing nests and
 * parts that are shared, or go in circles, are packed once. No code of the state's runs meanwhile
 * but, when memory is asked for, finalizers. */
#include <stdlib.h>
#include <string.h>

#include "pack.h"

/* ---- bytes ---- */

static void put(packer *p, const void *bytes, size_t n) {
  memcpy(lull__parcel_add(p->L, p->parcel, n), bytes, n);
}

static void put_tag(packer *p, enum lull_tag tag) {
  *lull__parcel_add(p->L, p->parcel, 1) = (unsigned char)tag;
}

static void put_tagged(packer *p, enum lull_tag tag, const void *bytes, size_t n) {
  unsigned char *place = lull__parcel_add(p->L, p->parcel, 1 + n);
  *place = (unsigned char)tag;
  memcpy(place + 1, bytes, n);
}

static void put_u32(packer *p, uint32_t n) {
  put(p, &n, sizeof n);
}

static void put_string(packer *p, const char *text, size_t size) {
  put(p, &size, sizeof size);
  if (size > 0) put(p, text, size);
}

/* ---- what was seen ---- */

static seen_entry *seen_slot(const packer *p, const void *value) {
  uint64_t bits = (uint64_t)(uintptr_t)value * UINT64_C(0x9E3779B97F4A7C15);
  size_t i = (size_t)(bits >> 20) & (p->seen_capacity - 1);
  while (p->seen[i].value != NULL && p->seen[i].value != value)
    i = (i + 1) & (p->seen_capacity - 1);
  return &p->seen[i];
}

static void grow_seen(packer *p) {
  packer grown = *p;
  grown.seen_capacity = 4 * p->seen_capacity;
  grown.seen = calloc(grown.seen_capacity, sizeof *grown.seen);
  if (grown.seen == NULL) luaL_error(p->L, "not enough memory");
  for (size_t i = 0; i < p->seen_capacity; i++)
    if (p->seen[i].value != NULL) *seen_slot(&grown, p->seen[i].value) = p->seen[i];
  if (p->seen != p->some) free(p->seen);
  p->seen = grown.seen;
  p->seen_capacity = grown.seen_capacity;
}

/* What is known of an address, or 0. */
static uint64_t seen(const packer *p, const void *value) {
  return seen_slot(p, value)->what;
}

static void see(packer *p, const void *value, uint64_t what) {
  if (2 * (p->nseen + 1) > p->seen_capacity) grow_seen(p);
  *seen_slot(p, value) = (seen_entry){value, what};
  p->nseen++;
}

static void grow_objects(packer *p) {
  uint32_t capacity = 2 * p->capacity;
  packed_object *kept = p->objects == p->few ? NULL : p->objects;
  packed_object *grown = realloc(kept, capacity * sizeof *grown);
  if (grown == NULL) luaL_error(p->L, "not enough memory");
  if (kept == NULL) memcpy(grown, p->few, sizeof p->few);
  p->objects = grown;
  p->capacity = capacity;
}

/* Numbers the value at index. What has contents, and what a finalizer could take away, is kept. */
static packed_object *add_object(packer *p, int index, int has_contents) {
  lua_State *L = p->L;
  if (p->count == p->capacity) grow_objects(p);
  packed_object *object = &p->objects[p->count++];
  *object = (packed_object){.parent = p->current, .has_contents = (uint8_t)has_contents};
  see(p, lua_topointer(L, index), p->count);
  if (!has_contents && p->current == 0) return object;
  if (lua_isnil(L, pack_objects(p))) {
    lua_newtable(L);
    lua_replace(L, pack_objects(p));
  }
  lua_pushvalue(L, index);
  lua_rawseti(L, pack_objects(p), p->count);
  if (has_contents) p->linked = 1;
  return object;
}

/* ---- objects ---- */

static void pack_name(packer *p, int index) {
  lua_State *L = p->L;
  size_t length, field_length;
  const char *module = lua_tolstring(L, -2, &length);
  const char *field = lua_tolstring(L, -1, &field_length);
  add_object(p, index, 0);
  put_tag(p, LULL_T_NAME);
  put_string(p, module, length);
  put_string(p, field, field_length);
  lua_pop(L, 2);
}

static void pack_long(packer *p, int index) {
  size_t size;
  const char *text = lua_tolstring(p->L, index, &size);
  add_object(p, index, 0);
  put_tag(p, LULL_T_LONG);
  put_string(p, text, size);
}

static void pack_table(packer *p, int index) {
  const uint32_t sizes[2] = {0, 0};
  packed_object *object = add_object(p, index, 1);
  put_tag(p, LULL_T_TABLE);
  if (p->parcel->size > UINT32_MAX) luaL_error(p->L, "more than 4 GiB cannot be copied");
  object->header = (uint32_t)p->parcel->size;
  put(p, sizes, sizeof sizes);
}

static int has_own_upvalues(lua_State *L, int index) {
  const char *name = lua_getupvalue(L, index, 1);
  if (name == NULL) return 0;
  lua_pop(L, 1);
  if (strcmp(name, "_ENV") != 0) return 1;
  if (lua_getupvalue(L, index, 2) == NULL) return 0;
  lua_pop(L, 1);
  return 1;
}

static void pack_dump(packer *p, const lull_dump *dump, int index) {
  uint64_t number = dump->alone && dump->uses > 1 ? dump->number : 0;
  add_object(p, index, !dump->alone);
  put_tagged(p, LULL_T_FUNCTION, &number, sizeof number);
  put_u32(p, dump->size);
  put(p, dump->code, dump->size);
}

static void pack_function(packer *p, int index) {
  uint64_t number = 0;
  add_object(p, index, has_own_upvalues(p->L, index));
  put_tagged(p, LULL_T_FUNCTION, &number, sizeof number);
  size_t place = p->parcel->size;
  put_u32(p, 0);
  uint32_t size = (uint32_t)lull__dump_function(p->L, p->parcel, index);
  memcpy(p->parcel->bytes + place, &size, sizeof size);
}

/* Gives whether the value at index is an async function; then it is packed. */
static int pack_async(packer *p, int index) {
  const char *name = lull__push_inner(p->L, index);
  if (name == NULL) return 0;
  lua_pop(p->L, 1);
  add_object(p, index, 1);
  put_tag(p, LULL_T_ASYNC);
  put_string(p, name, strlen(name) + 1);
  return 1;
}

static void refuse_userdata(packer *p, int index) {
  lua_State *L = p->L;
  if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
    lull__refuse(p, index, lua_pushfstring(L, "a userdata (%s)", lua_tostring(L, -1)));
  lull__refuse(p, index, "a userdata");
}

/* A failure is packed without what cannot be. */
static void refuse(packer *p, int index) {
  int type = lua_type(p->L, index);
  if (p->cargo == LULL_FAILURE)
    put_tag(p, LULL_T_NIL);
  else if (type == LUA_TTHREAD)
    lull__refuse(p, index, "a coroutine");
  else if (type == LUA_TFUNCTION)
    lull__refuse(p, index, "a C function");
  else
    refuse_userdata(p, index);
}

/* An object that was not seen yet. */
static void pack_object(packer *p, int index) {
  lua_State *L = p->L;
  int type = lua_type(L, index);
  if (type == LUA_TSTRING)
    pack_long(p, index);
  else if (type != LUA_TTHREAD && lull__push_names(L, p->border, index, &p->checked))
    pack_name(p, index);
  else if (type == LUA_TTABLE)
    pack_table(p, index);
  else if (type != LUA_TFUNCTION)
    refuse(p, index);
  else if (lua_iscfunction(L, index) && pack_async(p, index))
    return;
  else if (lua_iscfunction(L, index))
    refuse(p, index);
  else if (p->dump != NULL && p->current == 0 && p->root == 0)
    pack_dump(p, p->dump, index);
  else
    pack_function(p, index);
}

static void pack_reference(packer *p, int index) {
  uint32_t number = (uint32_t)seen(p, lua_topointer(p->L, index));
  if (number == 0) {
    pack_object(p, index);
    return;
  }
  put_tagged(p, LULL_T_SEEN, &number, sizeof number);
  p->linked = 1;
}

/* ---- values ---- */

static void pack_number(packer *p, int index) {
  lua_Integer integer;
  lua_Number number;
  if (lua_isinteger(p->L, index)) {
    integer = lua_tointeger(p->L, index);
    put_tagged(p, LULL_T_INTEGER, &integer, sizeof integer);
  } else {
    number = lua_tonumber(p->L, index);
    put_tagged(p, LULL_T_FLOAT, &number, sizeof number);
  }
}

static void pack_string(packer *p, int index) {
  size_t size;
  const char *text = lua_tolstring(p->L, index, &size);
  if (size > LULL_SHORT) {
    pack_reference(p, index);
    return;
  }
  unsigned char *place = lull__parcel_add(p->L, p->parcel, 2 + size);
  place[0] = LULL_T_STRING;
  place[1] = (unsigned char)size;
  memcpy(place + 2, text, size);
}

/* The index is absolute. */
static void pack_value(packer *p, int index) {
  const void *light;
  switch (lua_type(p->L, index)) {
  case LUA_TNIL:
    put_tag(p, LULL_T_NIL);
    break;
  case LUA_TBOOLEAN:
    put_tag(p, lua_toboolean(p->L, index) ? LULL_T_TRUE : LULL_T_FALSE);
    break;
  case LUA_TNUMBER:
    pack_number(p, index);
    break;
  case LUA_TSTRING:
    pack_string(p, index);
    break;
  case LUA_TLIGHTUSERDATA:
    light = lua_touserdata(p->L, index);
    put_tagged(p, LULL_T_LIGHT, &light, sizeof light);
    break;
  default:
    pack_reference(p, index);
  }
}

/* ---- contents ---- */

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
    put_tag(p, LULL_T_NIL);
    return 0;
  }
  if (has_name(p)) {
    pack_value(p, lua_gettop(L));
    lua_pop(L, 1);
    return 0;
  }
  if (p->cargo != LULL_FAILURE) {
    lua_pushliteral(L, "__name");
    if (lua_rawget(L, -2) != LUA_TSTRING) lull__refuse_object(p, p->current, "a table with a metatable");
    lull__refuse_object(p, p->current,
                        lua_pushfstring(L, "a table with a metatable (%s)", lua_tostring(L, -1)));
  }
  lua_pushliteral(L, "name");
  lua_rawget(L, -2);
  lua_insert(L, -2);
  if (push_named_parent(p)) {
    pack_value(p, lua_gettop(L));
    lua_pop(L, 1);
  } else {
    put_tag(p, LULL_T_NIL);
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
      pack_value(p, key);
    }
    pack_value(p, key + 1);
  }
}

static void pack_table_contents(packer *p, int table) {
  lua_State *L = p->L;
  sizes n = {0, 0};
  int named = pack_metatable(p, table);
  size_t place = p->parcel->size;
  put(p, &n, sizeof n);
  pack_fields(p, table, &n);
  if (named) {
    n.pairs++;
    lua_pushliteral(L, "name");
    pack_value(p, lua_gettop(L));
    pack_value(p, lua_gettop(L) - 1);
  }
  memcpy(p->parcel->bytes + place, &n, sizeof n);
  memcpy(p->parcel->bytes + p->objects[p->current - 1].header, &n, sizeof n);
}

static void pack_upvalue(packer *p, int function, int which) {
  lua_State *L = p->L;
  void *identity = lua_upvalueid(L, function, which);
  uint64_t known = seen(p, identity);
  if (known != 0) {
    put_tagged(p, LULL_T_SHARED, &known, sizeof known);
    return;
  }
  see(p, identity, (uint64_t)p->current << 8 | (unsigned)which);
  const char *name = lua_getupvalue(L, function, which);
  if (strcmp(name, "_ENV") == 0)
    put_tag(p, LULL_T_GLOBALS);
  else
    pack_value(p, lua_gettop(L));
  lua_pop(L, 1);
}

static void pack_upvalues(packer *p, int function) {
  lua_Debug ar;
  lua_pushvalue(p->L, function);
  lua_getinfo(p->L, ">u", &ar);
  put(p, &ar.nups, 1);
  for (int i = 1; i <= ar.nups; i++)
    pack_upvalue(p, function, i);
}

/* Those of all objects, and of those found meanwhile. A number that is 0 ends them. */
static void pack_contents(packer *p) {
  lua_State *L = p->L;
  for (uint32_t number = 1; number <= p->count; number++) {
    if (!p->objects[number - 1].has_contents) continue;
    p->current = number;
    put_u32(p, number);
    lua_rawgeti(L, pack_objects(p), number);
    int object = lua_gettop(L);
    if (lua_istable(L, object))
      pack_table_contents(p, object);
    else if (lull__push_inner(L, object) != NULL)
      pack_value(p, object + 1);
    else
      pack_upvalues(p, object);
    lua_settop(L, object - 1);
  }
  put_u32(p, 0);
}

/* pack(packer, ...) */
static int pack(lua_State *L) {
  packer *p = lua_touserdata(L, 1);
  size_t start = p->parcel->size;
  lull_bill bill = {.values = (uint32_t)p->nvalues};
  lua_pushnil(L); /* at pack_objects */
  luaL_checkstack(L, 20, NULL);
  put(p, &bill, sizeof bill);
  for (p->root = 0; p->root < p->nvalues; p->root++)
    pack_value(p, PACK_FIRST + p->root);
  if (p->linked) pack_contents(p);
  bill.objects = p->count;
  bill.linked = (uint8_t)p->linked;
  memcpy(p->parcel->bytes + start, &bill, sizeof bill);
  return 0;
}

int lull__pack_parcel(lua_State *L, lull_border *border, lull_parcel *parcel, lull_cargo cargo, int n,
               const lull_dump *dump) {
  packer p = {.border = border, .parcel = parcel, .cargo = cargo, .dump = dump, .nvalues = n};
  int first = lua_gettop(L) - n + 1;
  size_t start = parcel->size;
  p.L = L;
  p.objects = p.few;
  p.capacity = LULL_FEW;
  p.seen = p.some;
  p.seen_capacity = 2 * LULL_FEW;
  if (!lua_checkstack(L, 2)) return luaL_error(L, "not enough memory");
  lua_pushcfunction(L, pack);
  lua_insert(L, first);
  lua_pushlightuserdata(L, &p);
  lua_insert(L, first + 1);
  int status = lua_pcall(L, n + 1, 0, 0);
  if (p.objects != p.few) free(p.objects);
  if (p.seen != p.some) free(p.seen);
  if (status != LUA_OK) parcel->size = start;
  return status;
}
