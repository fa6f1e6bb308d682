/* The bindings that are part of the library. Those with a heavy dependency are shared modules
 * beside it, which core.binding finds by name. */
#include "bindings.h"

const luaL_Reg lull__bindings[] = {
    {NULL, NULL},
};
