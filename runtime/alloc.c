/* The allocator of a Lua state that lull owns: free lists by size class. Lua passes the old size
 * of a block, so blocks carry no header. Memory up to SMALL bytes comes from chunks that are
 * kept until the state is closed; the rest is malloc's. One runtime, one thread: no locks.
 *
 * It is the script's code that runs out of memory, not the scheduler's, which could not tell a
 * task of it half way through completing another: while `strict` is not set the limit may be
 * passed by a margin, and a reserve is drawn on when malloc fails. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define GRAIN 16
#if defined(__SANITIZE_ADDRESS__)
#define SMALL 0 /* every block is malloc's, which AddressSanitizer watches */
#else
#define SMALL 1024
#endif
#define CHUNK ((size_t)64 * 1024)
#define RESERVE (4 * CHUNK)

typedef struct block {
  struct block *next;
} block;

struct lull_memory {
  block *free[SMALL / GRAIN + 1];
  char *next, *end; /* the unused rest of the newest chunk */
  block *chunks;
  size_t used, limit, margin;
  void *reserve;
  uint8_t strict;
  int warn_state; /* of Lua's warn(), which needs a place that outlives the state */
};

struct lull_memory *lull__memory_new(size_t limit) {
  struct lull_memory *memory = calloc(1, sizeof *memory);
  if (memory == NULL) return NULL;
  memory->limit = limit ? limit : SIZE_MAX / 2;
  memory->margin = memory->limit / 4 + RESERVE;
  return memory;
}

uint8_t *lull__strict(struct lull_memory *memory) {
  return &memory->strict;
}

size_t lull__memory_limit(const struct lull_memory *memory) {
  return memory->limit;
}

int *lull__warn_state(struct lull_memory *memory) {
  return &memory->warn_state;
}

void lull__memory_free(struct lull_memory *memory) {
  if (memory == NULL) return;
  for (block *chunk = memory->chunks; chunk != NULL;) {
    block *next = chunk->next;
    free(chunk);
    chunk = next;
  }
  free(memory->reserve);
  free(memory);
}

/* Script code gets memory only while there is a reserve. */
static int may_grow(struct lull_memory *memory, size_t size) {
  size_t limit = memory->strict ? memory->limit : memory->limit + memory->margin;
  if (memory->used > limit || size > limit - memory->used) return 0;
  if (!memory->strict || memory->reserve != NULL) return 1;
  memory->reserve = malloc(RESERVE);
  return memory->reserve != NULL;
}

/* Gives whether it is worth while to try again. */
static int spend_reserve(struct lull_memory *memory) {
  if (memory->strict || memory->reserve == NULL) return 0;
  free(memory->reserve);
  memory->reserve = NULL;
  return 1;
}

static void *get_block(struct lull_memory *memory, size_t size) {
  void *fresh = malloc(size);
  return fresh == NULL && spend_reserve(memory) ? malloc(size) : fresh;
}

static void *grow_block(struct lull_memory *memory, void *ptr, size_t size) {
  void *grown = realloc(ptr, size);
  return grown == NULL && spend_reserve(memory) ? realloc(ptr, size) : grown;
}

static int add_chunk(struct lull_memory *memory) {
  block *chunk = get_block(memory, CHUNK);
  if (chunk == NULL) return UV_ENOMEM;
  chunk->next = memory->chunks;
  memory->chunks = chunk;
  memory->next = (char *)chunk + GRAIN;
  memory->end = (char *)chunk + CHUNK;
  return 0;
}

static void *take(struct lull_memory *memory, size_t size) {
  size_t class = (size + GRAIN - 1) / GRAIN;
  block *found = memory->free[class];
  if (found != NULL) {
    memory->free[class] = found->next;
    return found;
  }
  if ((size_t)(memory->end - memory->next) < class * GRAIN && add_chunk(memory) < 0) return NULL;
  void *fresh = memory->next;
  memory->next += class * GRAIN;
  return fresh;
}

static void give(struct lull_memory *memory, void *ptr, size_t size) {
  size_t class = (size + GRAIN - 1) / GRAIN;
  block *freed = ptr;
  freed->next = memory->free[class];
  memory->free[class] = freed;
}

static void *move(struct lull_memory *memory, void *ptr, size_t osize, size_t nsize) {
  void *fresh = nsize <= SMALL ? take(memory, nsize) : get_block(memory, nsize);
  if (fresh == NULL) return nsize < osize ? ptr : NULL; /* Lua counts on shrinking to work */
  memcpy(fresh, ptr, osize < nsize ? osize : nsize);
  if (osize <= SMALL)
    give(memory, ptr, osize);
  else
    free(ptr);
  return fresh;
}

static void *resize(struct lull_memory *memory, void *ptr, size_t osize, size_t nsize) {
  if (osize > SMALL && nsize > osize) return grow_block(memory, ptr, nsize);
  if (osize <= SMALL && nsize <= SMALL &&
      (osize + GRAIN - 1) / GRAIN == (nsize + GRAIN - 1) / GRAIN)
    return ptr;
  return move(memory, ptr, osize, nsize);
}

void *lull__alloc(void *data, void *ptr, size_t osize, size_t nsize) {
  struct lull_memory *memory = data;
  if (ptr == NULL) osize = 0; /* then it is a type tag */
  if (nsize > osize && !may_grow(memory, nsize - osize)) return NULL;
  void *result = NULL;
  if (ptr != NULL && nsize == 0) {
    if (osize <= SMALL)
      give(memory, ptr, osize);
    else
      free(ptr);
  } else if (nsize > 0) {
    if (ptr == NULL)
      result = nsize <= SMALL ? take(memory, nsize) : get_block(memory, nsize);
    else
      result = resize(memory, ptr, osize, nsize);
    if (result == NULL) return NULL;
  }
  memory->used += nsize - osize;
  return result;
}
