/* gather: a future for the results of many awaitables, in order. Children it starts itself point
 * to it; others (tasks and futures that exist already) are watched through links. */
#include "internal.h"

/* A __len may promise more items than there are: no table is made larger than this at once. */
#define MAX_PRESIZED 65536

enum {
  CHILDREN = 2,
  WATCHERS
}; /* user values: the awaitables in order, once started the futures;
    * the last of a chain of watchers */

/* Watches one future that the gather did not start. */
typedef struct watcher {
  lull_link link;
  lull_gather *gather;
  uint32_t position;
} watcher;

static void finish_gather(lua_State *L, lull_t *rt, lull_link *link) {
  lull_gather *gather = lull__container(link, lull_gather, link);
  lull__push_anchored(L, rt, gather->anchor);
  int index = lua_gettop(L);
  lull_status state = LULL_RESULT;
  if (gather->failed == 2)
    state = LULL_FAILED;
  else if (gather->failed || gather->f.o.flags & LULL_CANCEL_ASKED)
    state = LULL_CANCELLED;
  lull__finish(L, rt, &gather->f, index, state);
  if (gather->pending == 0) lull__unanchor(L, rt, &gather->anchor);
  lua_settop(L, index - 1);
}

static void complete(lull_t *rt, lull_gather *gather) {
  if (gather->completing) return;
  gather->completing = 1;
  lull__ready(rt, &gather->link, finish_gather);
}

/* The future at index, a child, did not end well: the gather fails with its error. */
static void fail(lua_State *L, lull_t *rt, lull_gather *gather, int self, lull_future *child,
                 int index) {
  if (gather->completing) return;
  if (child->o.state == LULL_CANCELLED) {
    gather->failed = 1;
    if (lull__get_extra(L, index, LULL_X_MESSAGE) != LUA_TNIL)
      lull__set_extra(L, self, LULL_X_MESSAGE);
    else
      lua_pop(L, 1);
  } else {
    gather->failed = 2;
    if (lull__get_extra(L, index, LULL_X_TRACEBACK) != LUA_TNIL)
      lull__set_extra(L, self, LULL_X_TRACEBACK);
    else
      lua_pop(L, 1);
    lull__get_value(L, &child->o, index);
    lull__watch_error(L, rt, &gather->f, self);
    lull__set_value(L, &gather->f.o, self);
  }
  complete(rt, gather);
}

static void start_more(lua_State *L, lull_t *rt, lull_gather *gather, int self);

/* A child at index of L is done. */
static void child_done(lua_State *L, lull_t *rt, lull_gather *gather, lull_future *child,
                       int index) {
  gather->pending--;
  gather->running--;
  if (child->o.state == LULL_FAILED) lull__look(L, child, index);
  int bad = child->o.state != LULL_RESULT && !gather->return_exceptions;
  if (bad || gather->started < gather->count) {
    luaL_checkstack(L, 12, NULL);
    lull__push_anchored(L, rt, gather->anchor);
    int self = lua_gettop(L);
    if (bad) fail(L, rt, gather, self, child, index);
    lull_task *ending = rt->current;
    rt->current = NULL;
    if (gather->started < gather->count) start_more(L, rt, gather, self);
    rt->current = ending;
    lua_settop(L, self - 1);
  }
  if (gather->pending > 0) return;
  if (gather->f.o.state == LULL_PENDING)
    complete(rt, gather);
  else
    lull__unanchor(L, rt, &gather->anchor);
}

void lull__gather_child_done(lua_State *L, lull_t *rt, lull_gather *gather, lull_future *child,
                             int index) {
  child_done(L, rt, gather, child, index);
}

static void watched_done(lua_State *L, lull_t *rt, lull_link *link) {
  watcher *watch = lull__container(link, watcher, link);
  lull_gather *gather = watch->gather;
  lull__push_anchored(L, rt, gather->anchor);
  lua_getiuservalue(L, -1, CHILDREN);
  lua_rawgeti(L, -1, watch->position);
  int index = lua_gettop(L);
  child_done(L, rt, gather, lua_touserdata(L, index), index);
  lua_settop(L, index - 3);
}

/* Watches the future on top of the stack, which the gather (at self) did not start. */
static void watch(lua_State *L, lull_gather *gather, int self, lull_future *child,
                  uint32_t position) {
  watcher *fresh = lua_newuserdatauv(L, sizeof *fresh, 1);
  fresh->gather = gather;
  fresh->position = position;
  fresh->link.fn = watched_done;
  lua_getiuservalue(L, self, WATCHERS); /* a chain keeps them alive */
  lua_setiuservalue(L, -2, 1);
  lua_setiuservalue(L, self, WATCHERS);
  lull__list_append(&child->waiters, &fresh->link.node);
}

