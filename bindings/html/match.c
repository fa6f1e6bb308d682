/* Matches a selector against elements, in one walk in document order. For each element it notes
 * which compounds of complex selectors match, with all that stands to their left; what the notes
 * of its parent and of the element before it say decides about the next compound. So nothing is
 * tried twice, and the time is that of the tree times that of the selector, whatever they are. */
#include <string.h>

#include "selector.h"

/* What is noted while an element is open, of compounds by their bits. */
struct html_frame {
  uint32_t end;      /* of the element */
  uint64_t parent;   /* the element itself matches these, as the parent of others */
  uint64_t above;    /* it, or one around it, does */
  uint64_t previous; /* the last of its children so far does */
  uint64_t before;   /* one of them does */
};

/* ---- tests of one element ---- */

static html_string value_of(const html_matcher *m, uint32_t node, const char *name) {
  html_string text = {name, strlen(name)};
  const html_attribute *attribute = html_attribute_get(m->tree, node, text);
  return attribute ? attribute->value : (html_string){"", 0};
}

static int is_equal(const char *a, html_string b, int fold) {
  return fold ? html_equal_fold(a, b.data, b.size) : memcmp(a, b.data, b.size) == 0;
}

/* Whether the word is one of those that white space separates. */
static int has_word(html_string list, html_string word, int fold) {
  const char *p = list.data, *end = p + list.size;
  while (p < end) {
    const char *from = p;
    while (p < end && !html_is_space(*p))
      p++;
    if ((size_t)(p - from) == word.size && word.size > 0 && is_equal(from, word, fold)) return 1;
    while (p < end && html_is_space(*p))
      p++;
  }
  return 0;
}

static int contains(html_string text, html_string part, int fold) {
  if (!fold) return memmem(text.data, text.size, part.data, part.size) != NULL;
  for (size_t i = 0; i + part.size <= text.size; i++)
    if (html_equal_fold(text.data + i, part.data, part.size)) return 1;
  return 0;
}

static int passes_value(html_string value, const html_test *test) {
  html_string wanted = test->value;
  if (test->op == '~') return has_word(value, wanted, test->fold);
  if (value.size < wanted.size) return 0;
  size_t more = value.size - wanted.size;
  switch (test->op) {
  case '=':
    return more == 0 && is_equal(value.data, wanted, test->fold);
  case '|':
    return is_equal(value.data, wanted, test->fold) &&
           (more == 0 || value.data[wanted.size] == '-');
  case '^':
    return wanted.size > 0 && is_equal(value.data, wanted, test->fold);
  case '$':
    return wanted.size > 0 && is_equal(value.data + more, wanted, test->fold);
  default:
    return wanted.size > 0 && contains(value, wanted, test->fold);
  }
}

static int passes_attribute(const html_matcher *m, uint32_t node, const html_test *test) {
  const html_attribute *attribute = html_attribute_get(m->tree, node, test->name);
  return attribute != NULL && (test->op == 0 || passes_value(attribute->value, test));
}

/* Whether the place is step * n + offset for some n >= 0. */
static int passes_place(uint32_t place, const html_test *test) {
  int64_t rest = (int64_t)place - test->offset;
  if (test->step == 0) return rest == 0;
  return rest % test->step == 0 && rest / test->step >= 0;
}

static int is_empty(const html_tree *tree, uint32_t node) {
  for (uint32_t i = node + 1; i < tree->nodes[node].end; i++)
    if (tree->nodes[i].type != HTML_COMMENT) return 0;
  return 1;
}

static int is_root(const html_tree *tree, uint32_t node) {
  return tree->nodes[node].parent == 0;
}

/* :scope is the element below which is searched; the root element, if that is the document. */
static int is_scope(const html_matcher *m, uint32_t node) {
  return m->scope == 0 ? is_root(m->tree, node) : m->scope == node;
}

static int passes_list(const html_matcher *m, uint32_t node, uint16_t list) {
  for (; list != HTML_NONE; list = m->selector->compounds[list].other) {
    const html_compound *compound = &m->selector->compounds[list];
    if (compound->in_chain ? (m->bits >> compound->bit & 1) != 0
                           : html_match_compound(m, node, list))
      return 1;
  }
  return 0;
}

static int passes(const html_matcher *m, uint32_t node, const html_test *test) {
  const html_node *element = &m->tree->nodes[node];
  switch ((html_ask)test->ask) {
  case HTML_ASK_TYPE:
    return html_same_name(element->text, test->name);
  case HTML_ASK_CLASS:
    return has_word(value_of(m, node, "class"), test->name, 0);
  case HTML_ASK_ID: {
    html_string id = value_of(m, node, "id");
    return id.size == test->name.size && is_equal(id.data, test->name, 0);
  }
  case HTML_ASK_ATTRIBUTE:
    return passes_attribute(m, node, test);
  case HTML_ASK_PLACE:
    return passes_place(element->place[test->place], test);
  case HTML_ASK_EMPTY:
    return is_empty(m->tree, node);
  case HTML_ASK_ROOT:
    return is_root(m->tree, node);
  case HTML_ASK_SCOPE:
    return is_scope(m, node);
  case HTML_ASK_IS:
    return passes_list(m, node, test->list);
  case HTML_ASK_NOT:
    return !passes_list(m, node, test->list);
  case HTML_ASK_HAS:
    return node >= m->has_from && (m->has[node - m->has_from] >> test->bit & 1) != 0;
  }
  return 0;
}

