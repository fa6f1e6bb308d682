/* The limit of the row of calls on another thread: round trips to libuv's pool, in C, one after the
 * other. Call: threads thread [SIZE] */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

enum { TRIPS = 50000 };

static int trips, done;
static long argument, result;

static void work(uv_work_t *request) {
  (void)request;
  result = argument;
}

static void after(uv_work_t *request, int status) {
  if (status < 0 || result != argument) exit(1);
  argument++;
  if (++done < trips) uv_queue_work(request->loop, request, work, after);
}

static int run(int n) {
  uv_work_t request;
  trips = n;
  done = 0;
  uv_queue_work(uv_default_loop(), &request, work, after);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return n;
}

static double now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  double size = argc > 2 ? atof(argv[2]) : 1;
  if (argc < 2 || strcmp(argv[1], "thread") != 0 || size <= 0) {
    fprintf(stderr, "usage: threads thread [SIZE]\n");
    return 1;
  }
  int n = (int)(TRIPS * size + 0.5);
  run(n / 10 + 1);
  double wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  int ops = run(n > 0 ? n : 1);
  cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = now_ns(CLOCK_MONOTONIC) - wall;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("workload=thread ops=%d ns_per_op=%.2f wall_ns_per_op=%.2f rss_kb=%ld\n", ops, cpu / ops,
         wall / ops, usage.ru_maxrss);
  return 0;
}
