/* read: bytes from a file descriptor, such as the terminal the prompt reads from, as soon as there
 * are some. The descriptor stays as it was, blocking or not: others may share it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

static int read_now(lua_State *L, int fd) {
  char bytes[MOST];
  ssize_t n;
  do
    n = read(fd, bytes, sizeof bytes);
  while (n < 0 && errno == EINTR);
  if (n < 0) return luaL_error(L, "cannot read: %s", strerror(errno));
  if (n == 0) return 0;
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

static int input_there(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  const lull_op *op = lua_touserdata(L, 1);
  lull__woken(L, (lull_t *)ctx);
  return read_now(L, (int)op->number);
}

static int start_read(lua_State *L, lull_t *rt, lull_op *op) {
  int fd = (int)op->number, error;
  lull_poll *poll = start(rt, fd, &error);
  if (poll != NULL) return lull__suspend(L, rt, &read_wait, poll, input_there, (lua_KContext)rt);
  if (error == UV_EPERM) return read_now(L, fd);
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

/* hold(on): whether the loop waits for what may come from outside, such as SIGINT, when there is
 * nothing else; no deadlock is found then. */
static int hold(lua_State *L) {
  lull__hold_loop(lull__rt(L), lua_toboolean(L, 1));
  return 0;
}

/* is_terminal(fd): whether it is one, which somebody looks at. */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, uv_guess_handle((uv_file)luaL_checkinteger(L, 1)) == UV_TTY);
  return 1;
}

static const luaL_Reg functions[] = {
    {"read", new_read}, {"hold", hold}, {"is_terminal", is_terminal}, {NULL, NULL}};

void lull__open_poll(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
