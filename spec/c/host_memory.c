/* A state of the host's whose allocator fails now and then: there are errors, never a crash, and
 * every handle is given back. */
#include "check.h"

typedef struct account {
  size_t calls, fail_from, fail_until; /* numbers of the calls that fail */
} account;

static void *allocate(void *data, void *ptr, size_t osize, size_t nsize) {
  account *self = data;
  if (nsize == 0) {
    free(ptr);
    return NULL;
  }
  if (ptr == NULL || nsize > osize) {
    self->calls++;
    if (self->calls >= self->fail_from && self->calls < self->fail_until) return NULL;
  }
  return realloc(ptr, nsize);
}

static const char script[] =
    "local lull = require 'lull'\n"
    "local async, await = lull.async, lull.await\n"
    "local fail = async(function() await(lull.sleep(0)) error('expected') end)\n"
    "local work = async(function(n) await(lull.sleep(0.0001)) return n, n end)\n"
    "for n = 1, 3 do lull.create_task(work(n)) end\n"
    "pcall(await, lull.gather(work(1), fail(), work(2)))\n"
    "await(lull.gather{work(3), fail, work(1), return_exceptions = true, limit = 1})\n"
    "local task = lull.create_task(work(4))\n"
    "task:add_done_callback(print)\n"
    "await(lull.sleep(0))\n"
    "task:cancel('no more')\n"
    "pcall(await, task)\n"
    "local queue = lull.queue(1)\n"
    "lull.create_task(function() for i = 1, 3 do await(queue:put(i)) end queue:shutdown() end)\n"
    "for _ in queue:iter() do end\n"
    "pcall(function()\n"
    "  local tg <close> = lull.task_group()\n"
    "  tg:create_task(fail) tg:create_task(work)\n"
    "end)\n"
    "coroutine.wrap(function() await(lull.sleep(0)) end)()\n";

static void ignore(void *data, const char *message) {
  (void)data;
  (void)message;
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Gives the number of allocations there were. */
static size_t attempt(size_t fail_from, size_t failures) {
  account calls = {0, SIZE_MAX, SIZE_MAX};
  lua_State *L = lua_newstate(allocate, &calls);
  CHECK(L != NULL);
  luaL_openlibs(L);
  lua_register(L, "print", nothing);
  uv_loop_t loop;
  uv_loop_init(&loop);
  lull_options options;
  lull_options_init(&options);
  options.state = L;
  options.loop = &loop;
  options.warn = ignore;
  calls.calls = 0;
  calls.fail_from = fail_from;
  calls.fail_until = fail_from + failures;
  lull_t *lull;
  int status = lull_new(&lull, &options);
  if (status == 0) {
    run(lull, script);
    lull_close(lull);
  } else {
    CHECK(status == UV_ENOMEM && lull == NULL);
  }
  calls.fail_from = SIZE_MAX;
  CHECK(uv_loop_close(&loop) == 0);
  lua_close(L);
  return calls.calls;
}

int main(void) {
  size_t calls = attempt(SIZE_MAX / 2, 0);
  CHECK(calls > 500);
  for (size_t n = 1; n < calls; n++) {
    attempt(n, 2); /* the collector runs after the first failure, and the call is repeated */
    attempt(n, 50);
  }
  return 0;
}
