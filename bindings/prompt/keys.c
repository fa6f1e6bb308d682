/* What keys do that libedit does not know: a line may have several rows, ends only if Lua says that
 * it is whole, and is completed by Lua. */
#include <stdlib.h>
#include <string.h>

#include "prompt.h"

#define ALL 0x3FFFFFFF /* more characters than any line has */
#define INDENTATION 2
#define CTRL_C L"\003"

static prompt_editor *editor_of(EditLine *el) {
  void *e;
  el_wget(el, EL_CLIENTDATA, &e);
  return e;
}

/* ---- the line ---- */

static void replace(EditLine *el, const char *text, size_t cursor) {
  const LineInfoW *line = el_wline(el);
  int size = (int)(line->lastchar - line->buffer);
  wchar_t *before = prompt_widen(text, cursor);
  wchar_t *after = prompt_widen(text + cursor, strlen(text + cursor));
  if (before != NULL && after != NULL) {
    el_cursor(el, ALL);
    el_deletestr(el, size);
    el_winsertstr(el, before);
    el_winsertstr(el, after);
    el_cursor(el, -(int)wcslen(after));
  }
  free(before);
  free(after);
}

/* What is left above the line is shown, then the whole of it, the cursor behind. A text takes its
 * place, if it is not NULL. */
static unsigned char finish(prompt_editor *e, prompt_event outcome, const char *text) {
  prompt_show_printed(e);
  prompt_capture_end(e);
  prompt_erase(e);
  if (text != NULL) replace(e->el, text, strlen(text));
  el_cursor(e->el, ALL);
  if (outcome == PROMPT_INTERRUPT) el_winsertstr(e->el, L"^C");
  prompt_redraw(e);
  e->outcome = outcome;
  return CC_NEWLINE;
}

/* Asks Lua what to do, and does it. */
static unsigned char ask(EditLine *el, prompt_event event) {
  prompt_editor *e = editor_of(el);
  prompt_message order = prompt_ask(e, event);
  unsigned char result = CC_NORM;
  if (order.what == PROMPT_ACCEPT) {
    result = finish(e, PROMPT_LINE, order.text);
  } else if (order.what == PROMPT_REPLACE) {
    if (order.listing != NULL) prompt_show(e, order.listing, strlen(order.listing));
    replace(el, order.text ? order.text : "", order.cursor);
    result = CC_REFRESH;
  }
  free(order.text);
  free(order.listing);
  return result; /* any other order is given again, as a key */
}

static unsigned char enter(EditLine *el, int key) {
  (void)key;
  return ask(el, PROMPT_ENTER);
}

static unsigned char new_line(EditLine *el, int key) {
  (void)key;
  return ask(el, PROMPT_NEWLINE);
}

unsigned char prompt_interrupt(EditLine *el, int key) {
  (void)key;
  return finish(editor_of(el), PROMPT_INTERRUPT, NULL);
}

/* ---- what is put in ---- */

/* Where the row has nothing yet, the key indents it. */
static unsigned char tab(EditLine *el, int key) {
  (void)key;
  const LineInfoW *line = el_wline(el);
  const wchar_t *p = prompt_row_start(line);
  size_t column = (size_t)(line->cursor - p);
  if (wcsspn(p, L" \t") < column) return ask(el, PROMPT_COMPLETE);
  el_winsertstr(el, &L"  "[column % INDENTATION]);
  return CC_REFRESH;
}

/* ---- which keys ---- */

static unsigned char ignore(EditLine *el, int key) {
  (void)el;
  (void)key;
  return CC_NORM;
}

static const prompt_function commands[] = {
    {L"lull-enter", L"Run the line, or go on to the next", enter},
    {L"lull-newline", L"Go on to the next line", new_line},
    {L"lull-interrupt", L"Drop the line", prompt_interrupt},
    {L"lull-tab", L"Complete, or indent", tab},
    {L"lull-paste", L"Insert what is pasted", prompt_paste},
    {L"lull-ignore", L"Do nothing", ignore}};

static const prompt_key bindings[] = {{L"\r", L"lull-enter"},
                                      {L"\n", L"lull-enter"},
                                      {CTRL_C, L"lull-interrupt"},
                                      {L"\t", L"lull-tab"},
                                      {L"\033\r", L"lull-newline"},
                                      {L"\033\n", L"lull-newline"},
                                      {L"\033[200~", L"lull-paste"},
                                      {L"\033[A", L"lull-up"},
                                      {L"\033OA", L"lull-up"},
                                      {L"\033[B", L"lull-down"},
                                      {L"\033OB", L"lull-down"},
                                      {L"\033[H", L"lull-home"},
                                      {L"\033OH", L"lull-home"},
                                      {L"\033[1~", L"lull-home"},
                                      {L"\033[F", L"lull-end"},
                                      {L"\033OF", L"lull-end"},
                                      {L"\033[4~", L"lull-end"},
                                      {L"\033[3~", L"ed-delete-next-char"},
                                      {L"\033[1;5C", L"em-next-word"},
                                      {L"\033[1;5D", L"ed-prev-word"},
                                      {L"\033[1;3C", L"em-next-word"},
                                      {L"\033[1;3D", L"ed-prev-word"},
                                      {L"\033\033[C", L"em-next-word"},
                                      {L"\033\033[D", L"ed-prev-word"},
                                      {L"\033[3;3~", L"em-delete-next-word"},
                                      {L"\033[3;5~", L"em-delete-next-word"},
                                      {L"\033[5~", L"ed-search-prev-history"},
                                      {L"\033[6~", L"ed-search-next-history"}};

