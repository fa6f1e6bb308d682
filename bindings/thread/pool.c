/* Pools of threads, and the jobs they do. A thread is started when a job comes and none is idle, up
 * to the pool's size; of the idle ones the one that worked last is the next to work. One that was
 * idle for long ends. */
#include <stdlib.h>

#include "thread.h"

#define META "lull thread pool"
#define COLLECT_NS 200000000 /* so long idle, a thread collects its garbage */

typedef struct pool {
  lull_hub *hub;
  lull_node idle, queue, waiters; /* threads; jobs; errands that wait for its threads to end */
  uint64_t idle_ns;
  int size;
  int hands;   /* threads that do jobs, or wait for some */
  int threads; /* these, and those about to end */
  int refs;
  uint8_t closed;
} pool;

typedef struct job {
  lull_errand errand;
  pool *pool;
  lull_parcel parcel; /* the call; then its outcome */
  int error;          /* of libuv's: no thread could be made */
  uint8_t failed, refused;
} job;

static void unref(pool *self) {
  lull_hub *hub = self->hub;
  uv_mutex_lock(&hub->lock);
  int last = --self->refs == 0;
  uv_mutex_unlock(&hub->lock);
  if (!last) return;
  free(self);
  lull__hub_unref(hub);
}

/* ---- on the thread ---- */

static int over(const pool *self) {
  return self->closed || self->hub->closing;
}

/* Waits, idle, until there is a job, or so long; gives whether the time was up. Locked. */
static int wait_idle(lull_thread *thread, uint64_t ns) {
  pool *self = thread->owner;
  uint64_t until = uv_hrtime() + ns, now;
  lull__list_append(&self->idle, &thread->idle);
  while (thread->job == NULL && !over(self) && (now = uv_hrtime()) < until)
    uv_cond_timedwait(&thread->wake, &self->hub->lock, until - now);
  if (thread->job != NULL) return 0; /* who gave it has taken the thread off the list */
  lull__list_remove(&thread->idle);
  return !over(self);
}

/* Locked, but not all the time. */
static job *next_job(lull_thread *thread) {
  pool *self = thread->owner;
  uv_mutex_t *lock = &self->hub->lock;
  int collected = 0;
  while (thread->job == NULL && !over(self)) {
    thread->job = lull__errand_take(&self->queue);
    if (thread->job != NULL || !wait_idle(thread, collected ? self->idle_ns : COLLECT_NS)) continue;
    if (collected) break;
    collected = 1;
    uv_mutex_unlock(lock);
    lull__thread_collect(thread);
    uv_mutex_lock(lock);
  }
  return thread->job;
}

static void work(lull_thread *thread, job *self) {
  self->error = thread->error;
  self->failed = thread->error < 0;
  if (!self->failed) self->failed = (uint8_t)lull__thread_call(thread, &self->parcel, NULL);
}

/* Nobody will do the jobs in the queue. Locked. */
static void refuse_queue(pool *self, int error) {
  lull_errand *errand;
  while ((errand = lull__errand_take(&self->queue)) != NULL) {
    job *refused = lull__container(errand, job, errand);
    refused->error = error;
    refused->refused = error == 0;
    lull__errand_finish(errand);
  }
}

static void live(lull_thread *thread) {
  pool *self = thread->owner;
  uv_mutex_t *lock = &self->hub->lock;
  job *next;
  uv_mutex_lock(lock);
  while (thread->error == 0 && (next = next_job(thread)) != NULL) {
    thread->runs = !self->hub->closing;
    uv_mutex_unlock(lock);
    if (thread->runs) work(thread, next);
    uv_mutex_lock(lock);
    thread->runs = 0;
    thread->job = NULL;
    lull__errand_finish(&next->errand);
  }
  if (thread->job != NULL) { /* what it was started for */
    next = thread->job;
    next->error = thread->error;
    lull__errand_finish(&next->errand);
  }
  if (--self->hands == 0 && thread->error < 0) refuse_queue(self, thread->error);
  uv_mutex_unlock(lock);
}

/* A thread has ended. Locked; the thread still holds the hub. */
static void ended(lull_thread *thread) {
  pool *self = thread->owner;
  lull_errand *waiter;
  if (--self->threads == 0)
    while ((waiter = lull__errand_take(&self->waiters)) != NULL)
      lull__errand_finish(waiter);
  if (--self->refs > 0) return;
  self->hub->refs--;
  free(self);
}

/* ---- jobs ---- */

static pool *check_pool(lua_State *L) {
  return *(pool **)luaL_checkudata(L, 1, META);
}

/* Starts a thread for the job; gives an error. Locked. */
static int start_thread(pool *self, job *next) {
  int error;
  if (lull__thread_start(self->hub, "thread", self, live, ended, next, &error) == NULL) return error;
  self->hands++;
  self->threads++;
  self->refs++;
  return 0;
}

/* Gives the job to a thread that is idle, or new, or leaves it in the queue. Locked. */
static int submit(pool *self, job *next) {
  next->errand.progress = LULL_TAKEN;
  if (!lull__list_empty(&self->idle)) {
    lull_thread *thread = lull__container(self->idle.prev, lull_thread, idle);
    lull__list_remove(&thread->idle);
    thread->job = next;
    uv_cond_signal(&thread->wake);
    return 0;
  }
  int error = UV_EAGAIN;
  if (self->hands < self->size) error = start_thread(self, next);
  if (error == 0) return 0;
  if (self->hands == 0) return error;
  lull__errand_queue(&next->errand, &self->queue);
  return 0;
}

