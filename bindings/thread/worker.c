/* Workers: a function on a thread of its own, and messages between it and the runtime that started
 * it. What the worker is sent is bounded by a number of messages: who sends waits for room. What it
 * sends is bounded by bytes: it is an error when nobody receives them. */
#include <stdlib.h>

#include "thread.h"

#define META "lull worker"
#define PORT_META "lull port"
#define MOST_MESSAGES 64
#define MOST_BYTES ((size_t)64 * 1024 * 1024)

typedef struct message {
  lull_node node;
  lull_parcel parcel;
} message;

typedef struct worker {
  lull_hub *hub;
  lull_thread *thread; /* until it has ended */
  lull_parcel parcel;  /* the call; then its outcome */
  lull_parcel sending, port_sending;   /* being packed, here and there */
  struct message *received, *port_received; /* being unpacked, here and there */
  lull_node inbox, outbox;
  lull_node senders;   /* errands that wait for room in the inbox */
  lull_node receivers; /* errands that wait for a message in the outbox */
  lull_node joiners;   /* errands that wait for the end */
  size_t bytes;        /* in the outbox */
  int ninbox, room_kept;     /* messages; room for senders that were woken */
  int noutbox, messages_kept; /* messages; those for receivers that were woken */
  int refs, error;
  uint8_t failed, closed, ended, idle, left, counted;
} worker;

/* A wait for a worker: its turn comes when there is room, or a message, which is kept for it. */
typedef struct turn {
  lull_errand errand;
  worker *worker;
  message *message; /* of a sender */
  int *kept;        /* NULL, or what counts such promises: one of them is this turn's */
} turn;

/* ---- shared. The hub's lock is held, unless it says otherwise ---- */

/* The loop waits for a worker that works, as long as somebody wants to know. */
static void count(worker *self) {
  int counts = !self->ended && !self->idle && !self->left;
  self->hub->active += counts - self->counted;
  self->counted = (uint8_t)counts;
}

static message *take_message(lull_node *box) {
  message *first = lull__container(box->next, message, node);
  lull__list_remove(&first->node);
  return first;
}

static void free_message(message *self) {
  if (self == NULL) return;
  lull__parcel_free(&self->parcel);
  free(self);
}

static void free_messages(lull_node *box) {
  while (!lull__list_empty(box))
    free_message(take_message(box));
}

static void free_worker(worker *self) {
  free_messages(&self->inbox);
  free_messages(&self->outbox);
  free_message(self->received);
  free_message(self->port_received);
  lull__parcel_free(&self->parcel);
  lull__parcel_free(&self->sending);
  lull__parcel_free(&self->port_sending);
  free(self);
}

/* Not locked. */
static void unref(worker *self) {
  lull_hub *hub = self->hub;
  uv_mutex_lock(&hub->lock);
  int last = --self->refs == 0;
  uv_mutex_unlock(&hub->lock);
  if (!last) return;
  free_worker(self);
  lull__hub_unref(hub);
}

static void grant(lull_node *waiting, int *kept) {
  lull_errand *errand = lull__errand_take(waiting);
  if (errand == NULL) return;
  lull__container(errand, turn, errand)->kept = kept;
  ++*kept;
  lull__errand_finish(errand);
}

/* There may be room in the inbox for one who waits. */
static void grant_room(worker *self) {
  if (self->ninbox + self->room_kept < MOST_MESSAGES) grant(&self->senders, &self->room_kept);
}

static void grant_message(worker *self) {
  if (self->noutbox > self->messages_kept) grant(&self->receivers, &self->messages_kept);
}

/* Lets all who wait go on, to see that there is nothing more to wait for. */
static void release(lull_node *waiting) {
  lull_errand *errand;
  while ((errand = lull__errand_take(waiting)) != NULL)
    lull__errand_finish(errand);
}

static void rouse(worker *self) {
  self->idle = 0;
  count(self);
  if (self->thread != NULL) uv_cond_signal(&self->thread->wake);
}

static void add_to_inbox(worker *self, message *added) {
  lull__list_append(&self->inbox, &added->node);
  self->ninbox++;
  rouse(self);
}

static void close_inbox(worker *self) {
  self->closed = 1;
  release(&self->senders);
  rouse(self);
}

/* ---- on the worker's thread ---- */

static worker *check_port(lua_State *L) {
  return *(worker **)luaL_checkudata(L, 1, PORT_META);
}

