/* The text that is being written: its strings and numbers, and errors. */
#include <math.h>
#include <stdlib.h>

#include "encode.h"

enum { SLACK = 16 };

/* ---- errors ---- */

void lull__json_push_path(json_encoder *e, int depth) {
  lua_State *L = e->L;
  lua_createtable(L, depth, 0);
  for (int i = 0; i < depth; i++) {
    const json_table *f = &e->frames[i];
    if (f->kind == OBJECT)
      lua_pushvalue(L, f->base + 1);
    else if (f->kind == SORTED)
      lua_rawgeti(L, f->base + 1, f->keys[f->index - 1].place);
    else
      lua_pushinteger(L, f->index);
    lua_rawseti(L, -2, i + 1);
  }
}

_Noreturn void lull__json_refuse(json_encoder *e, const char *message, int depth) {
  lua_State *L = e->L;
  luaL_checkstack(L, ROOM, "JSON");
  lua_pushvalue(L, MAKE_ERROR);
  lua_pushstring(L, message);
  lull__json_push_path(e, depth);
  lua_pushvalue(L, -4);
  lua_call(L, 3, 1);
  lua_error(L);
  abort(); /* not reached */
}

/* ---- text ---- */

void lull__json_grow(json_encoder *e, size_t size) {
  size_t capacity = 2 * e->capacity;
  if (capacity - e->length < size) capacity = e->length + 2 * size;
  char *text = lua_newuserdatauv(e->L, capacity, 0);
  memcpy(text, e->text, e->length);
  lua_replace(e->L, BUFFER);
  e->text = text;
  e->capacity = capacity;
}

static char *write_escape(char *out, unsigned char c) {
  static const char hex[] = "0123456789abcdef", letters[] = "btn?fr";
  char escape[] = {'\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15]};
  size_t length = 2;
  if (c == '"' || c == '\\')
    escape[1] = (char)c;
  else if (c >= '\b' && c <= '\r' && c != '\v')
    escape[1] = letters[c - '\b'];
  else
    length = sizeof escape;
  memcpy(out, escape, sizeof escape);
  return out + length;
}

/* Writes a string without its quotes; gives where it is not UTF-8, or NULL. There is always room
 * for what is left as it is and one escape. */
static const char *put_text(json_encoder *e, const char *p, const char *end) {
  char *out = lull__json_reserve(e, (size_t)(end - p) + SLACK);
  while (p < end) {
    if (lull__json_is_plain(*p)) {
      p = lull__json_copy_plain(&out, p, end);
    } else if ((unsigned char)*p >= 0x80) {
      const char *stop = lull__json_skip_utf8(p);
      memcpy(out, p, (size_t)(stop - p));
      out += stop - p;
      p = stop;
      if ((unsigned char)*p >= 0x80) return p;
    } else {
      out = write_escape(out, (unsigned char)*p++);
      e->length = (size_t)(out - e->text);
      out = lull__json_reserve(e, (size_t)(end - p) + SLACK);
    }
  }
  e->length = (size_t)(out - e->text);
  return NULL;
}

void lull__json_put_string(json_encoder *e, int index, const char *failure) {
  size_t length;
  const char *text = lua_tolstring(e->L, index, &length);
  lull__json_put_byte(e, '"');
  const char *wrong = put_text(e, text, text + length);
  if (wrong != NULL) {
    lua_pushinteger(e->L, wrong - text + 1);
    lull__json_refuse(e, failure, e->depth);
  }
  lull__json_put_byte(e, '"');
}

void lull__json_put_number(json_encoder *e, int index) {
  char *out = lull__json_reserve(e, LULL_JSON_NUMBER);
  if (lua_isinteger(e->L, index)) {
    out = lull__json_write_integer(out, lua_tointeger(e->L, index));
  } else {
    double number = lua_tonumber(e->L, index);
    if (!isfinite(number)) lull__json_refuse(e, "a number that is not finite", e->depth);
    out = lull__json_write_float(out, number);
  }
  e->length = (size_t)(out - e->text);
}
