/* The host: lull [options] [script [args]]. A thin client of lull.h, with lua's command line. */
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lull.h"

#define EXIT_INTERRUPTED 130
#define EXIT_USAGE 1

typedef struct host {
  int interactive, version, help, warnings, no_environment, debug, virtual_clock;
  int has_statements; /* -e, -l or -m were given */
  const char *module; /* of -m */
  int first;          /* the first option that is not one: the script, or argc */
  int argc;
  char **argv;
  lull_t *lull;
} host;

static lull_t *interrupted;             /* what SIGINT goes to */
static volatile sig_atomic_t prompting; /* the prompt takes any number of them */

static void on_sigint(int signum) {
  if (!prompting) signal(signum, SIG_DFL); /* the second one ends the process */
  lull_interrupt(interrupted); /* made for signal handlers: NOLINT(bugprone-signal-handler) */
}

static void complain(const char *message) {
  fflush(stdout);
  fprintf(stderr, "lull: %s\n", message);
}

static const char help[] =
    "usage: lull [options] [script [args]]\n"
    "  -e stat          execute the string\n"
    "  -l mod           require a module, into a global of its name\n"
    "  -l name=mod      require a module, into the global name\n"
    "  -m mod           run a module as the script\n"
    "  -i               go on with the prompt after the script\n"
    "  -v, --version    show the version\n"
    "  -h, --help       show this\n"
    "  -E               ignore environment variables\n"
    "  -W               turn Lua's warnings on\n"
    "  --debug          warn of slow steps and swallowed cancellations (or LULL_DEBUG=1)\n"
    "  --virtual-clock  time jumps to the next timer when nothing else can happen\n"
    "  --               end of the options\n"
    "  -                execute standard input\n";

static int misused(const char *option, const char *why) {
  fprintf(stderr, "lull: %s '%s'\n%s", why, option, help);
  return EXIT_USAGE;
}

/* -e, -l, -m; gives how many arguments it took, or -1 if one is missing. */
static int statement_option(host *h, int i) {
  const char *option = h->argv[i], *value = option + 2;
  int taken = 1;
  if (*value == '\0') {
    if (i + 1 >= h->argc) return -1;
    value = h->argv[i + 1];
    taken = 2;
  }
  h->has_statements = 1;
  if (option[1] == 'm') h->module = value;
  return taken;
}

/* The options without an argument; gives whether there is such a one. */
static int flag_option(host *h, const char *option) {
  const struct {
    const char *name, *letter;
    int *flag;
  } known[] = {
      {"--debug", "--debug", &h->debug}, {"--virtual-clock", "--virtual-clock", &h->virtual_clock},
      {"--version", "-v", &h->version},  {"--help", "-h", &h->help},
      {"-i", "-i", &h->interactive},     {"-W", "-W", &h->warnings},
      {"-E", "-E", &h->no_environment}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(option, known[i].name) != 0 && strcmp(option, known[i].letter) != 0) continue;
    *known[i].flag = 1;
    return 1;
  }
  return 0;
}

/* Reads the options; gives 0 or an exit code. */
static int parse(host *h) {
  int i = 1;
  while (i < h->argc && h->argv[i][0] == '-' && h->argv[i][1] != '\0' && h->module == NULL) {
    const char *option = h->argv[i];
    if (strcmp(option, "--") == 0) {
      i++;
      break;
    }
    int taken = 1;
    if (strchr("elm", option[1]) != NULL)
      taken = statement_option(h, i);
    else if (!flag_option(h, option))
      return misused(option, "unrecognised option");
    if (taken < 0) return misused(option, "an argument is missing after");
    i += taken;
  }
  h->first = i;
  const char *debug = h->no_environment ? NULL : getenv("LULL_DEBUG");
  if (debug != NULL && *debug != '\0' && strcmp(debug, "0") != 0) h->debug = 1;
  return 0;
}

