/* The documentation that runtime/embed_docs.lua makes when lull is built. */
#ifndef LULL_DOCS_H
#define LULL_DOCS_H

#include <stddef.h>

typedef struct lull__doc {
  const char *key, *kind, *signature;
  const char *source; /* of what is written in Lua: the file, and the lines */
  int first, last;
  int hidden; /* no name for users */
  const char *text;
} lull__doc;

extern const lull__doc lull__docs[]; /* in the order of their keys */
extern const size_t lull__ndocs;

#endif
