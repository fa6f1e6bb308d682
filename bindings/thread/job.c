/* Jobs: calls that a pool of threads makes, each in a Lua state that it keeps. */
#include <stdlib.h>
#include <unistd.h>

#include "thread.h"

#define META "lull thread pool"

typedef struct job {
  lull_errand errand;
  lull_call call;
  uint8_t refused; /* the pool was closed before its turn came */
} job;

/* ---- the threads' end ---- */

static void work(lull_thread *thread, lull_errand *errand) {
  lull__state_call(thread, &lull__container(errand, job, errand)->call, NULL);
}

static void refuse(lull_errand *errand, int error) {
  job *self = lull__container(errand, job, errand);
  self->call.error = error;
  self->refused = error == 0;
}

static const lull_thread_kind thread_kind = {
    .name = "thread",
    .size = sizeof(lull_lua_thread),
    .init = lull__state_init,
    .run = lull__pool_run,
    .ended = lull__pool_ended,
};

static const lull_pool_kind pool_kind = {
    .thread = &thread_kind,
    .open = lull__state_open,
    .close = lull__state_close,
    .work = work,
    .refuse = refuse,
    .tidy = lull__state_collect,
};

/* ---- jobs ---- */

typedef struct handle {
  lull_pool *pool;
} handle;

static lull_pool *check_pool(lua_State *L) {
  return ((handle *)luaL_checkudata(L, 1, META))->pool;
}

static void drop_job(lull_request *request) {
  job *self = lull__container(request, job, errand.request);
  lull__errand_gone(&self->errand);
  lull__call_free(&self->call);
  free(self);
}

static const lull_wait job_wait = {"a thread", lull__cancel_request, lull__undo_request};

static int job_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_t *rt = (lull_t *)ctx;
  int owner = lua_gettop(L);
  job *self = lull__request(L, rt);
  if (self->refused)
    return lull__raise(L, rt, LULL_STATE_ERROR, "the pool was closed before the job started");
  int n = lull__call_outcome(L, rt, lull__desk(L), &self->call);
  lull__free_request(L, rt, &self->errand.request, owner);
  return n;
}

/* run(pool, f, ...) -> what f returns. A task that is to be cancelled starts nothing. */
static int run(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_desk *desk = lull__desk(L);
  lull_pool *pool = check_pool(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (pool->closed) return luaL_error(L, "the pool is closed");
  job *self = lull__new_errand(L, rt, sizeof *self, drop_job);
  lua_insert(L, 2); /* what owns it */
  const lull_dump *dump = lull__dump_of(L, &desk->border, 3, &self->call.parcel);
  lull__call_pack(L, desk, &self->call, 3, dump);
  int wanted = !(rt->current->f.o.flags & LULL_MUST_CANCEL);
  int error = wanted ? lull__pool_submit(pool, &self->errand) : 0;
  if (error < 0) return luaL_error(L, "cannot start a thread: %s", uv_strerror(error));
  return lull__await_request(L, rt, &self->errand.request, &job_wait, job_done);
}

/* ---- pools ---- */

static int pool_gc(lua_State *L) {
  handle *self = lua_touserdata(L, 1);
  if (self->pool == NULL) return 0;
  lull__pool_close(self->pool);
  lull__pool_unref(self->pool);
  self->pool = NULL;
  return 0;
}

/* new_pool(size, idle): idle is how many seconds a thread waits for work. */
static int new_pool(lua_State *L) {
  lull__rt(L);
  int size = (int)luaL_checkinteger(L, 1);
  double idle = luaL_checknumber(L, 2);
  handle *made = lua_newuserdatauv(L, sizeof *made, 0);
  made->pool = NULL;
  luaL_setmetatable(L, META);
  made->pool = lull__pool_new(L, lull__desk(L)->hub, &pool_kind, size, idle);
  return 1;
}

/* close_pool(pool): jobs whose turn has not come are refused. */
static int close_pool(lua_State *L) {
  lull__rt(L);
  lull__pool_close(check_pool(L));
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
  lull_pool *pool = check_pool(L);
  lull_errand *errand = lull__new_errand(L, rt, sizeof *errand, drop_wait);
  uv_mutex_lock(&pool->hub->lock);
  int waits = pool->threads > 0;
  if (waits) {
    lull__errand_count(errand, 1);
    lull__errand_queue(errand, &pool->waiters);
  }
  uv_mutex_unlock(&pool->hub->lock);
  if (!waits) return 0;
  lull__hub_update(pool->hub);
  return lull__await_request(L, rt, &errand->request, &end_wait, threads_ended);
}

static int parallelism(lua_State *L) {
#if UV_VERSION_HEX >= 0x012c00
  lua_pushinteger(L, uv_available_parallelism());
#else
  lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
#endif
  return 1;
}

static const luaL_Reg functions[] = {{"new_pool", new_pool},       {"run", run},
                                     {"close_pool", close_pool},   {"wait_pool", wait_pool},
                                     {"parallelism", parallelism}, {NULL, NULL}};

void lull__open_jobs(lua_State *L, lull_t *rt, lull_desk *desk) {
  luaL_newmetatable(L, META);
  lua_pushcfunction(L, pool_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lull__desk_functions(L, rt, desk, functions);
}
