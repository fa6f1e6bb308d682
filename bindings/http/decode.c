/* Unpacking what Content-Encoding names (RFC 9110, section 8.4), only as much at a time as there is
 * room for: libcurl would unpack all that a piece of input holds, which may be gigabytes. A decoder
 * is a stage that takes its input from the stage before it; the first is given bytes. */
#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "http.h"

#define PIECE 16384        /* bytes that a stage asks of the one before it */
#define MOST_STAGES 2      /* who packs something oftener than that means no good */
#define MOST_DRY 1024      /* pieces between stages from which nothing comes: nor does that */
#define MOST_WINDOW_LOG 23 /* 8 MiB: RFC 9659 */

typedef enum format { DEFLATE, BROTLI, ZSTD } format;

struct http_decoder {
  format format;
  union {
    z_stream deflate;
    BrotliDecoderState *brotli;
    ZSTD_DStream *zstd;
  } state;
  http_bytes input;
  size_t taken;     /* of the input */
  int begun, ended; /* in the middle of something packed, if not ended */
  http_decoder *source;
};

/* ---- the formats: each takes some input, gives some output ---- */

typedef struct flow {
  const unsigned char *in;
  size_t in_size;
  unsigned char *out;
  size_t out_size;
} flow;

/* "deflate" without zlib's frame around it is common (RFC 9110, section 8.4.1.2). */
static int has_zlib_frame(const flow *current) {
  if (current->in_size < 2) return 1;
  return (current->in[0] & 15) == 8 && (current->in[0] * 256 + current->in[1]) % 31 == 0;
}

static int is_gzip(const flow *current) {
  return current->in[0] == 0x1f;
}

static int inflate_step(http_decoder *decoder, flow *current) {
  z_stream *stream = &decoder->state.deflate;
  if (!decoder->begun && !is_gzip(current) && !has_zlib_frame(current))
    inflateReset2(stream, -MAX_WBITS);
  if (decoder->ended && is_gzip(current)) inflateReset(stream);
  stream->next_in = (unsigned char *)current->in;
  stream->avail_in = (unsigned)current->in_size;
  stream->next_out = current->out;
  stream->avail_out = (unsigned)current->out_size;
  int result = inflate(stream, Z_NO_FLUSH);
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return -1;
  decoder->ended = result == Z_STREAM_END;
  current->in_size = stream->avail_in;
  current->out_size = stream->avail_out;
  return 0;
}

static int brotli_step(http_decoder *decoder, flow *current) {
  BrotliDecoderResult result =
      BrotliDecoderDecompressStream(decoder->state.brotli, &current->in_size, &current->in,
                                    &current->out_size, &current->out, NULL);
  decoder->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
  return result == BROTLI_DECODER_RESULT_ERROR ? -1 : 0;
}

static int zstd_step(http_decoder *decoder, flow *current) {
  ZSTD_inBuffer in = {current->in, current->in_size, 0};
  ZSTD_outBuffer out = {current->out, current->out_size, 0};
  size_t result = ZSTD_decompressStream(decoder->state.zstd, &out, &in);
  if (ZSTD_isError(result)) return -1;
  if (in.pos > 0 || out.pos > 0) decoder->ended = result == 0;
  current->in_size -= in.pos;
  current->out_size -= out.pos;
  return 0;
}

/* ---- one stage ---- */

static http_decoder *free_stage(http_decoder *decoder) {
  http_decoder *source = decoder->source;
  if (decoder->format == DEFLATE) inflateEnd(&decoder->state.deflate);
  if (decoder->format == BROTLI) BrotliDecoderDestroyInstance(decoder->state.brotli);
  if (decoder->format == ZSTD) ZSTD_freeDStream(decoder->state.zstd);
  http_free(&decoder->input);
  free(decoder);
  return source;
}

static int open_stage(http_decoder *decoder) {
  switch (decoder->format) {
  case DEFLATE:
    return inflateInit2(&decoder->state.deflate, MAX_WBITS + 32) == Z_OK; /* either */
  case BROTLI:
    return (decoder->state.brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL)) != NULL;
  case ZSTD:
    break;
  }
  decoder->state.zstd = ZSTD_createDStream();
  return decoder->state.zstd != NULL &&
         !ZSTD_isError(
             ZSTD_DCtx_setParameter(decoder->state.zstd, ZSTD_d_windowLogMax, MOST_WINDOW_LOG));
}

/* Whether what follows the end is left out; another file of the same kind may follow some. */
static int is_over(const http_decoder *decoder, const flow *current) {
  if (!decoder->ended) return 0;
  if (decoder->format == BROTLI || current->in_size == 0) return 1;
  return decoder->format == DEFLATE && !is_gzip(current);
}

