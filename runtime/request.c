/* Requests: work outside the loop's thread, such as a file operation on libuv's pool, that a task
 * waits for. Whoever is cancelled lets go of it at once; it ends by itself later, and what it
 * brought is dropped. */
#include <stdlib.h>

#include "internal.h"

#define MAX_BOXES 64     /* idle ones that are kept */
#define MAX_BUFFER 16384 /* bytes; what is larger is not kept */

/* Owns a request while no cancellation has let go of it. Between requests it keeps a buffer: what
 * one thread allocates and another frees is dear. */
typedef struct box {
  lull_request *request;
  char *buffer;
  size_t room;
} box;

static void let_go(lull_request *request) {
  request->box->request = NULL;
  request->box = NULL;
  request->task = NULL;
}

static int box_gc(lua_State *L) {
  box *self = lua_touserdata(L, 1);
  lull_request *request = self->request;
  free(self->buffer);
  self->buffer = NULL;
  if (request == NULL) return 0;
  let_go(request);
  if (!request->in_flight) request->drop(request);
  return 0;
}

/* Pushes a box that owns nothing. */
static box *push_box(lua_State *L, lull_t *rt) {
  if (rt->nboxes > 0) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.boxes);
    lua_rawgeti(L, -1, rt->nboxes);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -3, rt->nboxes--);
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
  }
  box *new_box = lua_newuserdatauv(L, sizeof *new_box, 0);
  *new_box = (box){0};
  if (luaL_newmetatable(L, "lull request")) {
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return new_box;
}

/* Keeps the box at index, which owns nothing any more. */
static void keep_box(lua_State *L, lull_t *rt, int index) {
  if (rt->nboxes == MAX_BOXES) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.boxes);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, rt->nboxes + 1);
  rt->nboxes++;
  lua_pop(L, 1);
}

/* Gives a request of a size, zeroed, and pushes what owns it. drop frees it and what it brought. */
void *lull__new_request(lua_State *L, lull_t *rt, size_t size, void (*drop)(lull_request *)) {
  lull__require_task(L, rt);
  box *owner = push_box(L, rt);
  lull_request *request = calloc(1, size);
  if (request == NULL) lull__no_memory(L);
  request->drop = drop;
  request->box = owner;
  owner->request = request;
  return request;
}

/* Gives a buffer that an earlier request has left, or NULL; it is the caller's then. */
char *lull__take_buffer(lull_request *request, size_t *room) {
  box *owner = request->box;
  char *buffer = owner->buffer;
  *room = owner->room;
  owner->buffer = NULL;
  owner->room = 0;
  return buffer;
}

/* Leaves a buffer, which malloc gave, to later requests. */
void lull__leave_buffer(lull_request *request, char *buffer, size_t room) {
  box *owner = request->box;
  if (room > MAX_BUFFER || owner->buffer != NULL) {
    free(buffer);
    return;
  }
  owner->buffer = buffer;
  owner->room = room;
}

/* The request was started: suspends the running task until it has ended. Its owner is on top. k
 * begins with lull__request. */
int lull__await_request(lua_State *L, lull_t *rt, lull_request *request, const lull_wait *wait,
                        lua_KFunction k) {
  request->rt = rt;
  request->task = rt->current;
  request->in_flight = 1;
  lull__list_append(&rt->requests, &request->node);
  return lull__suspend(L, rt, wait, request, k, (lua_KContext)rt);
}

/* What k begins with: gives the request, which its owner on top of the stack still owns, or raises
 * the cancellation. */
void *lull__request(lua_State *L, lull_t *rt) {
  lull__woken(L, rt);
  return ((box *)lua_touserdata(L, -1))->request;
}

/* Frees a request that k has taken everything from, whose owner is at index. Without it that is
 * done when the owner is collected. */
void lull__free_request(lua_State *L, lull_t *rt, lull_request *request, int index) {
  let_go(request);
  request->drop(request);
  keep_box(L, rt, index);
}

/* Called on the loop's thread, once, when the request has ended. */
void lull__request_ended(lull_request *request) {
  request->in_flight = 0;
  if (request->rt != NULL) lull__list_remove(&request->node);
  if (request->task != NULL)
    lull__wake(request->rt, request->task);
  else
    request->drop(request);
}

void lull__cancel_request(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  lull_request *request = task->subject;
  let_go(request);
  if (request->stop != NULL) request->stop(request);
}

void lull__undo_request(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  lull_request *request = task->subject;
  let_go(request);
  request->drop(request);
}

/* The runtime closes, and a thread still works on the request: it will drop it. */
void lull__leave_request(lull_request *request) {
  lull__list_remove(&request->node);
  if (request->box != NULL) let_go(request);
  request->rt = NULL;
}

/* The runtime closes: those that have not ended will find it gone. */
void lull__forget_requests(lull_t *rt) {
  while (!lull__list_empty(&rt->requests)) {
    lull_request *request = lull__container(rt->requests.next, lull_request, node);
    lull__list_remove(&request->node);
    request->rt = NULL;
    request->task = NULL;
  }
}
