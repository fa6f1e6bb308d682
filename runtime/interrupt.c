/* Interrupts: SIGINT and its like. An interrupt cancels the main task. Code that does not come
 * back to the loop is stopped by a hook, which raises CancelledError in it. */
#include "internal.h"

#define GRACE_NS 100000000 /* how long code may go on before the hook strikes */
#define HOOK_COUNT 1000

static void hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lull_t *rt = lull__from_state(L);
  if (rt == NULL || rt->interrupts == 0) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (uv_hrtime() - rt->interrupted_at < GRACE_NS) return;
  rt->interrupted_at = uv_hrtime(); /* should the error be caught, it strikes again */
  lull__push_error(L, rt, LULL_CANCELLED_ERROR, "interrupted");
  lua_error(L);
}

/* Async-signal-safe, as lua_sethook and uv_async_send are. */
void lull_interrupt(lull_t *rt) {
  lua_State *active = rt->active;
  rt->interrupts++;
  rt->interrupted_at = uv_hrtime();
  if (active != NULL) {
    rt->hooked = active;
    lua_sethook(active, hook, LUA_MASKCOUNT, HOOK_COUNT);
  }
  lull__wake_loop(rt);
}

/* The hooked thread has stopped running: the one that goes on, or none, gets the hook. */
void lull__interrupt_move(lull_t *rt, lua_State *L) {
  lua_sethook(rt->hooked, NULL, 0, 0);
  rt->hooked = L;
  if (L != NULL) lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
}

static int cancel_main(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull_future *target = rt->main_task != NULL ? &rt->main_task->f : rt->until;
  lua_pushliteral(L, "interrupted");
  if (target != NULL) lull__cancel(L, rt, target, 2);
  return 0;
}

/* The loop has a turn: what was asked for from outside is done now. */
void lull__interrupt_check(lua_State *L, lull_t *rt) {
  if (rt->interrupts == 0) return;
  rt->interrupts = 0;
  rt->interrupted = 1;
  lua_pushcfunction(L, cancel_main);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}
