/* lull: async/await for Lua 5.4.
 *
 * A runtime (lull_t) runs Lua coroutines as tasks on a libuv loop. It joins three things: a
 * Lua state, where the code lives; a loop, where time and input come from; and a list of tasks
 * that are ready to go on. Each of the first two can be yours or the runtime's own:
 *
 *     lull_t *lull;
 *     if (lull_new(&lull, NULL) < 0) return 1;            // own state, own loop
 *     if (lull_run_file(lull, "app.lua", 0, NULL) < 0) fprintf(stderr, "%s\n", lull_error(lull));
 *     lull_close(lull);
 *
 * How to think about it. A script that is run is a task, the main one, and may await at its top
 * level. Nothing in Lua runs outside the loop's turns: a turn resumes each task that was ready
 * when the turn began, until it awaits something that is not there yet. When the main task ends,
 * the other tasks are cancelled and unwind, and the call that ran the script returns.
 *
 * If the loop is yours there are two ways. lull_run_file and its like run your loop until the
 * script is done, so your own handles are served meanwhile. Or start tasks with lull_spawn and
 * go on running the loop yourself with uv_run: as long as a task is ready or sleeps, lull keeps
 * the loop alive.
 *
 * If the Lua state is yours, `require "lull"` works in it from lull_new on, and the functions of
 * its coroutine library are replaced by ones through which tasks can await. The runtime must be
 * closed before the state is, or by closing the state: its finalizer does the same.
 *
 * Threads. A runtime belongs to the thread that uses it; different runtimes share nothing, so
 * each thread may have one. Only lull_interrupt may be called from elsewhere.
 *
 * Errors. Functions give 0 or a negative code: libuv's, or one of lull's own below; lull_error
 * has the text. When a function fails nothing was started. */
#ifndef LULL_H
#define LULL_H

#include <lua.h>
#include <stddef.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define LULL_API
#else
#define LULL_API __attribute__((visibility("default")))
#endif

typedef struct lull lull_t;

/* Codes that libuv has not. */
enum {
  LULL_ESCRIPT = -20001,      /* the script raised an error */
  LULL_ESYNTAX = -20002,      /* the script does not parse */
  LULL_EDEADLOCK = -20003,    /* every task waited and nothing could wake one */
  LULL_EINTERRUPTED = -20004, /* lull_interrupt ended it */
  LULL_EEXIT = -20005,        /* os.exit(code, true): see lull_exit_code */
  LULL_EBUSY = -20006         /* the runtime is running already: the call came from inside */
};

/* Gets one line (no newline at its end) of what the runtime has to say to whoever runs it:
 * coroutine objects never awaited, failures nobody looked at. The text is the callee's only
 * during the call. It must not use the Lua state: it may be called from a finalizer. */
typedef void (*lull_warn_fn)(void *data, const char *message);

/* What a runtime is made of. Fill it with lull_options_init, then set what you care about. */
typedef struct lull_options {
  uv_loop_t *loop;        /* NULL: an own loop, closed with the runtime */
  lua_State *state;       /* NULL: an own state with the standard libraries, closed likewise */
  size_t memory_limit;    /* bytes an own state may use; 0: no limit */
  int debug;              /* warn of slow steps and swallowed cancellations */
  int virtual_clock;      /* time jumps to the next timer when nothing else can happen */
  int ignore_environment; /* an own state takes no LUA_PATH or LUA_CPATH, as lua -E */
  int main_is_script;     /* the process is the script's: os.exit(code, true) unwinds all tasks */
  lull_warn_fn warn;      /* NULL: to stderr, each line after "lull: warning: " */
  void *warn_data;
} lull_options;

/* Sets every option to its default. */
LULL_API void lull_options_init(lull_options *options);

/* Makes a runtime. options may be NULL, for the defaults. On failure *out is NULL, and what was
 * given (loop, state) is as it was. Codes: UV_ENOMEM, or what libuv says of the loop. A state
 * that has a runtime already gives UV_EEXIST. */
LULL_API int lull_new(lull_t **out, const lull_options *options);

/* Cancels what is left, lets it unwind, gives every handle back, and closes the state and the
 * loop if they are the runtime's own. A loop of yours is run for that; afterwards it has none of
 * lull's handles, and Lua values of lull that are still around in a state of yours raise an error
 * when used. lull may be NULL. Codes: LULL_EBUSY, and nothing is closed, if called from inside a
 * task; UV_EBUSY if work on another thread that was cancelled would not end in a fifth of a second,
 * such as a name being resolved. Then a loop of the runtime's own is not freed, one of yours is not
 * free of the request yet, and leaving the process by exit would wait for it: use lull_exit. */
