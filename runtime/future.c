/* Futures: a result that is not there yet. Tasks and gathers are futures too, so what is here
 * serves all three: completing, looking at outcomes, callbacks, cancellation. */
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
    int top = lua_gettop(L);
    lua_createtable(L, n, 1);
    lua_insert(L, top - n + 1);
    for (int i = n; i >= 1; i--) lua_rawseti(L, top - n + 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
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
  if (!(future->o.flags & LULL_PACKED)) return 1;
  int packed = lua_gettop(L);
  lua_getfield(L, packed, "n");
  int n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, n, "too many results");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, packed, i);
  lua_remove(L, packed);
  return n;
}

/* Failures nobody looks at: a sentinel lives as long as the failed future does, and its
 * finalizer warns unless the error was seen. */
typedef struct sentinel {
  lull_node node; /* in the runtime's list of them */
  int looked;
} sentinel;

/* tell(sentinel): the upvalue is the runtime. */
static int tell_unlooked(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1); /* the future, which may be about to be collected as well */
  lull_future *future = lua_touserdata(L, 2);
  if (future->o.kind == LULL_TASK) {
    lull__push_task_name(L, (lull_task *)future, 2);
    lua_pushfstring(L, "task '%s' failed and nobody looked", lua_tostring(L, -1));
  } else {
    lua_pushfstring(L, "a %s failed and nobody looked", lull__kind_name(future->o.kind));
  }
  const char *message = lua_tostring(L, -1);
  lua_pushnil(L);
  lua_copy(L, -2, 1);
  lua_pop(L, 1);
  lull__get_value(L, &future->o, 2);
  lull__get_extra(L, 2, LULL_X_TRACEBACK);
  lull__report_exception(L, rt, message, 2);
  return 0;
}

static void forget(sentinel *watch) {
  lull__list_remove(&watch->node);
  lull__list_init(&watch->node);
}

/* A finalizer runs in the midst of whatever allocates: the next turn is the time to tell. */
static int sentinel_gc(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  sentinel *watch = lua_touserdata(L, 1);
  if (watch->looked || rt->closed) {
    forget(watch);
    return 0;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unlooked);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  rt->unawaited.collected = 1;
  return 0;
}

/* Tells of the failures whose futures were collected. */
void lull__tell_collected(lua_State *L, lull_t *rt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unlooked);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  if (n > 0) {
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.unlooked);
  }
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
    lua_pushcclosure(L, tell_unlooked, 1);
    lua_rawgeti(L, -2, i);
    forget(lua_touserdata(L, -1));
    lua_call(L, 1, 0);
  }
  lua_pop(L, 1);
}

/* tell_unlooked(rt): of every failure nobody has looked at, in the order they happened. */
int lull__tell_unlooked(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  int dying = 0; /* some have lost all but their finalizer */
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
  while (!lull__list_empty(&rt->sentinels)) {
    sentinel *watch = lull__container(rt->sentinels.next, sentinel, node);
    lull__list_remove(&watch->node);
    lull__list_init(&watch->node);
    if (watch->looked) continue;
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
    lua_pushcclosure(L, tell_unlooked, 1);
    if (lua_rawgetp(L, 2, watch) == LUA_TNIL) {
      dying = 1;
    } else {
      watch->looked = 1;
      if (lua_pcall(L, 1, 0, 0) == LUA_OK) continue;
    }
    lua_settop(L, 2);
  }
  if (dying) lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

/* The future at index has failed with the error on top of the stack, which is left there. */
void lull__watch_error(lua_State *L, lull_t *rt, lull_future *future, int index) {
  index = lua_absindex(L, index);
  if (future->o.flags & LULL_LOOKED) return;
  sentinel *watch = lua_newuserdatauv(L, sizeof *watch, 1);
  watch->looked = 0;
  lull__list_init(&watch->node);
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, watch);
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.sentinel_meta);
  lua_setmetatable(L, -2);
  lull__list_append(&rt->sentinels, &watch->node);
  lull__set_extra(L, index, LULL_X_SENTINEL);
}