/* Starts the child at a position of the table of children; the anchors are above that. */
static void start_child(lua_State *L, lull_t *rt, lull_gather *gather, int self, int children,
                        uint32_t position) {
  lua_rawgeti(L, children, position);
  int index = lua_gettop(L);
  lull_object *object = gather->plain ? lua_touserdata(L, index) : lull__object(L, rt, index);
  lull_future *child = (lull_future *)object;
  int existing = object != NULL && object->kind <= LULL_GATHER && object->state >= LULL_PENDING;
  if (!existing) {
    if (object != NULL && object->kind == LULL_TASK && object->state == LULL_LAZY) {
      lull__schedule_in(L, rt, (lull_task *)object, index, children + 1);
    } else {
      child = lull__ensure_future(L, rt, index);
      lua_pushvalue(L, index);
      lua_rawseti(L, children, position);
    }
    if (gather->f.o.flags & LULL_HAS_EXTRAS && lull__get_extra(L, self, LULL_X_CONTEXT) != LUA_TNIL)
      lull__set_extra(L, index, LULL_X_CONTEXT);
    ((lull_task *)child)->gather = gather;
    gather->running++;
  } else if (child->o.state != LULL_PENDING) {
    gather->running++;
    child_done(L, rt, gather, child, index);
  } else if (child->o.kind == LULL_TASK && ((lull_task *)child)->gather == gather) {
    gather->pending--; /* the same object twice */
  } else {
    gather->running++;
    watch(L, gather, self, child, position);
  }
  lua_settop(L, index - 1);
}

static void drop_rest(lua_State *L, lull_t *rt, lull_gather *gather, int children) {
  for (uint32_t i = gather->started + 1; i <= gather->count; i++) {
    lua_rawgeti(L, children, i);
    lull_object *object = lull__object(L, rt, -1);
    if (object != NULL && object->state == LULL_LAZY) lull__awaited(rt, object);
    lua_pop(L, 1);
    gather->pending--;
  }
  gather->started = gather->count;
}

/* Starts what may run. Children that start later have the context of the task that gathered, not
 * that of the child whose end lets them. */
static void start_more(lua_State *L, lull_t *rt, lull_gather *gather, int self) {
  if (gather->starting) return; /* a child was done already: the loop below goes on */
  gather->starting = 1;
  luaL_checkstack(L, 16, NULL);
  lua_getiuservalue(L, self, CHILDREN);
  int children = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  while (gather->started < gather->count && gather->running < gather->limit) {
    if (gather->failed || gather->f.o.flags & LULL_CANCEL_ASKED) {
      drop_rest(L, rt, gather, children);
      break;
    }
    start_child(L, rt, gather, self, children, ++gather->started);
  }
  lua_settop(L, children - 1);
  gather->starting = 0;
}

/* Passes a cancellation on to the children that were started. */
int lull__gather_cancel_children(lua_State *L, lull_t *rt, lull_gather *gather, int message,
                                 lull_cancel_fn cancel) {
  int hits = 0;
  luaL_checkstack(L, 12, NULL);
  lull__push_anchored(L, rt, gather->anchor);
  lua_getiuservalue(L, -1, CHILDREN);
  uint32_t started = gather->started;
  for (uint32_t i = 1; i <= started; i++) {
    lua_rawgeti(L, -1, i);
    hits += cancel(L, rt, lua_touserdata(L, -1), message);
    lua_pop(L, 1);
  }
  if (gather->started < gather->count) drop_rest(L, rt, gather, lua_gettop(L));
  lua_pop(L, 2);
  return hits;
}

/* ---- results ---- */

/* Pushes what a done child at index gives: its first value, or with return_exceptions its error. */
static void push_child(lua_State *L, lull_t *rt, int index) {
  lull_future *child = lua_touserdata(L, index);
  if (child->o.state == LULL_CANCELLED) {
    lull__get_extra(L, index, LULL_X_MESSAGE);
    lull__push_cancelled(L, rt, lua_gettop(L));
    lua_replace(L, -2);
  } else if (child->o.state == LULL_RESULT &&
             (child->o.flags & LULL_PACKED || child->o.kind == LULL_GATHER)) {
    int top = lua_gettop(L);
    if (lull__push_values(L, child, index) == 0) lua_pushnil(L);
    lua_settop(L, top + 1);
  } else {
    lull__get_value(L, &child->o, index);
  }
}

/* Pushes the values of the done gather at index: a list, or one by one. */
int lull__push_gathered(lua_State *L, lull_gather *gather, int index) {
  lull_t *rt = lull__from_state(L);
  int count = (int)gather->count;
  luaL_checkstack(L, (gather->list ? 0 : count) + 8, "too many results");
  lua_getiuservalue(L, index, CHILDREN);
  int children = lua_gettop(L);
  if (gather->list) {
    lua_createtable(L, count, 1);
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
  }
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, children, i);
    const lull_future *child = lua_touserdata(L, -1);
    if (child->o.state == LULL_RESULT && child->o.kind != LULL_GATHER &&
        !(child->o.flags & LULL_PACKED))
      lull__get_value(L, &child->o, -1);
    else
      push_child(L, rt, lua_gettop(L));
    if (gather->list) {
      lua_rawseti(L, children + 1, i);
      lua_pop(L, 1);
    } else {
      lua_replace(L, -2);
    }
  }
  lua_remove(L, children);
  return gather->list ? 1 : count;
}

