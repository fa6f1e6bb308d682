/* lull_interrupt from a timer of the loop's, a signal handler and another thread. Scripts call
 * interrupt_soon() when they are ready for it. */
#include <signal.h>
#include <unistd.h>

#include "check.h"

static lull_t *target;
static uv_timer_t timer;
static uv_thread_t thread;

static const char wait_and_clean[] = "local lull = require 'lull'\n"
                                     "cleaned = 0\n"
                                     "local _ <close> = setmetatable({}, {__close = function()\n"
                                     "  lull.await(lull.sleep(0.001)) cleaned = cleaned + 1\n"
                                     "end})\n"
                                     "interrupt_soon()\n"
                                     "lull.await(lull.sleep(60))\n";

/* Not with a sanitizer that holds signals back until the next system call. */
#ifndef __SANITIZE_THREAD__
static const char spin_and_clean[] = "local lull = require 'lull'\n"
                                     "cleaned = 0\n"
                                     "local _ <close> = setmetatable({}, {__close = function()\n"
                                     "  lull.await(lull.sleep(0.001)) cleaned = cleaned + 1\n"
                                     "end})\n"
                                     "interrupt_soon()\n"
                                     "while true do end\n";

static const char spin_in_coroutines[] =
    "local spin = coroutine.wrap(function() while true do end end)\n"
    "interrupt_soon()\n"
    "for _ = 1, 1e5 do coroutine.wrap(function() end)() end\n"
    "spin()\n";
#endif

static void is_interrupted(const char *script, lua_CFunction interrupt_soon) {
  lua_register(lull_state(target), "interrupt_soon", interrupt_soon);
  CHECK(run(target, script) == LULL_EINTERRUPTED);
  CHECK_HAS(lull_error(target), "CancelledError: interrupted");
}

static void on_time(uv_timer_t *handle) {
  (void)handle;
  lull_interrupt(target);
}

static int start_timer(lua_State *L) {
  (void)L;
  uv_timer_start(&timer, on_time, 2, 0);
  return 0;
}

static void from_the_loop(void) {
  uv_timer_init(lull_loop(target), &timer);
  is_interrupted(wait_and_clean, start_timer);
  CHECK(global(target, "cleaned") == 1);
  uv_close((uv_handle_t *)&timer, NULL);
  run_ok(target, "require('lull').await(require('lull').sleep(0))");
}

static void on_alarm(int signum) {
  (void)signum;
  lull_interrupt(target); /* made for signal handlers: NOLINT(bugprone-signal-handler) */
}

static int set_alarm(lua_State *L) {
  (void)L;
  ualarm(5000, 0);
  return 0;
}

static void from_a_signal_handler(void) {
  signal(SIGALRM, on_alarm);
  is_interrupted(wait_and_clean, set_alarm);
  CHECK(global(target, "cleaned") == 1);
#ifndef __SANITIZE_THREAD__
  is_interrupted(spin_and_clean, set_alarm); /* it never comes back to the loop */
  CHECK(global(target, "cleaned") == 1);
  is_interrupted(spin_in_coroutines, set_alarm);
#endif
  signal(SIGALRM, SIG_DFL);
}

static void interrupt_later(void *data) {
  uv_sleep(5);
  lull_interrupt(data);
}

static int start_thread(lua_State *L) {
  (void)L;
  CHECK(uv_thread_create(&thread, interrupt_later, target) == 0);
  return 0;
}

static void from_another_thread(void) {
  is_interrupted(wait_and_clean, start_thread);
  CHECK(global(target, "cleaned") == 1);
  uv_thread_join(&thread);
}

/* Asked for while nothing runs, it strikes what runs next. */
static void before_the_script(void) {
  lull_interrupt(target);
  CHECK(run(target, "reached = 1") == LULL_EINTERRUPTED);
  CHECK(global(target, "reached") == 0);
  run_ok(target, "reached = 1");
}

int main(void) {
  target = new_default();
  from_the_loop();
  from_a_signal_handler();
  from_another_thread();
  before_the_script();
  run_ok(target, "assert(debug.gethook() == nil)");
  lull_close(target);
  return 0;
}
