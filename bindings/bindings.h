/* What each binding in the library gives: a function that pushes its table. */
#ifndef LULL_BINDINGS_H
#define LULL_BINDINGS_H

#include "internal.h"

int luaopen_lull_fs(lua_State *L);
int luaopen_lull_json(lua_State *L);
int luaopen_lull_net(lua_State *L);
int luaopen_lull_thread(lua_State *L);

#endif
