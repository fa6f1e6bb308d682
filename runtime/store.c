/* What queues keep their items in: a ring, which serves as a stack too, or a heap. add takes the
 * value on top of the stack of L, take leaves one there; self is where the queue is, whose user
 * values are the table of items and, of a heap, the function that orders them, if there is one. */
#include "internal.h"

static void grow_ring(lua_State *L, lull_store *store, int self) {
  lua_Integer old = store->capacity, capacity = old ? 2 * old : 16;
  int items = lua_gettop(L) + 1;
  lua_createtable(L, (int)capacity, 0); /* may run finalizers, which may use the queue */
  lua_getiuservalue(L, self, LULL_ITEMS);
  if (store->capacity == old && store->count == old) {
    for (lua_Integer i = 0; i < old; i++) {
      lua_rawgeti(L, items + 1, ((store->head + i) & (old - 1)) + 1);
      lua_rawseti(L, items, i + 1);
    }
    lua_pushvalue(L, items);
    lua_setiuservalue(L, self, LULL_ITEMS);
    store->head = 0;
    store->capacity = capacity;
  }
  lua_settop(L, items - 1);
}

void lull__add_last(lua_State *L, lull_store *store, int self) {
  while (store->count == store->capacity)
    grow_ring(L, store, self);
  lua_getiuservalue(L, self, LULL_ITEMS);
  lua_insert(L, -2);
  lua_rawseti(L, -2, ((store->head + store->count) & (store->capacity - 1)) + 1);
  lua_pop(L, 1);
  store->count++;
}

/* Leaves the table of items below the value. */
static int take_at(lua_State *L, int self, lua_Integer position) {
  lua_getiuservalue(L, self, LULL_ITEMS);
  lua_rawgeti(L, -1, position);
  lua_pushnil(L);
  lua_rawseti(L, -3, position);
  return 1;
}

int lull__take_first(lua_State *L, lull_store *store, int self) {
  take_at(L, self, store->head + 1);
  store->head = (store->head + 1) & (store->capacity - 1);
  store->count--;
  return 1;
}

int lull__take_last(lua_State *L, lull_store *store, int self) {
  store->count--;
  return take_at(L, self, ((store->head + store->count) & (store->capacity - 1)) + 1);
}

/* Whether the value at index a of the stack goes before the one at b. */
static int before(lua_State *L, const lull_store *store, int self, int a, int b) {
  if (!store->has_less) return lua_compare(L, a, b, LUA_OPLT);
  lua_getiuservalue(L, self, LULL_LESS);
  lua_pushvalue(L, a);
  lua_pushvalue(L, b);
  lua_call(L, 2, 1);
  int result = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return result;
}

static void check_unchanged(lua_State *L, lull_store *store, uint32_t changes) {
  if (store->changes != changes) luaL_error(L, "the order function of a queue changed the queue");
  store->changes++;
}

/* The heap: comparisons may raise errors, so all of them are made before anything is moved. */
void lull__add_to_heap(lua_State *L, lull_store *store, int self) {
  int value = lua_gettop(L), items = value + 1;
  uint32_t changes = store->changes;
  lua_getiuservalue(L, self, LULL_ITEMS);
  lua_Integer place = store->count + 1, hole = place;
  while (hole > 1) {
    lua_rawgeti(L, items, hole / 2);
    int up = before(L, store, self, value, items + 1);
    lua_pop(L, 1);
    if (!up) break;
    hole /= 2;
  }
  check_unchanged(L, store, changes);
  lua_pushvalue(L, value); /* makes room, which may fail, before anything moves */
  lua_rawseti(L, items, place);
  for (; place > hole; place /= 2) {
    lua_rawgeti(L, items, place / 2);
    lua_rawseti(L, items, place);
  }
  lua_pushvalue(L, value);
  lua_rawseti(L, items, hole);
  lua_settop(L, value - 1);
  store->count++;
}

int lull__take_least(lua_State *L, lull_store *store, int self) {
  lua_Integer path[64];
  int depth = 0, base = lua_gettop(L), items = base + 1, last = base + 2;
  lua_Integer n = store->count - 1, hole = 1;
  uint32_t changes = store->changes;
  lua_getiuservalue(L, self, LULL_ITEMS);
  lua_rawgeti(L, items, store->count);
  while (2 * hole <= n) {
    lua_Integer child = 2 * hole;
    lua_rawgeti(L, items, child);
    if (child < n) {
      lua_rawgeti(L, items, child + 1);
      if (before(L, store, self, last + 2, last + 1)) {
        child++;
        lua_replace(L, last + 1);
      }
      lua_settop(L, last + 1);
    }
    int down = before(L, store, self, last + 1, last);
    lua_pop(L, 1);
    if (!down) break;
    path[depth++] = hole = child;
  }
  check_unchanged(L, store, changes);
  lua_rawgeti(L, items, 1);
  hole = 1;
  for (int i = 0; i < depth; i++) {
    lua_rawgeti(L, items, path[i]);
    lua_rawseti(L, items, hole);
    hole = path[i];
  }
  lua_pushvalue(L, last);
  lua_rawseti(L, items, hole);
  lua_pushnil(L);
  lua_rawseti(L, items, store->count--);
  lua_replace(L, items);
  lua_settop(L, items);
  return 1;
}
