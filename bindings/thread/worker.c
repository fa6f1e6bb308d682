/* The runtime's end of workers: starting them, sending, receiving, waiting for the end. */
#include <stdlib.h>

#include "worker.h"

#define META "lull worker"

/* Nobody wants to know any more. */
static void leave(lull_worker *self) {
  uv_mutex_lock(&self->hub->lock);
  self->left = 1;
  lull__close_inbox(self);
  uv_mutex_unlock(&self->hub->lock);
}

static int worker_gc(lua_State *L) {
  lull_worker_ref *self = lua_touserdata(L, 1);
  if (self->worker == NULL) return 0;
  leave(self->worker);
  lull__worker_unref(self->worker);
  self->worker = NULL;
  return 0;
}

static lull_worker *push_worker(lua_State *L, lull_hub *hub) {
  lull_worker_ref *made = lull__push_worker_ref(L, META);
  lull_worker *self = calloc(1, sizeof *self);
  if (self == NULL) lull__no_memory(L);
  self->hub = hub;
  self->refs = 1;
  lull__list_init(&self->inbox);
  lull__list_init(&self->outbox);
  lull__list_init(&self->senders);
  lull__list_init(&self->receivers);
  lull__list_init(&self->joiners);
  uv_mutex_lock(&hub->lock);
  hub->refs++;
  uv_mutex_unlock(&hub->lock);
  made->worker = self;
  return self;
}

/* start_worker(f, ...) -> worker */
static int start_worker(lua_State *L) {
  lull__rt(L);
  lull_desk *desk = lull__desk(L);
  lull_hub *hub = desk->hub;
  int error;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lull_worker *self = push_worker(L, hub);
  lua_insert(L, 1);
  lull__call_pack(L, desk, &self->call, 2, NULL);
  uv_mutex_lock(&hub->lock);
  self->thread = lull__thread_start(hub, &lull__worker_thread, self, NULL, &error);
  self->ended = self->thread == NULL;
  if (!self->ended) self->refs++;
  lull__worker_count(self);
  uv_mutex_unlock(&hub->lock);
  if (error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(error));
  lull__hub_update(hub);
  return 1;
}

/* ---- waiting for it ---- */

/* Gives whether something is kept for it, which it has then had. Locked. */
static int use_turn(lull_turn *self) {
  if (self->kept == NULL) return 0;
  --*self->kept;
  self->kept = NULL;
  return 1;
}

/* What was kept for one that was cancelled is the next one's. */
static void drop_turn(lull_request *request) {
  lull_turn *self = lull__container(request, lull_turn, errand.request);
  lull_worker *of = self->worker;
  uv_mutex_lock(&of->hub->lock);
  if (use_turn(self)) {
    lull__grant_room(of);
    lull__grant_message(of);
  }
  uv_mutex_unlock(&of->hub->lock);
  lull__worker_unref(of);
  lull__errand_gone(&self->errand);
  lull__free_message(self->message);
  free(self);
}

static lull_turn *new_turn(lua_State *L, lull_t *rt, lull_worker *self) {
  lull_turn *made = lull__new_errand(L, rt, sizeof *made, drop_turn);
  made->worker = self;
  uv_mutex_lock(&self->hub->lock);
  self->refs++;
  uv_mutex_unlock(&self->hub->lock);
  return made;
}

/* Suspends until the turn, queued meanwhile, is granted or there is no more to wait for. again
 * grants it if that was possible in the moment before. */
static int await_turn(lua_State *L, lull_t *rt, lull_turn *waiting, lull_node *list,
                      void (*again)(lull_worker *), const lull_wait *wait, lua_KFunction k) {
  lull_worker *self = waiting->worker;
  uv_mutex_lock(&self->hub->lock);
  lull__errand_queue(&waiting->errand, list);
  if (again != NULL) again(self);
  if (self->ended || (self->closed && list == &self->senders)) lull__worker_release(list);
  uv_mutex_unlock(&self->hub->lock);
  lull__hub_update(self->hub);
  return lull__await_request(L, rt, &waiting->errand.request, wait, k);
}

/* ---- sending ---- */

static const lull_wait send_wait = {"room for a message", lull__cancel_request, lull__undo_request};

static int room_there(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_turn *waited = lull__request(L, (lull_t *)ctx);
  lull_worker *to = waited->worker;
  uv_mutex_lock(&to->hub->lock);
  int sent = use_turn(waited) && !to->closed && !to->ended;
  if (sent) lull__add_to_inbox(to, waited->message);
  uv_mutex_unlock(&to->hub->lock);
  if (sent) waited->message = NULL;
  lull__hub_update(to->hub);
  lull__free_request(L, (lull_t *)ctx, &waited->errand.request, lua_gettop(L));
  lua_pushboolean(L, sent);
  return 1;
}

