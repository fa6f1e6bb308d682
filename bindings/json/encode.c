/* Lua values to JSON text, without recursion and by raw access: no metamethod is called. */
#include "encode.h"

/* ---- tables ---- */

static int is_marked(json_encoder *e, int index) {
  if (!lua_getmetatable(e->L, index)) return 0;
  int marked = lua_rawequal(e->L, -1, MARK);
  lua_pop(e->L, 1);
  return marked;
}

/* The key is at the top. */
static _Noreturn void refuse_key(json_encoder *e) {
  int type = lua_type(e->L, -1);
  if (type == LUA_TNUMBER || type == LUA_TBOOLEAN)
    lull__json_refuse(e, "a key that is neither a string nor an index: %s", e->depth - 1);
  const char *message = lua_pushfstring(e->L, "a key that is a %s", lua_typename(e->L, type));
  lull__json_refuse(e, message, e->depth - 1);
}

static _Noreturn void refuse_sparse(json_encoder *e, const json_table *f) {
  lua_Integer missing = 1;
  while (lua_rawgeti(e->L, f->base, missing) != LUA_TNIL) {
    lua_pop(e->L, 1);
    missing++;
  }
  lua_pushinteger(e->L, missing);
  lull__json_refuse(e, "a sparse table, item %s is missing", e->depth - 1);
}

/* Counts the items of a table that has not only strings for keys. */
static void count_items(json_encoder *e, json_table *f) {
  lua_State *L = e->L;
  lua_Integer last = 0;
  int name = 0;
  f->count = 0;
  lua_settop(L, f->base);
  lua_pushnil(L); /* where a string among the keys is kept */
  lua_pushnil(L);
  for (; lua_next(L, f->base); lua_pop(L, 1)) {
    lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
    if (lua_type(L, -2) == LUA_TSTRING) {
      lua_copy(L, -2, f->base + 1);
      name = 1;
    } else if (key > 0) {
      if (key > last) last = key;
      f->count++;
    } else {
      lua_pop(L, 1);
      refuse_key(e);
    }
  }
  if (name && f->count > 0)
    lull__json_refuse(e, "a mixed table, it has items and the key %s", e->depth - 1);
  if (name) lull__json_refuse(e, "an array that has the key %s", e->depth - 1);
  if (f->count < last) refuse_sparse(e, f);
  lua_settop(L, f->base);
}

static void put_line(json_encoder *e) {
  lull__json_put_byte(e, '\n');
  for (int i = 0; i < e->depth; i++)
    lull__json_put(e, e->indent, e->indent_length);
}

/* Goes to the next line, after the item before if there is one. */
static void begin_item(json_encoder *e, char before) {
  lull__json_put_byte(e, before);
  if (e->indent != NULL) put_line(e);
}

static void put_key(json_encoder *e, int index) {
  lull__json_put_string(e, index, "a key that is not UTF-8, at byte %s");
  lull__json_put(e, ": ", e->indent != NULL ? 2 : 1);
}

/* Starts an array over, when its items do not come in order. */
static void begin_list(json_encoder *e, json_table *f) {
  count_items(e, f);
  e->length = f->begin;
  f->kind = LIST;
  f->index = 1;
  lua_rawgeti(e->L, f->base, 1);
  begin_item(e, '[');
}

static void begin_array(json_encoder *e, json_table *f) {
  if (!lua_isinteger(e->L, -2) || lua_tointeger(e->L, -2) != 1) {
    begin_list(e, f);
    return;
  }
  f->kind = ARRAY;
  f->index = 1;
  begin_item(e, '[');
}

static void push_sorted(json_encoder *e, json_table *f, char before) {
  begin_item(e, before);
  lua_rawgeti(e->L, f->base + 1, f->keys[f->index++].place);
  put_key(e, -1);
  lua_rawget(e->L, f->base);
}

static void begin_object(json_encoder *e, json_table *f) {
  if (!e->sort_keys) {
    f->kind = OBJECT;
    begin_item(e, '{');
    put_key(e, -2);
  } else if (lull__json_sort_keys(e, f)) {
    f->kind = SORTED;
    push_sorted(e, f, '{');
  } else {
    begin_list(e, f); /* raises */
  }
}

/* The table inside itself: finds it again at a depth that is a power of two, or else before the
 * next one. So each table is compared once. */
static void check_cycle(json_encoder *e) {
  int last = e->depth - 1, first;
  if (last == 0) return;
  first = (1 << (31 - __builtin_clz((unsigned)last))) - 1;
  if (e->frames[first].table != e->frames[last].table) return;
  while (first > 0 && e->frames[first - 1].table == e->frames[last - 1].table) {
    first--;
    last--;
  }
  lull__json_push_path(e, first);
  lull__json_refuse(e, "a cycle, it is %s", last);
}

