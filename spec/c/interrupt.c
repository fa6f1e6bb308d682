/* lull_interrupt from a timer of the loop's, a signal handler and another thread. */
#include <signal.h>
#include <unistd.h>

#include "check.h"

static lull_t *target;

static const char wait_and_clean[] =
    "local lull = require 'lull'\n"
    "cleaned = 0\n"
    "local _ <close> = setmetatable({}, {__close = function()\n"
    "  lull.await(lull.sleep(0.001)) cleaned = cleaned + 1\n"
    "end})\n"
    "lull.await(lull.sleep(60))\n";

static const char spin[] = "local lull = require 'lull'\n"
                           "cleaned = 0\n"
                           "local _ <close> = setmetatable({}, {__close = function()\n"
                           "  lull.await(lull.sleep(0.001)) cleaned = cleaned + 1\n"
                           "end})\n"
                           "while true do end\n";

static void on_time(uv_timer_t *timer) {
  lull_interrupt(timer->data);
}

static void from_the_loop(lull_t *lull) {
  uv_timer_t timer;
  uv_timer_init(lull_loop(lull), &timer);
  timer.data = lull;
  uv_timer_start(&timer, on_time, 2, 0);
  CHECK(run(lull, wait_and_clean) == LULL_EINTERRUPTED);
  CHECK_HAS(lull_error(lull), "CancelledError: interrupted");
  CHECK(global(lull, "cleaned") == 1);
  uv_close((uv_handle_t *)&timer, NULL);
  run_ok(lull, "require('lull').await(require('lull').sleep(0))");
}

static void on_alarm(int signum) {
  (void)signum;
  lull_interrupt(target);
}

static void from_a_signal_handler(lull_t *lull) {
  target = lull;
  signal(SIGALRM, on_alarm);
  ualarm(5000, 0);
  CHECK(run(lull, wait_and_clean) == LULL_EINTERRUPTED);
  CHECK(global(lull, "cleaned") == 1);
  ualarm(5000, 0);
  CHECK(run(lull, spin) == LULL_EINTERRUPTED); /* it never comes back to the loop */
  CHECK(global(lull, "cleaned") == 1);
  ualarm(5000, 0);
  CHECK(run(lull, "local co = coroutine.wrap(function() while true do end end)\n"
                  "for i = 1, 1e5 do coroutine.wrap(function() end)() end\n"
                  "co()") == LULL_EINTERRUPTED);
  signal(SIGALRM, SIG_DFL);
}

static void interrupt_soon(void *data) {
  uv_sleep(5);
  lull_interrupt(data);
}

static void from_another_thread(lull_t *lull) {
  uv_thread_t thread;
  CHECK(uv_thread_create(&thread, interrupt_soon, lull) == 0);
  CHECK(run(lull, wait_and_clean) == LULL_EINTERRUPTED);
  CHECK(global(lull, "cleaned") == 1);
  uv_thread_join(&thread);
}

/* Asked for while nothing runs, it strikes what runs next. */
static void before_the_script(lull_t *lull) {
  lull_interrupt(lull);
  CHECK(run(lull, "reached = 1") == LULL_EINTERRUPTED);
  CHECK(global(lull, "reached") == 0);
  run_ok(lull, "reached = 1");
}

int main(void) {
  lull_t *lull = new_default();
  from_the_loop(lull);
  from_a_signal_handler(lull);
  from_another_thread(lull);
  before_the_script(lull);
  run_ok(lull, "assert(debug.gethook() == nil)");
  lull_close(lull);
  return 0;
}
