/* What Lua sees of tasks: create_task and its like, and the methods of tasks. */
#include "internal.h"

void lull__push_task_name(lua_State *L, lull_task *task, int index) {
  if (lull__get_extra(L, index, LULL_X_NAME) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_pushfstring(L, "Task-%I", (LUAI_UACINT)task->id);
}

static lull_task *check_task(lua_State *L) {
  lull_task *task = lull__check(L, lull__rt(L), 1, LULL_TASK);
  if (task->f.o.state < LULL_PENDING) luaL_typeerror(L, 1, "task");
  return task;
}

static int task_get_name(lua_State *L) {
  lull__push_task_name(L, check_task(L), 1);
  return 1;
}

static int task_set_name(lua_State *L) {
  check_task(L);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lull__set_extra(L, 1, LULL_X_NAME);
  return 0;
}

static int task_cancelling(lua_State *L) {
  lua_pushinteger(L, check_task(L)->f.o.cancels);
  return 1;
}

static int task_uncancel(lua_State *L) {
  lull_task *task = check_task(L);
  if (task->f.o.cancels > 0 && --task->f.o.cancels == 0 && !(task->f.o.flags & LULL_INTERRUPTED))
    task->f.o.flags &= (uint8_t)~LULL_MUST_CANCEL;
  lua_pushinteger(L, task->f.o.cancels);
  return 1;
}

static int task_traceback(lua_State *L) {
  lull_task *task = check_task(L);
  if (task->f.o.state == LULL_PENDING)
    lull__push_task_traceback(L, task);
  else
    lull__get_extra(L, 1, LULL_X_TRACEBACK);
  return 1;
}

static int task_tostring(lua_State *L) {
  static const char *const states[] = {"lazy", "awaited", "pending", "done", "failed", "cancelled"};
  lull_task *task = lull__check(L, lull__rt(L), 1, LULL_TASK);
  if (task->f.o.state < LULL_PENDING) {
    lull__get_value(L, &task->f.o, 1);
    lull__push_place(L);
    lua_pushfstring(L, "coroutine object (%s)", lua_tostring(L, -1));
  } else {
    lull__push_task_name(L, task, 1);
    lua_pushfstring(L, "task '%s' (%s)", lua_tostring(L, -1), states[task->f.o.state]);
  }
  return 1;
}

static int option(lua_State *L, int index, const char *name) {
  if (lua_istable(L, index)) return lua_getfield(L, index, name);
  lua_pushnil(L);
  return LUA_TNIL;
}

static int create_task(lua_State *L) {
  static const char *const known[] = {"name", "eager", NULL};
  lull_t *rt = lull__rt(L);
  lull__check_options(L, 2, known);
  lua_settop(L, 2);
  if (lull__to_future(L, rt, 1) != NULL || !lull__is_awaitable(L, rt, 1))
    return luaL_typeerror(L, 1, "coroutine object or function");
  int named = option(L, 2, "name") != LUA_TNIL;
  if (named && lua_type(L, 3) != LUA_TSTRING)
    return luaL_argerror(L, 2, "option 'name' must be a string");
  option(L, 2, "eager");
  int eager = lua_toboolean(L, 4);
  if (eager && (!rt->in_turn || rt->current == NULL))
    return luaL_argerror(L, 2, "option 'eager' needs a running task");
  lull_task *task = (lull_task *)lull__ensure_future(L, rt, 1);
  if (named) {
    lua_pushvalue(L, 3);
    lull__set_extra(L, 1, LULL_X_NAME);
  }
  if (eager) lull__start_eagerly(L, rt, task, 1);
  lua_settop(L, 1);
  return 1;
}

static int current_task(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  if (rt->current == NULL)
    lua_pushnil(L);
  else
    lull__push_anchored(L, rt, rt->current->f.o.slot);
  return 1;
}

static int all_tasks(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lua_Integer n = 0;
  lua_newtable(L);
  for (uint32_t slot = 1; slot <= rt->nanchors; slot++) {
    lull__push_anchored(L, rt, slot);
    lull_object *object = lull__object(L, rt, -1);
    if (object != NULL && object->kind == LULL_TASK && object->state == LULL_PENDING)
      lua_rawseti(L, -2, ++n);
    else
      lua_pop(L, 1);
  }
  return 1;
}

/* get_context() -> table or nil; set_context(table): the running task's context variables. */
static int get_context(lua_State *L) {
  lull__push_context(L, lull__rt(L));
  return 1;
}

static int set_context(lua_State *L) {
  lull_t *rt = lull__rt(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (rt->current == NULL) {
    lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.context);
    return 0;
  }
  lull__push_anchored(L, rt, rt->current->f.o.slot);
  lua_insert(L, 1);
  lull__set_extra(L, 1, LULL_X_CONTEXT);
  return 0;
}

/* ensure_future(awaitable) -> the future or task it is, or has become. */
static int ensure_future(lua_State *L) {
  lua_settop(L, 1);
  lull__ensure_future(L, lull__rt(L), 1);
  return 1;
}

static const luaL_Reg meta[] = {{"__tostring", task_tostring}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"get_name", task_get_name},     {"set_name", task_set_name},
                                   {"cancelling", task_cancelling}, {"uncancel", task_uncancel},
                                   {"traceback", task_traceback},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"create_task", create_task},
                                     {"current_task", current_task},
                                     {"all_tasks", all_tasks},
                                     {"get_context", get_context},
                                     {"set_context", set_context},
                                     {"ensure_future", ensure_future},
                                     {NULL, NULL}};

void lull__open_task(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_TASK, meta, lull__future_methods);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.metas[LULL_TASK]);
  lua_getfield(L, -1, "__index");
  lull__setfuncs(L, rt, methods);
  lua_pop(L, 2);
  lull__setfuncs(L, rt, functions);
}
