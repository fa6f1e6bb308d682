/* Waiting until a pipe, a terminal or a watch has something to read, or room to write: on the loop,
 * not on the pool, where a silent pipe would keep a thread for itself. Nothing is read
 * before the task that waits runs again, so that a cancellation loses nothing. */
#include <stdlib.h>

#include "fs.h"

typedef struct lull_fs_poll {
  uv_poll_t handle;
  lull_file *file;
  lull_task *task;
} lull_fs_poll;

static void on_closed(uv_handle_t *handle) {
  free(lull__container((uv_poll_t *)handle, lull_fs_poll, handle));
}

/* The poll has ended. The file may not be closed before: the loop would look at a wrong one. */
static void end(lull_fs_poll *poll) {
  lull_file *file = poll->file;
  uv_close((uv_handle_t *)&poll->handle, on_closed);
  file->poll = NULL;
  file->working = 0;
}

/* Ends a poll before its time; who waits for it is woken. */
void lull__end_poll(lull_file *file) {
  lull_task *task = file->poll->task;
  end(file->poll);
  lull__wake(file->rt, task);
}

static void on_event(uv_poll_t *handle, int status, int events) {
  (void)status; /* reading and writing tell what is wrong */
  (void)events;
  lull__end_poll(lull__container(handle, lull_fs_poll, handle)->file);
}

static void cancel_poll(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  end(task->subject);
}

static const lull_wait poll_wait = {"input or output", cancel_poll, NULL};

static int start(lull_t *rt, lull_file *file, int events) {
  lull_fs_poll *poll = malloc(sizeof *poll);
  if (poll == NULL) return UV_ENOMEM;
  int error = uv_poll_init(rt->loop, &poll->handle, file->fd);
  if (error < 0) {
    free(poll);
    return error;
  }
  poll->file = file;
  poll->task = rt->current;
  file->poll = poll;
  file->working = 1;
  error = uv_poll_start(&poll->handle, events, on_event);
  if (error < 0) end(poll);
  return error;
}

/* Suspends the running task, whose turn it is, until the file is ready: k begins with lull__woken.
 * It may be closed then. Gives what the C function gives. */
int lull__await_fd(lua_State *L, lull_t *rt, lull_file *file, int events, lua_KFunction k) {
  lull__require_task(L, rt);
  int error = start(rt, file, events);
  if (error < 0) return lull__push_errno(L, -error, "wait for");
  return lull__suspend(L, rt, &poll_wait, file->poll, k, (lua_KContext)rt);
}
