/* Coroutine objects that nobody awaits. Each coroutine object has a slot in a table with weak
 * values and, beside it in C, the place it was made. A userdata that is collected in every cycle of
 * the collector tells that it is time to look which slots have lost their object. This costs a
 * fifth of what a finalizer on each object would. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ALWAYS_PLACED 1000 /* so many calls of a function are looked at each */
#define PLACED_ONE_IN 64   /* and then one in so many */

/* Gives a copy of text that lives as long as the runtime; equal texts give the same copy. */
const char *lull__intern(lua_State *L, lull_t *rt, const char *text) {
  luaL_checkstack(L, 4, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.strings);
  if (lua_getfield(L, -1, text) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushstring(L, text);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, text);
  }
  const char *copy = lua_tostring(L, -1);
  lua_pop(L, 2);
  return copy;
}

static void grow(lua_State *L, lull_unawaited *unawaited) {
  uint32_t capacity = unawaited->capacity ? 2 * unawaited->capacity : 64;
  lull_place *places = realloc(unawaited->places, capacity * sizeof *places);
  if (places == NULL) luaL_error(L, "not enough memory");
  unawaited->places = places;
  unawaited->capacity = capacity;
}

/* The number of a file's name among the sources; 0 when there are too many files. */
static uint32_t find_source(lua_State *L, lull_t *rt, const char *name) {
  lull_unawaited *unawaited = &rt->unawaited;
  uint32_t last = unawaited->last_source;
  if (last && strcmp(unawaited->sources[last], name) == 0) return last;
  const char *interned = lull__intern(L, rt, name);
  for (uint32_t i = 1; i <= unawaited->nsources; i++)
    if (unawaited->sources[i] == interned) return unawaited->last_source = i;
  if (unawaited->nsources + 1 == LULL_SOURCES) return 0;
  unawaited->sources[++unawaited->nsources] = interned;
  return unawaited->last_source = unawaited->nsources;
}

/* Finds the line of Lua that is calling the C function on top. */
static void find_place(lua_State *L, lull_t *rt, lull_place *place) {
  lua_Debug ar;
  for (int level = 1; level < 8 && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline < 0 || strncmp(ar.source, "=lull/", 6) == 0) continue;
    place->source = find_source(L, rt, ar.short_src);
    place->line = (uint32_t)ar.currentline & INT32_MAX;
    return;
  }
}

static void free_slot(lull_unawaited *unawaited, uint32_t slot) {
  unawaited->places[slot] = (lull_place){.source = unawaited->free};
  unawaited->free = slot;
}

/* Gives the object on top of the stack a slot, which it keeps. tracked is the index of the table
 * of unawaited objects, or 0. */
static void take_slot(lua_State *L, lull_t *rt, lull_object *object, int tracked) {
  lull_unawaited *unawaited = &rt->unawaited;
  if (unawaited->free == 0 && unawaited->count + 1 >= unawaited->capacity) grow(L, unawaited);
  uint32_t slot = unawaited->free ? unawaited->free : unawaited->count + 1;
  if (tracked) {
    lua_pushvalue(L, -1);
    lua_rawseti(L, tracked, slot);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unawaited);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
  }
  if (unawaited->free)
    unawaited->free = unawaited->places[slot].source;
  else
    unawaited->count++;
  unawaited->places[slot] = (lull_place){.taken = 1};
  object->slot = slot;
}

/* Notes the lazy object on top of the stack. Finding out where it was made takes longer than
 * making it: after many calls that is done for some only, unless in debug mode. */
void lull__track(lua_State *L, lull_t *rt, lull_object *object, lull_origin *origin, int tracked) {
  if (object->slot == 0) take_slot(L, rt, object, tracked);
  lull_place place = {.function = origin->name, .taken = 1};
  uint32_t calls = origin->calls++;
  if (calls < ALWAYS_PLACED || calls % PLACED_ONE_IN == 0 || rt->debug) find_place(L, rt, &place);
  rt->unawaited.places[object->slot] = place; /* only now: finalizers may have made them move */
}

/* The object has become a task: its slot is free for another. */
void lull__untrack(lull_t *rt, lull_object *object) {
  if (object->slot == 0) return;
  free_slot(&rt->unawaited, object->slot);
  object->slot = 0;
}

static void warn(lua_State *L, lull_t *rt, const lull_place *place) {
  if (place->source)
    lull__warnf(L, rt, "coroutine object (%s) was never awaited (made at %s:%d)", place->function,
                rt->unawaited.sources[place->source], (int)place->line);
  else
    lull__warnf(L, rt,
                "coroutine object (%s) was never awaited (LULL_DEBUG=1 tells where it was made)",
                place->function);
}

/* Warns of the objects that were collected since the last scan; or of all there are. */
void lull__unawaited_scan(lua_State *L, lull_t *rt, int all) {
  lull_unawaited *unawaited = &rt->unawaited;
  unawaited->collected = 0;
  luaL_checkstack(L, 4, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unawaited);
  for (uint32_t slot = 1; slot <= unawaited->count; slot++) {
    lull_place place = unawaited->places[slot];
    if (!place.taken) continue;
    int dead = lua_rawgeti(L, -1, slot) == LUA_TNIL;
    lua_pop(L, 1);
    if (dead || all) unawaited->places[slot].function = NULL;
    if (dead) free_slot(unawaited, slot);
    /* last: it may run finalizers, which come here and make the places move */
    if (place.function != NULL && (dead || all)) warn(L, rt, &place);
  }
  lua_pop(L, 1);
}

void lull__unawaited_free(lull_t *rt) {
  free(rt->unawaited.places);
  rt->unawaited = (lull_unawaited){0};
}

/* The finalizer of the canary: a collection has ended; the next one needs a new canary. */
static int canary_gc(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  if (rt->closed && rt->opened) return 0;
  rt->unawaited.collected = 1;
  lua_newuserdatauv(L, 0, 0);
  lua_getmetatable(L, 1);
  lua_setmetatable(L, -2);
  return 0;
}

int lull__unawaited_init(lua_State *L, lull_t *rt) {
  static const luaL_Reg canary[] = {{"__gc", canary_gc}, {NULL, NULL}};
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  rt->refs.unawaited = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  rt->refs.strings = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newuserdatauv(L, 0, 0);
  lua_newtable(L);
  lull__setfuncs(L, rt, canary);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  return 0;
}
