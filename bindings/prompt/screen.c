/* Where the edited line is on the screen, and text that appears above it. libedit does not tell
 * where its cursor is, so this counts as libedit does. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wctype.h>

#include "prompt.h"

#define TAB 8

static struct winsize size_of(const prompt_editor *e) {
  struct winsize size = {0};
  ioctl(e->out, TIOCGWINSZ, &size);
  if (size.ws_col <= 1) size.ws_col = 80;
  if (size.ws_row == 0) size.ws_row = 24;
  return size;
}

/* How big the terminal is now. */
void prompt_measure(prompt_editor *e) {
  struct winsize size = size_of(e);
  e->columns = size.ws_col;
  e->rows = size.ws_row;
}

/* On any thread: how wide it is now, whatever the editor knows of that. */
int prompt_width(const prompt_editor *e) {
  return size_of(e).ws_col;
}

/* ---- counting ---- */

typedef struct position {
  int row, column, columns;
} position;

static void advance(position *at, int width) {
  if (at->column + width > at->columns) {
    at->row++;
    at->column = 0;
  }
  at->column += width;
  if (at->column >= at->columns) {
    at->row++;
    at->column = 0;
  }
}

/* How many columns libedit takes for a character: some are shown as ^X or \U+1234. */
static int width_of(wchar_t c) {
  if (c < 0x80 && iswcntrl((wint_t)c)) return 2;
  if (!iswprint((wint_t)c)) return c > 0xFFFF ? 8 : 7;
  int width = wcwidth(c);
  return width < 0 ? 0 : width;
}

static void advance_over(position *at, wchar_t c) {
  if (c == L'\n') {
    at->row++;
    at->column = 0;
  } else if (c == L'\t') {
    do
      advance(at, 1);
    while (at->column % TAB != 0);
  } else {
    int width = width_of(c);
    if (width <= 2)
      advance(at, width);
    else
      while (width-- > 0)
        advance(at, 1);
  }
}

/* The row of the cursor, counted from the prompt's. */
static int cursor_row(prompt_editor *e) {
  position at = {0, 0, e->columns};
  for (const wchar_t *p = e->prompt; *p; p++)
    advance_over(&at, *p);
  const LineInfoW *line = el_wline(e->el);
  for (const wchar_t *p = line->buffer; p < line->cursor; p++)
    advance_over(&at, *p);
  /* A wide character that does not fit any more stands in the next row. */
  if (line->cursor < line->lastchar && at.column + width_of(*line->cursor) > at.columns) at.row++;
  return at.row < e->rows ? at.row : e->rows - 1;
}

/* The number of rows that bytes take which are no whole line. */
static int rows_of(const char *bytes, size_t size, int columns) {
  int width = 0, widest = 0;
  for (size_t i = 0; i < size;) {
    if (bytes[i] == '\033' && i + 1 < size && bytes[i + 1] == '[') {
      for (i += 2; i < size && (bytes[i] < '@' || bytes[i] > '~'); i++)
        continue;
      i++;
      continue;
    }
    wchar_t c;
    int taken = prompt_decode(bytes + i, size - i, &c);
    i += taken > 0 ? (size_t)taken : size - i;
    if (c == L'\r')
      width = 0;
    else if (c == L'\t')
      width += TAB - width % TAB;
    else if (c == L'\b')
      width -= width > 0;
    else if (iswprint((wint_t)c))
      width += wcwidth(c);
    if (width > widest) widest = width;
  }
  return widest == 0 ? 1 : (widest - 1) / columns + 1;
}

/* ---- drawing ---- */

static void go_up(prompt_editor *e, int rows) {
  if (rows > 0) fprintf(e->screen, "\033[%dA", rows);
}

/* Takes the edited line off the screen; the cursor stands where it began. */
void prompt_erase(prompt_editor *e) {
  fputc('\r', e->screen);
  go_up(e, cursor_row(e));
  fputs("\033[J", e->screen);
}

void prompt_redraw(prompt_editor *e) {
  el_wset(e->el, EL_REFRESH);
}

/* Remembers what has no end yet of what was shown: the rest of the line is to follow there. */
static void keep_partial(prompt_editor *e, const char *bytes, size_t size) {
  for (size_t i = size; i > 0; i--)
    if (bytes[i - 1] == '\n') {
      e->partial_size = 0;
      bytes += i;
      size -= i;
      break;
    }
  if (e->partial_size + size > sizeof e->partial) { /* what was written over counts no more */
    const char *over = memrchr(bytes, '\r', size);
    e->partial_size = 0;
    if (over == NULL) return; /* a very long line: what follows begins a new one */
    size -= (size_t)(over - bytes);
    bytes = over;
    if (size > sizeof e->partial) return;
  }
  memcpy(e->partial + e->partial_size, bytes, size);
  e->partial_size += size;
}

/* Shows bytes above the edited line, after what was there. */
void prompt_show(prompt_editor *e, const char *bytes, size_t size) {
  if (size == 0) return;
  prompt_erase(e);
  if (e->partial_size > 0) {
    go_up(e, rows_of(e->partial, e->partial_size, e->columns));
    fputs("\033[J", e->screen);
    fwrite(e->partial, 1, e->partial_size, e->screen);
  }
  fwrite(bytes, 1, size, e->screen);
  keep_partial(e, bytes, size);
  if (bytes[size - 1] != '\n') fputc('\n', e->screen);
  prompt_redraw(e);
}

/* Goes to a new line unless the cursor is at the beginning of one: it cannot be asked where it is,
 * but what ends in the last column goes on in the next row. What was not ended is marked. */
void prompt_fresh_line(prompt_editor *e) {
  fprintf(e->screen, "\033[7m%%\033[27m%*s\r\033[K", e->columns - 1, "");
}
