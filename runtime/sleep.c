/* sleep, the clocks, and blocking_sleep. */
#include <math.h>
#include <time.h>

#include "internal.h"

enum { SPARE = 2 }; /* upvalue of sleep: the last op, to be handed out again when it was awaited */

static void wake_sleeper(lua_State *L, lull_t *rt, lull_timer *timer) {
  (void)L;
  lull__wake(rt, lull__container(timer, lull_task, timer));
}

static void cancel_sleep(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  lull__timer_stop(rt, &task->timer);
}

static const lull_wait sleep_wait = {"sleep", cancel_sleep, NULL};

static int sleep_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  return lua_gettop(L) - 1;
}

/* sleep(0): one turn of the ready list. There is nothing to take the task off of. */
static void cancel_nothing(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  (void)task;
}

static const lull_wait pause_wait = {"sleep", cancel_nothing, NULL};

static int pause_task(lua_State *L, lull_t *rt) {
  lull_task *task = rt->current;
  if (task->f.o.flags & LULL_SWALLOWED) lull__warn_swallowed(L, rt, task);
  if (task->f.o.flags & LULL_MUST_CANCEL) /* wakes it */
    return lull__suspend(L, rt, &pause_wait, NULL, sleep_done, (lua_KContext)rt);
  task->wait = &pause_wait;
  lull__wake(rt, task);
  rt->suspending = 1;
  lull__push_marker(L);
  return lua_yieldk(L, 1, (lua_KContext)rt, sleep_done);
}

static int start_sleep(lua_State *L, lull_t *rt, lull_op *op) {
  double delay = op->number;
  if (op->o.flags & LULL_HAS_EXTRAS) { /* a result was given */
    lua_getiuservalue(L, 1, 2);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 2);
    op->o.flags &= (uint8_t)~LULL_HAS_EXTRAS;
  }
  if (delay <= 0) return pause_task(L, rt);
  lull_task *task = rt->current;
  if (lull__timer_start(rt, &task->timer, lull__now(rt) + delay, wake_sleeper) < 0)
    return luaL_error(L, "not enough memory");
  return lull__suspend(L, rt, &sleep_wait, NULL, sleep_done, (lua_KContext)rt);
}

static const lull_op_kind sleep_kind = {"sleep", start_sleep};

static double check_delay(lua_State *L, int index) {
  double delay = luaL_checknumber(L, index);
  luaL_argcheck(L, !isnan(delay), index, "a number of seconds expected, got nan");
  return delay;
}

static lull_op *push_op(lua_State *L, lull_t *rt) {
  lull_op *op = lua_touserdata(L, lua_upvalueindex(SPARE));
  if (op != NULL && op->o.state == LULL_CONSUMED) {
    lua_pushvalue(L, lua_upvalueindex(SPARE));
    return op;
  }
  op = lull__new_op(L, rt, &sleep_kind);
  lua_pushvalue(L, -1);
  lua_replace(L, lua_upvalueindex(SPARE));
  return op;
}

static int new_sleep(lua_State *L) {
  lull_t *rt = lull__rt(L);
  double delay = check_delay(L, 1);
  int has_result = !lua_isnoneornil(L, 2);
  lull_op *op = push_op(L, rt);
  op->o.state = LULL_LAZY;
  op->number = delay;
  if (has_result) {
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, 2);
    op->o.flags |= LULL_HAS_EXTRAS;
  }
  lull__track(L, rt, &op->o, &op->origin, 0);
  return 1;
}

static int now(lua_State *L) {
  lua_pushnumber(L, lull__now(lull__rt(L)));
  return 1;
}

static int blocking_sleep(lua_State *L) {
  lull_t *rt = lull__rt(L);
  double delay = check_delay(L, 1);
  if (delay <= 0) return 0;
  if (delay > 1e9) delay = 1e9;
  if (rt->is_virtual) {
    rt->virtual_now += delay;
    return 0;
  }
  struct timespec left = {(time_t)delay, (long)((delay - floor(delay)) * 1e9)};
  while (nanosleep(&left, &left) != 0 && rt->interrupts == 0)
    continue;
  lull__interrupt_ending(L, rt);
  return 0;
}

static const luaL_Reg functions[] = {
    {"now", now}, {"blocking_sleep", blocking_sleep}, {NULL, NULL}};

void lull__open_sleep(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  lua_pushnil(L);
  lua_pushcclosure(L, new_sleep, SPARE);
  lua_setfield(L, -2, "sleep");
}
