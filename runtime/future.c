/* Futures: a result that is not there yet. Tasks and gathers are futures too, so what is here
 * serves all three: values, outcomes, completion and callbacks. */
#include "internal.h"

void lull__future_init(lull_future *future) {
  future->o.state = LULL_PENDING;
  lull__list_init(&future->waiters);
}

lull_future *lull__new_future(lua_State *L, lull_t *rt) {
  lull_future *future = lull__new_object(L, rt, sizeof *future, 1, LULL_FUTURE);
  lull__future_init(future);
  return future;
}

/* The future, task or gather at index, or NULL. */
lull_future *lull__to_future(lua_State *L, lull_t *rt, int index) {
  lull_object *object = lull__object(L, rt, index);
  if (object == NULL || object->kind > LULL_GATHER) return NULL;
  return object->state >= LULL_PENDING ? (lull_future *)object : NULL;
}

lull_future *lull__check_future(lua_State *L, lull_t *rt, int index) {
  lull_future *future = lull__to_future(L, rt, index);
  if (future == NULL) luaL_typeerror(L, index, "task or future");
  return future;
}

/* Takes n values off the stack: they are the result of the future at index. */
void lull__set_values(lua_State *L, lull_future *future, int index, int n) {
  if (n > 1) {
    lull__pack(L, n);
    future->o.flags |= LULL_PACKED;
  } else if (n == 0) {
    lua_pushnil(L);
  }
  future->o.nargs = n > 0;
  lull__set_value(L, &future->o, index);
}

/* Pushes the result of the future at index; gives the number of values. */
int lull__push_values(lua_State *L, lull_future *future, int index) {
  if (future->o.kind == LULL_GATHER) return lull__push_gathered(L, (lull_gather *)future, index);
  if (future->o.nargs == 0) return 0;
  lull__get_value(L, &future->o, index);
  return future->o.flags & LULL_PACKED ? lull__unpack(L) : 1;
}

/* Pushes the results of the done future at index and gives their number, or raises its error. */
int lull__outcome(lua_State *L, lull_t *rt, lull_future *future, int index) {
  if (future->o.state == LULL_RESULT) return lull__push_values(L, future, index);
  lull__get_extra(L, index, LULL_X_MESSAGE);
  if (future->o.state == LULL_CANCELLED) {
    lull__push_cancelled(L, rt, lua_gettop(L));
    return lua_error(L);
  }
  lull__look(L, future, index);
  lull__get_value(L, &future->o, index);
  lull__get_extra(L, index, LULL_X_TRACEBACK);
  lull__note_rethrown(L, rt, -2, -1);
  lua_pop(L, 1);
  return lua_error(L);
}

static void schedule_callbacks(lua_State *L, lull_t *rt, lull_future *future, int index) {
  if (index == 0) { /* cancelled through a task that waits for it */
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
    lua_rawgetp(L, -1, future);
    lua_remove(L, -2);
  } else {
    lua_pushvalue(L, index);
  }
  int self = lua_gettop(L);
  lull__get_extra(L, self, LULL_X_CALLBACKS);
  lua_Integer n = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, self + 1, i);
    lull__schedule_call(L, rt, -1);
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  lull__set_extra(L, self, LULL_X_CALLBACKS);
  future->o.flags &= (uint8_t)~LULL_HAS_CALLBACKS;
  lua_settop(L, self - 1);
}

/* Completes a future whose values are set already. index is where it is on the stack, or 0. */
void lull__finish(lua_State *L, lull_t *rt, lull_future *future, int index, lull_status state) {
  uint8_t strict = *rt->strict;
  *rt->strict = 0;
  future->o.state = (uint8_t)state;
  if (future->o.flags & LULL_HAS_CALLBACKS) {
    luaL_checkstack(L, 8, NULL);
    schedule_callbacks(L, rt, future, index);
  }
  while (!lull__list_empty(&future->waiters)) {
    lull_link *link = lull__container(future->waiters.next, lull_link, node);
    lull__list_remove(&link->node);
    link->fn(L, rt, link);
  }
  *rt->strict = strict;
}
