/* Parcels: bytes that grow at their end. They are malloc's, for one thread makes what another
 * frees. */
#include <stdlib.h>

#include "thread.h"

#define LEAST 256

static int grow(lull_parcel *parcel, size_t n) {
  size_t capacity = parcel->capacity ? parcel->capacity : LEAST;
  while (capacity - parcel->size < n) {
    if (capacity > SIZE_MAX / 2) return UV_ENOMEM;
    capacity *= 2;
  }
  unsigned char *bytes = realloc(parcel->bytes, capacity);
  if (bytes == NULL) return UV_ENOMEM;
  parcel->bytes = bytes;
  parcel->capacity = capacity;
  return 0;
}

unsigned char *lull__parcel_add(lua_State *L, lull_parcel *parcel, size_t n) {
  if (parcel->capacity - parcel->size < n && grow(parcel, n) < 0) lull__no_memory(L);
  unsigned char *place = parcel->bytes + parcel->size;
  parcel->size += n;
  return place;
}

void lull__parcel_free(lull_parcel *parcel) {
  free(parcel->bytes);
  *parcel = (lull_parcel){0};
}
