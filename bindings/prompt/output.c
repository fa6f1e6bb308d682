/* How things reach the terminal. What libedit draws is collected and written between its calls;
 * what is printed by way of the prompt while a line is edited is handed to the editor's thread. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prompt.h"

#define MOST_PRINTED 65536 /* bytes that wait to be shown; who prints more waits, too */

/* Gives whether there was memory for it. */
static int append(prompt_text *text, const char *bytes, size_t size) {
  if (text->size + size > text->capacity) {
    size_t capacity = (text->size + size) * 2;
    char *grown = realloc(text->bytes, capacity);
    if (grown == NULL) return 0;
    text->bytes = grown;
    text->capacity = capacity;
  }
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
  return 1;
}

/* ---- drawing ---- */

static ssize_t draw(void *data, const char *bytes, size_t size) {
  prompt_editor *e = data;
  return append(&e->drawn, bytes, size) ? (ssize_t)size : 0;
}

int prompt_open_screen(prompt_editor *e) {
  e->screen = fopencookie(e, "w", (cookie_io_functions_t){.write = draw});
  return e->screen != NULL ? 0 : UV_ENOMEM;
}

void prompt_close_screen(prompt_editor *e) {
  if (e->screen != NULL) fclose(e->screen);
  free(e->drawn.bytes);
  free(e->printed.bytes);
}

/* All of it, unless the terminal has gone. */
void prompt_write(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, bytes, size);
    if (n >= 0) {
      bytes += n;
      size -= (size_t)n;
    } else if (errno == EAGAIN) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

/* Writes what was drawn. Not in the midst of libedit: a terminal may take its time. */
void prompt_flush(prompt_editor *e) {
  fflush(e->screen);
  prompt_write(e->out, e->drawn.bytes, e->drawn.size);
  e->drawn.size = 0;
}

/* ---- printing ---- */

/* On the loop's thread. */
void prompt_print(prompt_editor *e, const char *bytes, size_t size) {
  uv_mutex_lock(&e->lock);
  while (e->editing && e->printed.size > MOST_PRINTED)
    uv_cond_wait(&e->idle, &e->lock);
  int handed = e->editing && append(&e->printed, bytes, size);
  uv_mutex_unlock(&e->lock);
  if (handed)
    prompt_wake(e);
  else
    prompt_write(e->out, bytes, size);
}

/* On the editor's thread: above the line. */
void prompt_show_printed(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  prompt_text printed = e->printed;
  e->printed = (prompt_text){0};
  uv_cond_broadcast(&e->idle);
  uv_mutex_unlock(&e->lock);
  prompt_show(e, printed.bytes, printed.size);
  free(printed.bytes);
}

/* The same, locked, when the line has ended. */
void prompt_end_printed(prompt_editor *e) {
  prompt_write(e->out, e->printed.bytes, e->printed.size);
  e->printed.size = 0;
}