/* Waits for a message and gives it, or NULL: none will come. */
static message *wait_for_message(worker *self) {
  lull_hub *hub = self->hub;
  while (lull__list_empty(&self->inbox) && !self->closed && !hub->closing) {
    self->idle = 1;
    count(self);
    if (hub->active == 0 && hub->held) lull__hub_wake(hub); /* it need not wait for us */
    uv_cond_wait(&self->thread->wake, &hub->lock);
  }
  self->idle = 0;
  count(self);
  if (lull__list_empty(&self->inbox) || hub->closing) return NULL;
  message *first = take_message(&self->inbox);
  self->ninbox--;
  grant_room(self);
  return first;
}

/* port_receive(port) -> a message, or nothing: the worker was closed. Blocks the thread. */
static int port_receive(lua_State *L) {
  worker *self = check_port(L);
  free_message(self->port_received);
  uv_mutex_lock(&self->hub->lock);
  self->port_received = wait_for_message(self);
  uv_mutex_unlock(&self->hub->lock);
  if (self->port_received == NULL) return 0;
  return lull__unpack_parcel(L, &self->thread->border, &self->port_received->parcel);
}

/* Packs the value at index 2 as a message. */
static message *new_message(lua_State *L, lull_border *border, lull_parcel *parcel,
                            lull_cargo cargo) {
  lua_settop(L, 2);
  if (lull__pack_parcel(L, border, parcel, cargo, 1, NULL) != LUA_OK) lua_error(L);
  message *made = malloc(sizeof *made);
  if (made == NULL) luaL_error(L, "not enough memory");
  made->parcel = *parcel;
  *parcel = (lull_parcel){0};
  return made;
}

static size_t size_of(const message *self) {
  return sizeof *self + self->parcel.capacity;
}

/* Gives whether there is room for the message, which is dropped if nobody will receive it. */
static int add_to_outbox(worker *self, message *added) {
  if (self->left) {
    free_message(added);
    return 1;
  }
  size_t size = size_of(added);
  if (self->noutbox > 0 && self->bytes + size > MOST_BYTES) return 0;
  lull__list_append(&self->outbox, &added->node);
  self->noutbox++;
  self->bytes += size;
  grant_message(self);
  return 1;
}

/* port_send(port, message) */
static int port_send(lua_State *L) {
  lull_t *rt = lull__rt(L);
  worker *self = check_port(L);
  message *added = new_message(L, &self->thread->border, &self->port_sending, LULL_TO_PARENT);
  uv_mutex_lock(&self->hub->lock);
  int room = add_to_outbox(self, added);
  uv_mutex_unlock(&self->hub->lock);
  if (room) return 0;
  free_message(added);
  return lull__raise(L, rt, LULL_FULL_ERROR, "64 MiB of messages wait to be received");
}

static int port_gc(lua_State *L) {
  worker **place = lua_touserdata(L, 1);
  if (*place != NULL) unref(*place);
  *place = NULL;
  return 0;
}

/* Pushes the port that goes before the other arguments: lull/thread.lua makes it of the userdata. */
static void push_port(lua_State *L, lull_thread *thread) {
  worker *self = thread->owner;
  lull__require(L, "lull.thread");
  lua_getfield(L, LUA_REGISTRYINDEX, "lull bindings");
  lua_getfield(L, -1, "thread");
  lua_getfield(L, -1, "new_port");
  worker **place = lua_newuserdatauv(L, sizeof *place, 0);
  *place = NULL;
  luaL_setmetatable(L, PORT_META);
  uv_mutex_lock(&self->hub->lock);
  self->refs++;
  uv_mutex_unlock(&self->hub->lock);
  *place = self;
  lua_call(L, 1, 1);
  lua_insert(L, -4);
  lua_pop(L, 3);
}

static void set_runs(lull_thread *thread, int runs) {
  uv_mutex_lock(&thread->hub->lock);
  thread->runs = (uint8_t)(runs && !thread->hub->closing);
  uv_mutex_unlock(&thread->hub->lock);
}

static void live(lull_thread *thread) {
  worker *self = thread->owner;
  self->error = thread->error;
  if (self->error < 0) return;
  set_runs(thread, 1);
  if (thread->runs) self->failed = (uint8_t)lull__thread_call(thread, &self->parcel, push_port);
  set_runs(thread, 0);
}

/* The thread, which still holds the hub, has ended. */
static void ended(lull_thread *thread) {
  worker *self = thread->owner;
  self->ended = 1;
  self->thread = NULL;
  count(self);
  release(&self->senders);
  release(&self->receivers);
  release(&self->joiners);
  if (--self->refs > 0) return;
  self->hub->refs--;
  free_worker(self);
}

