/* Memory for what is needed only while a document is parsed. It comes from the Lua state's
 * allocator, so that a limit set there holds, and is given back all at once: gumbo's own way to
 * free a tree calls itself for each level, and would leak if an error were raised meanwhile. */
#include <string.h>

#include "html.h"

typedef struct chunk {
  struct chunk *next;
  size_t size;
} chunk;

struct html_arena {
  lua_State *L;
  chunk *chunks;
  char *free, *end; /* of the newest chunk */
  size_t used, limit;
};

enum { GRAIN = 16, CHUNK = 256 * 1024 };

void html_arena_free(html_arena *arena) {
  void *data;
  lua_Alloc alloc = lua_getallocf(arena->L, &data);
  for (chunk *old = arena->chunks; old != NULL;) {
    chunk *next = old->next;
    alloc(data, old, old->size, 0);
    old = next;
  }
  arena->chunks = NULL;
  arena->free = arena->end = NULL;
}

static int collect_arena(lua_State *L) {
  html_arena *arena = lua_touserdata(L, 1);
  arena->L = L;
  html_arena_free(arena);
  return 0;
}

static chunk *try_chunk(const html_arena *arena, size_t size) {
  void *data;
  lua_Alloc alloc = lua_getallocf(arena->L, &data);
  return alloc(data, NULL, 0, size);
}

static void add_chunk(html_arena *arena, chunk *fresh, size_t size) {
  if (fresh == NULL) {
    luaL_error(arena->L, "not enough memory");
    return;
  }
  fresh->size = size;
  fresh->next = arena->chunks;
  arena->chunks = fresh;
  arena->used += size;
  arena->free = (char *)fresh + GRAIN;
  arena->end = (char *)fresh + size;
}

html_arena *html_arena_new(lua_State *L, size_t expected, size_t limit) {
  html_arena *arena = lua_newuserdatauv(L, sizeof *arena, 0);
  *arena = (html_arena){.L = L, .limit = limit};
  if (luaL_newmetatable(L, "lull html arena")) {
    lua_pushcfunction(L, collect_arena);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  chunk *first = try_chunk(arena, expected + GRAIN);
  if (first == NULL) { /* now finalizers may run, later they must not */
    lua_gc(L, LUA_GCCOLLECT);
    first = try_chunk(arena, expected + GRAIN);
  }
  add_chunk(arena, first, expected + GRAIN);
  return arena;
}

void *html_alloc(html_arena *arena, size_t size) {
  size = (size + GRAIN - 1) / GRAIN * GRAIN;
  if (size > (size_t)(arena->end - arena->free)) {
    size_t whole = size + GRAIN > CHUNK ? size + GRAIN : CHUNK;
    if (whole > arena->limit - arena->used)
      luaL_error(arena->L, "the HTML document needs too much memory");
    add_chunk(arena, try_chunk(arena, whole), whole);
  }
  void *block = arena->free;
  arena->free += size;
  return block;
}

void *html_grow(html_arena *arena, void *data, size_t *capacity, size_t item) {
  size_t larger = *capacity ? 2 * *capacity : 64;
  void *grown = html_alloc(arena, larger * item);
  if (*capacity) memcpy(grown, data, *capacity * item);
  *capacity = larger;
  return grown;
}
