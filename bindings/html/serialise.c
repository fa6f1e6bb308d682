/* Markup of the tree, by the HTML Standard's algorithm for serialising fragments (13.3). */
#include <string.h>

#include "html.h"

static void add_string(luaL_Buffer *buffer, html_string text) {
  luaL_addlstring(buffer, text.data, text.size);
}

/* Gives what stands for the character at p, and sets its length; NULL if it stands for itself. */
static const char *escape_of(const char *p, const char *end, int in_attribute, size_t *length) {
  *length = 1;
  switch (*p) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return in_attribute ? "&quot;" : NULL;
  case '\xC2':
    if (p + 1 == end || p[1] != '\xA0') return NULL;
    *length = 2;
    return "&nbsp;";
  default:
    return NULL;
  }
}

static void add_escaped(luaL_Buffer *buffer, html_string text, int in_attribute) {
  const char *run = text.data, *end = run + text.size;
  for (const char *p = run; p < end;) {
    size_t length;
    const char *escape = escape_of(p, end, in_attribute, &length);
    if (escape != NULL) {
      luaL_addlstring(buffer, run, (size_t)(p - run));
      luaL_addstring(buffer, escape);
      run = p + length;
    }
    p += length;
  }
  luaL_addlstring(buffer, run, (size_t)(end - run));
}

static void add_start_tag(luaL_Buffer *buffer, const html_tree *tree, const html_node *node) {
  luaL_addchar(buffer, '<');
  add_string(buffer, node->text);
  for (uint32_t i = 0; i < node->nattributes; i++) {
    const html_attribute *attribute = &tree->attributes[node->attributes + i];
    luaL_addchar(buffer, ' ');
    add_string(buffer, attribute->name);
    luaL_addstring(buffer, "=\"");
    add_escaped(buffer, attribute->value, 1);
    luaL_addchar(buffer, '"');
  }
  luaL_addchar(buffer, '>');
}

static void add_end_tag(luaL_Buffer *buffer, const html_node *node) {
  if (node->type != HTML_ELEMENT || (node->traits & HTML_VOID)) return;
  luaL_addstring(buffer, "</");
  add_string(buffer, node->text);
  luaL_addchar(buffer, '>');
}

static void add_node(luaL_Buffer *buffer, const html_tree *tree, const html_node *node) {
  switch (node->type) {
  case HTML_DOCTYPE:
    luaL_addstring(buffer, "<!DOCTYPE ");
    add_string(buffer, node->text);
    luaL_addchar(buffer, '>');
    break;
  case HTML_ELEMENT:
    add_start_tag(buffer, tree, node);
    break;
  case HTML_TEXT:
    if (tree->nodes[node->parent].traits & HTML_RAW)
      add_string(buffer, node->text);
    else
      add_escaped(buffer, node->text, 0);
    break;
  case HTML_COMMENT:
    luaL_addstring(buffer, "<!--");
    add_string(buffer, node->text);
    luaL_addstring(buffer, "-->");
    break;
  default:
    break;
  }
}

void html_push_markup(lua_State *L, const html_tree *tree, uint32_t node) {
  const html_node *nodes = tree->nodes;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  uint32_t open = node; /* the innermost node that has not ended */
  for (uint32_t i = node; i < nodes[node].end; i++) {
    for (; i >= nodes[open].end; open = nodes[open].parent)
      add_end_tag(&buffer, &nodes[open]);
    add_node(&buffer, tree, &nodes[i]);
    open = i;
  }
  for (; open != node; open = nodes[open].parent)
    add_end_tag(&buffer, &nodes[open]);
  add_end_tag(&buffer, &nodes[node]);
  luaL_pushresult(&buffer);
}

void html_push_start_tag(lua_State *L, const html_tree *tree, uint32_t node) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  add_start_tag(&buffer, tree, &tree->nodes[node]);
  luaL_pushresult(&buffer);
}
