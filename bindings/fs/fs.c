/* The C half of lull.fs: what its files give, in one table, and the names of errors. */
#include <errno.h>
#include <string.h>

#include "fs.h"

/* describe(errno) -> "ENOENT", "no such file or directory" */
static int describe(lua_State *L) {
  int error = (int)luaL_checkinteger(L, 1);
  const char *name = NULL, *text = strerror(error);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
  name = strerrorname_np(error); /* libuv does not know all */
#endif
  char known[32], message[128];
  uv_err_name_r(uv_translate_sys_error(error), known, sizeof known);
  uv_strerror_r(uv_translate_sys_error(error), message, sizeof message);
  int is_known = strncmp(known, "Unknown", strlen("Unknown")) != 0;
  lua_pushstring(L, is_known || name == NULL ? known : name);
  lua_pushstring(L, is_known ? message : text);
  return 2;
}

/* is_path(value): whether it is a string, without zeros, which would end it for the system */
static int is_path(lua_State *L) {
  size_t size;
  const char *path = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : NULL;
  lua_pushboolean(L, path != NULL && memchr(path, '\0', size) == NULL);
  return 1;
}

static const luaL_Reg functions[] = {{"describe", describe}, {"is_path", is_path}, {NULL, NULL}};

static const struct {
  const char *name;
  int number;
} errors[] = {{"EAGAIN", EAGAIN}, {"EEXIST", EEXIST},   {"EINVAL", EINVAL}, {"ELOOP", ELOOP},
              {"ENOENT", ENOENT}, {"ENOTDIR", ENOTDIR}, {"ESPIPE", ESPIPE}};

int luaopen_lull_fs(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  lua_newtable(L);
  lull__setfuncs(L, rt, functions);
  lull__open_dir(L, rt);
  lull__open_file(L, rt);
  lull__open_io(L, rt);
  lull__open_path(L, rt);
  lull__open_replace(L, rt);
  lull__open_tree(L, rt);
  lull__open_watch(L, rt);
  lull__open_whole(L, rt);
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    lua_pushinteger(L, errors[i].number);
    lua_setfield(L, -2, errors[i].name);
  }
  return 1;
}
