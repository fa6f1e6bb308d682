/* Cancellation: a request goes down the chain of what waits for what, and ends where something can
 * be interrupted: a plain future, an operation, a task that is not waiting. */
#include "internal.h"

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
  task->f.o.flags |= LULL_MUST_CANCEL | LULL_INTERRUPTED;
  lull__wake(rt, task);
}

/* Whether a gather has all it needs and only waits for its turn to complete: too late for it. */
static int is_completing(const lull_future *future) {
  return future->o.kind == LULL_GATHER && ((const lull_gather *)future)->completing;
}

/* Whether a waiting task's cancellation is that of what it waits for. */
static int passes_on(const lull_task *task) {
  return task->wait == &lull__future_wait && !is_completing(task->subject);
}

static lull_future *cancel_task(lua_State *L, lull_t *rt, lull_task *task, int message, int *hits) {
  if (task->stamp == rt->cancel_stamp) return NULL;
  task->stamp = rt->cancel_stamp;
  if (task->f.o.cancels < UINT8_MAX) task->f.o.cancels++;
  keep_message(L, rt, task, message);
  if (!(task->f.o.flags & LULL_WAITING)) {
    task->f.o.flags |= LULL_MUST_CANCEL;
    ++*hits;
    return NULL;
  }
  if (passes_on(task)) {
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
  if (gather->stamp != rt->cancel_stamp && !is_completing(future)) {
    gather->stamp = rt->cancel_stamp;
    gather->queued = rt->to_cancel;
    rt->to_cancel = gather;
  }
  return NULL;
}

static int cancel_chain(lua_State *L, lull_t *rt, lull_future *future, int message) {
  int hits = 0;
  while (future != NULL)
    future = cancel_one(L, rt, future, message, &hits);
  return hits;
}

/* Asks a future, task or gather to be cancelled; message is a stack index or 0. Gives whether
 * it was not done yet. */
int lull__cancel(lua_State *L, lull_t *rt, lull_future *future, int message) {
  if (future->o.state != LULL_PENDING) return 0;
  if (is_completing(future)) return 0;
  uint8_t strict = *rt->strict;
  *rt->strict = 0;
  rt->cancel_stamp = ++rt->stamps;
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
  if (!passes_on(task)) {
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
