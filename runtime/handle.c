/* call_soon, call_later, call_at: plain functions called from the loop, and their handles. They
 * are not tasks: what they call cannot await. An error goes to the exception handler. */
#include <math.h>

#include "internal.h"

typedef struct lull_handle {
  lull_object o;
  lull_link link;
  lull_timer timer;
  uint32_t anchor;
} lull_handle;

enum {
  CALL = 1,
  CONTEXT
}; /* user values: a table of the function and its arguments; the context
    * variables of the task that asked for the call */

/* Tells the exception handler, or whoever listens to warnings. Value and traceback are on top of
 * the stack, and are taken off; the task concerned is at index `task`, or 0. */
void lull__report_exception(lua_State *L, lull_t *rt, const char *message, int task) {
  int value = lua_gettop(L) - 1;
  luaL_checkstack(L, 10, NULL);
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.handler) == LUA_TFUNCTION) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, value);
    lua_setfield(L, -2, "exception");
    if (task) {
      lua_pushvalue(L, task);
      lua_setfield(L, -2, "task");
    }
    uint8_t strict = *rt->strict;
    *rt->strict = 1;
    int status = lua_pcall(L, 1, 0, 0);
    *rt->strict = strict;
    if (status == LUA_OK) {
      lua_settop(L, value - 1);
      return;
    }
    message = "the exception handler failed";
    lua_replace(L, value);
    lua_pushnil(L);
    lua_replace(L, value + 1);
  }
  lull__push_report(L, rt, value, value + 1);
  lua_pushfstring(L, "%s: %s", message, lua_tostring(L, -1));
  lull__warn_top(L, rt);
  lua_settop(L, value - 1);
}

static int keep_traceback(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  lua_settop(L, 1);
  lull__push_traceback(L, L, 1);
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.callback_traceback);
  return 1;
}

/* Makes the context at the top of the stack that of code outside tasks; leaves the former. */
static void swap_context(lua_State *L, lull_t *rt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.context);
  lua_insert(L, -2);
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.context);
}

/* Calls what the handle at index holds. */
static void call(lua_State *L, lull_t *rt, int index) {
  lua_getiuservalue(L, index, CONTEXT);
  swap_context(L, rt);
  lua_pushcfunction(L, keep_traceback);
  int handler = lua_gettop(L);
  lua_getiuservalue(L, index, CALL);
  int nargs = lull__unpack(L) - 1;
  luaL_checkstack(L, 8, NULL);
  lua_pushnil(L);
  lua_setiuservalue(L, index, CALL);
  *rt->strict = 1;
  int status = lua_pcall(L, nargs, 0, handler);
  *rt->strict = 0;
  if (status != LUA_OK) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.callback_traceback);
    lull__report_exception(L, rt, "error in a callback of the loop", 0);
  }
  lua_settop(L, handler - 1);
  swap_context(L, rt);
}

static void run_handle(lua_State *L, lull_t *rt, lull_link *link) {
  lull_handle *handle = lull__container(link, lull_handle, link);
  lull__push_anchored(L, rt, handle->anchor);
  int index = lua_gettop(L);
  lull__unanchor(L, rt, &handle->anchor);
  if (handle->o.state == LULL_PENDING) {
    handle->o.state = LULL_RESULT;
    call(L, rt, index);
  }
  lua_settop(L, index - 1);
}

static void fire_handle(lua_State *L, lull_t *rt, lull_timer *timer) {
  (void)L;
  lull__ready_due(rt, &lull__container(timer, lull_handle, timer)->link, run_handle);
}

/* Takes a function and nargs arguments off the stack, pushes a handle that holds them, and the
 * context of the running task. */
void lull__new_call(lua_State *L, lull_t *rt, int nargs) {
  int first = lua_gettop(L) - nargs;
  luaL_checkstack(L, 8, NULL);
  lull__pack(L, nargs + 1);
  lull_handle *handle = lull__new_object(L, rt, sizeof *handle, CONTEXT, LULL_HANDLE);
  lua_insert(L, first);
  lua_setiuservalue(L, first, CALL);
  handle->o.state = LULL_PENDING;
  handle->timer.index = LULL_NO_TIMER;
  lull__push_context(L, rt);
  lua_setiuservalue(L, first, CONTEXT);
}

