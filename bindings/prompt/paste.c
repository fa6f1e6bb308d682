/* Pasted text: it comes in whole, whatever keys it would be, and nothing of it is run. */
#include <stdlib.h>
#include <string.h>

#include "prompt.h"

#define CTRL_C L'\003'

static const wchar_t paste_end[] = L"\033[201~";
#define PASTE_END_SIZE (sizeof paste_end / sizeof *paste_end - 1)

typedef struct wide_text {
  wchar_t *data;
  size_t size, capacity;
} wide_text;

static int append(wide_text *text, wchar_t c) {
  if (text->size + 1 >= text->capacity) {
    size_t capacity = text->capacity ? text->capacity * 2 : 256;
    wchar_t *data = realloc(text->data, capacity * sizeof *data);
    if (data == NULL) return 0;
    text->data = data;
    text->capacity = capacity;
  }
  text->data[text->size++] = c;
  text->data[text->size] = L'\0';
  return 1;
}

static int ends_paste(const wide_text *text) {
  return text->size >= PASTE_END_SIZE &&
         wmemcmp(text->data + text->size - PASTE_END_SIZE, paste_end, PASTE_END_SIZE) == 0;
}

/* Newlines come as carriage returns, or as both; other control characters would do harm. */
static void tidy(wide_text *text) {
  wchar_t *to = text->data;
  for (const wchar_t *from = text->data; *from; from++) {
    if (*from == L'\r' && from[1] == L'\n') continue;
    if (*from == L'\r')
      *to++ = L'\n';
    else if (*from >= L' ' || *from == L'\n' || *from == L'\t')
      *to++ = *from;
  }
  *to = L'\0';
}

/* Bracketed paste, as of xterm: all up to the end mark is text. If that does not come, Ctrl-C
 * helps, which ends what is there, rather than being in the midst of it. */
unsigned char prompt_paste(EditLine *el, int key) {
  (void)key;
  void *data;
  el_wget(el, EL_CLIENTDATA, &data);
  prompt_editor *e = data;
  wide_text text = {0};
  wchar_t c;
  while (el_wgetc(el, &c) == 1 && append(&text, c) && !prompt_is_dropped(e))
    if (ends_paste(&text)) {
      text.data[text.size - PASTE_END_SIZE] = L'\0';
      tidy(&text);
      el_winsertstr(el, text.data);
      break;
    } else if (c == CTRL_C && !prompt_has_keys(e)) {
      tidy(&text);
      el_winsertstr(el, text.data);
      free(text.data);
      return prompt_interrupt(el, CTRL_C);
    }
  free(text.data);
  return CC_REFRESH;
}
