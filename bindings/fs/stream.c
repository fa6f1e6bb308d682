/* Reading and writing pipes and terminals: on the loop, when they are ready. */
#include <errno.h>
#include <unistd.h>

#include "fs.h"

#define PIECE 16384 /* bytes read at a time */

/* ---- reading: the file at index 1, how many bytes at 2 ---- */

static int readable(lua_State *L, int status, lua_KContext ctx);

/* Nothing is read before the data is there: a FIFO that nobody has opened to write gives an end at
 * once otherwise. */
static int read_now(lua_State *L, lull_t *rt, lull_file *file) {
  char bytes[PIECE];
  lua_Integer wanted = lua_tointeger(L, 2);
  ssize_t n;
  do
    n = read(file->fd, bytes, wanted < PIECE ? (size_t)wanted : PIECE);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return lull__await_fd(L, rt, file, UV_READABLE, readable);
  if (n < 0) return lull__push_errno(L, errno, "read");
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

static int readable(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  lull_file *file = lull__check_file(L, 1);
  file->is_fresh = 0;
  return read_now(L, (lull_t *)ctx, file);
}

int lull__read_stream(lua_State *L, lull_t *rt, lull_file *file) {
  lua_settop(L, 2);
  if (file->is_fresh) return lull__await_fd(L, rt, file, UV_READABLE, readable);
  return read_now(L, rt, file);
}

/* ---- writing: the file at index 1, the data at 2, how much of it is written at 3 ---- */

static int writable(lua_State *L, int status, lua_KContext ctx);

static int write_now(lua_State *L, lull_t *rt, lull_file *file) {
  size_t size, done = (size_t)lua_tointeger(L, 3);
  const char *bytes = lua_tolstring(L, 2, &size);
  while (done < size) {
    ssize_t n = lull__write_quietly(file->fd, bytes + done, size - done);
    if (n >= 0)
      done += (size_t)n;
    else if (errno != EINTR)
      break;
  }
  if (done == size) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (errno != EAGAIN) return lull__push_errno(L, errno, "write");
  lua_pushinteger(L, (lua_Integer)done);
  lua_replace(L, 3);
  return lull__await_fd(L, rt, file, UV_WRITABLE, writable);
}

static int writable(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  return write_now(L, (lull_t *)ctx, lull__check_file(L, 1));
}

int lull__write_stream(lua_State *L, lull_t *rt, lull_file *file) {
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  return write_now(L, rt, file);
}