/* ---- on the runtime's thread ---- */

static worker *check_worker(lua_State *L) {
  return *(worker **)luaL_checkudata(L, 1, META);
}

/* Nobody wants to know any more. */
static void leave(worker *self) {
  uv_mutex_lock(&self->hub->lock);
  self->left = 1;
  close_inbox(self);
  uv_mutex_unlock(&self->hub->lock);
}

static int worker_gc(lua_State *L) {
  worker **place = lua_touserdata(L, 1);
  if (*place == NULL) return 0;
  leave(*place);
  unref(*place);
  *place = NULL;
  return 0;
}

static worker *push_worker(lua_State *L, lull_hub *hub) {
  worker **place = lua_newuserdatauv(L, sizeof *place, 0);
  *place = NULL;
  luaL_setmetatable(L, META);
  worker *self = calloc(1, sizeof *self);
  if (self == NULL) luaL_error(L, "not enough memory");
  self->hub = hub;
  self->refs = 1;
  lull__list_init(&self->inbox);
  lull__list_init(&self->outbox);
  lull__list_init(&self->senders);
  lull__list_init(&self->receivers);
  lull__list_init(&self->joiners);
  uv_mutex_lock(&hub->lock);
  lull__hub_ref(hub);
  uv_mutex_unlock(&hub->lock);
  *place = self;
  return self;
}

