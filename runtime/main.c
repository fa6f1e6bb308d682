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
  int interactive, version, warnings, no_environment, debug, virtual_clock;
  int has_statements;   /* -e, -l or -m were given */
  const char *module;   /* of -m */
  int first;            /* the first option that is not one: the script, or argc */
  int argc;
  char **argv;
  lull_t *lull;
} host;

static lull_t *interrupted; /* what SIGINT goes to */

static void on_sigint(int signum) {
  signal(signum, SIG_DFL); /* the second one ends the process */
  lull_interrupt(interrupted);
}

static void complain(const char *message) {
  fflush(stdout);
  fprintf(stderr, "lull: %s\n", message);
}

static int usage(const char *option, const char *why) {
  fprintf(stderr,
          "lull: %s '%s'\n"
          "usage: lull [options] [script [args]]\n"
          "  -e stat          execute the string\n"
          "  -l mod           require a module, into a global of its name\n"
          "  -l name=mod      require a module, into the global name\n"
          "  -m mod           run a module as the script\n"
          "  -i               go on with the prompt after the script\n"
          "  -v               show the version\n"
          "  -E               ignore environment variables\n"
          "  -W               turn Lua's warnings on\n"
          "  --debug          warn of slow steps and swallowed cancellations (or LULL_DEBUG=1)\n"
          "  --virtual-clock  time jumps to the next timer when nothing else can happen\n"
          "  --               end of the options\n"
          "  -                execute standard input\n",
          why, option);
  return EXIT_USAGE;
}

/* Options of one letter; gives how many arguments it took, or 0 if there is no such option. */
static int short_option(host *h, int i) {
  const char *option = h->argv[i];
  if (strchr("elm", option[1]) != NULL) {
    h->has_statements = 1;
    int taken = option[2] == '\0' ? 2 : 1;
    if (taken == 2 && i + 1 >= h->argc) return -1;
    if (option[1] == 'm') h->module = taken == 2 ? h->argv[i + 1] : option + 2;
    return taken;
  }
  if (option[2] != '\0') return 0;
  switch (option[1]) {
    case 'i': h->interactive = h->version = 1; return 1;
    case 'v': h->version = 1; return 1;
    case 'W': h->warnings = 1; return 1;
    case 'E': h->no_environment = 1; return 1;
    default: return 0;
  }
}

/* Reads the options; gives 0 or an exit code. */
static int parse(host *h) {
  int i = 1;
  while (i < h->argc && h->argv[i][0] == '-' && h->argv[i][1] != '\0' && h->module == NULL) {
    const char *option = h->argv[i];
    int taken = 1;
    if (strcmp(option, "--") == 0) {
      i++;
      break;
    }
    if (strcmp(option, "--debug") == 0)
      h->debug = 1;
    else if (strcmp(option, "--virtual-clock") == 0)
      h->virtual_clock = 1;
    else if (option[1] == '-' || (taken = short_option(h, i)) == 0)
      return usage(option, "unrecognised option");
    if (taken < 0) return usage(option, "an argument is missing after");
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

static const char require_code[] =
    "local name = ...\n"
    "local global, module = name:match('^([^=]*)=(.*)$')\n"
    "_G[global or name] = require(module or name)\n";

static const char module_code[] =
    "local name = ...\n"
    "local path, reason = package.searchpath(name, package.path)\n"
    "if not path then error(('module \\'%s\\' not found:%s'):format(name, reason), 0) end\n"
    "local script, problem = loadfile(path)\n"
    "if not script then error(problem, 0) end\n"
    "arg[0] = path\n"
    "return script(select(2, ...))\n";

/* -e and -l, in the order they were given. */
static int run_statements(host *h) {
  for (int i = 1; i < h->first; i++) {
    char option = h->argv[i][0] == '-' ? h->argv[i][1] : '\0';
    if (option != 'e' && option != 'l') {
      if (option == 'm' && h->argv[i][2] == '\0') i++;
      continue;
    }
    char *value = h->argv[i][2] != '\0' ? h->argv[i] + 2 : h->argv[++i];
    int status = option == 'e' ? run_string(h, value, "=(command line)", 0, NULL)
                               : run_string(h, require_code, "=(command line)", 1, &value);
    if (status < 0) return status;
  }
  return 0;
}

static int run_init(host *h) {
  if (h->no_environment) return 0;
  const char *name = "LUA_INIT_5_4", *init = getenv(name);
  if (init == NULL) init = getenv(name = "LUA_INIT");
  if (init == NULL) return 0;
  if (*init == '@') return lull_run_file(h->lull, init + 1, 0, NULL);
  return run_string(h, init, name, 0, NULL);
}

static int run_script(host *h) {
  if (h->module != NULL) {
    char **args = h->argv + h->first - 1;
    char *option = args[0];
    if (option[0] == '-') args[0] = option + 2; /* -mname */
    int status = run_string(h, module_code, "=(lull -m)", h->argc - h->first + 1, args);
    args[0] = option;
    return status;
  }
  if (h->first >= h->argc) return 0;
  const char *script = h->argv[h->first];
  if (strcmp(script, "-") == 0 && strcmp(h->argv[h->first - 1], "--") != 0) script = NULL;
  return lull_run_file(h->lull, script, h->argc - h->first - 1,
                       (const char *const *)h->argv + h->first + 1);
}

static int run_prompt(host *h) {
  static const char code[] = "require('lull.prompt').run()";
  return run_string(h, code, "=(prompt)", 0, NULL);
}

static int run(host *h) {
  int status = run_init(h);
  if (status == 0) status = run_statements(h);
  if (status == 0) status = run_script(h);
  if (h->interactive) {
    if (status == LULL_EEXIT) return finish(h, status);
    if (status < 0) finish(h, status);
    return finish(h, run_prompt(h));
  }
  if (status < 0 || h->first < h->argc || h->has_statements || h->version) return finish(h, status);
  if (isatty(STDIN_FILENO)) return finish(h, run_prompt(h));
  return finish(h, lull_run_file(h->lull, NULL, 0, NULL));
}

int main(int argc, char **argv) {
  host h = {.argc = argc, .argv = argv};
  int code = parse(&h);
  if (code != 0) return code;
  if (h.version) printf("lull %s, %s, libuv %s\n", lull_version(), LUA_RELEASE, uv_version_string());
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
  lull_close(h.lull);
  return code;
}
