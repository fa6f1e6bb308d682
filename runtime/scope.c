/* Timeout scopes: local scope <close> = lull.timeout(5). After asyncio.timeout: when the time is
 * up the task is cancelled, and leaving the scope turns that CancelledError into a TimeoutError,
 * unless the task was also cancelled by somebody else. */
#include <math.h>

#include "internal.h"

typedef struct lull_scope {
  lull_object o;
  lull_timer timer;
  lull_task *task;
  double when;              /* NAN for never */
  uint32_t anchor;          /* while the timer runs */
  uint32_t cancels;         /* requests the task had when the scope began */
  uint8_t expiring, closed; /* the time was up; the scope was left */
  uint8_t converts;         /* leaving it raised TimeoutError */
} lull_scope;

static void expire(lua_State *L, lull_t *rt, lull_timer *timer) {
  lull_scope *scope = lull__container(timer, lull_scope, timer);
  scope->expiring = 1;
  lull__cancel(L, rt, &scope->task->f, 0);
  lull__unanchor(L, rt, &scope->anchor);
}

static void stop(lua_State *L, lull_t *rt, lull_scope *scope) {
  lull__timer_stop(rt, &scope->timer);
  lull__unanchor(L, rt, &scope->anchor);
}

/* The scope is at index. */
static void set_deadline(lua_State *L, lull_t *rt, lull_scope *scope, int index, double when) {
  stop(L, rt, scope);
  scope->when = when;
  if (isnan(when) || when == HUGE_VAL) return;
  scope->anchor = lull__anchor(L, rt, index);
  if (lull__timer_start(rt, &scope->timer, when, expire) == 0) return;
  lull__unanchor(L, rt, &scope->anchor);
  luaL_error(L, "not enough memory");
}

static double check_when(lua_State *L, int index, double start) {
  if (lua_isnoneornil(L, index)) return NAN;
  double seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, !isnan(seconds), index, "a number of seconds expected, got nan");
  return start + seconds;
}

static int open_scope(lua_State *L, lull_t *rt, double when) {
  if (rt->current == NULL) return luaL_error(L, "a timeout needs a running task");
  lull_scope *scope = lull__new_object(L, rt, sizeof *scope, 1, LULL_SCOPE);
  scope->timer.index = LULL_NO_TIMER;
  scope->task = rt->current;
  scope->cancels = rt->current->f.o.cancels;
  lull__push_anchored(L, rt, rt->current->f.o.slot);
  lua_setiuservalue(L, -2, 1);
  set_deadline(L, rt, scope, lua_gettop(L), when);
  return 1;
}

static int timeout(lua_State *L) {
  lull_t *rt = lull__rt(L);
  return open_scope(L, rt, check_when(L, 1, lull__now(rt)));
}

static int timeout_at(lua_State *L) {
  return open_scope(L, lull__rt(L), check_when(L, 1, 0));
}

/* scope(seconds): a timeout scope for lull's own functions, which hold it in a to-be-closed
 * variable of the running task and nowhere else. So nothing but that need keep it alive, it need
 * not keep the task alive, and when it was left it can serve again: it is upvalue 2. */
static int inner_scope(lua_State *L) {
  lull_t *rt = lull__rt(L);
  double when = lull__now(rt) + lua_tonumber(L, 1);
  lull_scope *scope = lua_touserdata(L, lua_upvalueindex(2));
  if (scope == NULL || !scope->closed) {
    scope = lull__new_object(L, rt, sizeof *scope, 0, LULL_SCOPE);
    scope->timer.index = LULL_NO_TIMER;
    lua_pushvalue(L, -1);
    lua_replace(L, lua_upvalueindex(2));
  } else {
    lua_pushvalue(L, lua_upvalueindex(2));
    scope->expiring = scope->closed = scope->converts = 0;
  }
  scope->task = rt->current;
  scope->cancels = rt->current->f.o.cancels;
  scope->when = when;
  if (when < HUGE_VAL && lull__timer_start(rt, &scope->timer, when, expire) < 0)
    return luaL_error(L, "not enough memory");
  return 1;
}

/* close(scope, err): the TimeoutError takes the place of the CancelledError. */
static int scope_close(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_scope *scope = lull__check(L, rt, 1, LULL_SCOPE);
  if (scope->closed) return 0;
  scope->closed = 1;
  stop(L, rt, scope);
  if (!scope->expiring) return 0;
  lull_task *task = scope->task;
  if (task->f.o.cancels > 0) task->f.o.cancels--;
  if (task->f.o.cancels > scope->cancels) return 0; /* somebody else's request is left */
  task->f.o.flags &= (uint8_t)~LULL_MUST_CANCEL;
  if (!lull__is_cancelled(L, rt, 2)) return 0;
  scope->converts = 1;
  lull__push_error(L, rt, LULL_TIMEOUT_ERROR, "the time is up");
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "cause");
  return lua_error(L);
}

static int scope_expired(lua_State *L) {
  const lull_scope *scope = lull__check(L, lull__rt(L), 1, LULL_SCOPE);
  lua_pushboolean(L, scope->expiring);
  return 1;
}

/* Whether leaving the scope raised TimeoutError. */
static int scope_converted(lua_State *L) {
  const lull_scope *scope = lull__check(L, lull__rt(L), 1, LULL_SCOPE);
  lua_pushboolean(L, scope->converts);
  return 1;
}

static int scope_when(lua_State *L) {
  const lull_scope *scope = lull__check(L, lull__rt(L), 1, LULL_SCOPE);
  if (isnan(scope->when))
    lua_pushnil(L);
  else
    lua_pushnumber(L, scope->when);
  return 1;
}

static int scope_reschedule(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_scope *scope = lull__check(L, rt, 1, LULL_SCOPE);
  double when = check_when(L, 2, 0);
  if (scope->closed) return luaL_error(L, "the timeout scope was left already");
  if (scope->expiring) return luaL_error(L, "the timeout scope has expired already");
  set_deadline(L, rt, scope, 1, when);
  return 0;
}

static int scope_tostring(lua_State *L) {
  const lull_scope *scope = lull__check(L, lull__rt(L), 1, LULL_SCOPE);
  lua_pushfstring(L, "timeout scope (%s)",
                  scope->expiring ? "expired"
                  : scope->closed ? "left"
                                  : "active");
  return 1;
}

static const luaL_Reg meta[] = {
    {"__close", scope_close}, {"__tostring", scope_tostring}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"expired", scope_expired},
                                   {"converted", scope_converted},
                                   {"when", scope_when},
                                   {"reschedule", scope_reschedule},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"timeout", timeout}, {"timeout_at", timeout_at}, {NULL, NULL}};

void lull__open_scope(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_SCOPE, meta, methods);
  lull__setfuncs(L, rt, functions);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  lua_pushnil(L);
  lua_pushcclosure(L, inner_scope, 2);
  lua_setfield(L, -2, "scope");
}
