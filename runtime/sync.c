/* Locks, semaphores and events, after asyncio's. A release hands its permit to the first waiter
 * directly, so nobody can overtake; a waiter that is cancelled with a permit in hand passes it
 * on. Conditions and barriers are made of these, in Lua. */
#include "internal.h"

enum { ACQUIRE_OP = 1, WAIT_OP = 1 }; /* user values: the spare ops */

typedef struct lull_semaphore {
  lull_object o;
  lua_Integer value, bound; /* bound: no more permits than this; 1 for a lock */
  lull_node waiters;
  uint64_t holder, last_holder; /* each guard gets a number of its own */
  int is_lock;
} lull_semaphore;

/* What acquire gives: closing it releases. */
typedef struct lull_guard {
  lull_object o;
  lull_semaphore *semaphore;
  uint64_t holder; /* when a lock was released by name, its guard has nothing left to do */
} lull_guard;

static lull_task *first_waiter(lull_node *waiters) {
  return lull__container(lull__container(waiters->next, lull_link, node), lull_task, link);
}

static void release(lull_t *rt, lull_semaphore *semaphore) {
  semaphore->holder = 0;
  if (lull__list_empty(&semaphore->waiters)) {
    semaphore->value++;
    return;
  }
  lull_task *task = first_waiter(&semaphore->waiters);
  lull__list_remove(&task->link.node);
  lull__wake(rt, task);
}

static void give_back(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  release(rt, task->subject);
}

static const lull_wait lock_wait = {"a lock", lull__cancel_listed, give_back};
static const lull_wait semaphore_wait = {"a semaphore", lull__cancel_listed, give_back};

/* Pushes the guard of the op at index 1. It guards nothing yet. */
static lull_guard *push_guard(lua_State *L, lull_t *rt, lull_semaphore *semaphore) {
  lull_guard *guard = lull__new_object(L, rt, sizeof *guard, 1, LULL_GUARD);
  guard->semaphore = semaphore;
  guard->o.state = LULL_CONSUMED;
  lua_getiuservalue(L, 1, 1);
  lua_setiuservalue(L, -2, 1);
  return guard;
}

static int arm(lull_guard *guard) {
  guard->o.state = LULL_PENDING;
  guard->holder = guard->semaphore->holder = ++guard->semaphore->last_holder;
  return 1;
}

static int acquired(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  return arm(lua_touserdata(L, -1));
}

/* The guard comes first: to make it may fail, and may run a finalizer that releases. */
static int start_acquire(lua_State *L, lull_t *rt, lull_op *op) {
  lull_semaphore *semaphore = op->subject;
  lull_guard *guard = push_guard(L, rt, semaphore);
  if (semaphore->value > 0) {
    semaphore->value--;
    return arm(guard);
  }
  lull__wait_in(rt->current, &semaphore->waiters);
  return lull__suspend(L, rt, semaphore->is_lock ? &lock_wait : &semaphore_wait, semaphore,
                       acquired, (lua_KContext)rt);
}

static const lull_op_kind acquire_kind = {"acquire", start_acquire};

static lull_semaphore *check_semaphore(lua_State *L) {
  return lull__check(L, lull__rt(L), 1, LULL_SEMAPHORE);
}

static int semaphore_acquire(lua_State *L) {
  check_semaphore(L);
  lua_settop(L, 1);
  lull__push_op(L, lull__rt(L), &acquire_kind, 1, ACQUIRE_OP);
  return 1;
}

static void check_release(lua_State *L, lull_semaphore *semaphore) {
  if (semaphore->value >= semaphore->bound)
    luaL_error(L, semaphore->is_lock ? "the lock is not acquired"
                                     : "the semaphore was released too many times");
  release(lull__rt(L), semaphore);
}

static int semaphore_release(lua_State *L) {
  check_release(L, check_semaphore(L));
  return 0;
}

static int semaphore_locked(lua_State *L) {
  lua_pushboolean(L, check_semaphore(L)->value == 0);
  return 1;
}

static int semaphore_tostring(lua_State *L) {
  const lull_semaphore *semaphore = check_semaphore(L);
  if (semaphore->is_lock)
    lua_pushfstring(L, "lock (%s)", semaphore->value ? "unlocked" : "locked");
  else
    lua_pushfstring(L, "semaphore (%I left)", (LUAI_UACINT)semaphore->value);
  return 1;
}

static int push_semaphore(lua_State *L, lua_Integer value, lua_Integer bound, int is_lock) {
  lull_semaphore *semaphore =
      lull__new_object(L, lull__rt(L), sizeof *semaphore, 1, LULL_SEMAPHORE);
  semaphore->value = value;
  semaphore->bound = bound;
  semaphore->is_lock = is_lock;
  lull__list_init(&semaphore->waiters);
  return 1;
}

static lua_Integer check_value(lua_State *L) {
  lua_Integer value = luaL_optinteger(L, 1, 1);
  luaL_argcheck(L, value >= 0, 1, "a number of permits from 0 on expected");
  return value;
}

static int new_lock(lua_State *L) {
  return push_semaphore(L, 1, 1, 1);
}

