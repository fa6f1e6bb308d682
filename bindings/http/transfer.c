/* A transfer: one request and its response, on an easy handle of a pool. What Lua sees of it is a
 * userdata that points to it; a transfer that is collected or closed before its end is aborted,
 * which gives its place in the pool back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transfer.h"

#define MOST_HEAD 262144   /* bytes of header lines */
#define MOST_UNREAD 262144 /* bytes of a streamed body; then the peer has to wait */

/* ---- bytes ---- */

int http_append(http_bytes *bytes, const char *data, size_t size) {
  if (bytes->capacity - bytes->size < size) {
    size_t capacity = bytes->capacity ? bytes->capacity : 512;
    while (capacity - bytes->size < size)
      capacity *= 2;
    char *grown = realloc(bytes->data, capacity);
    if (grown == NULL) return -1;
    bytes->data = grown;
    bytes->capacity = capacity;
  }
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

static void tell(http_transfer *transfer) {
  if (transfer->waiter == NULL || !transfer->awaited(transfer)) return;
  lull_task *task = transfer->waiter;
  transfer->waiter = NULL;
  lull__wake(transfer->pool->rt, task);
}

/* Has libcurl fail the transfer, from inside a callback. */
static size_t refuse(http_transfer *transfer, http_end end) {
  transfer->end = end;
  return 0;
}

/* "HTTP/1.1 200 OK": the status, and the version as two digits. */
static void read_status(http_transfer *transfer, const char *line, size_t size) {
  transfer->head.size = 0;
  transfer->status = 0;
  const char *space = memchr(line, ' ', size);
  if (space != NULL && size - (size_t)(space - line) > 3)
    transfer->status = (space[1] - '0') * 100 + (space[2] - '0') * 10 + (space[3] - '0');
  transfer->version = line[5] == '2' ? 20 : line[5] == '3' ? 30 : 10 + (line[7] - '0');
}

static size_t on_header(char *line, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size *= count;
  hear(transfer);
  if (transfer->head_done) return size; /* a trailer */
  if (size > 9 && memcmp(line, "HTTP/", 5) == 0) read_status(transfer, line, size);
  if (transfer->head.size + size > MOST_HEAD) return refuse(transfer, HTTP_HEAD_TOO_LARGE);
  if (http_append(&transfer->head, line, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
  if ((size > 2 || line[0] != '\r') && (size > 1 || line[0] != '\n')) return size;
  if (transfer->status / 100 == 1) return size;
  transfer->head_done = 1;
  tell(transfer);
  return size;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size *= count;
  hear(transfer);
  if (transfer->streaming && transfer->body.size >= MOST_UNREAD) {
    transfer->paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  transfer->received += size;
  if (transfer->received > transfer->max_body) return refuse(transfer, HTTP_BODY_TOO_LARGE);
  if (http_append(&transfer->body, bytes, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
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
  return size;
}

static void watch(http_transfer *transfer);

/* There is a connection: from now on the peer must not be silent for too long. If it is the second
 * one, then the first was used before and closed when it had the request: libcurl would send it
 * again. */
static int on_connected(void *data, char *ip, char *local_ip, int port, int local_port) {
  (void)ip;
  (void)local_ip;
  (void)port;
  (void)local_port;
  http_transfer *transfer = data;
  if (transfer->connected && transfer->once) {
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

static void on_time(lua_State *L, lull_t *rt, lull_timer *timer) {
  (void)L;
  http_transfer *transfer = lull__container(timer, http_transfer, timer);
  double now = lull__now(rt);
  if (now >= transfer->deadline) {
    http_transfer_abort(transfer, HTTP_TOTAL_TIMEOUT);
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
  double silent = transfer->heard + transfer->silence;
  double when = transfer->connected && silent < transfer->deadline ? silent : transfer->deadline;
  lull__timer_stop(rt, &transfer->timer);
  if (when < HUGE_VAL) lull__timer_start(rt, &transfer->timer, when, on_time);
}

/* ---- beginning and end ---- */

/* Whether the connection may turn out to be one for many requests at a time, and is worth waiting
 * for. Without TLS that would be known only when the first response has come. */
static int may_multiplex(const http_request *request) {
  return strncmp(request->url, "https:", 6) == 0;
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
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)may_multiplex(request));
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
  transfer->max_body = request->max_body;
  transfer->streaming = (uint8_t)request->streaming;
  transfer->sends = (uint8_t)request->streams;
  transfer->once = (uint8_t)!is_idempotent(request->method);
  prepare(transfer, request);
  if (curl_multi_add_handle(pool->multi, transfer->easy) != CURLM_OK) {
    http_pool_recycle(pool, transfer->easy);
    transfer->easy = NULL;
    return UV_ENOMEM;
  }
  if (lull__list_empty(&pool->transfers)) uv_ref((uv_handle_t *)&pool->timer);
  lull__list_append(&pool->transfers, &transfer->node);
  watch(transfer);
  return 0;
}

static void end(http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  lull__timer_stop(pool->rt, &transfer->timer);
  lull__list_remove(&transfer->node);
  if (lull__list_empty(&pool->transfers)) uv_unref((uv_handle_t *)&pool->timer);
  curl_multi_remove_handle(pool->multi, transfer->easy);
  curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, NULL);
  http_pool_recycle(pool, transfer->easy);
  transfer->easy = NULL;
  transfer->elapsed = lull__now(pool->rt) - transfer->begun;
  transfer->done = 1;
  curl_slist_free_all(transfer->headers);
  transfer->headers = NULL;
  http_free(&transfer->sending);
  tell(transfer);
}

void http_transfer_done(http_transfer *transfer, CURLcode result) {
  long number = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &transfer->connect_status);
  transfer->error_number = (int)number;
  transfer->result = result;
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
  transfer->waiter = NULL;
  if (transfer->easy != NULL) http_transfer_abort(transfer, HTTP_CLOSED);
  curl_slist_free_all(transfer->headers);
  http_free(&transfer->head);
  http_free(&transfer->body);
  http_free(&transfer->sending);
  http_pool_release(transfer->pool);
  free(transfer);
}

/* ---- reading and sending piece by piece ---- */

/* The unread body was taken: the peer may go on. */
void http_transfer_resume(http_transfer *transfer) {
  if (!transfer->paused || transfer->done) return;
  transfer->paused = 0;
  hear(transfer);
  curl_easy_pause(transfer->easy, transfer->wants_more ? CURLPAUSE_SEND : CURLPAUSE_CONT);
}

/* Gives the next piece of the request's body; bytes NULL: there is no more. */
int http_transfer_feed(http_transfer *transfer, const char *bytes, size_t size) {
  if (transfer->done) return 0;
  transfer->sending.size = transfer->sent = 0;
  if (bytes == NULL) transfer->sent_all = 1;
  if (bytes != NULL && http_append(&transfer->sending, bytes, size) < 0) return UV_ENOMEM;
  if (!transfer->wants_more) return 0;
  transfer->wants_more = 0;
  hear(transfer);
  curl_easy_pause(transfer->easy, transfer->paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
  return 0;
}
