/* The text of a body, whatever character set it comes in, through the C library's iconv. */
#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "http.h"

#define PIECE 1024

#define MOST_NAME 63 /* bytes of a character set's name */

static const char mark[] = "\xEF\xBB\xBF";        /* U+FEFF */
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

/* Pushes the text in UTF-8, with U+FFFD for what is none, and gives whether the character set is
 * known. */
static int convert(lua_State *L, const char *bytes, size_t left, const char *charset) {
  char *in = (char *)bytes;
  iconv_t *converter = open_converter(L, charset);
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

/* The character set that a value of Content-Type names; gives its length, 0 for none. */
static size_t find_charset(const char *value, const char *end, char *name) {
  static const char key[] = "charset";
  size_t size = 0, length = sizeof key - 1;
  for (; value + length < end && size == 0; value++) {
    if ((*value | 32) != 'c' || strncasecmp(value, key, length) != 0) continue;
    const char *p = value + length;
    while (p < end && isspace((unsigned char)*p))
      p++;
    if (p == end || *p++ != '=') continue;
    while (p < end && isspace((unsigned char)*p))
      p++;
    if (p < end && *p == '"') p++;
    while (p < end && size < MOST_NAME &&
           (isalnum((unsigned char)*p) || strchr("_:.-", *p) != NULL))
      name[size++] = *p++;
  }
  name[size] = '\0';
  return size;
}

/* The end of a header that begins at p: a line that begins with a space goes on with it. */
static const char *end_of_header(const char *p, const char *end) {
  do {
    p = memchr(p, '\n', (size_t)(end - p));
    p = p == NULL ? end : p + 1;
  } while (p < end && (*p == ' ' || *p == '\t'));
  return p;
}

/* The character set that the head of a response names, or "". */
static void charset_of(const char *head, size_t size, char *name) {
  static const char key[] = "content-type:";
  const char *end = head + size;
  size_t length = sizeof key - 1;
  *name = '\0';
  for (const char *line = head, *next; line < end; line = next) {
    next = end_of_header(line, end);
    if ((size_t)(next - line) <= length || (*line | 32) != 'c' ||
        strncasecmp(line, key, length) != 0)
      continue;
    if (find_charset(line + length, next, name) > 0) return;
  }
}

static int is_utf8(const char *charset) {
  static const char *const names[] = {"", "utf-8", "utf8", "us-ascii", "ascii"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcasecmp(charset, names[i]) == 0) return 1;
  return 0;
}

/* text(bytes, head) -> the bytes of a body as UTF-8, from the character set that the head names, if
 * that is known, and without a byte order mark. */
static int to_text(lua_State *L) {
  size_t size, head_size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  const char *head = luaL_checklstring(L, 2, &head_size);
  char charset[MOST_NAME + 1];
  charset_of(head, head_size, charset);
  if (is_utf8(charset) || !convert(L, bytes, size, charset)) lua_settop(L, 1);
  bytes = lua_tolstring(L, -1, &size);
  if (size >= 3 && memcmp(bytes, mark, 3) == 0) lua_pushlstring(L, bytes + 3, size - 3);
  return 1;
}

static const luaL_Reg functions[] = {{"text", to_text}, {NULL, NULL}};

void http_open_text(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
