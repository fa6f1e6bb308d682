/* What the files of the HTTP client share: pools of connections and the transfers in them. A pool
 * is one multi handle of libcurl, run by the runtime's loop. libcurl's callbacks never run Lua:
 * they fill buffers and wake the task that waits. */
#ifndef LULL_HTTP_H
#define LULL_HTTP_H

#include <curl/curl.h>

#include "internal.h"

/* Bytes that grow at their end. */
typedef struct http_bytes {
  char *data;
  size_t size, capacity;
} http_bytes;

int http_append(http_bytes *bytes, const char *data, size_t size);
void http_free(http_bytes *bytes);

/* What every transfer of a pool has in common; the strings are the pool's. */
typedef struct http_config {
  char *proxy; /* "" for none at all, NULL for what the environment says */
  char *ca_file, *cert_file, *key_file;
  int verify, http2;
  long connections;
} http_config;

typedef struct http_socket http_socket;

enum { HTTP_SPARES = 64 };

typedef struct http_pool {
  lull_closer closer;
  lull_t *rt;
  CURLM *multi;
  uv_timer_t timer;
  http_config config;
  lull_node transfers;   /* those in the multi handle */
  http_socket **sockets; /* by descriptor */
  int nsockets;
  CURL *spares[HTTP_SPARES];
  int nspares, running;
  int holders; /* the Lua object, and what still uses the memory: transfers, handles */
  int closed;
} http_pool;

int http_pool_new(http_pool **out, lull_t *rt, const http_config *config);
void http_pool_close(http_pool *pool);
void http_pool_release(http_pool *pool);
CURL *http_pool_easy(http_pool *pool);
void http_pool_recycle(http_pool *pool, CURL *easy);
void http_pool_check(http_pool *pool);

/* How a transfer ended, as far as libcurl does not tell. */
typedef enum http_end {
  HTTP_BY_CURL,
  HTTP_TOTAL_TIMEOUT,
  HTTP_READ_TIMEOUT,
  HTTP_BODY_TOO_LARGE,
  HTTP_HEAD_TOO_LARGE,
  HTTP_NO_MEMORY,
  HTTP_CLOSED,
  HTTP_LOST
} http_end;

typedef struct http_transfer http_transfer;
typedef int (*http_condition)(const http_transfer *transfer);

struct http_transfer {
  lull_node node;
  http_pool *pool;
  CURL *easy; /* NULL once it is done */
  struct curl_slist *headers;
  lull_task *waiter;
  http_condition awaited;
  lull_timer timer;
  double begun, deadline, silence, heard; /* seconds; deadline and silence may be HUGE_VAL */
  double elapsed;
  http_bytes head, body;
  http_bytes sending; /* what the caller gave of a streamed body */
  size_t sent;        /* bytes of it that libcurl has taken */
  uint64_t max_body;
  uint64_t received;
  curl_off_t uploaded;
  long status, version, connect_status;
  int error_number;
  CURLcode result;
  http_end end;
  uint8_t once;      /* the request may do harm if it is sent again */
  uint8_t streaming; /* the body is read piece by piece */
  uint8_t connected, head_done, done;
  uint8_t paused;                      /* enough of the body waits to be read */
  uint8_t sends, wants_more, sent_all; /* a streamed body of the request */
  char error[CURL_ERROR_SIZE];
};

void http_transfer_done(http_transfer *transfer, CURLcode result);
void http_transfer_abort(http_transfer *transfer, http_end end);

/* What each file gives to the module table at the top of the stack. */
void http_open_request(lua_State *L, lull_t *rt);
void http_open_url(lua_State *L, lull_t *rt);
void http_open_text(lua_State *L, lull_t *rt);

#endif
