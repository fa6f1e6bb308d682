/* Cuts a document that nests deeply into pieces, to be parsed one by one. For many a tag gumbo
 * looks through all elements that are open: 100,000 nested ones would take it half a minute.
 * Browsers flatten what is nested more than 512 deep; here it stays nested, but formatting and
 * paragraphs that are left open do not reach over a cut.
 *
 * How deep a tag is comes from a simple reading: it knows what ends paragraphs, items and cells,
 * but not where the tree builder moves what is misplaced. So a document that is nonsense that far
 * down may be cut at a place that makes it other nonsense, or not be cut and take its time. */
#include <stdio.h>
#include <string.h>

#include "scan.h"

#ifndef HTML_PIECE_DEPTH
#define HTML_PIECE_DEPTH 512
#endif

/* More attributes are dropped: gumbo compares each with all others. */
enum { MAX_ATTRIBUTES = 1000 };

/* An element that is open. */
typedef struct entry {
  uint32_t name; /* the tag, or a hash of a name that gumbo does not know */
  uint16_t traits;
  uint8_t space;
} entry;

typedef struct builder {
  char *data;
  size_t size, capacity;
} builder;

/* A piece that is open: where it is in the list, and how many elements are open around it. */
typedef struct level {
  size_t piece, base;
} level;

typedef struct splitter {
  html_arena *arena;
  html_scan scan;
  const char *copied; /* what is before it is in the pieces */
  html_pieces pieces;
  builder *builders; /* as many as pieces */
  size_t builders_capacity;
  level *levels;
  size_t nlevels, levels_capacity;
  entry *open;
  size_t nopen, open_capacity;
  unsigned root_attributes; /* how many html and body may still have */
} splitter;

/* ---- pieces ---- */

static void append(splitter *s, const char *data, size_t size) {
  builder *b = &s->builders[s->levels[s->nlevels - 1].piece];
  if (size > b->capacity - b->size) {
    size_t capacity = 2 * b->capacity + size + 64;
    char *larger = html_alloc(s->arena, capacity);
    if (b->size) memcpy(larger, b->data, b->size);
    b->data = larger;
    b->capacity = capacity;
  }
  if (size) memcpy(b->data + b->size, data, size);
  b->size += size;
}

static void copy_up_to(splitter *s, const char *p) {
  if (p > s->copied) append(s, s->copied, (size_t)(p - s->copied));
  s->copied = p;
}

static void new_piece(splitter *s, GumboTag context, GumboNamespaceEnum space) {
  if (s->pieces.count == s->pieces.capacity) {
    s->pieces.list =
        html_grow(s->arena, s->pieces.list, &s->pieces.capacity, sizeof *s->pieces.list);
    s->builders = html_grow(s->arena, s->builders, &s->builders_capacity, sizeof *s->builders);
  }
  if (s->nlevels == s->levels_capacity)
    s->levels = html_grow(s->arena, s->levels, &s->levels_capacity, sizeof *s->levels);
  s->levels[s->nlevels++] = (level){s->pieces.count, s->nopen};
  s->builders[s->pieces.count] = (builder){NULL, 0, 0};
  s->pieces.list[s->pieces.count++] = (html_piece){{NULL, 0}, context, space, NULL};
}

/* From here on the document goes into a piece of its own. */
static void enter(splitter *s, const char *at) {
  char mark[32];
  entry parent = s->open[s->nopen - 1];
  copy_up_to(s, at);
  int size = snprintf(mark, sizeof mark, "<?%c%zu>", HTML_MARK, s->pieces.count);
  append(s, mark, (size_t)size);
  GumboTag context = parent.name < GUMBO_TAG_LAST ? (GumboTag)parent.name : GUMBO_TAG_SPAN;
  new_piece(s, context, (GumboNamespaceEnum)parent.space);
}

/* Ends the elements from the n-th on, and the pieces inside them. */
static void close_down_to(splitter *s, size_t n, const char *at) {
  s->nopen = n;
  while (s->nlevels > 1 && n < s->levels[s->nlevels - 1].base) {
    copy_up_to(s, at);
    s->nlevels--;
  }
}

static void finish(splitter *s, html_string text) {
  if (s->copied == text.data) { /* nothing was cut */
    s->pieces.list[0].text = text;
    return;
  }
  copy_up_to(s, s->scan.end);
  for (size_t i = 0; i < s->pieces.count; i++)
    s->pieces.list[i].text = (html_string){s->builders[i].data, s->builders[i].size};
}

/* ---- open elements ---- */

/* Gives how many elements are open around the innermost one that has that name or one of the
 * traits, or nopen if a wall comes first. Nothing reaches out of foreign content. */
static size_t find_open(const splitter *s, uint32_t name, uint16_t traits, uint16_t walls) {
  size_t lowest = s->nopen > HTML_PIECE_DEPTH ? s->nopen - HTML_PIECE_DEPTH : 0;
  for (size_t i = s->nopen; i > lowest; i--) {
    const entry *e = &s->open[i - 1];
    if (e->name == name || (e->traits & traits)) return i - 1;
    if (e->space != GUMBO_NAMESPACE_HTML || (e->traits & walls)) break;
  }
  return s->nopen;
}

static int is_table_part(uint32_t name) {
  return name >= GUMBO_TAG_TABLE && name <= GUMBO_TAG_TH; /* in gumbo's order of tags */
}