/* Has the call of the handle at index made in the next turn. */
void lull__schedule_call(lua_State *L, lull_t *rt, int index) {
  lull_handle *handle = lua_touserdata(L, index);
  handle->anchor = lull__anchor(L, rt, index);
  lull__ready(rt, &handle->link, run_handle);
}

/* Pushes the function that the handle at index will call. */
void lull__push_called(lua_State *L, int index) {
  lua_getiuservalue(L, index, CALL);
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
}

/* Has a function and nargs arguments on top of the stack called in the next turn; leaves the
 * handle instead of them. */
void lull__call_soon(lua_State *L, lull_t *rt, int nargs) {
  lull__new_call(L, rt, nargs);
  lull__schedule_call(L, rt, -1);
}

/* ---- the loop object's methods: self comes first, and is not used ---- */

static lull_t *check_loop(lua_State *L) {
  lull_t *rt = lull__rt(L);
  if (rt->closed || rt->loop_closed) luaL_error(L, "the loop is closed");
  return rt;
}

static int call_soon(lua_State *L) {
  lull_t *rt = check_loop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lull__call_soon(L, rt, lua_gettop(L) - 2);
  return 1;
}

static int schedule_at(lua_State *L, lull_t *rt, double when) {
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lull__new_call(L, rt, lua_gettop(L) - 3);
  lull_handle *handle = lua_touserdata(L, -1);
  handle->anchor = lull__anchor(L, rt, -1);
  if (lull__timer_start(rt, &handle->timer, when, fire_handle) < 0) {
    lull__unanchor(L, rt, &handle->anchor);
    return luaL_error(L, "not enough memory");
  }
  return 1;
}

static double check_seconds(lua_State *L, int index) {
  double seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, !isnan(seconds), index, "a number of seconds expected, got nan");
  return seconds;
}

static int call_later(lua_State *L) {
  lull_t *rt = check_loop(L);
  return schedule_at(L, rt, lull__now(rt) + check_seconds(L, 2));
}

static int call_at(lua_State *L) {
  lull_t *rt = check_loop(L);
  return schedule_at(L, rt, check_seconds(L, 2));
}

static int set_exception_handler(lua_State *L) {
  lull_t *rt = check_loop(L);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
  }
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.handler);
  return 0;
}

/* ---- handles ---- */

static int handle_cancel(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_handle *handle = lull__check(L, rt, 1, LULL_HANDLE);
  if (handle->o.state != LULL_PENDING) return 0;
  handle->o.state = LULL_CANCELLED;
  if (handle->timer.index == LULL_NO_TIMER) return 0; /* its turn will come and let go of it */
  lull__timer_stop(rt, &handle->timer);
  lull__unanchor(L, rt, &handle->anchor);
  return 0;
}

static int handle_cancelled(lua_State *L) {
  const lull_handle *handle = lull__check(L, lull__rt(L), 1, LULL_HANDLE);
  lua_pushboolean(L, handle->o.state == LULL_CANCELLED);
  return 1;
}

static int handle_tostring(lua_State *L) {
  const lull_handle *handle = lull__check(L, lull__rt(L), 1, LULL_HANDLE);
  lua_pushfstring(L, "handle (%s)",
                  handle->o.state == LULL_PENDING     ? "pending"
                  : handle->o.state == LULL_CANCELLED ? "cancelled"
                                                      : "called");
  return 1;
}

static const luaL_Reg meta[] = {{"__tostring", handle_tostring}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"cancel", handle_cancel}, {"cancelled", handle_cancelled}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"call_soon", call_soon},
                                     {"call_later", call_later},
                                     {"call_at", call_at},
                                     {"set_exception_handler", set_exception_handler},
                                     {NULL, NULL}};

void lull__open_handle(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_HANDLE, meta, methods);
  lua_newtable(L);
  lull__setfuncs(L, rt, functions);
  lua_setfield(L, -2, "loop_methods");
}
