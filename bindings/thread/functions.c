/* Lua functions as bytecode. The function of a call is mostly one that was called before: the
 * state that sends it keeps its bytecode, by the function, and the one that gets it keeps what it
 * loaded, by a number, if a copy can be used again: if it has no upvalues but the globals. */
#include <string.h>

#include "thread.h"

typedef struct writing {
  lua_State *L;
  lull_parcel *parcel;
} writing;

static int write_code(lua_State *L, const void *bytes, size_t size, void *data) {
  writing *to = data;
  (void)L;
  if (size > 0) memcpy(lull__parcel_add(to->L, to->parcel, size), bytes, size);
  return 0;
}

/* Adds the bytecode of the Lua function at index, with its debug information; gives its size. */
size_t lull__dump_function(lua_State *L, lull_parcel *parcel, int index) {
  size_t before = parcel->size;
  writing to = {L, parcel};
  lua_pushvalue(L, index);
  lua_dump(L, write_code, &to, 0);
  lua_pop(L, 1);
  if (parcel->size - before > UINT32_MAX) luaL_error(L, "the function is too large");
  return parcel->size - before;
}

/* ---- what is sent ---- */

static int is_alone(lua_State *L, int index, int upvalues) {
  if (upvalues == 0) return 1;
  const char *name = lua_getupvalue(L, index, 1);
  lua_pop(L, 1);
  return upvalues == 1 && strcmp(name, "_ENV") == 0;
}

/* Pushes the dump of a function, made by way of the scratch parcel, which stays as it is. */
static void push_new_dump(lua_State *L, lull_border *border, int index, lull_parcel *scratch) {
  size_t start = scratch->size, size = lull__dump_function(L, scratch, index);
  lull_dump *dump = lua_newuserdatauv(L, sizeof *dump + size, 0);
  memcpy(dump->code, scratch->bytes + start, size);
  scratch->size = start;
  lua_Debug ar;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">u", &ar);
  dump->number = ++border->last_dump;
  dump->uses = 0;
  dump->size = (uint32_t)size;
  dump->upvalues = ar.nups;
  dump->alone = (uint8_t)is_alone(L, index, ar.nups);
}

/* Pushes the dump of the function at index, or false if it is to go by its name. */
static void push_dump(lua_State *L, lull_border *border, int index, lull_parcel *scratch) {
  int checked = 0;
  if (lua_iscfunction(L, index)) {
    lua_pushboolean(L, 0);
  } else if (lull__push_names(L, border, index, &checked)) {
    lua_pop(L, 2);
    lua_pushboolean(L, 0);
  } else {
    push_new_dump(L, border, index, scratch);
  }
}

static void push_weak_table(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/* Pushes one of the border's tables. */
static void push_kept(lua_State *L, int *reference, void (*push_new)(lua_State *)) {
  if (*reference == 0) {
    push_new(L);
    *reference = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, *reference);
}

/* The dump of the function at index, which keeps it alive; NULL if it is to go by its name. */
const lull_dump *lull__dump_of(lua_State *L, lull_border *border, int index, lull_parcel *scratch) {
  luaL_checkstack(L, 10, NULL);
  push_kept(L, &border->dumped, push_weak_table);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    push_dump(L, border, index, scratch);
    lua_replace(L, -2);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lull_dump *dump = lua_touserdata(L, -1);
  if (dump != NULL) dump->uses++;
  lua_pop(L, 2);
  return dump;
}

/* ---- what arrives ---- */

static void push_table(lua_State *L) {
  lua_createtable(L, LULL_LOADED, 0);
}

static void load(lua_State *L, const char *code, size_t size) {
  if (luaL_loadbufferx(L, code, size, "=?", "b") != LUA_OK) lua_error(L);
}

/* Pushes a function made of bytecode; with a number other than 0, perhaps the one made before. */
void lull__push_function(lua_State *L, lull_border *border, uint64_t number, const char *code,
                         size_t size) {
  if (number == 0) {
    load(L, code, size);
    return;
  }
  int place = (int)(number % LULL_LOADED);
  push_kept(L, &border->loaded, push_table);
  if (border->loads[place] == number) {
    lua_rawgeti(L, -1, place + 1);
  } else {
    load(L, code, size);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, place + 1);
    border->loads[place] = number;
  }
  lua_replace(L, -2);
}

/* What is malloc's, and what the registry holds. */
void lull__border_free(lua_State *L, lull_border *border) {
  lull__names_free(border->names);
  border->names = NULL;
  if (border->dumped) luaL_unref(L, LUA_REGISTRYINDEX, border->dumped);
  if (border->loaded) luaL_unref(L, LUA_REGISTRYINDEX, border->loaded);
  border->dumped = border->loaded = 0;
}