/* Somebody has seen the error of the future at index. */
void lull__look(lua_State *L, lull_future *future, int index) {
  if (future->o.flags & LULL_LOOKED) return;
  future->o.flags |= LULL_LOOKED;
  if (lull__get_extra(L, index, LULL_X_SENTINEL) != LUA_TNIL)
    ((sentinel *)lua_touserdata(L, -1))->looked = 1;
  lua_pop(L, 1);
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
    lua_pushvalue(L, self);
    lull__call_soon(L, rt, 1);
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

/* ---- cancellation: a request goes down the chain of what waits for what, and ends where
 * something can be interrupted: a plain future, an operation, a task that is not waiting ---- */

static void keep_message(lua_State *L, lull_t *rt, lull_task *task, int message) {
  int none = message == 0 || lua_isnoneornil(L, message);
  if (none && !(task->f.o.flags & LULL_HAS_EXTRAS)) return;
  luaL_checkstack(L, 4, NULL);
  lull__push_anchored(L, rt, task->f.o.slot);
  if (none)
    lua_pushnil(L); /* an earlier request's message is not this one's */
  else
    lua_pushvalue(L, message);
  lull__set_extra(L, -2, LULL_X_MESSAGE);
  lua_pop(L, 1);
}

/* The message goes on to the plain future or gather that a task waits for. */
static void pass_message(lua_State *L, lull_task *task, int message) {
  const lull_future *future = task->subject;
  if (message == 0 || lua_isnoneornil(L, message) || future->o.kind == LULL_TASK) return;
  luaL_checkstack(L, 4, NULL);
  lull__push_awaited(L, task);
  lua_pushvalue(L, message);
  lull__set_extra(L, -2, LULL_X_MESSAGE);
  lua_pop(L, 1);
}

static void interrupt_task(lua_State *L, lull_t *rt, lull_task *task) {
  task->wait->cancel(L, rt, task);
  task->interrupted = 1;
  task->f.o.flags |= LULL_MUST_CANCEL;
  lull__wake(rt, task);
}

static lull_future *cancel_task(lua_State *L, lull_t *rt, lull_task *task, int message, int *hits) {
  if (task->epoch == rt->cancel_epoch) return NULL;
  task->epoch = rt->cancel_epoch;
  task->cancels++;
  keep_message(L, rt, task, message);
  if (!(task->f.o.flags & LULL_WAITING)) {
    task->f.o.flags |= LULL_MUST_CANCEL;
    ++*hits;
    return NULL;
  }
  if (task->wait == &lull__future_wait) {
    pass_message(L, task, message);
    return task->subject;
  }
  interrupt_task(L, rt, task);
  ++*hits;
  return NULL;
}

static lull_future *cancel_one(lua_State *L, lull_t *rt, lull_future *future, int message,
                               int *hits) {
  if (future->o.state != LULL_PENDING) return NULL;
  if (future->o.kind == LULL_TASK) return cancel_task(L, rt, (lull_task *)future, message, hits);
  if (future->o.kind == LULL_FUTURE) {
    lull__finish(L, rt, future, 0, LULL_CANCELLED);
    ++*hits;
    return NULL;
  }
  lull_gather *gather = (lull_gather *)future;
  if (gather->epoch != rt->cancel_epoch) {
    gather->epoch = rt->cancel_epoch;
    gather->queued = rt->to_cancel;
    rt->to_cancel = gather;
  }
  return NULL;
}

static int cancel_chain(lua_State *L, lull_t *rt, lull_future *future, int message) {
  int hits = 0;
  while (future != NULL) future = cancel_one(L, rt, future, message, &hits);
  return hits;
}

/* Asks a future, task or gather to be cancelled; message is a stack index or 0. Gives whether
 * it was not done yet. */
int lull__cancel(lua_State *L, lull_t *rt, lull_future *future, int message) {
  if (future->o.state != LULL_PENDING) return 0;
  uint8_t strict = *rt->strict;
  *rt->strict = 0;
  rt->cancel_epoch++;
  rt->to_cancel = NULL;
  int hits = cancel_chain(L, rt, future, message);
  while (rt->to_cancel != NULL) {
    lull_gather *gather = rt->to_cancel;
    rt->to_cancel = gather->queued;
    gather->f.o.flags |= LULL_CANCEL_ASKED;
    hits += lull__gather_cancel_children(L, rt, gather, message, cancel_chain);
  }
  /* Only tasks that wait for each other in a circle: break it here. */
  if (hits == 0 && future->o.kind == LULL_TASK) interrupt_task(L, rt, (lull_task *)future);
  *rt->strict = strict;
  return 1;
}

/* The running task has just begun to wait although it was to be cancelled. A future it waits for
 * is at index 1. */
void lull__cancel_wait(lua_State *L, lull_t *rt, lull_task *task) {
  if (task->wait != &lull__future_wait) {
    interrupt_task(L, rt, task);
    return;
  }
  lull_future *future = task->subject;
  lull__push_anchored(L, rt, task->f.o.slot);
  if (lull__get_extra(L, -1, LULL_X_MESSAGE) != LUA_TNIL && future->o.kind != LULL_TASK) {
    lua_pushvalue(L, -1);
    lull__set_extra(L, 1, LULL_X_MESSAGE);
  }
  lull__cancel(L, rt, future, lua_gettop(L));
  lua_pop(L, 2);
}

/* ---- methods ---- */

static int future_done(lua_State *L) {
  lua_pushboolean(L, lull__check_future(L, lull__rt(L), 1)->o.state != LULL_PENDING);
  return 1;
}

static int future_cancelled(lua_State *L) {
  lua_pushboolean(L, lull__check_future(L, lull__rt(L), 1)->o.state == LULL_CANCELLED);
  return 1;
}

static int future_result(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  if (future->o.state == LULL_PENDING)
    return lull__raise(L, rt, LULL_STATE_ERROR, "the result is not set yet");
  return lull__outcome(L, rt, future, 1);
}

static int future_exception(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  switch (future->o.state) {
    case LULL_PENDING:
      return lull__raise(L, rt, LULL_STATE_ERROR, "the exception is not set yet");
    case LULL_CANCELLED:
      return lull__outcome(L, rt, future, 1);
    case LULL_FAILED:
      lull__look(L, future, 1);
      lull__get_value(L, &future->o, 1);
      return 1;
    default:
      lua_pushnil(L);
      return 1;
  }
}

static lull_future *check_settable(lua_State *L, lull_t *rt) {
  lull_future *future = lull__check(L, rt, 1, LULL_FUTURE);
  if (future->o.state != LULL_PENDING) {
    static const char *const how[] = {"the future has a result already",
                                      "the future has an exception already",
                                      "the future was cancelled"};
    lull__raise(L, rt, LULL_STATE_ERROR, how[future->o.state - LULL_RESULT]);
  }
  return future;
}

static int future_set_result(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = check_settable(L, rt);
  lua_settop(L, 2);
  lull__set_values(L, future, 1, 1);
  lull__finish(L, rt, future, 1, LULL_RESULT);
  return 0;
}

static int future_set_exception(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = check_settable(L, rt);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (lull__is_cancelled(L, rt, 2)) {
    lull__finish(L, rt, future, 1, LULL_CANCELLED);
    return 0;
  }
  lull__watch_error(L, rt, future, 1);
  lull__set_value(L, &future->o, 1);
  lull__finish(L, rt, future, 1, LULL_FAILED);
  return 0;
}

static int future_cancel(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  lua_settop(L, 2);
  if (future->o.state == LULL_PENDING && future->o.kind != LULL_TASK && !lua_isnil(L, 2)) {
    lua_pushvalue(L, 2);
    lull__set_extra(L, 1, LULL_X_MESSAGE);
  }
  lua_pushboolean(L, lull__cancel(L, rt, future, 2));
  return 1;
}

static int future_add_done_callback(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  if (future->o.state != LULL_PENDING) {
    lua_pushvalue(L, 1);
    lull__call_soon(L, rt, 1);
    return 0;
  }
  if (lull__get_extra(L, 1, LULL_X_CALLBACKS) == LUA_TNIL) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lull__set_extra(L, 1, LULL_X_CALLBACKS);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, -2, future);
    lua_pop(L, 1);
    future->o.flags |= LULL_HAS_CALLBACKS;
  }
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, luaL_len(L, -2) + 1);
  return 0;
}

