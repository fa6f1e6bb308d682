/* Reads CSS selectors: Selectors Level 4, as far as it makes sense without a browser. Nesting is
 * bounded, and so is everything that matching one takes. */
#include <string.h>

#include "selector.h"

typedef struct reader {
  html_css css;
  html_selector *out;
  unsigned depth;
  int in_has;   /* inside of :has() */
  int in_inner; /* inside of :is() or :not() in there */
} reader;

static _Noreturn void fail(const reader *r, const char *message) {
  html_css_fail(&r->css, r->css.at, message);
}

/* Whether the next character is one of these. */
static int is_at(const reader *r, const char *characters) {
  char c = html_css_peek(&r->css);
  return c != '\0' && strchr(characters, c) != NULL;
}

static uint16_t read_list(reader *r, int is_relative);

/* ---- simple selectors ---- */

static html_test *new_test(reader *r, html_ask ask, uint16_t *link) {
  uint16_t index = r->out->ntests++;
  html_test *test = &r->out->tests[index];
  *test = (html_test){.ask = (uint8_t)ask, .next = HTML_NONE, .list = HTML_NONE};
  *link = index;
  return test;
}

static void read_attribute_value(reader *r, html_test *test) {
  html_css *css = &r->css;
  if (!is_at(r, "=~|^$*")) return;
  test->op = (uint8_t)*css->at;
  if (test->op != '=') css->at++;
  html_css_expect(css, '=');
  html_css_skip_space(css);
  if (is_at(r, "\"'"))
    test->value = html_css_string(css);
  else if (html_css_is_name(css))
    test->value = html_css_name(css);
  else
    fail(r, "a name or string expected");
  html_css_skip_space(css);
  if (html_css_accept_word(css, "i"))
    test->fold = 1;
  else
    html_css_accept_word(css, "s");
  html_css_skip_space(css);
}

static void read_attribute(reader *r, html_test *test) {
  html_css_skip_space(&r->css);
  test->name = html_css_name(&r->css);
  html_css_skip_space(&r->css);
  read_attribute_value(r, test);
  html_css_expect(&r->css, ']');
}

/* Pseudo-classes that are the place of an element among its siblings. */
typedef struct place_class {
  const char *name;
  uint8_t place;
  uint8_t is_first; /* it takes no argument */
} place_class;

static const place_class place_classes[] = {
    {"first-child", HTML_FROM_FIRST, 1}, {"last-child", HTML_FROM_LAST, 1},
    {"first-of-type", HTML_OF_TYPE, 1},  {"last-of-type", HTML_OF_TYPE_FROM_LAST, 1},
    {"nth-child", HTML_FROM_FIRST, 0},   {"nth-last-child", HTML_FROM_LAST, 0},
    {"nth-of-type", HTML_OF_TYPE, 0},    {"nth-last-of-type", HTML_OF_TYPE_FROM_LAST, 0},
};

static int is_word(html_string name, const char *word) {
  return html_same_name(name, (html_string){word, strlen(word)});
}

static uint16_t *read_place(reader *r, const place_class *class, uint16_t *link) {
  html_test *test = new_test(r, HTML_ASK_PLACE, link);
  test->place = class->place;
  test->offset = 1;
  if (class->is_first) return &test->next;
  html_css_expect(&r->css, '(');
  html_css_skip_space(&r->css);
  html_css_nth(&r->css, &test->step, &test->offset);
  html_css_skip_space(&r->css);
  html_css_expect(&r->css, ')');
  return &test->next;
}

/* :only-child is the first and the last one. */
static uint16_t *read_only(reader *r, uint8_t first, uint8_t last, uint16_t *link) {
  link = read_place(r, &(place_class){"", first, 1}, link);
  return read_place(r, &(place_class){"", last, 1}, link);
}

static uint16_t *read_nested(reader *r, html_ask ask, uint16_t *link) {
  reader outer = *r;
  html_test *test = new_test(r, ask, link);
  if (++r->depth > HTML_SELECTOR_DEPTH) fail(r, "nested too deeply");
  if (ask == HTML_ASK_HAS && r->in_has) fail(r, ":has() inside of :has()");
  if (ask == HTML_ASK_HAS)
    r->in_has = 1;
  else
    r->in_inner = r->in_has;
  html_css_expect(&r->css, '(');
  test->list = read_list(r, ask == HTML_ASK_HAS);
  html_css_expect(&r->css, ')');
  if (ask == HTML_ASK_HAS) test->bit = r->out->nhas++;
  r->depth = outer.depth;
  r->in_has = outer.in_has;
  r->in_inner = outer.in_inner;
  return &test->next;
}

/* Each of these reads a simple selector, puts its tests at `link` and gives where to put more. */
static uint16_t *read_pseudo_class(reader *r, uint16_t *link) {
  const char *from = r->css.at - 1;
  html_string name = html_css_name(&r->css);
  for (size_t i = 0; i < sizeof place_classes / sizeof *place_classes; i++)
    if (is_word(name, place_classes[i].name)) return read_place(r, &place_classes[i], link);
  if (is_word(name, "only-child")) return read_only(r, HTML_FROM_FIRST, HTML_FROM_LAST, link);
  if (is_word(name, "only-of-type"))
    return read_only(r, HTML_OF_TYPE, HTML_OF_TYPE_FROM_LAST, link);
  if (is_word(name, "not")) return read_nested(r, HTML_ASK_NOT, link);
  if (is_word(name, "is") || is_word(name, "where")) return read_nested(r, HTML_ASK_IS, link);
  if (is_word(name, "has")) return read_nested(r, HTML_ASK_HAS, link);
  if (is_word(name, "empty")) return &new_test(r, HTML_ASK_EMPTY, link)->next;
  if (is_word(name, "root")) return &new_test(r, HTML_ASK_ROOT, link)->next;
  if (is_word(name, "scope")) return &new_test(r, HTML_ASK_SCOPE, link)->next;
  html_css_fail(&r->css, from, "unknown pseudo-class");
}