static void drop_job(lull_request *request) {
  job *self = lull__container(request, job, errand.request);
  lull__errand_gone(&self->errand);
  lull__parcel_free(&self->parcel);
  free(self);
}

static const lull_wait job_wait = {"a thread", lull__cancel_request, lull__undo_request};

static int job_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_t *rt = (lull_t *)ctx;
  job *self = lull__request(L, rt);
  lull_border *border = &self->errand.hub->border;
  if (self->refused)
    return lull__raise(L, rt, LULL_STATE_ERROR, "the pool was closed before the job started");
  if (self->error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(self->error));
  if (self->failed) return lull__raise_failure(L, rt, border, &self->parcel);
  int owner = lua_gettop(L), n = lull__unpack_parcel(L, border, &self->parcel);
  lull__free_request(L, rt, &self->errand.request, owner);
  return n;
}

/* Packs the call at index 3, below which is what owns the job. */
static void pack_call(lua_State *L, job *self) {
  lull_border *border = &self->errand.hub->border;
  const lull_dump *dump = lull__dump_of(L, border, 3, &self->parcel);
  int n = lua_gettop(L) - 2;
  if (lull__pack_parcel(L, border, &self->parcel, LULL_CALL, n, dump) == LUA_OK) return;
  lull__parcel_free(&self->parcel);
  lua_error(L);
}

/* run(pool, f, ...) -> what f returns. A task that is cancelled already starts nothing. */
static int run(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_hub *hub = lull__hub(L);
  pool *self = check_pool(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (self->closed) return luaL_error(L, "the pool is closed");
  job *next = lull__new_errand(L, rt, hub, sizeof *next, drop_job);
  lua_insert(L, 2);
  lull__hub_note_paths(L, hub);
  pack_call(L, next);
  if (!(rt->current->f.o.flags & LULL_MUST_CANCEL)) {
    uv_mutex_lock(&hub->lock);
    lull__errand_count(&next->errand, 1);
    int error = submit(self, next);
    if (error < 0) lull__errand_count(&next->errand, 0);
    uv_mutex_unlock(&hub->lock);
    if (error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(error));
    lull__hub_update(hub);
  }
  return lull__await_request(L, rt, &next->errand.request, &job_wait, job_done);
}

/* ---- pools ---- */

static void close_pool(pool *self) {
  uv_mutex_lock(&self->hub->lock);
  self->closed = 1;
  refuse_queue(self, 0);
  for (lull_node *node = self->idle.next; node != &self->idle; node = node->next)
    uv_cond_signal(&lull__container(node, lull_thread, idle)->wake);
  uv_mutex_unlock(&self->hub->lock);
}

static int pool_gc(lua_State *L) {
  pool **place = lua_touserdata(L, 1);
  if (*place == NULL) return 0;
  close_pool(*place);
  unref(*place);
  *place = NULL;
  return 0;
}

/* new_pool(size, idle): idle is how many seconds a thread waits for work. */
static int new_pool(lua_State *L) {
  lull__rt(L);
  lull_hub *hub = lull__hub(L);
  lua_Integer size = luaL_checkinteger(L, 1);
  double idle = luaL_checknumber(L, 2);
  pool **place = lua_newuserdatauv(L, sizeof *place, 0);
  *place = NULL;
  luaL_setmetatable(L, META);
  pool *self = calloc(1, sizeof *self);
  if (self == NULL) return luaL_error(L, "not enough memory");
  self->hub = hub;
  self->size = (int)size;
  self->idle_ns = (uint64_t)(idle * 1e9);
  self->refs = 1;
  lull__list_init(&self->idle);
  lull__list_init(&self->queue);
  lull__list_init(&self->waiters);
  uv_mutex_lock(&hub->lock);
  lull__hub_ref(hub);
  uv_mutex_unlock(&hub->lock);
  *place = self;
  return 1;
}

/* close_pool(pool): jobs in the queue are refused, the others go on to their end. */
static int close_now(lua_State *L) {
  close_pool(check_pool(L));
  lull__hub_update(lull__hub(L));
  return 0;
}

static void drop_wait(lull_request *request) {
  lull_errand *self = lull__container(request, lull_errand, request);
  lull__errand_gone(self);
  free(self);
}

static const lull_wait end_wait = {"the end of threads", lull__cancel_request, lull__undo_request};

static int threads_ended(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__request(L, (lull_t *)ctx);
  return 0;
}

/* wait_pool(pool): until the pool, which was closed, has no thread any more. */
static int wait_pool(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_hub *hub = lull__hub(L);
  pool *self = check_pool(L);
  lull_errand *errand = lull__new_errand(L, rt, hub, sizeof *errand, drop_wait);
  uv_mutex_lock(&hub->lock);
  int waits = self->threads > 0;
  if (waits) {
    lull__errand_count(errand, 1);
    lull__errand_queue(errand, &self->waiters);
  }
  uv_mutex_unlock(&hub->lock);
  if (!waits) return 0;
  lull__hub_update(hub);
  return lull__await_request(L, rt, &errand->request, &end_wait, threads_ended);
}

static int parallelism(lua_State *L) {
  lua_pushinteger(L, uv_available_parallelism());
  return 1;
}

static const luaL_Reg functions[] = {
    {"new_pool", new_pool},   {"run", run},
    {"close_pool", close_now}, {"wait_pool", wait_pool},
    {"parallelism", parallelism}, {NULL, NULL}};

void lull__open_pool(lua_State *L, lull_t *rt, lull_hub *hub) {
  luaL_newmetatable(L, META);
  lua_pushcfunction(L, pool_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lull__thread_setfuncs(L, rt, hub, functions);
}
