/* Errors on their way from a thread to who awaits it: the value, as far as it can be copied, and
 * where in the thread it was raised. */
#include "thread.h"

static const char traceback; /* its address is the place in the registry */

/* Runs where an error ends a call, its frames still there: keeps the traceback. */
int lull__thread_handler(lua_State *L) {
  lua_settop(L, 1);
  lull__push_whole_traceback(L, lull__from_state(L), 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &traceback);
  return 1;
}

static void push_traceback(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &traceback) != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
  }
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &traceback);
  lua_pushliteral(L, "\n  in another thread");
  lua_concat(L, 2);
}

/* Replaces an error at index that cannot be copied by its text. */
static void make_copyable(lua_State *L, int index) {
  int type = lua_type(L, index);
  if (type != LUA_TTHREAD && type != LUA_TUSERDATA && !lua_iscfunction(L, index)) return;
  lua_pushnil(L);
  lull__push_report(L, lull__from_state(L), index, lua_gettop(L));
  lua_replace(L, index);
  lua_pop(L, 1);
}

/* Pushes the text of an error that is an object of somebody's own class, else nil. */
static void push_text(lua_State *L, int index) {
  if (lua_istable(L, index) && luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
    lua_pushnil(L);
    lua_replace(L, -2);
    lull__push_report(L, lull__from_state(L), index, lua_gettop(L));
    lua_replace(L, -2);
  } else {
    lua_pushnil(L);
  }
}

typedef struct failing {
  lull_border *border;
  lull_parcel *parcel;
} failing;

/* pack_error(failing, error) */
static int pack_error(lua_State *L) {
  failing *to = lua_touserdata(L, 1);
  make_copyable(L, 2);
  push_traceback(L);
  push_text(L, 2);
  if (lull__pack_parcel(L, to->border, to->parcel, LULL_FAILURE, 3, NULL) != LUA_OK) lua_error(L);
  return 0;
}

/* Packs the error on top of the stack, and pops it. Should that fail, for want of memory, there is
 * nothing in the parcel. */
void lull__pack_failure(lua_State *L, lull_border *border, lull_parcel *parcel) {
  failing to = {border, parcel};
  lua_pushcfunction(L, pack_error);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, &to);
  lua_insert(L, -2);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
  lua_pop(L, 1);
  parcel->size = 0;
}

/* ---- where it arrives ---- */

/* An error whose class stayed behind becomes a plain lull.Error with its text. */
static void adopt(lua_State *L, lull_t *rt, int error, int text) {
  if (!lua_isstring(L, text) || !lua_istable(L, error) || lua_getmetatable(L, error)) return;
  lua_getfield(L, error, "message");
  if (lua_isnil(L, -1)) {
    lua_pushvalue(L, text);
    lua_setfield(L, error, "message");
  }
  lull__push_error(L, rt, LULL_BASE_ERROR, "");
  lua_getmetatable(L, -1);
  lua_setmetatable(L, error);
}

/* Raises the error that was packed. */
int lull__raise_failure(lua_State *L, lull_t *rt, lull_border *border, lull_parcel *parcel) {
  int error = lua_gettop(L) + 1;
  if (parcel->size == 0) lull__no_memory(L);
  lull__unpack_parcel(L, border, parcel); /* error, traceback, text */
  lull__parcel_free(parcel);
  adopt(L, rt, error, error + 2);
  if (lull__is_error(L, rt, error, LULL_BASE_ERROR)) {
    lua_pushvalue(L, error + 1);
    lua_setfield(L, error, "traceback");
  }
  lull__note_rethrown(L, rt, error, error + 1);
  lua_settop(L, error);
  return lua_error(L);
}