/* The global `arg`: the script at 0, its arguments after it, what comes before at negatives. */
static void set_arg(host *h) {
  lua_State *L = lull_state(h->lull);
  int script = h->first < h->argc ? h->first : 0;
  if (h->module != NULL) script = h->first - 1;
  lua_createtable(L, h->argc - script, script + 1);
  for (int i = 0; i < h->argc; i++) {
    lua_pushstring(L, h->argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Tells what went wrong; gives the exit code. */
static int finish(const host *h, int status) {
  if (status >= 0) return EXIT_SUCCESS;
  if (status == LULL_EEXIT) return lull_exit_code(h->lull);
  if (status == LULL_EINTERRUPTED) return EXIT_INTERRUPTED;
  const char *error = lull_error(h->lull);
  complain(*error ? error : lull_strerror(status));
  return EXIT_FAILURE;
}

static int run_string(host *h, const char *code, const char *name, int argc, char **argv) {
  return lull_run_string(h->lull, code, strlen(code), name, argc, (const char *const *)argv);
}

static int set_global(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_setglobal(L, lua_tostring(L, 1));
  return 0;
}

/* require_global(name, module): -l. In C, so that no place of ours shows in the error. */
static int require_global(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushvalue(L, 2);
  lua_callk(L, 1, 1, 0, set_global);
  return set_global(L, LUA_OK, 0);
}

static int push_require(lua_State *L) {
  const char *value = lua_touserdata(L, 1), *equals = strchr(value, '=');
  lua_pushcfunction(L, require_global);
  lua_pushlstring(L, value, equals ? (size_t)(equals - value) : strlen(value));
  lua_pushstring(L, equals ? equals + 1 : value);
  return 3;
}

static int run_require(host *h, char *value) {
  lua_State *L = lull_state(h->lull);
  lua_pushcfunction(L, push_require);
  lua_pushlightuserdata(L, value);
  if (lua_pcall(L, 1, 3, 0) != LUA_OK) {
    lua_pop(L, 1);
    return UV_ENOMEM;
  }
  return lull_run_function(h->lull, 2);
}

/* The name keeps it out of tracebacks. */
static const char module_name[] = "=lull/main";
static const char module_code[] =
    "local name = ...\n"
    "local path, reason = package.searchpath(name, package.path)\n"
    "if not path then error(('module \\'%s\\' not found:\\n\\t%s'):format(name, reason), 0) end\n"
    "local script, problem = loadfile(path)\n"
    "if not script then error(problem, 0) end\n"
    "arg[0] = path\n"
    "return script(select(2, ...))\n";

/* -e and -l, in the order they were given. */
static int run_statements(host *h) {
  for (int i = 1; i < h->first; i++) {
    int option = h->argv[i][0] == '-' ? h->argv[i][1] : '\0';
    if (option != 'e' && option != 'l') {
      if (option == 'm' && h->argv[i][2] == '\0') i++;
      continue;
    }
    char *value = h->argv[i][2] != '\0' ? h->argv[i] + 2 : h->argv[++i];
    int status =
        option == 'e' ? run_string(h, value, "=(command line)", 0, NULL) : run_require(h, value);
    if (status < 0) return status;
  }
  return 0;
}

static int run_init(host *h) {
  if (h->no_environment) return 0;
  const char *name = "=LUA_INIT_5_4", *init = getenv(name + 1);
  if (init == NULL) init = getenv((name = "=LUA_INIT") + 1);
  if (init == NULL) return 0;
  if (*init == '@') return lull_run_file(h->lull, init + 1, 0, NULL);
  return run_string(h, init, name, 0, NULL);
}

static int run_script(host *h) {
  if (h->module != NULL) {
    char **args = h->argv + h->first - 1;
    char *option = args[0];
    if (option[0] == '-') args[0] = option + 2; /* -mname */
    int status = run_string(h, module_code, module_name, h->argc - h->first + 1, args);
    args[0] = option;
    return status;
  }
  if (h->first >= h->argc) return 0;
  const char *script = h->argv[h->first];
  if (strcmp(script, "-") == 0 && strcmp(h->argv[h->first - 1], "--") != 0) script = NULL;
  return lull_run_file(h->lull, script, h->argc - h->first - 1,
                       (const char *const *)h->argv + h->first + 1);
}

/* run(code, ...): the prompt, after a script that runs in the prompt's own task, so that what it
 * starts goes on. */
static const char prompt_code[] = "local code, args = ..., table.pack(select(2, ...))\n"
                                  "require('lull.prompt').run {before = function()\n"
                                  "  load(code, '=lull/main')(table.unpack(args, 1, args.n))\n"
                                  "end}\n";

static const char script_code[] = "local path = ...\n"
                                  "local script, problem = loadfile(path ~= '-' and path or nil)\n"
                                  "if not script then error(problem, 0) end\n"
                                  "return script(select(2, ...))\n";

static int run_prompt(host *h, int with_script) {
  prompting = 1;
  signal(SIGINT, on_sigint);
  if (!with_script || (h->module == NULL && h->first >= h->argc))
    return lull_prompt(h->lull, STDIN_FILENO, STDOUT_FILENO);
  int start = h->module != NULL ? h->first - 1 : h->first; /* of the script's name */
  char **args = h->argv + start - 1, *before[] = {args[0], args[1]};
  args[0] = (char *)(h->module != NULL ? module_code : script_code);
  if (h->module != NULL) args[1] = (char *)h->module;
  int status = run_string(h, prompt_code, "=lull/main", h->argc - start + 1, args);
  args[0] = before[0];
  args[1] = before[1];
  return status;
}

static int run(host *h) {
  int status = run_init(h);
  if (status == 0) status = run_statements(h);
  if (h->interactive) {
    if (status == LULL_EEXIT) return finish(h, status);
    if (status < 0) finish(h, status);
    return finish(h, run_prompt(h, status == 0));
  }
  if (status == 0) status = run_script(h);
  if (status < 0 || h->first < h->argc || h->has_statements || h->version) return finish(h, status);
  if (isatty(STDIN_FILENO)) return finish(h, run_prompt(h, 0));
  return finish(h, lull_run_file(h->lull, NULL, 0, NULL));
}

int main(int argc, char **argv) {
  host h = {.argc = argc, .argv = argv};
  int code = parse(&h);
  if (code != 0) return code;
  if (h.help) return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
  if (h.version)
    printf("lull %s, %s, libuv %s\n", lull_version(), LUA_RELEASE, uv_version_string());
  lull_options options;
  lull_options_init(&options);
  options.debug = h.debug;
  options.virtual_clock = h.virtual_clock;
  options.ignore_environment = h.no_environment;
  options.main_is_script = 1;
  int status = lull_new(&h.lull, &options);
  if (status < 0) {
    complain(lull_strerror(status));
    return EXIT_FAILURE;
  }
  interrupted = h.lull;
  signal(SIGINT, on_sigint);
  if (h.warnings) lua_warning(lull_state(h.lull), "@on", 0);
  set_arg(&h);
  code = run(&h);
  signal(SIGINT, SIG_DFL);
  if (lull_close(h.lull) == UV_EBUSY) lull_exit(code);
  return code;
}
