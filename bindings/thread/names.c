/* Names of what package.loaded holds: modules, and in them functions, userdata and classes (tables
 * with a metatable or an __index). What has a name arrives as the other state's own. An index from
 * addresses to names is made when it is needed, and again when other modules have been loaded; a
 * name found in it is looked up before it is used. */
#include <stdlib.h>
#include <string.h>

#include "thread.h"

typedef struct entry {
  const void *value;
  size_t name; /* in the text: module and field, each with a zero at its end */
} entry;

struct lull_names {
  uint64_t fingerprint; /* of package.loaded when the index was made */
  entry *entries;
  size_t count, capacity; /* a power of two */
  char *text;
  size_t text_size, text_capacity;
};

static void clear(lull_names *names) {
  free(names->entries);
  free(names->text);
  *names = (lull_names){0};
}

void lull__names_free(lull_names *names) {
  if (names == NULL) return;
  clear(names);
  free(names);
}

/* ---- the index ---- */

static size_t hash(const void *value) {
  uint64_t bits = (uint64_t)(uintptr_t)value * UINT64_C(0x9E3779B97F4A7C15);
  return (size_t)(bits >> 20);
}

static entry *slot(const lull_names *names, const void *value) {
  size_t i = hash(value) & (names->capacity - 1);
  while (names->entries[i].value != NULL && names->entries[i].value != value)
    i = (i + 1) & (names->capacity - 1);
  return &names->entries[i];
}

static int grow_entries(lull_names *names) {
  lull_names grown = *names;
  grown.capacity = names->capacity ? 2 * names->capacity : 512;
  grown.entries = calloc(grown.capacity, sizeof *grown.entries);
  if (grown.entries == NULL) return UV_ENOMEM;
  for (size_t i = 0; i < names->capacity; i++)
    if (names->entries[i].value != NULL) *slot(&grown, names->entries[i].value) = names->entries[i];
  free(names->entries);
  *names = grown;
  return 0;
}

static int add_text(lull_names *names, const char *text) {
  size_t size = strlen(text) + 1;
  if (names->text_capacity - names->text_size < size) {
    size_t capacity = 2 * names->text_capacity + size + 4096;
    char *grown = realloc(names->text, capacity);
    if (grown == NULL) return UV_ENOMEM;
    names->text = grown;
    names->text_capacity = capacity;
  }
  memcpy(names->text + names->text_size, text, size);
  names->text_size += size;
  return 0;
}

/* Names the value on top of the stack, unless it has a name. */
static void add(lua_State *L, lull_names *names, const char *module, const char *field) {
  const void *value = lua_topointer(L, -1);
  if (value == NULL) return;
  if (2 * names->count >= names->capacity && grow_entries(names) < 0) lull__no_memory(L);
  entry *found = slot(names, value);
  if (found->value != NULL) return;
  size_t name = names->text_size;
  if (add_text(names, module) < 0 || add_text(names, field) < 0) lull__no_memory(L);
  *found = (entry){value, name};
  names->count++;
}

/* ---- what gets a name ---- */

static int is_class(lua_State *L) {
  if (lua_getmetatable(L, -1)) {
    lua_pop(L, 1);
    return 1;
  }
  lua_pushliteral(L, "__index");
  int found = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

static int is_nameable(lua_State *L) {
  int type = lua_type(L, -1);
  return type == LUA_TFUNCTION || type == LUA_TUSERDATA || (type == LUA_TTABLE && is_class(L));
}

/* A string key at an index, without zeros in it, or NULL. */
static const char *plain_key(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return NULL;
  size_t length;
  const char *key = lua_tolstring(L, index, &length);
  return strlen(key) == length ? key : NULL;
}

/* The fields of the module on top of the stack. */
static void add_fields(lua_State *L, lull_names *names, const char *module) {
  if (!lua_istable(L, -1)) return;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *field = plain_key(L, -2);
    if (field != NULL && *field != '\0' && is_nameable(L)) add(L, names, module, field);
  }
}

/* A function of Lua's, or what lull has put in its place. */
static int is_original(lua_State *L) {
  lua_Debug ar;
  if (!lua_isfunction(L, -1)) return 0;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &ar);
  return *ar.what == 'C' || strncmp(ar.source, "=lull/", 6) == 0;
}

