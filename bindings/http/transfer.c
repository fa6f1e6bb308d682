/* A transfer: one request and its response, on an easy handle of a pool. What Lua sees of it is a
 * userdata that points to it; a transfer that is collected or closed before its end is aborted,
 * which gives its place in the pool back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transfer.h"

#define MOST_HEAD 262144   /* bytes of header lines */
#define MOST_UNREAD 262144 /* bytes of a streamed body; then the peer has to wait */
#define UNPACKED 65536     /* bytes at a time */

/* ---- bytes ---- */

/* Has room for so many bytes more. */
int http_reserve(http_bytes *bytes, size_t size) {
  if (bytes->capacity - bytes->size >= size) return 0;
  size_t capacity = bytes->capacity ? bytes->capacity : 512;
  while (capacity - bytes->size < size)
    capacity *= 2;
  char *grown = realloc(bytes->data, capacity);
  if (grown == NULL) return -1;
  bytes->data = grown;
  bytes->capacity = capacity;
  return 0;
}

int http_append(http_bytes *bytes, const char *data, size_t size) {
  if (http_reserve(bytes, size) < 0) return -1;
  memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
  return 0;
}

void http_free(http_bytes *bytes) {
  free(bytes->data);
  *bytes = (http_bytes){0};
}

/* ---- what libcurl calls ---- */

static void hear(http_transfer *transfer) {
  transfer->heard = lull__now(transfer->pool->rt);
}

static void tell_one(http_transfer *transfer, http_waiter *waiter) {
  if (waiter->task == NULL || !waiter->awaited(transfer)) return;
  lull_task *task = waiter->task;
  waiter->task = NULL;
  waiter->woken = 1;
  lull__wake(transfer->pool->rt, task);
}

static void tell(http_transfer *transfer) {
  tell_one(transfer, &transfer->reader);
  tell_one(transfer, &transfer->sender);
}

/* Has libcurl fail the transfer, from inside a callback. */
static size_t refuse(http_transfer *transfer, http_end end) {
  transfer->end = end;
  return 0;
}

/* "HTTP/1.1 200 OK": the status, and the version as two digits. */
static void read_status(http_transfer *transfer, const char *line, size_t size) {
  transfer->head.size = 0;
  transfer->has_length = 0;
  transfer->encodings.size = 0;
  transfer->status = 0;
  const char *space = memchr(line, ' ', size);
  if (space != NULL && size - (size_t)(space - line) > 3)
    transfer->status = (space[1] - '0') * 100 + (space[2] - '0') * 10 + (space[3] - '0');
  transfer->version = line[5] == '2' ? 20 : line[5] == '3' ? 30 : 10 + (line[7] - '0');
}

/* There are servers here that speak HTTP/2: no more need to wait for a place of one's own. */
static void share(http_transfer *transfer) {
  if (!transfer->multiplexes) return;
  transfer->pool->multiplexing = 1;
  transfer->pool->places -= transfer->has_place;
  transfer->has_place = 0;
}

static int is_named(const char *line, size_t size, const char *name, size_t length) {
  return size > length && strncasecmp(line, name, length) == 0;
}

/* Whether the line is a Content-Length other than one before (RFC 9112, section 6.3). */
static int contradicts(http_transfer *transfer, const char *line, size_t size) {
  static const char name[] = "content-length:";
  if (!is_named(line, size, name, sizeof name - 1)) return 0;
  uint64_t length = 0;
  for (size_t i = sizeof name - 1; i < size; i++)
    if (line[i] >= '0' && line[i] <= '9') length = length * 10 + (uint64_t)(line[i] - '0');
  int differs = transfer->has_length && transfer->length != length;
  transfer->length = length;
  transfer->has_length = 1;
  return differs;
}

static int note_encoding(http_transfer *transfer, const char *line, size_t size) {
  static const char name[] = "content-encoding:";
  size_t length = sizeof name - 1;
  if (!is_named(line, size, name, length)) return 0;
  if (http_append(&transfer->encodings, line + length, size - length) < 0) return -1;
  return http_append(&transfer->encodings, ",", 1);
}

/* What is packed in a way that is not known is left as it is. */
static http_end open_decoder(http_transfer *transfer) {
  http_bytes *names = &transfer->encodings;
  if (names->size == 0) return HTTP_BY_CURL;
  if (http_append(names, "", 1) < 0) return HTTP_NO_MEMORY;
  int status = http_decoder_new(&transfer->decoder, names->data, names->size - 1);
  if (status == UV_ENOMEM) return HTTP_NO_MEMORY;
  return status == UV_E2BIG ? HTTP_BAD_ENCODING : HTTP_BY_CURL;
}

