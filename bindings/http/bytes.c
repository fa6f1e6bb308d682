/* Bytes that grow at their end. */
#include <stdlib.h>
#include <string.h>

#include "http.h"

/* Has room for so many bytes more. */
int http_reserve(http_bytes *bytes, size_t size) {
  if (bytes->capacity - bytes->size >= size) return 0;
  size_t capacity = bytes->capacity ? bytes->capacity : 512;
  while (capacity - bytes->size < size)
    capacity *= 2;
  char *grown = realloc(bytes->data, capacity);
  if (grown == NULL) return -1;
  bytes->data = grown;
  bytes->capacity = capacity;
  return 0;
}

int http_append(http_bytes *bytes, const char *data, size_t size) {
  if (http_reserve(bytes, size) < 0) return -1;
  memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
  return 0;
}

void http_free(http_bytes *bytes) {
  free(bytes->data);
  *bytes = (http_bytes){0};
}
