/* Lua's coroutine library, through which tasks can await. When the body of a coroutine awaits,
 * its thread is suspended with a marker on top of its stack; whoever resumed it then suspends as
 * well, and so on out to the task's own thread. When the task runs again each resumes the next.
 * A coroutine that is suspended so is not suspended for Lua: its status is "normal". */
#include <string.h>

#include "internal.h"

static lua_State *get_coroutine(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  return co;
}

typedef enum costatus { RUNNING, DEAD, SUSPENDED, NORMAL } costatus;

static costatus status_of(lua_State *L, lua_State *co) {
  lua_Debug ar;
  if (L == co) return RUNNING;
  if (lua_status(co) == LUA_YIELD) return lull__is_awaiting(co) ? NORMAL : SUSPENDED;
  if (lua_status(co) != LUA_OK) return DEAD;
  if (lua_getstack(co, 0, &ar)) return NORMAL;
  return lua_gettop(co) == 0 ? DEAD : SUSPENDED;
}

/* Resumes co, the value at index 1 of L, with arguments already on its stack. Gives LUA_YIELD and
 * sets *awaits if L has to suspend too; else moves the results, or the error, to L. */
static int run(lua_State *L, lull_t *rt, lua_State *co, int nargs, int *results, int *awaits) {
  lua_State *outer = rt->active;
  int stuck = !lua_isyieldable(L);
  rt->active = co;
  if (rt->hooked != NULL) lull__interrupt_move(rt, co);
  rt->blocked += stuck;
  rt->suspending = 0;
  int status = lua_resume(co, L, nargs, results);
  rt->blocked -= stuck;
  rt->active = outer;
  if (rt->hooked == co) lull__interrupt_move(rt, L);
  *awaits = status == LUA_YIELD && rt->suspending && lull__is_awaiting(co);
  if (*awaits) return status;
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
  } else if (!lua_checkstack(L, *results + 1)) {
    lua_pop(co, *results);
    lua_pushliteral(L, "too many results to resume");
    return LUA_ERRRUN;
  } else {
    lua_xmove(co, L, *results);
  }
  return status;
}

/* Starts resuming; gives what run does. The arguments are above index 1 of L. */
static int start(lua_State *L, lull_t *rt, lua_State *co, int *results, int *awaits) {
  int nargs = lua_gettop(L) - 1;
  *awaits = 0;
  costatus status = status_of(L, co);
  if (status == NORMAL || status == RUNNING) {
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    return LUA_ERRRUN;
  }
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return LUA_ERRRUN;
  }
  lua_xmove(L, co, nargs);
  return run(L, rt, co, nargs, results, awaits);
}

static int suspend(lua_State *L, lua_KFunction k, lua_KContext ctx) {
  lull__push_marker(L);
  return lua_yieldk(L, 1, ctx, k);
}

/* ---- resume ---- */

static int resume_again(lua_State *L, int status, lua_KContext ctx);

static int finish_resume(lua_State *L, int status, int results, int awaits, lua_KContext ctx) {
  if (awaits) return suspend(L, resume_again, ctx);
  int failed = status != LUA_OK && status != LUA_YIELD;
  lua_pushboolean(L, !failed);
  lua_insert(L, failed ? -2 : -(results + 1));
  return failed ? 2 : results + 1;
}

static int resume_again(lua_State *L, int status, lua_KContext ctx) {
  lua_State *co = lua_tothread(L, 1);
  int results = 0, awaits;
  lua_pop(co, 1); /* the marker */
  status = run(L, (lull_t *)ctx, co, 0, &results, &awaits);
  return finish_resume(L, status, results, awaits, ctx);
}

static int co_resume(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  lua_State *co = get_coroutine(L);
  int results = 0, awaits;
  int status = start(L, rt, co, &results, &awaits);
  return finish_resume(L, status, results, awaits, (lua_KContext)rt);
}

/* ---- wrap ---- */

static int wrap_again(lua_State *L, int status, lua_KContext ctx);

static int finish_wrap(lua_State *L, int status, int results, int awaits, lua_KContext ctx) {
  if (awaits) return suspend(L, wrap_again, ctx);
  if (status == LUA_OK || status == LUA_YIELD) return results;
  lua_State *co = lua_tothread(L, 1);
  int ended = lua_status(co);
  if (ended != LUA_OK && ended != LUA_YIELD) { /* an error in the coroutine: close it */
    status = lua_resetthread(co);
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap_again(lua_State *L, int status, lua_KContext ctx) {
  lua_State *co = lua_tothread(L, 1);
  int results = 0, awaits;
  lua_pop(co, 1); /* the marker */
  status = run(L, (lull_t *)ctx, co, 0, &results, &awaits);
  return finish_wrap(L, status, results, awaits, ctx);
}

static int call_wrapped(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  int results = 0, awaits;
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  int status = start(L, rt, lua_tothread(L, 1), &results, &awaits);
  return finish_wrap(L, status, results, awaits, (lua_KContext)rt);
}

static int co_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int co_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 2);
  lua_xmove(L, co, 1);
  lua_remove(L, 2);
  lua_pushcclosure(L, call_wrapped, 2);
  return 1;
}

/* ---- the rest ---- */

static int co_yield (lua_State *L) {
  const lull_t *rt = lull__rt_or_closed(L);
  if (L == rt->base)
    return luaL_error(L, "attempt to yield from outside a coroutine "
                         "(in a task's own body there is nobody to yield to: use await)");
  return lua_yield(L, lua_gettop(L));
}

static int co_status(lua_State *L) {
  static const char *const names[] = {"running", "dead", "suspended", "normal"};
  lua_pushstring(L, names[status_of(L, get_coroutine(L))]);
  return 1;
}

static int co_isyieldable(lua_State *L) {
  const lull_t *rt = lull__rt_or_closed(L);
  lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
  lua_pushboolean(L, co != rt->base && lua_isyieldable(co));
  return 1;
}

/* The main script's own thread is the main one, as under lua. */
static int co_running(lua_State *L) {
  const lull_t *rt = lull__rt_or_closed(L);
  int is_main = lua_pushthread(L);
  lua_pushboolean(L, is_main || (L == rt->base && rt->current == rt->main_task));
  return 2;
}

static int co_close(lua_State *L) {
  static const char *const names[] = {"running", "dead", "suspended", "normal"};
  lua_State *co = get_coroutine(L);
  costatus status = status_of(L, co);
  if (status != DEAD && status != SUSPENDED)
    return luaL_error(L, "cannot close a %s coroutine", names[status]);
  lua_pushboolean(L, lua_resetthread(co) == LUA_OK);
  if (lua_toboolean(L, -1)) return 1;
  lua_xmove(co, L, 1);
  return 2;
}

static const luaL_Reg functions[] = {{"create", co_create},
                                     {"resume", co_resume},
                                     {"running", co_running},
                                     {"status", co_status},
                                     {"wrap", co_wrap},
                                     {"yield", co_yield },
                                     {"close", co_close},
                                     {"isyieldable", co_isyieldable},
                                     {NULL, NULL}};

void lull__open_coroutine(lua_State *L, lull_t *rt) {
  if (lua_getglobal(L, "coroutine") == LUA_TTABLE) lull__setfuncs(L, rt, functions);
  lua_pop(L, 1);
}
