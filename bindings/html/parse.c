/* From bytes to the tree. gumbo checks what it does with assert, in its release builds too, and
 * some documents fail there: nonsense with SVG or MathML in tables and selects. That must not stop
 * the process: a piece that fails is parsed again without SVG and MathML. */
#include <setjmp.h>
#include <string.h>

#include "html.h"

/* gumbo counts characters in an int, and fails at 10^9. What it makes takes some 15 times the
 * document's size; of documents that are made for it, far more. */
enum { MAX_SIZE = 256 << 20, USUAL_MEMORY = 16, MOST_MEMORY = 256, SPARE_MEMORY = 128 << 20 };

/* ---- failures ---- */

/* Where to go when an assertion fails; set only while gumbo runs on the thread. */
static _Thread_local jmp_buf on_failure;

/* The module has a gumbo of its own, whose assertions end here and not in the C library. */
// NOLINTNEXTLINE(bugprone-reserved-identifier)
_Noreturn void __assert_fail(const char *, const char *, unsigned, const char *);

// NOLINTNEXTLINE(bugprone-reserved-identifier)
_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned line,
                             const char *function) {
  (void)assertion;
  (void)file;
  (void)line;
  (void)function;
  longjmp(on_failure, 1);
}

/* Gives NULL when gumbo fails. What it has allocated is the arena's. */
static const GumboOutput *run_gumbo(const GumboOptions *options, html_string text) {
  if (setjmp(on_failure) != 0) return NULL;
  return gumbo_parse_with_options(options, text.data, text.size);
}

/* Makes elements of no meaning of svg and math: replaces a letter of their names, which tree.c puts
 * back. */
static html_string without_foreign(html_arena *arena, html_string text) {
  char *copy = memcpy(html_alloc(arena, text.size + 1), text.data, text.size);
  char *end = copy + text.size;
  for (char *p = copy; (p = memchr(p, '<', (size_t)(end - p))) != NULL;) {
    p += 1 + (p + 1 < end && p[1] == '/');
    if ((end - p >= 3 && html_equal_fold(p, "svg", 3)) ||
        (end - p >= 4 && html_equal_fold(p, "math", 4)))
      p[1] = HTML_MARK;
  }
  return (html_string){copy, text.size};
}

/* ---- parsing ---- */

static void *allocate(void *arena, size_t size) {
  return html_alloc(arena, size);
}

static void release(void *arena, void *block) {
  (void)arena;
  (void)block;
}

static void parse_piece(lua_State *L, html_arena *arena, html_piece *piece) {
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = allocate;
  options.deallocator = release;
  options.userdata = arena;
  options.max_errors = 0;
  options.fragment_context = piece->context;
  options.fragment_namespace = piece->space;
  piece->output = run_gumbo(&options, piece->text);
  if (piece->output != NULL) return;
  options.fragment_namespace = GUMBO_NAMESPACE_HTML;
  piece->output = run_gumbo(&options, without_foreign(arena, piece->text));
  if (piece->output == NULL) luaL_error(L, "this HTML document cannot be parsed");
}

html_tree *html_parse(lua_State *L, html_string bytes) {
  if (bytes.size > MAX_SIZE) luaL_error(L, "the HTML document is larger than 256 MiB");
  html_arena *arena =
      html_arena_new(L, 8192 + USUAL_MEMORY * bytes.size, SPARE_MEMORY + MOST_MEMORY * bytes.size);
  html_pieces pieces = html_split(arena, html_utf8(arena, bytes));
  for (size_t i = 0; i < pieces.count; i++)
    parse_piece(L, arena, &pieces.list[i]);
  html_tree *tree = html_tree_new(L, arena, &pieces);
  html_tree_measure(L, arena, tree);
  html_arena_free(arena);
  lua_remove(L, -2);
  return tree;
}
