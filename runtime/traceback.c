/* Tracebacks, which go on through the tasks that awaited one another; where tasks wait; and the
 * reports made of these. */
#include <string.h>

#include "internal.h"

/* Pops a function and pushes where it was defined, such as app.lua:3. */
void lull__push_place(lua_State *L) {
  lua_Debug ar;
  if (!lua_isfunction(L, -1)) {
    lua_pop(L, 1);
    lua_pushliteral(L, "?");
    return;
  }
  lua_getinfo(L, ">S", &ar);
  if (ar.linedefined > 0)
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
  else
    lua_pushstring(L, ar.short_src);
}

/* Whether the function on top is a chunk: the prompt wraps its own in a function with upvalues,
 * the first of which tells. */
static int is_chunk(lua_State *from, const lua_Debug *ar) {
  if (*ar->what != 'L') return *ar->what == 'm';
  const char *first = lua_getupvalue(from, -1, 1);
  if (first == NULL) return 0;
  lua_pop(from, 1);
  return strncmp(first, "_LULL_KEEP", 10) == 0;
}

static void add_frame(luaL_Buffer *buffer, lua_State *L, const lua_Debug *ar, int chunk) {
  if (ar->currentline > 0)
    lua_pushfstring(L, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
  else
    lua_pushfstring(L, "\n\t%s: in ", ar->short_src);
  luaL_addvalue(buffer);
  if (chunk)
    lua_pushliteral(L, "main chunk");
  else if (ar->name != NULL)
    lua_pushfstring(L, "%s '%s'", *ar->namewhat ? ar->namewhat : "function", ar->name);
  else if (*ar->what != 'C')
    lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
  else
    lua_pushliteral(L, "?");
  luaL_addvalue(buffer);
}

enum { FRAMES = 22, FIRST = 10, LAST = 11 };

static int count_levels(lua_State *from) {
  lua_Debug ar;
  int low = 0, high = 1;
  while (lua_getstack(from, high, &ar))
    high *= 2;
  while (low < high) {
    int middle = (low + high) / 2;
    if (lua_getstack(from, middle, &ar))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Adds the frames of a thread, without those of C functions that have no name to tell. */
static void add_frames(luaL_Buffer *buffer, lua_State *L, lua_State *from, int level) {
  lua_Debug ar;
  int levels = count_levels(from);
  for (; level < levels && lua_getstack(from, level, &ar); level++) {
    if (levels > FRAMES && level == FIRST) {
      lua_pushfstring(L, "\n\t... (%d frames left out)", levels - FIRST - LAST);
      luaL_addvalue(buffer);
      level = levels - LAST;
      lua_getstack(from, level, &ar);
    }
    lua_getinfo(from, "Slntf", &ar);
    int internal = *ar.what == 'C' || strncmp(ar.source, "=lull/", 6) == 0;
    int chunk = is_chunk(from, &ar);
    lua_pop(from, 1);
    if (!internal) add_frame(buffer, L, &ar, chunk);
  }
}

/* Pushes the frames of a thread, from a level on, each on a line of its own. */
void lull__push_traceback(lua_State *L, lua_State *from, int level) {
  luaL_checkstack(L, 10, NULL);
  if (!lua_checkstack(from, 2)) luaL_error(L, "stack overflow");
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  add_frames(&buffer, L, from, level);
  luaL_pushresult(&buffer);
}

/* The innermost coroutine that a suspended task runs: one resumed from its own thread may be
 * what awaits. lull's coroutine functions keep it in their first slot. */
static lua_State *innermost(lua_State *thread) {
  for (;;) {
    lua_Debug ar;
    if (!lua_getstack(thread, 0, &ar) || lua_getlocal(thread, &ar, 1) == NULL) return thread;
    lua_State *inner = lua_tothread(thread, -1);
    lua_pop(thread, 1);
    if (inner == NULL || !lull__is_awaiting(inner)) return thread;
    thread = inner;
  }
}

/* Pushes where a task is: the frames of its thread; of one not started, its function. */
void lull__push_task_traceback(lua_State *L, lull_task *task) {
  luaL_checkstack(L, 10, NULL);
  if (task->thread == NULL) {
    lua_pushliteral(L, "\n\t(not started, or running)");
    return;
  }
  int top = lua_gettop(L);
  lua_State *inner = innermost(task->thread);
  lull__push_traceback(L, inner, 0);
  if (inner != task->thread) {
    lull__push_traceback(L, task->thread, 0);
    lua_concat(L, lua_gettop(L) - top);
  }
}

/* Pushes the future that a suspended task awaits: await keeps it in its first slot. */
void lull__push_awaited(lua_State *L, lull_task *task) {
  lua_Debug ar;
  lua_State *thread = innermost(task->thread);
  lua_getstack(thread, 0, &ar);
  lua_getlocal(thread, &ar, 1);
  lua_xmove(thread, L, 1);
}

/* Pushes the line of Lua where a suspended task waits. */
void lull__push_where(lua_State *L, lull_task *task) {
  lua_Debug ar;
  lua_State *thread = task->thread ? innermost(task->thread) : NULL;
  for (int level = 0; thread != NULL && lua_getstack(thread, level, &ar); level++) {
    lua_getinfo(thread, "Sl", &ar);
    if (ar.currentline <= 0 || strncmp(ar.source, "=lull/", 6) == 0) continue;
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
    return;
  }
  lua_pushliteral(L, "?");
}

/* An error that another task failed with is about to be raised here again: should it end this
 * task as well, its traceback goes on from there. Indices of the value and the traceback. */
void lull__note_rethrown(lua_State *L, lull_t *rt, int value, int traceback) {
  value = lua_absindex(L, value);
  traceback = lua_absindex(L, traceback);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.rethrown);
  lua_pushvalue(L, value);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, traceback);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 1);
}

