/* A runtime in each of four threads, which share nothing. */
#include "check.h"

#define THREADS 4

#ifdef __SANITIZE_THREAD__
/* libuv closes descriptors behind the sanitizer's back: a number that another thread gets next
 * looks as if it had two owners. */
LULL_API const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
  return "race_top:epoll_create1\nrace_top:eventfd\nrace_top:pipe2\n";
}
#endif

static const char script[] =
    "local lull = require 'lull'\n"
    "local async, await = lull.async, lull.await\n"
    "local queue, sum = lull.queue(3), 0\n"
    "local worker = async(function()\n"
    "  for n in queue:iter() do\n"
    "    sum = sum + n\n"
    "    if n % 10 == 0 then await(lull.sleep(0.0001)) end\n"
    "  end\n"
    "end)\n"
    "local fail = async(function() await(lull.sleep(0)) error('expected') end)\n"
    "local workers = lull.gather(worker(), worker(), worker())\n"
    "for n = 1, 500 do\n"
    "  await(queue:put(n))\n"
    "  if n % 50 == 0 then assert(not pcall(await, fail())) collectgarbage() end\n"
    "end\n"
    "queue:shutdown()\n"
    "await(workers)\n"
    "assert(not pcall(await, lull.wait_for(lull.sleep(60), 0.001)))\n"
    "result = sum\n";

static void live(void *data) {
  double *result = data;
  for (int i = 0; i < 3; i++) {
    lull_t *lull = new_default();
    run_ok(lull, script);
    *result = global(lull, "result");
    lull_close(lull);
  }
}

static void each_has_its_own(void) {
  uv_thread_t threads[THREADS];
  double results[THREADS] = {0};
  for (int i = 0; i < THREADS; i++)
    CHECK(uv_thread_create(&threads[i], live, &results[i]) == 0);
  for (int i = 0; i < THREADS; i++)
    uv_thread_join(&threads[i]);
  for (int i = 0; i < THREADS; i++)
    CHECK(results[i] == 125250);
}

static void wait_long(void *data) {
  CHECK(run(data, "require('lull').await(require('lull').sleep(60))") == LULL_EINTERRUPTED);
}

/* Made here, run there, interrupted from here. */
static void are_interrupted_from_outside(void) {
  uv_thread_t threads[THREADS];
  lull_t *runtimes[THREADS];
  for (int i = 0; i < THREADS; i++) {
    runtimes[i] = new_default();
    CHECK(uv_thread_create(&threads[i], wait_long, runtimes[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++)
    lull_interrupt(runtimes[i]);
  for (int i = 0; i < THREADS; i++) {
    uv_thread_join(&threads[i]);
    lull_close(runtimes[i]);
  }
}

int main(void) {
  each_has_its_own();
  are_interrupted_from_outside();
  return 0;
}
