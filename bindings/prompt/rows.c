/* Moving about in a line of several rows, and cutting within one. */
#include "prompt.h"

const wchar_t *prompt_row_start(const LineInfoW *line) {
  const wchar_t *p = line->cursor;
  while (p > line->buffer && p[-1] != L'\n')
    p--;
  return p;
}

static const wchar_t *row_end(const LineInfoW *line) {
  const wchar_t *p = line->cursor;
  while (p < line->lastchar && *p != L'\n')
    p++;
  return p;
}

static unsigned char move_to(EditLine *el, const wchar_t *p) {
  el_cursor(el, (int)(p - el_wline(el)->cursor));
  return CC_CURSOR;
}

/* libedit's own commands are called through keys that nobody types. */
#define OLDER L"\033\001o"
#define NEWER L"\033\001n"
#define MARK L"\033\001m"
#define KILL L"\033\001k"
#define ROW_START L"\033\001a"
#define ROW_END L"\033\001e"
#define DELETE L"\033\001d"

static unsigned char up(EditLine *el, int key) {
  (void)key;
  LineInfoW line = *el_wline(el);
  const wchar_t *start = prompt_row_start(&line);
  if (start == line.buffer) {
    el_wpush(el, OLDER);
    return CC_NORM;
  }
  ptrdiff_t column = line.cursor - start;
  const wchar_t *end = line.cursor = start - 1;
  const wchar_t *p = prompt_row_start(&line);
  return move_to(el, end - p > column ? p + column : end);
}

static unsigned char down(EditLine *el, int key) {
  (void)key;
  LineInfoW line = *el_wline(el);
  ptrdiff_t column = line.cursor - prompt_row_start(&line);
  const wchar_t *end = row_end(&line);
  if (end == line.lastchar) {
    el_wpush(el, NEWER);
    return CC_NORM;
  }
  const wchar_t *p = line.cursor = end + 1;
  end = row_end(&line);
  return move_to(el, end - p > column ? p + column : end);
}

/* What is cut is a row at most. */
static unsigned char kill_after(EditLine *el, int key) {
  (void)key;
  const LineInfoW *line = el_wline(el);
  if (line->cursor < line->lastchar && *line->cursor == L'\n')
    el_wpush(el, DELETE);
  else
    el_wpush(el, MARK ROW_END KILL);
  return CC_NORM;
}

static unsigned char kill_before(EditLine *el, int key) {
  (void)key;
  el_wpush(el, MARK ROW_START KILL);
  return CC_NORM;
}

static unsigned char home(EditLine *el, int key) {
  (void)key;
  return move_to(el, prompt_row_start(el_wline(el)));
}

static unsigned char end(EditLine *el, int key) {
  (void)key;
  return move_to(el, row_end(el_wline(el)));
}

/* ---- which commands ---- */

static const prompt_function commands[] = {
    {L"lull-up", L"Up one row, or back in history", up},
    {L"lull-down", L"Down one row, or forth in history", down},
    {L"lull-home", L"Beginning of the row", home},
    {L"lull-end", L"End of the row", end},
    {L"lull-kill-after", L"Cut up to the end of the row", kill_after},
    {L"lull-kill-before", L"Cut back to the beginning of the row", kill_before}};

static const prompt_key bindings[] = {{OLDER, L"ed-prev-history"},     {NEWER, L"ed-next-history"},
                                      {MARK, L"em-set-mark"},          {KILL, L"em-kill-region"},
                                      {ROW_START, L"lull-home"},       {ROW_END, L"lull-end"},
                                      {DELETE, L"ed-delete-next-char"}};

/* The commands have names then; the keys for them are in keys.c. */
int prompt_open_rows(EditLine *el) {
  if (prompt_add(el, commands, PROMPT_COUNT(commands)) < 0) return UV_ENOMEM;
  prompt_bind(el, bindings, PROMPT_COUNT(bindings));
  return 0;
}