/* What comes after 101 is not for libcurl to read. */
static int is_interim(const http_transfer *transfer) {
  return transfer->status / 100 == 1 && transfer->status != 101;
}

static size_t on_header(char *line, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size *= count;
  hear(transfer);
  if (transfer->head_done) return size; /* a trailer */
  if (!transfer->in_head && size > 9) read_status(transfer, line, size);
  transfer->in_head = 1;
  if (contradicts(transfer, line, size)) return refuse(transfer, HTTP_TWO_LENGTHS);
  if (transfer->head.size + size > MOST_HEAD) return refuse(transfer, HTTP_HEAD_TOO_LARGE);
  if (http_append(&transfer->head, line, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
  if (note_encoding(transfer, line, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
  if ((size > 2 || line[0] != '\r') && (size > 1 || line[0] != '\n')) return size;
  transfer->in_head = 0;
  if (is_interim(transfer)) return size;
  http_end failure = open_decoder(transfer);
  if (failure != HTTP_BY_CURL) return refuse(transfer, failure);
  transfer->head_done = 1;
  if (transfer->version >= 20) share(transfer);
  tell(transfer);
  return size;
}

/* Takes bytes of the body, as they are to be read. */
static http_end take(http_transfer *transfer, const char *bytes, size_t size) {
  transfer->received += size;
  if (transfer->received > transfer->max_body) return HTTP_BODY_TOO_LARGE;
  if (bytes == NULL) /* they are in their place already */
    transfer->body.size += size;
  else if (http_append(&transfer->body, bytes, size) < 0)
    return HTTP_NO_MEMORY;
  return HTTP_BY_CURL;
}

/* Unpacks what has come, as far as it is wanted now. */
static http_end unpack(http_transfer *transfer) {
  http_bytes *body = &transfer->body;
  http_end failure = HTTP_BY_CURL;
  while (failure == HTTP_BY_CURL && (!transfer->streaming || body->size < MOST_UNREAD)) {
    if (http_reserve(body, UNPACKED) < 0) return HTTP_NO_MEMORY;
    long size = http_decode(transfer->decoder, body->data + body->size, UNPACKED);
    int broken = size == 0 && transfer->done && !http_decoder_complete(transfer->decoder);
    if (size < 0 || broken) return HTTP_BAD_ENCODING;
    if (size == 0) break;
    failure = take(transfer, NULL, (size_t)size);
  }
  return failure;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size *= count;
  hear(transfer);
  if (transfer->streaming && transfer->body.size >= MOST_UNREAD) {
    transfer->paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  http_end failure;
  if (transfer->decoder == NULL)
    failure = take(transfer, bytes, size);
  else if (http_decoder_push(transfer->decoder, bytes, size) < 0)
    failure = HTTP_NO_MEMORY;
  else
    failure = unpack(transfer);
  if (failure != HTTP_BY_CURL) return refuse(transfer, failure);
  tell(transfer);
  return size;
}

/* Takes from what the caller gave; when that is used up, the caller is asked for more. */
static size_t on_send(char *buffer, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size_t left = transfer->sending.size - transfer->sent;
  size *= count;
  hear(transfer);
  if (left == 0 && transfer->sent_all) return 0;
  if (left == 0) {
    transfer->wants_more = 1;
    tell(transfer);
    return CURL_READFUNC_PAUSE;
  }
  if (size > left) size = left;
  memcpy(buffer, transfer->sending.data + transfer->sent, size);
  transfer->sent += size;
  transfer->sent_some = 1;
  return size;
}

static void watch(http_transfer *transfer);

/* There is a connection: from now on the peer must not be silent for too long. If it is the second
 * one, then the first was used before and closed when it had the request: libcurl would send it
 * again, less what it has taken of a streamed body. */
static int on_connected(void *data, char *ip, char *local_ip, int port, int local_port) {
  (void)ip;
  (void)local_ip;
  (void)port;
  (void)local_port;
  http_transfer *transfer = data;
  if (transfer->connected && (transfer->once || transfer->sent_some)) {
    transfer->end = HTTP_LOST;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer->connected = 1;
  hear(transfer);
  watch(transfer);
  return CURL_PREREQFUNC_OK;
}

/* ---- timeouts ---- */

/* A transfer that waits for us, to read or to send, is not waited for. */
static int is_idle(const http_transfer *transfer) {
  return !transfer->connected || transfer->paused || transfer->wants_more;
}

/* Until when there has to be a connection. libcurl counts the time from when it begins to make one;
 * who waits for another's, to share it, is not to begin anew when that has failed. */
static double connect_limit(const http_transfer *transfer) {
  int waits = transfer->multiplexes && !transfer->queued && !transfer->connected;
  return waits ? transfer->entered + transfer->patience : HUGE_VAL;
}

static int is_full(const http_lane *lane) {
  return lane->sockets >= lane->pool->config.connections;
}

static void on_time(lua_State *L, lull_t *rt, lull_timer *timer) {
  (void)L;
  http_transfer *transfer = lull__container(timer, http_transfer, timer);
  double now = lull__now(rt);
  if (now >= transfer->deadline) {
    http_transfer_abort(transfer, HTTP_TOTAL_TIMEOUT);
    return;
  }
  if (is_full(transfer->lane)) transfer->entered = now; /* it waits for a place */
  if (now >= connect_limit(transfer)) {
    http_transfer_abort(transfer, HTTP_CONNECT_TIMEOUT);
    return;
  }
  curl_off_t uploaded = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
  if (is_idle(transfer) || uploaded != transfer->uploaded) transfer->heard = now;
  transfer->uploaded = uploaded;
  if (now >= transfer->heard + transfer->silence)
    http_transfer_abort(transfer, HTTP_READ_TIMEOUT);
  else
    watch(transfer);
}

/* Sets the timer for what comes first. It is set anew when it fires, not whenever bytes come. */
static void watch(http_transfer *transfer) {
  lull_t *rt = transfer->pool->rt;
  double when = transfer->connected ? transfer->heard + transfer->silence : connect_limit(transfer);
  if (when > transfer->deadline) when = transfer->deadline;
  lull__timer_stop(rt, &transfer->timer);
  if (when < HUGE_VAL) lull__timer_start(rt, &transfer->timer, when, on_time);
}

/* ---- beginning and end ---- */

/* Whether the connection may turn out to be one for many requests at a time, and is worth waiting
 * for. Without TLS that would be known only when the first response has come. */
static int may_multiplex(const http_request *request) {
  return !request->streaming && strncmp(request->url, "https:", 6) == 0;
}

/* RFC 9110, section 9.2.2. */
static int is_idempotent(const char *method) {
  static const char *const names[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(method, names[i]) == 0) return 1;
  return 0;
}

/* What every request sets, since the easy handle may have been used before. */
static void prepare(http_transfer *transfer, const http_request *request) {
  CURL *easy = transfer->easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_URL, request->url);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)transfer->multiplexes);
  curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
  curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_ms);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* undoes the methods below */
  if (request->streams) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, request->size);
  } else if (request->body != NULL) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, request->size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
  } else if (strcmp(request->method, "HEAD") == 0) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  int implied = !request->streams && request->body == NULL && strcmp(request->method, "GET") == 0;
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, implied ? NULL : request->method);
}

