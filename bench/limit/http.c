/* The limit of the HTTP client's row: the same requests over libcurl's multi interface, driven by
 * libuv, in C. Call: http http [SIZE] [tuned], with the server's URL in BENCH_URL.
 *
 * It does what makes libcurl cheap. A connection's poll handle stays where it is when libcurl looks
 * away between two requests, and goes with its socket; the easy handles are used again, as they
 * are; and there is room for all connections to be kept. `tuned` spares libcurl two things more
 * that it does for each request: it parses the URL and writes it anew, and it asks the environment
 * for proxies. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <uv.h>

enum { TRANSFERS = 100, REQUESTS = 10000, DESCRIPTORS = 4096, BODY = 100 };

typedef struct poll_handle {
  uv_poll_t uv;
  int fd;
  int wanted, armed; /* events: what libcurl wants, what libuv waits for */
} poll_handle;

typedef struct transfer {
  CURL *easy;
  size_t size;
  char body[BODY];
} transfer;

static uv_loop_t *loop;
static uv_timer_t timer;
static CURLM *multi;
static poll_handle *polls[DESCRIPTORS];
static transfer transfers[TRANSFERS];
static char expected[BODY];
static int to_start, running;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "http: %s: %s\n", what, why);
  exit(1);
}

static void check(CURLMcode code) {
  if (code != CURLM_OK) fail("libcurl", curl_multi_strerror(code));
}

/* ---- transfers ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
  transfer *t = data;
  size *= count;
  if (size > BODY - t->size) return 0;
  memcpy(t->body + t->size, bytes, size);
  t->size += size;
  return size;
}

static void check_response(const transfer *t, CURLcode result) {
  long status = 0;
  if (result != CURLE_OK) fail("a request", curl_easy_strerror(result));
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 || t->size != BODY || memcmp(t->body, expected, BODY) != 0)
    fail("a request", "not the response there should be");
}

static void start(transfer *t) {
  t->size = 0;
  to_start--;
  check(curl_multi_add_handle(multi, t->easy));
}

/* Checks the transfers that have ended and starts as many others. */
static void next_transfers(void) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    CURLcode result = message->data.result;
    transfer *t;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
    check_response(t, result);
    check(curl_multi_remove_handle(multi, t->easy));
    if (to_start > 0) start(t);
  }
}

/* ---- sockets ---- */

static void on_closed(uv_handle_t *handle) {
  free(handle->data);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
  poll_handle *poll = handle->data;
  int flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (poll->wanted == 0) { /* the server closes an idle connection */
    uv_poll_stop(handle);
    poll->armed = 0;
    return;
  }
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  check(curl_multi_socket_action(multi, poll->fd, flags, &running));
  next_transfers();
}

static poll_handle *new_poll(int fd) {
  poll_handle *poll = calloc(1, sizeof *poll);
  if (poll == NULL || fd >= DESCRIPTORS) fail("a socket", "no room");
  uv_poll_init(loop, &poll->uv, fd);
  poll->uv.data = poll;
  poll->fd = fd;
  return polls[fd] = poll;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data) {
  poll_handle *poll = polls[fd];
  (void)easy;
  (void)data;
  (void)socket_data;
  if (poll == NULL) poll = new_poll(fd);
  poll->wanted = 0;
  if (what == CURL_POLL_REMOVE) return 0;
  if (what & CURL_POLL_IN) poll->wanted |= UV_READABLE;
  if (what & CURL_POLL_OUT) poll->wanted |= UV_WRITABLE;
  if (poll->wanted == poll->armed) return 0;
  poll->armed = poll->wanted;
  return uv_poll_start(&poll->uv, poll->wanted, on_poll);
}

static int on_close(void *data, curl_socket_t fd) {
  (void)data;
  if (polls[fd] != NULL) uv_close((uv_handle_t *)&polls[fd]->uv, on_closed);
  polls[fd] = NULL;
  return close(fd);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *handle) {
  (void)handle;
  check(curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running));
  next_transfers();
}

static int on_timeout(CURLM *unused, long ms, void *data) {
  (void)unused;
  (void)data;
  return ms < 0 ? uv_timer_stop(&timer) : uv_timer_start(&timer, on_timer, (uint64_t)ms, 0);
}

/* ---- the workload ---- */

static void tune(CURL *easy, const char *url) {
  CURLU *parsed = curl_url();
  if (parsed == NULL || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK)
    fail("curl_url_set", url);
  curl_easy_setopt(easy, CURLOPT_CURLU, parsed);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
}

static void prepare(transfer *t, const char *url, int tuned) {
  t->easy = curl_easy_init();
  if (t->easy == NULL) fail("curl_easy_init", "no memory");
  curl_easy_setopt(t->easy, CURLOPT_URL, url);
  curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  if (tuned) tune(t->easy, url);
}

static void begin(const char *url, int tuned) {
  for (int i = 0; i < BODY; i++)
    expected[i] = (char)('0' + i % 10);
  loop = uv_default_loop();
  uv_timer_init(loop, &timer);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi = curl_multi_init();
  if (multi == NULL) fail("curl_multi_init", "no memory");
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)TRANSFERS);
  for (int i = 0; i < TRANSFERS; i++)
    prepare(&transfers[i], url, tuned);
}

static void run(int requests) {
  to_start = requests;
  for (int i = 0; i < TRANSFERS && to_start > 0; i++)
    start(&transfers[i]);
  do
    uv_run(loop, UV_RUN_ONCE);
  while (running > 0 || to_start > 0);
}

static double ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static long peak_kb(void) {
  char line[256];
  long peak = 0;
  FILE *file = fopen("/proc/self/status", "r");
  if (file == NULL) fail("/proc/self/status", "cannot be read");
  while (fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "VmHWM: %ld", &peak) == 1) break;
  fclose(file);
  return peak;
}

int main(int argc, char **argv) {
  const char *url = getenv("BENCH_URL");
  double size = argc > 2 ? atof(argv[2]) : 1, cpu, wall;
  int requests = (int)(REQUESTS * size + 0.5);
  if (argc < 2 || strcmp(argv[1], "http") != 0 || requests < 10 || url == NULL)
    fail("usage", "http http [SIZE] [tuned], with a URL in BENCH_URL");
  begin(url, argc > 3 && strcmp(argv[3], "tuned") == 0);
  run(requests / 10);
  wall = ns(CLOCK_MONOTONIC);
  cpu = ns(CLOCK_PROCESS_CPUTIME_ID);
  run(requests);
  cpu = ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = ns(CLOCK_MONOTONIC) - wall;
  printf("workload=http ops=%d ns_per_op=%.2f wall_ns_per_op=%.2f rss_kb=%ld\n", requests,
         cpu / requests, wall / requests, peak_kb());
  return 0;
}
