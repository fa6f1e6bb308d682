/* Pools of threads. A thread is started when an errand comes and none is idle, up to the pool's
 * size; of the idle ones the one that worked last is the next to work. */
#include <stdlib.h>

#include "threads.h"

#define TIDY_NS 200000000 /* so long idle, a thread tidies up */

/* ---- on a thread. The lock is held ---- */

static int over(const lull_pool *pool) {
  return pool->closed || pool->hub->closing;
}

/* Waits, idle, until there is an errand, or so long; gives whether the time was up. */
static int wait_idle(lull_thread *thread, uint64_t ns) {
  lull_pool *pool = thread->owner;
  uint64_t until = uv_hrtime() + ns, now;
  lull__list_append(&pool->idle, &thread->idle);
  while (thread->errand == NULL && !over(pool) && (now = uv_hrtime()) < until)
    uv_cond_timedwait(&thread->wake, &pool->hub->lock, until - now);
  if (thread->errand != NULL) return 0; /* who gave it has taken the thread off the list */
  lull__list_remove(&thread->idle);
  return !over(pool);
}

/* Lets go of the lock for a while. */
static void tidy(lull_thread *thread) {
  lull_pool *pool = thread->owner;
  if (pool->kind->tidy == NULL) return;
  uv_mutex_unlock(&pool->hub->lock);
  pool->kind->tidy(thread);
  uv_mutex_lock(&pool->hub->lock);
}

/* NULL: the thread is to end. */
static lull_errand *next_errand(lull_thread *thread) {
  lull_pool *pool = thread->owner;
  int tidied = 0;
  while (thread->errand == NULL && !over(pool)) {
    thread->errand = lull__errand_take(&pool->queue);
    if (thread->errand != NULL || !wait_idle(thread, tidied ? pool->idle_ns : TIDY_NS)) continue;
    if (tidied) break;
    tidied = 1;
    tidy(thread);
  }
  return thread->errand;
}

/* Does the thread's errand; gives whether the thread still counts as one of the pool's hands. */
static int work(lull_thread *thread, lull_errand *errand) {
  lull_pool *pool = thread->owner;
  thread->runs = !pool->hub->closing;
  if (thread->runs) {
    uv_mutex_unlock(&pool->hub->lock);
    pool->kind->work(thread, errand);
    uv_mutex_lock(&pool->hub->lock);
  }
  thread->runs = 0;
  int written_off = errand->written_off;
  thread->errand = NULL;
  lull__errand_finish(errand);
  if (!written_off) return 1;
  if (pool->hands >= pool->size) return 0;
  pool->hands++;
  return 1;
}

static void refuse(lull_pool *pool, lull_errand *errand, int error) {
  pool->kind->refuse(errand, error);
  lull__errand_finish(errand);
}

/* Nobody will do what is in the queue. */
static void refuse_all(lull_pool *pool, int error) {
  lull_errand *errand;
  while ((errand = lull__errand_take(&pool->queue)) != NULL)
    refuse(pool, errand, error);
}

static void work_all(lull_thread *thread) {
  lull_pool *pool = thread->owner;
  lull_errand *errand;
  while ((errand = next_errand(thread)) != NULL)
    if (!work(thread, errand)) return;
  pool->hands--;
}

/* A thread that could not be made ready refuses what it was started for, and if it was the only
 * one, all there is. */
static void give_up(lull_thread *thread, int error) {
  lull_pool *pool = thread->owner;
  refuse(pool, thread->errand, error);
  thread->errand = NULL;
  if (--pool->hands == 0) refuse_all(pool, error);
}

void lull__pool_run(lull_thread *thread) {
  lull_pool *pool = thread->owner;
  int error = pool->kind->open ? pool->kind->open(thread) : 0;
  uv_mutex_lock(&pool->hub->lock);
  if (error == 0)
    work_all(thread);
  else
    give_up(thread, error);
  uv_mutex_unlock(&pool->hub->lock);
  if (error == 0 && pool->kind->close) pool->kind->close(thread);
}

