/* What the files of runtime/ (and of bindings/) share: the runtime, its objects, and the few
 * operations every waiting thing is built from. Names that cross a file start with lull__.
 * Functions that take a lua_State use it for scratch: L is whichever thread runs just now. */
#ifndef LULL_INTERNAL_H
#define LULL_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>
#include <uv.h>

#include "lull.h"

/* What bindings outside the library use, too. */
#define LULL_SHARED LULL_API

#define lull__container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Lists: circular, doubly linked, through a node inside each element. */
typedef struct lull_node {
  struct lull_node *next, *prev;
} lull_node;

static inline void lull__list_init(lull_node *list) {
  list->next = list->prev = list;
}

static inline int lull__list_empty(const lull_node *list) {
  return list->next == list;
}

static inline void lull__list_append(lull_node *list, lull_node *node) {
  node->next = list;
  node->prev = list->prev;
  list->prev->next = node;
  list->prev = node;
}

static inline void lull__list_remove(lull_node *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
}

/* A place in one list: the ready list (fn runs it), or a list of waiters (fn wakes it). */
typedef struct lull_link lull_link;
typedef void (*lull_link_fn)(lua_State *L, lull_t *rt, lull_link *link);
struct lull_link {
  lull_node node;
  lull_link_fn fn;
};

/* A timer in the heap; index is its place there, or LULL_NO_TIMER. */
#define LULL_NO_TIMER UINT32_MAX
typedef struct lull_timer lull_timer;
typedef void (*lull_timer_fn)(lua_State *L, lull_t *rt, lull_timer *timer);
struct lull_timer {
  lull_timer_fn fire;
  uint32_t index;
};

typedef struct lull_timer_entry {
  double when;
  uint64_t seq; /* equal times fire in the order they were set */
  lull_timer *timer;
} lull_timer_entry;

typedef struct lull_heap {
  lull_timer_entry *entries;
  uint32_t count, capacity;
  uint64_t seq;
} lull_heap;

/* Every userdata of lull starts with this. The first kinds are awaitable. */
typedef enum lull_kind {
  LULL_TASK, /* a coroutine object too, until it is awaited or scheduled */
  LULL_FUTURE,
  LULL_GATHER,
  LULL_OP, /* a coroutine object whose body is C: sleep, queue:get, ... */
  LULL_HANDLE,
  LULL_SCOPE,
  LULL_QUEUE,
  LULL_SEMAPHORE,
  LULL_EVENT,
  LULL_GUARD,
  LULL_KINDS
} lull_kind;

typedef enum lull_status {
  LULL_LAZY,     /* a coroutine object nobody has awaited */
  LULL_CONSUMED, /* a coroutine object that was awaited in place */
  LULL_PENDING,  /* scheduled, or simply not done */
  LULL_RESULT,
  LULL_FAILED,
  LULL_CANCELLED
} lull_status;

enum {                         /* flags of objects */
       LULL_MUST_CANCEL = 1,   /* CancelledError is raised where the task next waits, or wakes */
       LULL_WAITING = 2,       /* the task is suspended and nothing has woken it */
       LULL_HAS_CALLBACKS = 4, /* Lua functions to call when it is done */
       LULL_HAS_EXTRAS = 8,    /* user value 1 is a table: see lull_extra */
       LULL_PACKED = 16,       /* the result is a table of n values, as table.pack makes it */
       LULL_LOOKED = 32,       /* somebody has seen the error */
       LULL_CANCEL_ASKED = 64, /* a gather: cancel() was called on it */
       LULL_SWALLOWED = 64,    /* a task, debug: a plain pcall caught its CancelledError */
       LULL_INTERRUPTED = 128  /* woken by a cancellation, not by what it waited for */
};

typedef struct lull_object {
  uint8_t kind : 4, state : 4; /* lull_kind, lull_status */
  uint8_t flags;
  uint8_t nargs; /* of a coroutine object; once done, whether there is a result */
  union {
    uint8_t capacity; /* of a coroutine object: how many arguments it has room for */
    uint8_t cancels;  /* of a task: requests not taken back with uncancel(); 255 at the most */
  };
  uint32_t slot; /* 0, or a coroutine object's in the table of unawaited ones, or once it is a
                  * task, and of a few others, that in the table of anchors */
} lull_object;

/* User value 1 is the result or error (of a task: first its function, then its thread), or a table
 * of that and the extras; a coroutine object's arguments follow. */
typedef struct lull_future {
  lull_object o;
  lull_node waiters;
} lull_future;

