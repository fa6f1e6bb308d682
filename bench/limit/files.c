/* The limit of the row of files: the same system calls on libuv's pool, in C. A file is written in
 * one piece of work and read back in another; 64 are under way at a time.
 * Call: files files [SIZE], with an empty folder in BENCH_DIR. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { FILES = 1000, ROUNDS = 10, AT_ONCE = 64, BYTES = 4096 };

typedef struct job {
  uv_work_t work;
  char path[256];
  char *contents; /* used again for the next file */
  size_t size, room;
} job;

static const char *folder;
static char data[BYTES];
static int files, round_number, next;

static void fail(const char *what) {
  fprintf(stderr, "files: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void write_file(uv_work_t *work) {
  job *j = (job *)work;
  int fd = open(j->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, data, BYTES) != BYTES || close(fd) < 0) fail(j->path);
}

static void read_file(uv_work_t *work) {
  job *j = (job *)work;
  struct stat st;
  int fd = open(j->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0) fail(j->path);
  if (j->room <= (size_t)st.st_size) {
    j->room = (size_t)st.st_size + 1;
    j->contents = realloc(j->contents, j->room);
    if (j->contents == NULL) fail(j->path);
  }
  ssize_t n = read(fd, j->contents, j->room);
  if (n < 0) fail(j->path);
  j->size = (size_t)n;
  close(fd);
}

static void start(job *j);

static void on_read(uv_work_t *work, int status) {
  job *j = (job *)work;
  if (status < 0 || j->size != BYTES) fail(j->path);
  start(j);
}

static void on_written(uv_work_t *work, int status) {
  if (status < 0) fail(((job *)work)->path);
  uv_queue_work(work->loop, work, read_file, on_read);
}

static void start(job *j) {
  if (next == files) return;
  snprintf(j->path, sizeof j->path, "%s/%d/%d", folder, round_number, ++next);
  uv_queue_work(uv_default_loop(), &j->work, write_file, on_written);
}

static int run(int rounds) {
  static job jobs[AT_ONCE];
  char path[256];
  for (int i = 0; i < rounds; i++) {
    snprintf(path, sizeof path, "%s/%d", folder, ++round_number);
    if (mkdir(path, 0777) < 0) fail(path);
    next = 0;
    for (int k = 0; k < AT_ONCE; k++)
      start(&jobs[k]);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  }
  return rounds * files;
}

static double now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  double size = argc > 2 ? atof(argv[2]) : 1;
  folder = getenv("BENCH_DIR");
  if (argc < 2 || strcmp(argv[1], "files") != 0 || size <= 0 || folder == NULL) {
    fprintf(stderr, "usage: BENCH_DIR=FOLDER files files [SIZE]\n");
    return 1;
  }
  files = (int)(FILES * size + 0.5);
  if (files < 1) files = 1;
  memset(data, 'x', BYTES);
  run(ROUNDS / 10);
  double wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  int ops = run(ROUNDS);
  cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = now_ns(CLOCK_MONOTONIC) - wall;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("workload=files ops=%d ns_per_op=%.2f wall_ns_per_op=%.2f rss_kb=%ld\n", ops, cpu / ops,
         wall / ops, usage.ru_maxrss);
  return 0;
}
