/* What tasks are doing, for those who look: which run, which wait, for what, where, and for how
 * long. */
#include "internal.h"

static const char *state_of(const lull_t *rt, const lull_task *task) {
  if (task == rt->current) return "running";
  if (task->f.o.flags & LULL_WAITING) return "waiting";
  return task->thread != NULL ? "ready" : "new";
}

/* Whether the task waits for a future, which may be a task or a gather. */
static int awaits_future(const lull_task *task) {
  return task->f.o.flags & LULL_WAITING && task->wait == &lull__future_wait;
}

/* task_info(task) -> id, state, the id of the task that has started it (0: none), and if it waits:
 * for what, where, for how many seconds (by lull.now's clock, to a hundredth), and the future it
 * awaits, or nil. The states are "new", "ready", "running" and "waiting", and "done". */
static int task_info(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_task *task = lull__check(L, rt, 1, LULL_TASK);
  if (task->f.o.state < LULL_PENDING) luaL_typeerror(L, 1, "task");
  lua_pushinteger(L, task->id);
  if (task->f.o.state != LULL_PENDING) {
    lua_pushliteral(L, "done");
    return 2;
  }
  lua_pushstring(L, state_of(rt, task));
  lua_pushinteger(L, task->starter);
  if (!(task->f.o.flags & LULL_WAITING)) return 3;
  lua_pushstring(L, lull__waited_for(task));
  lull__push_where(L, task);
  lua_pushnumber(L, (uint32_t)(rt->turn_at - task->since) / 100.0);
  if (!awaits_future(task)) return 6;
  lull__push_awaited(L, task);
  return 7;
}

/* gathered(future) -> a list of what a gather gathers; nil if it is none. */
static int gathered(lua_State *L) {
  const lull_object *object = lull__object(L, lull__rt(L), 1);
  if (object == NULL || object->kind != LULL_GATHER) return 0;
  lull__push_children(L, 1);
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  lua_createtable(L, (int)count, 0); /* a copy: the gather's own is not to be changed */
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -2, i);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"gathered", gathered}, {"task_info", task_info}, {NULL, NULL}};

void lull__open_waiting(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
