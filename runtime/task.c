/* Tasks. From coroutine object to result a task is one userdata. It starts on the runner, a thread
 * kept at hand; only if it suspends does it keep that thread, until it is done and the thread is
 * pooled. This is the scheduler's end of it: starting, resuming, suspending, waking, ending. */
#include <math.h>

#include "internal.h"

#define MAX_POOLED 4096
#define SLOW_STEP_NS 100000000

/* ---- threads ---- */

static lua_State *take_thread(lua_State *L, lull_t *rt) {
  lua_State *co;
  if (rt->pooled == 0) return lua_newthread(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.pool);
  lua_rawgeti(L, -1, rt->pooled);
  co = lua_tothread(L, -1);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -3, rt->pooled--);
  lua_remove(L, -2);
  return co;
}

/* The thread is at index of L. */
static void give_thread(lua_State *L, lull_t *rt, int index) {
  if (rt->pooled >= MAX_POOLED) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.pool);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, rt->pooled + 1);
  rt->pooled++;
  lua_pop(L, 1);
}

/* The runner is anchored in the registry. */
static lua_State *runner(lua_State *L, lull_t *rt) {
  if (rt->runner == NULL) {
    lua_State *co = take_thread(L, rt);
    lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.runner);
    rt->runner = co;
  }
  return rt->runner;
}

/* ---- a task's body: a protected call inside its thread, so that to-be-closed variables can
 * await while an error unwinds them ---- */

static int body_end(lua_State *L, int status, lua_KContext ctx) {
  lull_t *rt = (lull_t *)ctx;
  rt->step_failed = status != LUA_OK && status != LUA_YIELD; /* an eager child may have set it */
  return lua_gettop(L) - 2;
}

static int body(lua_State *L) {
  lua_KContext ctx = (lua_KContext)lua_touserdata(L, 1);
  return body_end(L, lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, ctx, body_end), ctx);
}

/* Moves the body, function and arguments of a task to its thread. The task is at index of L. */
static int load_body(lua_State *L, lull_t *rt, lull_task *task, int index, lua_State *co) {
  int nargs = lull__push_call(L, task, index);
  if (nargs > 8 && !lua_checkstack(co, nargs + 8)) luaL_error(L, "too many arguments");
  lua_pushcfunction(co, body);
  lua_pushlightuserdata(co, rt);
  lua_pushcfunction(co, lull__message_handler);
  lua_xmove(L, co, nargs + 1);
  for (int i = 1; i <= task->f.o.nargs; i++) {
    lua_pushnil(L);
    lua_setiuservalue(L, index, 1 + i);
  }
  task->f.o.nargs = 0;
  return nargs + 3;
}

/* ---- steps ---- */

/* Completes a task whose result is in place. anchors: see resume. */
static void complete(lua_State *L, lull_t *rt, lull_task *task, int index, lull_status state,
                     int anchors) {
  rt->live--;
  task->thread = NULL;
  lull__finish(L, rt, &task->f, index, state);
  if (task->gather != NULL) lull__gather_child_done(L, rt, task->gather, &task->f, index);
  task->gather = NULL;
  if (rt->current == task) rt->current = NULL;
  lull__unanchor_from(L, rt, &task->f.o.slot, anchors);
}

/* The task at index of L is done; its thread's top values are its results, or its error. */
static void conclude(lua_State *L, lull_t *rt, lull_task *task, int index, lua_State *co,
                     int results, int failed, int anchors) {
  lull_status state = LULL_RESULT;
  if (failed) {
    lua_xmove(co, L, 1);
    state = lull__is_cancelled(L, rt, -1) ? LULL_CANCELLED : LULL_FAILED;
    if (state == LULL_FAILED) lull__watch_error(L, rt, &task->f, index);
    lull__set_value(L, &task->f.o, index);
  } else {
    if (results > 8) luaL_checkstack(L, results + 8, "too many results");
    lua_xmove(co, L, results);
    lull__set_values(L, &task->f, index, results);
    if (task->f.o.flags & LULL_MUST_CANCEL) state = LULL_CANCELLED;
  }
  complete(L, rt, task, index, state, anchors);
}

