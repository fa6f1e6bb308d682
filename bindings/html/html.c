/* Documents and their nodes as Lua sees them. All nodes are of one kind, the document is the first
 * of its tree. A node is a userdata that keeps the tree alive; the tree knows the nodes that exist
 * by a weak table, so that the same node is always the same value. */
#include "lull.h"
#include "selector.h"

static const char node_type[] = "lull html node";

typedef struct node {
  const html_tree *tree;
  uint32_t index;
} node;

/* The string of a selector -> the selector, until there are too many. */
enum { SELECTORS = 256 };
static const char cache_key[] = "lull html selectors";

static const node *check_node(lua_State *L) {
  return luaL_checkudata(L, 1, node_type);
}

/* ---- making nodes ---- */

/* Pushes the table of a tree's nodes, made when it is needed first; the tree is on top. */
static void push_nodes(lua_State *L) {
  if (lua_getiuservalue(L, -1, 1) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  if (luaL_newmetatable(L, "lull html nodes")) {
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
  }
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, 1);
}

/* Pushes a node of the tree at a stack index, which has the table of its nodes just above it. */
static void push_node(lua_State *L, int tree, uint32_t index) {
  if (lua_rawgeti(L, tree + 1, index) != LUA_TNIL) return;
  lua_pop(L, 1);
  node *fresh = lua_newuserdatauv(L, sizeof *fresh, 1);
  *fresh = (node){lua_touserdata(L, tree), index};
  luaL_setmetatable(L, node_type);
  lua_pushvalue(L, tree);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  lua_rawseti(L, tree + 1, index);
}

/* Pushes the tree of the node at stack index 1, with the table of its nodes above; gives its
 * stack index. */
static int push_tree(lua_State *L) {
  lua_getiuservalue(L, 1, 1);
  push_nodes(L);
  return lua_gettop(L) - 1;
}

/* The same for one that need not be: index 0 is nil. */
static int push_other(lua_State *L, uint32_t index) {
  if (index == 0)
    lua_pushnil(L);
  else
    push_node(L, push_tree(L), index);
  return 1;
}

static int parse(lua_State *L) {
  html_string bytes;
  bytes.data = luaL_checklstring(L, 1, &bytes.size);
  lua_settop(L, 1);
  html_parse(L, bytes);
  push_nodes(L);
  push_node(L, 2, 0);
  return 1;
}

/* ---- properties ---- */

static int get_text(lua_State *L) {
  const node *self = check_node(L);
  html_push_text(L, self->tree, self->index);
  return 1;
}

static int get_tag(lua_State *L) {
  const node *self = check_node(L);
  const html_string name = self->tree->nodes[self->index].text;
  if (self->index == 0)
    lua_pushliteral(L, "#document");
  else
    lua_pushlstring(L, name.data, name.size);
  return 1;
}

static int get_parent(lua_State *L) {
  const node *self = check_node(L);
  if (self->index == 0)
    lua_pushnil(L);
  else
    push_node(L, push_tree(L), self->tree->nodes[self->index].parent);
  return 1;
}

static int get_attrs(lua_State *L) {
  const node *self = check_node(L);
  const html_node *element = &self->tree->nodes[self->index];
  lua_createtable(L, 0, (int)element->nattributes);
  for (uint32_t i = 0; i < element->nattributes; i++) {
    const html_attribute *attribute = &self->tree->attributes[element->attributes + i];
    lua_pushlstring(L, attribute->name.data, attribute->name.size);
    lua_pushlstring(L, attribute->value.data, attribute->value.size);
    lua_rawset(L, -3);
  }
  return 1;
}

/* ---- methods ---- */

static int attr(lua_State *L) {
  const node *self = check_node(L);
  html_string name;
  name.data = luaL_checklstring(L, 2, &name.size);
  const html_attribute *attribute = html_attribute_get(self->tree, self->index, name);
  if (attribute == NULL) return 0;
  lua_pushlstring(L, attribute->value.data, attribute->value.size);
  return 1;
}

