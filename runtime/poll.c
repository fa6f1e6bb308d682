/* read: bytes from a file descriptor, such as what the prompt reads from, as soon as there are
 * some; and write. The descriptor stays as it was, blocking or not: others may share it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define MOST 4096 /* bytes at a time */

typedef struct lull_poll {
  uv_poll_t handle;
  lull_t *rt;
  lull_task *task;
} lull_poll;

static void on_closed(uv_handle_t *handle) {
  free(lull__container((uv_poll_t *)handle, lull_poll, handle));
}

static void stop(lull_poll *poll) {
  uv_close((uv_handle_t *)&poll->handle, on_closed);
}

static void on_event(uv_poll_t *handle, int status, int events) {
  (void)status; /* reading tells what is wrong */
  (void)events;
  lull_poll *poll = lull__container(handle, lull_poll, handle);
  lull__wake(poll->rt, poll->task);
  stop(poll);
}

/* Gives the poll, or NULL and an error; UV_EPERM: of a kind that is always ready, such as a file.
 */
static lull_poll *start(lull_t *rt, int fd, int *error) {
  lull_poll *poll = malloc(sizeof *poll);
  *error = UV_ENOMEM;
  if (poll == NULL) return NULL;
  int flags = fcntl(fd, F_GETFL);
  *error = flags < 0 ? UV_EBADF : uv_poll_init(rt->loop, &poll->handle, fd);
  if (*error < 0) {
    free(poll);
    return NULL;
  }
  fcntl(fd, F_SETFL, flags); /* libuv has made it non-blocking */
  poll->rt = rt;
  poll->task = rt->current;
  *error = uv_poll_start(&poll->handle, UV_READABLE, on_event);
  if (*error == 0) return poll;
  stop(poll);
  return NULL;
}

static void cancel_read(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  stop(task->subject);
}

static const lull_wait read_wait = {"input", cancel_read, NULL};

static int start_read(lua_State *L, lull_t *rt, lull_op *op);

static int read_now(lua_State *L, lull_t *rt, lull_op *op) {
  int fd = (int)op->number;
  char bytes[MOST];
  ssize_t n;
  do
    n = read(fd, bytes, sizeof bytes);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return start_read(L, rt, op); /* somebody else was faster */
  if (n < 0) return luaL_error(L, "cannot read: %s", strerror(errno));
  if (n == 0) return 0;
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

static int input_there(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_op *op = lua_touserdata(L, 1);
  lull__woken(L, (lull_t *)ctx);
  return read_now(L, (lull_t *)ctx, op);
}

static int start_read(lua_State *L, lull_t *rt, lull_op *op) {
  int fd = (int)op->number, error;
  lull_poll *poll = start(rt, fd, &error);
  if (poll != NULL) return lull__suspend(L, rt, &read_wait, poll, input_there, (lua_KContext)rt);
  if (error == UV_EPERM) return read_now(L, rt, op);
  return luaL_error(L, "cannot read: %s", uv_strerror(error));
}

static const lull_op_kind read_kind = {"read", start_read};

/* read(fd) -> the bytes there are, at least one; nothing at the end. */
static int new_read(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, fd >= 0 && fd <= INT32_MAX, 1, "not a file descriptor");
  lull_op *op = lull__new_op(L, rt, &read_kind);
  op->o.state = LULL_LAZY;
  op->number = (double)fd;
  lull__track(L, rt, &op->o, &op->origin, 0);
  return 1;
}

/* Waits until a descriptor takes more, without the loop. */
static void wait_writable(int fd) {
  struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
  poll(&pollfd, 1, -1);
}

/* A pipe or socket that nobody reads is an error, not a signal that ends the process. */
ssize_t lull__write_quietly(int fd, const char *bytes, size_t size) {
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  ssize_t n = write(fd, bytes, size);
  int error = errno;
  if (n < 0 && error == EPIPE && !sigismember(&before, SIGPIPE))
    sigtimedwait(&pipe_signal, NULL, &(struct timespec){0});
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return n;
}

/* write(fd, bytes): all of them; what does not take them holds the loop up. */
static int write_now(lua_State *L) {
  size_t size;
  int fd = (int)luaL_checkinteger(L, 1);
  const char *bytes = luaL_checklstring(L, 2, &size);
  while (size > 0) {
    ssize_t n = lull__write_quietly(fd, bytes, size);
    if (n >= 0) {
      bytes += n;
      size -= (size_t)n;
    } else if (errno == EAGAIN) {
      wait_writable(fd);
    } else if (errno != EINTR) {
      return luaL_error(L, "cannot write: %s", strerror(errno));
    }
  }
  return 0;
}

/* hold(on): whether the loop waits for what may come from outside, such as SIGINT, when there is
 * nothing else; no deadlock is found then. Counted: it does as long as anybody holds it. */
static int hold(lua_State *L) {
  lull__hold_loop(lull__rt(L), lua_toboolean(L, 1));
  return 0;
}

/* Whether there is such a descriptor, open for that: O_RDONLY or O_WRONLY. */
int lull__is_open(int fd, int mode) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && ((flags & O_ACCMODE) == mode || (flags & O_ACCMODE) == O_RDWR);
}

/* is_open(fd, output): whether it can be read from, or written to. */
static int is_open(lua_State *L) {
  int mode = lua_toboolean(L, 2) ? O_WRONLY : O_RDONLY;
  lua_pushboolean(L, lull__is_open((int)luaL_checkinteger(L, 1), mode));
  return 1;
}

/* is_terminal(fd): whether it is one, which somebody looks at. */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, uv_guess_handle((uv_file)luaL_checkinteger(L, 1)) == UV_TTY);
  return 1;
}

static const luaL_Reg functions[] = {
    {"read", new_read},   {"write", write_now},         {"hold", hold},
    {"is_open", is_open}, {"is_terminal", is_terminal}, {NULL, NULL}};

void lull__open_poll(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
