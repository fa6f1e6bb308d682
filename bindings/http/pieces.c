/* What goes between libcurl and a transfer while it is under way: pieces of the request's body, the
 * news of a connection; and how the caller has a paused transfer go on. */
#include <string.h>

#include "transfer.h"

/* Something came, or went. libcurl calls back only while it was called to act. */
void http_hear(http_transfer *transfer) {
  transfer->heard = transfer->pool->now;
}

static void tell_one(http_transfer *transfer, http_waiter *waiter) {
  if (waiter->task == NULL || !waiter->awaited(transfer)) return;
  lull_task *task = waiter->task;
  waiter->task = NULL;
  waiter->woken = 1;
  lull__wake(transfer->pool->rt, task);
}

void http_tell(http_transfer *transfer) {
  tell_one(transfer, &transfer->reader);
  tell_one(transfer, &transfer->sender);
}

/* Takes from what the caller gave; when that is used up, the caller is asked for more. */
static size_t on_send(char *buffer, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size_t left = transfer->sending.size - transfer->sent;
  size *= count;
  http_hear(transfer);
  if (transfer->refused || (left == 0 && transfer->sent_all)) return 0;
  if (left == 0) {
    transfer->wants_more = 1;
    http_tell(transfer);
    return CURL_READFUNC_PAUSE;
  }
  if (size > left) size = left;
  memcpy(buffer, transfer->sending.data + transfer->sent, size);
  transfer->sent += size;
  transfer->sent_some = 1;
  return size;
}

/* The response says that nothing will come of the request. libcurl stops sending then, if the
 * connection is to stay, but waits for more as long as that is paused. */
void http_stop_sending(http_transfer *transfer) {
  transfer->refused = 1;
  if (!transfer->wants_more) return;
  transfer->wants_more = 0;
  curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

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
  http_hear(transfer);
  http_watch(transfer);
  return CURL_PREREQFUNC_OK;
}

/* What stays set when the easy handle is used again. */
void http_set_callbacks(http_transfer *transfer) {
  CURL *easy = transfer->easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
  curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
  if (transfer->pool->previews) {
    curl_easy_setopt(easy, CURLOPT_HEADER, 1L);
    return;
  }
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
}

/* Pauses what is to be paused, and lets the rest go on. What libcurl has kept comes at once, and
 * may be too much. That there is no connection, since another is being made, is no failure. */
static void pause_or_go_on(http_transfer *transfer) {
  int paused =
      (transfer->paused ? CURLPAUSE_RECV : 0) | (transfer->wants_more ? CURLPAUSE_SEND : 0);
  transfer->pool->now = lull__now(transfer->pool->rt);
  http_hear(transfer);
  CURLcode result = curl_easy_pause(transfer->easy, paused);
  if (result != CURLE_OK && result != CURLE_BAD_FUNCTION_ARGUMENT)
    http_transfer_done(transfer, result);
}

/* The unread body was taken: the peer may go on. */
void http_transfer_resume(http_transfer *transfer) {
  if (transfer->decoder != NULL && transfer->done) http_unpack_rest(transfer);
  if (!transfer->paused || transfer->done) return;
  if (transfer->decoder != NULL) {
    http_end failure = http_unpack(transfer);
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
