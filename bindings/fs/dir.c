/* Listing directories, some entries at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define ENTRIES 1024 /* at a time */

typedef struct listing {
  lull_job job; /* data: for each entry its type's mode bits, then its name */
  DIR *dir;
  int count, is_over;
} listing;

static int failed(listing *l) {
  return lull__job_failed(&l->job, "list");
}

/* ---- on the pool ---- */

static mode_t type_of(listing *l, const struct dirent *entry) {
  struct stat st;
  if (entry->d_type != DT_UNKNOWN) return DTTOIF(entry->d_type);
  if (fstatat(dirfd(l->dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  return st.st_mode & S_IFMT;
}

static int add_entry(listing *l, const struct dirent *entry) {
  lull_job *job = &l->job;
  if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) return 0;
  size_t length = strlen(entry->d_name) + 1, size = job->size + sizeof(mode_t) + length;
  if (size > job->room && lull__job_room(job, 2 * size) < 0) return failed(l);
  mode_t type = type_of(l, entry);
  memcpy(job->data + job->size, &type, sizeof type);
  memcpy(job->data + job->size + sizeof type, entry->d_name, length);
  job->size = size;
  l->count++;
  return 0;
}

static void run_next(lull_job *job) {
  listing *l = (listing *)job;
  while (l->count < ENTRIES && !lull__job_stopped(job)) {
    errno = 0;
    const struct dirent *entry = readdir(l->dir);
    if (entry == NULL) {
      l->is_over = 1;
      if (errno != 0) failed(l);
      return;
    }
    if (add_entry(l, entry) < 0) return;
  }
}

static void run_scan(lull_job *job) {
  listing *l = (listing *)job;
  int fd = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | job->flags);
  l->dir = fd < 0 ? NULL : fdopendir(fd);
  if (l->dir == NULL) {
    failed(l);
    if (fd >= 0) close(fd);
    return;
  }
  run_next(job);
  if (!l->is_over && !job->error) return;
  closedir(l->dir);
  l->dir = NULL;
}

/* ---- results ---- */

static void push_list(lua_State *L, const listing *l) {
  const char *at = l->job.data;
  lua_createtable(L, 2 * l->count, 0);
  for (int i = 0; i < l->count; i++) {
    mode_t type;
    memcpy(&type, at, sizeof type);
    at += sizeof type;
    lua_pushstring(L, at);
    lua_rawseti(L, -2, 2 * i + 1);
    lua_pushstring(L, lull__type_name(type));
    lua_rawseti(L, -2, 2 * i + 2);
    at += strlen(at) + 1;
  }
}

static int push_next(lua_State *L, lull_job *job) {
  push_list(L, (listing *)job);
  return 1;
}

static int push_scan(lua_State *L, lull_job *job) {
  listing *l = (listing *)job;
  push_list(L, l);
  if (l->dir == NULL) return 1;
  lull_file *file = lull__new_file(L, job->request.rt);
  file->dir = l->dir;
  file->fd = dirfd(l->dir);
  l->dir = NULL;
  return 2;
}

static void lose_scan(lull_job *job) {
  listing *l = (listing *)job;
  if (l->dir != NULL) closedir(l->dir);
}

/* scan(path, is_no_link) -> list of name, type, name, type ..., and if that is not all, a file to
 * go on with. is_no_link: a link is an error. */
static int dir_scan(lua_State *L) {
  lull_t *rt = lull__rt(L);
  listing *l = lull__new_path_job(L, rt, sizeof *l, run_scan, push_scan);
  l->job.lose = lose_scan;
  l->job.flags = lua_toboolean(L, 2) ? O_NOFOLLOW : 0;
  return lull__run_job(L, rt, &l->job);
}

/* scan_next(file) -> list; an empty one at the end */
static int dir_scan_next(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  listing *l = lull__new_job(L, rt, sizeof *l, run_next, push_next);
  l->dir = file->dir;
  lull__job_uses(&l->job, file);
  return lull__run_job(L, rt, &l->job);
}

static const luaL_Reg functions[] = {
    {"scan", dir_scan}, {"scan_next", dir_scan_next}, {NULL, NULL}};

void lull__open_dir(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
