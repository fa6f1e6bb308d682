/* A parcel being packed: what pack.c, contents.c, seen.c and place.c share. */
#ifndef LULL_PACK_H
#define LULL_PACK_H

#include <string.h>

#include "thread.h"

enum { LULL_FEW = 8, LULL_SOME = 16 };

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
  seen_entry *seen, some[LULL_SOME];
} packer;

enum { PACK_FIRST = 2 };

static inline int pack_objects(const packer *p) {
  return PACK_FIRST + p->nvalues;
}

/* seen.c */
void lull__seen_init(packer *p);
void lull__seen_free(packer *p);
uint64_t lull__seen(const packer *p, const void *value);
void lull__see(packer *p, const void *value, uint64_t what);
packed_object *lull__new_packed(packer *p, const void *value);

/* pack.c, contents.c */
void lull__pack_value(packer *p, int index);
void lull__pack_contents(packer *p);

/* place.c. Raise an error that says where the value at index is, or an object, and what it is. */
_Noreturn void lull__refuse(packer *p, int index, const char *what);
_Noreturn void lull__refuse_object(packer *p, uint32_t number, const char *what);

static inline void lull__put(packer *p, const void *bytes, size_t n) {
  memcpy(lull__parcel_add(p->L, p->parcel, n), bytes, n);
}

static inline void lull__put_tag(packer *p, enum lull_tag tag) {
  *lull__parcel_add(p->L, p->parcel, 1) = (unsigned char)tag;
}

static inline void lull__put_tagged(packer *p, enum lull_tag tag, const void *bytes, size_t n) {
  unsigned char *place = lull__parcel_add(p->L, p->parcel, 1 + n);
  *place = (unsigned char)tag;
  memcpy(place + 1, bytes, n);
}

static inline void lull__put_u32(packer *p, uint32_t n) {
  lull__put(p, &n, sizeof n);
}

static inline void lull__put_string(packer *p, const char *text, size_t size) {
  lull__put(p, &size, sizeof size);
  if (size > 0) lull__put(p, text, size);
}

#endif
