/* The loop: clock, ready list, and turns. A turn fires the timers that are due, then runs what
 * was ready when it began. Turns run in a uv_prepare callback, so that whoever runs the libuv
 * loop (lull or its host) drives the tasks. While anything is ready an idle handle keeps the
 * loop from blocking; otherwise a uv_timer wakes it for the next deadline. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

/* Between two polls of the loop so many links run, for so long, and then the turn ends. */
#define POLL_STEPS 64
#define POLL_NS 200000

/* A deadlock cancels every task; so often may tasks swallow that and wait again. */
#define MAX_DEADLOCKS 100

/* So long a runtime that closes waits for requests to end. */
#define CLOSE_MS 200

struct lull_handles {
  uv_prepare_t prepare;
  uv_idle_t idle;
  uv_timer_t timer;
  uv_async_t async; /* wakes the loop from a signal handler */
  int open;
};

double lull__now(const lull_t *rt) {
  if (!rt->is_virtual) return (double)uv_hrtime() / 1e9;
  if (rt->flows_since == 0) return rt->virtual_now;
  return rt->virtual_now + (double)(uv_hrtime() - rt->flows_since) / 1e9;
}

static void on_idle(uv_idle_t *handle) {
  (void)handle;
}

/* A handle that has fired keeps the loop alive no longer: the idle handle does, for one turn. */
static void on_timer(uv_timer_t *handle) {
  uv_idle_start(&lull__container(handle, struct lull_handles, timer)->idle, on_idle);
}

static void on_async(uv_async_t *handle) {
  uv_idle_start(&lull__container(handle, struct lull_handles, async)->idle, on_idle);
}

/* Appends a link to the ready list; fn runs it in the next turn. */
void lull__ready(lull_t *rt, lull_link *link, lull_link_fn fn) {
  link->fn = fn;
  lull__list_append(&rt->ready, &link->node);
  if (rt->nready++ == 0 && !rt->in_turn && rt->handles) uv_idle_start(&rt->handles->idle, on_idle);
}

/* The same for a call whose time has come: it goes before the tasks whose time has come, as in
 * asyncio, where a sleep is a call that wakes its task one turn later. */
void lull__ready_due(lull_t *rt, lull_link *link, lull_link_fn fn) {
  link->fn = fn;
  lull__list_append(rt->last_due->next, &link->node);
  rt->last_due = &link->node;
  rt->nready++;
}

static void fire_timers(lua_State *L, lull_t *rt, uint64_t ns) {
  if (rt->heap.count == 0) return;
  rt->last_due = rt->ready.prev;
  double now = rt->is_virtual ? rt->virtual_now : (double)ns / 1e9;
  while (rt->heap.count > 0 && rt->heap.entries[0].when <= now) {
    lull_timer *timer = rt->heap.entries[0].timer;
    lull__timer_stop(rt, timer);
    timer->fire(L, rt, timer);
  }
}

static uint32_t run_ready(lua_State *L, lull_t *rt) {
  uint32_t count = rt->nready;
  for (uint32_t i = 0; i < count; i++) {
    lull_link *link = lull__container(rt->ready.next, lull_link, node);
    lull__list_remove(&link->node);
    rt->nready--;
    link->fn(L, rt, link);
  }
  return count;
}

/* Whether anything outside, a handle or request that is not ours, may still wake a task. */
static int outside_alive(lull_t *rt) {
  uv_handle_t *async = (uv_handle_t *)&rt->handles->async;
  int held = uv_has_ref(async);
  uv_unref(async);
  uv_unref((uv_handle_t *)&rt->handles->idle);
  uv_unref((uv_handle_t *)&rt->handles->timer);
  int alive = uv_loop_alive(rt->loop);
  if (held) uv_ref(async);
  uv_ref((uv_handle_t *)&rt->handles->idle);
  uv_ref((uv_handle_t *)&rt->handles->timer);
  return alive;
}

/* Whether another turn has something to do. If nothing is ready the virtual clock jumps to the next
 * timer, unless something outside may happen first. */
static int advance(lull_t *rt) {
  if (rt->nready > 0) return 1;
  if (!rt->is_virtual || rt->heap.count == 0) return 0;
  double when = rt->heap.entries[0].when;
  if (when <= rt->virtual_now) return 1;
  if (when == HUGE_VAL || outside_alive(rt)) return 0;
  rt->virtual_now = when;
  return 1;
}

