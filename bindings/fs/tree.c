/* Removing a directory with all that is in it. It never leaves the tree: links are removed, not
 * followed, and every step is taken from a directory that is open, so that none can be
 * exchanged on the way. However deep the tree is, no more than three descriptors are open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* A directory on the way down, and the directories in it. */
typedef struct level {
  struct level *up;
  char *names; /* each with its zero; from next on they are still to be removed */
  size_t size, room, next;
  size_t length; /* of the directory's path */
  dev_t dev;
  ino_t ino;
} level;

typedef struct removal {
  lull_job job; /* fd: the directory it is in; target: what is removed just now */
  level *level;
} removal;

static int failed(removal *r) {
  return lull__job_failed(&r->job, "remove");
}

static int add_name(removal *r, level *l, const char *name) {
  size_t size = strlen(name) + 1;
  if (l->size + size > l->room) {
    size_t room = 2 * (l->size + size);
    char *names = realloc(l->names, room);
    if (names == NULL) return failed(r);
    l->names = names;
    l->room = room;
  }
  memcpy(l->names + l->size, name, size);
  l->size += size;
  return 0;
}

/* The path is that of an entry of the level. */
static int set_path(removal *r, const level *l, const char *name) {
  size_t size = strlen(name) + 1;
  char *path = realloc(r->job.target, l->length + 1 + size);
  if (path == NULL) return failed(r);
  r->job.target = path;
  path[l->length] = '/';
  memcpy(path + l->length + 1, name, size);
  return 0;
}

static void pop(removal *r) {
  level *l = r->level;
  r->level = l->up;
  free(l->names);
  free(l);
}

/* ---- the steps ---- */

/* Whether it was no file: then it is a directory, as far as unlink can tell. */
static int may_be_directory(void) {
  return errno == EISDIR || errno == EPERM;
}

static int remove_entry(removal *r, level *l, const char *name) {
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
  if (unlinkat(r->job.fd, name, 0) == 0 || errno == ENOENT) return 0;
  if (may_be_directory()) return add_name(r, l, name);
  int error = errno;
  if (set_path(r, l, name) < 0) return -1;
  errno = error;
  return failed(r);
}

/* Removes what is in the open directory, and notes the directories in it. */
static int sweep(removal *r, level *l) {
  int fd = fcntl(r->job.fd, F_DUPFD_CLOEXEC, 0);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (dir == NULL) {
    failed(r);
    if (fd >= 0) close(fd);
    return -1;
  }
  int is_over = 0;
  while (!is_over && !r->job.error && !lull__job_stopped(&r->job)) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (entry != NULL)
      remove_entry(r, l, entry->d_name);
    else if (errno != 0)
      failed(r);
    is_over = entry == NULL;
  }
  closedir(dir);
  return r->job.error ? -1 : 0;
}

/* Goes down into a directory and sweeps it. The path is its path already. */
static void enter(removal *r, const char *name) {
  struct stat st;
  int fd = openat(r->level ? r->job.fd : AT_FDCWD, name, FLAGS | O_NOFOLLOW);
  if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) errno = EPERM; /* as unlink said */
  level *l = fd < 0 || fstat(fd, &st) < 0 ? NULL : calloc(1, sizeof *l);
  if (l == NULL) {
    failed(r);
    if (fd >= 0) close(fd);
    return;
  }
  if (r->job.fd >= 0) close(r->job.fd);
  r->job.fd = fd;
  l->dev = st.st_dev;
  l->ino = st.st_ino;
  l->length = strlen(r->job.target);
  l->up = r->level;
  r->level = l;
  sweep(r, l);
}

/* Opens the directory above, which must be the one that was left. */
static int open_above(removal *r, const level *up) {
  struct stat st;
  int fd = openat(r->job.fd, "..", FLAGS);
  if (fd < 0) return failed(r);
  int ok = fstat(fd, &st) == 0 && st.st_dev == up->dev && st.st_ino == up->ino;
  close(r->job.fd);
  r->job.fd = fd;
  if (ok) return 0;
  errno = ENOENT; /* somebody has moved the directory */
  return failed(r);
}

/* Goes up, and removes the directory, which is empty now. */
static void leave(removal *r) {
  level *up = r->level->up;
  r->job.target[r->level->length] = '\0';
  if (up == NULL) {
    if (rmdir(r->job.target) < 0) failed(r);
    pop(r);
    return;
  }
  if (open_above(r, up) < 0) return;
  const char *name = up->names + up->next;
  if (unlinkat(r->job.fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT) failed(r);
  up->next += strlen(name) + 1;
  pop(r);
}

static void descend(removal *r) {
  level *l = r->level;
  const char *name = l->names + l->next;
  if (set_path(r, l, name) < 0) return;
  enter(r, name);
  if (r->job.error != ENOENT || r->level != l) return;
  r->job.error = 0; /* somebody else has removed it */
  l->next += strlen(name) + 1;
}

static void run_remove_tree(lull_job *job) {
  removal *r = (removal *)job;
  if (unlink(r->job.target) == 0) return;
  if (may_be_directory())
    enter(r, r->job.target);
  else
    failed(r);
  while (r->level != NULL && !job->error && !lull__job_stopped(job)) {
    if (r->level->next < r->level->size)
      descend(r);
    else
      leave(r);
  }
  while (r->level != NULL)
    pop(r);
  if (job->fd >= 0) close(job->fd);
  job->fd = -1;
}

/* Failing, it tells the path of what could not be removed as a fourth value. */
static int tree_failed(lua_State *L, lull_job *job) {
  int n = lull__push_errno(L, job->error, job->what);
  lua_pushstring(L, job->target);
  return n + 1;
}

/* remove_tree(path): whatever it is */
static int remove_tree(lua_State *L) {
  lull_t *rt = lull__rt(L);
  removal *r = lull__new_job(L, rt, sizeof *r, run_remove_tree, lull__push_nothing);
  r->job.target = lull__job_string(L, 1);
  r->job.push_error = tree_failed;
  return lull__run_job(L, rt, &r->job);
}

static const luaL_Reg functions[] = {{"remove_tree", remove_tree}, {NULL, NULL}};

void lull__open_tree(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