static void suspended(lua_State *L, lull_t *rt, lull_task *task, lua_State *co, int anchors) {
  if (task->thread != NULL) return;
  task->thread = co;
  lua_rawgeti(L, anchors, task->f.o.slot);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  lull__set_value(L, &task->f.o, lua_gettop(L) - 1);
  lua_pop(L, 1);
  rt->runner = NULL;
}

static void ended(lua_State *L, lull_t *rt, lull_task *task, lua_State *co, int status, int results,
                  int anchors) {
  lua_rawgeti(L, anchors, task->f.o.slot);
  int index = lua_gettop(L);
  int kept = task->thread != NULL;
  if (kept) lull__get_value(L, &task->f.o, index); /* the thread: its result takes its place */
  if (status != LUA_OK) { /* not caught by the body: no memory, no C stack, or a foreign yield */
    lua_resetthread(co);
    if (status == LUA_YIELD) lua_pushliteral(co, "attempt to yield out of a task: use await");
  }
  conclude(L, rt, task, index, co, results, status != LUA_OK || rt->step_failed, anchors);
  lua_settop(co, 0);
  if (status != LUA_OK && !kept) rt->runner = NULL;
  if (status == LUA_OK && kept) give_thread(L, rt, index + 1);
  lua_settop(L, index - 1);
}

static void warn_slow(lua_State *L, lull_t *rt, lull_task *task, lua_State *co, uint64_t ns) {
  if (ns < SLOW_STEP_NS) return;
  lull__push_anchored(L, rt, task->f.o.slot);
  lull__push_task_name(L, task, -1);
  lull__push_traceback(L, co, 0);
  lua_pushfstring(L, "%f", round((double)ns / 1e6) / 1e3);
  lua_pushfstring(L, "task '%s' ran %s s without awaiting%s%s", lua_tostring(L, -3),
                  lua_tostring(L, -1), lua_rawlen(L, -2) ? "\nstack traceback:" : "",
                  lua_tostring(L, -2));
  lull__warn_top(L, rt);
  lua_pop(L, 4);
}

/* Resumes a task. The table of anchors is at index `anchors` of L. */
static void resume(lua_State *L, lull_t *rt, lull_task *task, lua_State *co, int nargs,
                   int anchors) {
  lull_task *outer = rt->current;
  lua_State *outer_active = rt->active, *outer_base = rt->base;
  int depth = rt->depth, blocked = rt->blocked, status, results;
  uint8_t strict = *rt->strict;
  uint64_t begin = rt->debug ? uv_hrtime() : 0;
  rt->current = task;
  rt->active = rt->base = co;
  if (rt->interrupts) lull__interrupt_move(rt, co);
  rt->blocked = 0;
  *rt->strict = 1;
  for (;;) {
    rt->suspending = 0;
    rt->step_failed = 0;
    rt->depth = 0;
    status = lua_resume(co, L, nargs, &results);
    if (status != LUA_YIELD || rt->suspending != LULL_BOUNCE) break;
    lua_pop(co, results);
    nargs = 0;
  }
  *rt->strict = 0;
  rt->active = outer_active;
  rt->base = outer_base;
  rt->blocked = blocked;
  if (rt->hooked != NULL) lull__interrupt_move(rt, NULL);
  if (outer != NULL) rt->current = outer; /* memory may run out below */
  if (begin != 0) warn_slow(L, rt, task, co, uv_hrtime() - begin);
  if (status == LUA_YIELD && rt->suspending)
    suspended(L, rt, task, co, anchors);
  else
    ended(L, rt, task, co, status, results, anchors);
  rt->suspending = 0;
  rt->current = outer;
  rt->depth = depth;
  *rt->strict = strict;
}

