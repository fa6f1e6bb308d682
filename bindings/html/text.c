/* Text as a reader sees it: what a browser would show without style sheets, much as the innerText
 * of the HTML Standard. White space is one space, none at the ends of lines. */
#include "html.h"

typedef struct writer {
  luaL_Buffer buffer;
  const html_tree *tree;
  unsigned breaks; /* line breaks to be written before what comes next */
  int space;       /* or a space */
  int began;       /* something is written */
  int at_start;    /* of a line or cell */
  unsigned pre;    /* elements that are open in which white space counts */
} writer;

static void flush(writer *w) {
  if (w->began)
    for (; w->breaks > 0; w->breaks--)
      luaL_addchar(&w->buffer, '\n');
  if (w->space && w->began && !w->at_start) luaL_addchar(&w->buffer, ' ');
  w->breaks = 0;
  w->space = 0;
}

/* Breaks the line, unless it is new; `count` is 2 for an empty line between. */
static void break_line(writer *w, unsigned count) {
  w->space = 0;
  if (w->at_start && w->breaks == 0) return;
  w->at_start = 1;
  if (w->breaks < count) w->breaks = count;
}

static void add_break(writer *w) {
  w->space = 0;
  w->at_start = 1;
  w->breaks++;
}

static void add_run(writer *w, const char *text, size_t size) {
  flush(w);
  luaL_addlstring(&w->buffer, text, size);
  w->began = 1;
  w->at_start = 0;
}

static void add_collapsed(writer *w, const char *p, const char *end) {
  while (p < end) {
    const char *run = p;
    while (p < end && !html_is_space(*p))
      p++;
    if (p > run) add_run(w, run, (size_t)(p - run));
    for (; p < end && html_is_space(*p); p++)
      w->space = 1;
  }
}

/* Breaks at the end are held back, since a line may end there anyway. */
static void add_preformatted(writer *w, const char *p, const char *end) {
  while (p < end) {
    const char *run = p;
    while (p < end && *p != '\n')
      p++;
    if (p > run) add_run(w, run, (size_t)(p - run));
    for (; p < end && *p == '\n'; p++)
      add_break(w);
  }
}

static void add_text(writer *w, const html_node *node) {
  const char *p = node->text.data, *end = p + node->text.size;
  if (!w->began) /* the whole is trimmed */
    while (p < end && html_is_space(*p))
      p++;
  if (w->pre)
    add_preformatted(w, p, end);
  else
    add_collapsed(w, p, end);
}

static int has_cell_after(const writer *w, uint32_t node) {
  uint32_t next = html_next_element(w->tree, node);
  return next != 0 && (w->tree->nodes[next].traits & HTML_CELL);
}

static unsigned breaks_around(uint16_t traits) {
  return traits & HTML_PARAGRAPH ? 2 : 1;
}

static void begin_element(writer *w, const html_node *node) {
  if (node->traits & HTML_BLOCK) break_line(w, breaks_around(node->traits));
  if (node->traits & HTML_PRE) w->pre++;
  if (!(node->traits & HTML_CELL)) return;
  w->space = 0;
  flush(w);
  w->at_start = 1;
}

/* Cells of a row are separated by tabs. */
static void end_element(writer *w, uint32_t index) {
  const html_node *node = &w->tree->nodes[index];
  if (node->traits & HTML_PRE) w->pre--;
  if (node->traits & HTML_BREAK) add_break(w);
  if (node->traits & HTML_BLOCK) break_line(w, breaks_around(node->traits));
  if (!(node->traits & HTML_CELL)) return;
  w->breaks = 0;
  w->space = 0;
  w->at_start = 0;
  if (w->began && has_cell_after(w, index)) luaL_addchar(&w->buffer, '\t');
}

static unsigned preformatted_around(const html_tree *tree, uint32_t node) {
  unsigned count = 0;
  for (; node != 0; node = tree->nodes[node].parent)
    if (tree->nodes[node].traits & HTML_PRE) count++;
  return count;
}

static void trim_end(luaL_Buffer *buffer) {
  const char *text = luaL_buffaddr(buffer);
  while (luaL_bufflen(buffer) > 0 && html_is_space(text[luaL_bufflen(buffer) - 1]))
    luaL_buffsub(buffer, 1);
}

/* The element itself may be one that is not shown. */
void html_push_text(lua_State *L, const html_tree *tree, uint32_t node) {
  const html_node *nodes = tree->nodes;
  writer w = {.tree = tree, .at_start = 1, .pre = preformatted_around(tree, node)};
  luaL_buffinit(L, &w.buffer);
  uint32_t open = node;
  for (uint32_t i = node + 1; i < nodes[node].end;) {
    for (; i >= nodes[open].end; open = nodes[open].parent)
      end_element(&w, open);
    if (nodes[i].type == HTML_ELEMENT && (nodes[i].traits & HTML_HIDDEN)) {
      i = nodes[i].end;
      continue;
    }
    if (nodes[i].type == HTML_ELEMENT) {
      begin_element(&w, &nodes[i]);
      open = i;
    } else if (nodes[i].type == HTML_TEXT) {
      add_text(&w, &nodes[i]);
    }
    i++;
  }
  trim_end(&w.buffer);
  luaL_pushresult(&w.buffer);
}