static int take_step(http_decoder *decoder, flow *current) {
  switch (decoder->format) {
  case DEFLATE:
    return inflate_step(decoder, current);
  case BROTLI:
    return brotli_step(decoder, current);
  case ZSTD:
    break;
  }
  return zstd_step(decoder, current);
}

/* Gives how many bytes went out, or -1. */
static long advance(http_decoder *decoder, char *out, size_t room) {
  http_bytes *input = &decoder->input;
  if (input->size == decoder->taken && !decoder->begun) return 0;
  flow current = {(unsigned char *)input->data + decoder->taken, input->size - decoder->taken,
                  (unsigned char *)out, room};
  if (is_over(decoder, &current)) {
    decoder->taken = input->size;
    return 0;
  }
  if (take_step(decoder, &current) < 0) return -1;
  decoder->begun = 1;
  decoder->taken = input->size - current.in_size;
  return (long)(room - current.out_size);
}

/* ---- stages in a row ---- */

/* Moves what is left of the input to its beginning. */
static void make_room(http_decoder *decoder) {
  http_bytes *input = &decoder->input;
  input->size -= decoder->taken;
  if (input->size > 0) memmove(input->data, input->data + decoder->taken, input->size);
  decoder->taken = 0;
}

static int refill(http_decoder *decoder) {
  http_bytes *input = &decoder->input;
  if (decoder->source == NULL) return 0;
  make_room(decoder);
  if (http_reserve(input, PIECE) < 0) return -1;
  long size = http_decode(decoder->source, input->data + input->size, PIECE);
  if (size < 0) return -1;
  input->size += (size_t)size;
  return size > 0;
}

/* Gives how many bytes came out, 0 if that needs more input, or -1: what came is not what was
 * announced. */
long http_decode(http_decoder *decoder, char *out, size_t room) {
  size_t total = 0;
  for (int dry = 0; total < room;) {
    size_t before = decoder->taken;
    long size = advance(decoder, out + total, room - total);
    if (size < 0) return -1;
    total += (size_t)size;
    if (size > 0) dry = 0;
    if (size > 0 || decoder->taken > before) continue;
    int more = refill(decoder);
    if (more < 0 || ++dry > MOST_DRY) return -1;
    if (more == 0) break;
  }
  return (long)total;
}

/* Gives bytes to the first stage. */
int http_decoder_push(http_decoder *decoder, const char *bytes, size_t size) {
  while (decoder->source != NULL)
    decoder = decoder->source;
  make_room(decoder);
  return http_append(&decoder->input, bytes, size);
}

/* Whether nothing is missing; no bytes at all are an empty body. */
int http_decoder_complete(const http_decoder *decoder) {
  for (; decoder != NULL; decoder = decoder->source)
    if (decoder->begun && !decoder->ended) return 0;
  return 1;
}

void http_decoder_free(http_decoder *decoder) {
  while (decoder != NULL)
    decoder = free_stage(decoder);
}

static const struct {
  const char *name;
  format format;
} formats[] = {
    {"gzip", DEFLATE}, {"x-gzip", DEFLATE}, {"deflate", DEFLATE}, {"br", BROTLI}, {"zstd", ZSTD}};

static int find_format(const char *name, size_t size, format *found) {
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (strlen(formats[i].name) != size || strncasecmp(formats[i].name, name, size) != 0) continue;
    *found = formats[i].format;
    return 1;
  }
  return 0;
}

/* Adds the stage that a name asks for: it gives its output to the one added before. */
static int add_stage(http_decoder ***end, const char *name, size_t size) {
  format found;
  if (size == 8 && strncasecmp(name, "identity", size) == 0) return 0;
  if (!find_format(name, size, &found)) return UV_ENOTSUP;
  http_decoder *stage = calloc(1, sizeof *stage);
  if (stage == NULL) return UV_ENOMEM;
  stage->format = found;
  **end = stage;
  *end = &stage->source;
  return open_stage(stage) ? 0 : UV_ENOMEM;
}

/* Makes what undoes a list of encodings, in the order they were applied; NULL if there is nothing
 * to undo. UV_ENOTSUP: one is not known; UV_E2BIG: there are too many. */
int http_decoder_new(http_decoder **out, const char *names, size_t size) {
  http_decoder **end = out;
  const char *limit = names + size;
  int status = 0;
  *out = NULL;
  for (int stages = 0; status == 0 && names < limit; stages++) {
    size_t length = strcspn(names, ",");
    const char *next = names + length + 1;
    size_t blanks = strspn(names, " \t");
    names += blanks;
    length -= blanks;
    while (length > 0 && strchr(" \t\r\n", names[length - 1]) != NULL)
      length--;
    if (stages == MOST_STAGES) status = UV_E2BIG;
    if (status == 0 && length > 0) status = add_stage(&end, names, length);
    names = next;
  }
  if (status == 0) return 0;
  http_decoder_free(*out);
  *out = NULL;
  return status;
}