static int new_semaphore(lua_State *L) {
  return push_semaphore(L, check_value(L), LUA_MAXINTEGER, 0);
}

static int new_bounded_semaphore(lua_State *L) {
  lua_Integer value = check_value(L);
  return push_semaphore(L, value, value, 0);
}

/* ---- guards ---- */

static int guard_close(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_guard *guard = lull__check(L, rt, 1, LULL_GUARD);
  if (guard->o.state != LULL_PENDING) return 0;
  guard->o.state = LULL_CONSUMED;
  if (guard->semaphore->is_lock && guard->holder != guard->semaphore->holder) return 0;
  check_release(L, guard->semaphore);
  return 0;
}

/* lock_holder(lock [, holder]): who holds the lock; a condition, which releases it for a while,
 * puts the old holder back, so that its guard still works. */
static int lock_holder(lua_State *L) {
  lull_semaphore *semaphore = check_semaphore(L);
  if (!lua_isnoneornil(L, 2)) semaphore->holder = (uint64_t)luaL_checkinteger(L, 2);
  lua_pushinteger(L, (lua_Integer)semaphore->holder);
  return 1;
}

/* ---- events ---- */

typedef struct lull_event {
  lull_object o;
  lull_node waiters;
  int is_set;
} lull_event;

static const lull_wait event_wait = {"an event", lull__cancel_listed, NULL};

static int event_happened(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  lua_pushboolean(L, 1);
  return 1;
}

static int start_wait(lua_State *L, lull_t *rt, lull_op *op) {
  lull_event *event = op->subject;
  if (event->is_set) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lull__wait_in(rt->current, &event->waiters);
  return lull__suspend(L, rt, &event_wait, event, event_happened, (lua_KContext)rt);
}

static const lull_op_kind wait_kind = {"wait", start_wait};

static lull_event *check_event(lua_State *L) {
  return lull__check(L, lull__rt(L), 1, LULL_EVENT);
}

static int event_wait_method(lua_State *L) {
  check_event(L);
  lua_settop(L, 1);
  lull__push_op(L, lull__rt(L), &wait_kind, 1, WAIT_OP);
  return 1;
}

static int event_set(lua_State *L) {
  lull_event *event = check_event(L);
  event->is_set = 1;
  while (!lull__list_empty(&event->waiters)) {
    lull_task *task = first_waiter(&event->waiters);
    lull__list_remove(&task->link.node);
    lull__wake(lull__rt(L), task);
  }
  return 0;
}

static int event_clear(lua_State *L) {
  check_event(L)->is_set = 0;
  return 0;
}

static int event_is_set(lua_State *L) {
  lua_pushboolean(L, check_event(L)->is_set);
  return 1;
}

static int event_tostring(lua_State *L) {
  lua_pushfstring(L, "event (%s)", check_event(L)->is_set ? "set" : "not set");
  return 1;
}

static int new_event(lua_State *L) {
  lull_event *event = lull__new_object(L, lull__rt(L), sizeof *event, 1, LULL_EVENT);
  lull__list_init(&event->waiters);
  return 1;
}

static const luaL_Reg semaphore_meta[] = {{"__tostring", semaphore_tostring}, {NULL, NULL}};

static const luaL_Reg semaphore_methods[] = {{"acquire", semaphore_acquire},
                                             {"release", semaphore_release},
                                             {"locked", semaphore_locked},
                                             {NULL, NULL}};

static int guard_tostring(lua_State *L) {
  const lull_guard *guard = lull__check(L, lull__rt(L), 1, LULL_GUARD);
  const lull_semaphore *semaphore = guard->semaphore;
  int held =
      guard->o.state == LULL_PENDING && (!semaphore->is_lock || guard->holder == semaphore->holder);
  lua_pushfstring(L, "guard of a %s (%s)", semaphore->is_lock ? "lock" : "semaphore",
                  held ? "held" : "released");
  return 1;
}

static const luaL_Reg guard_meta[] = {
    {"__close", guard_close}, {"__tostring", guard_tostring}, {NULL, NULL}};

static const luaL_Reg guard_methods[] = {{"release", guard_close}, {NULL, NULL}};

static const luaL_Reg event_meta[] = {{"__tostring", event_tostring}, {NULL, NULL}};

static const luaL_Reg event_methods[] = {{"wait", event_wait_method},
                                         {"set", event_set},
                                         {"clear", event_clear},
                                         {"is_set", event_is_set},
                                         {NULL, NULL}};

static const luaL_Reg functions[] = {{"lock", new_lock},
                                     {"semaphore", new_semaphore},
                                     {"bounded_semaphore", new_bounded_semaphore},
                                     {"event", new_event},
                                     {"lock_holder", lock_holder},
                                     {NULL, NULL}};

void lull__open_sync(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_SEMAPHORE, semaphore_meta, semaphore_methods);
  lull__new_meta(L, rt, LULL_GUARD, guard_meta, guard_methods);
  lull__new_meta(L, rt, LULL_EVENT, event_meta, event_methods);
  lull__setfuncs(L, rt, functions);
}
