/* Cuts a document that nests deeply into pieces, to be parsed one by one. For many a tag gumbo
 * looks through all elements that are open: 100,000 nested ones would take it half a minute.
 * Browsers flatten what is nested more than 512 deep; here nothing is lost, but formatting and
 * paragraphs that are left open do not reach over a cut.
 *
 * How deep a tag is comes from a simple reading: it knows what ends paragraphs, items and cells,
 * but not where the tree builder moves what is misplaced. If it is wrong it only costs time. */
#include <stdio.h>
#include <string.h>

#include "html.h"

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
  const char *p, *end;
  const char *copied; /* what is before it is in the pieces */
  html_pieces pieces;
  builder *builders; /* as many as pieces */
  size_t builders_capacity;
  level *levels;
  size_t nlevels, levels_capacity;
  entry *open;
  size_t nopen, open_capacity;
  unsigned root_attributes; /* of all html and body tags */
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
  s->pieces.list[s->pieces.count++] = (html_piece){{NULL, 0}, context, space};
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
  copy_up_to(s, s->end);
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

static uint32_t name_of(const char *name, size_t size) {
  GumboTag tag = gumbo_tagn_enum(name, (unsigned)size);
  if (tag != GUMBO_TAG_UNKNOWN) return tag;
  uint32_t hash = 2166136261;
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ (unsigned char)html_lower(name[i])) * 16777619;
  return hash | 0x80000000;
}

static void skip_spaces(splitter *s) {
  while (s->p < s->end && (html_is_space(*s->p) || *s->p == '/'))
    s->p++;
}

static void skip_value(splitter *s) {
  const char *p = s->p;
  if (p < s->end && (*p == '"' || *p == '\'')) {
    p = memchr(p + 1, *p, (size_t)(s->end - p - 1));
    s->p = p ? p + 1 : s->end;
    return;
  }
  while (s->p < s->end && !html_is_space(*s->p) && *s->p != '>')
    s->p++;
}

static void skip_attribute(splitter *s) {
  s->p++; /* even if it is '=' */
  while (s->p < s->end && !html_is_space(*s->p) && !strchr("/>=", *s->p))
    s->p++;
  const char *name_end = s->p;
  while (s->p < s->end && html_is_space(*s->p))
    s->p++;
  if (s->p == s->end || *s->p != '=') {
    s->p = name_end;
    return;
  }
  s->p++;
  while (s->p < s->end && html_is_space(*s->p))
    s->p++;
  skip_value(s);
}

/* Skips the rest of a tag; drops attributes of which there are too many. */
static void skip_attributes(splitter *s, unsigned *count) {
  for (skip_spaces(s); s->p < s->end && *s->p != '>'; skip_spaces(s)) {
    const char *from = s->p;
    skip_attribute(s);
    if (++*count <= MAX_ATTRIBUTES) continue;
    copy_up_to(s, from);
    s->copied = s->p;
  }
  if (s->p < s->end) s->p++;
}

/* Goes to the end tag of an element that holds nothing but text. */
static void skip_text(splitter *s, const char *name, size_t size) {
  for (; (s->p = memchr(s->p, '<', (size_t)(s->end - s->p))) != NULL; s->p++) {
    if ((size_t)(s->end - s->p) < size + 3 || s->p[1] != '/') continue;
    char after = s->p[size + 2];
    if ((html_is_space(after) || after == '/' || after == '>') &&
        html_equal_fold(s->p + 2, name, size))
      return;
  }
  s->p = s->end;
}

static void read_start_tag(splitter *s, const char *at, const char *text, size_t size) {
  uint32_t name = name_of(text, size);
  uint16_t traits = name < GUMBO_TAG_LAST ? html_traits[name] : 0;
  int is_root = name == GUMBO_TAG_HTML || name == GUMBO_TAG_BODY;
  unsigned count = 0;
  skip_attributes(s, is_root ? &s->root_attributes : &count);
  if (is_root || name == GUMBO_TAG_HEAD) return;
  if (s->open[s->nopen - 1].space != GUMBO_NAMESPACE_HTML) {
    if (s->p[-1] != '>' || s->p[-2] != '/') open_element(s, name, traits, at);
    return;
  }
  imply_ends(s, name, traits, at);
  if (name == GUMBO_TAG_PLAINTEXT)
    s->p = s->end;
  else if (traits & HTML_PLAIN)
    skip_text(s, text, size);
  else if (!(traits & HTML_VOID))
    open_element(s, name, traits, at);
}

static void read_end_tag(splitter *s, const char *at, const char *text, size_t size) {
  uint32_t name = name_of(text, size);
  unsigned count = 0;
  skip_attributes(s, &count);
  size_t n = find_open(s, name, 0, is_table_part(name) ? HTML_TABLE : HTML_SCOPE);
  if (n > 0 && n < s->nopen) close_down_to(s, n, at);
}

/* ---- what is no tag ---- */

static void skip_past(splitter *s, const char *ending) {
  size_t size = strlen(ending);
  const char *found = memmem(s->p, (size_t)(s->end - s->p), ending, size);
  s->p = found ? found + size : s->end;
}

static int follows(const splitter *s, const char *text) {
  size_t size = strlen(text);
  return (size_t)(s->end - s->p) >= size && memcmp(s->p, text, size) == 0;
}

/* Skips a comment, a doctype, CDATA, or what is read as a comment. */
static void skip_declaration(splitter *s) {
  if (follows(s, "<!-->") || follows(s, "<!--->")) {
    skip_past(s, ">");
  } else if (follows(s, "<!--")) {
    s->p += 4;
    skip_past(s, "-->");
  } else if (follows(s, "<![CDATA[") && s->open[s->nopen - 1].space != GUMBO_NAMESPACE_HTML) {
    skip_past(s, "]]>");
  } else {
    skip_past(s, ">");
  }
}

static int is_letter(const splitter *s, const char *p) {
  return p < s->end && html_lower(*p) >= 'a' && html_lower(*p) <= 'z';
}

/* Reads what begins with a '<'. */
static void read_markup(splitter *s) {
  const char *at = s->p, *name = at + 1;
  int is_end = name < s->end && *name == '/';
  name += is_end;
  if (!is_letter(s, name)) {
    if (is_end || (name < s->end && (*name == '!' || *name == '?')))
      skip_declaration(s);
    else
      s->p++;
    return;
  }
  for (s->p = name; s->p < s->end && !html_is_space(*s->p) && *s->p != '/' && *s->p != '>';)
    s->p++;
  size_t size = (size_t)(s->p - name);
  if (is_end)
    read_end_tag(s, at, name, size);
  else
    read_start_tag(s, at, name, size);
}

html_pieces html_split(html_arena *arena, html_string text) {
  splitter s = {.arena = arena, .p = text.data, .end = text.data + text.size, .copied = text.data};
  s.open = html_grow(arena, NULL, &s.open_capacity, sizeof *s.open);
  s.open[s.nopen++] = (entry){GUMBO_TAG_BODY, 0, GUMBO_NAMESPACE_HTML};
  new_piece(&s, GUMBO_TAG_LAST, GUMBO_NAMESPACE_HTML);
  while ((s.p = memchr(s.p, '<', (size_t)(s.end - s.p))) != NULL)
    read_markup(&s);
  finish(&s, text);
  return s.pieces;
}
