/* What the files of the JSON binding share: the bytes of a string, numbers as text, and the two
 * functions. */
#ifndef LULL_JSON_H
#define LULL_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

enum { LULL_JSON_NULL = 1, LULL_JSON_MARK }; /* upvalues: json.null, the metatable of arrays */
enum { LULL_JSON_DEPTH = 100000 };           /* the most that max_depth may be */

/* decode(text, max_depth, make_error) -> value; an error is what
 * make_error(message, line, column, offset) gives. */
int lull__json_decode(lua_State *L);

/* encode(value, indent, sort_keys, max_depth, make_error) -> text; indent is a string or false, an
 * error is what make_error(message, path) gives. */
int lull__json_encode(lua_State *L);

/* ---- numbers: number.c ---- */

/* A number as it is written: value * 10^exponent. */
typedef struct lull_decimal {
  const char *begin, *end; /* its digits, perhaps with a point between them */
  uint64_t value;          /* of all digits */
  long long exponent;
  int exact; /* whether value is right: there are 19 digits or fewer */
} lull_decimal;

double lull__json_read_float(const lull_decimal *decimal);

enum { LULL_JSON_NUMBER = 32 }; /* the bytes that a number needs at the most */
char *lull__json_write_integer(char *out, lua_Integer number);
char *lull__json_write_float(char *out, double number);

/* ---- strings ---- */

/* Of eight bytes at once: marks the first that is a quote, a backslash, below 0x20 or above 0x7f,
 * by its high bit. Bytes after it may be marked wrongly. */
static inline uint64_t lull__json_special(uint64_t bytes) {
  const uint64_t ones = 0x0101010101010101;
  uint64_t quote = (bytes ^ ones * '"') - ones;
  uint64_t backslash = (bytes ^ ones * '\\') - ones;
  uint64_t control = bytes - ones * 0x20;
  return (quote | backslash | control | bytes) & ones * 0x80;
}

/* Whether the byte stands for itself in a string, and is ASCII. */
static inline int lull__json_is_plain(char c) {
  return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Of eight bytes that are marked: how many are plain before the first that is not. */
static inline int lull__json_count_plain(uint64_t special) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return __builtin_ctzll(special) / 8;
#else
  (void)special;
  return 0; /* those that follow count them one by one */
#endif
}

/* Skips what is plain. */
static inline const char *lull__json_skip_plain(const char *p, const char *end) {
  while (end - p >= 8) {
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    uint64_t special = lull__json_special(bytes);
    if (special != 0) return p + __builtin_ctzll(special) / 8;
    p += 8;
  }
  while (p < end && lull__json_is_plain(*p))
    p++;
  return p;
}

/* The same, and copies it to *out, where up to 8 bytes more may be written. */
static inline const char *lull__json_copy_plain(char **out, const char *p, const char *end) {
  char *to = *out;
  while (end - p >= 8) {
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    memcpy(to, p, 8);
    uint64_t special = lull__json_special(bytes);
    int count = special ? lull__json_count_plain(special) : 8;
    p += count;
    to += count;
    if (special) break;
  }
  while (p < end && lull__json_is_plain(*p))
    *to++ = *p++;
  *out = to;
  return p;
}

static inline int lull__json_is_between(char c, unsigned char least, unsigned char most) {
  return (unsigned char)c >= least && (unsigned char)c <= most;
}

/* The length of the UTF-8 sequence at p, whose first byte is above 0x7f; 0 if it is none. After
 * the text comes no continuation byte: Lua's strings end in a zero. */
static inline int lull__json_utf8(const char *p) {
  unsigned char first = (unsigned char)*p;
  if (first < 0xe0) return first >= 0xc2 && lull__json_is_between(p[1], 0x80, 0xbf) ? 2 : 0;
  unsigned char least = 0x80, most = 0xbf;
  if (first == 0xe0) least = 0xa0; /* not longer than need be */
  if (first == 0xed) most = 0x9f;  /* no surrogate */
  if (first == 0xf0) least = 0x90;
  if (first == 0xf4) most = 0x8f; /* nothing above U+10FFFF */
  if (!lull__json_is_between(p[1], least, most)) return 0;
  if (!lull__json_is_between(p[2], 0x80, 0xbf)) return 0;
  if (first < 0xf0) return 3;
  return first <= 0xf4 && lull__json_is_between(p[3], 0x80, 0xbf) ? 4 : 0;
}

/* Skips a run of such sequences; gives where it ends, or where a byte is that is not UTF-8. */
static inline const char *lull__json_skip_utf8(const char *p) {
  while ((unsigned char)*p >= 0x80) {
    int length = lull__json_utf8(p);
    if (length == 0) break;
    p += length;
  }
  return p;
}

#endif
