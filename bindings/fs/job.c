/* Jobs: system calls that may take their time, made on libuv's pool while a task waits. A task that
 * is cancelled leaves its job behind: one that has not begun never does, the others end when
 * they next look. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

#define LEAST_ROOM 8192 /* for data: most files are small */

static void drop(lull_request *request) {
  lull_job *job = lull__container(request, lull_job, request);
  if (job->lose != NULL) job->lose(job);
  if (job->file != NULL) lull__release_file(job->file);
  free(job->target);
  free(job->data);
  free(job);
}

static void stop(lull_request *request) {
  lull_job *job = lull__container(request, lull_job, request);
  atomic_store_explicit(&job->stopped, 1, memory_order_relaxed);
  uv_cancel((uv_req_t *)&job->work);
}

static int push_error(lua_State *L, lull_job *job) {
  return lull__push_errno(L, job->error, job->what);
}

/* Pushes the owner of a new job. size is that of the struct that starts with it. */
void *lull__new_job(lua_State *L, lull_t *rt, size_t size, void (*run)(lull_job *),
                    int (*push)(lua_State *, lull_job *)) {
  lull_job *job = lull__new_request(L, rt, size, drop);
  job->request.stop = stop;
  job->run = run;
  job->push = push;
  job->push_error = push_error;
  job->data = lull__take_buffer(&job->request, &job->room);
  job->fd = -1;
  job->pos = -1;
  return job;
}

/* The same for a job on the path at index 1. */
void *lull__new_path_job(lua_State *L, lull_t *rt, size_t size, void (*run)(lull_job *),
                         int (*push)(lua_State *, lull_job *)) {
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  lull_job *job = lull__new_job(L, rt, size + length + 1, run, push);
  job->path = (char *)job + size;
  memcpy(job->path, path, length);
  return job;
}

/* A copy of the string at index, for a job to own. */
char *lull__job_string(lua_State *L, int index) {
  char *copy = strdup(luaL_checkstring(L, index));
  if (copy == NULL) lull__no_memory(L);
  return copy;
}

/* Makes room for so many bytes of data, on the pool as well. Gives -1 with errno set if there is
 * none. */
int lull__job_room(lull_job *job, size_t size) {
  if (size <= job->room) return 0;
  size_t room = size < LEAST_ROOM ? LEAST_ROOM : size;
  char *data = realloc(job->data, room);
  if (data == NULL) return -1;
  job->data = data;
  job->room = room;
  return 0;
}

/* Gives the job a copy of the bytes at index. */
void lull__job_copy(lua_State *L, lull_job *job, int index) {
  const char *bytes = luaL_checklstring(L, index, &job->size);
  if (lull__job_room(job, job->size + 1) < 0) lull__no_memory(L);
  memcpy(job->data, bytes, job->size);
}

/* The job is one of an open file's. */
void lull__job_uses(lull_job *job, lull_file *file) {
  job->file = file;
  job->fd = file->fd;
  file->refs++;
}

static void on_pool(uv_work_t *work) {
  lull_job *job = lull__container(work, lull_job, work);
  job->run(job);
}

static void on_done(uv_work_t *work, int status) {
  lull_job *job = lull__container(work, lull_job, work);
  lull_file *file = job->file;
  if (status < 0) job->error = ECANCELED;
  if (file != NULL) {
    if (job->pos >= 0) file->pos = job->pos;
    file->refs++;
    file->working = 0;
  }
  lull__request_ended(&job->request);
  if (file == NULL) return;
  lull__file_unused(file);
  lull__release_file(file);
}

static int job_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_job *job = lull__request(L, (lull_t *)ctx);
  int owner = lua_gettop(L);
  int n = (job->error ? job->push_error : job->push)(L, job);
  job->lose = NULL;
  lull__leave_buffer(&job->request, job->data, job->room);
  job->data = NULL;
  lull__free_request(L, (lull_t *)ctx, &job->request, owner);
  return n;
}

static const lull_wait job_wait = {"a file operation", lull__cancel_request, lull__undo_request};

/* Starts a job, whose owner is on top, and waits for it: gives what the C function gives. */
int lull__run_job(lua_State *L, lull_t *rt, lull_job *job) {
  uv_queue_work(rt->loop, &job->work, on_pool, on_done);
  if (job->file != NULL) job->file->working = 1;
  return lull__await_request(L, rt, &job->request, &job_wait, job_done);
}

/* ---- results ---- */

/* Notes errno. Gives -1. */
int lull__job_failed(lull_job *job, const char *what) {
  job->error = errno;
  job->what = what;
  return -1;
}

int lull__push_errno(lua_State *L, int error, const char *what) {
  lua_pushnil(L);
  lua_pushinteger(L, error);
  lua_pushstring(L, what);
  return 3;
}

int lull__push_nothing(lua_State *L, lull_job *job) {
  (void)job;
  lua_pushboolean(L, 1);
  return 1;
}

int lull__push_data(lua_State *L, lull_job *job) {
  lua_pushlstring(L, job->data, job->size);
  return 1;
}
