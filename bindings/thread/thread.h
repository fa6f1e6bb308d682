/* What the files of lull.thread share. Values cross from one Lua state to another as a parcel of
 * bytes (parcel.c, names.c, functions.c, pack.c, unpack.c, failure.c); a hub joins a runtime to its
 * threads (hub.c, thread.c, state.c), which run jobs (job.c, pool.c) or are workers (worker.c). */
#ifndef LULL_THREAD_H
#define LULL_THREAD_H

#include <pthread.h>

#include "../bindings.h"

/* ---- parcels ---- */

typedef struct lull_parcel {
  unsigned char *bytes; /* malloc's */
  size_t size, capacity;
} lull_parcel;

/* Makes room for n bytes at the end and gives where they go; raises an error if there is no
 * memory. Never with n 0. */
unsigned char *lull__parcel_add(lua_State *L, lull_parcel *parcel, size_t n);
void lull__parcel_free(lull_parcel *parcel);

/* ---- what a state keeps for copying values out of it and into it ---- */

typedef struct lull_names lull_names; /* names.c: of what package.loaded holds */

enum { LULL_LOADED = 64 };

typedef struct lull_border {
  lull_names *names;
  int dumped, loaded;            /* references in the registry, or 0 */
  uint64_t last_dump;            /* numbers of functions sent out */
  uint64_t loads[LULL_LOADED];   /* which function each place in the table `loaded` has */
} lull_border;

void lull__border_free(lua_State *L, lull_border *border);

/* names.c. Pushes the names of a module and a field ("" for the module itself) for the value at
 * index, if it can be found under them; *checked tells, within one parcel, that what package.loaded
 * holds was looked at. And the other way round. */
int lull__push_names(lua_State *L, lull_border *border, int index, int *checked);
void lull__push_named(lua_State *L, const char *module, size_t length, const char *field,
                      size_t field_length);
void lull__names_free(lull_names *names);

/* functions.c. Of a function that is sent again and again the bytecode is kept. */
typedef struct lull_dump {
  uint64_t number;
  uint32_t uses, size;
  uint8_t upvalues;
  uint8_t alone; /* no upvalues but _ENV: one copy serves for all calls */
  unsigned char code[];
} lull_dump;

const lull_dump *lull__dump_of(lua_State *L, lull_border *border, int index, lull_parcel *scratch);
size_t lull__dump_function(lua_State *L, lull_parcel *parcel, int index);
void lull__push_function(lua_State *L, lull_border *border, uint64_t number, const char *code,
                         size_t size);

/* pack.c. What is packed, for what errors say; a failure is packed as far as it can be. */
typedef enum lull_cargo { LULL_CALL, LULL_RESULTS, LULL_TO_WORKER, LULL_TO_PARENT, LULL_FAILURE }
lull_cargo;

/* Takes n values off the stack and adds them to the parcel; dump: of the first one, or NULL. On
 * failure pushes the error and gives its status. */
int lull__pack_parcel(lua_State *L, lull_border *border, lull_parcel *parcel, lull_cargo cargo, int n,
               const lull_dump *dump);

enum lull_tag {
  LULL_T_NIL,
  LULL_T_FALSE,
  LULL_T_TRUE,
  LULL_T_INTEGER,
  LULL_T_FLOAT,
  LULL_T_STRING, /* up to LULL_SHORT bytes; the length is one byte */
  LULL_T_LIGHT,
  LULL_T_LONG,     /* a longer string; from here on they are objects: numbered, found again */
  LULL_T_TABLE,    /* its contents follow later */
  LULL_T_FUNCTION, /* its upvalues follow later */
  LULL_T_ASYNC,    /* its function follows later */
  LULL_T_NAME,
  LULL_T_SEEN,   /* an object again, by its number */
  LULL_T_SHARED, /* an upvalue that another function has, too */
  LULL_T_GLOBALS
};

enum { LULL_SHORT = 64 };

/* A parcel starts with this. */
typedef struct lull_bill {
  uint32_t values, objects;
  uint8_t linked; /* the objects' numbers are needed */
} lull_bill;

/* unpack.c. Pushes the values of a parcel and gives how many there are. May run code: it requires
 * modules. */
int lull__unpack_parcel(lua_State *L, lull_border *border, const lull_parcel *parcel);

/* failure.c: errors on their way to another state */
int lull__thread_handler(lua_State *L);
void lull__pack_failure(lua_State *L, lull_border *border, lull_parcel *parcel);
int lull__raise_failure(lua_State *L, lull_t *rt, lull_border *border, lull_parcel *parcel);

/* ---- threads ---- */