LULL_API int lull_close(lull_t *lull);

/* Ends the process, stdio flushed, without waiting for what other threads do, and without the
 * handlers of atexit. Does not return. From any thread. */
LULL_API void lull_exit(int code);

/* Runs a script, with its arguments as `...`, as the main task, to its end: the loop runs until
 * the main task is done and all others, cancelled then, have unwound. path NULL is standard
 * input. The arguments are copied. Codes: LULL_ESCRIPT, LULL_ESYNTAX, LULL_EDEADLOCK,
 * LULL_EINTERRUPTED, LULL_EEXIT, LULL_EBUSY, UV_ENOMEM, or libuv's code if the file cannot be
 * read. The values the script returns are dropped. */
LULL_API int lull_run_file(lull_t *lull, const char *path, int argc, const char *const *argv);

/* The same for a string of Lua, `name` being what error messages call it ("=(command line)",
 * "@file.lua", or any other text). code may hold zeros: size is its length in bytes. */
LULL_API int lull_run_string(lull_t *lull, const char *code, size_t size, const char *name,
                             int argc, const char *const *argv);

/* The same for a function and its arguments on the stack of the state, which it takes off:
 * pushed first the function, then nargs values, as for lua_call. */
LULL_API int lull_run_function(lull_t *lull, int nargs);

/* Runs the async prompt on two descriptors, to the end of its input. Each line is a part of the
 * main task and may await; other tasks go on meanwhile, and when the input ends (Ctrl-D, :quit, an
 * end of file, a peer that has gone) they are cancelled and unwind. On a terminal lines are edited,
 * completed and remembered, and what is printed while one is typed appears above it; anything else,
 * such as a pipe or a socket, is read line by line. lull_interrupt, as from a handler of SIGINT,
 * ends what the line awaits, or the line itself; the prompt goes on. On a terminal that is not the
 * process's own Ctrl-C is no signal, and ends what the line awaits; code that never comes back to
 * the loop is not stopped by it. The descriptors stay yours, and stay open, blocking or not. Unless
 * the output is standard output, what the global `print` prints at the prompt goes there too;
 * io.write and io.stdout remain the process's. A peer that does not read what it is sent holds the
 * loop up. Several prompts in one runtime, each in a task of its own:
 * require("lull.prompt").run{input=, output=}. Codes as those of lull_run_file, and UV_EBADF. */
LULL_API int lull_prompt(lull_t *lull, int input, int output);

/* Starts a function on the stack of the state, with nargs arguments above it, as a task of its
 * own, and takes them off. The task runs when the loop does. Codes: UV_ENOMEM, or LULL_ESCRIPT
 * if a script has closed the loop. */
LULL_API int lull_spawn(lull_t *lull, int nargs);

/* Runs the loop until every task is done, or, `once` being true, through one round of the loop
 * that does not block. Gives the number of tasks that are left (0 if none), LULL_EDEADLOCK if
 * some are and nothing can wake them (they are as they were), LULL_EEXIT, LULL_EBUSY or
 * UV_ENOMEM. */
LULL_API int lull_run(lull_t *lull, int once);

/* Why the last call that failed did so, with the traceback; "" if there is nothing to tell. It is
 * the runtime's, and stays until its next call. */
LULL_API const char *lull_error(lull_t *lull);

/* The code given to os.exit(code, true) after LULL_EEXIT. */
LULL_API int lull_exit_code(lull_t *lull);

/* Asks the main task to end: it is cancelled when the loop has its next turn; if none runs, the
 * next one is. The only function that may be called from a signal handler, or from another thread
 * while the runtime exists. Called on the runtime's own thread, as by a signal handler, it also
 * stops Lua code that does not come back to the loop: after a moment CancelledError is raised in
 * the midst of it. */
LULL_API void lull_interrupt(lull_t *lull);

/* The runtime's parts. They live as long as it does; use them on its thread only. */
LULL_API lua_State *lull_state(lull_t *lull);
LULL_API uv_loop_t *lull_loop(lull_t *lull);

/* The version, such as "0.1.0". Static. */
LULL_API const char *lull_version(void);

/* The text of a code, lull's or libuv's. Static. */
LULL_API const char *lull_strerror(int code);

/* `require "lull"` in a Lua state of somebody else's: a runtime with an own loop that lives as
 * long as the state, or the one that lull_new has given the state. */
LULL_API int luaopen_lull(lua_State *L);

#ifdef __cplusplus
}
#endif
#endif
