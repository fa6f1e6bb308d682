/* Leaving the process without waiting for other threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define FLUSH_NS 200000000

typedef struct flushing {
  uv_mutex_t lock;
  uv_cond_t ended;
  int done;
} flushing;

static void flush_all(void *data) {
  flushing *self = data;
  fflush(NULL);
  uv_mutex_lock(&self->lock);
  self->done = 1;
  uv_cond_signal(&self->ended);
  uv_mutex_unlock(&self->lock);
}

/* A file that another thread holds, reading, would keep fflush for as long as that takes. */
static void flush_files(void) {
  flushing self = {.done = 0};
  uv_thread_t thread;
  uv_mutex_init(&self.lock);
  uv_cond_init(&self.ended);
  if (uv_thread_create(&thread, flush_all, &self) < 0) return;
  pthread_detach(thread);
  uint64_t until = uv_hrtime() + FLUSH_NS, now;
  uv_mutex_lock(&self.lock);
  while (!self.done && (now = uv_hrtime()) < until)
    uv_cond_timedwait(&self.ended, &self.lock, until - now);
  /* Kept locked: the thread that may still come ends with the process. */
}

void lull_exit(int code) {
  fflush(stdout);
  fflush(stderr);
  flush_files();
  _exit(code);
}

/* os.exit: waits for no work on other threads, either. What outlives the process is given back. */
void lull__exit(lull_t *rt, int code) {
  for (lull_node *node = rt->closers.next; node != &rt->closers; node = node->next) {
    lull_closer *closer = lull__container(node, lull_closer, node);
    if (closer->leave != NULL) closer->leave(closer);
  }
  if (rt->closed || lull__list_empty(&rt->requests)) exit(code);
  lull_exit(code);
}
