/* URLs, taken apart and joined by libcurl's parser (RFC 3986), and the dates of HTTP. */
#include <string.h>

#include "http.h"

/* Non-ASCII bytes and spaces are percent-encoded, as browsers do. */
#define FLAGS (CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME)

/* Owns a CURLU while Lua errors may happen. */
static int url_gc(lua_State *L) {
  CURLU **url = lua_touserdata(L, 1);
  curl_url_cleanup(*url);
  *url = NULL;
  return 0;
}

/* A new URL object; the function's second upvalue keeps it until the next call. */
static CURLU *fresh_url(lua_State *L) {
  CURLU **url = lua_touserdata(L, lua_upvalueindex(2));
  curl_url_cleanup(*url);
  *url = curl_url();
  if (*url == NULL) luaL_error(L, "not enough memory");
  return *url;
}

static void push_part(lua_State *L, CURLU *url, CURLUPart part, unsigned flags) {
  char *text = NULL;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) {
    lua_pushnil(L);
    return;
  }
  lua_pushstring(L, text);
  curl_free(text);
}

/* Whether a reference only names a part of the page it is on (RFC 3986, section 4.4). libcurl would
 * drop the page's own name and query. */
static int is_same_document(const char *reference) {
  return *reference == '\0' || *reference == '#';
}

/* url(text[, base]) -> url, scheme, host, port, user, password; or nil and what is wrong. The
 * url has neither a fragment nor user and password. */
static int parse_url(lua_State *L) {
  const char *text = luaL_checkstring(L, 1), *base = luaL_optstring(L, 2, NULL);
  CURLU *url = fresh_url(L);
  CURLUcode code = base ? curl_url_set(url, CURLUPART_URL, base, FLAGS) : CURLUE_OK;
  if (code == CURLUE_OK && (base == NULL || !is_same_document(text)))
    code = curl_url_set(url, CURLUPART_URL, text, FLAGS);
  if (code != CURLUE_OK) {
    lua_pushnil(L);
    lua_pushstring(L, curl_url_strerror(code));
    return 2;
  }
  push_part(L, url, CURLUPART_SCHEME, 0);
  push_part(L, url, CURLUPART_HOST, 0);
  push_part(L, url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  push_part(L, url, CURLUPART_USER, CURLU_URLDECODE);
  push_part(L, url, CURLUPART_PASSWORD, CURLU_URLDECODE);
  curl_url_set(url, CURLUPART_USER, NULL, 0);
  curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
  curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
  push_part(L, url, CURLUPART_URL, 0);
  lua_insert(L, -6);
  return 6;
}

/* Whether a byte stands for itself in a path or a query; the dot is looked at. */
static int is_plain(unsigned char c) {
  static const char others[] = "!$&'()*+,-./:;=?@_~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr(others, c) != NULL);
}

/* origin(text) -> the part up to the path of a URL that url gives back as it is, if it does so with
 * that part; nil if there is more to look at. It spares most requests the work of url. */
static int plain_origin(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size), *end = text + size;
  const char *host = strncmp(text, "http://", 7) == 0 ? text + 7 : text + 8, *p = host;
  if (host == text + 8 && strncmp(text, "https://", 8) != 0) return 0;
  while ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '.' || *p == '-' ||
         *p == ':')
    p++;
  const char *path = p;
  if (path == host || *path != '/' || end[-1] == '?') return 0;
  for (; p < end; p++)
    if (!is_plain((unsigned char)*p) || (*p == '.' && p[-1] == '/')) return 0;
  lua_pushlstring(L, text, (size_t)(path - text));
  return 1;
}

/* date(text) -> seconds since 1970, or nil: any of the forms of RFC 9110, section 5.6.7, and what
 * else libcurl understands. */
static int parse_date(lua_State *L) {
  time_t seconds = curl_getdate(luaL_checkstring(L, 1), NULL);
  if (seconds == -1) return 0;
  lua_pushinteger(L, (lua_Integer)seconds);
  return 1;
}

static const luaL_Reg functions[] = {{"date", parse_date}, {"origin", plain_origin}, {NULL, NULL}};

void http_open_url(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
  lua_pushnil(L);
  CURLU **url = lua_newuserdatauv(L, sizeof(CURLU *), 0);
  *url = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, url_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pushcclosure(L, parse_url, 2);
  lua_setfield(L, -2, "url");
}
