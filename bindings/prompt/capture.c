/* Standard output and standard error while a line is edited on the terminal that they are: a pipe
 * leads them to the editor's thread, which shows above the line what comes, whoever wrote it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prompt.h"

static int is_same_terminal(int a, int b) {
  struct stat at_a, at_b;
  return isatty(a) && fstat(a, &at_a) == 0 && fstat(b, &at_b) == 0 && at_a.st_rdev == at_b.st_rdev;
}

int prompt_capture_init(prompt_editor *e) {
  prompt_capture *capture = &e->capture;
  if (pipe2(capture->pipe, O_CLOEXEC) < 0) return -errno;
  fcntl(capture->pipe[0], F_SETFL, O_NONBLOCK);
  for (int fd = 1; fd <= 2; fd++)
    if (is_same_terminal(fd, e->out)) capture->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return 0;
}

void prompt_capture_begin(prompt_editor *e) {
  for (int fd = 1; fd <= 2; fd++)
    if (e->capture.saved[fd] >= 0) dup2(e->capture.pipe[1], fd);
  e->capture.active = 1;
}

void prompt_capture_end(prompt_editor *e) {
  for (int fd = 1; fd <= 2; fd++)
    if (e->capture.saved[fd] >= 0) dup2(e->capture.saved[fd], fd);
  prompt_capture_read(e);
  e->capture.active = 0;
}

/* Shows what has come. After the line was ended, a process that was started meanwhile may still
 * write into the pipe. */
void prompt_capture_read(prompt_editor *e) {
  char bytes[16384];
  for (int i = 0; i < 16; i++) { /* keys shall not wait for a flood to end */
    ssize_t n = read(e->capture.pipe[0], bytes, sizeof bytes);
    if (n <= 0) return;
    if (e->capture.active)
      prompt_show(e, bytes, (size_t)n);
    else
      prompt_write(e->out, bytes, (size_t)n);
  }
}

void prompt_capture_close(prompt_editor *e) {
  for (int i = 0; i < 2; i++)
    if (e->capture.pipe[i] >= 0) close(e->capture.pipe[i]);
  for (int fd = 1; fd <= 2; fd++)
    if (e->capture.saved[fd] >= 0) close(e->capture.saved[fd]);
}
