/* A resolver for specs, to be preloaded: it answers names under made-up top domains itself and
 * leaves all others to the C library. The first label of a .late name is a number of milliseconds,
 * that of an .addresses name how many it has, from 127.0.0.1 on.
 * LULL_NAMES names a file to which each name asked for is added, a line each. */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int getaddrinfo_function(const char *, const char *, const struct addrinfo *,
                                 struct addrinfo **);

static getaddrinfo_function *libc_getaddrinfo(void) {
  getaddrinfo_function *function;
  *(void **)&function = dlsym(RTLD_NEXT, "getaddrinfo");
  return function;
}

static int ends_with(const char *name, const char *end) {
  size_t length = strlen(name), end_length = strlen(end);
  return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static void pause_for(double seconds) {
  struct timespec left = {(time_t)seconds, 0};
  left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

static void note(const char *name) {
  const char *path = getenv("LULL_NAMES");
  FILE *file = path != NULL ? fopen(path, "a") : NULL;
  if (file == NULL) return;
  fprintf(file, "%s\n", name);
  fclose(file);
}

/* "Never" has an end, so that a test that waits for it fails instead of hanging. */
static double never(void) {
  const char *seconds = getenv("LULL_NEVER");
  return seconds != NULL ? strtod(seconds, NULL) : 60;
}

static int many(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
  struct addrinfo only = *hints;
  only.ai_family = AF_INET;
  for (int i = 1, count = atoi(name); i <= count; i++) {
    char address[16];
    snprintf(address, sizeof address, "127.0.0.%d", i);
    int error = libc_getaddrinfo()(address, service, &only, result);
    if (error != 0) return error;
    result = &(*result)->ai_next;
  }
  return 0;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result) {
  const char *asked = name;
  int numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
  if (name != NULL && !numeric) {
    note(name);
    if (ends_with(name, ".never")) {
      pause_for(never());
      return EAI_AGAIN;
    }
    if (ends_with(name, ".nowhere")) return EAI_NONAME;
    if (ends_with(name, ".addresses")) return many(name, service, hints, result);
    if (ends_with(name, ".late")) pause_for(strtod(name, NULL) / 1000);
    if (ends_with(name, ".late") || ends_with(name, ".here")) asked = "127.0.0.1";
  }
  return libc_getaddrinfo()(asked, service, hints, result);
}
