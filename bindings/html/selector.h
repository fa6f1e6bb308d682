/* CSS selectors, read once and then matched against many elements. */
#ifndef LULL_HTML_SELECTOR_H
#define LULL_HTML_SELECTOR_H

#include "html.h"

/* What a test asks of an element. */
typedef enum html_ask {
  HTML_ASK_TYPE,      /* name */
  HTML_ASK_CLASS,     /* name */
  HTML_ASK_ID,        /* name */
  HTML_ASK_ATTRIBUTE, /* name, op, value, fold */
  HTML_ASK_PLACE,     /* place, step, offset */
  HTML_ASK_EMPTY,
  HTML_ASK_ROOT,
  HTML_ASK_SCOPE,
  HTML_ASK_IS,  /* list */
  HTML_ASK_NOT, /* list */
  HTML_ASK_HAS, /* list, bit */
} html_ask;

enum { HTML_NONE = 0xFFFF };

typedef struct html_test {
  uint8_t ask;
  uint8_t op;   /* '=' and what may stand before it, or 0: it is enough that it is there */
  uint8_t fold; /* the case of ASCII letters makes no difference */
  uint8_t place, bit;
  uint16_t next; /* of the same compound, or HTML_NONE */
  uint16_t list; /* the first of alternatives: the last compounds of complex selectors, but the
                    first ones in :has() */
  int32_t step, offset;
  html_string name, value;
} html_test;

/* A run of simple selectors, such as `a.b[c]`. Complex selectors are chains of them. Compounds are
 * stored in such an order that those inside of :is() and the like come before the one that has
 * them, and left ones before right ones. */
typedef struct html_compound {
  uint16_t tests;              /* the first one, or HTML_NONE */
  uint16_t left, right, other; /* compounds, or HTML_NONE; the other is the next alternative */
  uint8_t combinator;          /* what stands to its left: one of " >+~" */
  uint8_t bit;                 /* of compounds in chains, and of those in :has() */
  uint8_t in_chain, in_has;
} html_compound;

typedef struct html_selector {
  uint16_t list; /* the first alternative */
  uint16_t ncompounds, ntests;
  uint8_t nbits;      /* of compounds in chains */
  uint8_t nhas_bits;  /* of compounds in :has() */
  uint8_t nhas;       /* :has() itself */
  uint8_t by_sibling; /* + or ~ is used outside of :has() */
  uint8_t has_around; /* :has() may be asked of elements around the scope */
  html_compound *compounds;
  html_test *tests;
} html_selector;

/* The longest selector, and the deepest one. There are at most 64 compounds in chains, 64 in
 * :has(), since bits for them are in a word. */
enum { HTML_SELECTOR_SIZE = 4096, HTML_SELECTOR_DEPTH = 16, HTML_SELECTOR_BITS = 64 };

/* Pushes the selector that the string at a stack index says; a bad one is an argument error. */
html_selector *html_selector_new(lua_State *L, int index);

/* ---- what a selector consists of: css.c ---- */

typedef struct html_css {
  lua_State *L;
  int index; /* of the argument */
  html_string text;
  const char *at, *end;
  char *names; /* where the next name goes */
} html_css;

/* Raises an error that quotes the selector and says where it is wrong. */
_Noreturn void html_css_fail(const html_css *css, const char *at, const char *message);

/* The character to be read next, 0 at the end. */
char html_css_peek(const html_css *css);

/* Whether that is `c`, which is then skipped. */
int html_css_accept(html_css *css, char c);

/* The same for a word, in upper or lower case, that no further letter follows. */
int html_css_accept_word(html_css *css, const char *word);

/* Gives whether there was any. */
int html_css_skip_space(html_css *css);

void html_css_expect(html_css *css, char c);
int html_css_is_name(const html_css *css);
html_string html_css_name(html_css *css);   /* an identifier, or what follows '#' */
html_string html_css_string(html_css *css); /* in quotes */

/* The an+b of :nth-child(). */
void html_css_nth(html_css *css, int32_t *step, int32_t *offset);

/* ---- matching: match.c, has.c ---- */

typedef struct html_frame html_frame;

typedef struct html_matcher {
  const html_tree *tree;
  const html_selector *selector;
  uint32_t scope;
  uint32_t next; /* node to be looked at */
  html_frame *frames, *top;
  uint64_t bits;       /* compounds in chains that the element at hand matches */
  const uint64_t *has; /* for each node from has_from on: the bits of :has() */
  uint32_t has_from;
} html_matcher;

/* Pushes what the matcher needs, one or two values, which must stay while it is used. */
void html_match_start(lua_State *L, html_matcher *m, const html_tree *tree, uint32_t scope,
                      const html_selector *selector);

/* Gives the next descendant of the scope that matches, in document order, or 0. */
uint32_t html_match_next(html_matcher *m);

/* Whether an element passes all tests of a compound. */
int html_match_compound(const html_matcher *m, uint32_t node, uint16_t compound);

/* Finds, for the nodes from m->has_from on, the bits of :has(); pushes their memory. */
void html_match_has(lua_State *L, html_matcher *m, uint32_t end);

#endif
