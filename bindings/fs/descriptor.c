/* What jobs do with descriptors, on the pool: open, read to the end, write everything. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"

#define PIECE ((size_t)4 << 20) /* bytes between two looks at whether to stop */
#define FIRST_ROOM 4096         /* for what does not tell its size, as in /proc */

static int is_fifo(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* Opens the job's path with its flags, and looks at what it is. What would have to wait, for a
 * FIFO's reader or for a lease, gives EAGAIN. */
int lull__open_descriptor(lull_job *job) {
  int flags = job->flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  job->fd = open(job->path, flags, (mode_t)job->mode);
  if (job->fd < 0) {
    lull__job_failed(job, "open");
    if (job->error == ENXIO && is_fifo(job->path)) job->error = EAGAIN;
    return -1;
  }
  if (fstat(job->fd, &job->st) < 0) {
    lull__job_failed(job, "open");
    lull__close_descriptor(job);
    return -1;
  }
  if (S_ISCHR(job->st.st_mode) && !isatty(job->fd))
    fcntl(job->fd, F_SETFL, fcntl(job->fd, F_GETFL) & ~O_NONBLOCK);
  return 0;
}

/* A close that fails is the job's failure, unless it has failed before. */
void lull__close_descriptor(lull_job *job) {
  int error = close(job->fd) < 0 ? errno : 0;
  job->fd = -1;
  if (error == 0 || error == EINTR || job->error) return;
  job->error = error;
  job->what = "close";
}

/* pos -1: where the descriptor is. */
ssize_t lull__read_descriptor(lull_job *job, char *bytes, size_t size, int64_t pos) {
  ssize_t n;
  do
    n = pos < 0 ? read(job->fd, bytes, size) : pread(job->fd, bytes, size, pos);
  while (n < 0 && errno == EINTR);
  if (n < 0) lull__job_failed(job, "read");
  return n;
}

static int grow(lull_job *job, size_t room) {
  char *data = realloc(job->data, room);
  if (data == NULL) return lull__job_failed(job, "read");
  job->data = data;
  return 0;
}

/* Reads the rest of a file into the job's data. A file that tells its size has ended when less
 * comes than was asked for. */
void lull__slurp(lull_job *job, int64_t pos) {
  int64_t begin = pos < 0 ? 0 : pos;
  size_t rest = job->st.st_size > begin ? (size_t)(job->st.st_size - begin) : 0;
  size_t room = rest > 0 ? rest + 1 : FIRST_ROOM, wanted;
  ssize_t n;
  job->size = 0;
  if (grow(job, room) < 0) return;
  do {
    if (job->size == room && grow(job, room *= 2) < 0) return;
    wanted = room - job->size < PIECE ? room - job->size : PIECE;
    n = lull__read_descriptor(job, job->data + job->size, wanted,
                              pos < 0 ? -1 : pos + (int64_t)job->size);
    if (n > 0) job->size += (size_t)n;
  } while (n > 0 && !(rest > 0 && (size_t)n < wanted) && !lull__job_stopped(job));
}

/* Writes the job's data, as long as somebody waits for it; its size is then what was written. */
void lull__write_all(lull_job *job, int64_t pos) {
  size_t done = 0;
  while (done < job->size && !job->error && !lull__job_stopped(job)) {
    size_t left = job->size - done, piece = left < PIECE ? left : PIECE;
    ssize_t n = pos < 0 ? write(job->fd, job->data + done, piece)
                        : pwrite(job->fd, job->data + done, piece, pos + (int64_t)done);
    if (n >= 0)
      done += (size_t)n;
    else if (errno != EINTR)
      lull__job_failed(job, "write");
  }
  job->size = done;
}
