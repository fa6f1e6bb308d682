/* OS threads of lull's own: libuv's pool is for short work, and a Lua function may run for long. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "thread.h"

/* The signal that stops what a thread runs. It is ignored where nobody handles it, and hardly used.
 */
#define SIGNAL SIGURG

/* ---- interrupting: the one thing that is the process's, as signals are ---- */

static struct sigaction other; /* who had the signal before */

static void on_signal(int signum, siginfo_t *info, void *context) {
  lull__interrupt_running();
  if (other.sa_flags & SA_SIGINFO)
    other.sa_sigaction(signum, info, context);
  else if (other.sa_handler != SIG_DFL && other.sa_handler != SIG_IGN)
    other.sa_handler(signum);
}

/* Calls that block are to end: they are not restarted. */
static void handle_signal(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGNAL, &action, &other);
}

void lull__thread_interrupt(lull_thread *thread) {
  static uv_once_t once = UV_ONCE_INIT;
  uv_once(&once, handle_signal);
  if (thread->runs) pthread_kill(thread->id, SIGNAL);
}

/* ---- a thread's life ---- */

/* Nothing of the hub or the thread may be used once they are let go of. */
static void end(lull_thread *thread) {
  lull_hub *hub = thread->hub;
  uv_mutex_lock(&hub->lock);
  thread->ended(thread);
  int left = thread->left;
  if (!left) {
    lull__list_remove(&thread->node);
    lull__list_append(&hub->dead, &thread->node);
    uv_cond_signal(&hub->ended);
    lull__hub_wake(hub);
  }
  uv_mutex_unlock(&hub->lock);
  if (left) {
    uv_cond_destroy(&thread->wake);
    free(thread);
  }
  lull__hub_unref(hub);
}

static void live(void *data) {
  lull_thread *thread = data;
  pthread_setname_np(pthread_self(), thread->name);
  lull__thread_open(thread);
  thread->live(thread);
  lull__thread_close(thread);
  end(thread);
}

/* Gives the new thread, or NULL and an error. live runs it, ended is called at its end, locked. */
lull_thread *lull__thread_start(lull_hub *hub, const char *kind, void *owner,
                                void (*live_as)(lull_thread *), void (*ended)(lull_thread *),
                                void *job, int *error) {
  lull_thread *thread = calloc(1, sizeof *thread);
  *error = UV_ENOMEM;
  if (thread == NULL) return NULL;
  thread->hub = hub;
  thread->owner = owner;
  thread->live = live_as;
  thread->ended = ended;
  thread->job = job;
  thread->debug = hub->rt->debug;
  thread->memory_limit = hub->rt->memory ? lull__memory_limit(hub->rt->memory) : 0;
  snprintf(thread->name, sizeof thread->name, "lull %s %u", kind, ++hub->born % 1000);
  uv_cond_init(&thread->wake);
  lull__list_append(&hub->threads, &thread->node);
  *error = uv_thread_create(&thread->id, live, thread);
  if (*error < 0) {
    lull__list_remove(&thread->node);
    uv_cond_destroy(&thread->wake);
    free(thread);
    return NULL;
  }
  lull__hub_ref(hub);
  return thread;
}
