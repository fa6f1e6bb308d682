/* Replacing a file as a whole: the new one is made beside it, under a name of its own, and takes
 * its place when it is complete. At any moment the old file or the new one is there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define MAX_LINKS 40             /* as many as the system follows */
#define MAX_NAMES 100            /* attempts to find one that is free */
#define COPIED ((size_t)8 << 20) /* bytes between two looks at whether to stop */
#define BLOCK 65536

typedef struct replacement {
  lull_job job; /* data to write, or a path to copy from; target */
  char *temp;   /* the new file's name, until it has taken its place */
  int keeps_mode;
} replacement;

static int failed(replacement *r) {
  return lull__job_failed(&r->job, "write");
}

/* ---- names ---- */

/* How long the folder's part of a path is, the slash included; 0: it has none. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Follows one link: gives the path it leads to, or NULL, with no error if the path is no link. */
static char *follow(replacement *r, const char *path) {
  char link[PATH_MAX];
  ssize_t n = readlink(path, link, sizeof link);
  if (n < 0) {
    if (errno != EINVAL && errno != ENOENT) failed(r);
    return NULL;
  }
  size_t folder = n > 0 && link[0] == '/' ? 0 : folder_length(path);
  char *found = malloc(folder + (size_t)n + 1);
  if (found == NULL) {
    failed(r);
    return NULL;
  }
  memcpy(found, path, folder);
  memcpy(found + folder, link, (size_t)n);
  found[folder + (size_t)n] = '\0';
  return found;
}

/* Makes of the target what it leads to if it is a link: that is replaced, not the link. */
static int resolve(replacement *r) {
  for (int i = 0; i < MAX_LINKS; i++) {
    char *found = follow(r, r->job.target);
    if (found == NULL) return r->job.error ? -1 : 0;
    free(r->job.target);
    r->job.target = found;
  }
  errno = ELOOP;
  return failed(r);
}

/* Opens a new file in the target's folder. */
static int open_temp(replacement *r, mode_t mode) {
  size_t folder = folder_length(r->job.target), room = folder + sizeof ".lull-0123456789abcdef.tmp";
  char *temp = malloc(room);
  if (temp == NULL) return failed(r);
  memcpy(temp, r->job.target, folder);
  for (int i = 0; i < MAX_NAMES; i++) {
    uint64_t number;
    if (uv_random(NULL, NULL, &number, sizeof number, 0, NULL) < 0) number = uv_hrtime();
    snprintf(temp + folder, room - folder, ".lull-%016llx.tmp", (unsigned long long)number);
    r->job.fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (r->job.fd >= 0) {
      r->temp = temp;
      return 0;
    }
    if (errno != EEXIST) break;
  }
  failed(r);
  free(temp);
  return -1;
}

/* ---- the steps ---- */

/* Gives the new file the owner, as far as that is allowed, and the permissions of the old one. */
static int take_after(replacement *r, const struct stat *old) {
  int error = fchown(r->job.fd, old->st_uid, old->st_gid);
  (void)error; /* only root may give files away */
  return r->keeps_mode && fchmod(r->job.fd, old->st_mode & 07777) < 0 ? failed(r) : 0;
}

/* Opens a file that is to replace the target, which is a plain file or none. */
static int begin(replacement *r) {
  struct stat old;
  r->job.fd = -1;
  if (resolve(r) < 0) return -1;
  int exists = stat(r->job.target, &old) == 0;
  if (!exists && errno != ENOENT) return failed(r);
  if (exists && !S_ISREG(old.st_mode)) {
    errno = S_ISDIR(old.st_mode) ? EISDIR : EINVAL;
    return failed(r);
  }
  if (open_temp(r, exists && r->keeps_mode ? 0600 : (mode_t)r->job.mode) < 0) return -1;
  return exists ? take_after(r, &old) : 0;
}