/* send(worker, message) -> whether it was sent: the worker is neither closed nor at its end */
static int send_message(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_worker *self = lull__check_worker(L, META);
  lull_message *added =
      lull__new_message(L, &lull__desk(L)->border, &self->sending, LULL_TO_WORKER);
  uv_mutex_lock(&self->hub->lock);
  int over = self->closed || self->ended;
  int room = !over && self->ninbox + self->room_kept < LULL_MOST_MESSAGES;
  if (room) lull__add_to_inbox(self, added);
  uv_mutex_unlock(&self->hub->lock);
  if (over) lull__free_message(added);
  if (over || room) {
    lull__hub_update(self->hub);
    lua_pushboolean(L, room);
    return 1;
  }
  lull_turn *waiting = new_turn(L, rt, self);
  waiting->message = added;
  return await_turn(L, rt, waiting, &self->senders, lull__grant_room, &send_wait, room_there);
}

/* ---- receiving ---- */

static const lull_wait receive_wait = {"a message", lull__cancel_request, lull__undo_request};

/* Locked. */
static lull_message *take_from_outbox(lull_worker *self) {
  lull_message *first = lull__take_message(&self->outbox);
  self->noutbox--;
  self->bytes -= lull__message_size(first);
  return first;
}

/* Pushes true and the message, or nothing at the worker's end. */
static int push_received(lua_State *L, lull_worker *self, lull_message *received) {
  if (received == NULL) return 0;
  lull__free_message(self->received);
  self->received = received;
  lua_pushboolean(L, 1);
  return 1 + lull__unpack_parcel(L, &lull__desk(L)->border, &received->parcel);
}

static int message_there(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_turn *waited = lull__request(L, (lull_t *)ctx);
  lull_worker *self = waited->worker;
  uv_mutex_lock(&self->hub->lock);
  lull_message *received = use_turn(waited) ? take_from_outbox(self) : NULL;
  uv_mutex_unlock(&self->hub->lock);
  lull__free_request(L, (lull_t *)ctx, &waited->errand.request, lua_gettop(L));
  return push_received(L, self, received);
}

/* receive(worker) -> true, a message; or nothing at the worker's end */
static int receive_message(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_worker *self = lull__check_worker(L, META);
  lull_message *received = NULL;
  uv_mutex_lock(&self->hub->lock);
  if (self->noutbox > self->messages_kept) received = take_from_outbox(self);
  int over = received != NULL || self->ended;
  uv_mutex_unlock(&self->hub->lock);
  if (over) return push_received(L, self, received);
  return await_turn(L, rt, new_turn(L, rt, self), &self->receivers, lull__grant_message,
                    &receive_wait, message_there);
}

/* ---- its end ---- */

static void cancel_join(lua_State *L, lull_t *rt, lull_task *task) {
  lull_worker *self = ((lull_turn *)task->subject)->worker;
  leave(self);
  lull__cancel_request(L, rt, task);
}

static const lull_wait join_wait = {"a worker", cancel_join, lull__undo_request};

static int worker_ended(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  const lull_turn *waited = lull__request(L, (lull_t *)ctx);
  return lull__call_outcome(L, (lull_t *)ctx, lull__desk(L), &waited->worker->call);
}

/* join(worker) -> what its function returns. Whoever is cancelled here gives the worker up. */
static int join_worker(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_worker *self = lull__check_worker(L, META);
  return await_turn(L, rt, new_turn(L, rt, self), &self->joiners, NULL, &join_wait, worker_ended);
}

/* close_worker(worker): its port receives what was sent so far, and then nothing. */
static int close_worker(lua_State *L) {
  lull_worker *self = lull__check_worker(L, META);
  uv_mutex_lock(&self->hub->lock);
  lull__close_inbox(self);
  uv_mutex_unlock(&self->hub->lock);
  lull__hub_update(self->hub);
  return 0;
}

static const luaL_Reg functions[] = {{"start_worker", start_worker}, {"send", send_message},
                                     {"receive", receive_message},   {"join", join_worker},
                                     {"close_worker", close_worker}, {NULL, NULL}};

void lull__open_workers(lua_State *L, lull_t *rt, lull_desk *desk) {
  lull__worker_meta(L, META, worker_gc);
  lull__desk_functions(L, rt, desk, functions);
  lull__open_ports(L, rt, desk);
}
