/* A Lua state of the runtime's own: its allocator, libraries and warnings. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#include <lualib.h>

static int panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "lull: unprotected error in a call to Lua (%s)\n", message ? message : "?");
  return 0;
}

/* Lua's warn(): off until somebody says warn("@on"). */
static void on_lua_warning(void *data, const char *message, int to_be_continued) {
  int *state = data; /* 0 off, 1 on, 2 on and within a message */
  if (*state != 2 && !to_be_continued && *message == '@') {
    if (strcmp(message, "@on") == 0) *state = 1;
    if (strcmp(message, "@off") == 0) *state = 0;
    return;
  }
  if (*state == 0) return;
  fprintf(stderr, "%s%s%s", *state == 1 ? "Lua warning: " : "", message,
          to_be_continued ? "" : "\n");
  *state = to_be_continued ? 2 : 1;
}

static int open_libraries(lua_State *L) {
  if (lua_toboolean(L, 1)) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  return 0;
}

lua_State *lull__new_state(struct lull_memory *memory, const lull_options *options) {
  lua_State *L = lua_newstate(lull__alloc, memory);
  if (L == NULL) return NULL;
  lua_atpanic(L, panic);
  lua_setwarnf(L, on_lua_warning, lull__warn_state(memory));
  lua_pushcfunction(L, open_libraries);
  lua_pushboolean(L, options->ignore_environment);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return L;
  lua_close(L);
  return NULL;
}
