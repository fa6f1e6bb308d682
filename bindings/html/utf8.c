/* Makes valid UTF-8 of any bytes, as the WHATWG Encoding Standard decodes them: each longest run
 * of bytes that might have begun a character becomes one U+FFFD. */
#include <string.h>

#include "html.h"

static const unsigned char replacement[3] = {0xEF, 0xBF, 0xBD};

/* What may follow a first byte: how many bytes, and the range of the next one. */
typedef struct lead {
  unsigned char from, to, more, low, high;
} lead;

static const lead leads[] = {
    {0x00, 0x7F, 0, 0x80, 0xBF}, {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF},
    {0xE1, 0xEC, 2, 0x80, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
    {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

static const lead *find_lead(unsigned char byte) {
  for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
    if (byte >= leads[i].from && byte <= leads[i].to) return &leads[i];
  return NULL;
}

/* Gives how many bytes make a character, or, negative, how many make none. */
static int character(const unsigned char *p, const unsigned char *end) {
  const lead *found = find_lead(*p);
  if (found == NULL) return -1;
  unsigned char low = found->low, high = found->high;
  for (int i = 1; i <= found->more; i++) {
    if (p + i == end || p[i] < low || p[i] > high) return -i;
    low = 0x80;
    high = 0xBF;
  }
  return found->more + 1;
}

static const char *skip_ascii(const char *p, const char *end) {
  for (; end - p >= 8; p += 8) {
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    if (bytes & 0x8080808080808080) break;
  }
  while (p < end && (unsigned char)*p < 0x80)
    p++;
  return p;
}

static const char *find_invalid(const char *p, const char *end, int *length) {
  while ((p = skip_ascii(p, end)) < end) {
    *length = character((const unsigned char *)p, (const unsigned char *)end);
    if (*length < 0) return p;
    p += *length;
  }
  return end;
}

static html_string replace(html_arena *arena, const char *p, const char *end) {
  char *out = html_alloc(arena, 3 * (size_t)(end - p));
  html_string result = {out, 0};
  while (p < end) {
    int length = 0;
    const char *invalid = find_invalid(p, end, &length);
    memcpy(out, p, (size_t)(invalid - p));
    out += invalid - p;
    p = invalid;
    if (p == end) break;
    memcpy(out, replacement, sizeof replacement);
    out += sizeof replacement;
    p -= length;
  }
  result.size = (size_t)(out - result.data);
  return result;
}

html_string html_utf8(html_arena *arena, html_string bytes) {
  int length = 0;
  const char *p = bytes.data, *end = bytes.data + bytes.size;
  if (bytes.size >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3;
  if (find_invalid(p, end, &length) < end) return replace(arena, p, end);
  return (html_string){p, (size_t)(end - p)};
}
