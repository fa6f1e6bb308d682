/* OS threads of lull's own. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "threads.h"

/* The signal that stops what a thread runs. It is ignored where nobody handles it, and hardly used.
 */
#define SIGNAL SIGURG

/* ---- interrupting: signals are the process's, and so is what handles them ---- */

static _Thread_local lull_t *volatile running; /* the runtime whose code this thread runs */
static struct sigaction other;                 /* who had the signal before */

void lull__thread_runs(lull_t *rt) {
  running = rt;
}

static void on_signal(int signum, siginfo_t *info, void *context) {
  lull_t *rt = running;
  if (rt != NULL) lull__interrupt_for_good(rt); /* safe: NOLINT(bugprone-signal-handler) */
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
  thread->kind->ended(thread);
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
#ifdef __linux__
  pthread_setname_np(pthread_self(), thread->name);
#endif
  thread->kind->run(thread);
  end(thread);
}

lull_thread *lull__thread_start(lull_hub *hub, const lull_thread_kind *kind, void *owner,
                                lull_errand *errand, int *error) {
  lull_thread *thread = calloc(1, kind->size);
  *error = UV_ENOMEM;
  if (thread == NULL) return NULL;
  thread->hub = hub;
  thread->kind = kind;
  thread->owner = owner;
  thread->errand = errand;
  snprintf(thread->name, sizeof thread->name, "lull %s %u", kind->name, ++hub->born % 1000);
  if (kind->init != NULL) kind->init(thread);
  uv_cond_init(&thread->wake);
  lull__list_append(&hub->threads, &thread->node);
  *error = uv_thread_create(&thread->id, live, thread);
  if (*error < 0) {
    lull__list_remove(&thread->node);
    uv_cond_destroy(&thread->wake);
    free(thread);
    return NULL;
  }
  hub->refs++;
  return thread;
}
