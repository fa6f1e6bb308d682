/* What Lua sees of transfers: userdata that keep their pool and the request's body alive. Those of
 * transfers that have come to their end are used again, which spares the collector work: nobody is
 * to use one when finish has given a response, but for who gives the request's body. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transfer.h"

#define TRANSFER "lull.http transfer"

enum { POOL_VALUE = 1, BODY_VALUE }; /* user values of a transfer */

static http_transfer *check_transfer(lua_State *L) {
  http_transfer **transfer = http_check_class(L, TRANSFER);
  if (*transfer == NULL) luaL_error(L, "the response is closed");
  return *transfer;
}

/* ---- starting ---- */

/* Pushes a transfer of the pool at index 1 that is none yet. */
static http_transfer **push_handle(lua_State *L, http_pool *pool) {
  if (pool->nhandles == 0) {
    http_transfer **handle = lua_newuserdatauv(L, sizeof(http_transfer *), BODY_VALUE);
    *handle = NULL;
    luaL_setmetatable(L, TRANSFER);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, POOL_VALUE);
    return handle;
  }
  lua_getiuservalue(L, 1, HTTP_HANDLES);
  lua_rawgeti(L, -1, pool->nhandles);
  lua_pushnil(L);
  lua_rawseti(L, -3, pool->nhandles--);
  lua_remove(L, -2);
  return lua_touserdata(L, -1);
}

/* Keeps the transfer at index 1, which is none any more, to be used again. */
static void keep_handle(lua_State *L, http_pool *pool) {
  lua_pushnil(L);
  lua_setiuservalue(L, 1, BODY_VALUE);
  lua_getiuservalue(L, 1, POOL_VALUE);
  lua_getiuservalue(L, -1, HTTP_HANDLES);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, ++pool->nhandles);
  lua_pop(L, 2);
}

static http_request as_usual(lua_State *L, const http_pool *pool) {
  return (http_request){
      .method = luaL_checkstring(L, 2),
      .url = luaL_checkstring(L, 3),
      .size = -1,
      .deadline = HUGE_VAL,
      .silence = pool->config.silence,
      .connect_ms = pool->config.connect_ms,
      .max_body = pool->config.max_body,
  };
}

static http_request as_told(lua_State *L) {
  http_request request = {
      .method = luaL_checkstring(L, 2),
      .url = luaL_checkstring(L, 3),
      .body = lua_type(L, 5) == LUA_TSTRING ? lua_tostring(L, 5) : NULL,
      .size = (curl_off_t)luaL_optinteger(L, 6, -1),
      .deadline = luaL_optnumber(L, 7, HUGE_VAL),
      .silence = luaL_optnumber(L, 8, HUGE_VAL),
      .connect_ms = http_milliseconds(L, 9),
      .max_body = (uint64_t)luaL_optinteger(L, 10, LUA_MAXINTEGER),
      .streams = lua_type(L, 5) == LUA_TBOOLEAN,
      .streaming = lua_toboolean(L, 11),
      .user = luaL_optstring(L, 12, NULL),
      .password = luaL_optstring(L, 13, NULL),
  };
  if (request.body != NULL) request.size = (curl_off_t)lua_rawlen(L, 5);
  return request;
}

/* Pushes a transfer that was started with the arguments. */
static http_transfer *begin(lua_State *L) {
  http_pool *pool = http_check_pool(L);
  http_request request = lua_isnone(L, 4) ? as_usual(L, pool) : as_told(L);
  http_transfer **handle = push_handle(L, pool);
  if (request.body != NULL) {
    lua_pushvalue(L, 5);
    lua_setiuservalue(L, -2, BODY_VALUE);
  }
  http_transfer *transfer = *handle = http_transfer_new(pool);
  if (transfer == NULL || !http_copy_headers(L, 4, &transfer->headers))
    luaL_error(L, "not enough memory");
  else
    http_transfer_start(transfer, &request);
  return transfer;
}

/* start(pool, method, url, headers, body, size, deadline, silence, connect, max_body, streaming,
 * user, password) -> transfer; body is a string, nil, or true for one that is fed. start(pool,
 * method, url) does the usual of the pool. */
int http_start(lua_State *L) {
  begin(L);
  return 1;
}

/* ---- waiting ---- */

static int is_done(const http_transfer *transfer) {
  return transfer->done;
}

static int has_head(const http_transfer *transfer) {
  return transfer->head_done || transfer->done;
}

/* What ends the sending of a request's body, or asks for more of it. */
static int has_room(const http_transfer *transfer) {
  return transfer->wants_more || transfer->done;
}

static int has_bytes(const http_transfer *transfer) {
  return transfer->body.size > 0 || transfer->done;
}

