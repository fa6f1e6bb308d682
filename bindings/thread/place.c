/* Where a value is that cannot be copied: "argument 2.items[3]". Who holds what is looked for only
 * now: the packed objects know their parents. */
#include <ctype.h>
#include <stdlib.h>

#include "pack.h"

#define MAX_STEPS 12 /* the last ones of a way; of a longer one the middle is left out */

/* Pops a string and adds it to the one at index. */
static void append(lua_State *L, int text) {
  lua_pushvalue(L, text);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_replace(L, text);
}

static int is_identifier(const char *text) {
  if (!isalpha((unsigned char)*text) && *text != '_') return 0;
  while (isalnum((unsigned char)*text) || *text == '_')
    text++;
  return *text == '\0';
}

static void push_key(lua_State *L, int key) {
  int type = lua_type(L, key);
  if (type == LUA_TSTRING && is_identifier(lua_tostring(L, key))) {
    lua_pushfstring(L, ".%s", lua_tostring(L, key));
  } else if (type == LUA_TSTRING) {
    lua_pushfstring(L, "['%s']", lua_tostring(L, key));
  } else if (type == LUA_TNUMBER || type == LUA_TBOOLEAN) {
    lua_pushfstring(L, "[%s]", luaL_tolstring(L, key, NULL));
    lua_remove(L, -2);
  } else {
    lua_pushfstring(L, "[a %s]", lua_typename(L, type));
  }
}

/* Adds the step from a table to a value it holds. Indices. */
static void add_field(lua_State *L, int text, int table, int value) {
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    int key = lua_gettop(L) - 1;
    if (lua_rawequal(L, key + 1, value)) {
      push_key(L, key);
      append(L, text);
      lua_settop(L, key - 1);
      return;
    }
    if (lua_rawequal(L, key, value)) {
      lua_pushfstring(L, "a key of %s", lua_tostring(L, text));
      lua_replace(L, text);
      lua_settop(L, key - 1);
      return;
    }
  }
}

static void add_upvalue(lua_State *L, int text, int function, int value) {
  const char *name;
  for (int i = 1; (name = lua_getupvalue(L, function, i)) != NULL; i++) {
    int same = lua_rawequal(L, -1, value);
    lua_pop(L, 1);
    if (!same) continue;
    lua_pushfstring(L, "'s upvalue '%s'", name);
    append(L, text);
    return;
  }
}

static void add_step(lua_State *L, int text, int holder, int value) {
  if (lua_istable(L, holder))
    add_field(L, text, holder, value);
  else if (!lua_iscfunction(L, holder)) /* an async function stands for its function */
    add_upvalue(L, text, holder, value);
}

static void push_root(packer *p, int root) {
  switch (p->cargo) {
  case LULL_CALL:
    if (root == 0)
      lua_pushliteral(p->L, "the function");
    else
      lua_pushfstring(p->L, "argument %d", root);
    break;
  case LULL_RESULTS:
    lua_pushfstring(p->L, "result %d", root + 1);
    break;
  case LULL_FAILURE:
    lua_pushliteral(p->L, "the error");
    break;
  default:
    lua_pushliteral(p->L, "the message");
  }
}

/* Which of the values an object is that nothing else holds. */
static int root_of(packer *p, uint32_t number) {
  int root = 0;
  lua_rawgeti(p->L, pack_objects(p), number);
  while (root < p->nvalues - 1 && !lua_rawequal(p->L, -1, PACK_FIRST + root))
    root++;
  lua_pop(p->L, 1);
  return root;
}

/* Pushes where an object is. */
static void push_place(packer *p, uint32_t number) {
  lua_State *L = p->L;
  uint32_t way[MAX_STEPS], top = number;
  int n = 0, skipped = 0;
  for (uint32_t at = number; at != 0; at = p->objects[at - 1].parent) {
    top = at;
    if (n < MAX_STEPS)
      way[n++] = at;
    else
      skipped = 1;
  }
  push_root(p, root_of(p, top));
  int text = lua_gettop(L);
  if (skipped) {
    lua_pushliteral(L, "...");
    append(L, text);
  }
  for (int i = n - 1; i > 0; i--) {
    lua_rawgeti(L, pack_objects(p), way[i]);
    lua_rawgeti(L, pack_objects(p), way[i - 1]);
    add_step(L, text, text + 1, text + 2);
    lua_settop(L, text);
  }
}

/* With the place on top. */
static _Noreturn void refuse(packer *p, const char *what) {
  int from = p->cargo == LULL_RESULTS || p->cargo == LULL_TO_PARENT || p->cargo == LULL_FAILURE;
  luaL_error(p->L, "cannot copy %s a thread: %s: %s", from ? "from" : "to", lua_tostring(p->L, -1),
             what);
  abort(); /* not reached */
}

void lull__refuse(packer *p, int index, const char *what) {
  luaL_checkstack(p->L, 20, NULL);
  if (p->current == 0) {
    push_root(p, p->root);
    refuse(p, what);
  }
  push_place(p, p->current);
  int text = lua_gettop(p->L);
  lua_rawgeti(p->L, pack_objects(p), p->current);
  add_step(p->L, text, text + 1, index);
  lua_settop(p->L, text);
  refuse(p, what);
}

void lull__refuse_object(packer *p, uint32_t number, const char *what) {
  luaL_checkstack(p->L, 20, NULL);
  push_place(p, number);
  refuse(p, what);
}
