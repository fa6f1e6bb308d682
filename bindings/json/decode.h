/* A JSON text that is being read: what decode.c and scalar.c share. */
#ifndef LULL_JSON_DECODE_H
#define LULL_JSON_DECODE_H

#include "json.h"

enum { /* places on the Lua stack */
       TEXT = 1,
       MAX_DEPTH,
       MAKE_ERROR,
       NOTHING,
       MARK,
       SCRATCH, /* where strings with escapes are put together */
       FRAMES,
       KEYS /* see lull__json_push_key */
};
enum { NKEYS = 64, FEW_FRAMES = 32 };

/* An open array or object. On the Lua stack there is, at base, its table or nil, and above it the
 * values, or keys and values, that are not in the table yet. */
typedef struct json_open {
  int base;
  uint8_t is_object, has_table;
  lua_Integer stored; /* items of an array in its table */
} json_open;

typedef struct json_decoder {
  lua_State *L;
  const char *p, *begin, *end;
  int top, limit; /* of the Lua stack: its height, and to where there is room */
  int depth, max_depth, capacity;
  json_open *frames;
  json_open few_frames[FEW_FRAMES];
  int keeps_keys;
  struct {
    const char *text;
    size_t length;
  } keys[NKEYS];
} json_decoder;

/* Raises: the text is wrong at p. */
_Noreturn void lull__json_fail(json_decoder *d, const char *p, const char *message);
_Noreturn void lull__json_expected(json_decoder *d, const char *p, const char *what);

/* Each reads what begins at d->p, and pushes it. */
void lull__json_push_number(json_decoder *d);
void lull__json_push_string(json_decoder *d);
void lull__json_push_key(json_decoder *d);

static inline int lull__json_is_digit(char c) {
  return c >= '0' && c <= '9';
}

#endif
