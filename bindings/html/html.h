/* What the files of the HTML binding share. A document is parsed by gumbo, in memory that is given
 * back at once, and kept as a tree of its own: an array of nodes in document order in one block of
 * memory, so that nothing that walks it needs recursion, however deep it is. */
#ifndef LULL_HTML_H
#define LULL_HTML_H

#include <gumbo.h>
#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory while parsing: arena.c ---- */

typedef struct html_arena html_arena;

/* Pushes the arena, whose memory lives until html_arena_free, or until it is collected. It begins
 * with `expected` bytes, and gives at most `limit`. */
html_arena *html_arena_new(lua_State *L, size_t expected, size_t limit);
void html_arena_free(html_arena *arena);

/* Never NULL: raises an error. */
void *html_alloc(html_arena *arena, size_t size);

/* Gives a larger copy of a vector that is full. */
void *html_grow(html_arena *arena, void *data, size_t *capacity, size_t item);

/* ---- strings ---- */

typedef struct html_string {
  const char *data; /* not ended by a zero */
  size_t size;
} html_string;

/* Makes UTF-8 of bytes (utf8.c): a byte order mark is dropped, what is invalid becomes U+FFFD. The
 * result is the bytes themselves if there is nothing to change. */
html_string html_utf8(html_arena *arena, html_string bytes);

static inline int html_is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static inline char html_lower(char c) {
  if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
  return c;
}

/* Whether two runs of bytes are the same but for the case of ASCII letters. */
static inline int html_equal_fold(const char *a, const char *b, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (a[i] != b[i] && html_lower(a[i]) != html_lower(b[i])) return 0;
  return 1;
}

static inline int html_same_name(html_string a, html_string b) {
  return a.size == b.size && html_equal_fold(a.data, b.data, a.size);
}

/* ---- documents that nest deeply: split.c ---- */

/* No such byte is in a document that html_utf8 has seen. */
#define HTML_MARK '\xFF'

/* A part of a document that is parsed by itself, as the content of a `context` element; only the
 * first has none. Where a piece was taken out stands a comment, `<?`, HTML_MARK, its number, `>`.
 */
typedef struct html_piece {
  html_string text;
  GumboTag context;
  GumboNamespaceEnum space;
  const GumboOutput *output; /* what it is parsed to */
} html_piece;

typedef struct html_pieces {
  html_piece *list;
  size_t count, capacity;
} html_pieces;

html_pieces html_split(html_arena *arena, html_string text);

/* ---- the tree: tree.c, places.c, traits.c ---- */

typedef enum html_type {
  HTML_DOCUMENT,
  HTML_DOCTYPE,
  HTML_ELEMENT,
  HTML_TEXT,
  HTML_COMMENT,
} html_type;

/* What is particular about an element. */
enum {
  HTML_VOID = 1 << 0,      /* has no end tag */
  HTML_RAW = 1 << 1,       /* its text is not escaped */
  HTML_PLAIN = 1 << 2,     /* it holds text only, escaped or not */
  HTML_HIDDEN = 1 << 3,    /* a browser does not show it */
  HTML_BLOCK = 1 << 4,     /* it begins and ends a line */
  HTML_PARAGRAPH = 1 << 5, /* and has an empty line around it */
  HTML_PRE = 1 << 6,       /* white space in it counts */
  HTML_CELL = 1 << 7,      /* of a table */
  HTML_BREAK = 1 << 8,     /* br */
  HTML_TEMPLATE = 1 << 9,  /* its content is a document of its own */
  HTML_ENDS_P = 1 << 10,   /* its start tag ends a paragraph */
  HTML_SCOPE = 1 << 11,    /* what is open around it stays open while it is */
  HTML_TABLE = 1 << 12,    /* so are rows and cells */
  HTML_ITEM = 1 << 13,     /* of a list */
  HTML_LIST = 1 << 14,
};

extern const uint16_t html_traits[GUMBO_TAG_LAST];

/* The places of an element among its siblings, from 1. */
enum { HTML_FROM_FIRST, HTML_FROM_LAST, HTML_OF_TYPE, HTML_OF_TYPE_FROM_LAST, HTML_PLACES };

typedef struct html_attribute {
  html_string name, value;
} html_attribute;

/* Nodes are known by their index. The children of a node follow it: its descendants are those up
 * to `end`. */
typedef struct html_node {
  uint8_t type;
  uint16_t traits;
  uint32_t parent; /* of the document: itself */
  uint32_t end;
  uint32_t previous; /* the element before it, or 0 */
  uint32_t place[HTML_PLACES];
  uint32_t attributes, nattributes;
  html_string text; /* an element's or a doctype's name, or the text */
} html_node;

typedef struct html_tree {
  uint32_t size;  /* the number of nodes */
  uint32_t depth; /* the most nodes above one, and that one */
  html_attribute *attributes;
  html_node nodes[];
} html_tree;

/* Makes a tree of what gumbo made of the pieces, and pushes it: one userdata with a user value. */
html_tree *html_tree_new(lua_State *L, html_arena *arena, const html_pieces *pieces);

/* Fills in what can be told from types, names and parents: ends, places and the depth. */
void html_tree_measure(lua_State *L, html_arena *arena, html_tree *tree);

/* Gives NULL if there is none of that name. */
const html_attribute *html_attribute_get(const html_tree *tree, uint32_t node, html_string name);

/* The element that follows among the siblings, or 0. */
uint32_t html_next_element(const html_tree *tree, uint32_t node);

/* The first element among the children, or 0. */
uint32_t html_first_element(const html_tree *tree, uint32_t node);

/* ---- what it is as text: text.c, serialise.c ---- */

/* Each pushes a string. */
void html_push_text(lua_State *L, const html_tree *tree, uint32_t node);
void html_push_markup(lua_State *L, const html_tree *tree, uint32_t node);
void html_push_start_tag(lua_State *L, const html_tree *tree, uint32_t node);

/* ---- parsing: parse.c ---- */

/* Pushes the tree of a document. */
html_tree *html_parse(lua_State *L, html_string bytes);

#endif
