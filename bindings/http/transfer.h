/* A transfer from the side that starts it: see transfer.c and request.c. */
#ifndef LULL_HTTP_TRANSFER_H
#define LULL_HTTP_TRANSFER_H

#include "http.h"

#define MOST_UNREAD 262144 /* bytes of a streamed body; then the peer has to wait */

/* What a transfer is started with. The strings need to live as long as the call, body as long as
 * the transfer. */
typedef struct http_request {
  const char *method, *url, *user, *password, *body;
  curl_off_t size; /* of the body; -1: not known */
  long connect_ms;
  double deadline, silence;
  uint64_t max_body;
  int streams;   /* the body is given piece by piece */
  int streaming; /* the response's body is taken piece by piece */
} http_request;

/* receive.c */
size_t http_on_header(char *line, size_t size, size_t count, void *data);
size_t http_on_body(char *bytes, size_t size, size_t count, void *data);
http_end http_unpack(http_transfer *transfer);
void http_unpack_rest(http_transfer *transfer);

/* pieces.c */
void http_hear(http_transfer *transfer);
void http_tell(http_transfer *transfer);
void http_set_callbacks(http_transfer *transfer);
void http_stop_sending(http_transfer *transfer);
void http_transfer_resume(http_transfer *transfer);
int http_transfer_feed(http_transfer *transfer, const char *bytes, size_t size);

/* easy.c */
void http_easy_prepare(http_transfer *transfer, const http_request *request);

/* transfer.c */
void http_watch(http_transfer *transfer);
http_transfer *http_transfer_new(http_pool *pool);
void http_transfer_start(http_transfer *transfer, const http_request *request);
void http_transfer_free(http_transfer *transfer);

#endif
