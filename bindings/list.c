/* The bindings that are part of the library. Those with a heavy dependency are shared modules
 * beside it, which core.binding finds by name. */
#include "bindings.h"

const luaL_Reg lull__bindings[] = {
    {"fs", luaopen_lull_fs},
    {"json", luaopen_lull_json},
    {"net", luaopen_lull_net},
    {"thread", luaopen_lull_thread},
    {NULL, NULL},
};
