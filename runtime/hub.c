/* The hub: what joins a runtime to the threads it has started. It wakes the loop when one of them
 * has something to tell, and keeps it alive while they may. When the runtime closes it ends them,
 * and leaves to itself a thread that will not end. */
#include <pthread.h>
#include <stdlib.h>

#include "threads.h"

#define CLOSE_NS 200000000 /* so long a runtime that closes waits for threads */
#define AGAIN_NS 10000000  /* then they are interrupted again */

/* ---- lifetime ---- */

void lull__hub_unref(lull_hub *hub) {
  uv_mutex_lock(&hub->lock);
  int last = --hub->refs == 0;
  uv_mutex_unlock(&hub->lock);
  if (!last) return;
  uv_cond_destroy(&hub->ended);
  uv_mutex_destroy(&hub->lock);
  free(hub);
}

/* ---- waking the loop ---- */

void lull__hub_wake(lull_hub *hub) {
  if (!hub->closed) uv_async_send(&hub->async);
}

/* The loop is kept alive while jobs that somebody awaits are not done and while workers work. One
 * that waits for a message cannot wake anybody. */
void lull__hub_update(lull_hub *hub) {
  uv_mutex_lock(&hub->lock);
  int held = hub->active > 0 || !lull__list_empty(&hub->finished);
  int changed = held != hub->held && !hub->closed;
  hub->held = (uint8_t)held;
  uv_mutex_unlock(&hub->lock);
  if (!changed) return;
  if (held)
    uv_ref((uv_handle_t *)&hub->async);
  else
    uv_unref((uv_handle_t *)&hub->async);
}

static void move_list(lull_node *to, lull_node *from) {
  lull__list_init(to);
  if (lull__list_empty(from)) return;
  *to = *from;
  to->next->prev = to->prev->next = to;
  lull__list_init(from);
}

/* Joins what is dead and tells of what is finished. */
static void deliver(lull_hub *hub) {
  lull_node dead, finished;
  uv_mutex_lock(&hub->lock);
  move_list(&dead, &hub->dead);
  move_list(&finished, &hub->finished);
  uv_mutex_unlock(&hub->lock);
  for (lull_node *node = dead.next, *next; node != &dead; node = next) {
    lull_thread *thread = lull__container(node, lull_thread, node);
    next = node->next;
    uv_thread_join(&thread->id);
    uv_cond_destroy(&thread->wake);
    free(thread);
  }
  while (!lull__list_empty(&finished)) {
    lull_errand *errand = lull__container(finished.next, lull_errand, node);
    lull__list_remove(&errand->node);
    lull__request_ended(&errand->request);
  }
}

static void on_async(uv_async_t *handle) {
  lull_hub *hub = lull__container(handle, lull_hub, async);
  deliver(hub);
  lull__hub_update(hub);
}

/* ---- closing ---- */

static void wake_threads(lull_hub *hub) {
  for (lull_node *node = hub->threads.next; node != &hub->threads; node = node->next)
    uv_cond_signal(&lull__container(node, lull_thread, node)->wake);
}

static void interrupt_threads(lull_hub *hub) {
  for (lull_node *node = hub->threads.next; node != &hub->threads; node = node->next)
    lull__thread_interrupt(lull__container(node, lull_thread, node));
}

/* Waits until every thread has ended, but not for long. */
static void await_threads(lull_hub *hub) {
  uint64_t until = uv_hrtime() + CLOSE_NS, now;
  wake_threads(hub);
  while (!lull__list_empty(&hub->threads) && (now = uv_hrtime()) < until) {
    interrupt_threads(hub);
    uv_cond_timedwait(&hub->ended, &hub->lock, until - now < AGAIN_NS ? until - now : AGAIN_NS);
  }
}

/* Those that have not ended go on by themselves. */
static int leave_threads(lull_hub *hub) {
  int left = !lull__list_empty(&hub->threads);
  while (!lull__list_empty(&hub->threads)) {
    lull_thread *thread = lull__container(hub->threads.next, lull_thread, node);
    lull__list_remove(&thread->node);
    thread->left = 1;
    pthread_detach(thread->id);
  }
  return left;
}

/* What has been taken is the thread's to free, when it ends after all. The rest is told, though
 * nobody listens. */
static void leave_errand(lull_hub *hub, lull_errand *errand) {
  lull__list_remove(&errand->all);
  lull__list_init(&errand->all); /* it is removed once more when it is dropped */
  if (!errand->request.in_flight) return;
  uv_mutex_lock(&hub->lock);
  lull__errand_count(errand, 0);
  int listed = errand->progress == LULL_QUEUED || errand->progress == LULL_FINISHED;
  if (listed) lull__list_remove(&errand->node);
  int orphaned = errand->progress == LULL_TAKEN;
  errand->orphaned = (uint8_t)orphaned;
  if (orphaned) lull__leave_request(&errand->request);
  uv_mutex_unlock(&hub->lock);
  if (!orphaned) lull__request_ended(&errand->request);
}

static void on_closed(uv_handle_t *handle) {
  lull__hub_unref(lull__container((uv_async_t *)handle, lull_hub, async));
}

static void close_hub(lull_closer *closer) {
  lull_hub *hub = lull__container(closer, lull_hub, closer);
  uv_mutex_lock(&hub->lock);
  hub->closing = 1;
  await_threads(hub);
  if (leave_threads(hub)) hub->rt->stuck = 1;
  hub->closed = 1;
  uv_mutex_unlock(&hub->lock);
  deliver(hub);
  while (!lull__list_empty(&hub->errands))
    leave_errand(hub, lull__container(hub->errands.next, lull_errand, all));
  hub->rt->hub = NULL;
  uv_close((uv_handle_t *)&hub->async, on_closed);
}

/* ---- opening ---- */

static lull_hub *allocate(lua_State *L, lull_t *rt) {
  lull_hub *hub = calloc(1, sizeof *hub);
  if (hub == NULL) lull__no_memory(L);
  hub->rt = rt;
  hub->refs = 1; /* the handle's */
  lull__list_init(&hub->errands);
  lull__list_init(&hub->threads);
  lull__list_init(&hub->dead);
  lull__list_init(&hub->finished);
  uv_mutex_init(&hub->lock);
  uv_cond_init(&hub->ended);
  return hub;
}

lull_hub *lull__hub(lua_State *L, lull_t *rt) {
  if (rt->hub != NULL) return rt->hub;
  lull_hub *hub = allocate(L, rt);
  int error = uv_async_init(rt->loop, &hub->async, on_async);
  if (error < 0) {
    lull__hub_unref(hub);
    luaL_error(L, "cannot start threads: %s", uv_strerror(error));
    return NULL; /* not reached */
  }
  uv_unref((uv_handle_t *)&hub->async);
  hub->closer.close = close_hub;
  lull__at_close(rt, &hub->closer);
  rt->hub = hub;
  return hub;
}