static json_table *push_frame(json_encoder *e) {
  if (e->depth == e->max_depth) {
    lua_pushinteger(e->L, e->max_depth);
    lull__json_refuse(e, "more than %s levels of tables", e->depth);
  }
  if (e->depth == e->frames_capacity) {
    size_t size = (size_t)e->frames_capacity * sizeof(json_table);
    json_table *frames = lua_newuserdatauv(e->L, 2 * size, 0);
    memcpy(frames, e->frames, size);
    lua_replace(e->L, FRAMES);
    e->frames = frames;
    e->frames_capacity *= 2;
  }
  json_table *f = &e->frames[e->depth++];
  f->base = lua_gettop(e->L);
  f->table = lua_topointer(e->L, -1);
  f->begin = e->length;
  return f;
}

static int end_table(json_encoder *e, char bracket) {
  json_table *f = &e->frames[--e->depth];
  if (e->indent != NULL) put_line(e);
  lull__json_put_byte(e, bracket);
  lua_settop(e->L, f->base - 1);
  return 1;
}

/* Gives whether there is something in it: then that is at the top. */
static int begin_table(json_encoder *e) {
  lua_State *L = e->L;
  luaL_checkstack(L, ROOM, "JSON");
  json_table *f = push_frame(e);
  check_cycle(e);
  lua_pushnil(L);
  if (!lua_next(L, f->base)) {
    e->depth--;
    lull__json_put(e, is_marked(e, f->base) ? "[]" : "{}", 2);
    lua_pop(L, 1);
    return 0;
  }
  if (lua_type(L, -2) == LUA_TSTRING && !is_marked(e, f->base))
    begin_object(e, f);
  else
    begin_array(e, f);
  return 1;
}

/* ---- the value ---- */

static void put_userdata(json_encoder *e) {
  const void *data = lua_touserdata(e->L, -1);
  if (data != e->null && data != NULL) /* NULL is the null of other libraries */
    lull__json_refuse(e, "a userdata", e->depth);
  lull__json_put(e, "null", 4);
}

/* Writes the value at the top and takes it off; or gives 1: it is a table, whose first value is at
 * the top now. */
static int begin_value(json_encoder *e) {
  lua_State *L = e->L;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    lull__json_put_string(e, -1, "a string that is not UTF-8, at byte %s");
    break;
  case LUA_TNUMBER:
    lull__json_put_number(e, -1);
    break;
  case LUA_TTABLE:
    return begin_table(e);
  case LUA_TBOOLEAN:
    if (lua_toboolean(L, -1))
      lull__json_put(e, "true", 4);
    else
      lull__json_put(e, "false", 5);
    break;
  case LUA_TNIL:
    lull__json_put(e, "null", 4);
    break;
  case LUA_TUSERDATA:
  case LUA_TLIGHTUSERDATA:
    put_userdata(e);
    break;
  default:
    lull__json_refuse(e, lua_pushfstring(L, "a %s", luaL_typename(L, -1)), e->depth);
  }
  lua_pop(L, 1);
  return 0;
}

/* Pushes the next value of the innermost table and gives 0; or ends it and gives 1. */
static int next_value(json_encoder *e) {
  lua_State *L = e->L;
  json_table *f = &e->frames[e->depth - 1];
  switch (f->kind) {
  case OBJECT:
    if (!lua_next(L, f->base)) break;
    if (lua_type(L, -2) != LUA_TSTRING) {
      begin_list(e, f); /* raises */
      return 0;
    }
    begin_item(e, ',');
    put_key(e, -2);
    return 0;
  case SORTED:
    if (f->index == f->count) break;
    push_sorted(e, f, ',');
    return 0;
  case ARRAY:
    if (!lua_next(L, f->base)) break;
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != f->index + 1) {
      begin_list(e, f);
      return 0;
    }
    f->index++;
    begin_item(e, ',');
    return 0;
  case LIST:
    if (f->index == f->count) break;
    lua_rawgeti(L, f->base, ++f->index);
    begin_item(e, ',');
    return 0;
  }
  return end_table(e, f->kind <= SORTED ? '}' : ']');
}

static void write_value(json_encoder *e) {
  do {
    while (begin_value(e))
      continue;
    while (e->depth > 0 && next_value(e))
      continue;
  } while (e->depth > 0);
}

int lull__json_encode(lua_State *L) {
  json_encoder e;
  e.L = L;
  e.text = e.short_text;
  e.length = 0;
  e.capacity = SHORT_TEXT;
  e.null = lua_touserdata(L, lua_upvalueindex(LULL_JSON_NULL));
  e.indent = lua_tolstring(L, INDENT, &e.indent_length);
  e.sort_keys = lua_toboolean(L, SORT_KEYS);
  e.max_depth = (int)luaL_checkinteger(L, MAX_DEPTH);
  e.depth = 0;
  e.frames = e.few_frames;
  e.frames_capacity = FEW_FRAMES;
  lua_settop(L, MAKE_ERROR);
  lua_pushvalue(L, lua_upvalueindex(LULL_JSON_MARK));
  lua_settop(L, FRAMES);
  lua_pushvalue(L, VALUE);
  write_value(&e);
  lua_pushlstring(L, e.text, e.length);
  return 1;
}