enum lull_extra { /* indices in the extras table */
                  LULL_X_VALUE = 1,
                  LULL_X_NAME,
                  LULL_X_CONTEXT,
                  LULL_X_TRACEBACK,
                  LULL_X_CALLBACKS,
                  LULL_X_MESSAGE, /* what cancel() was given */
                  LULL_X_SENTINEL
};

typedef struct lull_task lull_task;
typedef struct lull_gather lull_gather;

/* What a suspended task waits for. cancel takes the task off whatever it is on; undo gives back
 * what a wake-up brought to a task that is cancelled before it runs. */
typedef struct lull_wait {
  const char *what;
  void (*cancel)(lua_State *L, lull_t *rt, lull_task *task);
  void (*undo)(lua_State *L, lull_t *rt, lull_task *task);
} lull_wait;

struct lull_task {
  lull_future f;
  union {
    lull_link link;   /* in the ready list, or in the list it waits in */
    lull_timer timer; /* or while it sleeps, in neither */
  };
  lua_State *thread;     /* NULL until it first suspends */
  const lull_wait *wait; /* kept until the task runs again */
  void *subject;         /* of the wait */
  lull_gather *gather;   /* the gather that started it, told when it is done */
  uint32_t id;
  uint32_t stamp; /* of the last cancellation that passed here; while it waits at a queue, of its
                   * arrival there. Both are counted by stamps, so none is taken for another */
};

struct lull_gather {
  lull_future f;
  lull_link link;      /* in the ready list, to complete */
  lull_gather *queued; /* to be cancelled next */
  uint32_t anchor;
  uint32_t count, pending, started, running, limit;
  uint32_t stamp;
  uint8_t list, return_exceptions;
  uint8_t failed; /* 1: a child was cancelled, 2: a child failed */
  uint8_t completing, starting;
  uint8_t plain; /* every child is a userdata of lull's */
};

/* Work outside that a task waits for: see request.c. A binding's own struct starts with it. */
typedef struct lull_request lull_request;
struct lull_request {
  lull_node node;
  lull_t *rt;                   /* NULL: closed meanwhile */
  lull_task *task;              /* who waits, or NULL */
  struct box *box;              /* who owns it, or NULL */
  void (*drop)(lull_request *); /* frees it, and what it brought */
  void (*stop)(lull_request *); /* NULL, or: nobody waits for it any more */
  int in_flight;
};

/* What a binding has to close with the runtime. close may call uv_close and must not run Lua. */
typedef struct lull_closer lull_closer;
struct lull_closer {
  lull_node node;
  void (*close)(lull_closer *);
  void (*leave)(
      lull_closer *); /* NULL, or: the process ends now; how the terminal was is set again */
};

/* What is known of a task besides, once somebody watches: see waiting.c. */
typedef struct lull_watched {
  uint32_t id;      /* of the task, or of one that had its slot before */
  uint32_t starter; /* the id of the task that has started it, or 0 */
  double since;     /* when it was suspended last, or negative: not known */
} lull_watched;

/* What coroutine objects are made of: an async function, or a kind of op. */
typedef struct lull_origin {
  const char *name;
  uint32_t calls;
} lull_origin;

/* Coroutine objects with a C body. start runs in await's frame, the object at index 1, and
 * returns results or suspends. */
typedef struct lull_op lull_op;
typedef int (*lull_op_fn)(lua_State *L, lull_t *rt, lull_op *op);
typedef struct lull_op_kind {
  const char *name;
  lull_op_fn start;
} lull_op_kind;
struct lull_op {
  lull_object o;
  const lull_op_kind *op;
  lull_origin origin;
  void *subject; /* user value 1 keeps it alive */
  double number;
};

/* Coroutine objects nobody has awaited yet: a weak table finds those that were collected, the
 * places say what they were and where they were made. Strings are interned: see lull__intern. */
enum { LULL_SOURCES = 1024 };

typedef struct lull_place {
  const char *function; /* NULL: the object was awaited */
  uint32_t source;      /* in sources; 0: not known. Of a free slot, the next free one */
  uint32_t taken : 1, line : 31;
} lull_place;

typedef struct lull_unawaited {
  lull_place *places;
  uint32_t count, capacity, free;    /* free: the first free slot, 0 for none */
  const char *sources[LULL_SOURCES]; /* interned names of files, the first one unused */
  uint32_t nsources, last_source;
  int collected; /* a collection ended since the last scan */
} lull_unawaited;

