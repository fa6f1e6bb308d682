/* Open files: their reads and writes, made on the pool at a position that is kept here. What a
 * cancelled read has brought is read once more, or kept where that cannot be done. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"

#define RETRY_NS 10000000 /* between two attempts to open what has to wait */

/* ---- open ---- */

static void run_open(lull_job *job) {
  if (lull__open_descriptor(job) == 0 && lull__look_at_opened(job) == 1) lull__classify_opened(job);
}

static void run_open_later(lull_job *job) {
  nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
  run_open(job);
}

static int flags_of(const char *mode) {
  int access = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
  return access | (*mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT | O_APPEND : 0);
}

/* open(path, mode, permissions, later) -> file; EAGAIN: to be tried again, later. */
static int file_open(lua_State *L) {
  lull_t *rt = lull__rt(L);
  void (*run)(lull_job *) = lua_toboolean(L, 4) ? run_open_later : run_open;
  lull_job *job = lull__new_path_job(L, rt, sizeof *job, run, lull__push_opened);
  job->lose = lull__lose_opened;
  job->flags = flags_of(luaL_checkstring(L, 2));
  job->mode = (int)luaL_checkinteger(L, 3);
  return lull__run_job(L, rt, job);
}

/* ---- read ---- */

static int64_t place(const lull_job *job) {
  return job->file->is_seekable ? job->file->pos : -1;
}

static void run_read(lull_job *job) {
  if (lull__job_room(job, job->size) < 0) {
    lull__job_failed(job, "read");
    return;
  }
  ssize_t n = lull__read_descriptor(job, job->data, job->size, place(job));
  job->size = n > 0 ? (size_t)n : 0;
}

static int push_read(lua_State *L, lull_job *job) {
  lua_pushlstring(L, job->data, job->size);
  if (job->file->is_seekable) job->file->pos += (int64_t)job->size;
  return 1;
}

/* Nobody got it. What cannot be read again is kept. */
static void lose_read(lull_job *job) {
  lull_file *file = job->file;
  if (file == NULL || file->is_seekable || job->error) return;
  file->kept = job->data;
  file->nkept = job->size;
  job->data = NULL;
}

static int push_kept(lua_State *L, lull_file *file) {
  lua_pushlstring(L, file->kept, file->nkept);
  free(file->kept);
  file->kept = NULL;
  return 1;
}

/* read(file, n) -> up to n bytes, at least one; "" at the end. */
static int file_read(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  if (file->is_stream) return lull__read_stream(L, rt, file);
  if (file->kept != NULL) return push_kept(L, file);
  lull_job *job = lull__new_job(L, rt, sizeof *job, run_read, push_read);
  job->lose = lose_read;
  job->size = (size_t)luaL_checkinteger(L, 2);
  lull__job_uses(job, file);
  return lull__run_job(L, rt, job);
}

static void run_read_all(lull_job *job) {
  if (fstat(job->fd, &job->st) < 0)
    lull__job_failed(job, "read");
  else
    lull__slurp(job, job->file->pos);
}

/* read_all(file) -> the rest of a file that is seekable. */
static int file_read_all(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  lull_job *job = lull__new_job(L, rt, sizeof *job, run_read_all, push_read);
  lull__job_uses(job, file);
  return lull__run_job(L, rt, job);
}

/* ---- write ---- */

static void run_write(lull_job *job) {
  int64_t pos = place(job);
  lull__write_all(job, job->file->appends ? -1 : pos);
  if (pos >= 0)
    job->pos = job->file->appends ? lseek(job->fd, 0, SEEK_CUR) : pos + (int64_t)job->size;
}

/* write(file, data): whatever becomes of it, the position is then after what was written. */
static int file_write(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  luaL_checkstring(L, 2);
  if (file->is_stream) return lull__write_stream(L, rt, file);
  lull_job *job = lull__new_job(L, rt, sizeof *job, run_write, lull__push_nothing);
  lull__job_copy(L, job, 2);
  lull__job_uses(job, file);
  return lull__run_job(L, rt, job);
}

static void run_sync(lull_job *job) {
  if (fsync(job->fd) < 0) lull__job_failed(job, "sync");
}

/* sync(file): what was written is on the disk. */
static int file_sync(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  lull_job *job = lull__new_job(L, rt, sizeof *job, run_sync, lull__push_nothing);
  lull__job_uses(job, file);
  return lull__run_job(L, rt, job);
}

/* ---- the position ---- */

/* tell(file) -> the position, or nil if it has none. */
static int file_tell(lua_State *L) {
  const lull_file *file = lull__check_file(L, 1);
  if (!file->is_seekable) return 0;
  lua_pushinteger(L, file->pos);
  return 1;
}

/* move(file, position) */
static int file_move(lua_State *L) {
  lull__check_file(L, 1)->pos = luaL_checkinteger(L, 2);
  return 0;
}

static void run_size(lull_job *job) {
  off_t size = lseek(job->fd, 0, SEEK_END); /* a block device tells its size in no other way */
  if (size < 0) lull__job_failed(job, "seek in");
  job->size = (size_t)size;
}

static int push_size(lua_State *L, lull_job *job) {
  lua_pushinteger(L, (lua_Integer)job->size);
  return 1;
}

/* size(file) -> bytes */
static int file_size(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  lull_job *job = lull__new_job(L, rt, sizeof *job, run_size, push_size);
  lull__job_uses(job, file);
  return lull__run_job(L, rt, job);
}

static const luaL_Reg functions[] = {
    {"open", file_open},   {"read", file_read}, {"read_all", file_read_all},
    {"write", file_write}, {"sync", file_sync}, {"tell", file_tell},
    {"move", file_move},   {"size", file_size}, {NULL, NULL}};

void lull__open_io(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