static int children(lua_State *L) {
  const node *self = check_node(L);
  lua_settop(L, 1);
  int tree = push_tree(L);
  lua_newtable(L);
  lua_Integer count = 0;
  uint32_t index = html_first_element(self->tree, self->index);
  for (; index != 0; index = html_next_element(self->tree, index)) {
    push_node(L, tree, index);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

static int next(lua_State *L) {
  const node *self = check_node(L);
  return push_other(L, html_next_element(self->tree, self->index));
}

static int previous(lua_State *L) {
  const node *self = check_node(L);
  return push_other(L, self->tree->nodes[self->index].previous);
}

static int html(lua_State *L) {
  const node *self = check_node(L);
  html_push_markup(L, self->tree, self->index);
  return 1;
}

static int to_string(lua_State *L) {
  const node *self = check_node(L);
  if (self->index == 0) {
    lua_pushliteral(L, "document");
    return 1;
  }
  lua_pushliteral(L, "element ");
  html_push_start_tag(L, self->tree, self->index);
  lua_concat(L, 2);
  return 1;
}

/* ---- selecting ---- */

/* Pushes the selector that the string at stack index 2 says: a new one, or the one of last time.
 * The number of those kept is at 1. */
static const html_selector *push_selector(lua_State *L) {
  luaL_argexpected(L, lua_type(L, 2) == LUA_TSTRING, 2, "string");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, cache_key);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return lua_touserdata(L, -1);
  lua_pop(L, 1);
  const html_selector *selector = html_selector_new(L, 2);
  lua_rawgeti(L, -2, 1);
  lua_Integer count = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (count == SELECTORS) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, cache_key);
    lua_replace(L, -3);
    count = 0;
  }
  lua_pushinteger(L, count + 1);
  lua_rawseti(L, -3, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, -4);
  return selector;
}

static int select_all(lua_State *L) {
  const node *self = check_node(L);
  lua_settop(L, 2);
  const html_selector *selector = push_selector(L);
  int tree = push_tree(L);
  html_matcher matcher;
  html_match_start(L, &matcher, self->tree, self->index, selector);
  lua_newtable(L);
  lua_Integer count = 0;
  for (uint32_t index; (index = html_match_next(&matcher)) != 0;) {
    push_node(L, tree, index);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

static int select_one(lua_State *L) {
  const node *self = check_node(L);
  lua_settop(L, 2);
  html_matcher matcher;
  html_match_start(L, &matcher, self->tree, self->index, push_selector(L));
  return push_other(L, html_match_next(&matcher));
}

/* ---- the type ---- */

static const luaL_Reg properties[] = {{"text", get_text},
                                      {"tag", get_tag},
                                      {"parent", get_parent},
                                      {"attrs", get_attrs},
                                      {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"select", select_all}, {"select_one", select_one}, {"attr", attr}, {"children", children},
    {"next", next},         {"previous", previous},     {"html", html}, {NULL, NULL}};

/* node.key: upvalues are the tables of methods and of functions that give properties. */
static int get(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(2));
  lua_CFunction property = lua_tocfunction(L, -1);
  if (property == NULL) return 1;
  lua_settop(L, 1);
  return property(L);
}

static void new_type(lua_State *L) {
  luaL_newmetatable(L, node_type);
  lua_pushcfunction(L, to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "lull");
  lua_setfield(L, -2, "__metatable");
  luaL_newlib(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__methods"); /* this and the next are for completion */
  luaL_newlib(L, properties);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "__properties");
  lua_pushcclosure(L, get, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

LULL_API int luaopen_lull_html(lua_State *L);

LULL_API int luaopen_lull_html(lua_State *L) {
  static const luaL_Reg functions[] = {{"parse", parse}, {NULL, NULL}};
  new_type(L);
  luaL_newlib(L, functions);
  return 1;
}