/* References in the registry. */
typedef struct lull_refs {
  int anchors, pool, boxes, unawaited, strings, by_pointer, errors, sentinel_meta, rethrown,
      metas[LULL_KINDS];
  int unlooked, sentinels, runtime, core, runner, await, context, handler, callback_traceback;
} lull_refs;

enum { LULL_SPARES = 64 };

struct lull {
  lua_State *L;    /* the thread that drives the loop */
  lua_State *main; /* the state's main thread */
  uv_loop_t *loop;
  struct lull_handles *handles;
  lull_task *current;
  lua_State *base;            /* the running task's own thread */
  lua_State *volatile active; /* the Lua thread that runs: where an interrupt strikes */
  lua_State *runner;          /* an idle thread, at hand for the next task to start */
  lull_node ready;
  lull_node requests; /* in flight */
  lull_node closers;
  struct lull_hub *hub; /* of threads, or NULL: see threads.h */
  lull_node *last_due;  /* while timers fire: after it comes the next call that is due */
  uint32_t nready;
  lull_heap heap;
  const void *metas[LULL_KINDS]; /* metatables, by address */
  lull_refs refs;
  uint32_t *free_anchors;
  uint32_t nanchors, nfree_anchors, anchors_capacity;
  uint32_t pooled, nboxes;
  lull_watched *watched; /* by the tasks' slots; NULL while nobody watches */
  uint32_t watched_capacity;
  lull_unawaited unawaited;
  uint32_t spares[LULL_SPARES], nspares;
  lua_Integer failures; /* so far: see lull__watch_error */
  lull_gather *to_cancel;
  uint32_t stamps, cancel_stamp; /* the last one given; that of the cancellation under way */
  uint32_t last_id;
  uint32_t condemned; /* the tasks up to this id were cancelled by a deadlock */
  uint32_t live;      /* tasks scheduled and not done */
  int blocked;        /* coroutines resumed since then from where nothing can yield */
  int depth;          /* awaits nested on the C stack since the running task was resumed */
  uint8_t suspending;
  uint8_t step_failed;
  uint8_t in_turn, driving, draining, stopping, closed, loop_closed;
  uint8_t opened; /* it was whole once: closed means closed */
  uint8_t out_of_memory;
  uint8_t stuck;  /* closing, a thread would not end */
  uint8_t ending; /* interrupted for good */
  uint8_t owns_loop, owns_state, debug, is_virtual, main_is_script;
  double virtual_now;
  uint64_t flows_since; /* hrtime since when the virtual clock goes on as the real one, or 0 */
  lull_future *until;   /* what the loop is driven for */
  lull_task *main_task;
  char *error;   /* what lull_error gives, or NULL */
  int exit_code; /* asked for with os.exit(code, true), or -1 */
  lull_warn_fn warn;
  void *warn_data;
  struct lull_memory *memory;
  uint8_t *strict;       /* whether the script's code runs, which may not pass the memory limit */
  uint8_t no_limit;      /* what strict points to when the memory is not ours */
  atomic_int interrupts; /* asked for and not passed on to the main task */
  int interrupted;       /* one was passed on */
  int holds;             /* by prompts whose lines run: see lull__hold_loop */
  _Atomic uint64_t interrupted_at;
  _Atomic uv_thread_t thread; /* the thread that is in a turn, or 0 */
  lua_State *volatile hooked;
};

/* Bytecode of lua/lull, embedded when the library is built. */
typedef struct lull__module {
  const char *name;
  const unsigned char *code;
  size_t size;
} lull__module;
extern const lull__module lull__modules[];

/* The bindings that are in the library: names and luaopen functions. */
extern const luaL_Reg lull__bindings[];

enum { LULL_ANCHORS = 2 }; /* where a turn has the table of anchors on its stack */
enum { LULL_BOUNCE = 2 };  /* a value of suspending: resume at once, on a fresh C stack */

