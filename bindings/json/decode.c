/* JSON text to Lua values, in one pass and without recursion. What is in an open array or object
 * waits on the Lua stack until it is closed, so that its table is made in the right size. */
#include <stdio.h>

#include "decode.h"

enum { ROOM = 256 };       /* on the Lua stack, is asked for at once */
enum { PENDING = 100000 }; /* when the Lua stack is higher, values go to their table early */

static inline const char *skip_space(const char *p) {
  while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
    p++;
  return p;
}

/* ---- arrays and objects ---- */

static void store_items(json_decoder *d, json_open *f) {
  lua_State *L = d->L;
  int count = d->top - f->base;
  if (!f->has_table) {
    lua_createtable(L, count, 0);
    lua_pushvalue(L, MARK);
    lua_setmetatable(L, -2);
    lua_replace(L, f->base);
  }
  for (int i = count; i > 0; i--)
    lua_rawseti(L, f->base, f->stored + i); /* takes the last one */
  f->stored += count;
}

/* In their order: of two values with the same key the last one counts. */
static void store_fields(json_decoder *d, json_open *f) {
  lua_State *L = d->L;
  if (!f->has_table) {
    lua_createtable(L, 0, (d->top - f->base) / 2);
    lua_replace(L, f->base);
  }
  for (int i = f->base + 1; i < d->top; i += 2) {
    lua_pushvalue(L, i);
    lua_pushvalue(L, i + 1);
    lua_rawset(L, f->base);
  }
  lua_settop(L, f->base);
}

static void store(json_decoder *d, json_open *f) {
  if (f->is_object)
    store_fields(d, f);
  else
    store_items(d, f);
  d->top = f->base;
  f->has_table = 1;
}

static void grow_frames(json_decoder *d) {
  size_t size = (size_t)d->capacity * sizeof(json_open);
  json_open *frames = lua_newuserdatauv(d->L, 2 * size, 0);
  memcpy(frames, d->frames, size);
  lua_replace(d->L, FRAMES);
  d->frames = frames;
  d->capacity *= 2;
}

static void open_frame(json_decoder *d, int is_object) {
  if (d->depth == d->capacity) grow_frames(d);
  lua_pushnil(d->L);
  d->frames[d->depth++] = (json_open){.base = ++d->top, .is_object = (uint8_t)is_object};
}

static void read_key(json_decoder *d, const char *what) {
  d->p = skip_space(d->p);
  if (*d->p != '"') lull__json_expected(d, d->p, what);
  lull__json_push_key(d);
  d->top++;
  d->p = skip_space(d->p);
  if (*d->p != ':') lull__json_expected(d, d->p, "':'");
  d->p++;
}

static _Noreturn void fail_depth(json_decoder *d) {
  char message[64];
  snprintf(message, sizeof message, "more than %d levels of arrays and objects", d->max_depth);
  lull__json_fail(d, d->p, message);
}

/* Opens an array or object. Gives whether there is something in it; otherwise it is complete. */
static int begin_container(json_decoder *d, int is_object) {
  const char *p = skip_space(d->p + 1);
  if (d->depth == d->max_depth) fail_depth(d);
  d->p = p;
  if (*p != (is_object ? '}' : ']')) {
    open_frame(d, is_object);
    if (is_object) read_key(d, "a key in quotes or '}'");
    return 1;
  }
  d->p++;
  lua_createtable(d->L, 0, 0);
  if (!is_object) {
    lua_pushvalue(d->L, MARK);
    lua_setmetatable(d->L, -2);
  }
  return 0;
}

/* ---- the document ---- */

static _Noreturn void expected_value(json_decoder *d) {
  const json_open *f = d->depth > 0 ? &d->frames[d->depth - 1] : NULL;
  int is_first = f != NULL && !f->is_object && !f->has_table && d->top == f->base;
  lull__json_expected(d, d->p, is_first ? "a value or ']'" : "a value");
}

static void read_word(json_decoder *d, const char *word) {
  const char *p = d->p;
  for (; *word; word++, p++)
    if (*p != *word) expected_value(d);
  d->p = p;
}

static void make_room(json_decoder *d) {
  luaL_checkstack(d->L, ROOM, "JSON");
  d->limit = d->top + ROOM;
}

/* Reads a value. Gives whether it is an array or object with something in it, which comes first. */
static int begin_value(json_decoder *d) {
  if (d->top + 8 > d->limit) make_room(d);
  d->p = skip_space(d->p);
  switch (*d->p) {
  case '"':
    lull__json_push_string(d);
    break;
  case '{':
    if (begin_container(d, 1)) return 1;
    break;
  case '[':
    if (begin_container(d, 0)) return 1;
    break;
  case 't':
    read_word(d, "true");
    lua_pushboolean(d->L, 1);
    break;
  case 'f':
    read_word(d, "false");
    lua_pushboolean(d->L, 0);
    break;
  case 'n':
    read_word(d, "null");
    lua_pushvalue(d->L, NOTHING);
    break;
  default:
    if (*d->p != '-' && !lull__json_is_digit(*d->p)) expected_value(d);
    lull__json_push_number(d);
  }
  d->top++;
  return 0;
}

/* Reads what is after a value. Gives whether that was the last one of its array or object, which is
 * a complete value then. */
static int end_value(json_decoder *d) {
  json_open *f = &d->frames[d->depth - 1];
  const char *p = skip_space(d->p);
  d->p = p + 1;
  if (*p == ',') {
    if (d->top > PENDING) store(d, f);
    if (f->is_object) read_key(d, "a key in quotes");
    return 0;
  }
  if (*p != (f->is_object ? '}' : ']'))
    lull__json_expected(d, p, f->is_object ? "',' or '}'" : "',' or ']'");
  store(d, f);
  d->depth--;
  return 1;
}

static void read_document(json_decoder *d) {
  do {
    while (begin_value(d))
      continue;
    while (d->depth > 0 && end_value(d))
      continue;
  } while (d->depth > 0);
  d->p = skip_space(d->p);
  if (d->p < d->end) lull__json_expected(d, d->p, "the end of the text");
}

int lull__json_decode(lua_State *L) {
  json_decoder d;
  size_t length;
  d.L = L;
  d.p = d.begin = luaL_checklstring(L, TEXT, &length);
  d.end = d.begin + length;
  d.max_depth = (int)luaL_checkinteger(L, MAX_DEPTH);
  d.depth = 0;
  d.frames = d.few_frames;
  d.capacity = FEW_FRAMES;
  d.keeps_keys = length > 256; /* in a short text few keys come twice */
  if (d.keeps_keys) memset(d.keys, 0, sizeof d.keys);
  d.top = d.keeps_keys ? KEYS + NKEYS : FRAMES;
  d.limit = d.top + ROOM;
  luaL_checkstack(L, d.limit, "JSON");
  lua_settop(L, MAKE_ERROR);
  lua_pushvalue(L, lua_upvalueindex(LULL_JSON_NULL));
  lua_pushvalue(L, lua_upvalueindex(LULL_JSON_MARK));
  lua_settop(L, d.top);
  read_document(&d);
  return 1;
}
