/* :has(), which looks at what follows an element: one walk in the opposite direction, before the
 * other one, notes for each element what is in it and behind it. */
#include <string.h>

#include "selector.h"

/* Compounds in :has(), by their bits, that match with all that stands to their right. */
typedef struct notes {
  uint64_t below;    /* a descendant does */
  uint64_t children; /* a child does, of those visited so far */
  uint64_t next;     /* the last child that was visited does */
} notes;

/* Whether an element stands where a compound says, seen from `node`. */
static int is_related(const html_compound *compound, const notes *node, const notes *parent) {
  uint64_t bit = (uint64_t)1 << compound->bit;
  switch (compound->combinator) {
  case '>':
    return (node->children & bit) != 0;
  case '+':
    return (parent->next & bit) != 0;
  case '~':
    return (parent->children & bit) != 0;
  default:
    return (node->below & bit) != 0;
  }
}

/* Right compounds come after left ones. */
static uint64_t compounds_of(const html_matcher *m, uint32_t node, const notes *own,
                             const notes *parent) {
  const html_selector *selector = m->selector;
  uint64_t bits = 0;
  for (uint16_t i = selector->ncompounds; i-- > 0;) {
    const html_compound *compound = &selector->compounds[i];
    if (!compound->in_has) continue;
    if (compound->right != HTML_NONE &&
        !is_related(&selector->compounds[compound->right], own, parent))
      continue;
    if (html_match_compound(m, node, i)) bits |= (uint64_t)1 << compound->bit;
  }
  return bits;
}

static uint64_t results_of(const html_selector *selector, const notes *own, const notes *parent) {
  uint64_t results = 0;
  for (uint16_t i = 0; i < selector->ntests; i++) {
    const html_test *test = &selector->tests[i];
    if (test->ask != HTML_ASK_HAS) continue;
    for (uint16_t c = test->list; c != HTML_NONE; c = selector->compounds[c].other)
      if (is_related(&selector->compounds[c], own, parent)) results |= (uint64_t)1 << test->bit;
  }
  return results;
}

void html_match_has(lua_State *L, html_matcher *m, uint32_t end) {
  uint32_t from = m->has_from;
  size_t count = end - from;
  notes *all = lua_newuserdatauv(L, count * (sizeof *all + sizeof(uint64_t)), 0);
  uint64_t *results = (uint64_t *)(all + count);
  memset(all, 0, count * (sizeof *all + sizeof *results));
  for (uint32_t node = end; node-- > from + (from == m->scope);) {
    const html_node *element = &m->tree->nodes[node];
    if (element->type != HTML_ELEMENT) continue;
    notes *own = &all[node - from], *parent = &all[element->parent - from];
    if (element->traits & HTML_TEMPLATE) *own = (notes){0, 0, 0}; /* not its content */
    uint64_t bits = compounds_of(m, node, own, parent);
    results[node - from] = results_of(m->selector, own, parent);
    parent->children |= bits;
    parent->next = bits;
    parent->below |= bits | own->below;
  }
  m->has = results;
}
