/* What Lua sees of pools and transfers. The facade, lull.http, checks arguments; here positions
 * take the place of names. A pool is {connections, http2, ...}, a userdata; so is a transfer, which
 * keeps its pool and the request's body alive. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transfer.h"

#define POOL "lull.http pool"
#define TRANSFER "lull.http transfer"

enum { POOL_VALUE = 1, BODY_VALUE }; /* user values of a transfer */

static http_pool *check_pool(lua_State *L, int index) {
  http_pool **pool = luaL_checkudata(L, index, POOL);
  if (*pool == NULL || (*pool)->closed) luaL_error(L, "the session is closed");
  return *pool;
}

static http_transfer *check_transfer(lua_State *L) {
  http_transfer **transfer = luaL_checkudata(L, 1, TRANSFER);
  if (*transfer == NULL) luaL_error(L, "the response is closed");
  return *transfer;
}

/* ---- pools ---- */

static void free_strings(http_config *config) {
  free(config->proxy);
  free(config->ca_file);
  free(config->cert_file);
  free(config->key_file);
}

static int copy_string(lua_State *L, int index, char **out) {
  if (!lua_isstring(L, index)) return 1;
  *out = strdup(lua_tostring(L, index));
  return *out != NULL;
}

/* pool(connections, http2, verify, proxy, ca_file, cert_file, key_file) */
static int new_pool(lua_State *L) {
  lull_t *rt = lull__rt(L);
  http_config config = {.connections = (long)luaL_checkinteger(L, 1),
                        .http2 = lua_toboolean(L, 2),
                        .verify = lua_toboolean(L, 3)};
  http_pool **pool = lua_newuserdatauv(L, sizeof(http_pool *), 0);
  *pool = NULL;
  luaL_setmetatable(L, POOL);
  int whole = copy_string(L, 4, &config.proxy) && copy_string(L, 5, &config.ca_file) &&
              copy_string(L, 6, &config.cert_file) && copy_string(L, 7, &config.key_file);
  if (whole && http_pool_new(pool, rt, &config) == 0) return 1;
  free_strings(&config);
  return luaL_error(L, "not enough memory");
}

static int close_pool(lua_State *L) {
  http_pool **pool = luaL_checkudata(L, 1, POOL);
  if (*pool == NULL) return 0;
  http_pool_close(*pool);
  http_pool_release(*pool);
  *pool = NULL;
  return 0;
}

/* ---- starting ---- */

/* The list of "Name: value" at index. */
static int copy_headers(lua_State *L, int index, struct curl_slist **headers) {
  if (!lua_istable(L, index)) return 1;
  lua_Unsigned count = lua_rawlen(L, index);
  for (lua_Unsigned i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i);
    const char *line = lua_tostring(L, -1);
    struct curl_slist *longer = line ? curl_slist_append(*headers, line) : NULL;
    lua_pop(L, 1);
    if (longer == NULL) return 0;
    *headers = longer;
  }
  return 1;
}

/* To libcurl 0 is its own default: no limit is a long time. */
static long milliseconds(lua_State *L, int index) {
  double seconds = luaL_optnumber(L, index, HUGE_VAL);
  return seconds > 1e6 ? (long)1e9 : (long)ceil(seconds * 1e3);
}

/* start(pool, method, url, headers, body, size, deadline, silence, connect, max_body, streaming,
 * user, password): body is a string, nil, or true for one that is fed. */
static int start(lua_State *L) {
  http_pool *pool = check_pool(L, 1);
  http_request request = {
      .method = luaL_checkstring(L, 2),
      .url = luaL_checkstring(L, 3),
      .body = lua_type(L, 5) == LUA_TSTRING ? lua_tostring(L, 5) : NULL,
      .size = (curl_off_t)luaL_optinteger(L, 6, -1),
      .deadline = luaL_optnumber(L, 7, HUGE_VAL),
      .silence = luaL_optnumber(L, 8, HUGE_VAL),
      .connect_ms = milliseconds(L, 9),
      .max_body = (uint64_t)luaL_optinteger(L, 10, LUA_MAXINTEGER),
      .streams = lua_type(L, 5) == LUA_TBOOLEAN,
      .streaming = lua_toboolean(L, 11),
      .user = luaL_optstring(L, 12, NULL),
      .password = luaL_optstring(L, 13, NULL),
  };
  if (request.body != NULL) request.size = (curl_off_t)lua_rawlen(L, 5);
  http_transfer **handle = lua_newuserdatauv(L, sizeof(http_transfer *), BODY_VALUE);
  *handle = NULL;
  luaL_setmetatable(L, TRANSFER);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, POOL_VALUE);
  lua_pushvalue(L, 5);
  lua_setiuservalue(L, -2, BODY_VALUE);
  http_transfer *transfer = calloc(1, sizeof *transfer);
  if (transfer == NULL) return luaL_error(L, "not enough memory");
  transfer->pool = pool;
  pool->holders++;
  *handle = transfer;
  if (!copy_headers(L, 4, &transfer->headers) || http_transfer_start(transfer, &request) < 0)
    return luaL_error(L, "not enough memory");
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

