/* Open files, directories and watches: a descriptor that is closed when nothing uses it any more,
 * and the turns in which operations use it. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"

static const char type_name[] = "lull file descriptor";

/* Pushes a file that is closed. */
lull_file *lull__new_file(lua_State *L, lull_t *rt) {
  lull_file **owner = lua_newuserdatauv(L, sizeof(lull_file *), 0);
  *owner = NULL;
  luaL_setmetatable(L, type_name);
  lull_file *file = calloc(1, sizeof *file);
  if (file == NULL) lull__no_memory(L);
  file->rt = rt;
  file->fd = -1;
  file->refs = 1;
  lull__list_init(&file->waiters);
  *owner = file;
  return file;
}

lull_file *lull__check_file(lua_State *L, int index) {
  return *(lull_file **)luaL_checkudata(L, index, type_name);
}

static void close_now(lull_file *file) {
  if (file->dir != NULL)
    closedir(file->dir);
  else if (file->fd >= 0)
    close(file->fd);
  file->dir = NULL;
  file->fd = -1;
}

void lull__release_file(lull_file *file) {
  if (--file->refs > 0) return;
  close_now(file);
  free(file->kept);
  free(file);
}

/* Something has stopped to use the file: the next operation has its turn. */
void lull__file_unused(lull_file *file) {
  if (file->held || file->working) return;
  if (file->doomed) close_now(file);
  if (lull__list_empty(&file->waiters)) return;
  lull_link *link = lull__container(file->waiters.next, lull_link, node);
  lull__list_remove(&link->node);
  file->held = 1;
  lull__wake(file->rt, lull__container(link, lull_task, link));
}

static void leave(lull_file *file) {
  file->held = 0;
  lull__file_unused(file);
}

static void give_back(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  leave(task->subject);
}

static const lull_wait turn_wait = {"a file", lull__cancel_listed, give_back};

static int entered(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  lua_settop(L, 1);
  return 1;
}

/* enter(file) -> file, once it is the caller's turn; closing that value ends the turn. */
static int file_enter(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  lull_task *task = lull__require_task(L, rt);
  lua_settop(L, 1);
  if (!file->held && !file->working && lull__list_empty(&file->waiters)) {
    file->held = 1;
    return 1;
  }
  lull__wait_in(task, &file->waiters);
  return lull__suspend(L, rt, &turn_wait, file, entered, (lua_KContext)rt);
}

static int file_leave(lua_State *L) {
  leave(lull__check_file(L, 1));
  return 0;
}

/* discard(file): closes it as soon as nothing uses it, without waiting for that. Who waits for
 * something to read or for room to write is woken. */
static int file_discard(lua_State *L) {
  lull_file *file = lull__check_file(L, 1);
  file->doomed = 1;
  if (file->poll != NULL) {
    lull__end_poll(file);
    close_now(file);
  }
  lull__file_unused(file);
  return 0;
}

static void run_close(lull_job *job) {
  if (close(job->fd) < 0 && errno != EINTR) lull__job_failed(job, "close");
}

/* close(file): in the caller's turn. It happens even if nobody waits for it. */
static int file_close(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_file *file = lull__check_file(L, 1);
  lull_job *job = lull__new_job(L, rt, sizeof *job, run_close, lull__push_nothing);
  if (file->fd < 0) return lull__push_errno(L, EBADF, "close");
  job->request.stop = NULL;
  lull__job_uses(job, file);
  file->fd = -1;
  return lull__run_job(L, rt, job);
}

static int file_gc(lua_State *L) {
  lull_file **owner = lua_touserdata(L, 1);
  if (*owner != NULL) lull__release_file(*owner);
  *owner = NULL;
  return 0;
}

/* ---- what a job has opened ---- */

/* Pushes the descriptor that a job has opened and looked at as a file. */
int lull__push_opened(lua_State *L, lull_job *job) {
  lull_file *file = lull__new_file(L, job->request.rt);
  file->fd = job->fd;
  job->fd = -1;
  file->is_seekable = job->is_seekable;
  file->is_stream = job->is_stream;
  file->is_fresh = S_ISFIFO(job->st.st_mode);
  file->appends = (job->flags & O_APPEND) != 0;
  if (file->appends && (job->flags & O_ACCMODE) == O_WRONLY) file->pos = job->st.st_size;
  return 1;
}

void lull__lose_opened(lull_job *job) {
  if (job->fd >= 0) close(job->fd);
}

static const luaL_Reg meta[] = {{"__gc", file_gc}, {"__close", file_leave}, {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"enter", file_enter}, {"close", file_close}, {"discard", file_discard}, {NULL, NULL}};

void lull__open_file(lua_State *L, lull_t *rt) {
  luaL_newmetatable(L, type_name);
  luaL_setfuncs(L, meta, 0);
  lua_pop(L, 1);
  lull__setfuncs(L, rt, functions);
}
