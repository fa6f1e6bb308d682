/* What jobs do with descriptors, on the pool: open, read to the end, write everything. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "fs.h"

#define PIECE ((size_t)4 << 20) /* bytes between two looks at whether to stop */

static int is_fifo(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* Opens the job's path with its flags. What would have to wait, for a FIFO's reader or for a lease,
 * gives EAGAIN. */
int lull__open_descriptor(lull_job *job) {
  int flags = job->flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  job->fd = open(job->path, flags, (mode_t)job->mode);
  if (job->fd >= 0) return 0;
  lull__job_failed(job, "open");
  if (job->error == ENXIO && is_fifo(job->path)) job->error = EAGAIN;
  return -1;
}

/* Whether the loop can wait for it. */
static int can_be_polled(int fd) {
#ifdef __linux__
  struct epoll_event none = {0};
  int poller = epoll_create1(EPOLL_CLOEXEC);
  int can = poller >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &none) == 0;
  if (poller >= 0) close(poller);
  return can;
#else
  return isatty(fd);
#endif
}

/* Finds out how what was opened and looked at is to be read. What is not polled waits in each call.
 */
void lull__classify_opened(lull_job *job) {
  mode_t mode = job->st.st_mode;
  if (S_ISDIR(mode)) return;
  job->is_seekable = (S_ISREG(mode) || S_ISBLK(mode)) && lseek(job->fd, 0, SEEK_CUR) >= 0;
  job->is_stream = S_ISFIFO(mode) || S_ISSOCK(mode) || (S_ISCHR(mode) && can_be_polled(job->fd));
  if (!job->is_seekable && !job->is_stream)
    fcntl(job->fd, F_SETFL, fcntl(job->fd, F_GETFL) & ~O_NONBLOCK);
}

/* Looks at what was opened; 1 if it is a plain file. Anything else will be left open. */
int lull__look_at_opened(lull_job *job) {
  if (fstat(job->fd, &job->st) < 0) {
    lull__job_failed(job, "open");
    lull__close_descriptor(job);
    return -1;
  }
  if (S_ISREG(job->st.st_mode)) return 1;
  lull__classify_opened(job);
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

/* Reads the rest of a file into the job's data. A file that tells its size has ended when less
 * comes than was asked for. */
void lull__slurp(lull_job *job, int64_t pos) {
  int64_t begin = pos < 0 ? 0 : pos;
  size_t rest = job->st.st_size > begin ? (size_t)(job->st.st_size - begin) : 0;
  size_t room = rest + 1, wanted;
  ssize_t n;
  job->size = 0;
  do {
    if (lull__job_room(job, room) < 0) {
      lull__job_failed(job, "read");
      return;
    }
    wanted = job->room - job->size < PIECE ? job->room - job->size : PIECE;
    n = lull__read_descriptor(job, job->data + job->size, wanted,
                              pos < 0 ? -1 : pos + (int64_t)job->size);
    if (n > 0) job->size += (size_t)n;
    if (job->size == job->room) room = 2 * job->room;
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
