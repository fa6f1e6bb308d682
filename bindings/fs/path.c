/* What is done with a path in one system call or two: look, make, rename, remove. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

/* ---- stat ---- */

const char *lull__type_name(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG:
    return "file";
  case S_IFDIR:
    return "directory";
  case S_IFLNK:
    return "link";
  case S_IFIFO:
    return "fifo";
  case S_IFSOCK:
    return "socket";
  case S_IFCHR:
    return "char";
  case S_IFBLK:
    return "block";
  default:
    return "unknown";
  }
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_time(lua_State *L, const char *name, struct timespec time) {
  lua_pushnumber(L, (double)time.tv_sec + (double)time.tv_nsec / 1e9);
  lua_setfield(L, -2, name);
}

static int push_stat(lua_State *L, lull_job *job) {
  const struct stat *st = &job->st;
  lua_createtable(L, 0, 11);
  lua_pushstring(L, lull__type_name(st->st_mode));
  lua_setfield(L, -2, "type");
  set_integer(L, "size", st->st_size);
  set_integer(L, "mode", st->st_mode & 07777);
  set_integer(L, "uid", st->st_uid);
  set_integer(L, "gid", st->st_gid);
  set_integer(L, "dev", (lua_Integer)st->st_dev);
  set_integer(L, "ino", (lua_Integer)st->st_ino);
  set_integer(L, "nlink", (lua_Integer)st->st_nlink);
  set_time(L, "mtime", st->st_mtim);
  set_time(L, "atime", st->st_atim);
  set_time(L, "ctime", st->st_ctim);
  return 1;
}

static void run_stat(lull_job *job) {
  if (stat(job->path, &job->st) < 0) lull__job_failed(job, "stat");
}

static void run_lstat(lull_job *job) {
  if (lstat(job->path, &job->st) < 0) lull__job_failed(job, "stat");
}

static int path_stat(lua_State *L) {
  lull_t *rt = lull__rt(L);
  return lull__run_job(L, rt, lull__new_path_job(L, rt, sizeof(lull_job), run_stat, push_stat));
}

static int path_lstat(lua_State *L) {
  lull_t *rt = lull__rt(L);
  return lull__run_job(L, rt, lull__new_path_job(L, rt, sizeof(lull_job), run_lstat, push_stat));
}

/* ---- make, rename, remove ---- */

static void run_mkdir(lull_job *job) {
  if (mkdir(job->path, (mode_t)job->mode) < 0) lull__job_failed(job, "make directory");
}

/* mkdir(path, permissions) */
static int path_mkdir(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_job *job = lull__new_path_job(L, rt, sizeof(lull_job), run_mkdir, lull__push_nothing);
  job->mode = (int)luaL_checkinteger(L, 2);
  return lull__run_job(L, rt, job);
}

static void run_mkdtemp(lull_job *job) {
  if (mkdtemp(job->path) == NULL) lull__job_failed(job, "make a directory like");
}

static int push_path(lua_State *L, lull_job *job) {
  lua_pushstring(L, job->path);
  return 1;
}

static void lose_mkdtemp(lull_job *job) {
  if (!job->error) rmdir(job->path);
}

/* mkdtemp(template) -> path */
static int path_mkdtemp(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_job *job = lull__new_path_job(L, rt, sizeof(lull_job), run_mkdtemp, push_path);
  job->lose = lose_mkdtemp;
  return lull__run_job(L, rt, job);
}

static void run_rename(lull_job *job) {
  if (rename(job->path, job->target) < 0) lull__job_failed(job, "rename");
}

/* rename(from, to) */
static int path_rename(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_job *job = lull__new_path_job(L, rt, sizeof(lull_job), run_rename, lull__push_nothing);
  job->target = lull__job_string(L, 2);
  return lull__run_job(L, rt, job);
}

/* A directory gives EISDIR, or as POSIX has it EPERM. */
static void run_remove(lull_job *job) {
  if (unlink(job->path) == 0) return;
  lull__job_failed(job, "remove");
  if (job->error != EISDIR && job->error != EPERM) return;
  if (rmdir(job->path) == 0)
    job->error = 0;
  else if (errno != ENOTDIR)
    lull__job_failed(job, "remove");
}

/* remove(path): a file, a link, an empty directory */
static int path_remove(lua_State *L) {
  lull_t *rt = lull__rt(L);
  return lull__run_job(L, rt,
                       lull__new_path_job(L, rt, sizeof(lull_job), run_remove, lull__push_nothing));
}

static const luaL_Reg functions[] = {{"stat", path_stat},
                                     {"lstat", path_lstat},
                                     {"mkdir", path_mkdir},
                                     {"mkdtemp", path_mkdtemp},
                                     {"rename", path_rename},
                                     {"remove", path_remove},
                                     {NULL, NULL}};

void lull__open_path(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
