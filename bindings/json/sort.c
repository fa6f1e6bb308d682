/* The keys of an object in the order of their bytes. */
#include <stdlib.h>

#include "encode.h"

static int compare_keys(const void *left, const void *right) {
  const json_key *a = left, *b = right;
  int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
  if (order != 0) return order;
  return (a->length > b->length) - (a->length < b->length);
}

int lull__json_sort_keys(json_encoder *e, json_table *f) {
  lua_State *L = e->L;
  lua_settop(L, f->base);
  lua_newtable(L);
  lua_pushnil(L);
  for (f->count = 0; lua_next(L, f->base);) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) return 0;
    lua_pushvalue(L, -1);
    lua_rawseti(L, f->base + 1, ++f->count);
  }
  json_key *keys = lua_newuserdatauv(L, (size_t)f->count * sizeof *keys, 0);
  for (lua_Integer i = 0; i < f->count; i++) {
    lua_rawgeti(L, f->base + 1, i + 1);
    keys[i].text = lua_tolstring(L, -1, &keys[i].length);
    keys[i].place = i + 1;
    lua_pop(L, 1);
  }
  qsort(keys, (size_t)f->count, sizeof *keys, compare_keys);
  f->keys = keys;
  f->index = 0;
  return 1;
}