static int future_remove_done_callback(lua_State *L) {
  lull__check_future(L, lull__rt(L), 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_Integer kept = 0, n = 0;
  if (lull__get_extra(L, 1, LULL_X_CALLBACKS) != LUA_TNIL) {
    n = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, -1, i);
      if (lua_rawequal(L, -1, 2))
        lua_pop(L, 1);
      else
        lua_rawseti(L, -2, ++kept);
    }
    for (lua_Integer i = kept + 1; i <= n; i++) {
      lua_pushnil(L);
      lua_rawseti(L, -2, i);
    }
  }
  lua_pushinteger(L, n - kept);
  return 1;
}

static int future_tostring(lua_State *L) {
  static const char *const states[] = {"pending", "done", "failed", "cancelled"};
  lull_future *future = lull__check_future(L, lull__rt(L), 1);
  lua_pushfstring(L, "%s (%s)", lull__kind_name(future->o.kind),
                  states[future->o.state - LULL_PENDING]);
  return 1;
}

static int new_future(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull__new_future(L, rt);
  return 1;
}

static const luaL_Reg meta[] = {{"__tostring", future_tostring}, {NULL, NULL}};

/* The methods of everything that is a future. */
const luaL_Reg lull__future_methods[] = {{"done", future_done},
                                         {"cancelled", future_cancelled},
                                         {"result", future_result},
                                         {"exception", future_exception},
                                         {"cancel", future_cancel},
                                         {"add_done_callback", future_add_done_callback},
                                         {"remove_done_callback", future_remove_done_callback},
                                         {NULL, NULL}};

