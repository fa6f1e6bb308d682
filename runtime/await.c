/* await. A coroutine object awaited in place is simply called, on the awaiting task's thread: C
 * calls nest, and when they have nested some way the task yields to the scheduler, which resumes
 * it at once on a fresh C stack. So awaits nest as deep as Lua's own stack goes. */
#include "internal.h"

/* Lua allows some 200 nested C calls; an await takes 2, each pcall or metamethod around it 1 or 2.
 */
#define MAX_DEPTH 24
#define MAX_HOPS 100

static const char marker; /* what a thread that awaits has on top of its stack */

void lull__push_marker(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&marker);
}

/* Whether a coroutine is suspended in an await, rather than by coroutine.yield. */
int lull__is_awaiting(lua_State *co) {
  return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 && lua_touserdata(co, -1) == &marker;
}

int lull__already_awaited(lua_State *L, int index) {
  const char *text = luaL_tolstring(L, index, NULL);
  return luaL_error(L, "%s was already awaited", text);
}

int lull__is_awaitable(lua_State *L, lull_t *rt, int index) {
  lull_object *object = lull__object(L, rt, index);
  if (object != NULL) return object->kind <= LULL_OP;
  if (lua_isfunction(L, index)) return 1;
  if (luaL_getmetafield(L, index, "__await") == LUA_TNIL) return 0;
  lua_pop(L, 1);
  return 1;
}

/* ---- futures and tasks ---- */

static void cancel_future_wait(lua_State *L, lull_t *rt, lull_task *task) {
  lull__cancel_listed(L, rt, task);
}

const lull_wait lull__future_wait = {"a future", cancel_future_wait, NULL};

static int future_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_t *rt = (lull_t *)ctx;
  lull__woken(L, rt);
  return lull__outcome(L, rt, lua_touserdata(L, 1), 1);
}

static int await_future(lua_State *L, lull_t *rt, lull_future *future) {
  lull_task *task = lull__require_task(L, rt);
  if (future->o.state != LULL_PENDING) return lull__outcome(L, rt, future, 1);
  if (future == &task->f) return luaL_error(L, "a task cannot await itself");
  lull__wait_in(task, &future->waiters);
  return lull__suspend(L, rt, &lull__future_wait, future, future_done, (lua_KContext)rt);
}

/* ---- coroutine objects ---- */

static int call_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return lua_gettop(L) - 1;
}

static int call_again(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, ctx, call_done);
  return lua_gettop(L) - 1;
}

static int await_coroutine(lua_State *L, lull_t *rt, lull_task *task) {
  lull__require_task(L, rt);
  if (task->f.o.state == LULL_CONSUMED) return lull__already_awaited(L, 1);
  lull__awaited(rt, &task->f.o);
  task->f.o.state = LULL_CONSUMED;
  int nargs = lull__push_call(L, task, 1);
  if (rt->nspares < LULL_SPARES) rt->spares[rt->nspares++] = task->f.o.slot;
  if (rt->depth >= MAX_DEPTH) {
    rt->suspending = LULL_BOUNCE;
    lull__push_marker(L);
    return lua_yieldk(L, 1, 0, call_again);
  }
  rt->depth++;
  lua_callk(L, nargs, LUA_MULTRET, 0, call_done);
  rt->depth--;
  return lua_gettop(L) - 1;
}

/* ---- everything else: a function is called, an object is asked for its awaitable ---- */

static int await_value(lua_State *L, lull_t *rt, int hops);

static int function_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_t *rt = (lull_t *)ctx;
  lull_object *object = lua_gettop(L) == 2 ? lull__object(L, rt, 2) : NULL;
  if (object == NULL || object->kind > LULL_OP || object->state != LULL_LAZY)
    return lua_gettop(L) - 1;
  lua_replace(L, 1);
  return await_value(L, rt, 0);
}

static int await_function(lua_State *L, lull_t *rt) {
  lull__require_task(L, rt);
  lua_pushvalue(L, 1);
  lua_callk(L, 0, LUA_MULTRET, (lua_KContext)rt, function_done);
  return function_done(L, LUA_OK, (lua_KContext)rt);
}

/* hops counts the objects that gave one another: a circle of them would have no end. */
static int object_done(lua_State *L, int status, lua_KContext hops) {
  (void)status;
  lull_t *rt = lull__rt(L);
  lua_settop(L, 2);
  lua_replace(L, 1);
  if (!lull__is_awaitable(L, rt, 1))
    return luaL_error(L, "__await gave a %s, which cannot be awaited", luaL_typename(L, 1));
  if (hops == MAX_HOPS) return luaL_error(L, "__await gives objects without end");
  return await_value(L, rt, (int)hops + 1);
}

static int await_other(lua_State *L, lull_t *rt, int hops) {
  if (lua_isfunction(L, 1)) return await_function(L, rt);
  if (luaL_getmetafield(L, 1, "__await") == LUA_TNIL) return luaL_typeerror(L, 1, "awaitable");
  lull__require_task(L, rt);
  lua_pushvalue(L, 1);
  lua_callk(L, 1, LUA_MULTRET, hops, object_done);
  return object_done(L, LUA_OK, hops);
}

/* Awaits the value at index 1; what is above it does not count. */
static int await_value(lua_State *L, lull_t *rt, int hops) {
  const void *meta = NULL;
  if (lua_getmetatable(L, 1))
    meta = lua_topointer(L, -1);
  else
    luaL_checkany(L, 1);
  lull_object *object = lua_touserdata(L, 1);
  lua_settop(L, 1);
  if (meta == rt->metas[LULL_OP]) {
    lull__require_task(L, rt);
    return lull__start_op(L, rt, (lull_op *)object);
  }
  if (meta == rt->metas[LULL_TASK] && object->state < LULL_PENDING)
    return await_coroutine(L, rt, (lull_task *)object);
  if (meta == rt->metas[LULL_TASK] || meta == rt->metas[LULL_FUTURE] ||
      meta == rt->metas[LULL_GATHER])
    return await_future(L, rt, (lull_future *)object);
  return await_other(L, rt, hops);
}

static int await(lua_State *L) {
  return await_value(L, lull__rt(L), 0);
}

static int is_awaitable(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, lull__is_awaitable(L, lull__rt(L), 1));
  return 1;
}

/* can_wait_for(awaitable, seconds): whether wait_for's arguments are what they mostly are. */
static int can_wait_for(lua_State *L) {
  double seconds = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : -1;
  lua_pushboolean(L, seconds > 0 && lull__is_awaitable(L, lull__rt(L), 1));
  return 1;
}

static const luaL_Reg functions[] = {
    {"can_wait_for", can_wait_for}, {"await", await}, {"is_awaitable", is_awaitable}, {NULL, NULL}};

void lull__open_await(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
  lua_getfield(L, -1, "await");
  rt->refs.await = luaL_ref(L, LUA_REGISTRYINDEX);
}
