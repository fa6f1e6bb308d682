/* What has been packed already: addresses of objects, and identities of upvalues, in a hash table;
 * and the list of the objects, by their numbers. */
#include <stdlib.h>
#include <string.h>

#include "pack.h"

static seen_entry *seen_slot(const packer *p, const void *value) {
  uint64_t bits = (uint64_t)(uintptr_t)value * UINT64_C(0x9E3779B97F4A7C15);
  size_t i = (size_t)(bits >> 20) & (p->seen_capacity - 1);
  while (p->seen[i].value != NULL && p->seen[i].value != value)
    i = (i + 1) & (p->seen_capacity - 1);
  return &p->seen[i];
}

static void grow_seen(packer *p) {
  packer grown = *p;
  grown.seen_capacity = 4 * p->seen_capacity;
  grown.seen = calloc(grown.seen_capacity, sizeof *grown.seen);
  if (grown.seen == NULL) lull__no_memory(p->L);
  for (size_t i = 0; i < p->seen_capacity; i++)
    if (p->seen[i].value != NULL) *seen_slot(&grown, p->seen[i].value) = p->seen[i];
  if (p->seen != p->some) free(p->seen);
  p->seen = grown.seen;
  p->seen_capacity = grown.seen_capacity;
}

/* What is known of an address, or 0. */
uint64_t lull__seen(const packer *p, const void *value) {
  return seen_slot(p, value)->what;
}

void lull__see(packer *p, const void *value, uint64_t what) {
  if (2 * (p->nseen + 1) > p->seen_capacity) grow_seen(p);
  *seen_slot(p, value) = (seen_entry){value, what};
  p->nseen++;
}

static void grow_objects(packer *p) {
  uint32_t capacity = 2 * p->capacity;
  packed_object *kept = p->objects == p->few ? NULL : p->objects;
  packed_object *grown = realloc(kept, capacity * sizeof *grown);
  if (grown == NULL) lull__no_memory(p->L);
  if (kept == NULL) memcpy(grown, p->few, sizeof p->few);
  p->objects = grown;
  p->capacity = capacity;
}

packed_object *lull__new_packed(packer *p, const void *value) {
  if (p->count == p->capacity) grow_objects(p);
  packed_object *object = &p->objects[p->count++];
  *object = (packed_object){.parent = p->current};
  lull__see(p, value, p->count);
  return object;
}

void lull__seen_init(packer *p) {
  p->objects = p->few;
  p->capacity = LULL_FEW;
  p->seen = p->some;
  p->seen_capacity = LULL_SOME;
}

void lull__seen_free(packer *p) {
  if (p->objects != p->few) free(p->objects);
  if (p->seen != p->some) free(p->seen);
}
