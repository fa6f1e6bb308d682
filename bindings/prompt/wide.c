/* UTF-8, and the wide characters that libedit has, which hold code points. Whatever the locale is:
 * the terminals of today speak UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "prompt.h"

#define REPLACEMENT 0xFFFD

/* The first character of some bytes; gives how many it takes, or 0 if more are needed. A byte that
 * begins nothing is a replacement character. */
int prompt_decode(const char *bytes, size_t size, wchar_t *out) {
  unsigned char first = (unsigned char)bytes[0];
  int length = first < 0x80   ? 1
               : first < 0xC2 ? 0
               : first < 0xE0 ? 2
               : first < 0xF0 ? 3
               : first < 0xF5 ? 4
                              : 0;
  *out = length == 1 ? first : REPLACEMENT;
  if (length <= 1) return 1;
  wchar_t code = first & (0x7F >> length);
  for (int i = 1; i < length; i++) {
    if ((size_t)i >= size) return 0;
    if (((unsigned char)bytes[i] & 0xC0) != 0x80) return i;
    code = code << 6 | (bytes[i] & 0x3F);
  }
  *out = code;
  return length;
}

/* A copy, from malloc, or NULL. */
wchar_t *prompt_widen(const char *text, size_t size) {
  wchar_t *wide = malloc((size + 1) * sizeof *wide), *end = wide;
  if (wide == NULL) return NULL;
  for (size_t i = 0; i < size; end++) {
    int taken = prompt_decode(text + i, size - i, end);
    i += taken > 0 ? (size_t)taken : size - i;
    if (*end == L'\0') *end = REPLACEMENT;
  }
  *end = L'\0';
  return wide;
}

static char *encode(char *at, wchar_t code) {
  if (code < 0x80) {
    *at++ = (char)code;
    return at;
  }
  int rest = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  *at++ = (char)((0xFF00 >> (rest + 1) & 0xFF) | code >> (6 * rest));
  while (rest-- > 0)
    *at++ = (char)(0x80 | (code >> (6 * rest) & 0x3F));
  return at;
}

/* A copy, from malloc, or NULL. */
char *prompt_narrow(const wchar_t *from, const wchar_t *to) {
  char *text = malloc((size_t)(to - from) * 4 + 1), *end = text;
  if (text == NULL) return NULL;
  while (from < to)
    end = encode(end, *from++);
  *end = '\0';
  return text;
}
