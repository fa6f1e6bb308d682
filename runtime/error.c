/* Errors that C raises, checks of options, and warnings. The error classes themselves are Lua's
 * (lull/errors.lua) and are handed to set_errors. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* ---- errors ---- */

/* Pushes one of the error classes; loads them when they are needed first. */
static void push_class(lua_State *L, lull_t *rt, int error) {
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.errors) != LUA_TTABLE) {
    lua_pop(L, 1);
    lull__require(L, "lull.errors");
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.errors);
  }
  lua_rawgeti(L, -1, error);
  lua_replace(L, -2);
}

/* Pushes a new error of a class, with a message. */
void lull__push_error(lua_State *L, lull_t *rt, int error, const char *message) {
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, 0, 2);
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  push_class(L, rt, error);
  lua_setmetatable(L, -2);
}

int lull__raise(lua_State *L, lull_t *rt, int error, const char *message) {
  lull__push_error(L, rt, error, message);
  return lua_error(L);
}

/* Pushes a CancelledError whose message is the value at index, if that is not nil. */
void lull__push_cancelled(lua_State *L, lull_t *rt, int message) {
  lull__push_error(L, rt, LULL_CANCELLED_ERROR, "the task was cancelled");
  if (lua_isnil(L, message)) return;
  lua_pushvalue(L, message);
  lua_setfield(L, -2, "message");
}

#define MAX_PARENTS 100 /* a foreign metatable's parents may go in a circle */

/* Whether the value at index is an error of a class, or of one made from it. */
int lull__is_error(lua_State *L, lull_t *rt, int index, int error) {
  if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return 0;
  luaL_checkstack(L, 4, NULL);
  push_class(L, rt, error);
  int found = lua_rawequal(L, -1, -2);
  for (int depth = 0; !found && depth < MAX_PARENTS; depth++) {
    lua_pushliteral(L, "parent");
    if (lua_rawget(L, -3) != LUA_TTABLE) {
      lua_pop(L, 1);
      break;
    }
    lua_replace(L, -3);
    found = lua_rawequal(L, -1, -2);
  }
  lua_pop(L, 2);
  return found;
}

int lull__is_cancelled(lua_State *L, lull_t *rt, int index) {
  return lull__is_error(L, rt, index, LULL_CANCELLED_ERROR);
}

/* Raises an argument error unless an option's name is a known one. */
void lull__check_option(lua_State *L, int index, const char *name, const char *const known[]) {
  for (int i = 0; known[i] != NULL; i++)
    if (strcmp(name, known[i]) == 0) return;
  luaL_argerror(L, index, lua_pushfstring(L, "unknown option '%s'", name));
}

/* The same for each name in the table of options at index, which may be nil. */
void lull__check_options(lua_State *L, int index, const char *const known[]) {
  if (lua_isnoneornil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    lull__check_option(L, index, luaL_tolstring(L, -1, NULL), known);
    lua_pop(L, 1);
  }
}

/* ---- warnings ---- */

/* Gives the string on top of the stack to whoever listens, and pops it. */
void lull__warn_top(lua_State *L, lull_t *rt) {
  const char *text = lua_tostring(L, -1);
  if (rt->warn != NULL) {
    rt->warn(rt->warn_data, text);
  } else {
    fflush(stdout);
    fprintf(stderr, "lull: warning: %s\n", text);
  }
  lua_pop(L, 1);
}

void lull__warnf(lua_State *L, lull_t *rt, const char *format, ...) {
  va_list args;
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  lull__warn_top(L, rt);
}

/* Debug mode: a task goes on after a plain pcall has caught its CancelledError. */
void lull__warn_swallowed(lua_State *L, lull_t *rt, lull_task *task) {
  task->f.o.flags &= (uint8_t)~LULL_SWALLOWED;
  luaL_checkstack(L, 10, NULL);
  lull__push_anchored(L, rt, task->f.o.slot);
  lull__push_task_name(L, task, -1);
  lull__push_traceback(L, L, 1);
  lua_pushfstring(L,
                  "task '%s' caught CancelledError with pcall and awaits again "
                  "(lull.try lets it through)\nstack traceback:%s",
                  lua_tostring(L, -2), lua_tostring(L, -1));
  lull__warn_top(L, rt);
  lua_pop(L, 3);
}

/* set_errors{CancelledError, TimeoutError, ...}: in the order of the enumeration. */
static int set_errors(lua_State *L) {
  lull_t *rt = lull__rt(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->refs.errors);
  return 0;
}

/* mark_swallowed(err): debug mode's pcall caught err; is it the running task's cancellation? */
static int mark_swallowed(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  if (rt->current != NULL && lull__is_cancelled(L, rt, 1)) rt->current->f.o.flags |= LULL_SWALLOWED;
  return 0;
}

static const luaL_Reg functions[] = {{"set_errors", set_errors},
                                     {"explain", lull__explain},
                                     {"mark_swallowed", mark_swallowed},
                                     {NULL, NULL}};

void lull__open_error(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
