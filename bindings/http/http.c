/* The HTTP client's C half, on libcurl: a shared module, loaded with lull.http. Here is what Lua
 * sees of pools: userdata. The facade, lull.http, checks arguments; here positions take the place
 * of names. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

#define POOL "lull.http pool"

LULL_API int luaopen_lull_http(lua_State *L);

/* The userdata at index 1, which has to be of the class whose method runs. */
void *http_check_class(lua_State *L, const char *name) {
  void *value = lua_touserdata(L, 1);
  int same = value != NULL && lua_getmetatable(L, 1);
  if (same) {
    same = lua_rawequal(L, -1, lua_upvalueindex(2));
    lua_pop(L, 1);
  }
  if (!same) luaL_typeerror(L, 1, name);
  return value;
}

/* The pool at index 1, which is open. */
http_pool *http_check_pool(lua_State *L) {
  http_pool **pool = http_check_class(L, POOL);
  if (*pool == NULL || (*pool)->closed) luaL_error(L, "the session is closed");
  return *pool;
}

/* To libcurl 0 is its own default: no limit is a long time. */
long http_milliseconds(lua_State *L, int index) {
  double seconds = luaL_optnumber(L, index, HUGE_VAL);
  return seconds > 1e6 ? (long)1e9 : (long)ceil(seconds * 1e3);
}

static void free_config(http_config *config) {
  curl_slist_free_all(config->headers);
  free(config->proxy);
  free(config->ca_file);
  free(config->cert_file);
  free(config->key_file);
}

static int copy_string(lua_State *L, int index, char **out) {
  if (!lua_isstring(L, index)) return 1;
  *out = strdup(lua_tostring(L, index));
  return *out != NULL;
}

/* The list of "Name: value" at index. */
int http_copy_headers(lua_State *L, int index, struct curl_slist **headers) {
  if (!lua_istable(L, index)) return 1;
  lua_Unsigned count = lua_rawlen(L, index);
  for (lua_Unsigned i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i);
    const char *line = lua_tostring(L, -1);
    struct curl_slist *longer = line ? curl_slist_append(*headers, line) : NULL;
    lua_pop(L, 1);
    if (longer == NULL) return 0;
    *headers = longer;
  }
  return 1;
}

/* Whether the environment names a proxy. libcurl would ask anew for each request. */
static int is_proxied(void) {
  static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                      "ALL_PROXY"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (getenv(names[i]) != NULL) return 1;
  return 0;
}

/* pool(connections, http2, verify, proxy, ca_file, cert_file, key_file, headers, silence, connect,
 * max_body): the last four are for requests that say nothing else */
static int new_pool(lua_State *L) {
  lull_t *rt = lull__rt(L);
  http_config config = {.connections = (long)luaL_checkinteger(L, 1),
                        .http2 = lua_toboolean(L, 2),
                        .verify = lua_toboolean(L, 3),
                        .silence = luaL_optnumber(L, 9, HUGE_VAL),
                        .connect_ms = http_milliseconds(L, 10),
                        .max_body = (uint64_t)luaL_checkinteger(L, 11)};
  http_pool **pool = lua_newuserdatauv(L, sizeof(http_pool *), HTTP_HANDLES);
  *pool = NULL;
  luaL_setmetatable(L, POOL);
  lua_newtable(L);
  lua_setiuservalue(L, -2, HTTP_HANDLES);
  int whole = copy_string(L, 4, &config.proxy) && copy_string(L, 5, &config.ca_file) &&
              copy_string(L, 6, &config.cert_file) && copy_string(L, 7, &config.key_file) &&
              http_copy_headers(L, 8, &config.headers);
  if (config.proxy == NULL && !is_proxied()) config.proxy = strdup("");
  if (whole && http_pool_new(pool, rt, &config) == 0) return 1;
  free_config(&config);
  return luaL_error(L, "not enough memory");
}

static int close_pool(lua_State *L) {
  http_pool **pool = http_check_class(L, POOL);
  if (*pool == NULL) return 0;
  http_pool_close(*pool);
  http_pool_release(*pool);
  *pool = NULL;
  return 0;
}

static const luaL_Reg methods[] = {{"start", http_start},
                                   {"exchange", http_exchange},
                                   {"close", close_pool},
                                   {"__gc", close_pool},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"pool", new_pool}, {NULL, NULL}};

/* Each method has the runtime and the metatable as upvalues. */
void http_new_class(lua_State *L, lull_t *rt, const char *name, const luaL_Reg *list) {
  luaL_newmetatable(L, name);
  lua_pushlightuserdata(L, rt);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, list, 2);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

LULL_API int luaopen_lull_http(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return luaL_error(L, "libcurl could not be initialised");
  http_new_class(L, rt, POOL, methods);
  lua_newtable(L);
  lull__setfuncs(L, rt, functions);
  http_open_request(L, rt);
  http_open_url(L, rt);
  http_open_text(L, rt);
  return 1;
}
