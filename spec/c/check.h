/* What the programs here share: a check that ends the program when it fails, and short ways to
 * run a string. */
#ifndef LULL_SPEC_CHECK_H
#define LULL_SPEC_CHECK_H

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lull.h"

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (condition) break;                                                   \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
    exit(1);                                                                \
  } while (0)

/* The text holds a part; shows the text if not. */
#define CHECK_HAS(text, part)                                                   \
  do {                                                                          \
    if (strstr(text, part) != NULL) break;                                      \
    fprintf(stderr, "%s:%d: no '%s' in: %s\n", __FILE__, __LINE__, part, text); \
    exit(1);                                                                    \
  } while (0)

static inline int run(lull_t *lull, const char *code) {
  return lull_run_string(lull, code, strlen(code), "=spec", 0, NULL);
}

/* Runs a string that must not fail. */
static inline void run_ok(lull_t *lull, const char *code) {
  int status = run(lull, code);
  if (status == 0) return;
  fprintf(stderr, "%s: %s\n", lull_strerror(status), lull_error(lull));
  exit(1);
}

static inline lull_t *new_default(void) {
  lull_t *lull;
  CHECK(lull_new(&lull, NULL) == 0);
  return lull;
}

/* The value of a global of the runtime's state, as a number. */
static inline double global(lull_t *lull, const char *name) {
  lua_State *L = lull_state(lull);
  lua_getglobal(L, name);
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

/* Starts a global function as a task. */
static inline int spawn(lull_t *lull, const char *name) {
  lua_getglobal(lull_state(lull), name);
  return lull_spawn(lull, 0);
}

#endif
