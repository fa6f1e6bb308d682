/* package.path and package.cpath: threads find modules where their runtime does, even if a script
 * changes that meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "thread.h"

void lull__paths_unref(lull_paths *paths) {
  if (paths == NULL || --paths->refs > 0) return;
  free(paths->path);
  free(paths->cpath);
  free(paths);
}

/* Pushes a field of the table at index; gives it if it is a string, else NULL. */
static const char *push_string(lua_State *L, int index, const char *field) {
  lua_pushstring(L, field);
  return lua_rawget(L, index) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

static int same(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* NULL if there is no memory: then the old paths must do. */
static lull_paths *new_paths(const char *path, const char *cpath) {
  lull_paths *paths = calloc(1, sizeof *paths);
  if (paths == NULL) return NULL;
  paths->refs = 1;
  paths->path = path ? strdup(path) : NULL;
  paths->cpath = cpath ? strdup(cpath) : NULL;
  return paths;
}

lull_paths *lull__paths_of(lua_State *L, lull_desk *desk) {
  luaL_checkstack(L, 6, NULL);
  int top = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushliteral(L, "package");
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    const char *path = push_string(L, top + 2, "path"), *cpath = push_string(L, top + 2, "cpath");
    const lull_paths *last = desk->paths;
    int is_new = last == NULL || !same(path, last->path) || !same(cpath, last->cpath);
    lull_paths *fresh = is_new ? new_paths(path, cpath) : NULL;
    if (fresh != NULL) {
      lull__paths_unref(desk->paths);
      desk->paths = fresh;
    }
  }
  lua_settop(L, top);
  if (desk->paths != NULL) desk->paths->refs++;
  return desk->paths;
}

/* set_paths(paths) */
static int set_paths(lua_State *L) {
  const lull_paths *paths = lua_touserdata(L, 1);
  lua_getglobal(L, "package");
  lua_pushstring(L, paths->path);
  lua_setfield(L, 2, "path");
  lua_pushstring(L, paths->cpath);
  lua_setfield(L, 2, "cpath");
  return 0;
}

/* Sets the paths of a thread's state, unless they are those that it follows. */
void lull__paths_follow(lua_State *L, lull_paths **followed, lull_paths *paths) {
  if (paths == NULL || paths == *followed) return;
  lull__paths_unref(*followed);
  paths->refs++;
  *followed = paths;
  lua_pushcfunction(L, set_paths);
  lua_pushlightuserdata(L, paths);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}
