/* The Lua modules, embedded as bytecode, and the bindings; each is loaded when it is required
 * first. Bindings with a heavy dependency are shared modules in a folder beside the library. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define FOLDER "lull-" LULL_VERSION

/* The loader of an embedded module; its upvalue is the module's description. A module is called
 * with its name and the core, the table of what C gives it, which nobody else sees. */
static int load_module(lua_State *L) {
  const lull__module *module = lua_touserdata(L, lua_upvalueindex(1));
  if (luaL_loadbufferx(L, (const char *)module->code, module->size, module->name, "b") != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, module->name);
  lua_rawgeti(L, LUA_REGISTRYINDEX, lull__from_state(L)->refs.core);
  lua_call(L, 2, 1);
  return 1;
}

/* Sets package.preload[name] for each, so that only what is required is loaded. */
void lull__preload(lua_State *L, int remove) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (const lull__module *module = lull__modules; module->name != NULL; module++) {
    if (remove) {
      lua_pushnil(L);
      lua_setfield(L, -2, module->name);
      lua_pushnil(L);
    } else {
      lua_pushlightuserdata(L, (void *)module);
      lua_pushcclosure(L, load_module, 1);
    }
    lua_setfield(L, -3, module->name);
  }
  lua_pop(L, 2);
}

/* Pushes an embedded module, loaded if need be, whatever has become of the global require. */
int lull__require(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, name) == LUA_TNIL) {
    lua_pop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_getfield(L, -1, name);
    lua_replace(L, -2);
    lua_call(L, 0, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
  }
  lua_replace(L, -2);
  return 1;
}

/* ---- bindings ---- */

static lua_CFunction find_binding(const char *name) {
  for (const luaL_Reg *binding = lull__bindings; binding->name != NULL; binding++)
    if (strcmp(binding->name, name) == 0) return binding->func;
  return NULL;
}

/* Pushes the path of a shared module: beside the file that this very code was loaded from. */
static const char *push_path(lua_State *L, const char *name) {
  Dl_info info;
  char *real = dladdr(&lull__modules, &info) ? realpath(info.dli_fname, NULL) : NULL;
  lua_pushfstring(L, "%s/" FOLDER "/%s.so", real ? dirname(real) : ".", name);
  free(real);
  return lua_tostring(L, -1);
}

/* A module stays loaded: threads of the libraries it brings may outlive the runtime. */
static lua_CFunction load_shared(lua_State *L, const char *name) {
  const char *path = push_path(L, name);
  if (access(path, F_OK) != 0) path = lua_pushfstring(L, LULL_MODULES "/%s.so", name);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL)
    luaL_error(L, "lull.%s needs a part of lull that cannot be loaded: %s", name, dlerror());
  union {
    void *symbol;
    lua_CFunction function;
  } open;
  open.symbol = dlsym(library, lua_pushfstring(L, "luaopen_lull_%s", name));
  if (open.symbol == NULL) luaL_error(L, "lull.%s: %s", name, dlerror());
  return open.function;
}

/* binding(name) -> what luaopen_lull_NAME gives, the same each time. */
static int binding(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "lull bindings");
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 2) != LUA_TNIL) return 1;
  lua_CFunction open = find_binding(name);
  if (open == NULL) open = load_shared(L, name);
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, 2);
  return 1;
}

static const luaL_Reg functions[] = {{"binding", binding}, {NULL, NULL}};

void lull__open_modules(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
