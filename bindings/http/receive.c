/* What comes of a response: libcurl calls with header lines and with pieces of the body, which are
 * collected here, unpacked as far as they are wanted. None of this runs Lua. */
#include <string.h>
#include <strings.h>

#include "transfer.h"

#define MOST_HEAD 262144 /* bytes of header lines */
#define UNPACKED 65536   /* bytes at a time */

/* Has libcurl fail the transfer, from inside a callback. */
static size_t refuse(http_transfer *transfer, http_end end) {
  transfer->end = end;
  return 0;
}

static void begin_head(http_transfer *transfer) {
  transfer->head.size = 0;
  transfer->has_length = 0;
  transfer->encodings.size = 0;
  transfer->in_head = 1;
}

/* The status, and the version as two digits, as libcurl has understood them. */
static void end_head(http_transfer *transfer) {
  long version = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
  transfer->version = version == CURL_HTTP_VERSION_2_0   ? 20
                      : version == CURL_HTTP_VERSION_1_0 ? 10
                                                         : 11;
  transfer->in_head = 0;
}

/* There are servers here that speak HTTP/2: no more need to wait for a place of one's own. */
static void share(http_transfer *transfer) {
  if (!transfer->multiplexes) return;
  transfer->pool->multiplexing = 1;
  transfer->pool->places -= transfer->has_place;
  transfer->has_place = 0;
}

static int is_named(const char *line, size_t size, const char *name, size_t length) {
  return size > length && line[length - 1] == ':' && strncasecmp(line, name, length) == 0;
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

static const char set_cookie[] = "set-cookie:";

size_t http_on_header(char *line, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size *= count;
  http_hear(transfer);
  if (transfer->head_done) return size; /* a trailer */
  if (!transfer->in_head) begin_head(transfer);
  if (contradicts(transfer, line, size)) return refuse(transfer, HTTP_TWO_LENGTHS);
  if (transfer->head.size + size > MOST_HEAD) return refuse(transfer, HTTP_HEAD_TOO_LARGE);
  if (http_append(&transfer->head, line, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
  if (is_named(line, size, set_cookie, sizeof set_cookie - 1)) transfer->sets_cookies = 1;
  if (note_encoding(transfer, line, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
  if ((size > 2 || line[0] != '\r') && (size > 1 || line[0] != '\n')) return size;
  end_head(transfer);
  if (transfer->status < 100) return refuse(transfer, HTTP_BAD_STATUS);
  if (is_interim(transfer)) return size;
  http_end failure = open_decoder(transfer);
  if (failure != HTTP_BY_CURL) return refuse(transfer, failure);
  transfer->head_done = 1;
  if (transfer->sends && transfer->status >= 300) http_stop_sending(transfer);
  if (transfer->version >= 20) share(transfer);
  http_tell(transfer);
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
http_end http_unpack(http_transfer *transfer) {
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

/* Takes a header line in pieces: those of more than 16 KiB. */
static size_t on_piece(http_transfer *transfer, char *piece, size_t size) {
  http_bytes *line = &transfer->partial;
  int is_last = piece[size - 1] == '\n';
  if (is_last && line->size == 0) return http_on_header(piece, 1, size, transfer);
  if (line->size + size > MOST_HEAD) return refuse(transfer, HTTP_HEAD_TOO_LARGE);
  if (http_append(line, piece, size) < 0) return refuse(transfer, HTTP_NO_MEMORY);
  if (!is_last) return size;
  size_t taken = http_on_header(line->data, 1, line->size, transfer);
  http_free(line);
  return taken == 0 ? 0 : size;
}

/* Before 8.0 libcurl takes the first header line, if it begins with a blank, for the rest of the
 * last line of the handle's response before, which it has freed. As a part of the body it comes
 * here before that. */
static size_t preview(http_transfer *transfer, char *piece, size_t size) {
  int is_first = transfer->at_status && transfer->partial.size == 0;
  if (is_first && (*piece == ' ' || *piece == '\t')) return refuse(transfer, HTTP_BAD_HEAD);
  transfer->at_status = (uint8_t)!transfer->in_head;
  return on_piece(transfer, piece, size);
}

size_t http_on_body(char *bytes, size_t size, size_t count, void *data) {
  http_transfer *transfer = data;
  size *= count;
  if (!transfer->head_done && transfer->pool->previews) return preview(transfer, bytes, size);
  http_hear(transfer);
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
    failure = http_unpack(transfer);
  if (failure != HTTP_BY_CURL) return refuse(transfer, failure);
  http_tell(transfer);
  return size;
}

/* Unpacks what came before the transfer ended. */
void http_unpack_rest(http_transfer *transfer) {
  if (transfer->result != CURLE_OK) return;
  transfer->end = http_unpack(transfer);
  if (transfer->end != HTTP_BY_CURL) transfer->result = CURLE_BAD_CONTENT_ENCODING;
}
