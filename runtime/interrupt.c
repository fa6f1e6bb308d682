/* Interrupts: SIGINT and its like. An interrupt cancels the main task. Code that does not come
 * back to the loop is stopped by a hook, which raises CancelledError in it. */
#include "internal.h"

#define GRACE_NS 100000000 /* how long code may go on before the hook strikes */
#define HOOK_COUNT 1000

/* The error is the cancellation: of the main task, if that is what runs; else of the task that
 * stands in the way, and the main one is cancelled in the next turn. */
static void strike(lua_State *L, lull_t *rt) {
  lull_task *task = rt->current;
  rt->interrupted = 1;
  rt->interrupted_at = uv_hrtime(); /* should another task catch it, it strikes again */
  if (task != NULL) {
    lull__push_anchored(L, rt, task->f.o.slot);
    lua_pushliteral(L, "interrupted");
    lull__set_extra(L, -2, LULL_X_MESSAGE);
    if (task->f.o.cancels < UINT8_MAX) task->f.o.cancels++;
    if (task == rt->main_task || &task->f == rt->until) rt->interrupts = 0;
  }
  lull__push_error(L, rt, LULL_CANCELLED_ERROR, "interrupted");
  lua_error(L);
}

static void hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lull_t *rt = lull__from_state(L);
  if (rt == NULL || rt->interrupts == 0)
    lua_sethook(L, NULL, 0, 0);
  else if (uv_hrtime() - rt->interrupted_at >= GRACE_NS)
    strike(L, rt);
}

static void set_hook(lull_t *rt, lua_State *L) {
  rt->hooked = L;
  lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
}

/* Async-signal-safe, as lua_sethook and uv_async_send are. From other threads nothing of Lua's
 * may be touched: they only wake the loop. */
void lull_interrupt(lull_t *rt) {
  rt->interrupted_at = uv_hrtime();
  rt->interrupts++;
  uv_thread_t self = uv_thread_self(), thread = rt->thread;
  if (uv_thread_equal(&self, &thread)) set_hook(rt, rt->active ? rt->active : rt->L);
  lull__wake_loop(rt);
}

/* Called by a signal handler on the runtime's own thread: what runs there has no more time. */
void lull__interrupt_for_good(lull_t *rt) {
  if (!rt->ending) rt->interrupted_at = 0;
  rt->ending = 1;
  rt->interrupts = 1;
  set_hook(rt, rt->active ? rt->active : rt->L);
  lull__wake_loop(rt);
}

/* A C function that blocks was interrupted: it raises the error itself if it is for good. */
void lull__interrupt_ending(lua_State *L, lull_t *rt) {
  if (rt->ending && rt->interrupts) strike(L, rt);
}

/* Another thread goes on, or none: it gets the hook. */
void lull__interrupt_move(lull_t *rt, lua_State *L) {
  if (rt->hooked != NULL) lua_sethook(rt->hooked, NULL, 0, 0);
  rt->hooked = NULL;
  if (L != NULL && rt->interrupts) set_hook(rt, L);
}

static int cancel_main(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull_future *target = rt->main_task != NULL ? &rt->main_task->f : rt->until;
  lua_pushliteral(L, "interrupted");
  if (target != NULL) lull__cancel(L, rt, target, 2);
  return 0;
}

static int cancel_one(lua_State *L) {
  lua_pushliteral(L, "interrupted");
  lull__cancel(L, lua_touserdata(L, 1), lua_touserdata(L, 2), 3);
  return 0;
}

/* Cancels one task as an interrupt does the main one. On the runtime's thread, out of a turn. */
void lull__interrupt_task(lull_t *rt, lull_task *task) {
  lua_State *L = rt->L;
  lua_pushcfunction(L, cancel_one);
  lua_pushlightuserdata(L, rt);
  lua_pushlightuserdata(L, task);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
}

/* The loop has a turn: what was asked for from outside is done now. */
void lull__interrupt_check(lua_State *L, lull_t *rt) {
  if (rt->interrupts == 0) return;
  rt->interrupts = 0;
  rt->interrupted = 1;
  lull__interrupt_move(rt, NULL);
  lua_pushcfunction(L, cancel_main);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}
