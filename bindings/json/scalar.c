/* The strings and numbers of a JSON text, and what is wrong with it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode.h"

enum { LONGEST_KEY = 32, SHORT_TEXT = 256 };

/* ---- errors ---- */

_Noreturn void lull__json_fail(json_decoder *d, const char *p, const char *message) {
  lua_State *L = d->L;
  const char *line = d->begin;
  lua_Integer number = 1;
  for (const char *at; (at = memchr(line, '\n', (size_t)(p - line))) != NULL; line = at + 1)
    number++;
  lua_settop(L, FRAMES);
  lua_pushvalue(L, MAKE_ERROR);
  lua_pushstring(L, message);
  lua_pushinteger(L, number);
  lua_pushinteger(L, p - line + 1);
  lua_pushinteger(L, p - d->begin + 1);
  lua_call(L, 4, 1);
  lua_error(L);
  abort(); /* not reached */
}

_Noreturn void lull__json_expected(json_decoder *d, const char *p, const char *what) {
  char message[96];
  unsigned char c = (unsigned char)*p;
  if (p >= d->end)
    snprintf(message, sizeof message, "expected %s, got the end of the text", what);
  else if (c == ' ')
    snprintf(message, sizeof message, "expected %s, got a space", what);
  else if (c > ' ' && c < 0x7f)
    snprintf(message, sizeof message, "expected %s, got '%c'", what, c);
  else
    snprintf(message, sizeof message, "expected %s, got the byte 0x%02X", what, c);
  lull__json_fail(d, p, message);
}

/* ---- numbers ---- */

static inline const char *read_digits(json_decoder *d, const char *p, uint64_t *value) {
  if (!lull__json_is_digit(*p)) lull__json_expected(d, p, "a digit");
  for (; lull__json_is_digit(*p); p++)
    *value = *value * 10 + (uint64_t)(*p - '0');
  return p;
}

static const char *read_exponent(json_decoder *d, const char *p, long long *exponent) {
  int is_negative = *p == '-';
  if (*p == '-' || *p == '+') p++;
  if (!lull__json_is_digit(*p)) lull__json_expected(d, p, "a digit");
  long long value = 0;
  for (; lull__json_is_digit(*p); p++)
    if (value < (long long)1 << 50) value = value * 10 + (*p - '0'); /* beyond any text's length */
  *exponent += is_negative ? -value : value;
  return p;
}

/* Whether there are so few digits, but for zeros in front, that they fit in 64 bits. */
static int is_exact(const char *p, const char *end) {
  if (end - p <= 19) return 1;
  while (p < end && (*p == '0' || *p == '.'))
    p++;
  return end - p <= 19;
}

static int is_integer(uint64_t value, int is_negative) {
  return value <= (uint64_t)LUA_MAXINTEGER + (uint64_t)is_negative;
}

void lull__json_push_number(json_decoder *d) {
  const char *start = d->p, *p = start + (*start == '-');
  int is_negative = *start == '-', is_float = 0;
  lull_decimal decimal = {.begin = p};
  if (*p == '0' && lull__json_is_digit(p[1]))
    lull__json_fail(d, p, "a number that starts with a zero");
  p = read_digits(d, p, &decimal.value);
  if (*p == '.') {
    const char *point = p++;
    is_float = 1;
    p = read_digits(d, p, &decimal.value);
    decimal.exponent = -(p - point - 1);
  }
  decimal.end = p;
  if (*p == 'e' || *p == 'E') {
    is_float = 1;
    p = read_exponent(d, p + 1, &decimal.exponent);
  }
  d->p = p;
  decimal.exact = is_exact(decimal.begin, decimal.end);
  if (!is_float && decimal.exact && is_integer(decimal.value, is_negative)) {
    lua_pushinteger(d->L, (lua_Integer)(is_negative ? 0 - decimal.value : decimal.value));
    return;
  }
  double number = lull__json_read_float(&decimal);
  if (isinf(number)) lull__json_fail(d, start, "a number that is too large for a float");
  lua_pushnumber(d->L, is_negative ? -number : number);
}

/* ---- strings ---- */

static unsigned read_hex(json_decoder *d, const char *p) {
  unsigned value = 0;
  for (const char *end = p + 4; p < end; p++) {
    unsigned letter = (unsigned char)*p | 0x20;
    value <<= 4;
    if (lull__json_is_digit(*p))
      value |= (unsigned)(*p - '0');
    else if (letter >= 'a' && letter <= 'f')
      value |= letter - 'a' + 10;
    else
      lull__json_expected(d, p, "a hexadecimal digit");
  }
  return value;
}

