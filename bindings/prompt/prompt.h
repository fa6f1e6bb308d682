/* What the files of the line editor share. The editor is libedit on a thread of its own: libedit
 * reads keys in the midst of its commands, as in a search, and so needs a stack that may stay
 * there. The loop goes on meanwhile, and keys are shown even while it is busy. One of the two
 * threads gives orders and the other answers with events, so what libedit calls policy (is this
 * line complete? what could stand here?) is left to Lua. */
#ifndef LULL_PROMPT_H
#define LULL_PROMPT_H

#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <termios.h>
#include <wchar.h>

#include "internal.h"

/* What the loop's thread tells the editor's to do. */
typedef enum prompt_order {
  PROMPT_NOTHING,
  PROMPT_EDIT,    /* an empty line */
  PROMPT_ACCEPT,  /* a line that is whole, after PROMPT_ENTER */
  PROMPT_REPLACE, /* the line by another one, after any event that asks */
  PROMPT_QUIT
} prompt_order;

/* What it tells in return. */
typedef enum prompt_event {
  PROMPT_NONE,
  PROMPT_ENTER,    /* asks: accept, or replace? */
  PROMPT_NEWLINE,  /* asks: replace by what? */
  PROMPT_COMPLETE, /* asks the same */
  PROMPT_LINE,     /* it was accepted; the terminal is as it was before */
  PROMPT_INTERRUPT,
  PROMPT_END
} prompt_event;

typedef struct prompt_message {
  int what;      /* order or event */
  char *text;    /* UTF-8, from malloc, or NULL; of PROMPT_EDIT: the prompt */
  size_t cursor; /* in bytes */
  char *listing; /* of PROMPT_REPLACE: what to show above the line, or NULL */
} prompt_message;

/* Standard output and standard error, while a line is edited on the same terminal. */
typedef struct prompt_capture {
  int pipe[2];
  int saved[3]; /* 1 and 2: the descriptor it was, or -1 */
  int active;
} prompt_capture;

typedef struct prompt_text {
  char *bytes; /* from malloc, or NULL */
  size_t size, capacity;
} prompt_text;

typedef struct prompt_editor {
  lull_closer closer;
  struct prompt_editor **owner; /* the userdata, or NULL */
  lull_t *rt;
  lull_task *runner; /* the prompt's task, kept by the userdata */
  lull_task *task;   /* the same while it waits for an event, or NULL */
  uv_async_t async;
  uv_signal_t resized, continued;
  int refs; /* by handles that are open, and by the owner */
  uv_thread_t thread;
  int started, error; /* error: why it could not */

  uv_mutex_t lock; /* guards what follows */
  uv_cond_t idle;  /* no line is edited any more */
  prompt_message order, event;
  int drop, editing, was_resized, was_continued;
  int interrupted;     /* what the runner does is to be cancelled */
  prompt_text printed; /* to be shown above the line that is edited */

  /* The editor's thread's, or anybody's while no line is edited. */
  int in, out;           /* the terminal; out is a descriptor of our own */
  int wake[2];           /* a pipe: an order is there */
  int foreign;           /* not the terminal of this process: its Ctrl-C is no signal */
  lull_node node;        /* of those in the process */
  struct termios before; /* how the terminal is to be left */
  FILE *screen;          /* what is written there is collected ... */
  prompt_text drawn;     /* here, until the editor waits */
  EditLine *el;
  HistoryW *history;
  wchar_t *prompt;
  prompt_event outcome;
  char keys[512]; /* that were typed */
  size_t first_key, last_key;
  int hung_up;
  int columns, rows;
  prompt_capture capture;
  char partial[4096]; /* the line above that has not ended */
  size_t partial_size;
} prompt_editor;

/* process.c */
void prompt_enter(void);
void prompt_leave(void);
void prompt_register(prompt_editor *e);
void prompt_unregister(prompt_editor *e);

/* output.c */
int prompt_open_screen(prompt_editor *e);
void prompt_close_screen(prompt_editor *e);
void prompt_flush(prompt_editor *e);
void prompt_print(prompt_editor *e, const char *bytes, size_t size);
void prompt_show_printed(prompt_editor *e);
void prompt_end_printed(prompt_editor *e);
void prompt_write(int fd, const char *bytes, size_t size);

/* wide.c */
wchar_t *prompt_widen(const char *text, size_t size);
char *prompt_narrow(const wchar_t *from, const wchar_t *to);
int prompt_decode(const char *bytes, size_t size, wchar_t *out);

/* screen.c */
void prompt_measure(prompt_editor *e);
int prompt_width(const prompt_editor *e);
void prompt_erase(prompt_editor *e);
void prompt_redraw(prompt_editor *e);
void prompt_show(prompt_editor *e, const char *bytes, size_t size);
void prompt_fresh_line(prompt_editor *e);

/* capture.c */
int prompt_capture_init(prompt_editor *e);
void prompt_capture_begin(prompt_editor *e);
void prompt_capture_end(prompt_editor *e);
void prompt_capture_read(prompt_editor *e);
void prompt_capture_close(prompt_editor *e);

/* signals.c */
void prompt_guard(prompt_editor *e);
void prompt_unguard(prompt_editor *e);

/* What libedit calls, and by which name; and the key for a command of this or another name. */
typedef struct prompt_function {
  const wchar_t *name, *help;
  unsigned char (*function)(EditLine *, int);
} prompt_function;

typedef struct prompt_key {
  const wchar_t *key, *command;
} prompt_key;

#define PROMPT_COUNT(array) (sizeof(array) / sizeof *(array))

int prompt_add(EditLine *el, const prompt_function *functions, size_t n);
void prompt_bind(EditLine *el, const prompt_key *keys, size_t n);

/* rows.c */
const wchar_t *prompt_row_start(const LineInfoW *line);
int prompt_open_rows(EditLine *el);

/* keys.c */
int prompt_open_keys(prompt_editor *e);
unsigned char prompt_interrupt(EditLine *el, int key);

/* paste.c */
unsigned char prompt_paste(EditLine *el, int key);

/* messages.c */
void prompt_free_message(prompt_message *message);
void prompt_wake(prompt_editor *e);
void prompt_command(prompt_editor *e, prompt_message order);
void prompt_await_end(prompt_editor *e);
void prompt_drop_line(prompt_editor *e);
void prompt_screen_changed(prompt_editor *e, int continued);
int prompt_take_interrupt(prompt_editor *e);
int prompt_has_event(prompt_editor *e);
prompt_message prompt_take_event(prompt_editor *e);
prompt_message prompt_take_order(prompt_editor *e);
void prompt_tell(prompt_editor *e, prompt_message event);
void prompt_tell_interrupt(prompt_editor *e);
int prompt_is_dropped(prompt_editor *e);

/* editor.c */
int prompt_start(prompt_editor *e);
void prompt_stop(prompt_editor *e);
prompt_message prompt_ask(prompt_editor *e, prompt_event event);
int prompt_read_key(EditLine *el, wchar_t *key);
int prompt_has_keys(const prompt_editor *e);

#endif
