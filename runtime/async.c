/* Async functions and coroutine objects: a function and its arguments, kept until somebody awaits
 * them or makes a task of them. */
#include "internal.h"

#define MAX_ARGS 200 /* kept one by one; more are packed in a table */

static lull_task *new_coroutine(lua_State *L, lull_t *rt, int slots) {
  if (rt->closed) luaL_error(L, "the runtime is closed");
  lull_task *task = lull__new_object(L, rt, sizeof *task, 1 + slots, LULL_TASK);
  task->f.o.nargs = task->f.o.capacity = (uint8_t)slots;
  return task;
}

/* Puts function (an index) and the nargs arguments above index into the object on top. */
static void fill(lua_State *L, lull_task *task, int function, int index, int nargs) {
  lua_pushvalue(L, function);
  lua_setiuservalue(L, -2, 1);
  if (nargs > MAX_ARGS) {
    luaL_checkstack(L, nargs, "too many arguments");
    for (int i = 1; i <= nargs; i++)
      lua_pushvalue(L, index + i);
    lull__pack(L, nargs);
    lua_setiuservalue(L, -2, 2);
    task->f.o.flags |= LULL_PACKED;
    return;
  }
  for (int i = 1; i <= nargs; i++) {
    lua_pushvalue(L, index + i);
    lua_setiuservalue(L, -2, 1 + i);
  }
}

/* Makes a coroutine object out of a function at index and nargs arguments above it; pushes it. */
lull_task *lull__new_task(lua_State *L, lull_t *rt, int index, int nargs) {
  lull_task *task = new_coroutine(L, rt, nargs > MAX_ARGS ? 1 : nargs);
  fill(L, task, index, index, nargs);
  return task;
}

/* Coroutine objects that were awaited in place are spent: what they held is on the stack of the
 * task. They are used again, if the collector has not taken them: the spares are slots in the
 * table of unawaited objects, whose values are weak. Debug mode makes each object anew, so that
 * one awaited twice is always found out. */
enum { FUNCTION = 2, ORIGIN, TRACKED }; /* upvalues of an async function; 1 is the runtime */

static lull_task *take_spare(lua_State *L, lull_t *rt, int nargs) {
  uint32_t slot = rt->spares[--rt->nspares];
  lua_rawgeti(L, lua_upvalueindex(TRACKED), slot);
  lull_task *task = lua_touserdata(L, -1);
  if (task != NULL && task->f.o.slot == slot && task->f.o.state == LULL_CONSUMED &&
      task->f.o.kind == LULL_TASK && nargs <= task->f.o.capacity && !rt->debug && !rt->closed) {
    task->f.o.state = LULL_LAZY;
    task->f.o.nargs = (uint8_t)nargs;
    return task;
  }
  lua_pop(L, 1);
  return NULL;
}

static int call_async(lua_State *L) {
  lull_t *rt = lull__rt(L);
  int nargs = lua_gettop(L);
  if (nargs > 8) luaL_checkstack(L, 8, NULL);
  lull_task *task = rt->nspares && nargs <= MAX_ARGS ? take_spare(L, rt, nargs) : NULL;
  if (task == NULL) task = new_coroutine(L, rt, nargs > MAX_ARGS ? 1 : nargs);
  fill(L, task, lua_upvalueindex(FUNCTION), 0, nargs);
  lull__track(L, rt, &task->f.o, lua_touserdata(L, lua_upvalueindex(ORIGIN)),
              lua_upvalueindex(TRACKED));
  return 1;
}

/* async(f [, name]): the name is for warnings, instead of the function's place. */
static int async(lua_State *L) {
  lull_t *rt = lull__rt(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  const char *name = luaL_optstring(L, 2, NULL);
  lua_settop(L, 2);
  if (name == NULL) {
    lua_pushvalue(L, 1);
    lull__push_place(L);
    name = lua_tostring(L, -1);
  }
  name = lull__intern(L, rt, name);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lull_origin *origin = lua_newuserdatauv(L, sizeof *origin, 0);
  *origin = (lull_origin){.name = name};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.unawaited);
  lua_pushcclosure(L, call_async, TRACKED);
  return 1;
}

/* Pushes the function and arguments of the coroutine object at index; gives their number. */
int lull__push_call(lua_State *L, lull_task *task, int index) {
  int nargs = task->f.o.nargs;
  if (nargs > 8) luaL_checkstack(L, nargs + 8, "too many arguments");
  lull__get_value(L, &task->f.o, index);
  if (!(task->f.o.flags & LULL_PACKED)) {
    for (int i = 1; i <= nargs; i++)
      lua_getiuservalue(L, index, 1 + i);
    return nargs;
  }
  task->f.o.flags &= (uint8_t)~LULL_PACKED;
  lua_getiuservalue(L, index, 2);
  return lull__unpack(L);
}

/* The coroutine object at index 1 if it was not awaited yet, or NULL. */
static lull_object *to_lazy(lua_State *L, lull_t *rt) {
  lull_object *object = lull__object(L, rt, 1);
  int lazy = object != NULL && object->kind <= LULL_OP && object->state == LULL_LAZY;
  return lazy ? object : NULL;
}

/* close_coroutine(c): a coroutine object that will not be needed; no warning comes of it. Gives
 * whether it is one, not awaited yet. */
static int close_coroutine(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_object *object = to_lazy(L, rt);
  if (object != NULL) {
    lull__awaited(rt, object);
    object->state = LULL_CONSUMED;
  }
  lua_pushboolean(L, object != NULL);
  return 1;
}

/* is_coroutine(value): whether it is a coroutine object, not awaited yet. */
static int is_coroutine(lua_State *L) {
  lua_pushboolean(L, to_lazy(L, lull__rt(L)) != NULL);
  return 1;
}

/* is_async(f): whether it is an async function. */
static int is_async(lua_State *L) {
  lua_pushboolean(L, lua_tocfunction(L, 1) == call_async);
  return 1;
}

/* ---- what is inside ---- */

/* If the value at index is an async function, pushes its function and gives its name; else NULL. */
const char *lull__push_inner(lua_State *L, int index) {
  if (lua_tocfunction(L, index) != call_async) return NULL;
  lua_getupvalue(L, index, ORIGIN);
  const lull_origin *origin = lua_touserdata(L, -1);
  lua_pop(L, 1);
  lua_getupvalue(L, index, FUNCTION);
  return origin->name;
}

/* async_body(f) -> the function that an async function runs, and what warnings call it; nothing if
 * it is none. */
static int async_body(lua_State *L) {
  const char *name = lull__push_inner(L, 1);
  if (name == NULL) return 0;
  lua_pushstring(L, name);
  return 2;
}

/* ---- for copies in other states ---- */

/* Pushes an async function whose function is yet to be set. */
void lull__push_outer(lua_State *L, const char *name) {
  const lull_t *rt = lull__from_state(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  lua_pushcclosure(L, async, 1);
  lua_pushcfunction(L, is_async); /* stands in for it */
  lua_pushstring(L, name);
  lua_call(L, 2, 1);
}

/* Pops a function and makes it that of the async function at index. */
void lull__set_inner(lua_State *L, int index) {
  lua_setupvalue(L, index, FUNCTION);
}

static const luaL_Reg functions[] = {
    {"async", async},       {"async_body", async_body},     {"close_coroutine", close_coroutine},
    {"is_async", is_async}, {"is_coroutine", is_coroutine}, {NULL, NULL}};

void lull__open_async(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