/* Of the globals only these: the rest is the script's, and not there in other states. */
static void add_globals(lua_State *L, lull_names *names) {
  static const char *const known[] = {
      "assert",       "collectgarbage", "dofile",   "error",  "getmetatable", "ipairs",
      "load",         "next",           "loadfile", "pairs",  "pcall",        "print",
      "rawequal",     "rawget",         "rawlen",   "rawset", "select",       "warn",
      "setmetatable", "tonumber",       "tostring", "type",   "xpcall",       "require"};
  lua_pushglobaltable(L);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    lua_pushstring(L, known[i]);
    lua_rawget(L, -2);
    if (is_original(L)) add(L, names, "_G", known[i]);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* index(names): fills it. Lua's own modules and lull come first: others may hold the same. */
static int index_loaded(lua_State *L) {
  static const char *const first[] = {"string", "table", "math", "io",      "os",
                                      "utf8",   "debug", "lull", "package", "coroutine"};
  lull_names *names = lua_touserdata(L, 1);
  luaL_checkstack(L, 10, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
    if (plain_key(L, -2) != NULL) add(L, names, lua_tostring(L, -2), "");
  for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
    lua_pushstring(L, first[i]);
    lua_rawget(L, 2);
    add_fields(L, names, first[i]);
    lua_pop(L, 1);
  }
  add_globals(L, names);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    const char *module = plain_key(L, -2);
    if (module != NULL && strcmp(module, "_G") != 0) add_fields(L, names, module);
  }
  return 0;
}

static uint64_t fingerprint(lua_State *L) {
  uint64_t sum = 1;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    sum += hash(lua_topointer(L, -1)) * 31 ^ hash(lua_topointer(L, -2));
  lua_pop(L, 1);
  return sum;
}

/* Brings the index up to date; gives whether it has changed. */
static int refresh(lua_State *L, lull_border *border) {
  if (border->names == NULL) border->names = calloc(1, sizeof *border->names);
  lull_names *names = border->names;
  if (names == NULL) lull__no_memory(L);
  uint64_t now = fingerprint(L);
  if (names->fingerprint == now) return 0;
  clear(names);
  lua_pushcfunction(L, index_loaded);
  lua_pushlightuserdata(L, names);
  lua_call(L, 1, 0);
  names->fingerprint = now;
  return 1;
}

/* ---- names of values, values of names ---- */

/* Pushes what package.loaded has under a name, or nil. */
static void push_value(lua_State *L, const char *module, const char *field) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushstring(L, module);
  lua_rawget(L, -2);
  lua_replace(L, -2);
  if (*field == '\0') return;
  if (lua_istable(L, -1)) {
    lua_pushstring(L, field);
    lua_rawget(L, -2);
  } else {
    lua_pushnil(L);
  }
  lua_replace(L, -2);
}

/* Pushes the names that the index has for an address, if they are still right. */
static int push_indexed(lua_State *L, const lull_names *names, const void *value) {
  if (names == NULL || names->capacity == 0) return 0;
  const entry *found = slot(names, value);
  if (found->value == NULL) return 0;
  const char *module = names->text + found->name, *field = module + strlen(module) + 1;
  push_value(L, module, field);
  int same = lua_topointer(L, -1) == value;
  lua_pop(L, 1);
  if (!same) return 0;
  lua_pushstring(L, module);
  lua_pushstring(L, field);
  return 1;
}

int lull__push_names(lua_State *L, lull_border *border, int index, int *checked) {
  const void *value = lua_topointer(L, index);
  luaL_checkstack(L, 8, NULL);
  if (push_indexed(L, border->names, value)) return 1;
  if (*checked) return 0;
  *checked = 1;
  return refresh(L, border) && push_indexed(L, border->names, value);
}

/* Pushes the state's own value of that name; the module is required if need be. */
void lull__push_named(lua_State *L, const char *module, size_t length, const char *field,
                      size_t field_length) {
  luaL_checkstack(L, 6, NULL);
  lua_pushlstring(L, module, length);
  lua_pushlstring(L, field, field_length);
  int names = lua_gettop(L) - 1;
  push_value(L, lua_tostring(L, names), "");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushvalue(L, names);
    lua_call(L, 1, 1);
  }
  if (field_length > 0 && lua_istable(L, -1)) {
    lua_pushvalue(L, names + 1);
    lua_rawget(L, -2);
  } else if (field_length > 0) {
    lua_pushnil(L);
  }
  if (lua_isnil(L, -1))
    luaL_error(L, "module '%s' has no '%s' in this thread", lua_tostring(L, names),
               lua_tostring(L, names + 1));
  lua_replace(L, names);
  lua_settop(L, names);
}