static void stop_reading(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  http_transfer *transfer = task->subject;
  transfer->reader = (http_waiter){0};
}

static void give_up(lua_State *L, lull_t *rt, lull_task *task) {
  stop_reading(L, rt, task);
  http_transfer *transfer = task->subject;
  http_transfer_abort(transfer, HTTP_CLOSED);
  http_free(&transfer->body);
}

static void stop_sending(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  http_transfer *transfer = task->subject;
  transfer->sender = (http_waiter){0};
  http_transfer_abort(transfer, HTTP_CLOSED);
}

/* Who is cancelled before the answer has begun gives it up; a body can be read on. */
static const lull_wait answer_wait = {"an HTTP response", give_up, give_up};
static const lull_wait body_wait = {"an HTTP body", stop_reading, stop_reading};
static const lull_wait room_wait = {"an HTTP request", stop_sending, stop_sending};

static http_waiter *waiter_of(http_transfer *transfer, const lull_wait *wait) {
  return wait == &room_wait ? &transfer->sender : &transfer->reader;
}

/* Goes on with k at once, or when the condition holds. The transfer is at index 1. */
static int go_on_when(lua_State *L, http_transfer *transfer, const lull_wait *wait,
                      http_condition condition, lua_KFunction k) {
  lull_t *rt = lull__rt(L);
  http_waiter *waiter = waiter_of(transfer, wait);
  lull_task *task = lull__require_task(L, rt);
  lua_settop(L, 1);
  if (waiter->task || waiter->woken) luaL_error(L, "another task reads this response already");
  if (condition(transfer)) return k(L, LUA_OK, (lua_KContext)rt);
  *waiter = (http_waiter){task, condition, 0};
  return lull__suspend(L, rt, wait, transfer, k, (lua_KContext)rt);
}

static int await_transfer(lua_State *L, const lull_wait *wait, http_condition condition,
                          lua_KFunction k) {
  return go_on_when(L, check_transfer(L), wait, condition, k);
}

/* The transfer at index 1, in the function that goes on. */
static http_transfer *resumed(lua_State *L, int status, lua_KContext ctx) {
  lull_t *rt = (lull_t *)ctx;
  const lull_wait *wait = rt->current->wait;
  if (status == LUA_YIELD) lull__woken(L, rt);
  http_transfer *transfer = *(http_transfer **)lua_touserdata(L, 1);
  if (transfer == NULL) luaL_error(L, "the response is closed");
  if (status == LUA_YIELD) waiter_of(transfer, wait)->woken = 0;
  return transfer;
}

static int push_response(lua_State *L, http_transfer *transfer) {
  double elapsed = transfer->elapsed;
  if (!transfer->done) elapsed = lull__now(transfer->pool->rt) - transfer->begun;
  lua_pushinteger(L, transfer->status);
  lua_pushlstring(L, transfer->head.data ? transfer->head.data : "", transfer->head.size);
  lua_pushinteger(L, transfer->version);
  lua_pushnumber(L, elapsed);
  return 4;
}

static int is_waited_for(const http_transfer *transfer) {
  const http_waiter *reader = &transfer->reader, *sender = &transfer->sender;
  return reader->task || reader->woken || sender->task || sender->woken;
}

/* Gives up what is not done. Who waits for it, or was woken, finds it closed. */
static void let_go(http_transfer **handle) {
  http_transfer *transfer = *handle;
  if (transfer == NULL) return;
  if (!is_waited_for(transfer)) {
    *handle = NULL;
    http_transfer_free(transfer);
    return;
  }
  http_transfer_abort(transfer, HTTP_CLOSED);
  if (transfer->result == CURLE_OK) { /* it has ended, and whoever waited for that is too late */
    transfer->result = CURLE_ABORTED_BY_CALLBACK;
    transfer->end = HTTP_CLOSED;
  }
  http_free(&transfer->body);
}

/* finish() -> status, head, version, elapsed, body, whether it sets cookies; nothing if it failed.
 * It is no transfer any more if it succeeded. */
static int push_finished(lua_State *L, http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  int open = !pool->closed;
  int count = push_response(L, transfer);
  lua_pushlstring(L, transfer->body.data ? transfer->body.data : "", transfer->body.size);
  lua_pushboolean(L, transfer->sets_cookies);
  if (transfer->sends) { /* who gives the request's body still has the handle */
    let_go(lua_touserdata(L, 1));
    return count + 2;
  }
  *(http_transfer **)lua_touserdata(L, 1) = NULL;
  http_transfer_free(transfer);
  if (open) keep_handle(L, pool);
  return count + 2;
}

static int finished(lua_State *L, int status, lua_KContext ctx) {
  http_transfer *transfer = resumed(L, status, ctx);
  return transfer->result == CURLE_OK ? push_finished(L, transfer) : 0;
}

