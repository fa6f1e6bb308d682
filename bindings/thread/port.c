/* The worker's end: its thread, and the port through which it receives and sends. */
#include "worker.h"

#define META "lull port"

static lull_border *border_of(lull_worker *self) {
  return &lull__lua_thread(self->thread)->border;
}

/* Waits for a message and gives it, or NULL: none will come. */
static lull_message *wait_for_message(lull_worker *self) {
  lull_hub *hub = self->hub;
  while (lull__list_empty(&self->inbox) && !self->closed && !hub->closing) {
    self->idle = 1;
    lull__worker_count(self);
    if (hub->active == 0 && hub->held) lull__hub_wake(hub); /* it need not wait for us */
    uv_cond_wait(&self->thread->wake, &hub->lock);
  }
  self->idle = 0;
  lull__worker_count(self);
  if (lull__list_empty(&self->inbox) || hub->closing) return NULL;
  lull_message *first = lull__take_message(&self->inbox);
  self->ninbox--;
  lull__grant_room(self);
  return first;
}

/* port_receive(port) -> a message, or nothing: the worker was closed. Blocks the thread. */
static int port_receive(lua_State *L) {
  lull_worker *self = lull__check_worker(L, META);
  lull__free_message(self->port_received);
  uv_mutex_lock(&self->hub->lock);
  self->port_received = wait_for_message(self);
  uv_mutex_unlock(&self->hub->lock);
  if (self->port_received == NULL) return 0;
  return lull__unpack_parcel(L, border_of(self), &self->port_received->parcel);
}

/* Gives whether there is room for the message, which is dropped if nobody will receive it. */
static int add_to_outbox(lull_worker *self, lull_message *added) {
  if (self->left) {
    lull__free_message(added);
    return 1;
  }
  size_t size = lull__message_size(added);
  if (self->noutbox > 0 && self->bytes + size > LULL_MOST_BYTES) return 0;
  lull__list_append(&self->outbox, &added->node);
  self->noutbox++;
  self->bytes += size;
  lull__grant_message(self);
  return 1;
}

/* port_send(port, message) */
static int port_send(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_worker *self = lull__check_worker(L, META);
  lull_message *added = lull__new_message(L, border_of(self), &self->port_sending, LULL_TO_PARENT);
  uv_mutex_lock(&self->hub->lock);
  int room = add_to_outbox(self, added);
  uv_mutex_unlock(&self->hub->lock);
  if (room) return 0;
  lull__free_message(added);
  return lull__raise(L, rt, LULL_FULL_ERROR, "64 MiB of messages wait to be received");
}

static int port_gc(lua_State *L) {
  lull_worker_ref *self = lua_touserdata(L, 1);
  if (self->worker != NULL) lull__worker_unref(self->worker);
  self->worker = NULL;
  return 0;
}

/* Pushes the port that goes before the other arguments: lull/thread.lua makes it of the userdata.
 */
static void push_port(lua_State *L, lull_thread *thread) {
  lull_worker *self = thread->owner;
  lull__require(L, "lull.thread");
  lua_getfield(L, LUA_REGISTRYINDEX, "lull bindings");
  lua_getfield(L, -1, "thread");
  lua_getfield(L, -1, "new_port");
  lull_worker_ref *port = lull__push_worker_ref(L, META);
  uv_mutex_lock(&self->hub->lock);
  self->refs++;
  uv_mutex_unlock(&self->hub->lock);
  port->worker = self;
  lua_call(L, 1, 1);
  lua_insert(L, -4);
  lua_pop(L, 3);
}

/* Gives whether the worker may run. */
static int set_runs(lull_thread *thread, int runs) {
  uv_mutex_lock(&thread->hub->lock);
  thread->runs = (uint8_t)(runs && !thread->hub->closing);
  uv_mutex_unlock(&thread->hub->lock);
  return thread->runs;
}

static void run(lull_thread *thread) {
  lull_worker *self = thread->owner;
  self->call.error = lull__state_open(thread);
  if (self->call.error < 0) return;
  if (set_runs(thread, 1)) lull__state_call(thread, &self->call, push_port);
  set_runs(thread, 0);
  lull__state_close(thread);
}

/* The thread, which still holds the hub, has ended. */
static void ended(lull_thread *thread) {
  lull_worker *self = thread->owner;
  self->ended = 1;
  self->thread = NULL;
  lull__worker_count(self);
  lull__worker_release(&self->senders);
  lull__worker_release(&self->receivers);
  lull__worker_release(&self->joiners);
  if (--self->refs > 0) return;
  self->hub->refs--;
  lull__worker_free(self);
}

const lull_thread_kind lull__worker_thread = {
    .name = "worker",
    .size = sizeof(lull_lua_thread),
    .init = lull__state_init,
    .run = run,
    .ended = ended,
};

static const luaL_Reg functions[] = {
    {"port_receive", port_receive}, {"port_send", port_send}, {NULL, NULL}};

void lull__open_ports(lua_State *L, lull_t *rt, lull_desk *desk) {
  lull__worker_meta(L, META, port_gc);
  lull__desk_functions(L, rt, desk, functions);
}
