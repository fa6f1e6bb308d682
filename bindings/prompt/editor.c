/* The editor's thread: it takes orders, edits a line, reads keys, and tells the loop's thread of
 * events. While it waits it shows what others write to the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prompt.h"

#define CTRL_C 3

/* ---- waiting ---- */

static void redraw_all(prompt_editor *e, int continued) {
  if (e->outcome != PROMPT_NONE || !e->capture.active) return;
  if (continued) { /* a shell may have changed the terminal meanwhile */
    el_wset(e->el, EL_PREP_TERM, 0);
    el_wset(e->el, EL_PREP_TERM, 1);
    fputs("\033[?2004h", e->screen);
  }
  prompt_measure(e);
  prompt_erase(e);
  el_resize(e->el);
  prompt_redraw(e);
}

static void woken(prompt_editor *e) {
  char bytes[64];
  while (read(e->wake[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes)
    continue;
  uv_mutex_lock(&e->lock);
  int resized = e->was_resized, continued = e->was_continued;
  e->was_resized = e->was_continued = 0;
  uv_mutex_unlock(&e->lock);
  if (resized) redraw_all(e, continued);
  if (e->capture.active) prompt_show_printed(e);
}

static void read_keys(prompt_editor *e) {
  if (e->first_key > 0) {
    memmove(e->keys, e->keys + e->first_key, e->last_key - e->first_key);
    e->last_key -= e->first_key;
    e->first_key = 0;
  }
  ssize_t n;
  do
    n = read(e->in, e->keys + e->last_key, sizeof e->keys - e->last_key);
  while (n < 0 && errno == EINTR);
  if (n > 0) e->last_key += (size_t)n;
  if (n == 0 || (n < 0 && errno != EAGAIN)) e->hung_up = 1;
}

enum { KEYS = 1, ORDERS = 2 };

/* Waits for something, shows output, and gives what else there is. */
static int await_any(prompt_editor *e, int keys) {
  struct pollfd fds[] = {{.fd = e->wake[0], .events = POLLIN},
                         {.fd = e->capture.pipe[0], .events = POLLIN},
                         {.fd = keys ? e->in : -1, .events = POLLIN}};
  prompt_leave();
  prompt_flush(e);
  int n = poll(fds, 3, -1);
  prompt_enter();
  if (n < 0) return 0;
  int found = 0;
  if (fds[0].revents) {
    woken(e);
    found |= ORDERS;
  }
  if (fds[2].revents) {
    read_keys(e);
    found |= KEYS;
  }
  if (fds[1].revents) prompt_capture_read(e);
  return found;
}

/* libedit reads a key: one that was typed, or what stands for the order to drop the line. */
int prompt_read_key(EditLine *el, wchar_t *key) {
  void *data;
  el_wget(el, EL_CLIENTDATA, &data);
  prompt_editor *e = data;
  for (;;) {
    if (prompt_is_dropped(e)) {
      *key = CTRL_C;
      return 1;
    }
    size_t there = e->last_key - e->first_key;
    int taken = there > 0 ? prompt_decode(e->keys + e->first_key, there, key) : 0;
    if (taken > 0) {
      e->first_key += (size_t)taken;
      return 1;
    }
    if (e->hung_up) return 0;
    await_any(e, 1);
  }
}

/* Whether more was typed. */
int prompt_has_keys(const prompt_editor *e) {
  if (e->first_key < e->last_key) return 1;
  return poll(&(struct pollfd){.fd = e->in, .events = POLLIN}, 1, 0) > 0;
}

/* Ctrl-C while no key is wanted, so that what does not come back to the loop can be stopped. */
static void look_for_interrupt(prompt_editor *e) {
  const char *found = memrchr(e->keys + e->first_key, CTRL_C, e->last_key - e->first_key);
  if (found == NULL) return;
  e->first_key = (size_t)(found + 1 - e->keys); /* what was typed before it is forgotten */
  if (e->foreign)
    prompt_tell_interrupt(e);
  else
    kill(getpid(), SIGINT);
}

/* Waits for an order; keys wait, too. Between lines that is so where Ctrl-C is no signal. */
static void await_order(prompt_editor *e, int keys) {
  int room = e->last_key < sizeof e->keys && !e->hung_up;
  if (!(await_any(e, keys && room) & KEYS)) return;
  look_for_interrupt(e);
  if (e->hung_up && e->foreign) prompt_tell_interrupt(e); /* else there is SIGHUP */
}

/* Tells Lua of the line and waits for its answer. */
prompt_message prompt_ask(prompt_editor *e, prompt_event event) {
  const LineInfoW *line = el_wline(e->el);
  char *before = prompt_narrow(line->buffer, line->cursor);
  prompt_message message = {.what = (int)event,
                            .text = prompt_narrow(line->buffer, line->lastchar),
                            .cursor = before ? strlen(before) : 0};
  free(before);
  prompt_tell(e, message);
  for (;;) {
    prompt_message order = prompt_take_order(e);
    if (order.what != PROMPT_NOTHING || prompt_is_dropped(e)) return order;
    await_order(e, 1);
  }
}

/* ---- editing ---- */

static wchar_t *prompt_of(EditLine *el) {
  void *data;
  el_wget(el, EL_CLIENTDATA, &data);
  return ((prompt_editor *)data)->prompt;
}

static void edit(prompt_editor *e, const char *prompt) {
  wchar_t *wide = prompt_widen(prompt, strlen(prompt));
  if (wide != NULL) {
    free(e->prompt);
    e->prompt = wide;
  }
  e->outcome = PROMPT_NONE;
  e->partial_size = 0;
  prompt_measure(e);
  prompt_capture_begin(e);
  prompt_fresh_line(e);
  fputs("\033[?2004h", e->screen); /* pasted text is to come between marks */
  prompt_guard(e);
  el_wgets(e->el, NULL);
  prompt_unguard(e);
  if (e->capture.active) prompt_capture_end(e);
  fputs("\033[?2004l\r\n", e->screen);
  prompt_flush(e);
  prompt_message event = {.what = e->outcome == PROMPT_NONE ? PROMPT_END : (int)e->outcome};
  prompt_tell(e, event);
}

/* libedit shifts what stands behind a change by half a wide character: it is to write it anew. */
static void shift_nothing(EditLine *el) {
  static const wchar_t *const capabilities[] = {L"ic", L"IC", L"im", L"dc", L"DC"};
  for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
    el_wset(el, EL_SETTC, capabilities[i], L"", NULL);
}

static int open_editor(prompt_editor *e) {
  e->el = el_init_fd("lull", e->screen, e->screen, e->screen, e->in, e->out, e->out);
  e->history = history_winit();
  e->prompt = prompt_widen("> ", 2);
  if (e->el == NULL || e->history == NULL || e->prompt == NULL) return UV_ENOMEM;
  HistEventW event;
  history_w(e->history, &event, H_SETSIZE, 1000000); /* how many there are is for Lua to say */
  el_wset(e->el, EL_CLIENTDATA, e);
  el_wset(e->el, EL_GETCFN, prompt_read_key);
  el_wset(e->el, EL_PROMPT, prompt_of);
  el_wset(e->el, EL_HIST, history_w, e->history);
  el_wset(e->el, EL_EDITOR, L"emacs");
  shift_nothing(e->el);
  return prompt_open_keys(e);
}

static void close_editor(prompt_editor *e) {
  if (e->el != NULL) el_end(e->el);
  if (e->history != NULL) history_wend(e->history);
  free(e->prompt);
}

/* libedit asks the locale how to write a character and how wide it is. */
static locale_t use_utf8(void) {
  locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (locale == (locale_t)0) locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  if (locale != (locale_t)0) uselocale(locale);
  return locale;
}

static void run(void *arg) {
  prompt_editor *e = arg;
  locale_t locale = use_utf8();
  prompt_enter();
  prompt_register(e);
  e->error = open_editor(e);
  prompt_tell(e, (prompt_message){.what = PROMPT_END});
  for (;;) {
    prompt_message order = prompt_take_order(e);
    if (order.what == PROMPT_QUIT) break;
    if (order.what == PROMPT_EDIT)
      edit(e, order.text ? order.text : "> ");
    else {
      look_for_interrupt(e); /* it may have come with the line */
      await_order(e, e->foreign);
    }
    prompt_free_message(&order);
  }
  close_editor(e);
  prompt_unregister(e);
  prompt_leave();
  if (locale != (locale_t)0) {
    uselocale(LC_GLOBAL_LOCALE);
    freelocale(locale);
  }
}

/* Returns once the editor is open, or cannot be. Signals are for the loop's thread, but those that
 * tell of a crash have to be the thread's own. */
int prompt_start(prompt_editor *e) {
  static const int crashes[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
  sigset_t all, before;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
    sigdelset(&all, crashes[i]);
  e->editing = 1; /* until it tells of an end */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = uv_thread_create(&e->thread, run, e);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error < 0) return error;
  e->started = 1;
  uv_mutex_lock(&e->lock);
  prompt_await_end(e);
  uv_mutex_unlock(&e->lock);
  return e->error;
}

void prompt_stop(prompt_editor *e) {
  if (!e->started) return;
  prompt_drop_line(e);
  prompt_command(e, (prompt_message){.what = PROMPT_QUIT});
  uv_thread_join(&e->thread);
  e->started = 0;
  prompt_free_message(&e->order);
  prompt_free_message(&e->event);
}
