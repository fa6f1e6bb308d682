/* Somebody at the other end of a prompt: types, and waits for what is to be seen. A prompt runs on
 * a thread of its own, or on a loop that is run while the user waits. */
#ifndef LULL_SPEC_USER_H
#define LULL_SPEC_USER_H

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"

#define PATIENCE_NS 20000000000u /* how long the user waits for anything */

typedef struct user {
  int in, out;        /* what the prompt shows, and what is typed */
  uv_loop_t *pumped;  /* to be run meanwhile, or NULL */
  char seen[1 << 16]; /* since the last thing that was waited for */
  size_t size;
} user;

/* A prompt on a thread of its own. */
typedef struct prompter {
  lull_t *lull;
  int input, output, status;
  uv_thread_t thread;
} prompter;

static inline void prompter_run(void *data) {
  prompter *p = data;
  p->status = lull_prompt(p->lull, p->input, p->output);
}

static inline void prompter_start(prompter *p) {
  CHECK(uv_thread_create(&p->thread, prompter_run, p) == 0);
}

static inline int prompter_join(prompter *p) {
  uv_thread_join(&p->thread);
  return p->status;
}

static inline void type(user *u, const char *text) {
  CHECK(write(u->out, text, strlen(text)) == (ssize_t)strlen(text));
}

static inline int user_look(user *u) {
  if (u->pumped != NULL) uv_run(u->pumped, UV_RUN_NOWAIT);
  struct pollfd fd = {.fd = u->in, .events = POLLIN};
  if (poll(&fd, 1, u->pumped ? 1 : 100) <= 0) return 0;
  if (u->size > sizeof u->seen / 2) { /* what is old is not waited for */
    memmove(u->seen, u->seen + u->size / 2, u->size - u->size / 2);
    u->size -= u->size / 2;
  }
  ssize_t n = read(u->in, u->seen + u->size, sizeof u->seen - 1 - u->size);
  if (n > 0) u->size += (size_t)n;
  u->seen[u->size] = '\0';
  return n > 0;
}

/* Waits until a part of it is seen, and forgets what was up to there. */
static inline void expect(user *u, const char *part) {
  uint64_t until = uv_hrtime() + PATIENCE_NS;
  char *found;
  while ((found = memmem(u->seen, u->size, part, strlen(part))) == NULL) {
    if (uv_hrtime() > until) CHECK_HAS(u->seen + (u->size > 400 ? u->size - 400 : 0), part);
    user_look(u);
  }
  found += strlen(part);
  u->size -= (size_t)(found - u->seen);
  memmove(u->seen, found, u->size + 1);
}

/* A terminal that is nobody's controlling one; gives the prompt's end. */
static inline int open_terminal(user *u) {
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  int slave;
  *u = (user){0};
  CHECK(openpty(&u->in, &slave, NULL, NULL, &size) == 0);
  u->out = u->in;
  return slave;
}

static inline int is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

#endif