static void step(lua_State *L, lull_t *rt, lull_link *link) {
  lull_task *task = lull__container(link, lull_task, link);
  if (task->thread != NULL) {
    lua_pop(task->thread, 1); /* the marker */
    resume(L, rt, task, task->thread, 0, LULL_ANCHORS);
    return;
  }
  rt->current = task;
  lua_rawgeti(L, LULL_ANCHORS, task->f.o.slot);
  const int index = LULL_ANCHORS + 1; /* a turn's stack has nothing else on it */
  if (task->f.o.flags & LULL_MUST_CANCEL) {
    lua_pushnil(L);
    lull__set_value(L, &task->f.o, index);
    complete(L, rt, task, index, LULL_CANCELLED, LULL_ANCHORS);
    lua_settop(L, index - 1);
  } else {
    lua_State *co = runner(L, rt);
    int nargs = load_body(L, rt, task, index, co);
    lua_settop(L, index - 1);
    resume(L, rt, task, co, nargs, LULL_ANCHORS);
  }
  rt->current = NULL;
}

/* Starts a scheduled task at once, from inside another. */
void lull__start_eagerly(lua_State *L, lull_t *rt, lull_task *task, int index) {
  lull__list_remove(&task->link.node);
  rt->nready--;
  lua_State *co = take_thread(L, rt);
  int nargs = load_body(L, rt, task, index, co);
  task->thread = co;
  lull__set_value(L, &task->f.o, index);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  resume(L, rt, task, co, nargs, lua_gettop(L));
  lua_pop(L, 1);
}

/* A step of the task ended in an error of the scheduler's own: no memory. */
void lull__abandon(lua_State *L, lull_t *rt, lull_task *task, int error) {
  if (task->f.o.state != LULL_PENDING || task->f.o.flags & LULL_WAITING) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  lua_rawgeti(L, -1, task->f.o.slot);
  lua_pushvalue(L, error);
  lull__set_value(L, &task->f.o, lua_gettop(L) - 1);
  task->f.o.nargs = 1;
  complete(L, rt, task, lua_gettop(L), LULL_FAILED, lua_gettop(L) - 1);
  lua_pop(L, 2);
}

/* ---- scheduling, suspending, waking ---- */

/* Pushes the running task's context variables: a table, or nil or false if there are none. */
void lull__push_context(lua_State *L, lull_t *rt) {
  if (rt->current == NULL) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.context);
    return;
  }
  lull__push_anchored(L, rt, rt->current->f.o.slot);
  lull__get_extra(L, -1, LULL_X_CONTEXT);
  lua_remove(L, -2);
}

/* Gives the object at index the context of the running task. */
void lull__inherit_context(lua_State *L, lull_t *rt, int index) {
  if (rt->current != NULL && !(rt->current->f.o.flags & LULL_HAS_EXTRAS)) return;
  lull__push_context(L, rt);
  if (lua_istable(L, -1))
    lull__set_extra(L, index, LULL_X_CONTEXT);
  else
    lua_pop(L, 1);
}

/* Makes the coroutine object at index a task that starts in the next turn. The table of anchors
 * is at another index. */
void lull__schedule_in(lua_State *L, lull_t *rt, lull_task *task, int index, int anchors) {
  if (rt->loop_closed) luaL_error(L, "the loop is closed");
  lull__inherit_context(L, rt, index);
  uint32_t slot = lull__anchor_in(L, rt, index, anchors);
  lull__untrack(rt, &task->f.o);
  task->f.o.slot = slot;
  lull__future_init(&task->f);
  task->f.o.cancels = 0;
  task->id = ++rt->last_id;
  if (rt->watched != NULL) lull__watch_start(rt, task);
  rt->live++;
  lull__ready(rt, &task->link, step);
}

void lull__schedule(lua_State *L, lull_t *rt, lull_task *task, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors);
  lull__schedule_in(L, rt, task, index, lua_gettop(L));
  lua_pop(L, 1);
}

/* Replaces the function, operation or object at index by a coroutine object that awaits it. */
lull_task *lull__wrap(lua_State *L, lull_t *rt, int index) {
  lull_object *object = lull__object(L, rt, index);
  if (object != NULL) lull__awaited(rt, object); /* an op: it becomes its wrapper's to await */
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.await);
  lua_pushvalue(L, index);
  lull_task *task = lull__new_task(L, rt, lua_gettop(L) - 1, 1);
  lua_replace(L, index);
  lua_pop(L, 2);
  return task;
}