static char *put_utf8(char *out, unsigned code) {
  if (code < 0x80) {
    *out++ = (char)code;
    return out;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3; /* bytes after the first */
  *out++ = (char)((0xff00 >> (more + 1) & 0xff) | code >> 6 * more);
  while (more-- > 0)
    *out++ = (char)(0x80 | (code >> 6 * more & 0x3f));
  return out;
}

/* Reads what is after \u, and the second half of a surrogate pair. */
static const char *read_unicode(json_decoder *d, const char *p, char **out) {
  unsigned code = read_hex(d, p), low = 0;
  const char *next = p + 4;
  if (code >= 0xd800 && code < 0xe000) {
    if (code < 0xdc00 && next[0] == '\\' && next[1] == 'u') low = read_hex(d, next + 2);
    if (low < 0xdc00 || low > 0xdfff) lull__json_fail(d, p - 2, "half of a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    next += 6;
  }
  *out = put_utf8(*out, code);
  return next;
}

/* Reads what is after a backslash. */
static const char *read_escape(json_decoder *d, const char *p, char **out) {
  char c;
  switch (*p) {
  case 'u':
    return read_unicode(d, p + 1, out);
  case '"':
  case '\\':
  case '/':
    c = *p;
    break;
  case 'b':
    c = '\b';
    break;
  case 'f':
    c = '\f';
    break;
  case 'n':
    c = '\n';
    break;
  case 'r':
    c = '\r';
    break;
  case 't':
    c = '\t';
    break;
  default:
    lull__json_expected(d, p, "one of \"\\/bfnrtu after a backslash");
  }
  *(*out)++ = c;
  return p + 1;
}

/* At the first byte that does not stand for itself in a string. */
static const char *skip_text(json_decoder *d, const char *p) {
  for (;;) {
    p = lull__json_skip_plain(p, d->end);
    if ((unsigned char)*p < 0x80) return p;
    p = lull__json_skip_utf8(p);
    if ((unsigned char)*p >= 0x80) lull__json_fail(d, p, "invalid UTF-8");
  }
}

static _Noreturn void fail_string(json_decoder *d, const char *p) {
  if (p >= d->end) lull__json_expected(d, p, "'\"'");
  lull__json_fail(d, p, "a control character in a string");
}

/* A string with escapes is put together here: first on the C stack, then in a userdata. */
typedef struct scratch {
  char *begin, *end, *out;
  char text[SHORT_TEXT];
} scratch;

static void grow_scratch(json_decoder *d, scratch *s) {
  size_t length = (size_t)(s->out - s->begin), size = 2 * (size_t)(s->end - s->begin);
  char *begin = lua_newuserdatauv(d->L, size, 0);
  memcpy(begin, s->begin, length);
  lua_replace(d->L, SCRATCH);
  s->begin = begin;
  s->out = begin + length;
  s->end = begin + size;
}

static const char *copy_utf8(json_decoder *d, const char *p, char **out) {
  int length = lull__json_utf8(p);
  if (length == 0) lull__json_fail(d, p, "invalid UTF-8");
  while (length-- > 0)
    *(*out)++ = *p++;
  return p;
}

/* The rest of a string, from its first escape on. */
static void push_escaped(json_decoder *d, const char *text, const char *p) {
  scratch s;
  s.begin = s.out = s.text;
  s.end = s.text + SHORT_TEXT;
  size_t length = (size_t)(p - text);
  while ((size_t)(s.end - s.begin) < length)
    grow_scratch(d, &s);
  memcpy(s.out, text, length);
  s.out += length;
  while (*p != '"') {
    if (s.end - s.out < 32) grow_scratch(d, &s);
    if (*p == '\\') {
      p = read_escape(d, p + 1, &s.out);
    } else if ((unsigned char)*p >= 0x80) {
      p = copy_utf8(d, p, &s.out);
    } else if (lull__json_is_plain(*p) && p < d->end) {
      ptrdiff_t room = s.end - s.out - 8;
      p = lull__json_copy_plain(&s.out, p, d->end - p < room ? d->end : p + room);
    } else {
      fail_string(d, p);
    }
  }
  d->p = p + 1;
  lua_pushlstring(d->L, s.begin, (size_t)(s.out - s.begin));
}

void lull__json_push_string(json_decoder *d) {
  const char *p = d->p + 1, *end = skip_text(d, p);
  if (*end == '"') {
    d->p = end + 1;
    lua_pushlstring(d->L, p, (size_t)(end - p));
  } else {
    push_escaped(d, p, end);
  }
}

/* A key that was there before is on the Lua stack, at a place that its bytes give: that saves
 * Lua from hashing and finding it. */
void lull__json_push_key(json_decoder *d) {
  const char *p = d->p + 1, *end = skip_text(d, p);
  size_t length = (size_t)(end - p);
  if (*end != '"' || !d->keeps_keys || length == 0 || length > LONGEST_KEY) {
    lull__json_push_string(d);
    return;
  }
  const unsigned char *key = (const unsigned char *)p;
  size_t place = (key[0] + 3 * key[length - 1] + 5 * key[length / 2] + 11 * length) % NKEYS;
  d->p = end + 1;
  if (d->keys[place].length == length && memcmp(d->keys[place].text, p, length) == 0) {
    lua_pushvalue(d->L, KEYS + (int)place);
    return;
  }
  lua_pushlstring(d->L, p, length);
  lua_copy(d->L, -1, KEYS + (int)place);
  d->keys[place].text = p;
  d->keys[place].length = length;
}
