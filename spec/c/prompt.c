/* lull_prompt on terminals that are not the process's own: what is typed and shown there, Ctrl-C,
 * several at a time, and how each ends. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "user.h"

#ifdef __SANITIZE_ADDRESS__
/* ncurses does not give back a few bytes of each terminal. */
LULL_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:_nc_trim_sgr0\n";
}
#endif

static char state_home[] = "/tmp/lull-spec-XXXXXX";

/* ---- one ---- */

static void same_terminal(const struct termios *a, const struct termios *b) {
  CHECK(a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag);
  CHECK(a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag);
  CHECK(memcmp(a->c_cc, b->c_cc, sizeof a->c_cc) == 0);
}

static void edits_a_line(user *u) {
  expect(u, lull_version());
  expect(u, "> ");
  type(u, "10\033[D5\r"); /* 5 before the 0 */
  expect(u, "\r\n150\r\n");
  type(u, "10 + 1x\b\r");
  expect(u, "\r\n11\r\n");
  type(u, "await(lull.slee\t(0, 'sl' .. 'ept'))\r");
  expect(u, "\"slept\"");
  type(u, "for i = 1, 2 do\rprint('row ' .. i)\rend\r");
  expect(u, "row 1\r\nrow 2\r\n");
  type(u, "error('bo' .. 'om')\r");
  expect(u, "lull: stdin:1: boom\r\n");
}

static void prints_above_the_line(user *u) {
  type(u, "io.write('to ', 'stdout\\n') io.stdout:flush()\r");
  type(u, "t = lull.create_task(function() await(lull.sleep(0.01)) print('ab' .. 'ove') end)\r");
  type(u, "1 +");
  expect(u, "above\r\n");
  type(u, " 1\r");
  expect(u, "\r\n2\r\n");
  type(u, "for i = 1, 20000 do print(i) end\r");
  expect(u, "\r\n20000\r\n");
}

/* Ctrl-C is no signal here: there is no handler, and the process lives. */
static void is_interrupted_by_a_key(user *u) {
  expect(u, "> ");
  type(u, "nonsense(\003");
  expect(u, "^C");
  type(u, "print('wait' .. 'ing') await(lull.future())\r");
  expect(u, "waiting");
  type(u, "\003");
  expect(u, "lull: interrupted");
  expect(u, "> ");
  type(u, "await(lull.future())\r\003'still ' .. 'here'\r"); /* all of it at once */
  expect(u, "still here");
  type(u, "print('do' .. 'ne')\r");
  expect(u, "done"); /* between this line and the next one, or in either: no key is lost */
  type(u, "\003'after ' .. 'all'\r");
  expect(u, "after all");
}

static void on_a_terminal(void) {
  user u;
  struct termios before, after;
  prompter p = {.lull = new_default()};
  p.input = p.output = open_terminal(&u);
  tcgetattr(p.input, &before);
  prompter_start(&p);
  edits_a_line(&u);
  prints_above_the_line(&u);
  is_interrupted_by_a_key(&u);
  type(&u, "\004");
  CHECK(prompter_join(&p) == 0);
  CHECK(is_open(p.input));
  tcgetattr(p.input, &after);
  same_terminal(&before, &after);
  prompter_start(&p); /* and once more */
  expect(&u, "> ");
  type(&u, ":quit\r");
  CHECK(prompter_join(&p) == 0);
  lull_close(p.lull);
  close(p.input);
  close(u.in);
}

/* ---- several ---- */

#define LINES 20

static void *talk(void *data) {
  user *u = data;
  for (int i = 0; i < LINES; i++) {
    char line[64], result[64];
    snprintf(line, sizeof line, "await(lull.slee\t(0.001, %d + %d)\033[F)\r", i, 1000);
    snprintf(result, sizeof result, "\r\n%d\r\n", i + 1000);
    type(u, line);
    expect(u, result);
  }
  type(u, "\004");
  return NULL;
}

static void in_threads(void) {
  static user users[2];
  prompter p[2];
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    p[i].lull = new_default();
    p[i].input = p[i].output = open_terminal(&users[i]);
    prompter_start(&p[i]);
    CHECK(pthread_create(&threads[i], NULL, talk, &users[i]) == 0);
  }
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    CHECK(prompter_join(&p[i]) == 0);
    lull_close(p[i].lull);
    close(p[i].input);
    close(users[i].in);
  }
}

static const char two[] = "local lull = require 'lull'\n"
                          "local prompt = require 'lull.prompt'\n"
                          "local a, b = ...\n"
                          "local function on(fd) return lull.create_task(function()\n"
                          "  prompt.run {input = tonumber(fd), output = tonumber(fd)}\n"
                          "end) end\n"
                          "lull.await(lull.gather(on(a), on(b)))\n";

static int two_status;

static void run_two(void *data) {
  prompter *p = data;
  char a[16], b[16];
  snprintf(a, sizeof a, "%d", p->input);
  snprintf(b, sizeof b, "%d", p->output);
  const char *const argv[] = {a, b};
  two_status = lull_run_string(p->lull, two, sizeof two - 1, "=two", 2, argv);
}

