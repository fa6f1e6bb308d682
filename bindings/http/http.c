/* The HTTP client's C half, on libcurl: a shared module, loaded with lull.http. */
#include "http.h"

LULL_API int luaopen_lull_http(lua_State *L);

LULL_API int luaopen_lull_http(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return luaL_error(L, "libcurl could not be initialised");
  lua_newtable(L);
  http_open_request(L, rt);
  http_open_url(L, rt);
  http_open_text(L, rt);
  return 1;
}
