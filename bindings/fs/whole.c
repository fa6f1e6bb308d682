/* Whole files, read or written in one job. What is no plain file is only opened: its reading or
 * writing is left to the functions of open files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs.h"

static void run_read_file(lull_job *job) {
  if (lull__open_descriptor(job) < 0 || lull__look_at_opened(job) != 1) return;
  lull__slurp(job, -1);
  lull__close_descriptor(job);
}

static int push_contents(lua_State *L, lull_job *job) {
  return job->fd >= 0 ? lull__push_opened(L, job) : lull__push_data(L, job);
}

/* read_file(path) -> contents, or an open file */
static int read_file(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_job *job = lull__new_path_job(L, rt, sizeof *job, run_read_file, push_contents);
  job->lose = lull__lose_opened;
  job->flags = O_RDONLY;
  return lull__run_job(L, rt, job);
}

/* What is appended to has to be looked at. Otherwise writing at a position fails with ESPIPE,
 * before anything is written, where there are none. */
static void run_write_file(lull_job *job) {
  int appends = (job->flags & O_APPEND) != 0;
  if (lull__open_descriptor(job) < 0 || (appends && lull__look_at_opened(job) != 1)) return;
  lull__write_all(job, appends ? -1 : 0);
  if (job->error == ESPIPE) {
    job->error = 0;
    lull__look_at_opened(job);
  } else {
    lull__close_descriptor(job);
  }
}

static int push_written(lua_State *L, lull_job *job) {
  return job->fd >= 0 ? lull__push_opened(L, job) : lull__push_nothing(L, job);
}

/* write_file(path, data, permissions, append) -> true, or an open file */
static int write_file(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_job *job = lull__new_path_job(L, rt, sizeof *job, run_write_file, push_written);
  job->lose = lull__lose_opened;
  lull__job_copy(L, job, 2);
  job->mode = (int)luaL_checkinteger(L, 3);
  job->flags = O_WRONLY | O_CREAT | (lua_toboolean(L, 4) ? O_APPEND : O_TRUNC);
  return lull__run_job(L, rt, job);
}

static const luaL_Reg functions[] = {
    {"read_file", read_file}, {"write_file", write_file}, {NULL, NULL}};

void lull__open_whole(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
