/* Timers: a 4-ary heap of deadlines. Times sit in the heap's own array, so that sifting touches
 * no timer but those it moves; each timer knows its place, so that stopping one is O(log n). */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

static int before(const lull_timer_entry *a, const lull_timer_entry *b) {
  return a->when < b->when || (a->when == b->when && a->seq < b->seq);
}

static void place(lull_heap *heap, uint32_t index, lull_timer_entry entry) {
  heap->entries[index] = entry;
  entry.timer->index = index;
}

static void sift_up(lull_heap *heap, uint32_t index, lull_timer_entry entry) {
  while (index > 0) {
    uint32_t parent = (index - 1) / 4;
    if (!before(&entry, &heap->entries[parent])) break;
    place(heap, index, heap->entries[parent]);
    index = parent;
  }
  place(heap, index, entry);
}

static uint32_t least_child(const lull_heap *heap, uint32_t index) {
  uint32_t first = 4 * index + 1, least = first;
  uint32_t end = first + 4 < heap->count ? first + 4 : heap->count;
  for (uint32_t i = first + 1; i < end; i++)
    if (before(&heap->entries[i], &heap->entries[least])) least = i;
  return least;
}

static void sift_down(lull_heap *heap, uint32_t index, lull_timer_entry entry) {
  while (4 * index + 1 < heap->count) {
    uint32_t child = least_child(heap, index);
    if (!before(&heap->entries[child], &entry)) break;
    place(heap, index, heap->entries[child]);
    index = child;
  }
  place(heap, index, entry);
}

static int grow(lull_heap *heap) {
  uint32_t capacity = heap->capacity ? 2 * heap->capacity : 16;
  lull_timer_entry *entries = realloc(heap->entries, capacity * sizeof *entries);
  if (entries == NULL) return UV_ENOMEM;
  heap->entries = entries;
  heap->capacity = capacity;
  return 0;
}

/* On the virtual clock a timer that is set for infinity is none: that time never comes. */
int lull__timer_start(lull_t *rt, lull_timer *timer, double when, lull_timer_fn fire) {
  lull_heap *heap = &rt->heap;
  timer->index = LULL_NO_TIMER;
  if (rt->is_virtual && when == HUGE_VAL) return 0;
  if (heap->count == heap->capacity && grow(heap) < 0) return UV_ENOMEM;
  timer->fire = fire;
  heap->count++;
  sift_up(heap, heap->count - 1, (lull_timer_entry){when, heap->seq++, timer});
  return 0;
}

void lull__timer_stop(lull_t *rt, lull_timer *timer) {
  lull_heap *heap = &rt->heap;
  uint32_t index = timer->index;
  if (index == LULL_NO_TIMER) return;
  timer->index = LULL_NO_TIMER;
  lull_timer_entry last = heap->entries[--heap->count];
  if (index == heap->count) return;
  if (index > 0 && before(&last, &heap->entries[(index - 1) / 4]))
    sift_up(heap, index, last);
  else
    sift_down(heap, index, last);
}
