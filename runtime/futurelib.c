/* What Lua sees of futures: their methods, which tasks and gathers share, and what the Lua modules
 * need of them. */
#include "internal.h"

static int future_done(lua_State *L) {
  lua_pushboolean(L, lull__check_future(L, lull__rt(L), 1)->o.state != LULL_PENDING);
  return 1;
}

static int future_cancelled(lua_State *L) {
  lua_pushboolean(L, lull__check_future(L, lull__rt(L), 1)->o.state == LULL_CANCELLED);
  return 1;
}

static int future_result(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  if (future->o.state == LULL_PENDING)
    return lull__raise(L, rt, LULL_STATE_ERROR, "the result is not set yet");
  return lull__outcome(L, rt, future, 1);
}

static int future_exception(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  switch (future->o.state) {
  case LULL_PENDING:
    return lull__raise(L, rt, LULL_STATE_ERROR, "the exception is not set yet");
  case LULL_CANCELLED:
    return lull__outcome(L, rt, future, 1);
  case LULL_FAILED:
    lull__look(L, future, 1);
    lull__get_value(L, &future->o, 1);
    return 1;
  default:
    lua_pushnil(L);
    return 1;
  }
}

static lull_future *check_settable(lua_State *L, lull_t *rt) {
  lull_future *future = lull__check(L, rt, 1, LULL_FUTURE);
  if (future->o.state != LULL_PENDING) {
    static const char *const how[] = {"the future has a result already",
                                      "the future has an exception already",
                                      "the future was cancelled"};
    lull__raise(L, rt, LULL_STATE_ERROR, how[future->o.state - LULL_RESULT]);
  }
  return future;
}

static int future_set_result(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = check_settable(L, rt);
  lua_settop(L, 2);
  lull__set_values(L, future, 1, 1);
  lull__finish(L, rt, future, 1, LULL_RESULT);
  return 0;
}

static int future_set_exception(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = check_settable(L, rt);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (lull__is_cancelled(L, rt, 2)) {
    lull__finish(L, rt, future, 1, LULL_CANCELLED);
    return 0;
  }
  lull__watch_error(L, rt, future, 1);
  lull__set_value(L, &future->o, 1);
  lull__finish(L, rt, future, 1, LULL_FAILED);
  return 0;
}

static int future_cancel(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  lua_settop(L, 2);
  if (future->o.state == LULL_PENDING && future->o.kind != LULL_TASK && !lua_isnil(L, 2)) {
    lua_pushvalue(L, 2);
    lull__set_extra(L, 1, LULL_X_MESSAGE);
  }
  lua_pushboolean(L, lull__cancel(L, rt, future, 2));
  return 1;
}

static int future_add_done_callback(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *future = lull__check_future(L, rt, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  if (future->o.state != LULL_PENDING) {
    lua_pushvalue(L, 1);
    lull__call_soon(L, rt, 1);
    return 0;
  }
  if (lull__get_extra(L, 1, LULL_X_CALLBACKS) == LUA_TNIL) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lull__set_extra(L, 1, LULL_X_CALLBACKS);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.by_pointer);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, -2, future);
    lua_pop(L, 1);
    future->o.flags |= LULL_HAS_CALLBACKS;
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  lull__new_call(L, rt, 1);
  lua_rawseti(L, -2, luaL_len(L, -2) + 1);
  return 0;
}

static int future_remove_done_callback(lua_State *L) {
  lull__check_future(L, lull__rt(L), 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_Integer kept = 0, n = 0;
  if (lull__get_extra(L, 1, LULL_X_CALLBACKS) != LUA_TNIL) {
    n = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, -1, i);
      lull__push_called(L, lua_gettop(L));
      int same = lua_rawequal(L, -1, 2);
      lua_pop(L, 1);
      if (same)
        lua_pop(L, 1);
      else
        lua_rawseti(L, -2, ++kept);
    }
    for (lua_Integer i = kept + 1; i <= n; i++) {
      lua_pushnil(L);
      lua_rawseti(L, -2, i);
    }
  }
  lua_pushinteger(L, n - kept);
  return 1;
}

