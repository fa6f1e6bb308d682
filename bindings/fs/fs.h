/* What the files of lull.fs share: jobs, which are work for libuv's pool, and open files. A
 * function that Lua calls gives nil, the error's number and what could not be done when it fails.
 */
#ifndef LULL_FS_H
#define LULL_FS_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "../bindings.h"

typedef struct lull_job lull_job;

/* An open file, directory or watch: the userdata and every job that uses it count it. One
 * operation has its turn at a time; the next one begins when neither it nor a job it has left
 * behind uses the file any more. Only the loop's thread uses this struct. */
typedef struct lull_file {
  lull_t *rt;
  int fd; /* -1: closed */
  int refs;
  uint8_t held;    /* an operation has its turn */
  uint8_t working; /* a job or a poll uses the descriptor */
  uint8_t doomed;  /* to be closed as soon as neither does */
  uint8_t is_seekable, is_stream, appends;
  uint8_t is_fresh; /* a FIFO nobody may have written to yet */
  int64_t pos;      /* of the next byte to read or write, if it is seekable */
  lull_node waiters;
  struct lull_fs_poll *poll; /* waits for the descriptor, or NULL */
  void *dir;                 /* a directory's stream, or NULL */
  char *kept;                /* bytes that were read for somebody who was cancelled meanwhile */
  size_t nkept;
} lull_file;

/* Some system calls, made on the pool while a task waits. A larger struct may start with it. All
 * that it works on is its own: Lua's memory may be gone before it ends. */
struct lull_job {
  lull_request request;
  uv_work_t work;
  void (*run)(lull_job *);                        /* on the pool; sets error */
  int (*push)(lua_State *L, lull_job *job);       /* pushes the results of one that succeeded */
  int (*push_error)(lua_State *L, lull_job *job); /* of one that failed */
  void (*lose)(lull_job *);                       /* NULL, or: nobody took the results */
  lull_file *file;                                /* whose turn it uses, or NULL */
  int fd;                                         /* what it works on, or -1 */
  int error;                                      /* errno, or 0 */
  const char *what;                               /* could not be done: "open", "read", ... */
  atomic_int stopped;                             /* nobody waits for it: it ends when it can */
  char *path;                                     /* in the same piece of memory */
  char *target, *data;                            /* freed with it */
  size_t room;                                    /* for data */
  size_t size;                                    /* of the data */
  int flags, mode;
  int64_t pos; /* where the file's position is then, or -1: where it was */
  struct stat st;
  uint8_t is_seekable, is_stream; /* of what it has opened */
};

/* job.c */
void *lull__new_job(lua_State *L, lull_t *rt, size_t size, void (*run)(lull_job *),
                    int (*push)(lua_State *, lull_job *));
void *lull__new_path_job(lua_State *L, lull_t *rt, size_t size, void (*run)(lull_job *),
                         int (*push)(lua_State *, lull_job *));
char *lull__job_string(lua_State *L, int index);
void lull__job_copy(lua_State *L, lull_job *job, int index);
int lull__job_room(lull_job *job, size_t size);
void lull__job_uses(lull_job *job, lull_file *file);
int lull__run_job(lua_State *L, lull_t *rt, lull_job *job);
int lull__push_nothing(lua_State *L, lull_job *job);
int lull__push_data(lua_State *L, lull_job *job);
int lull__job_failed(lull_job *job, const char *what);
int lull__push_errno(lua_State *L, int error, const char *what);

/* file.c */
lull_file *lull__new_file(lua_State *L, lull_t *rt);
lull_file *lull__check_file(lua_State *L, int index);
int lull__push_opened(lua_State *L, lull_job *job);
void lull__lose_opened(lull_job *job);
void lull__release_file(lull_file *file);
void lull__file_unused(lull_file *file);
void lull__open_file(lua_State *L, lull_t *rt);

/* poll.c */
int lull__await_fd(lua_State *L, lull_t *rt, lull_file *file, int events, lua_KFunction k);
void lull__end_poll(lull_file *file);

/* stream.c */
int lull__read_stream(lua_State *L, lull_t *rt, lull_file *file);
int lull__write_stream(lua_State *L, lull_t *rt, lull_file *file);

/* descriptor.c: on the pool */
int lull__open_descriptor(lull_job *job);
int lull__look_at_opened(lull_job *job);
void lull__classify_opened(lull_job *job);
void lull__close_descriptor(lull_job *job);
ssize_t lull__read_descriptor(lull_job *job, char *bytes, size_t size, int64_t pos);
void lull__slurp(lull_job *job, int64_t pos);
void lull__write_all(lull_job *job, int64_t pos);
static inline int lull__job_stopped(lull_job *job) {
  return atomic_load_explicit(&job->stopped, memory_order_relaxed);
}

/* path.c */
const char *lull__type_name(mode_t mode);

/* The functions each file gives to the table on top. */
void lull__open_io(lua_State *L, lull_t *rt);
void lull__open_dir(lua_State *L, lull_t *rt);
void lull__open_path(lua_State *L, lull_t *rt);
void lull__open_replace(lua_State *L, lull_t *rt);
void lull__open_tree(lua_State *L, lull_t *rt);
void lull__open_watch(lua_State *L, lull_t *rt);
void lull__open_whole(lua_State *L, lull_t *rt);

#endif