int html_match_compound(const html_matcher *m, uint32_t node, uint16_t compound) {
  const html_test *tests = m->selector->tests;
  for (uint16_t i = m->selector->compounds[compound].tests; i != HTML_NONE; i = tests[i].next)
    if (!passes(m, node, &tests[i])) return 0;
  return 1;
}

/* ---- chains ---- */

static int passes_left(const html_matcher *m, const html_compound *compound) {
  if (compound->left == HTML_NONE) return 1;
  uint64_t bit = (uint64_t)1 << m->selector->compounds[compound->left].bit;
  switch (compound->combinator) {
  case '>':
    return (m->top->parent & bit) != 0;
  case '+':
    return (m->top->previous & bit) != 0;
  case '~':
    return (m->top->before & bit) != 0;
  default:
    return (m->top->above & bit) != 0;
  }
}

/* Notes which compounds match an element, whose parent is the top frame's. */
static void note(html_matcher *m, uint32_t node) {
  const html_selector *selector = m->selector;
  m->bits = 0;
  for (uint16_t i = 0; i < selector->ncompounds; i++) {
    const html_compound *compound = &selector->compounds[i];
    if (compound->in_chain && passes_left(m, compound) && html_match_compound(m, node, i))
      m->bits |= (uint64_t)1 << compound->bit;
  }
  m->top->previous = m->bits;
  m->top->before |= m->bits;
}

/* Opens the element that was noted last. */
static void push_frame(html_matcher *m, uint32_t node) {
  const html_frame *outer = m->top++;
  *m->top = (html_frame){
      .end = m->tree->nodes[node].end, .parent = m->bits, .above = outer->above | m->bits};
}

/* Opens an element around the scope, or the scope; of those before it only their notes count. */
static void open_ancestor(html_matcher *m, uint32_t node) {
  uint32_t first = html_first_element(m->tree, m->tree->nodes[node].parent);
  if (m->selector->by_sibling)
    for (uint32_t i = first; i != node; i = html_next_element(m->tree, i))
      note(m, i);
  note(m, node);
  push_frame(m, node);
}

/* The content of a template knows nothing around it. */
static int is_outermost(const html_tree *tree, uint32_t node) {
  return node == 0 || (tree->nodes[node].traits & HTML_TEMPLATE);
}

/* Opens the scope and what is around it. Each frame holds its element until it is opened. */
static void open_scope(html_matcher *m) {
  const html_tree *tree = m->tree;
  size_t count = 0;
  uint32_t node = m->scope;
  for (; !is_outermost(tree, node); node = tree->nodes[node].parent)
    count++;
  *m->frames = (html_frame){.end = tree->nodes[node].end};
  m->top = m->frames;
  node = m->scope;
  for (size_t i = count; i > 0; i--, node = tree->nodes[node].parent)
    m->frames[i].end = node;
  for (size_t i = 1; i <= count; i++)
    open_ancestor(m, m->frames[i].end);
}

/* ---- the walk ---- */

void html_match_start(lua_State *L, html_matcher *m, const html_tree *tree, uint32_t scope,
                      const html_selector *selector) {
  uint32_t end = tree->nodes[scope].end;
  *m = (html_matcher){.tree = tree, .selector = selector, .scope = scope, .next = scope + 1};
  if (selector->nhas > 0) {
    m->has_from = selector->has_around ? 0 : scope;
    html_match_has(L, m, selector->has_around ? tree->size : end);
  }
  if (selector->nbits == 0) return;
  m->frames = lua_newuserdatauv(L, (tree->depth + 1) * sizeof(html_frame), 0);
  open_scope(m);
}

uint32_t html_match_next(html_matcher *m) {
  const html_node *nodes = m->tree->nodes;
  uint32_t end = nodes[m->scope].end;
  while (m->next < end) {
    uint32_t node = m->next++;
    if (nodes[node].type != HTML_ELEMENT) continue;
    if (m->frames != NULL) {
      while (node >= m->top->end)
        m->top--;
      note(m, node);
      if (nodes[node].end > node + 1) push_frame(m, node);
    }
    if (nodes[node].traits & HTML_TEMPLATE) m->next = nodes[node].end;
    if (passes_list(m, node, m->selector->list)) return node;
  }
  return 0;
}