static int over(const lull_t *rt) {
  return rt->stopping || rt->exit_code >= 0 || (rt->draining && rt->live == 0) ||
         (rt->until != NULL && rt->until->o.state != LULL_PENDING);
}

/* Turns, until the loop should poll again. */
static int turns(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  uint64_t begin = uv_hrtime(), now = begin;
  uint32_t steps = 0;
  luaL_checkstack(L, 2 * LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.anchors); /* at LULL_ANCHORS */
  do {
    if (steps > 0) now = uv_hrtime();
    fire_timers(L, rt, now);
    steps += run_ready(L, rt);
    if (rt->unawaited.collected) {
      lull__unawaited_scan(L, rt, 0);
      lull__tell_collected(L, rt);
    }
    if (over(rt) || rt->interrupts) break; /* who is interrupted shall not go on first */
  } while (advance(rt) && steps < POLL_STEPS && now - begin < POLL_NS);
  return 0;
}

/* Something in a turn ran out of memory: it is the running task that fails. */
static int fail_current(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull_task *task = rt->current;
  rt->current = NULL;
  rt->runner = NULL; /* there is no telling what is on its stack */
  if (task != NULL) lull__abandon(L, rt, task, 2);
  return 0;
}

/* Arms what wakes the loop next. */
static void arm(lull_t *rt) {
  struct lull_handles *handles = rt->handles;
  if (rt->nready > 0) {
    uv_idle_start(&handles->idle, on_idle);
    return;
  }
  uv_idle_stop(&handles->idle);
  int flows = rt->is_virtual && outside_alive(rt);
  if (flows) rt->flows_since = uv_hrtime();
  if (rt->heap.count == 0) {
    uv_timer_stop(&handles->timer);
    return;
  }
  double delay = rt->heap.entries[0].when - lull__now(rt);
  uint64_t ms = delay <= 0 ? 0 : delay > 1e9 ? (uint64_t)1e12 : (uint64_t)ceil(delay * 1e3);
  if (rt->is_virtual && !flows) ms = isinf(delay) ? (uint64_t)1e12 : 0;
  uv_update_time(rt->loop);
  uv_timer_start(&handles->timer, on_timer, ms, 0);
}

/* While the loop polls for something outside, the virtual clock goes on as the real one does. */
static void flow(lull_t *rt) {
  rt->virtual_now = lull__now(rt);
  rt->flows_since = 0;
}

static void on_prepare(uv_prepare_t *handle) {
  lull_t *rt = handle->data;
  lua_State *L = rt->L;
  if (rt->in_turn) return; /* Lua code runs the loop from within a task */
  flow(rt);
  lull__interrupt_check(L, rt);
  if (rt->nready > 0 || rt->heap.count > 0 || rt->unawaited.collected) {
    rt->in_turn = 1;
    rt->thread = uv_thread_self();
    int top = lua_gettop(L);
    lua_pushcfunction(L, turns);
    lua_pushlightuserdata(L, rt);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      lua_pushcfunction(L, fail_current);
      lua_pushlightuserdata(L, rt);
      lua_pushvalue(L, top + 1);
      if (lua_pcall(L, 2, 0, 0) != LUA_OK) rt->out_of_memory = 1;
    }
    lua_settop(L, top);
    rt->thread = 0;
    rt->in_turn = 0;
  }
  if (rt->handles != NULL) arm(rt);
}

static int stuck(const lull_t *rt) {
  return rt->nready == 0 && rt->heap.count == 0 && !uv_loop_alive(rt->loop);
}

static int deadlock(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  if (rt->error == NULL) {
    lull__push_deadlock(L, rt);
    lull__set_error(rt, lua_tostring(L, -1));
  }
  lull__cancel_all(L, rt, 0);
  rt->condemned = rt->last_id;
  return 0;
}

/* Runs the loop until a future is done, or (NULL) until it is stopped or has nothing left to do.
 * Gives 0 or an error code. */
