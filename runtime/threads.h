/* Threads of lull's own, for work that may take long: libuv's pool is for short work, and each of
 * its threads that is held up is missed by everybody. A hub joins a runtime to its threads (hub.c),
 * what they do for a task is an errand (errand.c), and pools hand errands to threads (pool.c). */
#ifndef LULL_THREADS_H
#define LULL_THREADS_H

#include "internal.h"

typedef struct lull_hub lull_hub;
typedef struct lull_thread lull_thread;
typedef struct lull_pool lull_pool;
typedef struct lull_errand lull_errand;

/* ---- hubs ---- */

struct lull_hub {
  lull_t *rt;        /* its thread's, as what follows is */
  lull_node errands; /* all there are */
  lull_closer closer;
  uv_async_t async;   /* wakes the loop, and keeps it alive: see lull__hub_update */
  uv_mutex_t lock;    /* guards what follows, and pools. Nothing of Lua's while it is held */
  uv_cond_t ended;    /* a thread has */
  lull_node threads;  /* alive */
  lull_node dead;     /* to be joined */
  lull_node finished; /* errands to be told of */
  int active;         /* how many things the loop is to wait for */
  int refs;
  unsigned born; /* threads so far */
  uint8_t held, closing, closed;
};

lull_hub *lull__hub(lua_State *L, lull_t *rt); /* made when it is needed first */
void lull__hub_unref(lull_hub *hub);           /* not locked */
void lull__hub_wake(lull_hub *hub);            /* locked */
void lull__hub_update(lull_hub *hub);          /* on the runtime's thread, not locked */

/* ---- errands ---- */

typedef enum lull_progress {
  LULL_NEW,
  LULL_QUEUED, /* in a list, from which it can be taken back */
  LULL_TAKEN,
  LULL_FINISHED
} lull_progress;

/* A request that another thread ends. A binding's own struct starts with it. */
struct lull_errand {
  lull_request request;
  lull_node all; /* in hub->errands */
  lull_hub *hub;
  lull_node node;  /* in a list. The lock guards this and what follows */
  lull_pool *pool; /* that it was given to, or NULL */
  lull_progress progress;
  uint8_t counts;      /* the loop is to wait for it */
  uint8_t written_off; /* nor does its pool count on the thread that has taken it */
  uint8_t orphaned;    /* the runtime has closed: whoever has taken it frees it */
};

void *lull__new_errand(lua_State *L, lull_t *rt, size_t size, void (*drop)(lull_request *));
void lull__errand_gone(lull_errand *errand); /* what drop begins with */

/* These are called with the lock held. */
void lull__errand_count(lull_errand *errand, int counts);
void lull__errand_queue(lull_errand *errand, lull_node *list);
lull_errand *lull__errand_take(lull_node *list); /* NULL: it is empty */
void lull__errand_finish(lull_errand *errand);

/* ---- threads ---- */

/* What a kind of thread does; run and ended get the thread, whose owner is its pool, say. */
typedef struct lull_thread_kind {
  const char *name;
  size_t size;                        /* of its struct, which starts with lull_thread */
  void (*init)(lull_thread *thread);  /* NULL, or: on the runtime's thread, before it starts */
  void (*run)(lull_thread *thread);   /* its life */
  void (*ended)(lull_thread *thread); /* after it. Locked */
} lull_thread_kind;

struct lull_thread {
  lull_node node; /* in hub->threads or hub->dead */
  lull_node idle; /* in its pool's list */
  lull_hub *hub;
  const lull_thread_kind *kind;
  void *owner;
  uv_thread_t id;
  uv_cond_t wake;
  lull_errand *errand; /* what it has to do. The lock guards this and what follows */
  uint8_t runs;        /* something that may be interrupted */
  uint8_t left;        /* it would not end: it cleans up by itself */
  char name[16];
};

/* Locked, on the runtime's thread. Gives NULL and an error if there can be none. */
lull_thread *lull__thread_start(lull_hub *hub, const lull_thread_kind *kind, void *owner,
                                lull_errand *errand, int *error);
void lull__thread_interrupt(lull_thread *thread); /* locked */
void lull__thread_runs(lull_t *rt); /* on a thread: its code runs in this runtime, or in none */

/* ---- pools ---- */

typedef struct lull_pool_kind {
  const lull_thread_kind *thread;
  int (*open)(lull_thread *thread);   /* NULL, or: on the thread, first; gives an error */
  void (*close)(lull_thread *thread); /* NULL, or: on the thread, at its end, if it was opened */
  void (*work)(lull_thread *thread, lull_errand *errand);
  void (*refuse)(lull_errand *errand, int error); /* locked. 0: the pool was closed */
  void (*tidy)(lull_thread *thread); /* NULL, or what a thread does that is idle for a moment */
  int most; /* a thread whose errand was let go of counts no more, up to so many; 0: it does */
} lull_pool_kind;

struct lull_pool {
  lull_hub *hub;
  const lull_pool_kind *kind;
  uint64_t idle_ns;  /* an idle thread ends after that */
  lull_node idle;    /* threads */
  lull_node queue;   /* errands */
  lull_node waiters; /* errands that wait for all threads to end */
  int size;
  int hands;   /* threads that work, or wait for work */
  int threads; /* these, and those let go of or about to end */
  int refs;
  uint8_t closed;
};

lull_pool *lull__pool_new(lua_State *L, lull_hub *hub, const lull_pool_kind *kind, int size,
                          double idle);
int lull__pool_submit(lull_pool *pool, lull_errand *errand);
void lull__pool_left(lull_errand *errand); /* locked: it was taken, and is let go of */
void lull__pool_close(lull_pool *pool);
void lull__pool_unref(lull_pool *pool);
void lull__pool_run(lull_thread *thread); /* the run and ended of its threads' kind */
void lull__pool_ended(lull_thread *thread);

#endif
