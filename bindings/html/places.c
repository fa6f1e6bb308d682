/* What follows from the order of the nodes in a tree: where a node's descendants end, and the place
 * of each element among its siblings and among those of its type. */
#include <string.h>

#include "html.h"

/* Sets how far each node's descendants go, and how deep the tree is. */
static void find_ends(html_arena *arena, html_tree *tree) {
  uint32_t *depths = html_alloc(arena, tree->size * sizeof *depths);
  depths[0] = tree->depth = 1;
  for (uint32_t i = 1; i < tree->size; i++) {
    tree->nodes[i].end = i + 1;
    depths[i] = depths[tree->nodes[i].parent] + 1;
    if (depths[i] > tree->depth) tree->depth = depths[i];
  }
  tree->nodes[0].end = tree->size;
  for (uint32_t i = tree->size - 1; i > 0; i--) {
    html_node *parent = &tree->nodes[tree->nodes[i].parent];
    if (parent->end < tree->nodes[i].end) parent->end = tree->nodes[i].end;
  }
}

/* Gives a number for the type of an element, from 1: the table at a stack index knows those of
 * names. */
static uint32_t number_type(lua_State *L, int names, html_string name) {
  lua_pushlstring(L, name.data, name.size);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, names) == LUA_TNIL) {
    lua_Integer fresh = luaL_len(L, names) + 1;
    lua_pushvalue(L, -2);
    lua_rawseti(L, names, fresh);
    lua_pushvalue(L, -2);
    lua_pushinteger(L, fresh);
    lua_rawset(L, names);
    lua_pop(L, 2);
    return (uint32_t)fresh;
  }
  lua_Integer type = lua_tointeger(L, -1);
  lua_pop(L, 2);
  return (uint32_t)type;
}

typedef struct tally {
  uint32_t before, after;
} tally;

/* Sets the places of a node's children; until now each has its type in place of the last. All
 * tallies are zero before and after. */
static void number_children(html_tree *tree, uint32_t parent, tally *types) {
  uint32_t last = 0, count = 0;
  for (uint32_t i = html_first_element(tree, parent); i; i = html_next_element(tree, i)) {
    html_node *node = &tree->nodes[i];
    node->previous = last;
    node->place[HTML_FROM_FIRST] = ++count;
    node->place[HTML_OF_TYPE] = ++types[node->place[HTML_OF_TYPE_FROM_LAST]].before;
    last = i;
  }
  for (uint32_t i = last; i; i = tree->nodes[i].previous) {
    html_node *node = &tree->nodes[i];
    tally *type = &types[node->place[HTML_OF_TYPE_FROM_LAST]];
    node->place[HTML_FROM_LAST] = count - node->place[HTML_FROM_FIRST] + 1;
    node->place[HTML_OF_TYPE_FROM_LAST] = ++type->after;
    if (--type->before == 0) type->after = 0;
  }
}

static void number_elements(lua_State *L, html_arena *arena, html_tree *tree) {
  lua_newtable(L);
  int names = lua_gettop(L);
  for (uint32_t i = 0; i < tree->size; i++) {
    html_node *node = &tree->nodes[i];
    if (node->type == HTML_ELEMENT)
      node->place[HTML_OF_TYPE_FROM_LAST] = number_type(L, names, node->text);
  }
  size_t ntypes = 1 + (size_t)luaL_len(L, names);
  lua_pop(L, 1);
  tally *types = html_alloc(arena, ntypes * sizeof *types);
  memset(types, 0, ntypes * sizeof *types);
  for (uint32_t i = 0; i < tree->size; i++)
    if (tree->nodes[i].end > i + 1) number_children(tree, i, types);
}

void html_tree_measure(lua_State *L, html_arena *arena, html_tree *tree) {
  find_ends(arena, tree);
  number_elements(L, arena, tree);
}

const html_attribute *html_attribute_get(const html_tree *tree, uint32_t node, html_string name) {
  const html_attribute *attribute = tree->attributes + tree->nodes[node].attributes;
  for (uint32_t i = tree->nodes[node].nattributes; i > 0; i--, attribute++)
    if (html_same_name(attribute->name, name)) return attribute;
  return NULL;
}

/* Gives the first element from `node` on, all of whose siblings before `end` follow. */
static uint32_t find_element(const html_tree *tree, uint32_t node, uint32_t end) {
  while (node < end && tree->nodes[node].type != HTML_ELEMENT)
    node = tree->nodes[node].end;
  return node < end ? node : 0;
}

uint32_t html_next_element(const html_tree *tree, uint32_t node) {
  if (node == 0) return 0;
  return find_element(tree, tree->nodes[node].end, tree->nodes[tree->nodes[node].parent].end);
}

uint32_t html_first_element(const html_tree *tree, uint32_t node) {
  return find_element(tree, node + 1, tree->nodes[node].end);
}
