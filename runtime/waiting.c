/* What tasks are doing, for those who look: which run, which wait, for what, where, and for how
 * long. What takes time or memory to keep is kept only once somebody watches. */
#include <stdlib.h>

#include "internal.h"

/* ---- watching ---- */

/* The place for what is known of a task; NULL if there is no memory for it. */
static lull_watched *place_of(lull_t *rt, const lull_task *task) {
  uint32_t slot = task->f.o.slot;
  if (slot >= rt->watched_capacity) {
    uint32_t capacity = slot + slot / 2 + 64;
    lull_watched *watched = realloc(rt->watched, capacity * sizeof *watched);
    if (watched == NULL) return NULL;
    for (uint32_t i = rt->watched_capacity; i < capacity; i++)
      watched[i] = (lull_watched){.since = -1};
    rt->watched = watched;
    rt->watched_capacity = capacity;
  }
  return &rt->watched[slot];
}

/* A task was given a slot. */
void lull__watch_start(lull_t *rt, const lull_task *task) {
  lull_watched *place = place_of(rt, task);
  if (place == NULL) return;
  uint32_t starter = rt->current != NULL ? rt->current->id : 0;
  *place = (lull_watched){.id = task->id, .starter = starter, .since = -1};
}

/* It is suspended. */
void lull__watch_wait(lull_t *rt, const lull_task *task) {
  lull_watched *place = place_of(rt, task);
  if (place == NULL) return;
  if (place->id != task->id) *place = (lull_watched){.id = task->id};
  place->since = lull__now(rt);
}

/* watch_tasks(): from now on it is known who starts a task, and since when it waits. */
static int watch_tasks(lua_State *L) {
  lull_t *rt = lull__rt(L);
  if (rt->watched != NULL) return 0;
  rt->watched = malloc(sizeof *rt->watched);
  if (rt->watched == NULL) lull__no_memory(L);
  rt->watched[0] = (lull_watched){.since = -1};
  rt->watched_capacity = 1;
  return 0;
}

static lull_watched known_of(const lull_t *rt, const lull_task *task) {
  uint32_t slot = task->f.o.slot;
  if (slot < rt->watched_capacity && rt->watched[slot].id == task->id) return rt->watched[slot];
  return (lull_watched){.since = -1};
}

/* ---- looking ---- */

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
 * for what, where, for how many seconds (by lull.now's clock; nil: not known), and the future it
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
  lull_watched known = known_of(rt, task);
  lua_pushinteger(L, known.starter);
  if (!(task->f.o.flags & LULL_WAITING)) return 3;
  lua_pushstring(L, lull__waited_for(task));
  lull__push_where(L, task);
  if (known.since >= 0)
    lua_pushnumber(L, lull__now(rt) - known.since);
  else
    lua_pushnil(L);
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
    {"gathered", gathered}, {"task_info", task_info}, {"watch_tasks", watch_tasks}, {NULL, NULL}};

void lull__open_waiting(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
