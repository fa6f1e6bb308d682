/* Coroutine objects with a C body, such as queue:get(). An owner (a queue, say) keeps the last
 * one it made and hands it out again once it has been awaited, so that the usual
 * await(queue:get()) allocates nothing. */
#include "internal.h"

/* Pushes a new op, which is not lazy yet. */
lull_op *lull__new_op(lua_State *L, lull_t *rt, const lull_op_kind *kind) {
  if (rt->closed) luaL_error(L, "the runtime is closed");
  lull_op *op = lull__new_object(L, rt, sizeof *op, 2, LULL_OP);
  op->op = kind;
  op->origin.name = kind->name;
  op->o.state = LULL_CONSUMED;
  return op;
}

/* Pushes an op of the owner at a stack index; its user value `cache` keeps the spare op. User
 * value 1 of the op is the owner, 2 is the caller's to set. */
lull_op *lull__push_op(lua_State *L, lull_t *rt, const lull_op_kind *kind, int owner, int cache) {
  lua_getiuservalue(L, owner, cache);
  lull_op *op = lua_touserdata(L, -1);
  if (op == NULL || op->o.state != LULL_CONSUMED) {
    lua_pop(L, 1);
    op = lull__new_op(L, rt, kind);
    op->subject = lua_touserdata(L, owner);
    lua_pushvalue(L, owner);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, owner, cache);
  }
  op->o.state = LULL_LAZY;
  lull__track(L, rt, &op->o, &op->origin, 0);
  return op;
}

/* Awaits the op at index 1. From here on it may be handed out again: what start needs of it
 * later it takes along. */
int lull__start_op(lua_State *L, lull_t *rt, lull_op *op) {
  if (op->o.state != LULL_LAZY)
    return luaL_error(L, "coroutine object (%s) was already awaited", op->op->name);
  lull__awaited(rt, &op->o);
  op->o.state = LULL_CONSUMED;
  return op->op->start(L, rt, op);
}

static int op_tostring(lua_State *L) {
  const lull_op *op = lull__check(L, lull__rt(L), 1, LULL_OP);
  lua_pushfstring(L, "coroutine object (%s)", op->op->name);
  return 1;
}

static const luaL_Reg meta[] = {{"__tostring", op_tostring}, {NULL, NULL}};
static const luaL_Reg methods[] = {{NULL, NULL}};

void lull__open_op(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_OP, meta, methods);
}