/* start_worker(f, ...) -> worker */
static int start_worker(lua_State *L) {
  lull__rt(L);
  lull_hub *hub = lull__hub(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  worker *self = push_worker(L, hub);
  lua_insert(L, 1);
  lull__hub_note_paths(L, hub);
  int n = lua_gettop(L) - 1, error;
  if (lull__pack_parcel(L, &hub->border, &self->parcel, LULL_CALL, n, NULL) != LUA_OK)
    return lua_error(L);
  uv_mutex_lock(&hub->lock);
  self->thread = lull__thread_start(hub, "worker", self, live, ended, NULL, &error);
  self->ended = self->thread == NULL;
  if (!self->ended) self->refs++;
  count(self);
  uv_mutex_unlock(&hub->lock);
  if (error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(error));
  lull__hub_update(hub);
  return 1;
}

/* ---- waiting for it ---- */

/* Gives whether something is kept for it, which it has then had. Locked. */
static int use_turn(turn *self) {
  if (self->kept == NULL) return 0;
  --*self->kept;
  self->kept = NULL;
  return 1;
}

/* What was kept for one that was cancelled is the next one's. */
static void drop_turn(lull_request *request) {
  turn *self = lull__container(request, turn, errand.request);
  worker *of = self->worker;
  uv_mutex_lock(&of->hub->lock);
  if (use_turn(self)) {
    grant_room(of);
    grant_message(of);
  }
  uv_mutex_unlock(&of->hub->lock);
  unref(of);
  lull__errand_gone(&self->errand);
  free_message(self->message);
  free(self);
}

static turn *new_turn(lua_State *L, lull_t *rt, worker *self) {
  turn *made = lull__new_errand(L, rt, self->hub, sizeof *made, drop_turn);
  made->worker = self;
  uv_mutex_lock(&self->hub->lock);
  self->refs++;
  uv_mutex_unlock(&self->hub->lock);
  return made;
}

/* Suspends until the turn, queued meanwhile, is granted or there is no more to wait for. again
 * grants it if that was possible in the moment before. */
static int await_turn(lua_State *L, lull_t *rt, turn *waiting, lull_node *list,
                      void (*again)(worker *), const lull_wait *wait, lua_KFunction k) {
  worker *self = waiting->worker;
  uv_mutex_lock(&self->hub->lock);
  lull__errand_queue(&waiting->errand, list);
  if (again != NULL) again(self);
  if (self->ended || (self->closed && list == &self->senders)) release(list);
  uv_mutex_unlock(&self->hub->lock);
  lull__hub_update(self->hub);
  return lull__await_request(L, rt, &waiting->errand.request, wait, k);
}

/* ---- sending ---- */

static const lull_wait send_wait = {"room for a message", lull__cancel_request,
                                    lull__undo_request};

static int room_there(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  turn *waited = lull__request(L, (lull_t *)ctx);
  worker *to = waited->worker;
  uv_mutex_lock(&to->hub->lock);
  int sent = use_turn(waited) && !to->closed && !to->ended;
  if (sent) add_to_inbox(to, waited->message);
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
  worker *self = check_worker(L);
  message *added = new_message(L, &self->hub->border, &self->sending, LULL_TO_WORKER);
  uv_mutex_lock(&self->hub->lock);
  int over = self->closed || self->ended;
  int room = !over && self->ninbox + self->room_kept < MOST_MESSAGES;
  if (room) add_to_inbox(self, added);
  uv_mutex_unlock(&self->hub->lock);
  if (over) free_message(added);
  if (over || room) {
    lull__hub_update(self->hub);
    lua_pushboolean(L, room);
    return 1;
  }
  turn *waiting = new_turn(L, rt, self);
  waiting->message = added;
  return await_turn(L, rt, waiting, &self->senders, grant_room, &send_wait, room_there);
}

/* ---- receiving ---- */

static const lull_wait receive_wait = {"a message", lull__cancel_request, lull__undo_request};

/* Locked. */
static message *take_from_outbox(worker *self) {
  message *first = take_message(&self->outbox);
  self->noutbox--;
  self->bytes -= size_of(first);
  return first;
}

/* Pushes true and the message, or nothing at the worker's end. */
static int push_received(lua_State *L, worker *self, message *received) {
  if (received == NULL) return 0;
  free_message(self->received);
  self->received = received;
  lua_pushboolean(L, 1);
  return 1 + lull__unpack_parcel(L, &self->hub->border, &received->parcel);
}

static int message_there(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  turn *waited = lull__request(L, (lull_t *)ctx);
  worker *self = waited->worker;
  uv_mutex_lock(&self->hub->lock);
  message *received = use_turn(waited) ? take_from_outbox(self) : NULL;
  uv_mutex_unlock(&self->hub->lock);
  lull__free_request(L, (lull_t *)ctx, &waited->errand.request, lua_gettop(L));
  return push_received(L, self, received);
}

/* receive(worker) -> true, a message; or nothing at the worker's end */
static int receive_message(lua_State *L) {
  lull_t *rt = lull__rt(L);
  worker *self = check_worker(L);
  message *received = NULL;
  uv_mutex_lock(&self->hub->lock);
  if (self->noutbox > self->messages_kept) received = take_from_outbox(self);
  int over = received != NULL || self->ended;
  uv_mutex_unlock(&self->hub->lock);
  if (over) return push_received(L, self, received);
  return await_turn(L, rt, new_turn(L, rt, self), &self->receivers, grant_message, &receive_wait,
                    message_there);
}

/* ---- its end ---- */

static void cancel_join(lua_State *L, lull_t *rt, lull_task *task) {
  worker *self = ((turn *)task->subject)->worker;
  leave(self);
  lull__cancel_request(L, rt, task);
}

static const lull_wait join_wait = {"a worker", cancel_join, lull__undo_request};

static int push_outcome(lua_State *L, lull_t *rt, worker *self) {
  lull_border *border = &self->hub->border;
  if (self->error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(self->error));
  if (self->failed) return lull__raise_failure(L, rt, border, &self->parcel);
  return lull__unpack_parcel(L, border, &self->parcel);
}

static int worker_ended(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  const turn *waited = lull__request(L, (lull_t *)ctx);
  return push_outcome(L, (lull_t *)ctx, waited->worker);
}

/* join(worker) -> what its function returns. Whoever is cancelled here gives the worker up. */
static int join_worker(lua_State *L) {
  lull_t *rt = lull__rt(L);
  worker *self = check_worker(L);
  return await_turn(L, rt, new_turn(L, rt, self), &self->joiners, NULL, &join_wait, worker_ended);
}

/* close_worker(worker): its port receives what was sent so far, and then nothing. */
static int close_worker(lua_State *L) {
  worker *self = check_worker(L);
  uv_mutex_lock(&self->hub->lock);
  close_inbox(self);
  uv_mutex_unlock(&self->hub->lock);
  lull__hub_update(self->hub);
  return 0;
}

static const luaL_Reg functions[] = {
    {"start_worker", start_worker}, {"send", send_message},        {"receive", receive_message},
    {"join", join_worker},          {"close_worker", close_worker}, {"port_receive", port_receive},
    {"port_send", port_send},       {NULL, NULL}};

static void new_meta(lua_State *L, const char *name, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void lull__open_worker(lua_State *L, lull_t *rt, lull_hub *hub) {
  new_meta(L, META, worker_gc);
  new_meta(L, PORT_META, port_gc);
  lull__thread_setfuncs(L, rt, hub, functions);
}