/* A thread has ended; it still holds the hub. */
void lull__pool_ended(lull_thread *thread) {
  lull_pool *pool = thread->owner;
  lull_errand *waiter;
  if (--pool->threads == 0)
    while ((waiter = lull__errand_take(&pool->waiters)) != NULL)
      lull__errand_finish(waiter);
  if (--pool->refs > 0) return;
  pool->hub->refs--;
  free(pool);
}

/* ---- on the runtime's thread ---- */

lull_pool *lull__pool_new(lua_State *L, lull_hub *hub, const lull_pool_kind *kind, int size,
                          double idle) {
  lull_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) lull__no_memory(L);
  pool->hub = hub;
  pool->kind = kind;
  pool->size = size;
  pool->idle_ns = (uint64_t)(idle * 1e9);
  pool->refs = 1;
  lull__list_init(&pool->idle);
  lull__list_init(&pool->queue);
  lull__list_init(&pool->waiters);
  uv_mutex_lock(&hub->lock);
  hub->refs++;
  uv_mutex_unlock(&hub->lock);
  return pool;
}

/* Starts a thread for the errand; gives an error. Locked. */
static int start_thread(lull_pool *pool, lull_errand *errand) {
  int error;
  if (lull__thread_start(pool->hub, pool->kind->thread, pool, errand, &error) == NULL) return error;
  pool->hands++;
  pool->threads++;
  pool->refs++;
  return 0;
}

/* Gives the errand to a thread that is idle, or new, or leaves it in the queue. Locked. */
static int give(lull_pool *pool, lull_errand *errand) {
  errand->pool = pool;
  errand->progress = LULL_TAKEN;
  if (!lull__list_empty(&pool->idle)) {
    lull_thread *thread = lull__container(pool->idle.prev, lull_thread, idle);
    lull__list_remove(&thread->idle);
    thread->errand = errand;
    uv_cond_signal(&thread->wake);
    return 0;
  }
  int error = UV_EAGAIN;
  if (pool->hands < pool->size) error = start_thread(pool, errand);
  if (error == 0) return 0;
  if (pool->hands == 0 && pool->threads == 0) return error;
  lull__errand_queue(errand, &pool->queue);
  return 0;
}

/* Has the errand done, and the loop wait for it; gives an error if no thread can be started. */
int lull__pool_submit(lull_pool *pool, lull_errand *errand) {
  lull_hub *hub = pool->hub;
  uv_mutex_lock(&hub->lock);
  int error = give(pool, errand);
  if (error == 0) lull__errand_count(errand, 1);
  uv_mutex_unlock(&hub->lock);
  lull__hub_update(hub);
  return error;
}

/* The thread that has the errand may be held up for long: another one takes its place. */
void lull__pool_left(lull_errand *errand) {
  lull_pool *pool = errand->pool;
  if (pool->threads >= pool->kind->most) return;
  errand->written_off = 1;
  pool->hands--;
  lull_errand *next = lull__errand_take(&pool->queue);
  if (next == NULL || start_thread(pool, next) == 0) return;
  next->progress = LULL_QUEUED;
  lull__list_append(pool->queue.next, &next->node); /* before the first */
}

/* What is in the queue is refused; the rest goes on to its end. */
void lull__pool_close(lull_pool *pool) {
  uv_mutex_lock(&pool->hub->lock);
  pool->closed = 1;
  refuse_all(pool, 0);
  for (lull_node *node = pool->idle.next; node != &pool->idle; node = node->next)
    uv_cond_signal(&lull__container(node, lull_thread, idle)->wake);
  uv_mutex_unlock(&pool->hub->lock);
  lull__hub_update(pool->hub);
}

void lull__pool_unref(lull_pool *pool) {
  lull_hub *hub = pool->hub;
  uv_mutex_lock(&hub->lock);
  int last = --pool->refs == 0;
  uv_mutex_unlock(&hub->lock);
  if (!last) return;
  free(pool);
  lull__hub_unref(hub);
}