static void in_one_runtime(void) {
  static user a, b;
  prompter p = {.lull = new_default()};
  p.input = open_terminal(&a);
  p.output = open_terminal(&b);
  CHECK(uv_thread_create(&p.thread, run_two, &p) == 0);
  type(&a, "local mine = 'is in a' shared = 7\rmine\r");
  expect(&a, "\"is in a\"");
  type(&b, "mine, shared\r");
  expect(&b, "nil\t7");
  type(&a, "print('wait' .. 'ing') await(lull.future())\r");
  expect(&a, "waiting");
  type(&b, "print('wait' .. 'ing') await(lull.sleep(0.05)) print('wait' .. 'ed') "
           "await(lull.future())\r");
  expect(&b, "waiting");
  type(&a, "\003");
  expect(&a, "interrupted");
  expect(&b, "waited"); /* goes on, and so does the loop though nothing but Ctrl-C could come */
  CHECK(strstr(b.seen, "interrupted") == NULL);
  type(&a, "'a is ' .. 'there'\r\004");
  expect(&a, "a is there");
  type(&b, "\003");
  expect(&b, "interrupted");
  type(&b, "\004");
  uv_thread_join(&p.thread);
  CHECK(two_status == 0);
  lull_close(p.lull);
  close(p.input), close(p.output), close(a.in), close(b.in);
}

/* ---- ends ---- */

static int ticks;

static void on_tick(uv_timer_t *timer) {
  (void)timer;
  ticks++;
}

static const char spawned[] =
    "function prompt() require('lull.prompt').run {input = fd, output = fd} end";

/* On a loop and in a state of the host's, as a task; closed while a line is edited, or runs. */
static void closed_with_the_runtime(const char *line, const char *seen) {
  static user u;
  uv_loop_t loop;
  uv_timer_t timer;
  struct termios before, after;
  lull_options options;
  lull_t *lull;
  uv_loop_init(&loop);
  uv_timer_init(&loop, &timer);
  uv_timer_start(&timer, on_tick, 1, 1);
  lull_options_init(&options);
  options.loop = &loop;
  options.state = luaL_newstate();
  luaL_openlibs(options.state);
  CHECK(lull_new(&lull, &options) == 0);
  int fd = open_terminal(&u);
  tcgetattr(fd, &before);
  lua_pushinteger(options.state, fd);
  lua_setglobal(options.state, "fd");
  run_ok(lull, spawned);
  CHECK(spawn(lull, "prompt") == 0);
  u.pumped = &loop;
  expect(&u, "> ");
  type(&u, line);
  expect(&u, seen);
  int before_waiting = ticks;
  while (ticks < before_waiting + 3)
    uv_run(&loop, UV_RUN_ONCE);
  CHECK(lull_close(lull) == 0);
  tcgetattr(fd, &after);
  same_terminal(&before, &after);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
  lua_close(options.state);
  close(fd), close(u.in);
}

/* Another thread's lull_interrupt drops the line, or ends what it awaits. */
static void interrupted_from_outside(void) {
  static user u;
  prompter p = {.lull = new_default()};
  p.input = p.output = open_terminal(&u);
  prompter_start(&p);
  expect(&u, "> ");
  type(&u, "abc");
  expect(&u, "abc");
  lull_interrupt(p.lull);
  expect(&u, "^C");
  type(&u, "print('wait' .. 'ing') await(lull.future())\r");
  expect(&u, "waiting");
  lull_interrupt(p.lull);
  expect(&u, "lull: interrupted");
  type(&u, "\004");
  CHECK(prompter_join(&p) == 0);
  lull_close(p.lull);
  close(p.input), close(u.in);
}

/* Whoever was there has gone. */
static void hung_up(const char *line, const char *seen) {
  static user u;
  prompter p = {.lull = new_default()};
  p.input = p.output = open_terminal(&u);
  prompter_start(&p);
  expect(&u, "> ");
  type(&u, line);
  expect(&u, seen);
  close(u.in);
  CHECK(prompter_join(&p) == 0);
  lull_close(p.lull);
  close(p.input);
}

/* os.exit in a background task: the terminal is as it was before. */
static void exits(void) {
  static user u;
  struct termios before, after;
  int fd = open_terminal(&u), status;
  tcgetattr(fd, &before);
  pid_t child = fork();
  if (child == 0) {
    lull_prompt(new_default(), fd, fd);
    _exit(1);
  }
  expect(&u, "> ");
  type(&u, "t = lull.create_task(function() await(lull.sleep(0.05)) os.exit(7) end)\r");
  type(&u, "abc");
  expect(&u, "abc");
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  tcgetattr(fd, &after);
  same_terminal(&before, &after);
  close(fd), close(u.in);
}

/* ---- standard output ---- */

static FILE *lead_stdout_away(int *was) {
  FILE *file = tmpfile();
  *was = dup(STDOUT_FILENO);
  CHECK(file != NULL && dup2(fileno(file), STDOUT_FILENO) == STDOUT_FILENO);
  return file;
}

/* It got what io.write wrote, and nothing else. */
static void check_stdout(FILE *file, int was) {
  char text[64] = "";
  dup2(was, STDOUT_FILENO);
  close(was);
  rewind(file);
  CHECK(fread(text, 1, sizeof text - 1, file) > 0);
  CHECK(strcmp(text, "to stdout\n") == 0);
  fclose(file);
}

int main(void) {
  int was;
  alarm(100);
  setenv("TERM", "xterm", 1);
  setenv("NO_COLOR", "1", 1);
  CHECK(mkdtemp(state_home) != NULL);
  setenv("XDG_STATE_HOME", state_home, 1);
  FILE *file = lead_stdout_away(&was);
  exits();
  on_a_terminal();
  in_threads();
  in_one_runtime();
  closed_with_the_runtime("abc", "abc");
  closed_with_the_runtime("print('wait' .. 'ing') await(lull.future())\r", "waiting");
  interrupted_from_outside();
  hung_up("abc", "abc");
  hung_up("print('wait' .. 'ing') await(lull.future())\r", "waiting");
  check_stdout(file, was);
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", state_home);
  return system(command) == 0 ? 0 : 1;
}
