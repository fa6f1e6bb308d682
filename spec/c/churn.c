/* Runtimes are made and closed 1,000 times, and the process does not grow. */
#include <malloc.h>
#include <unistd.h>

#include "check.h"

#define TIMES 1000
#define WARM_UP 100

static const char script[] =
    "local lull = require 'lull'\n"
    "local await = lull.await\n"
    "local left = lull.async(print)()\n"
    "lull.create_task(function() error('oops') end)\n"
    "lull.create_task(function()\n"
    "  local _ <close> = setmetatable({}, {__close = function() await(lull.sleep(0)) end})\n"
    "  await(lull.event():wait())\n"
    "end)\n"
    "await(lull.gather(lull.sleep(0), lull.sleep(0.0001)))\n";

static void ignore(void *data, const char *message) {
  (void)data;
  (void)message;
}

static size_t open_files(void) {
  size_t n = 0;
  for (int fd = 0; fd < 256; fd++)
    n += lseek(fd, 0, SEEK_CUR) >= 0 || dup2(fd, fd) >= 0;
  return n;
}

/* What malloc has given out: 0 where it is not glibc's, as under a sanitizer. */
static size_t used_memory(void) {
#ifdef __GLIBC__
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

static void once(lull_options *options) {
  lull_t *lull;
  CHECK(lull_new(&lull, options) == 0);
  run_ok(lull, script);
  lull_close(lull);
}

int main(void) {
  lull_options options;
  lull_options_init(&options);
  options.warn = ignore;
  for (int i = 0; i < WARM_UP; i++)
    once(&options);
  size_t memory = used_memory(), files = open_files();
  for (int i = 0; i < TIMES; i++)
    once(&options);
  CHECK(used_memory() <= memory + 1024);
  CHECK(open_files() == files);
  return 0;
}
