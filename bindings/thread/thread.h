/* What the files of lull.thread share. Values cross from one Lua state to another as a parcel of
 * bytes (parcel.c, names.c, functions.c, pack.c, place.c, unpack.c, failure.c). A call (call.c) is
 * made in the state of a thread (state.c, paths.c): as a pool's job (job.c), or a worker
 * (worker.c).
 */
#ifndef LULL_THREAD_H
#define LULL_THREAD_H

#include "../bindings.h"
#include "threads.h"

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
  int dumped, loaded;          /* references in the registry, or 0 */
  uint64_t last_dump;          /* numbers of functions sent out */
  uint64_t loads[LULL_LOADED]; /* which function each place in the table `loaded` has */
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
typedef enum lull_cargo {
  LULL_CALL,
  LULL_RESULTS,
  LULL_TO_WORKER,
  LULL_TO_PARENT,
  LULL_FAILURE
} lull_cargo;

/* Takes n values off the stack and adds them to the parcel; dump: of the first one, or NULL. On
 * failure pushes the error and gives its status. */
int lull__pack_parcel(lua_State *L, lull_border *border, lull_parcel *parcel, lull_cargo cargo,
                      int n, const lull_dump *dump);

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

/* Where modules are found. It never changes: another one takes its place. */
typedef struct lull_paths {
  atomic_int refs;
  char *path, *cpath;
} lull_paths;

/* What a runtime keeps for its threads that run Lua. */
typedef struct lull_desk {
  lull_hub *hub;
  lull_border border; /* of the runtime's own state */
  lull_paths *paths;  /* when the last call was sent */
  lull_closer closer;
} lull_desk;

/* A thread with a Lua state. */
typedef struct lull_lua_thread {
  lull_thread base;
  lull_t *rt; /* its own */
  lull_border border;
  lull_paths *paths;
  size_t memory_limit;
  int debug;
} lull_lua_thread;

/* A function and its arguments on their way; then their outcome. */
typedef struct lull_call {
  lull_parcel parcel;
  lull_paths *paths;
  int error; /* of libuv's: there was no thread */
  uint8_t failed;
} lull_call;

/* paths.c */
lull_paths *lull__paths_of(lua_State *L, lull_desk *desk); /* owned by the caller; may be NULL */
void lull__paths_unref(lull_paths *paths);
void lull__paths_follow(lua_State *L, lull_paths **followed, lull_paths *paths);

/* state.c: the thread's end, on the thread but for init */
void lull__state_init(lull_thread *thread);
int lull__state_open(lull_thread *thread);
void lull__state_close(lull_thread *thread);
void lull__state_collect(lull_thread *thread);
void lull__state_call(lull_thread *thread, lull_call *call,
                      void (*push_first)(lua_State *, lull_thread *));

static inline lull_lua_thread *lull__lua_thread(lull_thread *thread) {
  return lull__container(thread, lull_lua_thread, base);
}

/* binding.c: functions have the runtime and its desk as upvalues */
void lull__desk_functions(lua_State *L, lull_t *rt, lull_desk *desk, const luaL_Reg *functions);
void lull__open_jobs(lua_State *L, lull_t *rt, lull_desk *desk);
void lull__open_workers(lua_State *L, lull_t *rt, lull_desk *desk);

static inline lull_desk *lull__desk(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(2));
}

/* call.c: the runtime's end */
void lull__call_free(lull_call *call);
void lull__call_pack(lua_State *L, lull_desk *desk, lull_call *call, int index,
                     const lull_dump *dump);
int lull__call_outcome(lua_State *L, lull_t *rt, lull_desk *desk, lull_call *call);

#endif