typedef struct lull_hub lull_hub;
typedef struct lull_thread lull_thread;

/* A request that another thread ends. */
typedef enum lull_progress {
  LULL_NEW,
  LULL_QUEUED, /* in a list, from which it can be taken back */
  LULL_TAKEN,
  LULL_FINISHED
} lull_progress;

typedef struct lull_errand {
  lull_request request;
  lull_node node; /* guarded by the lock, as progress and counts are */
  lull_node all;  /* in the hub's list: only the runtime's thread looks there */
  lull_hub *hub;
  lull_progress progress;
  uint8_t counts;   /* the loop is to wait for it */
  uint8_t orphaned; /* the runtime has closed: whose thread is done with it frees it */
} lull_errand;

/* What joins a runtime to its threads. */
struct lull_hub {
  lull_t *rt;          /* its thread's */
  lull_border border;  /* the same */
  lull_node errands;   /* the same: those in flight */
  lull_closer closer;
  uv_async_t async;    /* wakes the loop; keeps it alive while `active` */
  uv_mutex_t lock;     /* guards what follows, and pools and workers. No Lua while it is held */
  uv_cond_t ended;     /* a thread has */
  lull_node threads;   /* alive */
  lull_node dead;      /* to be joined */
  lull_node finished;  /* errands to be told of */
  char *path, *cpath;  /* of package, when the last job was sent */
  atomic_uint paths;   /* counts changes of these */
  uint32_t born;
  int active;          /* what the loop is to wait for: see lull__hub_update */
  int refs;
  uint8_t held, closing, closed;
};

struct lull_thread {
  lull_node node; /* in hub->threads or hub->dead */
  lull_node idle; /* in its pool's list */
  lull_hub *hub;
  void *owner; /* a pool or a worker; live runs its thread, ended is called, locked, at the end */
  void (*live)(lull_thread *thread);
  void (*ended)(lull_thread *thread);
  uv_thread_t id;
  uv_cond_t wake;
  lull_t *rt;    /* of the thread itself, as border and paths are; NULL: it could not be made */
  int error;     /* why not */
  lull_border border;
  unsigned paths;
  int debug; /* what the runtime was told when the thread was made, as the limit */
  size_t memory_limit;
  void *job;     /* guarded by the hub's lock, as what follows is: what it has to do */
  uint8_t runs;  /* code that may be interrupted */
  uint8_t left;  /* it would not end: it cleans up by itself */
  char name[16];
};

/* hub.c */
lull_hub *lull__hub_new(lua_State *L, lull_t *rt);
void lull__hub_ref(lull_hub *hub);        /* locked */
void lull__hub_unref(lull_hub *hub);      /* not locked */
void lull__hub_wake(lull_hub *hub);       /* locked */
void lull__hub_update(lull_hub *hub);     /* on the runtime's thread, not locked */
void lull__hub_note_paths(lua_State *L, lull_hub *hub);

/* errand.c */
void *lull__new_errand(lua_State *L, lull_t *rt, lull_hub *hub, size_t size,
                       void (*drop)(lull_request *));
void lull__errand_gone(lull_errand *errand);                     /* what drop begins with */
void lull__errand_count(lull_errand *errand, int counts);        /* locked */
void lull__errand_queue(lull_errand *errand, lull_node *list);   /* locked */
lull_errand *lull__errand_take(lull_node *list);                 /* locked; NULL: empty */
void lull__errand_finish(lull_errand *errand);                   /* locked */

/* thread.c */
lull_thread *lull__thread_start(lull_hub *hub, const char *kind, void *owner,
                                void (*live)(lull_thread *), void (*ended)(lull_thread *),
                                void *job, int *error); /* locked, on the runtime's thread */
void lull__thread_interrupt(lull_thread *thread); /* locked */

/* state.c: on the thread itself */
void lull__thread_open(lull_thread *thread);
void lull__thread_close(lull_thread *thread);
int lull__thread_call(lull_thread *thread, lull_parcel *parcel,
                      void (*push_first)(lua_State *, lull_thread *));
void lull__thread_collect(lull_thread *thread);
void lull__interrupt_running(void);

/* What each file gives to the binding's table, on top of the stack: functions with the runtime and
 * the hub as upvalues. */
void lull__thread_setfuncs(lua_State *L, lull_t *rt, lull_hub *hub, const luaL_Reg *functions);
void lull__open_pool(lua_State *L, lull_t *rt, lull_hub *hub);
void lull__open_worker(lua_State *L, lull_t *rt, lull_hub *hub);

static inline lull_hub *lull__hub(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(2));
}

#endif