static uint16_t *read_simple(reader *r, uint16_t *link) {
  html_test *test;
  if (html_css_accept(&r->css, ':')) return read_pseudo_class(r, link);
  if (html_css_accept(&r->css, '[')) {
    test = new_test(r, HTML_ASK_ATTRIBUTE, link);
    read_attribute(r, test);
  } else {
    test = new_test(r, *r->css.at == '#' ? HTML_ASK_ID : HTML_ASK_CLASS, link);
    r->css.at++;
    test->name = html_css_name(&r->css);
  }
  return &test->next;
}

/* ---- compounds and chains of them ---- */

static uint16_t read_compound(reader *r) {
  const char *from = r->css.at;
  uint16_t tests = HTML_NONE, *link = &tests;
  if (html_css_is_name(&r->css)) {
    html_test *test = new_test(r, HTML_ASK_TYPE, link);
    test->name = html_css_name(&r->css);
    link = &test->next;
  } else {
    html_css_accept(&r->css, '*');
  }
  while (is_at(r, "#.[:"))
    link = read_simple(r, link);
  if (r->css.at == from) fail(r, "a selector expected");
  uint16_t index = r->out->ncompounds++;
  r->out->compounds[index] =
      (html_compound){.tests = tests, .left = HTML_NONE, .right = HTML_NONE, .other = HTML_NONE};
  return index;
}

/* Gives 0 if no compound follows. */
static char read_combinator(reader *r) {
  int spaced = html_css_skip_space(&r->css);
  if (r->css.at == r->css.end || is_at(r, ",)")) return 0;
  if (is_at(r, ">+~")) {
    char combinator = *r->css.at++;
    html_css_skip_space(&r->css);
    return combinator;
  }
  if (!spaced) fail(r, "unexpected character");
  return ' ';
}

static void give_bits(reader *r, uint16_t compound) {
  uint8_t *count = r->in_has ? &r->out->nhas_bits : &r->out->nbits;
  for (; compound != HTML_NONE; compound = r->out->compounds[compound].left) {
    html_compound *c = &r->out->compounds[compound];
    if (*count == HTML_SELECTOR_BITS) fail(r, "too many parts");
    c->bit = (*count)++;
    c->in_has = r->in_has != 0;
    c->in_chain = !c->in_has;
  }
}

/* Reads a chain; gives its last compound, or if it is relative, as those in :has(), the first. */
static uint16_t read_chain(reader *r, int is_relative) {
  uint16_t left = HTML_NONE, first = HTML_NONE, compound;
  char combinator = ' ';
  if (is_relative && is_at(r, ">+~")) combinator = read_combinator(r);
  for (;;) {
    uint8_t nhas = r->out->nhas;
    compound = read_compound(r);
    html_compound *c = &r->out->compounds[compound];
    c->combinator = (uint8_t)combinator;
    c->left = left;
    if (left == HTML_NONE)
      first = compound;
    else
      r->out->compounds[left].right = compound;
    if (!r->in_has && (combinator == '+' || combinator == '~')) r->out->by_sibling = 1;
    const char *at = r->css.at;
    combinator = read_combinator(r);
    if (combinator == 0) break;
    if (r->in_inner) html_css_fail(&r->css, at, "no combinator can be here, inside of :has()");
    if (r->out->nhas > nhas) r->out->has_around = 1;
    left = compound;
  }
  if (is_relative || left != HTML_NONE) give_bits(r, compound);
  return is_relative ? first : compound;
}

static uint16_t read_list(reader *r, int is_relative) {
  uint16_t list = HTML_NONE;
  do {
    html_css_skip_space(&r->css);
    uint16_t chain = read_chain(r, is_relative);
    r->out->compounds[chain].other = list;
    list = chain;
  } while (html_css_accept(&r->css, ','));
  return list;
}

/* There are no more compounds, tests and letters of names than the text is long; U+FFFD takes
 * three bytes and is written with two at least. */
static html_selector *allocate(lua_State *L, size_t size, char **names) {
  size_t count = size + 1;
  size_t bytes = sizeof(html_selector) + count * (sizeof(html_test) + sizeof(html_compound) + 2);
  html_selector *selector = lua_newuserdatauv(L, bytes, 0);
  *selector = (html_selector){.list = HTML_NONE};
  selector->tests = (html_test *)(selector + 1);
  selector->compounds = (html_compound *)(selector->tests + count);
  *names = (char *)(selector->compounds + count);
  return selector;
}

html_selector *html_selector_new(lua_State *L, int index) {
  reader r = {.css = {.L = L, .index = index}};
  r.css.text.data = lua_tolstring(L, index, &r.css.text.size);
  r.css.at = r.css.text.data;
  r.css.end = r.css.at + r.css.text.size;
  if (r.css.text.size > HTML_SELECTOR_SIZE)
    html_css_fail(&r.css, r.css.at + HTML_SELECTOR_SIZE, "too long");
  r.out = allocate(L, r.css.text.size, &r.css.names);
  r.out->list = read_list(&r, 0);
  if (r.css.at < r.css.end) fail(&r, "unexpected character");
  return r.out;
}
