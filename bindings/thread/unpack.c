/* Unpacking: values are made of the bytes of a parcel that this same library has packed. */
#include <string.h>

#include "thread.h"

/* On the stack: the table of objects, by their numbers, if those are needed. */
typedef struct unpacker {
  lua_State *L;
  lull_border *border;
  const unsigned char *at;
  int objects; /* index, or 0 */
  uint32_t count;
} unpacker;

/* ---- bytes ---- */

static void take(unpacker *u, void *to, size_t n) {
  memcpy(to, u->at, n);
  u->at += n;
}

static uint32_t take_u32(unpacker *u) {
  uint32_t n;
  take(u, &n, sizeof n);
  return n;
}

static const char *take_string(unpacker *u, size_t *size) {
  take(u, size, sizeof *size);
  const char *text = (const char *)u->at;
  u->at += *size;
  return text;
}

/* ---- objects ---- */

/* Numbers the object on top of the stack. */
static void number_object(unpacker *u) {
  u->count++;
  if (u->objects == 0) return;
  lua_pushvalue(u->L, -1);
  lua_rawseti(u->L, u->objects, u->count);
}

static void push_long(unpacker *u) {
  size_t size;
  const char *text = take_string(u, &size);
  lua_pushlstring(u->L, text, size);
}

static void push_table(unpacker *u) {
  uint32_t items = take_u32(u), pairs = take_u32(u);
  lua_createtable(u->L, items > INT32_MAX ? INT32_MAX : (int)items,
                  pairs > INT32_MAX ? INT32_MAX : (int)pairs);
}

static void push_function(unpacker *u) {
  uint64_t number;
  take(u, &number, sizeof number);
  uint32_t size = take_u32(u);
  lull__push_function(u->L, u->border, number, (const char *)u->at, size);
  u->at += size;
}

static void push_async(unpacker *u) {
  size_t size;
  lull__push_outer(u->L, take_string(u, &size));
}

static void push_named(unpacker *u) {
  size_t length, field_length;
  const char *module = take_string(u, &length), *field = take_string(u, &field_length);
  lull__push_named(u->L, module, length, field, field_length);
}

/* ---- values ---- */

static void push_plain(unpacker *u, enum lull_tag tag) {
  lua_State *L = u->L;
  lua_Integer integer;
  lua_Number number;
  void *light;
  size_t size;
  switch (tag) {
  case LULL_T_INTEGER:
    take(u, &integer, sizeof integer);
    lua_pushinteger(L, integer);
    break;
  case LULL_T_FLOAT:
    take(u, &number, sizeof number);
    lua_pushnumber(L, number);
    break;
  case LULL_T_STRING:
    size = *u->at++;
    lua_pushlstring(L, (const char *)u->at, size);
    u->at += size;
    break;
  case LULL_T_LIGHT:
    take(u, &light, sizeof light);
    lua_pushlightuserdata(L, light);
    break;
  case LULL_T_GLOBALS:
    lua_pushglobaltable(L);
    break;
  case LULL_T_NIL:
    lua_pushnil(L);
    break;
  default:
    lua_pushboolean(L, tag == LULL_T_TRUE);
  }
}

static void push_value(unpacker *u) {
  enum lull_tag tag = *u->at++;
  switch (tag) {
  case LULL_T_LONG:
    push_long(u);
    break;
  case LULL_T_TABLE:
    push_table(u);
    break;
  case LULL_T_FUNCTION:
    push_function(u);
    break;
  case LULL_T_ASYNC:
    push_async(u);
    break;
  case LULL_T_NAME:
    push_named(u);
    break;
  case LULL_T_SEEN:
    lua_rawgeti(u->L, u->objects, take_u32(u));
    return;
  default:
    push_plain(u, tag);
    return;
  }
  number_object(u);
}

/* ---- contents ---- */

/* Pops a value and a key; what was left out is nil. */
static void set_pair(lua_State *L, int table) {
  if (lua_isnil(L, -2))
    lua_pop(L, 2);
  else
    lua_rawset(L, table);
}

static void fill_table(unpacker *u, int table) {
  lua_State *L = u->L;
  push_value(u); /* the metatable, or nil */
  uint32_t items = take_u32(u), pairs = take_u32(u);
  for (uint32_t i = 1; i <= items; i++) {
    push_value(u);
    lua_rawseti(L, table, i);
  }
  for (uint32_t i = 0; i < pairs; i++) {
    push_value(u);
    push_value(u);
    set_pair(L, table);
  }
  if (lua_istable(L, -1)) lua_setmetatable(L, table);
}

static void fill_function(unpacker *u, int function) {
  lua_State *L = u->L;
  int n = *u->at++;
  for (int i = 1; i <= n; i++) {
    if (*u->at != LULL_T_SHARED) {
      push_value(u);
      lua_setupvalue(L, function, i);
      continue;
    }
    uint64_t which;
    u->at++;
    take(u, &which, sizeof which);
    lua_rawgeti(L, u->objects, (lua_Integer)(which >> 8));
    lua_upvaluejoin(L, function, i, -1, (int)(which & 0xff));
    lua_pop(L, 1);
  }
}

static void fill_objects(unpacker *u) {
  lua_State *L = u->L;
  uint32_t number;
  while ((number = take_u32(u)) != 0) {
    lua_rawgeti(L, u->objects, number);
    int object = lua_gettop(L);
    if (lua_istable(L, object)) {
      fill_table(u, object);
    } else if (lua_iscfunction(L, object)) {
      push_value(u);
      lull__set_inner(L, object);
    } else {
      fill_function(u, object);
    }
    lua_settop(L, object - 1);
  }
}

int lull__unpack_parcel(lua_State *L, lull_border *border, const lull_parcel *parcel) {
  unpacker u = {.L = L, .border = border, .at = parcel->bytes};
  lull_bill bill;
  take(&u, &bill, sizeof bill);
  luaL_checkstack(L, (int)bill.values + 20, "too many values");
  if (bill.linked) {
    lua_createtable(L, bill.objects > INT32_MAX ? INT32_MAX : (int)bill.objects, 0);
    u.objects = lua_gettop(L);
  }
  for (uint32_t i = 0; i < bill.values; i++)
    push_value(&u);
  if (!bill.linked) return (int)bill.values;
  fill_objects(&u);
  lua_remove(L, u.objects);
  return (int)bill.values;
}
