/* Calls, as the runtime sees them that sends them out. */
#include "thread.h"

void lull__call_free(lull_call *call) {
  lull__parcel_free(&call->parcel);
  lull__paths_unref(call->paths);
  call->paths = NULL;
}

/* Packs what is on the stack from index on: a function and its arguments. Takes it off, or raises
 * an error that names what cannot be copied. dump: of the function, or NULL. */
void lull__call_pack(lua_State *L, lull_desk *desk, lull_call *call, int index,
                     const lull_dump *dump) {
  int n = lua_gettop(L) - index + 1;
  call->paths = lull__paths_of(L, desk);
  if (lull__pack_parcel(L, &desk->border, &call->parcel, LULL_CALL, n, dump) == LUA_OK) return;
  lull__call_free(call);
  lua_error(L);
}

/* Pushes the results and gives their number, or raises the error. */
int lull__call_outcome(lua_State *L, lull_t *rt, lull_desk *desk, lull_call *call) {
  if (call->error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(call->error));
  if (call->failed) return lull__raise_failure(L, rt, &desk->border, &call->parcel);
  return lull__unpack_parcel(L, &desk->border, &call->parcel);
}