/* Pushes the table of the children of the gather at index: awaitables, once started futures. */
void lull__push_children(lua_State *L, int index) {
  lua_getiuservalue(L, index, CHILDREN);
}

/* ---- gather(...) ---- */

/* Replaces an op or function that stands in the list twice by one coroutine object, so that it
 * runs once. */
static void share_repeated(lua_State *L, lull_t *rt, int children, int seen, lua_Integer i) {
  lull_object *object = lull__object(L, rt, -1);
  if (object != NULL && object->kind <= LULL_GATHER) return;
  lua_pushvalue(L, -1);
  if (lua_rawget(L, seen) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushinteger(L, i);
    lua_rawset(L, seen);
    return;
  }
  lua_Integer first = lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_rawgeti(L, children, first);
  if (lull__object(L, rt, -1) == object) lull__wrap(L, rt, lua_gettop(L));
  lua_pushvalue(L, -1);
  lua_rawseti(L, children, first);
  lua_replace(L, -2);
}

/* Pushes the table of children: the arguments, or the list given as the only one. plain: they are
 * all futures or coroutine objects of async functions. */
static lua_Integer collect(lua_State *L, lull_t *rt, int list, int *plain) {
  int nargs = lua_gettop(L);
  lua_Integer count = list ? luaL_len(L, 1) : nargs;
  if (count < 0 || count > INT32_MAX - 1) luaL_argerror(L, 1, "not the length of a list");
  *plain = 1;
  lua_createtable(L, count < MAX_PRESIZED ? (int)count : MAX_PRESIZED, 0);
  int children = lua_gettop(L);
  lua_newtable(L);
  for (lua_Integer i = 1; i <= count; i++) {
    if (list)
      lua_geti(L, 1, i);
    else
      lua_pushvalue(L, (int)i);
    const lull_object *object = lull__object(L, rt, -1);
    if (object != NULL && object->kind <= LULL_GATHER && object->state != LULL_CONSUMED) {
      lua_rawseti(L, children, i);
      continue;
    }
    *plain = 0;
    if (!lull__is_awaitable(L, rt, -1)) {
      if (!list) luaL_typeerror(L, (int)i, "awaitable");
      const char *text = lua_pushfstring(L, "item %I: awaitable expected, got %s", (LUAI_UACINT)i,
                                         luaL_typename(L, -1));
      luaL_argerror(L, 1, text);
    }
    if (object != NULL && object->state == LULL_CONSUMED) lull__already_awaited(L, lua_gettop(L));
    share_repeated(L, rt, children, children + 1, i);
    lua_rawseti(L, children, i);
  }
  lua_pop(L, 1);
  return count;
}

static uint32_t check_limit(lua_State *L) {
  static const char *const known[] = {"return_exceptions", "limit", NULL};
  uint32_t limit = UINT32_MAX;
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  if (count > 256) /* go on after the last item: options are hardly among the items */
    lua_pushinteger(L, count);
  else
    lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    const char *name = lua_tostring(L, -1);
    if (*name != 'n' || name[1] != '\0') lull__check_option(L, 1, name, known);
  }
  if (lua_getfield(L, 1, "limit") != LUA_TNIL) {
    int isnum;
    lua_Integer value = lua_tointegerx(L, -1, &isnum);
    luaL_argcheck(L, isnum && value >= 1, 1, "option 'limit' must be a positive integer");
    if (value < UINT32_MAX) limit = (uint32_t)value;
  }
  lua_pop(L, 1);
  return limit;
}

static int is_list(lua_State *L) {
  if (lua_gettop(L) != 1 || !lua_istable(L, 1)) return 0;
  if (luaL_getmetafield(L, 1, "__await") == LUA_TNIL) return 1;
  lua_pop(L, 1);
  return 0;
}

static int gather_all(lua_State *L) {
  lull_t *rt = lull__rt(L);
  if (rt->closed || rt->loop_closed) return luaL_error(L, "the loop is closed");
  int list = is_list(L);
  uint32_t limit = list ? check_limit(L) : UINT32_MAX;
  int plain;
  lua_Integer count = collect(L, rt, list, &plain);
  lull_gather *gather = lull__new_object(L, rt, sizeof *gather, WATCHERS, LULL_GATHER);
  int self = lua_gettop(L);
  lull__future_init(&gather->f);
  lua_pushvalue(L, self - 1);
  lua_setiuservalue(L, self, CHILDREN);
  gather->count = gather->pending = (uint32_t)count;
  gather->limit = limit;
  gather->list = (uint8_t)list;
  gather->plain = (uint8_t)plain;
  if (list) {
    lua_getfield(L, 1, "return_exceptions");
    gather->return_exceptions = (uint8_t)lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  if (limit < count) lull__inherit_context(L, rt, self);
  gather->anchor = lull__anchor(L, rt, self);
  if (count == 0)
    complete(rt, gather);
  else
    start_more(L, rt, gather, self);
  lua_settop(L, self);
  return 1;
}

static const luaL_Reg functions[] = {{"gather", gather_all}, {NULL, NULL}};

void lull__open_gather(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