static const luaL_Reg setters[] = {
    {"set_result", future_set_result}, {"set_exception", future_set_exception}, {NULL, NULL}};

/* has_failed(future): done, with an error. */
static int has_failed(lua_State *L) {
  lua_pushboolean(L, lull__check_future(L, lull__rt(L), 1)->o.state == LULL_FAILED);
  return 1;
}

/* Gives the future or task at index `to` the traceback that the one at `from` has, if any. */
static void copy_traceback(lua_State *L, int to, int from) {
  if (lull__get_extra(L, from, LULL_X_TRACEBACK) == LUA_TNIL)
    lua_pop(L, 1);
  else
    lull__set_extra(L, to, LULL_X_TRACEBACK);
}

/* settle(outer, inner): outer, pending, gets the outcome of inner, done. */
static int settle(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *outer = check_settable(L, rt);
  lull_future *inner = lull__check_future(L, rt, 2);
  lua_settop(L, 2);
  if (inner->o.state == LULL_RESULT) {
    lull__set_values(L, outer, 1, lull__push_values(L, inner, 2));
  } else if (inner->o.state == LULL_FAILED) {
    lull__look(L, inner, 2);
    copy_traceback(L, 1, 2);
    lull__get_value(L, &inner->o, 2);
    lull__watch_error(L, rt, outer, 1);
    lull__set_value(L, &outer->o, 1);
  }
  lull__finish(L, rt, outer, 1, inner->o.state);
  return 0;
}

/* adopt_traceback(task): should the running task end with the error the task failed with, its
 * traceback goes on from there. */
static int adopt_traceback(lua_State *L) {
  lull_t *rt = lull__rt(L);
  const lull_future *future = lull__check_future(L, rt, 1);
  lull__get_value(L, &future->o, 1);
  lull__get_extra(L, 1, LULL_X_TRACEBACK);
  lull__note_rethrown(L, rt, -2, -1);
  return 0;
}

/* report(message, exception, task): to the exception handler. */
static int report(lua_State *L) {
  lua_settop(L, 3);
  const char *message = luaL_checkstring(L, 1);
  lua_pushvalue(L, 2);
  lull__get_extra(L, 3, LULL_X_TRACEBACK);
  lull__report_exception(L, lull__rt(L), message, 3);
  return 0;
}

static const luaL_Reg functions[] = {{"future", new_future},
                                     {"has_failed", has_failed},
                                     {"settle", settle},
                                     {"adopt_traceback", adopt_traceback},
                                     {"report", report},
                                     {NULL, NULL}};

static const luaL_Reg sentinel_metamethods[] = {{"__gc", sentinel_gc}, {NULL, NULL}};

void lull__open_future(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_FUTURE, meta, lull__future_methods);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.metas[LULL_FUTURE]);
  lua_getfield(L, -1, "__index");
  lull__setfuncs(L, rt, setters);
  lua_pop(L, 2);
  lull__new_meta(L, rt, LULL_GATHER, meta, lull__future_methods);
  lua_newtable(L);
  lull__setfuncs(L, rt, sentinel_metamethods);
  rt->refs.sentinel_meta = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_createtable(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  rt->refs.by_pointer = luaL_ref(L, LUA_REGISTRYINDEX);
  lull__setfuncs(L, rt, functions);
}