/* Pushes who gets an error of a task to see. */
static void push_awaiter(lua_State *L, lull_t *rt) {
  if (rt->current == NULL) {
    lua_pushliteral(L, "lull.run");
    return;
  }
  lull__push_anchored(L, rt, rt->current->f.o.slot);
  lull__push_task_name(L, rt->current, -1);
  lua_pushfstring(L, "task '%s'", lua_tostring(L, -1));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Prefixes the traceback on top with that of the task the error at index came from. */
static void continue_traceback(lua_State *L, lull_t *rt, int error) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.rethrown);
  lua_rawgeti(L, -1, 1);
  int same = !lua_isnil(L, -1) && lua_rawequal(L, -1, error);
  lua_rawgeti(L, -2, 2);
  lua_replace(L, -3);
  lua_pop(L, 1); /* own traceback, inner traceback */
  if (same && lua_isstring(L, -1)) {
    push_awaiter(L, rt);
    lua_pushfstring(L, "%s\n  awaited by %s%s%s", lua_tostring(L, -2), lua_tostring(L, -1),
                    lua_rawlen(L, -3) ? ":" : "", lua_tostring(L, -3));
    lua_replace(L, -4);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* For message handlers: pushes the traceback of where the error at index is raised, which goes on
 * from that of the task it came from. */
void lull__push_whole_traceback(lua_State *L, lull_t *rt, int error) {
  lull__push_traceback(L, L, 1);
  continue_traceback(L, rt, error);
}

/* Runs where an error ends a task's body, its frames still there: keeps the traceback. */
int lull__message_handler(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  if (rt == NULL || rt->current == NULL || lull__is_cancelled(L, rt, 1)) return 1;
  lua_settop(L, 1);
  lull__push_whole_traceback(L, rt, 1);
  if (lull__is_error(L, rt, 1, LULL_BASE_ERROR)) {
    lua_pushvalue(L, 2);
    lua_setfield(L, 1, "traceback");
  }
  lull__push_anchored(L, rt, rt->current->f.o.slot);
  lua_pushvalue(L, 2);
  lull__set_extra(L, 3, LULL_X_TRACEBACK);
  lua_settop(L, 1);
  return 1;
}

static int describe(lua_State *L) {
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING || lua_type(L, 1) == LUA_TNUMBER)
    lua_tostring(L, 1);
  else if (luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
    luaL_tolstring(L, 1, NULL);
  else
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  return 1;
}

/* Pushes what to tell of the error at index `value`, whose traceback is at another. */
void lull__push_report(lua_State *L, lull_t *rt, int value, int traceback) {
  (void)rt;
  luaL_checkstack(L, 10, NULL);
  lua_pushcfunction(L, describe);
  lua_pushvalue(L, value);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    lua_pop(L, 1);
    lua_pushliteral(L, "(error object whose __tostring fails)");
  }
  if (lua_isstring(L, traceback) && lua_rawlen(L, traceback) > 0) {
    lua_pushfstring(L, "%s\nstack traceback:%s", lua_tostring(L, -1), lua_tostring(L, traceback));
    lua_replace(L, -2);
  }
}

/* explain(err) -> what to tell of it. For message handlers: the traceback is of where the error
 * is raised. */
int lull__explain(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lua_settop(L, 1);
  lull__push_whole_traceback(L, rt, 1);
  lull__push_report(L, rt, 1, 2);
  return 1;
}

/* What a suspended task waits for, in words. */
const char *lull__waited_for(const lull_task *task) {
  if (task->wait == NULL) return "nothing";
  if (task->wait != &lull__future_wait) return task->wait->what;
  const lull_future *future = task->subject;
  return future->o.kind == LULL_TASK     ? "a task"
         : future->o.kind == LULL_GATHER ? "a gather"
                                         : "a future";
}

/* Pushes the report of a deadlock: every task, and where it waits. */
void lull__push_deadlock(lua_State *L, lull_t *rt) {
  luaL_Buffer buffer;
  luaL_checkstack(L, 16, NULL);
  luaL_buffinit(L, &buffer);
  luaL_addstring(&buffer, "deadlock: every task waits and nothing can wake one");
  for (uint32_t slot = 1; slot <= rt->nanchors; slot++) {
    lull__push_anchored(L, rt, slot);
    lull_task *task = (lull_task *)lull__object(L, rt, -1);
    if (task == NULL || task->f.o.kind != LULL_TASK || task->f.o.state != LULL_PENDING) {
      lua_pop(L, 1);
      continue;
    }
    lull__push_task_name(L, task, -1);
    lull__push_where(L, task);
    lua_pushfstring(L, "\n\ttask '%s' waits for %s at %s", lua_tostring(L, -2),
                    lull__waited_for(task), lua_tostring(L, -1));
    lua_insert(L, -4);
    lua_pop(L, 3);
    luaL_addvalue(&buffer);
  }
  luaL_pushresult(&buffer);
}
