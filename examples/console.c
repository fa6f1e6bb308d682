/* A program with a console: whoever connects to its socket gets a prompt there, and can look at the
 * program while it goes on with its work.
 *
 *     cc console.c $(pkg-config --cflags --libs lull) -o console
 *     ./console /tmp/console.sock
 *     socat - UNIX:/tmp/console.sock
 *
 * Without a path it asks itself a few questions. */
#include <lauxlib.h>
#include <lull.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static lull_t *lull;
static uv_timer_t work;
static int done; /* the program's state: pieces of work */

static void on_work(uv_timer_t *timer) {
  (void)timer;
  done++;
}

/* What the console has of the program: a table of functions. */
static int app_done(lua_State *L) {
  lua_pushinteger(L, done);
  return 1;
}

static int app_stop(lua_State *L) {
  (void)L;
  uv_stop(uv_default_loop());
  return 0;
}

static int app_hang_up(lua_State *L) {
  close((int)luaL_checkinteger(L, 1));
  return 0;
}

static const luaL_Reg app[] = {
    {"done", app_done}, {"stop", app_stop}, {"hang_up", app_hang_up}, {NULL, NULL}};

/* Each console is a task. It has local variables of its own, and shares the globals. */
static const char code[] = "local prompt = require 'lull.prompt'\n"
                           "function console(fd)\n"
                           "  local _ <close> = setmetatable({}, {__close = function()\n"
                           "    app.hang_up(fd)\n"
                           "  end})\n"
                           "  prompt.run {input = fd, output = fd}\n"
                           "end\n";

static void start_console(int fd) {
  lua_State *L = lull_state(lull);
  lua_getglobal(L, "console");
  lua_pushinteger(L, fd);
  if (lull_spawn(lull, 1) < 0) close(fd);
}

static void on_connection(uv_poll_t *poll, int status, int events) {
  (void)events;
  int listening;
  uv_fileno((uv_handle_t *)poll, &listening);
  int fd = status == 0 ? accept(listening, NULL, NULL) : -1;
  if (fd >= 0) start_console(fd);
}

/* Whoever can open the socket can do anything that the program can: it is for its owner only. */
static int serve(const char *path, uv_poll_t *poll) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  umask(077);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0) return -1;
  uv_poll_init(uv_default_loop(), poll, fd);
  return uv_poll_start(poll, UV_READABLE, on_connection);
}

static int ask_itself(void) {
  static const char questions[] = "await(lull.sleep(0.05))\n"
                                  "app.done() > 0\n"
                                  "app.stop()\n";
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return -1;
  start_console(ends[1]);
  return write(ends[0], questions, strlen(questions)) > 0 ? ends[0] : -1;
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  uv_poll_t poll;
  lull_options options;
  lull_options_init(&options);
  options.loop = loop;
  if (lull_new(&lull, &options) < 0) return 1;
  luaL_newlib(lull_state(lull), app);
  lua_setglobal(lull_state(lull), "app");
  if (lull_run_string(lull, code, sizeof code - 1, "=console", 0, NULL) < 0) return 1;
  uv_timer_init(loop, &work);
  uv_timer_start(&work, on_work, 10, 10);
  int peer = argc > 1 ? serve(argv[1], &poll) : ask_itself();
  if (peer < 0) return 1;
  uv_run(loop, UV_RUN_DEFAULT); /* to app.stop() */
  lull_close(lull);             /* ends the consoles */
  if (argc > 1) return unlink(argv[1]) < 0;
  char answers[1024] = "";
  ssize_t n = read(peer, answers, sizeof answers - 1);
  return n < 0 || puts(answers) < 0 || strstr(answers, "true") == NULL;
}
