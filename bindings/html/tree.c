/* Makes the tree: lists gumbo's nodes in document order, with the pieces of a document that was
 * cut put in where they were taken out, and copies them into one block. What follows from the
 * order of the nodes is places.c's. */
#include <stdlib.h>
#include <string.h>

#include "html.h"

/* A node of gumbo's, and the index of its parent. */
typedef struct item {
  const GumboNode *node;
  uint32_t parent;
} item;

typedef struct list {
  item *items;
  size_t count, capacity;
} list;

typedef struct maker {
  html_arena *arena;
  const html_pieces *pieces;
  list nodes;   /* in document order */
  list waiting; /* to be listed; the next one last */
  size_t nattributes, nbytes;
  html_tree *tree;
  char *bytes;     /* where the next text goes */
  uint32_t filled; /* attributes */
} maker;

/* ---- listing ---- */

static void add(maker *m, list *to, const GumboNode *node, uint32_t parent) {
  if (to->count == to->capacity)
    to->items = html_grow(m->arena, to->items, &to->capacity, sizeof *to->items);
  to->items[to->count++] = (item){node, parent};
}

static void add_children(maker *m, const GumboVector *children, uint32_t parent) {
  for (unsigned i = children->length; i > 0; i--)
    add(m, &m->waiting, children->data[i - 1], parent);
}

/* A comment that split.c has put where it took a piece out. */
static int is_mark(const GumboNode *node) {
  const GumboStringPiece *source = &node->v.text.original_text;
  return node->type == GUMBO_NODE_COMMENT && source->length > 2 && source->data[2] == HTML_MARK;
}

static void add_piece(maker *m, const GumboNode *mark, uint32_t parent) {
  size_t piece = strtoul(mark->v.text.original_text.data + 3, NULL, 10);
  const GumboNode *root = m->pieces->list[piece].output->root;
  add_children(m, &root->v.element.children, parent);
}

static int is_element(const GumboNode *node) {
  return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
}

/* The tag as it was written, without what follows the name; empty if it was not. */
static html_string written_name(const GumboElement *element) {
  GumboStringPiece name = element->original_tag;
  if (name.data == NULL || name.length < 2) return (html_string){"", 0};
  gumbo_tag_from_original_text(&name);
  return (html_string){name.data, name.length};
}

static void count_element(maker *m, const GumboElement *element) {
  if (element->tag == GUMBO_TAG_UNKNOWN) m->nbytes += 3 * written_name(element).size;
  m->nattributes += element->attributes.length;
  for (unsigned i = 0; i < element->attributes.length; i++) {
    const GumboAttribute *attribute = element->attributes.data[i];
    m->nbytes += sizeof "xmlns:" + strlen(attribute->name) + strlen(attribute->value);
  }
}

static void list_node(maker *m, item next) {
  uint32_t index = (uint32_t)m->nodes.count;
  add(m, &m->nodes, next.node, next.parent);
  if (is_element(next.node)) {
    count_element(m, &next.node->v.element);
    add_children(m, &next.node->v.element.children, index);
  } else {
    m->nbytes += strlen(next.node->v.text.text);
  }
}

static void list_nodes(maker *m) {
  const GumboNode *document = m->pieces->list[0].output->document;
  add(m, &m->nodes, document, 0);
  if (document->v.document.has_doctype) add(m, &m->nodes, NULL, 0);
  m->nbytes += strlen(document->v.document.name);
  add_children(m, &document->v.document.children, 0);
  while (m->waiting.count > 0) {
    item next = m->waiting.items[--m->waiting.count];
    if (is_mark(next.node))
      add_piece(m, next.node, next.parent);
    else
      list_node(m, next);
  }
}

/* ---- copying ---- */

static html_string copy(maker *m, const char *text, size_t size) {
  html_string copied = {m->bytes, size};
  memcpy(m->bytes, text, size);
  m->bytes += size;
  return copied;
}

static html_string copy_all(maker *m, const char *text) {
  return copy(m, text, strlen(text));
}

/* The name of an element that gumbo has no tag for: in lower case, a zero in it replaced, a letter
 * that parse.c has replaced put back. */
static html_string copy_name(maker *m, html_string name) {
  html_string copied = {m->bytes, 0};
  for (size_t i = 0; i < name.size; i++) {
    char c = html_lower(name.data[i]);
    if (c == HTML_MARK) c = html_lower(name.data[0]) == 's' ? 'v' : 'a';
    copy(m, c ? &c : "\xEF\xBF\xBD", c ? 1 : 3);
  }
  copied.size = (size_t)(m->bytes - copied.data);
  return copied;
}