/* Those of the emacs mode, as readline has them. */
static const prompt_key emacs_bindings[] = {{L"\001", L"lull-home"},
                                            {L"\005", L"lull-end"},
                                            {L"\020", L"lull-up"},
                                            {L"\016", L"lull-down"},
                                            {L"\022", L"em-inc-search-prev"},
                                            {L"\023", L"em-inc-search-next"},
                                            {L"\027", L"ed-delete-prev-word"},
                                            {L"\013", L"lull-kill-after"},
                                            {L"\025", L"lull-kill-before"}};

int prompt_add(EditLine *el, const prompt_function *functions, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (el_wset(el, EL_ADDFN, functions[i].name, functions[i].help, functions[i].function) < 0)
      return UV_ENOMEM;
  return 0;
}

void prompt_bind(EditLine *el, const prompt_key *keys, size_t n) {
  for (size_t i = 0; i < n; i++)
    el_wset(el, EL_BIND, keys[i].key, keys[i].command, NULL);
}

static int is_emacs(EditLine *el) {
  const wchar_t *editor;
  return el_wget(el, EL_EDITOR, &editor) == 0 && wcscmp(editor, L"emacs") == 0;
}

/* Keys that terminals have besides, with Shift, Alt and Ctrl, which they number from 2 to 8: what
 * they send shall not be taken for letters. */
static void ignore_others(EditLine *el) {
  wchar_t key[16];
  for (const wchar_t *c = L"EIMOPQRSZABCDFH"; *c; c++) {
    swprintf(key, PROMPT_COUNT(key), L"\033[%lc", (wint_t)*c);
    if (wcschr(L"ABCDFH", *c) == NULL) el_wset(el, EL_BIND, key, L"lull-ignore", NULL);
    key[1] = L'O';
    if (wcschr(L"ABCDFH", *c) == NULL) el_wset(el, EL_BIND, key, L"lull-ignore", NULL);
    for (int with = 2; with <= 8; with++) {
      swprintf(key, PROMPT_COUNT(key), L"\033[1;%d%lc", with, (wint_t)*c);
      el_wset(el, EL_BIND, key, L"lull-ignore", NULL);
    }
  }
  for (int number = 1; number <= 34; number++) {
    swprintf(key, PROMPT_COUNT(key), L"\033[%d~", number);
    el_wset(el, EL_BIND, key, L"lull-ignore", NULL);
    for (int with = 2; with <= 8; with++) {
      swprintf(key, PROMPT_COUNT(key), L"\033[%d;%d~", number, with);
      el_wset(el, EL_BIND, key, L"lull-ignore", NULL);
    }
  }
}

/* ~/.editrc may have chosen the mode and keys, but these are ours. */
int prompt_open_keys(prompt_editor *e) {
  EditLine *el = e->el;
  if (prompt_add(el, commands, PROMPT_COUNT(commands)) < 0 || prompt_open_rows(el) < 0)
    return UV_ENOMEM;
  if (is_emacs(el)) ignore_others(el);
  el_source(el, NULL);
  prompt_bind(el, bindings, PROMPT_COUNT(bindings));
  el_wset(el, EL_BIND, L"-a", L"\n", L"lull-enter", NULL); /* -a: vi's command mode */
  el_wset(el, EL_BIND, L"-a", L"\r", L"lull-enter", NULL);
  el_wset(el, EL_BIND, L"-a", CTRL_C, L"lull-interrupt", NULL);
  el_wset(el, EL_BIND, L"-a", L":", L"lull-ignore", NULL); /* libedit's commands: it crashes at */
  el_wset(el, EL_BIND, L"\033x", L"lull-ignore", NULL);    /* quotes that have no end */
  el_wset(el, EL_BIND, L"\033X", L"lull-ignore", NULL);
  if (is_emacs(el)) prompt_bind(el, emacs_bindings, PROMPT_COUNT(emacs_bindings));
  /* Ctrl-C is a key, and so are Ctrl-S and Ctrl-Q; newlines come as they are. "-intr" is for when
   * libedit takes over what somebody has changed of the terminal's characters. */
  el_wset(el, EL_SETTY, L"-d", L"intr=", L"-intr", L"-ixon", L"-icrnl", L"-inlcr", NULL);
  if (e->foreign) el_wset(el, EL_SETTY, L"-x", L"-isig", L"-icanon", L"-echo", NULL);
  return 0;
}