/* Begins a transfer that was zeroed and has its pool and headers. */
int http_transfer_start(http_transfer *transfer, const http_request *request) {
  http_pool *pool = transfer->pool;
  transfer->timer.index = LULL_NO_TIMER;
  transfer->easy = http_pool_easy(pool);
  if (transfer->easy == NULL) return UV_ENOMEM;
  transfer->begun = lull__now(pool->rt);
  transfer->deadline = request->deadline;
  transfer->silence = request->silence;
  transfer->patience = (double)request->connect_ms / 1e3;
  transfer->max_body = request->max_body;
  transfer->streaming = (uint8_t)request->streaming;
  transfer->sends = (uint8_t)request->streams;
  transfer->once = (uint8_t)!is_idempotent(request->method);
  transfer->multiplexes = (uint8_t)(pool->config.http2 && may_multiplex(request));
  transfer->lane = &pool->lanes[transfer->multiplexes ? HTTP_SHARED : HTTP_OWN];
  prepare(transfer, request);
  watch(transfer);
  transfer->queued = 1;
  lull__list_append(&pool->queue, &transfer->node);
  http_pool_admit(pool);
  return 0;
}

/* Lets a transfer out of the queue into its lane. */
void http_transfer_begin(http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  lull__list_remove(&transfer->node);
  transfer->queued = 0;
  lull__list_append(&pool->transfers, &transfer->node);
  transfer->entered = lull__now(pool->rt);
  if (transfer->multiplexes) watch(transfer);
  if (http_pool_enter(transfer) < 0) http_transfer_abort(transfer, HTTP_NO_MEMORY);
}

