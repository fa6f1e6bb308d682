/* Embeds lull in a C program: a runtime with a state and a loop of its own runs Lua code with
 * arguments, and tells what went wrong.
 *
 *     cc embed.c $(pkg-config --cflags --libs lull) */
#include <lull.h>
#include <stdio.h>
#include <string.h>

static const char greet[] = "local lull = require 'lull'\n"
                            "local async, await = lull.async, lull.await\n"
                            "\n"
                            "local greet = async(function(name, delay)\n"
                            "  await(lull.sleep(delay))\n"
                            "  print('hello, ' .. name)\n"
                            "end)\n"
                            "\n"
                            "local first, second = ...\n"
                            "await(lull.gather(greet(first, 0.02), greet(second, 0.01)))\n";

static const char mistake[] = "error('this is how a failure looks')\n";

/* A script is a task: it may await at its top level, and it is done when this returns. */
static int run(lull_t *lull, const char *code, const char *name, int argc,
               const char *const *argv) {
  int status = lull_run_string(lull, code, strlen(code), name, argc, argv);
  if (status < 0) printf("%s: %s\n", lull_strerror(status), lull_error(lull));
  return status;
}

int main(void) {
  lull_t *lull;
  int status = lull_new(&lull, NULL);
  if (status < 0) {
    fprintf(stderr, "cannot make a runtime: %s\n", lull_strerror(status));
    return 1;
  }
  const char *const names[] = {"world", "moon"};
  int greeted = run(lull, greet, "=greet", 2, names);
  int failed = run(lull, mistake, "=mistake", 0, NULL); /* which does the runtime no harm */
  lull_close(lull);
  return greeted == 0 && failed == LULL_ESCRIPT ? 0 : 1;
}
