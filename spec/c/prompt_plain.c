/* lull_prompt on what is no terminal: sockets and pipes, whose other ends may go; and when memory
 * or descriptors are short. */
#include "user.h"

static void connect_sockets(user *u, prompter *p) {
  int ends[2];
  *u = (user){0};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  u->in = u->out = ends[0];
  p->input = p->output = ends[1];
}

static void connect_pipes(user *u, prompter *p) {
  int there[2], back[2];
  *u = (user){0};
  CHECK(pipe(there) == 0 && pipe(back) == 0);
  u->out = there[1], p->input = there[0];
  u->in = back[0], p->output = back[1];
}

static void close_ends(user *u, prompter *p) {
  close(p->input);
  if (p->output != p->input) close(p->output);
  close(u->in);
}

/* No more input; what is shown can still be read. */
static void end_input(user *u) {
  if (u->out == u->in)
    shutdown(u->out, SHUT_WR);
  else
    close(u->out);
}

static void talks(lull_t *lull, void (*connect_ends)(user *, prompter *), int flags) {
  static user u;
  prompter p = {.lull = lull};
  connect_ends(&u, &p);
  CHECK(fcntl(p.input, F_SETFL, flags) == 0 && fcntl(p.output, F_SETFL, flags) == 0);
  prompter_start(&p);
  expect(&u, lull_version());
  expect(&u, "> ");
  type(&u, "x = 5\nx + 1, nil\n");
  expect(&u, "> 6\tnil\n> ");
  type(&u, "for i = 1, 2 do\nprint('row', i)\nend\n");
  expect(&u, ">> >> row\t1\nrow\t2\n> ");
  type(&u, "error('boom')\nx = = 1\n");
  expect(&u, "lull: stdin:1: boom\nstack traceback:\n");
  expect(&u, "lull: stdin:1: unexpected symbol");
  type(&u, "await(lull.sleep(0.001, 'sle");
  type(&u, "pt'))\n");
  expect(&u, "\"slept\"\n> ");
  type(&u, "print(('x'):rep(300000))\n"); /* more than any buffer takes at a time */
  expect(&u, "xxx\n> ");
  type(&u, "1 + 1 -- the last line has no end");
  end_input(&u);
  expect(&u, "2\n> \n");
  CHECK(prompter_join(&p) == 0);
  CHECK((fcntl(p.input, F_GETFL) & O_NONBLOCK) == flags);
  CHECK((fcntl(p.output, F_GETFL) & O_NONBLOCK) == flags);
  close_ends(&u, &p);
}

static void on_sockets_and_pipes(void) {
  lull_t *lull = new_default();
  talks(lull, connect_sockets, 0);
  talks(lull, connect_pipes, 0);
  talks(lull, connect_sockets, O_NONBLOCK);
  talks(lull, connect_pipes, O_NONBLOCK);
  lull_close(lull);
}

/* The peer goes while something runs that prints again and again. It gets the error; the prompt
 * ends; the process gets no SIGPIPE. */
static void peer_goes(void (*connect_ends)(user *, prompter *)) {
  static user u;
  prompter p = {.lull = new_default()};
  connect_ends(&u, &p);
  prompter_start(&p);
  expect(&u, "> ");
  type(&u, "while true do print('a' .. 'live') await(lull.sleep(0.001)) end\n'not' .. 'reached'\n");
  expect(&u, "alive");
  close(u.in); /* of pipes: the one to type into stays open */
  CHECK(prompter_join(&p) == 0);
  lull_close(p.lull);
  close(p.input);
  if (u.in != u.out) close(p.output), close(u.out);
}

/* Nobody was there to see even the first prompt. */
static void peer_has_gone(void) {
  static user u;
  prompter p = {.lull = new_default()};
  connect_pipes(&u, &p);
  close(u.in);
  prompter_run(&p);
  CHECK(p.status == 0);
  lull_close(p.lull);
}

static void bad_descriptors(void) {
  lull_t *lull = new_default();
  int ends[2];
  CHECK(pipe(ends) == 0);
  CHECK(lull_prompt(lull, -1, ends[1]) == UV_EBADF);
  CHECK(lull_prompt(lull, ends[0], 999) == UV_EBADF);
  CHECK(lull_prompt(lull, ends[1], ends[1]) == UV_EBADF); /* it cannot be read */
  CHECK(lull_prompt(lull, ends[0], ends[0]) == UV_EBADF);
  CHECK(strcmp(lull_error(lull), "") == 0);
  close(ends[0]), close(ends[1]);
  lull_close(lull);
}

/* However little there is, it ends, one way or another. */
static int prompt_within(size_t limit) {
  static const char input[] = "t = {} for i = 1, 1e4 do t[i] = {i} end\nt\n"
                              "await(lull.sleep(0.001, #t))\nerror('boom')\n";
  lull_options options;
  lull_t *lull;
  int ends[2], sink = open("/dev/null", O_WRONLY);
  lull_options_init(&options);
  options.memory_limit = limit;
  if (lull_new(&lull, &options) < 0) {
    close(sink);
    return UV_ENOMEM;
  }
  CHECK(pipe(ends) == 0 && write(ends[1], input, sizeof input - 1) > 0);
  close(ends[1]);
  int status = lull_prompt(lull, ends[0], sink);
  lull_close(lull);
  close(ends[0]), close(sink);
  return status;
}

static void short_of_memory(void) {
  int failed = 0, passed = 0;
  for (size_t limit = 100000; limit < 2500000; limit += limit / 40) {
    int status = prompt_within(limit);
    CHECK(status == 0 || status == UV_ENOMEM || status == LULL_ESCRIPT || status == LULL_ESYNTAX);
    failed += status != 0;
    passed += status == 0;
  }
  CHECK(failed > 0 && passed > 0);
}

int main(void) {
  alarm(100);
  setenv("NO_COLOR", "1", 1);
  signal(SIGPIPE, SIG_DFL);
  on_sockets_and_pipes();
  peer_goes(connect_sockets);
  peer_goes(connect_pipes);
  peer_has_gone();
  bad_descriptors();
  short_of_memory();
  return 0;
}