/* Goes on with k at once, or when the condition holds. */
static int await_transfer(lua_State *L, const lull_wait *wait, http_condition condition,
                          lua_KFunction k) {
  lull_t *rt = lull__rt(L);
  http_transfer *transfer = check_transfer(L);
  http_waiter *waiter = waiter_of(transfer, wait);
  lull_task *task = lull__require_task(L, rt);
  lua_settop(L, 1);
  if (waiter->task || waiter->woken) luaL_error(L, "another task reads this response already");
  if (condition(transfer)) return k(L, LUA_OK, (lua_KContext)rt);
  *waiter = (http_waiter){task, condition, 0};
  return lull__suspend(L, rt, wait, transfer, k, (lua_KContext)rt);
}

/* The transfer at index 1, in the function that goes on. */
static http_transfer *resumed(lua_State *L, int status, lua_KContext ctx) {
  lull_t *rt = (lull_t *)ctx;
  const lull_wait *wait = rt->current->wait;
  if (status == LUA_YIELD) lull__woken(L, rt);
  http_transfer *transfer = check_transfer(L);
  if (status == LUA_YIELD) waiter_of(transfer, wait)->woken = 0;
  return transfer;
}

static int close_transfer(lua_State *L);

static int push_response(lua_State *L, http_transfer *transfer) {
  double elapsed = transfer->elapsed;
  if (!transfer->done) elapsed = lull__now(transfer->pool->rt) - transfer->begun;
  lua_pushinteger(L, transfer->status);
  lua_pushlstring(L, transfer->head.data ? transfer->head.data : "", transfer->head.size);
  lua_pushinteger(L, transfer->version);
  lua_pushnumber(L, elapsed);
  return 4;
}

/* finish() -> status, head, version, elapsed, body; nothing if it failed. Closes what succeeded. */
static int finished(lua_State *L, int status, lua_KContext ctx) {
  http_transfer *transfer = resumed(L, status, ctx);
  if (transfer->result != CURLE_OK) return 0;
  push_response(L, transfer);
  lua_pushlstring(L, transfer->body.data ? transfer->body.data : "", transfer->body.size);
  close_transfer(L);
  return 5;
}

static int finish(lua_State *L) {
  return await_transfer(L, &answer_wait, is_done, finished);
}

/* head() -> status, head, version, elapsed as soon as they are there; nothing if it failed. */
static int headed(lua_State *L, int status, lua_KContext ctx) {
  http_transfer *transfer = resumed(L, status, ctx);
  return transfer->head_done ? push_response(L, transfer) : 0;
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
    "no memory", "closed",  "lost",  "two lengths", "bad encoding"};

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
  http_transfer **handle = luaL_checkudata(L, 1, TRANSFER);
  http_transfer *transfer = *handle;
  *handle = NULL;
  if (transfer != NULL) http_transfer_free(transfer);
  return 0;
}

static int is_waited_for(const http_transfer *transfer) {
  const http_waiter *reader = &transfer->reader, *sender = &transfer->sender;
  return reader->task || reader->woken || sender->task || sender->woken;
}

/* abort(): gives up what is not done; what has come can still be read. */
static int abort_transfer(lua_State *L) {
  http_transfer **handle = luaL_checkudata(L, 1, TRANSFER);
  if (*handle != NULL) http_transfer_abort(*handle, HTTP_CLOSED);
  return 0;
}

/* close(): gives up what is not done. Who waits for it, or was woken, finds it closed. */
static int close_transfer(lua_State *L) {
  http_transfer **handle = luaL_checkudata(L, 1, TRANSFER);
  http_transfer *transfer = *handle;
  if (transfer == NULL || !is_waited_for(transfer)) return transfer_gc(L);
  http_transfer_abort(transfer, HTTP_CLOSED);
  if (transfer->result == CURLE_OK) { /* it has ended, and whoever waited for that is too late */
    transfer->result = CURLE_ABORTED_BY_CALLBACK;
    transfer->end = HTTP_CLOSED;
  }
  http_free(&transfer->body);
  return 0;
}

static const luaL_Reg pool_methods[] = {
    {"start", start}, {"close", close_pool}, {"__gc", close_pool}, {NULL, NULL}};

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

static void new_metatable(lua_State *L, lull_t *rt, const char *name, const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  lull__setfuncs(L, rt, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

static const luaL_Reg functions[] = {{"pool", new_pool}, {NULL, NULL}};

void http_open_request(lua_State *L, lull_t *rt) {
  new_metatable(L, rt, POOL, pool_methods);
  new_metatable(L, rt, TRANSFER, transfer_methods);
  lull__setfuncs(L, rt, functions);
}
