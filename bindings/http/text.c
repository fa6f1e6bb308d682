/* Text in other character sets, through the C library's iconv. */
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "http.h"

#define PIECE 1024

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static int close_converter(lua_State *L) {
  iconv_t *iconv = lua_touserdata(L, 1);
  if (*iconv != (iconv_t)-1) iconv_close(*iconv);
  *iconv = (iconv_t)-1;
  return 0;
}

/* Pushes what keeps the conversion; gives NULL if the character set is not known. */
static iconv_t *open_converter(lua_State *L, const char *charset) {
  iconv_t *iconv = lua_newuserdatauv(L, sizeof(iconv_t), 0);
  *iconv = (iconv_t)-1;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_converter);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *iconv = iconv_open("UTF-8", charset);
  return *iconv == (iconv_t)-1 ? NULL : iconv;
}

/* utf8(bytes, charset) -> the text in UTF-8, with U+FFFD for what is none; nil if the character
 * set is not known. */
static int to_utf8(lua_State *L) {
  size_t left;
  char *in = (char *)luaL_checklstring(L, 1, &left);
  iconv_t *converter = open_converter(L, luaL_checkstring(L, 2));
  if (converter == NULL) return 0;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  while (left > 0) {
    char piece[PIECE], *out = piece;
    size_t room = sizeof piece;
    int failed = iconv(*converter, &in, &left, &out, &room) == (size_t)-1 && errno != E2BIG;
    luaL_addlstring(&buffer, piece, sizeof piece - room);
    if (!failed) continue;
    luaL_addlstring(&buffer, replacement, sizeof replacement - 1);
    in++;
    left--;
  }
  luaL_pushresult(&buffer);
  return 1;
}

static const luaL_Reg functions[] = {{"utf8", to_utf8}, {NULL, NULL}};

void http_open_text(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
