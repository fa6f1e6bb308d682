/* The binding that :help reads: descriptions of everything in lull, by name and by place. It is a
 * shared module of its own, so that only those who ask for help load it. */
#include "docs.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "lull.h"

static void set_string(lua_State *L, const char *field, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, field);
}

static int push_doc(lua_State *L, const lull__doc *doc) {
  lua_createtable(L, 0, 4);
  set_string(L, "key", doc->key);
  set_string(L, "kind", doc->kind);
  set_string(L, "signature", doc->signature);
  set_string(L, "text", doc->text);
  return 1;
}

static int compare(const void *key, const void *doc) {
  return strcmp(key, ((const lull__doc *)doc)->key);
}

/* get(key) -> {key=, kind=, signature=, text=} or nil. The kinds are "function", "method",
 * "class", "module", "value", and "name": what text says has this __name. */
static int get(lua_State *L) {
  const char *key = luaL_checkstring(L, 1);
  const lull__doc *doc = bsearch(key, lull__docs, lull__ndocs, sizeof *lull__docs, compare);
  return doc != NULL ? push_doc(L, doc) : 0;
}

/* at(source, line) -> the same of the function that is defined there. */
static int at(lua_State *L) {
  const char *source = luaL_checkstring(L, 1);
  lua_Integer line = luaL_checkinteger(L, 2);
  for (const lull__doc *doc = lull__docs; doc < lull__docs + lull__ndocs; doc++)
    if (*doc->kind != 'c' && doc->first == line && strcmp(doc->source, source) == 0)
      return push_doc(L, doc);
  return 0;
}

/* keys() -> those that are names for users, in order. */
static int keys(lua_State *L) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (const lull__doc *doc = lull__docs; doc < lull__docs + lull__ndocs; doc++) {
    if (doc->hidden || *doc->kind == 'n') continue;
    lua_pushstring(L, doc->key);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

LULL_API int luaopen_lull_docs(lua_State *L);

int luaopen_lull_docs(lua_State *L) {
  static const luaL_Reg functions[] = {{"at", at}, {"get", get}, {"keys", keys}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
