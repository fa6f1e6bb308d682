/* Starts a program some times, one after the other, and prints how long a launch took: the
 * median wall time and the median CPU time. For the benchmark of start-up, where a shell in
 * between would cost as much as what is measured. */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "launch: %s: %s\n", what, why);
  exit(1);
}

static double wall_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double timeval_ns(struct timeval t) {
  return (double)t.tv_sec * 1e9 + (double)t.tv_usec * 1e3;
}

static void launch(char **argv, double *wall, double *cpu) {
  posix_spawn_file_actions_t actions;
  struct rusage usage;
  double start;
  pid_t pid;
  int status, err;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  start = wall_ns();
  err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
  if (err != 0) fail(argv[0], strerror(err));
  while (wait4(pid, &status, 0, &usage) < 0)
    if (errno != EINTR) fail("wait4", strerror(errno));
  *wall = wall_ns() - start;
  *cpu = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
  posix_spawn_file_actions_destroy(&actions);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(argv[0], "did not end well");
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int n) {
  qsort(values, (size_t)n, sizeof *values, compare);
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int main(int argc, char **argv) {
  double *wall, *cpu;
  int i, n = argc > 2 ? atoi(argv[1]) : 0;
  if (n < 1) fail("usage", "launch COUNT PROGRAM [ARGUMENT ...]");
  wall = calloc((size_t)n, sizeof *wall);
  cpu = calloc((size_t)n, sizeof *cpu);
  if (wall == NULL || cpu == NULL) fail("calloc", strerror(ENOMEM));
  for (i = 0; i < n; i++)
    launch(argv + 2, &wall[i], &cpu[i]);
  printf("workload=startup ops=%d ns_per_op=%.0f wall_ns_per_op=%.0f\n", n, median(cpu, n),
         median(wall, n));
  free(wall);
  free(cpu);
  return 0;
}