/* Replaces the awaitable at index by a future: a lazy one becomes a task. */
lull_future *lull__ensure_future(lua_State *L, lull_t *rt, int index) {
  lull_object *object = lull__object(L, rt, index);
  if (object != NULL && object->kind <= LULL_GATHER) {
    if (object->state == LULL_LAZY) lull__schedule(L, rt, (lull_task *)object, index);
    if (object->state == LULL_CONSUMED) lull__already_awaited(L, index);
    return (lull_future *)object;
  }
  lull_task *task = lull__wrap(L, rt, index);
  lull__schedule(L, rt, task, index);
  return &task->f;
}

/* The task suspended in a wait runs in the next turn. */
void lull__wake(lull_t *rt, lull_task *task) {
  task->f.o.flags &= (uint8_t)~LULL_WAITING;
  lull__ready(rt, &task->link, step);
}

static void wake_link(lua_State *L, lull_t *rt, lull_link *link) {
  (void)L;
  lull__wake(rt, lull__container(link, lull_task, link));
}

/* Puts the task, about to suspend, at the end of a list of waiters. */
void lull__wait_in(lull_task *task, lull_node *list) {
  task->link.fn = wake_link;
  lull__list_append(list, &task->link.node);
}

/* The cancel function of waits that are a place in a list. */
void lull__cancel_listed(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  lull__list_remove(&task->link.node);
}

/* The running task, if the code that runs may await; otherwise an error that says why not. */
lull_task *lull__require_task(lua_State *L, lull_t *rt) {
  if (rt->closed) luaL_error(L, "the runtime is closed");
  if (rt->current == NULL)
    luaL_error(L, "await outside any task: start one with lull.run or lull.create_task");
  if (!lua_isyieldable(L) || rt->blocked)
    luaL_error(L, "await inside a C function that cannot wait (such as table.sort's comparator, "
                  "string.gsub's replacement, or a __gc metamethod)");
  if (L != rt->active)
    luaL_error(L, "await inside a coroutine that was not resumed by lull's coroutine library");
  return rt->current;
}

/* Suspends the running task, which has arranged for its wake-up. The one way anything waits. */
int lull__suspend(lua_State *L, lull_t *rt, const lull_wait *wait, void *subject, lua_KFunction k,
                  lua_KContext ctx) {
  lull_task *task = rt->current;
  task->wait = wait;
  task->subject = subject;
  if (rt->watched != NULL) lull__watch_wait(rt, task);
  if (task->f.o.flags & LULL_SWALLOWED) lull__warn_swallowed(L, rt, task);
  task->f.o.flags |= LULL_WAITING;
  if (task->f.o.flags & LULL_MUST_CANCEL) {
    task->f.o.flags &= (uint8_t)~LULL_MUST_CANCEL;
    lull__cancel_wait(L, rt, task);
  }
  rt->suspending = 1;
  lull__push_marker(L);
  return lua_yieldk(L, 1, ctx, k);
}

/* The first thing a task does after a suspension: raises the cancellation it was woken with. */
void lull__woken(lua_State *L, lull_t *rt) {
  lull_task *task = rt->current;
  const lull_wait *wait = task->wait;
  task->wait = NULL;
  if (!(task->f.o.flags & (LULL_MUST_CANCEL | LULL_INTERRUPTED))) return;
  int granted = !(task->f.o.flags & LULL_INTERRUPTED);
  task->f.o.flags &= (uint8_t) ~(LULL_MUST_CANCEL | LULL_INTERRUPTED);
  if (granted && wait->undo != NULL) wait->undo(L, rt, task);
  lull__push_anchored(L, rt, task->f.o.slot);
  lull__get_extra(L, -1, LULL_X_MESSAGE);
  lull__push_cancelled(L, rt, lua_gettop(L));
  lua_error(L);
}

/* Cancels every task whose id is beyond `after`. */
void lull__cancel_all(lua_State *L, lull_t *rt, uint32_t after) {
  luaL_checkstack(L, 8, NULL);
  for (uint32_t slot = 1; slot <= rt->nanchors; slot++) {
    lull__push_anchored(L, rt, slot);
    lull_object *object = lull__object(L, rt, -1);
    if (object != NULL && object->kind == LULL_TASK && ((lull_task *)object)->id > after)
      lull__cancel(L, rt, (lull_future *)object, 0);
    lua_pop(L, 1);
  }
}