/* Ends what a start tag ends without saying so. */
static void imply_ends(splitter *s, uint32_t name, uint16_t traits, const char *at) {
  size_t n = s->nopen;
  if (traits & HTML_ENDS_P) close_down_to(s, find_open(s, GUMBO_TAG_P, 0, HTML_SCOPE), at);
  if (traits & HTML_ITEM)
    n = find_open(s, name, HTML_ITEM, HTML_SCOPE | HTML_LIST);
  else if (traits & HTML_CELL)
    n = find_open(s, name, HTML_CELL, HTML_TABLE);
  else if (is_table_part(name) && name != GUMBO_TAG_TABLE)
    n = find_open(s, name, 0, HTML_TABLE);
  else if (name == GUMBO_TAG_BUTTON)
    n = find_open(s, name, 0, HTML_SCOPE);
  else if ((name == GUMBO_TAG_OPTION || name == GUMBO_TAG_A) && s->open[n - 1].name == name)
    n--;
  if (n < s->nopen) close_down_to(s, n, at);
}

/* What kind of elements are in an element of that name. */
static uint8_t space_inside(const splitter *s, uint32_t name) {
  uint8_t outside = s->open[s->nopen - 1].space;
  if (name == GUMBO_TAG_SVG) return GUMBO_NAMESPACE_SVG;
  if (name == GUMBO_TAG_MATH) return GUMBO_NAMESPACE_MATHML;
  if (outside == GUMBO_NAMESPACE_SVG &&
      (name == GUMBO_TAG_FOREIGNOBJECT || name == GUMBO_TAG_DESC || name == GUMBO_TAG_TITLE))
    return GUMBO_NAMESPACE_HTML;
  if (outside == GUMBO_NAMESPACE_MATHML &&
      ((name >= GUMBO_TAG_MI && name <= GUMBO_TAG_MTEXT) || name == GUMBO_TAG_ANNOTATION_XML))
    return GUMBO_NAMESPACE_HTML;
  return outside;
}

static void open_element(splitter *s, uint32_t name, uint16_t traits, const char *at) {
  if (s->nopen - s->levels[s->nlevels - 1].base >= HTML_PIECE_DEPTH) enter(s, at);
  if (s->nopen == s->open_capacity)
    s->open = html_grow(s->arena, s->open, &s->open_capacity, sizeof *s->open);
  uint8_t space = space_inside(s, name);
  s->open[s->nopen++] = (entry){name, traits, space};
}

/* ---- tags ---- */

static uint32_t number_of(html_string name) {
  GumboTag tag = gumbo_tagn_enum(name.data, (unsigned)name.size);
  if (tag != GUMBO_TAG_UNKNOWN) return tag;
  uint32_t hash = 2166136261;
  for (size_t i = 0; i < name.size; i++)
    hash = (hash ^ (unsigned char)html_lower(name.data[i])) * 16777619;
  return hash | 0x80000000;
}

/* gumbo adds up the attributes of all html tags, and of all body tags. */
static void skip_attributes(splitter *s, int is_root) {
  unsigned left = MAX_ATTRIBUTES;
  const char *excess = html_scan_attributes(&s->scan, is_root ? &s->root_attributes : &left);
  if (excess == NULL) return;
  copy_up_to(s, excess);
  s->copied = s->scan.at - (s->scan.at[-1] == '>');
}

static void read_end_tag(splitter *s, const html_tag *tag) {
  uint32_t name = number_of(tag->name);
  skip_attributes(s, 0);
  size_t n = find_open(s, name, 0, is_table_part(name) ? HTML_TABLE : HTML_SCOPE);
  if (n > 0 && n < s->nopen) close_down_to(s, n, tag->from);
}

static void read_foreign_tag(splitter *s, const html_tag *tag) {
  skip_attributes(s, 0);
  int is_empty = s->scan.at[-1] == '>' && s->scan.at[-2] == '/';
  if (!is_empty) open_element(s, number_of(tag->name), 0, tag->from);
}

static void read_start_tag(splitter *s, const html_tag *tag) {
  uint32_t name = number_of(tag->name);
  uint16_t traits = name < GUMBO_TAG_LAST ? html_traits[name] : 0;
  int is_root = name == GUMBO_TAG_HTML || name == GUMBO_TAG_BODY;
  skip_attributes(s, is_root);
  if (is_root || name == GUMBO_TAG_HEAD) return;
  imply_ends(s, name, traits, tag->from);
  if (name == GUMBO_TAG_PLAINTEXT)
    s->scan.at = s->scan.end;
  else if (traits & HTML_PLAIN)
    html_scan_text(&s->scan, tag->name);
  else if (!(traits & HTML_VOID))
    open_element(s, name, traits, tag->from);
}

html_pieces html_split(html_arena *arena, html_string text) {
  splitter s = {.arena = arena,
                .scan = {text.data, text.data + text.size},
                .copied = text.data,
                .root_attributes = MAX_ATTRIBUTES};
  s.open = html_grow(arena, NULL, &s.open_capacity, sizeof *s.open);
  s.open[s.nopen++] = (entry){GUMBO_TAG_BODY, 0, GUMBO_NAMESPACE_HTML};
  new_piece(&s, GUMBO_TAG_LAST, GUMBO_NAMESPACE_HTML);
  html_tag tag;
  for (;;) {
    int is_foreign = s.open[s.nopen - 1].space != GUMBO_NAMESPACE_HTML;
    if (!html_scan_tag(&s.scan, &tag, is_foreign)) break;
    if (tag.is_end)
      read_end_tag(&s, &tag);
    else if (is_foreign)
      read_foreign_tag(&s, &tag);
    else
      read_start_tag(&s, &tag);
  }
  finish(&s, text);
  return s.pieces;
}