/* Unpacks what came before the transfer ended. */
static void unpack_rest(http_transfer *transfer) {
  if (transfer->result != CURLE_OK) return;
  transfer->end = unpack(transfer);
  if (transfer->end != HTTP_BY_CURL) transfer->result = CURLE_BAD_CONTENT_ENCODING;
}

static void end(http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  lull__timer_stop(pool->rt, &transfer->timer);
  lull__list_remove(&transfer->node);
  if (!transfer->queued) http_pool_leave(transfer);
  curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, NULL);
  http_pool_recycle(pool, transfer->easy);
  transfer->easy = NULL;
  transfer->elapsed = lull__now(pool->rt) - transfer->begun;
  transfer->done = 1;
  if (transfer->decoder != NULL) unpack_rest(transfer);
  curl_slist_free_all(transfer->headers);
  transfer->headers = NULL;
  http_free(&transfer->sending);
  pool->places -= transfer->has_place;
  transfer->has_place = 0;
  tell(transfer);
  http_pool_admit(pool);
}

void http_transfer_done(http_transfer *transfer, CURLcode result) {
  long number = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &transfer->connect_status);
  transfer->error_number = (int)number;
  transfer->result = result;
  if (result == CURLE_OK && !transfer->head_done) { /* libcurl lets that pass */
    transfer->result = CURLE_PARTIAL_FILE;
    strcpy(transfer->error, "the connection was closed in the middle of the header lines");
  }
  end(transfer);
}

/* Not to be called from libcurl's callbacks. */
void http_transfer_abort(http_transfer *transfer, http_end how) {
  if (transfer->done) return;
  transfer->end = how;
  transfer->result = CURLE_ABORTED_BY_CALLBACK;
  end(transfer);
}

void http_transfer_free(http_transfer *transfer) {
  transfer->reader.task = transfer->sender.task = NULL;
  if (transfer->easy != NULL) http_transfer_abort(transfer, HTTP_CLOSED);
  curl_slist_free_all(transfer->headers);
  http_free(&transfer->head);
  http_free(&transfer->body);
  http_free(&transfer->encodings);
  http_decoder_free(transfer->decoder);
  http_free(&transfer->sending);
  http_pool_release(transfer->pool);
  free(transfer);
}

/* ---- reading and sending piece by piece ---- */

/* Pauses what is to be paused, and lets the rest go on. What libcurl has kept comes at once, and
 * may be too much. That there is no connection, since another is being made, is no failure. */
static void pause_or_go_on(http_transfer *transfer) {
  int paused =
      (transfer->paused ? CURLPAUSE_RECV : 0) | (transfer->wants_more ? CURLPAUSE_SEND : 0);
  hear(transfer);
  CURLcode result = curl_easy_pause(transfer->easy, paused);
  if (result != CURLE_OK && result != CURLE_BAD_FUNCTION_ARGUMENT)
    http_transfer_done(transfer, result);
}

/* The unread body was taken: the peer may go on. */
void http_transfer_resume(http_transfer *transfer) {
  if (transfer->decoder != NULL && transfer->done) unpack_rest(transfer);
  if (!transfer->paused || transfer->done) return;
  if (transfer->decoder != NULL) {
    http_end failure = unpack(transfer);
    if (failure != HTTP_BY_CURL) {
      http_transfer_abort(transfer, failure);
      return;
    }
    if (transfer->body.size >= MOST_UNREAD) return; /* there was enough left of it */
  }
  transfer->paused = 0;
  pause_or_go_on(transfer);
}

/* Gives the next piece of the request's body; bytes NULL: there is no more. */
int http_transfer_feed(http_transfer *transfer, const char *bytes, size_t size) {
  if (transfer->done) return 0;
  transfer->sending.size = transfer->sent = 0;
  if (bytes == NULL) transfer->sent_all = 1;
  if (bytes != NULL && http_append(&transfer->sending, bytes, size) < 0) return UV_ENOMEM;
  if (!transfer->wants_more) return 0;
  transfer->wants_more = 0;
  pause_or_go_on(transfer);
  return 0;
}
