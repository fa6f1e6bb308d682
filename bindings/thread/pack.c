/* Packing: values become bytes. First come the values themselves; where one is a table or a
 * function its contents follow after all of them, and theirs after that, so that nothing nests and
 * parts that are shared, or go in circles, are packed once. No code of the state's runs meanwhile
 * but, when memory is asked for, finalizers. */
#include <stdlib.h>
#include <string.h>

#include "pack.h"

/* ---- objects ---- */

/* Numbers the value at index. What has contents, and what a finalizer could take away, is kept. */
static packed_object *add_object(packer *p, int index, int has_contents) {
  lua_State *L = p->L;
  packed_object *object = lull__new_packed(p, lua_topointer(L, index));
  object->has_contents = (uint8_t)has_contents;
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

static void pack_name(packer *p, int index) {
  lua_State *L = p->L;
  size_t length, field_length;
  const char *module = lua_tolstring(L, -2, &length);
  const char *field = lua_tolstring(L, -1, &field_length);
  add_object(p, index, 0);
  lull__put_tag(p, LULL_T_NAME);
  lull__put_string(p, module, length);
  lull__put_string(p, field, field_length);
  lua_pop(L, 2);
}

static void pack_long(packer *p, int index) {
  size_t size;
  const char *text = lua_tolstring(p->L, index, &size);
  add_object(p, index, 0);
  lull__put_tag(p, LULL_T_LONG);
  lull__put_string(p, text, size);
}

static void pack_table(packer *p, int index) {
  const uint32_t sizes[2] = {0, 0};
  packed_object *object = add_object(p, index, 1);
  lull__put_tag(p, LULL_T_TABLE);
  if (p->parcel->size > UINT32_MAX) luaL_error(p->L, "more than 4 GiB cannot be copied");
  object->header = (uint32_t)p->parcel->size;
  lull__put(p, sizes, sizeof sizes);
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
  lull__put_tagged(p, LULL_T_FUNCTION, &number, sizeof number);
  lull__put_u32(p, dump->size);
  lull__put(p, dump->code, dump->size);
}

static void pack_function(packer *p, int index) {
  uint64_t number = 0;
  add_object(p, index, has_own_upvalues(p->L, index));
  lull__put_tagged(p, LULL_T_FUNCTION, &number, sizeof number);
  size_t place = p->parcel->size;
  lull__put_u32(p, 0);
  uint32_t size = (uint32_t)lull__dump_function(p->L, p->parcel, index);
  memcpy(p->parcel->bytes + place, &size, sizeof size);
}

/* Gives whether the value at index is an async function; then it is packed. */
static int pack_async(packer *p, int index) {
  const char *name = lull__push_inner(p->L, index);
  if (name == NULL) return 0;
  lua_pop(p->L, 1);
  add_object(p, index, 1);
  lull__put_tag(p, LULL_T_ASYNC);
  lull__put_string(p, name, strlen(name) + 1);
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
    lull__put_tag(p, LULL_T_NIL);
  else if (type == LUA_TTHREAD)
    lull__refuse(p, index, "a coroutine");
  else if (type == LUA_TFUNCTION)
    lull__refuse(p, index, "a C function");
  else
    refuse_userdata(p, index);
}

static void pack_other(packer *p, int index) {
  if (lua_type(p->L, index) != LUA_TFUNCTION || !pack_async(p, index)) refuse(p, index);
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
  else if (type != LUA_TFUNCTION || lua_iscfunction(L, index))
    pack_other(p, index);
  else if (p->dump != NULL && p->current == 0 && p->root == 0)
    pack_dump(p, p->dump, index);
  else
    pack_function(p, index);
}

static void pack_reference(packer *p, int index) {
  uint32_t number = (uint32_t)lull__seen(p, lua_topointer(p->L, index));
  if (number == 0) {
    pack_object(p, index);
    return;
  }
  lull__put_tagged(p, LULL_T_SEEN, &number, sizeof number);
  p->linked = 1;
}

/* ---- values ---- */

static void pack_number(packer *p, int index) {
  lua_Integer integer;
  lua_Number number;
  if (lua_isinteger(p->L, index)) {
    integer = lua_tointeger(p->L, index);
    lull__put_tagged(p, LULL_T_INTEGER, &integer, sizeof integer);
  } else {
    number = lua_tonumber(p->L, index);
    lull__put_tagged(p, LULL_T_FLOAT, &number, sizeof number);
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
void lull__pack_value(packer *p, int index) {
  const void *light;
  switch (lua_type(p->L, index)) {
  case LUA_TNIL:
    lull__put_tag(p, LULL_T_NIL);
    break;
  case LUA_TBOOLEAN:
    lull__put_tag(p, lua_toboolean(p->L, index) ? LULL_T_TRUE : LULL_T_FALSE);
    break;
  case LUA_TNUMBER:
    pack_number(p, index);
    break;
  case LUA_TSTRING:
    pack_string(p, index);
    break;
  case LUA_TLIGHTUSERDATA:
    light = lua_touserdata(p->L, index);
    lull__put_tagged(p, LULL_T_LIGHT, &light, sizeof light);
    break;
  default:
    pack_reference(p, index);
  }
}

/* ---- all of it ---- */

/* pack(packer, ...) */
static int pack(lua_State *L) {
  packer *p = lua_touserdata(L, 1);
  size_t start = p->parcel->size;
  lull_bill bill = {.values = (uint32_t)p->nvalues};
  lua_pushnil(L); /* at pack_objects */
  luaL_checkstack(L, 20, NULL);
  lull__put(p, &bill, sizeof bill);
  for (p->root = 0; p->root < p->nvalues; p->root++)
    lull__pack_value(p, PACK_FIRST + p->root);
  if (p->linked) lull__pack_contents(p);
  bill.objects = p->count;
  bill.linked = (uint8_t)p->linked;
  memcpy(p->parcel->bytes + start, &bill, sizeof bill);
  return 0;
}

int lull__pack_parcel(lua_State *L, lull_border *border, lull_parcel *parcel, lull_cargo cargo,
                      int n, const lull_dump *dump) {
  packer p = {.border = border, .parcel = parcel, .cargo = cargo, .dump = dump, .nvalues = n};
  int first = lua_gettop(L) - n + 1;
  size_t start = parcel->size;
  p.L = L;
  lull__seen_init(&p);
  if (!lua_checkstack(L, 2)) lull__no_memory(L);
  lua_pushcfunction(L, pack);
  lua_insert(L, first);
  lua_pushlightuserdata(L, &p);
  lua_insert(L, first + 1);
  int status = lua_pcall(L, n + 1, 0, 0);
  lull__seen_free(&p);
  if (status != LUA_OK) parcel->size = start;
  return status;
}
