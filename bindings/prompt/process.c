/* What the editors of a process share: libedit, and that the terminals are as they were before when
 * the process exits, by whatever means it calls exit. */
#include <pthread.h>
#include <stdlib.h>

#include "prompt.h"

/* libedit and ncurses have state of the whole process, such as the buffer in which a string for the
 * terminal is made: one editor at a time is in there. None waits there. */
static pthread_mutex_t libedit = PTHREAD_MUTEX_INITIALIZER;
static lull_node editors = {&editors, &editors};

void prompt_enter(void) {
  pthread_mutex_lock(&libedit);
}

void prompt_leave(void) {
  pthread_mutex_unlock(&libedit);
}

/* The editors, which have threads of their own, are never let in again. */
static void restore_terminals(void) {
  prompt_enter();
  for (lull_node *node = editors.next; node != &editors; node = node->next) {
    prompt_editor *e = lull__container(node, prompt_editor, node);
    if (e->capture.active) {
      e->capture.active = 0;
      prompt_capture_end(e);
      prompt_write(e->out, "\033[?2004l\r\n", 10);
    }
    tcsetattr(e->in, TCSANOW, &e->before);
  }
}

static void at_exit(void) {
  atexit(restore_terminals);
}

/* On the editor's thread, in libedit. */
void prompt_register(prompt_editor *e) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, at_exit);
  tcgetattr(e->in, &e->before);
  lull__list_append(&editors, &e->node);
}

void prompt_unregister(prompt_editor *e) {
  lull__list_remove(&e->node);
}
