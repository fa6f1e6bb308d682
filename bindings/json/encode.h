/* A JSON text that is being written: what encode.c and output.c share. */
#ifndef LULL_JSON_ENCODE_H
#define LULL_JSON_ENCODE_H

#include "json.h"

enum { /* places on the Lua stack */
       VALUE = 1,
       INDENT,
       SORT_KEYS,
       MAX_DEPTH,
       MAKE_ERROR,
       MARK,
       BUFFER,
       FRAMES
};
enum { FEW_FRAMES = 32, SHORT_TEXT = 1024, ROOM = 8 };

typedef enum json_kind {
  OBJECT, /* lua_next goes through it; its last key is above the table */
  SORTED, /* above the table are a list of its keys, and where in it the next ones are */
  ARRAY,  /* lua_next goes through it and has met 1, 2, 3, ... so far */
  LIST    /* an array whose items lua_next meets in another order */
} json_kind;

typedef struct json_key {
  const char *text;
  size_t length;
  lua_Integer place; /* in the list */
} json_key;

/* A table that is being written; base is its place on the Lua stack. */
typedef struct json_table {
  const void *table;
  const json_key *keys;
  lua_Integer index, count;
  size_t begin; /* of its text */
  int base;
  json_kind kind;
} json_table;

typedef struct json_encoder {
  lua_State *L;
  char *text;
  size_t length, capacity;
  const char *indent; /* NULL: all in one line */
  size_t indent_length;
  const void *null;
  int sort_keys, depth, max_depth, frames_capacity;
  json_table *frames;
  json_table few_frames[FEW_FRAMES];
  char short_text[SHORT_TEXT];
} json_encoder;

/* Raises: the value at a depth cannot be encoded. The message may have a %s, for what is at the top
 * of the Lua stack. */
_Noreturn void lull__json_refuse(json_encoder *e, const char *message, int depth);

/* Pushes the keys that lead to the value at a depth. */
void lull__json_push_path(json_encoder *e, int depth);

/* Each writes the value at an index of the Lua stack. */
void lull__json_put_string(json_encoder *e, int index, const char *failure);
void lull__json_put_number(json_encoder *e, int index);

/* Replaces what is above a table by a list of its keys, and their order. Gives whether they are all
 * strings. */
int lull__json_sort_keys(json_encoder *e, json_table *f);

void lull__json_grow(json_encoder *e, size_t size);

/* Makes room for some bytes; gives where to write them. */
static inline char *lull__json_reserve(json_encoder *e, size_t size) {
  if (e->capacity - e->length < size) lull__json_grow(e, size);
  return e->text + e->length;
}

static inline void lull__json_put(json_encoder *e, const char *text, size_t length) {
  memcpy(lull__json_reserve(e, length), text, length);
  e->length += length;
}

static inline void lull__json_put_byte(json_encoder *e, char c) {
  *lull__json_reserve(e, 1) = c;
  e->length++;
}

#endif
