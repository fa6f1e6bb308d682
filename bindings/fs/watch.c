/* Watching directories and files, through inotify, which tells more than libuv passes on: what was
 * made and what removed, and that events were lost. The kernel keeps them until they are read,
 * up to a number, then drops what comes and says so. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#ifdef __linux__
#include <sys/inotify.h>

#define ROOM 16384 /* bytes of events read at a time */
#define EVENTS                                                                                     \
  (IN_ATTRIB | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MODIFY | IN_MOVE_SELF | IN_MOVED_FROM | \
   IN_MOVED_TO)

/* watch() -> file */
static int watch(lua_State *L) {
  lull_file *file = lull__new_file(L, lull__rt(L));
  file->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  return file->fd < 0 ? lull__push_errno(L, errno, "watch") : 1;
}

/* watch_add(file, path, is_inner) -> number. is_inner: of a directory below the one that is
 * watched, which is no link. */
static int watch_add(lua_State *L) {
  const lull_file *file = lull__check_file(L, 1);
  uint32_t inner = lua_toboolean(L, 3) ? IN_DONT_FOLLOW | IN_ONLYDIR : 0;
  int number = inotify_add_watch(file->fd, luaL_checkstring(L, 2), EVENTS | inner);
  if (number < 0) return lull__push_errno(L, errno, "watch");
  lua_pushinteger(L, number);
  return 1;
}

/* watch_remove(file, number) */
static int watch_remove(lua_State *L) {
  inotify_rm_watch(lull__check_file(L, 1)->fd, (int)luaL_checkinteger(L, 2));
  return 0;
}

static const char *event_type(uint32_t mask) {
  if (mask & IN_Q_OVERFLOW) return "overflow";
  if (mask & (IN_CREATE | IN_MOVED_TO)) return "create";
  if (mask & (IN_DELETE | IN_MOVED_FROM)) return "remove";
  if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) return "gone";
  return mask & IN_IGNORED ? "ended" : "change";
}

/* For each event: number, type, name or false, whether it is about a directory. */
static void push_events(lua_State *L, const char *at, const char *end) {
  int n = 0;
  lua_newtable(L);
  while (at < end) {
    struct inotify_event event;
    memcpy(&event, at, sizeof event);
    lua_pushinteger(L, event.wd);
    lua_rawseti(L, -2, ++n);
    lua_pushstring(L, event_type(event.mask));
    lua_rawseti(L, -2, ++n);
    if (event.len > 0)
      lua_pushstring(L, at + sizeof event);
    else
      lua_pushboolean(L, 0);
    lua_rawseti(L, -2, ++n);
    lua_pushboolean(L, (event.mask & IN_ISDIR) != 0);
    lua_rawseti(L, -2, ++n);
    at += sizeof event + event.len;
  }
}

/* watch_read(file) -> list of what has happened; empty if nothing has. */
static int watch_read(lua_State *L) {
  char events[ROOM];
  const lull_file *file = lull__check_file(L, 1);
  ssize_t n;
  do
    n = read(file->fd, events, sizeof events);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno != EAGAIN) return lull__push_errno(L, errno, "watch");
  push_events(L, events, events + (n > 0 ? n : 0));
  return 1;
}

static int ready(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  lua_pushboolean(L, lull__check_file(L, 1)->fd >= 0);
  return 1;
}

/* watch_wait(file) -> true once there is something to read; false if it was closed */
static int watch_wait(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  lua_settop(L, 1);
  return lull__await_fd(L, rt, file, UV_READABLE, ready);
}

static const luaL_Reg functions[] = {
    {"watch", watch},           {"watch_add", watch_add},   {"watch_remove", watch_remove},
    {"watch_read", watch_read}, {"watch_wait", watch_wait}, {NULL, NULL}};

#else

static int watch(lua_State *L) {
  return lull__push_errno(L, ENOSYS, "watch");
}

static const luaL_Reg functions[] = {{"watch", watch}, {NULL, NULL}};

#endif

void lull__open_watch(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
