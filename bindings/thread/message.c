/* What both ends of a worker need: its messages, who waits for them, and its lifetime. */
#include <stdlib.h>

#include "worker.h"

/* Packs the value at index 2 as a message. */
lull_message *lull__new_message(lua_State *L, lull_border *border, lull_parcel *parcel,
                                lull_cargo cargo) {
  lua_settop(L, 2);
  if (lull__pack_parcel(L, border, parcel, cargo, 1, NULL) != LUA_OK) lua_error(L);
  lull_message *made = malloc(sizeof *made);
  if (made == NULL) lull__no_memory(L);
  made->parcel = *parcel;
  *parcel = (lull_parcel){0};
  return made;
}

size_t lull__message_size(const lull_message *self) {
  return sizeof *self + self->parcel.capacity;
}

/* The loop waits for a worker that works, as long as somebody wants to know. */
void lull__worker_count(lull_worker *self) {
  int counts = !self->ended && !self->idle && !self->left;
  self->hub->active += counts - self->counted;
  self->counted = (uint8_t)counts;
}

lull_message *lull__take_message(lull_node *box) {
  lull_message *first = lull__container(box->next, lull_message, node);
  lull__list_remove(&first->node);
  return first;
}

void lull__free_message(lull_message *self) {
  if (self == NULL) return;
  lull__parcel_free(&self->parcel);
  free(self);
}

/* The box is not used any more. */
static void free_messages(lull_node *box) {
  for (lull_node *node = box->next, *next; node != box; node = next) {
    next = node->next;
    lull__free_message(lull__container(node, lull_message, node));
  }
}

void lull__worker_free(lull_worker *self) {
  free_messages(&self->inbox);
  free_messages(&self->outbox);
  lull__free_message(self->received);
  lull__free_message(self->port_received);
  lull__call_free(&self->call);
  lull__parcel_free(&self->sending);
  lull__parcel_free(&self->port_sending);
  free(self);
}

/* Not locked. */
void lull__worker_unref(lull_worker *self) {
  lull_hub *hub = self->hub;
  uv_mutex_lock(&hub->lock);
  int last = --self->refs == 0;
  uv_mutex_unlock(&hub->lock);
  if (!last) return;
  lull__worker_free(self);
  lull__hub_unref(hub);
}

static void grant(lull_node *waiting, int *kept) {
  lull_errand *errand = lull__errand_take(waiting);
  if (errand == NULL) return;
  lull__container(errand, lull_turn, errand)->kept = kept;
  ++*kept;
  lull__errand_finish(errand);
}

/* There may be room in the inbox for one who waits. */
void lull__grant_room(lull_worker *self) {
  if (self->ninbox + self->room_kept < LULL_MOST_MESSAGES) grant(&self->senders, &self->room_kept);
}

void lull__grant_message(lull_worker *self) {
  if (self->noutbox > self->messages_kept) grant(&self->receivers, &self->messages_kept);
}

/* Lets all who wait go on, to see that there is nothing more to wait for. */
void lull__worker_release(lull_node *waiting) {
  lull_errand *errand;
  while ((errand = lull__errand_take(waiting)) != NULL)
    lull__errand_finish(errand);
}

static void rouse(lull_worker *self) {
  self->idle = 0;
  lull__worker_count(self);
  if (self->thread != NULL) uv_cond_signal(&self->thread->wake);
}

void lull__add_to_inbox(lull_worker *self, lull_message *added) {
  lull__list_append(&self->inbox, &added->node);
  self->ninbox++;
  rouse(self);
}

void lull__close_inbox(lull_worker *self) {
  self->closed = 1;
  lull__worker_release(&self->senders);
  rouse(self);
}

/* ---- userdata ---- */

void lull__worker_meta(lua_State *L, const char *name, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

/* It refers to nothing yet. */
lull_worker_ref *lull__push_worker_ref(lua_State *L, const char *meta) {
  lull_worker_ref *made = lua_newuserdatauv(L, sizeof *made, 0);
  made->worker = NULL;
  luaL_setmetatable(L, meta);
  return made;
}

/* The worker that the first argument refers to. */
lull_worker *lull__check_worker(lua_State *L, const char *meta) {
  return ((lull_worker_ref *)luaL_checkudata(L, 1, meta))->worker;
}