/* The runtime of a C function registered with lull__setfuncs: its first upvalue. */
static inline lull_t *lull__rt_or_closed(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

/* The same for functions that need the runtime to be open, as nearly all do. */
static inline lull_t *lull__rt(lua_State *L) {
  lull_t *rt = lull__rt_or_closed(L);
  if (rt->closed) luaL_error(L, "the runtime is closed");
  return rt;
}

static inline _Noreturn void lull__no_memory(lua_State *L) {
  for (;;) /* once: luaL_error is not declared not to return */
    luaL_error(L, "not enough memory");
}

/* alloc.c */
struct lull_memory *lull__memory_new(size_t limit);
int *lull__warn_state(struct lull_memory *memory);
uint8_t *lull__strict(struct lull_memory *memory);
size_t lull__memory_limit(const struct lull_memory *memory);
void lull__memory_free(struct lull_memory *memory);
void *lull__alloc(void *memory, void *ptr, size_t osize, size_t nsize);

/* object.c: userdata, references, anchors */
void *lull__new_object(lua_State *L, lull_t *rt, size_t size, int uservalues, lull_kind kind);
lull_object *lull__object(lua_State *L, lull_t *rt, int index);
void *lull__check(lua_State *L, lull_t *rt, int index, lull_kind kind);
void lull__pack(lua_State *L, int n);
int lull__unpack(lua_State *L);
const char *lull__kind_name(lull_kind kind);
void lull__new_meta(lua_State *L, lull_t *rt, lull_kind kind, const luaL_Reg *meta,
                    const luaL_Reg *methods);
LULL_SHARED void lull__setfuncs(lua_State *L, lull_t *rt, const luaL_Reg *functions);
uint32_t lull__anchor(lua_State *L, lull_t *rt, int index);
uint32_t lull__anchor_in(lua_State *L, lull_t *rt, int index, int anchors);
void lull__unanchor(lua_State *L, lull_t *rt, uint32_t *slot);
void lull__unanchor_from(lua_State *L, lull_t *rt, uint32_t *slot, int anchors);
LULL_SHARED void lull__push_anchored(lua_State *L, lull_t *rt, uint32_t slot);
void lull__set_extra(lua_State *L, int index, int extra);
int lull__get_extra(lua_State *L, int index, int extra);
void lull__get_value(lua_State *L, const lull_object *object, int index);
void lull__set_value(lua_State *L, const lull_object *object, int index);

/* op.c */
lull_op *lull__new_op(lua_State *L, lull_t *rt, const lull_op_kind *kind);
lull_op *lull__push_op(lua_State *L, lull_t *rt, const lull_op_kind *kind, int owner, int cache);
int lull__start_op(lua_State *L, lull_t *rt, lull_op *op);
void lull__open_op(lua_State *L, lull_t *rt);

/* timer.c: the heap */
LULL_SHARED int lull__timer_start(lull_t *rt, lull_timer *timer, double when, lull_timer_fn fire);
LULL_SHARED void lull__timer_stop(lull_t *rt, lull_timer *timer);

/* loop.c: the clock, the ready list, turns */
LULL_SHARED double lull__now(const lull_t *rt);
void lull__ready(lull_t *rt, lull_link *link, lull_link_fn fn);
void lull__ready_due(lull_t *rt, lull_link *link, lull_link_fn fn);
int lull__loop_init(lull_t *rt);
void lull__loop_close(lull_t *rt);
int lull__drive(lua_State *L, lull_t *rt, lull_future *until);
int lull__drain(lua_State *L, lull_t *rt);
void lull__wake_loop(lull_t *rt);
void lull__hold_loop(lull_t *rt, int on);

/* future.c */
void lull__future_init(lull_future *future);
lull_future *lull__new_future(lua_State *L, lull_t *rt);
lull_future *lull__to_future(lua_State *L, lull_t *rt, int index);
lull_future *lull__check_future(lua_State *L, lull_t *rt, int index);
void lull__finish(lua_State *L, lull_t *rt, lull_future *future, int index, lull_status state);
void lull__set_values(lua_State *L, lull_future *future, int index, int n);
int lull__push_values(lua_State *L, lull_future *future, int index);
void lull__look(lua_State *L, lull_future *future, int index);
void lull__watch_error(lua_State *L, lull_t *rt, lull_future *future, int index);
int lull__tell_unlooked(lua_State *L);
void lull__tell_collected(lua_State *L, lull_t *rt);
int lull__outcome(lua_State *L, lull_t *rt, lull_future *future, int index);
int lull__cancel(lua_State *L, lull_t *rt, lull_future *future, int message);
void lull__cancel_wait(lua_State *L, lull_t *rt, lull_task *task);
extern const luaL_Reg lull__future_methods[];

/* task.c */
lull_task *lull__new_task(lua_State *L, lull_t *rt, int index, int nargs);
lull_task *lull__wrap(lua_State *L, lull_t *rt, int index);
lull_future *lull__ensure_future(lua_State *L, lull_t *rt, int index);
int lull__push_call(lua_State *L, lull_task *task, int index);
void lull__push_context(lua_State *L, lull_t *rt);
void lull__inherit_context(lua_State *L, lull_t *rt, int index);
void lull__start_eagerly(lua_State *L, lull_t *rt, lull_task *task, int index);
void lull__schedule(lua_State *L, lull_t *rt, lull_task *task, int index);
void lull__schedule_in(lua_State *L, lull_t *rt, lull_task *task, int index, int anchors);
LULL_SHARED void lull__wake(lull_t *rt, lull_task *task);
void lull__abandon(lua_State *L, lull_t *rt, lull_task *task, int error);
LULL_SHARED lull_task *lull__require_task(lua_State *L, lull_t *rt);
LULL_SHARED int lull__suspend(lua_State *L, lull_t *rt, const lull_wait *wait, void *subject,
                              lua_KFunction k, lua_KContext ctx);
LULL_SHARED void lull__woken(lua_State *L, lull_t *rt);
void lull__wait_in(lull_task *task, lull_node *list);
void lull__cancel_listed(lua_State *L, lull_t *rt, lull_task *task);
void lull__cancel_all(lua_State *L, lull_t *rt, uint32_t after);
void lull__push_task_name(lua_State *L, lull_task *task, int index);

/* await.c */
extern const lull_wait lull__future_wait;
int lull__is_awaitable(lua_State *L, lull_t *rt, int index);
int lull__already_awaited(lua_State *L, int index);
int lull__is_awaiting(lua_State *co);
void lull__push_marker(lua_State *L);

/* async.c */
const char *lull__push_inner(lua_State *L, int index);
void lull__push_outer(lua_State *L, const char *name);
void lull__set_inner(lua_State *L, int index);

/* gather.c */
void lull__gather_child_done(lua_State *L, lull_t *rt, lull_gather *gather, lull_future *child,
                             int index);
typedef int (*lull_cancel_fn)(lua_State *L, lull_t *rt, lull_future *future, int message);
int lull__gather_cancel_children(lua_State *L, lull_t *rt, lull_gather *gather, int message,
                                 lull_cancel_fn cancel);
int lull__push_gathered(lua_State *L, lull_gather *gather, int index);
void lull__push_children(lua_State *L, int index);

/* request.c */
void *lull__new_request(lua_State *L, lull_t *rt, size_t size, void (*drop)(lull_request *));
int lull__await_request(lua_State *L, lull_t *rt, lull_request *request, const lull_wait *wait,
                        lua_KFunction k);
void *lull__request(lua_State *L, lull_t *rt);
char *lull__take_buffer(lull_request *request, size_t *room);
void lull__leave_buffer(lull_request *request, char *buffer, size_t room);
void lull__free_request(lua_State *L, lull_t *rt, lull_request *request, int index);
void lull__request_ended(lull_request *request);
void lull__cancel_request(lua_State *L, lull_t *rt, lull_task *task);
void lull__undo_request(lua_State *L, lull_t *rt, lull_task *task);
void lull__leave_request(lull_request *request);
void lull__forget_requests(lull_t *rt);

/* error.c: errors, tracebacks, warnings */
enum {
  LULL_CANCELLED_ERROR = 1,
  LULL_TIMEOUT_ERROR,
  LULL_STATE_ERROR,
  LULL_EMPTY_ERROR,
  LULL_FULL_ERROR,
  LULL_SHUTDOWN_ERROR,
  LULL_DEADLOCK_ERROR,
  LULL_BASE_ERROR
};
void lull__push_error(lua_State *L, lull_t *rt, int error, const char *message);
int lull__raise(lua_State *L, lull_t *rt, int error, const char *message);
int lull__is_error(lua_State *L, lull_t *rt, int index, int error);
int lull__is_cancelled(lua_State *L, lull_t *rt, int index);
void lull__push_cancelled(lua_State *L, lull_t *rt, int message);
void lull__push_traceback(lua_State *L, lua_State *from, int level);
void lull__push_whole_traceback(lua_State *L, lull_t *rt, int error);
void lull__push_task_traceback(lua_State *L, lull_task *task);
void lull__push_awaited(lua_State *L, lull_task *task);
void lull__push_where(lua_State *L, lull_task *task);
const char *lull__waited_for(const lull_task *task);
void lull__push_place(lua_State *L);
void lull__warnf(lua_State *L, lull_t *rt, const char *format, ...);
void lull__warn_top(lua_State *L, lull_t *rt);
int lull__message_handler(lua_State *L);
int lull__explain(lua_State *L);
void lull__push_report(lua_State *L, lull_t *rt, int value, int traceback);
void lull__note_rethrown(lua_State *L, lull_t *rt, int value, int traceback);
void lull__warn_swallowed(lua_State *L, lull_t *rt, lull_task *task);
void lull__check_option(lua_State *L, int index, const char *name, const char *const known[]);
void lull__check_options(lua_State *L, int index, const char *const known[]);
void lull__report_exception(lua_State *L, lull_t *rt, const char *message, int task);
void lull__push_deadlock(lua_State *L, lull_t *rt);

/* waiting.c */
void lull__watch_start(lull_t *rt, const lull_task *task);
void lull__watch_wait(lull_t *rt, const lull_task *task);

/* unawaited.c */
int lull__unawaited_init(lua_State *L, lull_t *rt);
const char *lull__intern(lua_State *L, lull_t *rt, const char *text);
void lull__track(lua_State *L, lull_t *rt, lull_object *object, lull_origin *origin, int tracked);
void lull__untrack(lull_t *rt, lull_object *object);
void lull__unawaited_scan(lua_State *L, lull_t *rt, int all);
void lull__unawaited_free(lull_t *rt);
static inline void lull__awaited(lull_t *rt, const lull_object *object) {
  if (object->slot) rt->unawaited.places[object->slot].function = NULL;
}

/* runtime.c */
LULL_SHARED lull_t *lull__from_state(lua_State *L);
LULL_SHARED void lull__at_close(lull_t *rt, lull_closer *closer);

/* exit.c */
void lull__exit(lull_t *rt, int code);

/* modules.c */
void lull__preload(lua_State *L, int remove);
void lull__open_modules(lua_State *L, lull_t *rt);
int lull__require(lua_State *L, const char *name);

/* state.c */
lua_State *lull__new_state(struct lull_memory *memory, const lull_options *options);

/* store.c */
enum { LULL_ITEMS = 1, LULL_LESS }; /* user values of a queue */
typedef struct lull_store {
  int (*take)(lua_State *L, struct lull_store *store, int self);
  void (*add)(lua_State *L, struct lull_store *store, int self);
  lua_Integer count, head, capacity;
  uint32_t changes; /* counts what moved items of a heap */
  int has_less;
} lull_store;
void lull__add_last(lua_State *L, lull_store *store, int self);
int lull__take_first(lua_State *L, lull_store *store, int self);
int lull__take_last(lua_State *L, lull_store *store, int self);
void lull__add_to_heap(lua_State *L, lull_store *store, int self);
int lull__take_least(lua_State *L, lull_store *store, int self);

/* unlooked.c */
void lull__open_unlooked(lua_State *L, lull_t *rt);
void lull__set_error(lull_t *rt, const char *message);

/* handle.c */
void lull__call_soon(lua_State *L, lull_t *rt, int nargs);
void lull__new_call(lua_State *L, lull_t *rt, int nargs);
void lull__schedule_call(lua_State *L, lull_t *rt, int index);
void lull__push_called(lua_State *L, int index);

/* interrupt.c */
void lull__interrupt_check(lua_State *L, lull_t *rt);
void lull__interrupt_move(lull_t *rt, lua_State *L);
void lull__interrupt_for_good(lull_t *rt);
void lull__interrupt_ending(lua_State *L, lull_t *rt);
LULL_SHARED void lull__interrupt_task(lull_t *rt, lull_task *task);

/* poll.c */
int lull__is_open(int fd, int mode);
ssize_t lull__write_quietly(int fd, const char *bytes, size_t size);

/* What each file gives to the module table at the top of the stack. */
void lull__open_error(lua_State *L, lull_t *rt);
void lull__open_async(lua_State *L, lull_t *rt);
void lull__open_future(lua_State *L, lull_t *rt);
void lull__open_task(lua_State *L, lull_t *rt);
void lull__open_await(lua_State *L, lull_t *rt);
void lull__open_gather(lua_State *L, lull_t *rt);
void lull__open_sleep(lua_State *L, lull_t *rt);
void lull__open_handle(lua_State *L, lull_t *rt);
void lull__open_scope(lua_State *L, lull_t *rt);
void lull__open_queue(lua_State *L, lull_t *rt);
void lull__open_sync(lua_State *L, lull_t *rt);
void lull__open_poll(lua_State *L, lull_t *rt);
void lull__open_waiting(lua_State *L, lull_t *rt);
void lull__open_coroutine(lua_State *L, lull_t *rt);
void lull__open_run(lua_State *L, lull_t *rt);

#endif