int lull__drive(lua_State *L, lull_t *rt, lull_future *until) {
  lua_State *outer = rt->L;
  int deadlocks = 0;
  rt->L = L;
  rt->out_of_memory = 0;
  rt->driving = 1;
  rt->until = until;
  while (!over(rt) && !rt->out_of_memory && deadlocks < MAX_DEADLOCKS) {
    if (uv_run(rt->loop, UV_RUN_ONCE) || over(rt) || !stuck(rt)) continue;
    if (rt->live == 0 && (until == NULL || deadlocks > 0)) break;
    deadlocks++;
    lua_pushcfunction(L, deadlock);
    lua_pushlightuserdata(L, rt);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  rt->until = NULL;
  rt->driving = 0;
  rt->stopping = 0;
  if (rt->hooked != NULL) lull__interrupt_move(rt, NULL);
  rt->L = outer;
  if (rt->out_of_memory) return UV_ENOMEM;
  return deadlocks ? LULL_EDEADLOCK : 0;
}

static int cancel_all(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lull__cancel_all(L, rt, rt->condemned);
  return 0;
}

/* Cancels every task, but not those that a deadlock has cancelled already, and runs the loop
 * until they have unwound. */
int lull__drain(lua_State *L, lull_t *rt) {
  if (rt->live == 0) return 0;
  lua_pushcfunction(L, cancel_all);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
  rt->draining = 1;
  int status = lull__drive(L, rt, NULL);
  rt->draining = 0;
  rt->condemned = 0;
  return status;
}

static void on_close(uv_handle_t *handle) {
  struct lull_handles *handles = handle->data;
  if (--handles->open == 0) free(handles);
}

int lull__loop_init(lull_t *rt) {
  struct lull_handles *handles = calloc(1, sizeof *handles);
  if (handles == NULL) return UV_ENOMEM;
  int error = uv_async_init(rt->loop, &handles->async, on_async);
  if (error < 0) {
    free(handles);
    return error;
  }
  uv_prepare_init(rt->loop, &handles->prepare);
  uv_idle_init(rt->loop, &handles->idle);
  uv_timer_init(rt->loop, &handles->timer);
  handles->open = 4;
  handles->prepare.data = rt;
  uv_prepare_start(&handles->prepare, on_prepare);
  uv_unref((uv_handle_t *)&handles->prepare);
  uv_unref((uv_handle_t *)&handles->async);
  rt->handles = handles;
  return 0;
}

static void give_up(uv_timer_t *handle) {
  (void)handle;
}

/* Waits for requests that nobody waits for any more, but not for long: a name may take a minute
 * to resolve, a pipe for ever to open. */
static void wait_for_requests(lull_t *rt) {
  uv_timer_t *timer = &rt->handles->timer;
  uv_prepare_stop(&rt->handles->prepare);
  uv_idle_stop(&rt->handles->idle);
  uv_update_time(rt->loop);
  uv_timer_start(timer, give_up, CLOSE_MS, 0);
  while (!lull__list_empty(&rt->requests) && uv_is_active((uv_handle_t *)timer))
    uv_run(rt->loop, UV_RUN_ONCE);
}

/* Gives every handle back. Runs the loop until libuv has let go of them. */
void lull__loop_close(lull_t *rt) {
  struct lull_handles *handles = rt->handles;
  if (handles == NULL) return;
  wait_for_requests(rt);
  rt->handles = NULL;
  uv_handle_t *all[] = {(uv_handle_t *)&handles->prepare, (uv_handle_t *)&handles->idle,
                        (uv_handle_t *)&handles->timer, (uv_handle_t *)&handles->async};
  for (int i = 0; i < 4; i++) {
    all[i]->data = handles;
    uv_close(all[i], on_close);
  }
  uv_run(rt->loop, UV_RUN_NOWAIT);
}

void lull__wake_loop(lull_t *rt) {
  if (rt->handles != NULL) uv_async_send(&rt->handles->async);
}

/* Held, the loop waits for interrupts when there is nothing else to wait for. Counted. */
void lull__hold_loop(lull_t *rt, int on) {
  rt->holds += on ? 1 : -1;
  if (rt->handles == NULL) return;
  if (rt->holds > 0)
    uv_ref((uv_handle_t *)&rt->handles->async);
  else
    uv_unref((uv_handle_t *)&rt->handles->async);
}
