/* Signals that end the process while a line is edited: the terminal is set as it was before. What
 * else they would do, they do. Those that have a handler, or are ignored, are left alone. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "prompt.h"

static const int signals[] = {SIGHUP, SIGQUIT, SIGTERM};

#define COUNT (sizeof signals / sizeof *signals)

static struct termios before;
static int terminal;
static volatile sig_atomic_t guarded; /* a line is edited; there is one terminal of the process */

static void on_signal(int signum) {
  static const char no_marks[] = "\033[?2004l\r\n";
  /* In the background the terminal is another process's, and to change it would stop this one. */
  if (guarded && tcgetpgrp(terminal) == getpgrp()) {
    tcsetattr(terminal, TCSANOW, &before);
    if (write(terminal, no_marks, sizeof no_marks - 1) < 0) guarded = 0;
  }
  raise(signum); /* the handler is not there any more */
}

void prompt_guard(prompt_editor *e) {
  if (e->foreign || guarded || tcgetattr(e->in, &before) < 0) return;
  struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_NODEFER}, there;
  terminal = e->in;
  guarded = 1;
  for (size_t i = 0; i < COUNT; i++)
    if (sigaction(signals[i], NULL, &there) == 0 && there.sa_handler == SIG_DFL)
      sigaction(signals[i], &ours, NULL);
}

void prompt_unguard(prompt_editor *e) {
  struct sigaction there;
  if (e->foreign || !guarded) return;
  for (size_t i = 0; i < COUNT; i++)
    if (sigaction(signals[i], NULL, &there) == 0 && there.sa_handler == on_signal)
      signal(signals[i], SIG_DFL);
  guarded = 0;
}