static html_string element_name(maker *m, const GumboElement *element) {
  GumboStringPiece written = element->original_tag;
  if (element->tag_namespace == GUMBO_NAMESPACE_SVG && written.length >= 2) {
    gumbo_tag_from_original_text(&written);
    const char *mixed = gumbo_normalize_svg_tagname(&written);
    if (mixed != NULL) return (html_string){mixed, strlen(mixed)};
  }
  if (element->tag == GUMBO_TAG_UNKNOWN) return copy_name(m, written_name(element));
  const char *known = gumbo_normalized_tagname(element->tag);
  return (html_string){known, strlen(known)};
}

static html_string attribute_name(maker *m, const GumboAttribute *attribute) {
  static const char *const prefixes[] = {"", "xlink:", "xml:", "xmlns:"};
  const char *prefix = prefixes[attribute->attr_namespace];
  if (strcmp(attribute->name, "xmlns") == 0) prefix = "";
  html_string name = copy_all(m, prefix);
  name.size += copy_all(m, attribute->name).size;
  return name;
}

static void copy_attributes(maker *m, html_node *node, const GumboVector *attributes) {
  node->attributes = m->filled;
  node->nattributes = attributes->length;
  for (unsigned i = 0; i < attributes->length; i++) {
    const GumboAttribute *attribute = attributes->data[i];
    html_attribute *copied = &m->tree->attributes[m->filled++];
    copied->name = attribute_name(m, attribute);
    copied->value = copy_all(m, attribute->value);
  }
}

static int has(const maker *m, const html_node *node, const char *name) {
  html_string text = {name, strlen(name)};
  return html_attribute_get(m->tree, (uint32_t)(node - m->tree->nodes), text) != NULL;
}

static int is_named(const html_node *node, const char *name) {
  return node->text.size == strlen(name) && memcmp(node->text.data, name, node->text.size) == 0;
}

/* Elements that gumbo is too old to know, and those that are not shown because of an attribute. */
static uint16_t further_traits(const maker *m, const html_node *node) {
  uint16_t traits = 0;
  if (is_named(node, "dialog")) traits |= has(m, node, "open") ? HTML_BLOCK : HTML_HIDDEN;
  if (is_named(node, "search")) traits |= HTML_BLOCK;
  if (has(m, node, "hidden")) traits |= HTML_HIDDEN;
  return traits;
}

static uint16_t foreign_traits(const html_node *node) {
  static const char *const hidden[] = {"title", "desc", "metadata", "style", "script", "defs"};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
    if (is_named(node, hidden[i])) return HTML_HIDDEN;
  return 0;
}

static void copy_element(maker *m, html_node *node, const GumboElement *element) {
  node->type = HTML_ELEMENT;
  node->text = element_name(m, element);
  copy_attributes(m, node, &element->attributes);
  if (element->tag_namespace == GUMBO_NAMESPACE_HTML)
    node->traits = (uint16_t)(html_traits[element->tag] | further_traits(m, node));
  else
    node->traits = foreign_traits(node);
}

static void copy_node(maker *m, html_node *node, const GumboNode *source) {
  if (source == NULL) {
    node->type = HTML_DOCTYPE;
    node->text = copy_all(m, m->pieces->list[0].output->document->v.document.name);
  } else if (is_element(source)) {
    copy_element(m, node, &source->v.element);
  } else if (source->type != GUMBO_NODE_DOCUMENT) {
    node->type = source->type == GUMBO_NODE_COMMENT ? HTML_COMMENT : HTML_TEXT;
    node->text = copy_all(m, source->v.text.text);
  }
}

/* ---- the whole ---- */

html_tree *html_tree_new(lua_State *L, html_arena *arena, const html_pieces *pieces) {
  maker m = {.arena = arena, .pieces = pieces};
  list_nodes(&m);
  size_t nodes = sizeof(html_tree) + m.nodes.count * sizeof(html_node);
  size_t attributes = m.nattributes * sizeof(html_attribute);
  m.tree = lua_newuserdatauv(L, nodes + attributes + m.nbytes, 1);
  memset(m.tree, 0, nodes);
  m.tree->size = (uint32_t)m.nodes.count;
  m.tree->attributes = (html_attribute *)((char *)m.tree + nodes);
  m.bytes = (char *)m.tree->attributes + attributes;
  for (uint32_t i = 0; i < m.tree->size; i++) {
    m.tree->nodes[i].parent = m.nodes.items[i].parent;
    copy_node(&m, &m.tree->nodes[i], m.nodes.items[i].node);
  }
  return m.tree;
}
