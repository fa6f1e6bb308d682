/* memory_limit: wherever memory runs out there is an error or a success, never a crash. */
#include "check.h"

static const char script[] =
    "local lull = require 'lull'\n"
    "local async, await = lull.async, lull.await\n"
    "local fail = async(function() await(lull.sleep(0)) error('expected') end)\n"
    "local work = async(function(n)\n"
    "  local _ <close> = setmetatable({}, {__close = function() await(lull.sleep(0)) end})\n"
    "  if n > 0 then await(lull.sleep(0.0001)) end\n"
    "  return {n}\n"
    "end)\n"
    "for n = 1, 5 do lull.create_task(work(n)) end\n"
    "pcall(await, lull.gather(work(1), fail(), work(2)))\n"
    "await(lull.gather{work(3), fail, return_exceptions = true, limit = 1})\n"
    "local task = lull.create_task(work(4), {name = 'four'})\n"
    "await(lull.sleep(0))\n"
    "task:cancel('no more')\n"
    "pcall(await, task)\n"
    "pcall(await, lull.wait_for(lull.event():wait(), 0.0001))\n"
    "local queue = lull.queue(1)\n"
    "lull.create_task(function() for i = 1, 3 do await(queue:put(i)) end queue:shutdown() end)\n"
    "for _ in queue:iter() do end\n"
    "pcall(function()\n"
    "  local tg <close> = lull.task_group()\n"
    "  tg:create_task(fail) tg:create_task(fail) tg:create_task(work, {name = 'x'})\n"
    "end)\n"
    "coroutine.wrap(function() await(lull.sleep(0)) end)()\n"
    "for task in lull.as_completed({work(1), work(0)}) do await(task) end\n"
    "local kept = work(1)\n"
    "finished = 1\n";

static void ignore(void *data, const char *message) {
  (void)data;
  (void)message;
}

/* Gives 1 if the script came to its end. */
static int attempt(size_t limit, int code_counts[3]) {
  lull_options options;
  lull_options_init(&options);
  options.memory_limit = limit;
  options.warn = ignore;
  lull_t *lull;
  int status = lull_new(&lull, &options);
  if (status < 0) {
    CHECK(status == UV_ENOMEM);
    CHECK(lull == NULL);
    code_counts[0]++;
    return 0;
  }
  status = run(lull, script);
  if (status < 0) CHECK(status == UV_ENOMEM || status == LULL_ESCRIPT || status == LULL_EDEADLOCK);
  code_counts[status < 0 ? 1 : 2]++;
  lull_close(lull);
  return status == 0;
}

/* A runaway script is stopped, and the runtime goes on. */
static void outlives_a_greedy_script(void) {
  lull_options options;
  lull_options_init(&options);
  options.memory_limit = 4 << 20;
  options.warn = ignore;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(run(lull, "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end") < 0);
    CHECK_HAS(lull_error(lull), "not enough memory");
    CHECK(run(lull, "local lull = require 'lull'\n"
                    "local t = {}\n"
                    "while true do\n"
                    "  t[#t + 1] = lull.create_task(function() lull.await(lull.sleep(60)) end)\n"
                    "  if #t % 100 == 0 then lull.await(lull.sleep(0)) end\n"
                    "end") < 0);
  }
  run_ok(lull, "local lull = require 'lull' lull.await(lull.sleep(0)) x = 1");
  CHECK(global(lull, "x") == 1);
  lull_close(lull);
}

int main(int argc, char **argv) {
  size_t step = argc > 1 ? strtoul(argv[1], NULL, 10) : 48;
  size_t limit = 1024;
  int counts[3] = {0}, successes = 0;
  while (successes < 20) {
    successes = attempt(limit, counts) ? successes + 1 : 0;
    limit += step;
    CHECK(limit < 16 << 20);
  }
  CHECK(counts[0] > 0 && counts[1] > 0);
  outlives_a_greedy_script();
  return 0;
}
