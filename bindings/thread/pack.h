/* A parcel being packed: what pack.c and place.c share. */
#ifndef LULL_PACK_H
#define LULL_PACK_H

#include "thread.h"

enum { LULL_FEW = 8 };

typedef struct packed_object {
  uint32_t parent; /* the number of the object it was found in first, or 0 */
  uint32_t header; /* of a table: where its sizes are in the parcel */
  uint8_t has_contents;
} packed_object;

typedef struct seen_entry {
  const void *value; /* an object, or the identity of an upvalue */
  uint64_t what;     /* an object's number; of an upvalue, that of a function and which one */
} seen_entry;

/* On the stack: this (light), the values, the table of objects (nil until there is one). */
typedef struct packer {
  lua_State *L;
  lull_border *border;
  lull_parcel *parcel;
  lull_cargo cargo;
  const lull_dump *dump;
  int nvalues, checked, linked;
  int root;         /* which value is being packed, from 0 */
  uint32_t current; /* the object whose contents are being packed, or 0 */
  uint32_t count, capacity;
  packed_object *objects, few[LULL_FEW];
  size_t nseen, seen_capacity;
  seen_entry *seen, some[2 * LULL_FEW];
} packer;

enum { PACK_FIRST = 2 };

static inline int pack_objects(const packer *p) {
  return PACK_FIRST + p->nvalues;
}

/* place.c. Raise an error that says where the value at index is, or an object, and what it is. */
_Noreturn void lull__refuse(packer *p, int index, const char *what);
_Noreturn void lull__refuse_object(packer *p, uint32_t number, const char *what);

#endif
