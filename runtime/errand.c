/* Errands: requests that other threads end. Who is cancelled takes back what is still queued; what
 * a thread has taken goes on, and is dropped when it ends. */
#include "threads.h"

static void stop(lull_request *request) {
  lull_errand *errand = lull__container(request, lull_errand, request);
  lull_hub *hub = errand->hub;
  uv_mutex_lock(&hub->lock);
  if (errand->progress == LULL_QUEUED) lull__list_remove(&errand->node);
  int over = errand->progress <= LULL_QUEUED;
  lull__errand_count(errand, 0);
  if (errand->progress == LULL_TAKEN && errand->pool != NULL) lull__pool_left(errand);
  uv_mutex_unlock(&hub->lock);
  lull__hub_update(hub);
  if (over) lull__request_ended(request);
}

/* Gives an errand of a size, zeroed, and pushes what owns it: see lull__new_request. */
void *lull__new_errand(lua_State *L, lull_t *rt, size_t size, void (*drop)(lull_request *)) {
  lull_hub *hub = lull__hub(L, rt);
  lull_errand *errand = lull__new_request(L, rt, size, drop);
  errand->hub = hub;
  errand->request.stop = stop;
  lull__list_append(&hub->errands, &errand->all);
  return errand;
}

void lull__errand_gone(lull_errand *errand) {
  if (!errand->orphaned) lull__list_remove(&errand->all);
}

/* Whether the loop is to wait for it. */
void lull__errand_count(lull_errand *errand, int counts) {
  errand->hub->active += counts - errand->counts;
  errand->counts = (uint8_t)counts;
}

void lull__errand_queue(lull_errand *errand, lull_node *list) {
  errand->progress = LULL_QUEUED;
  lull__list_append(list, &errand->node);
}

/* The first of a list. */
lull_errand *lull__errand_take(lull_node *list) {
  if (lull__list_empty(list)) return NULL;
  lull_errand *errand = lull__container(list->next, lull_errand, node);
  lull__list_remove(&errand->node);
  errand->progress = LULL_TAKEN;
  return errand;
}

/* It has ended: the runtime's thread is told. */
void lull__errand_finish(lull_errand *errand) {
  if (errand->orphaned) {
    errand->request.drop(&errand->request);
    return;
  }
  errand->progress = LULL_FINISHED;
  lull__errand_count(errand, 0);
  lull__list_append(&errand->hub->finished, &errand->node);
  lull__hub_wake(errand->hub);
}