/* The folder's own entry is on the disk, too. Not every system can, or lets one, say so. */
static int sync_folder(replacement *r) {
  size_t folder = folder_length(r->job.target);
  char *path = folder ? strndup(r->job.target, folder) : strdup(".");
  int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  free(path);
  if (fd < 0) return 0;
  int error = fsync(fd) < 0 && errno == EIO ? failed(r) : 0;
  close(fd);
  return error;
}

/* Puts the new file in its place, or removes it if anything was wrong or nobody waits. */
static void end(replacement *r, int durable) {
  lull_job *job = &r->job;
  if (job->fd >= 0) {
    if (durable && !job->error && !lull__job_stopped(job) && fsync(job->fd) < 0) failed(r);
    lull__close_descriptor(job);
  }
  if (r->temp == NULL) return;
  if (lull__job_stopped(job) && !job->error) job->error = ECANCELED;
  if (!job->error && rename(r->temp, job->target) < 0) failed(r);
  if (job->error)
    unlink(r->temp);
  else if (durable)
    sync_folder(r);
  free(r->temp);
  r->temp = NULL;
}

/* ---- writing ---- */

static void run_write(lull_job *job) {
  replacement *r = (replacement *)job;
  if (begin(r) == 0) lull__write_all(job, -1);
  end(r, 1);
}

/* write_atomic(path, data, permissions, keep): keep the permissions of the file there was */
static int write_atomic(lua_State *L) {
  lull_t *rt = lull__rt(L);
  replacement *r = lull__new_job(L, rt, sizeof *r, run_write, lull__push_nothing);
  r->job.target = lull__job_string(L, 1);
  lull__job_copy(L, &r->job, 2);
  r->job.mode = (int)luaL_checkinteger(L, 3);
  r->keeps_mode = lua_toboolean(L, 4);
  return lull__run_job(L, rt, &r->job);
}

/* ---- copying ---- */

/* Lets the system copy what it can; what is left is read and written. */
static void copy_inside(replacement *r, int from) {
#ifdef __linux__
  while (!lull__job_stopped(&r->job) && copy_file_range(from, NULL, r->job.fd, NULL, COPIED, 0) > 0)
    continue;
#else
  (void)r, (void)from;
#endif
}

static int copy_rest(replacement *r, int from) {
  char block[BLOCK];
  while (!lull__job_stopped(&r->job)) {
    ssize_t n = read(from, block, sizeof block);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return lull__job_failed(&r->job, "read");
    for (ssize_t done = 0, written; done<n; done += written> 0 ? written : 0) {
      written = write(r->job.fd, block + done, (size_t)(n - done));
      if (written < 0 && errno != EINTR) return failed(r);
    }
  }
  return 0;
}

static void run_copy(lull_job *job) {
  replacement *r = (replacement *)job;
  job->flags = O_RDONLY;
  if (lull__open_descriptor(job) < 0) return;
  int is_plain = lull__look_at_opened(job);
  if (is_plain < 0) return;
  int from = job->fd;
  job->fd = -1;
  job->mode = 0600;
  if (!is_plain) {
    errno = S_ISDIR(job->st.st_mode) ? EISDIR : EINVAL;
    lull__job_failed(job, "read");
  } else if (begin(r) == 0 && fchmod(job->fd, job->st.st_mode & 0777) == 0) {
    copy_inside(r, from);
    copy_rest(r, from);
  } else if (!job->error) {
    failed(r);
  }
  close(from);
  end(r, 0);
}

/* copy(from, to) */
static int copy(lua_State *L) {
  lull_t *rt = lull__rt(L);
  replacement *r = lull__new_path_job(L, rt, sizeof *r, run_copy, lull__push_nothing);
  r->job.target = lull__job_string(L, 2);
  return lull__run_job(L, rt, &r->job);
}

static const luaL_Reg functions[] = {{"write_atomic", write_atomic}, {"copy", copy}, {NULL, NULL}};

void lull__open_replace(lua_State *L, lull_t *rt) {
  lull__setfuncs(L, rt, functions);
}
