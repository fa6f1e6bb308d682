/* A transfer: one request and its response, on an easy handle of a pool. What Lua sees of it is a
 * userdata that points to it; a transfer that is collected or closed before its end is aborted,
 * which gives its place in the pool back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transfer.h"

#define MOST_KEPT 16384 /* bytes of a buffer that is used again */

/* ---- timeouts ---- */

/* A transfer that waits for us, to read or to send, is not waited for. */
static int is_idle(const http_transfer *transfer) {
  return !transfer->connected || transfer->paused || transfer->wants_more;
}

/* Whether it is here that the time to connect is watched. libcurl counts it from when it begins to
 * make a connection; who waits for another's, to share it, is not to begin anew when that has
 * failed. And who trusts that there is a connection has not told libcurl. */
static int is_watched(const http_transfer *transfer) {
  return transfer->multiplexes || transfer->trusts;
}

/* Until when there has to be a connection. */
static double connect_limit(const http_transfer *transfer) {
  int waits = is_watched(transfer) && !transfer->queued && !transfer->connected;
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
  if (transfer->multiplexes && is_full(transfer->lane))
    transfer->entered = now; /* it waits for a place */
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
    http_watch(transfer);
}

/* Sets the timer for what comes first, unless it fires before that. It is set anew when it fires,
 * not whenever something comes. */
void http_watch(http_transfer *transfer) {
  lull_t *rt = transfer->pool->rt;
  double when = transfer->connected ? transfer->heard + transfer->silence : connect_limit(transfer);
  if (when > transfer->deadline) when = transfer->deadline;
  if (transfer->timer.index != LULL_NO_TIMER && transfer->fires <= when) return;
  lull__timer_stop(rt, &transfer->timer);
  transfer->fires = when;
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

static void destroy(http_transfer *transfer) {
  curl_easy_cleanup(transfer->easy);
  curl_url_cleanup(transfer->parsed);
  curl_slist_free_all(transfer->headers);
  http_decoder_free(transfer->decoder);
  http_free(&transfer->url);
  http_free(&transfer->head);
  http_free(&transfer->body);
  http_free(&transfer->encodings);
  http_free(&transfer->partial);
  http_free(&transfer->sending);
  free(transfer);
}

static http_transfer *new_transfer(http_pool *pool) {
  http_transfer *transfer = calloc(1, sizeof *transfer);
  if (transfer == NULL) return NULL;
  transfer->pool = pool;
  transfer->easy = http_easy_new(pool);
  transfer->parsed = curl_url();
  if (transfer->easy == NULL || transfer->parsed == NULL) {
    destroy(transfer);
    return NULL;
  }
  http_set_callbacks(transfer);
  return transfer;
}

/* Gives a transfer that is not begun, a used one if there is one; NULL: there is no memory. */
http_transfer *http_transfer_new(http_pool *pool) {
  http_transfer *transfer;
  if (lull__list_empty(&pool->spares)) {
    transfer = new_transfer(pool);
    if (transfer == NULL) return NULL;
  } else {
    transfer = lull__container(pool->spares.prev, http_transfer, node);
    lull__list_remove(&transfer->node);
    pool->nspares--;
  }
  transfer->timer.index = LULL_NO_TIMER;
  pool->holders++;
  return transfer;
}

/* Begins a new transfer, which has its headers. */
void http_transfer_start(http_transfer *transfer, const http_request *request) {
  http_pool *pool = transfer->pool;
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
  http_easy_prepare(transfer, request);
  http_watch(transfer);
  transfer->queued = 1;
  lull__list_append(&pool->queue, &transfer->node);
  http_pool_admit(pool);
}

/* Lets a transfer out of the queue into its lane. */
void http_transfer_begin(http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  lull__list_remove(&transfer->node);
  transfer->queued = 0;
  lull__list_append(&pool->transfers, &transfer->node);
  if (is_watched(transfer)) {
    transfer->entered = lull__now(pool->rt);
    http_watch(transfer);
  }
  if (http_pool_enter(transfer) < 0) http_transfer_abort(transfer, HTTP_NO_MEMORY);
}

static void end(http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  lull__timer_stop(pool->rt, &transfer->timer);
  lull__list_remove(&transfer->node);
  if (!transfer->queued) http_pool_leave(transfer);
  transfer->elapsed = lull__now(pool->rt) - transfer->begun;
  transfer->done = 1;
  if (transfer->decoder != NULL) http_unpack_rest(transfer);
  http_free(&transfer->sending);
  pool->places -= transfer->has_place;
  transfer->has_place = 0;
  http_tell(transfer);
  http_pool_admit(pool);
}

static void note_error(http_transfer *transfer) {
  long number = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &transfer->connect_status);
  transfer->error_number = (int)number;
}

static int made_no_connection(const http_transfer *transfer) {
  long connections = 1;
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
  return connections == 0;
}

void http_transfer_done(http_transfer *transfer, CURLcode result) {
  transfer->result = result;
  if (result != CURLE_OK) note_error(transfer);
  if (result == CURLE_OK && transfer->loose_socket) http_pool_keep_socket(transfer);
  transfer->reused = (uint8_t)(result == CURLE_OK && made_no_connection(transfer));
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

/* Empty, but not given back unless it is large. */
static void empty(http_bytes *bytes) {
  if (bytes->capacity > MOST_KEPT) http_free(bytes);
  bytes->size = 0;
}

/* Makes a transfer that has ended well like a new one, but for what costs to make. */
static void clean(http_transfer *transfer) {
  if (transfer->headers != NULL) {
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(transfer->headers);
    transfer->set.headers = NULL;
  }
  http_decoder_free(transfer->decoder);
  http_free(&transfer->sending);
  empty(&transfer->head);
  empty(&transfer->body);
  empty(&transfer->encodings);
  memset(&transfer->begun, 0, offsetof(http_transfer, error) - offsetof(http_transfer, begun));
  transfer->error[0] = '\0';
}

/* Its owner lets go of it: it is given up if it has not ended. */
void http_transfer_free(http_transfer *transfer) {
  http_pool *pool = transfer->pool;
  transfer->reader.task = transfer->sender.task = NULL;
  if (transfer->lane != NULL) http_transfer_abort(transfer, HTTP_CLOSED);
  int is_good = transfer->lane != NULL && transfer->result == CURLE_OK;
  if (is_good && !pool->closed && pool->nspares < pool->config.connections) {
    clean(transfer);
    lull__list_append(&pool->spares, &transfer->node);
    pool->nspares++;
  } else {
    destroy(transfer);
  }
  http_pool_release(pool);
}

void http_free_spares(http_pool *pool) {
  for (lull_node *node = pool->spares.next, *next; node != &pool->spares; node = next) {
    next = node->next;
    destroy(lull__container(node, http_transfer, node));
  }
  lull__list_init(&pool->spares);
  pool->nspares = 0;
}