static int future_tostring(lua_State *L) {
  static const char *const states[] = {"pending", "done", "failed", "cancelled"};
  lull_future *future = lull__check_future(L, lull__rt(L), 1);
  lua_pushfstring(L, "%s (%s)", lull__kind_name(future->o.kind),
                  states[future->o.state - LULL_PENDING]);
  return 1;
}

static int new_future(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull__new_future(L, rt);
  return 1;
}

static const luaL_Reg meta[] = {{"__tostring", future_tostring}, {NULL, NULL}};

/* The methods of everything that is a future. */
const luaL_Reg lull__future_methods[] = {{"done", future_done},
                                         {"cancelled", future_cancelled},
                                         {"result", future_result},
                                         {"exception", future_exception},
                                         {"cancel", future_cancel},
                                         {"add_done_callback", future_add_done_callback},
                                         {"remove_done_callback", future_remove_done_callback},
                                         {NULL, NULL}};

static const luaL_Reg setters[] = {
    {"set_result", future_set_result}, {"set_exception", future_set_exception}, {NULL, NULL}};

/* has_failed(future): done, with an error. */
static int has_failed(lua_State *L) {
  lua_pushboolean(L, lull__check_future(L, lull__rt(L), 1)->o.state == LULL_FAILED);
  return 1;
}

/* Gives the future or task at index `to` the traceback that the one at `from` has, if any. */
static void copy_traceback(lua_State *L, int to, int from) {
  if (lull__get_extra(L, from, LULL_X_TRACEBACK) == LUA_TNIL)
    lua_pop(L, 1);
  else
    lull__set_extra(L, to, LULL_X_TRACEBACK);
}

/* settle(outer, inner): outer, pending, gets the outcome of inner, done. */
static int settle(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_future *outer = check_settable(L, rt);
  lull_future *inner = lull__check_future(L, rt, 2);
  lua_settop(L, 2);
  if (inner->o.state == LULL_RESULT) {
    lull__set_values(L, outer, 1, lull__push_values(L, inner, 2));
  } else if (inner->o.state == LULL_FAILED) {
    lull__look(L, inner, 2);
    copy_traceback(L, 1, 2);
    lull__get_value(L, &inner->o, 2);
    lull__watch_error(L, rt, outer, 1);
    lull__set_value(L, &outer->o, 1);
  }
  lull__finish(L, rt, outer, 1, inner->o.state);
  return 0;
}

/* adopt_traceback(task): should the running task end with the error the task failed with, its
 * traceback goes on from there. */
static int adopt_traceback(lua_State *L) {
  lull_t *rt = lull__rt(L);
  const lull_future *future = lull__check_future(L, rt, 1);
  lull__get_value(L, &future->o, 1);
  lull__get_extra(L, 1, LULL_X_TRACEBACK);
  lull__note_rethrown(L, rt, -2, -1);
  return 0;
}

/* report(message, exception, task): to the exception handler. */
static int report(lua_State *L) {
  lua_settop(L, 3);
  const char *message = luaL_checkstring(L, 1);
  lua_pushvalue(L, 2);
  lull__get_extra(L, 3, LULL_X_TRACEBACK);
  lull__report_exception(L, lull__rt(L), message, 3);
  return 0;
}

static const luaL_Reg functions[] = {{"future", new_future}, {"has_failed", has_failed},
                                     {"settle", settle},     {"adopt_traceback", adopt_traceback},
                                     {"report", report},     {NULL, NULL}};

void lull__open_future(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_FUTURE, meta, lull__future_methods);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.metas[LULL_FUTURE]);
  lua_getfield(L, -1, "__index");
  lull__setfuncs(L, rt, setters);
  lua_pop(L, 2);
  lull__new_meta(L, rt, LULL_GATHER, meta, lull__future_methods);
  lull__open_unlooked(L, rt);
  lua_createtable(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  rt->refs.by_pointer = luaL_ref(L, LUA_REGISTRYINDEX);
  lull__setfuncs(L, rt, functions);
}
