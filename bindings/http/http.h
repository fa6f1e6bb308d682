/* What the files of the HTTP client share: pools of connections and the transfers in them. A pool
 * is two multi handles of libcurl, run by the runtime's loop. libcurl's callbacks never run Lua:
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

int http_reserve(http_bytes *bytes, size_t size);
int http_append(http_bytes *bytes, const char *data, size_t size);
void http_free(http_bytes *bytes);

/* What unpacks a body: see decode.c. */
typedef struct http_decoder http_decoder;

int http_decoder_new(http_decoder **out, const char *names, size_t size);
int http_decoder_push(http_decoder *decoder, const char *bytes, size_t size);
long http_decode(http_decoder *decoder, char *out, size_t room);
int http_decoder_complete(const http_decoder *decoder);
void http_decoder_free(http_decoder *decoder);

/* What every transfer of a pool has in common; the strings are the pool's. */
typedef struct http_config {
  char *proxy; /* "" for none at all, NULL for what the environment says */
  char *ca_file, *cert_file, *key_file;
  struct curl_slist *headers; /* of requests that have none of their own */
  int verify, http2;
  long connect_ms; /* this and the next two: for requests that say nothing else */
  double silence;
  uint64_t max_body;
  long connections;
} http_config;

typedef struct http_socket http_socket;
typedef struct http_transfer http_transfer;

/* A multi handle, made when it is needed. In the shared lane requests may go over one connection at
 * a time. A response that may be paused has to have its connection for itself: libcurl 7.88 goes on
 * reading a paused HTTP/2 stream when another of its connection is read, and the handle's next
 * transfer may begin with what is left of it. */
enum { HTTP_OWN, HTTP_SHARED, HTTP_LANES };

typedef struct http_lane {
  struct http_pool *pool;
  CURLM *multi;
  uv_timer_t timer;
  int transfers, sockets, running;
  int failed_attempt; /* of a transfer of this lane */
} http_lane;

typedef struct http_pool {
  lull_closer closer;
  lull_t *rt;
  http_lane lanes[HTTP_LANES];
  CURLSH *share; /* of TLS sessions: who connects again need not begin from nothing */
  http_config config;
  lull_node transfers;   /* those in a lane */
  lull_node queue;       /* those that wait for a place there, in the order they came */
  http_socket **sockets; /* by descriptor */
  int nsockets;
  lull_node spares; /* transfers to be used again */
  long nspares, nhandles;
  double now;       /* when libcurl was last called to act */
  int previews;     /* header lines come as if they were of the body: see transfer.c */
  int places;       /* of transfers that may need a connection each; config.connections at most */
  int multiplexing; /* there are servers that take many requests over one connection */
  int holders;      /* the Lua object, and what still uses the memory: transfers, handles */
  int closed;
} http_pool;

int http_pool_new(http_pool **out, lull_t *rt, const http_config *config);
void http_pool_close(http_pool *pool);
void http_pool_release(http_pool *pool);
void http_pool_own_sockets(http_pool *pool, CURL *easy);
CURL *http_easy_new(http_pool *pool);
void http_pool_admit(http_pool *pool);
int http_pool_enter(http_transfer *transfer);
void http_pool_leave(http_transfer *transfer);
void http_pool_keep_socket(http_transfer *transfer);

/* How a transfer ended, as far as libcurl does not tell. */
typedef enum http_end {
  HTTP_BY_CURL,
  HTTP_CONNECT_TIMEOUT,
  HTTP_TOTAL_TIMEOUT,
  HTTP_READ_TIMEOUT,
  HTTP_BODY_TOO_LARGE,
  HTTP_HEAD_TOO_LARGE,
  HTTP_NO_MEMORY,
  HTTP_CLOSED,
  HTTP_LOST,
  HTTP_TWO_LENGTHS,
  HTTP_BAD_ENCODING,
  HTTP_BAD_STATUS,
  HTTP_BAD_HEAD
} http_end;

typedef int (*http_condition)(const http_transfer *transfer);

/* A task that waits for something of a transfer. */
typedef struct http_waiter {
  lull_task *task; /* or NULL */
  http_condition awaited;
  int woken; /* it is about to run */
} http_waiter;

/* What an easy handle was told of its last request. */
typedef struct http_settings {
  const struct curl_slist *headers;
  long connect_ms;
  uint8_t credentials, special, http2, multiplexes;
} http_settings;

/* What stays when a transfer is used again comes first, what is forgotten then lies between begun
 * and error. */
struct http_transfer {
  lull_node node; /* in the pool's queue, its transfers, or its spares */
  http_pool *pool;
  CURL *easy;
  CURLU *parsed; /* the URL; as text it is in url, which ends in a zero byte */
  http_bytes url;
  http_settings set;
  uint8_t reused;        /* the last request went over a connection that was there */
  http_bytes head, body; /* of the response */
  http_bytes encodings;  /* what Content-Encoding says, each followed by a comma */
  double begun;
  double deadline, silence, heard; /* seconds; deadline and silence may be HUGE_VAL */
  http_lane *lane;                 /* NULL: not begun */
  struct curl_slist *headers;      /* of its own */
  http_waiter reader, sender;
  lull_timer timer;
  double entered, patience; /* when it came into its lane, how long a connection may take */
  double fires;             /* when the timer does, if it is set */
  double elapsed;
  http_decoder *decoder; /* or NULL */
  http_bytes partial;    /* of a header line that comes in pieces */
  http_bytes sending;    /* what the caller gave of a streamed body */
  size_t sent;           /* bytes of it that libcurl has taken */
  uint64_t max_body;
  uint64_t received;
  uint64_t length; /* what Content-Length says */
  curl_off_t uploaded;
  long status, version, connect_status;
  int error_number;
  CURLcode result;
  http_end end;
  uint8_t once;        /* the request may do harm if it is sent again */
  uint8_t multiplexes; /* it may share a connection */
  uint8_t trusts;      /* it will hardly need a new connection */
  uint8_t has_place, queued;
  uint8_t has_length;
  uint8_t failed_attempt; /* to connect; there may be other addresses to try */
  uint8_t loose_socket;   /* a poll handle was given up before it was to be kept */
  uint8_t streaming;      /* the body is read piece by piece */
  uint8_t connected, in_head, head_done, done;
  uint8_t at_status; /* the last line that came was the status */
  uint8_t sets_cookies;
  uint8_t paused;                                 /* enough of the body waits to be read */
  uint8_t sends, wants_more, sent_some, sent_all; /* a streamed body of the request */
  uint8_t refused;                                /* the server does not want it */
  char error[CURL_ERROR_SIZE];
};

void http_transfer_begin(http_transfer *transfer);
void http_transfer_done(http_transfer *transfer, CURLcode result);
void http_transfer_abort(http_transfer *transfer, http_end end);
void http_free_spares(http_pool *pool);

enum { HTTP_HANDLES = 1 }; /* the user value of a pool: a list of userdata for transfers to come */
void *http_check_class(lua_State *L, const char *name);
http_pool *http_check_pool(lua_State *L);
long http_milliseconds(lua_State *L, int index);
int http_copy_headers(lua_State *L, int index, struct curl_slist **headers);
void http_new_class(lua_State *L, lull_t *rt, const char *name, const luaL_Reg *list);
int http_start(lua_State *L);
int http_exchange(lua_State *L);

/* What each file gives to the module table at the top of the stack. */
void http_open_request(lua_State *L, lull_t *rt);
void http_open_url(lua_State *L, lull_t *rt);
void http_open_text(lua_State *L, lull_t *rt);

#endif