static int finish(lua_State *L) {
  return await_transfer(L, &answer_wait, is_done, finished);
}

/* exchange(...): start and finish in one; gives nil and the transfer if it failed. */
static int exchanged(lua_State *L, int status, lua_KContext ctx) {
  http_transfer *transfer = resumed(L, status, ctx);
  if (transfer->result == CURLE_OK) return push_finished(L, transfer);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  return 2;
}

int http_exchange(lua_State *L) {
  lull__require_task(L, lull__rt(L));
  http_transfer *transfer = begin(L);
  lua_replace(L, 1); /* it keeps the pool, too */
  return go_on_when(L, transfer, &answer_wait, is_done, exchanged);
}

/* head() -> status, head, version, elapsed, whether it sets cookies, as soon as they are there;
 * nothing if it failed. */
static int headed(lua_State *L, int status, lua_KContext ctx) {
  http_transfer *transfer = resumed(L, status, ctx);
  if (!transfer->head_done) return 0;
  int count = push_response(L, transfer);
  lua_pushboolean(L, transfer->sets_cookies);
  return count + 1;
}

static int head(lua_State *L) {
  return await_transfer(L, &answer_wait, has_head, headed);
}

/* room() -> whether more of the request's body is wanted: false when the transfer is done. */
static int roomy(lua_State *L, int status, lua_KContext ctx) {
  const http_transfer *transfer = resumed(L, status, ctx);
  lua_pushboolean(L, transfer->wants_more && !transfer->done);
  return 1;
}

static int room(lua_State *L) {
  return await_transfer(L, &room_wait, has_room, roomy);
}

/* read(): what there is of the body, at least a byte; nothing at its end, or if it failed. */
static int read_on(lua_State *L, int status, lua_KContext ctx) {
  http_transfer *transfer = resumed(L, status, ctx);
  if (transfer->body.size == 0) return 0;
  lua_pushlstring(L, transfer->body.data, transfer->body.size);
  transfer->body.size = 0;
  http_transfer_resume(transfer);
  return 1;
}

static int read_piece(lua_State *L) {
  return await_transfer(L, &body_wait, has_bytes, read_on);
}

/* ---- what does not wait ---- */

/* feed(bytes): the next piece of the request's body; feed(): there is no more. */
static int feed(lua_State *L) {
  http_transfer *transfer = check_transfer(L);
  size_t size = 0;
  const char *bytes = luaL_optlstring(L, 2, NULL, &size);
  if (http_transfer_feed(transfer, bytes, size) < 0) return luaL_error(L, "not enough memory");
  return 0;
}

static const char *const ends[] = {
    "",          "connect", "total", "read",        "body too large", "head too large",
    "no memory", "closed",  "lost",  "two lengths", "bad encoding",   "bad status",
    "bad head"};

/* failure() -> nothing if all went well; otherwise how it ended, libcurl's code and text, the
 * system's error number, the answer of a proxy to CONNECT, and whether there was a connection. */
static int failure(lua_State *L) {
  http_transfer *transfer = check_transfer(L);
  if (!transfer->done || transfer->result == CURLE_OK) return 0;
  const char *text = transfer->error[0] ? transfer->error : curl_easy_strerror(transfer->result);
  lua_pushstring(L, ends[transfer->end]);
  lua_pushinteger(L, transfer->result);
  lua_pushstring(L, text);
  lua_pushinteger(L, transfer->error_number);
  lua_pushinteger(L, transfer->connect_status);
  lua_pushboolean(L, transfer->connected);
  return 6;
}

static int transfer_gc(lua_State *L) {
  http_transfer **handle = http_check_class(L, TRANSFER);
  http_transfer *transfer = *handle;
  *handle = NULL;
  if (transfer != NULL) http_transfer_free(transfer);
  return 0;
}

/* abort(): gives up what is not done; what has come can still be read. */
static int abort_transfer(lua_State *L) {
  http_transfer **handle = http_check_class(L, TRANSFER);
  if (*handle != NULL) http_transfer_abort(*handle, HTTP_CLOSED);
  return 0;
}

static int close_transfer(lua_State *L) {
  let_go(http_check_class(L, TRANSFER));
  return 0;
}

static const luaL_Reg transfer_methods[] = {{"finish", finish},
                                            {"head", head},
                                            {"room", room},
                                            {"read", read_piece},
                                            {"feed", feed},
                                            {"failure", failure},
                                            {"abort", abort_transfer},
                                            {"close", close_transfer},
                                            {"__gc", transfer_gc},
                                            {NULL, NULL}};

void http_open_request(lua_State *L, lull_t *rt) {
  http_new_class(L, rt, TRANSFER, transfer_methods);
}
