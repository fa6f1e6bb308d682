/* Queues after asyncio's: first in first out, last in first out, or least first; bounded or not.
 * Items stay in the queue until the task that takes them runs, so none is ever in transit: a
 * getter that is woken looks again, and one that is cancelled then wakes the next. */
#include "internal.h"

enum { GET_OP = LULL_LESS + 1, PUT_OP, JOIN_OP }; /* user values: the spare ops */

typedef struct lull_queue {
  lull_object o;
  lull_store store;
  lua_Integer maxsize; /* 0: no bound */
  lua_Integer unfinished;
  lull_node getters, putters, joiners;
  int shut_down;
} lull_queue;

/* ---- waiting ---- */

static void wake_first(lull_t *rt, lull_node *waiters) {
  if (lull__list_empty(waiters)) return;
  lull_link *link = lull__container(waiters->next, lull_link, node);
  lull__list_remove(&link->node);
  lull__wake(rt, lull__container(link, lull_task, link));
}

static void wake_all(lull_t *rt, lull_node *waiters) {
  while (!lull__list_empty(waiters))
    wake_first(rt, waiters);
}

static int is_full(const lull_queue *queue) {
  return queue->maxsize > 0 && queue->store.count >= queue->maxsize;
}

static void pass_item_on(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  lull_queue *queue = task->subject;
  if (queue->store.count > 0) wake_first(rt, &queue->getters);
}

static void pass_room_on(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  lull_queue *queue = task->subject;
  if (!is_full(queue)) wake_first(rt, &queue->putters);
}

static const lull_wait get_wait = {"an item of a queue", lull__cancel_listed, pass_item_on};
static const lull_wait put_wait = {"room in a queue", lull__cancel_listed, pass_room_on};
static const lull_wait join_wait = {"a queue to be worked off", lull__cancel_listed, NULL};

static int raise_shut_down(lua_State *L, lull_t *rt) {
  return lull__raise(L, rt, LULL_SHUTDOWN_ERROR, "the queue is shut down");
}

static int take(lua_State *L, lull_t *rt, lull_queue *queue, int self) {
  queue->store.take(L, &queue->store, self);
  wake_first(rt, &queue->putters);
  return 1;
}

static void add(lua_State *L, lull_t *rt, lull_queue *queue, int self) {
  queue->store.add(L, &queue->store, self);
  queue->unfinished++;
  wake_first(rt, &queue->getters);
}

/* Comparisons may raise errors. A task that was woken passes its wake-up on before it fails. */
static int protected_take(lua_State *L) {
  lull_queue *queue = lua_touserdata(L, 1);
  return take(L, lua_touserdata(L, 2), queue, 1);
}

static int protected_add(lua_State *L) {
  lull_queue *queue = lua_touserdata(L, 1);
  lull_t *rt = lua_touserdata(L, 2);
  lua_remove(L, 2);
  add(L, rt, queue, 1);
  return 0;
}

static int take_again(lua_State *L, lull_t *rt, lull_queue *queue, int self) {
  if (queue->store.add != lull__add_to_heap) return take(L, rt, queue, self);
  lua_pushcfunction(L, protected_take);
  lua_pushvalue(L, self);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK) return 1;
  if (queue->store.count > 0) wake_first(rt, &queue->getters);
  return lua_error(L);
}

static void add_again(lua_State *L, lull_t *rt, lull_queue *queue, int self) {
  if (queue->store.add != lull__add_to_heap) {
    add(L, rt, queue, self);
    return;
  }
  lua_pushcfunction(L, protected_add);
  lua_pushvalue(L, self);
  lua_pushlightuserdata(L, rt);
  lua_pushvalue(L, -4);
  if (lua_pcall(L, 3, 0, 0) == LUA_OK) return;
  if (!is_full(queue)) wake_first(rt, &queue->putters);
  lua_error(L);
}

/* A task that was woken in vain goes back to its place, before those that came later. */
static lull_node *place_in(lull_node *list, uint32_t stamp) {
  lull_node *node = list->next;
  while (node != list) {
    const lull_link *link = lull__container(node, lull_link, node);
    if ((int32_t)(lull__container(link, lull_task, link)->stamp - stamp) > 0) break;
    node = node->next;
  }
  return node;
}

static int wait_in(lua_State *L, lull_t *rt, const lull_wait *wait, lull_queue *queue,
                   lull_node *list, lua_KFunction k, int again) {
  lull_task *task = rt->current;
  if (!again) task->stamp = ++rt->stamps;
  lull__wait_in(task, again ? place_in(list, task->stamp) : list);
  return lull__suspend(L, rt, wait, queue, k, (lua_KContext)rt);
}

/* The queue itself at index 1 means: for its iterator, which ends when the queue is shut down. */
static int try_get(lua_State *L, lull_t *rt, lull_queue *queue, int again);

static int get_again(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_t *rt = (lull_t *)ctx;
  lull_queue *queue = rt->current->subject;
  lull__woken(L, rt);
  return try_get(L, rt, queue, 1);
}

static int try_get(lua_State *L, lull_t *rt, lull_queue *queue, int again) {
  int iterates = lua_touserdata(L, 1) == queue;
  if (queue->store.count > 0) {
    int self = iterates ? 1 : 2;
    if (!iterates) lua_getiuservalue(L, 1, 1);
    return again ? take_again(L, rt, queue, self) : take(L, rt, queue, self);
  }
  if (queue->shut_down) return iterates ? 0 : raise_shut_down(L, rt);
  return wait_in(L, rt, &get_wait, queue, &queue->getters, get_again, again);
}

static int start_get(lua_State *L, lull_t *rt, lull_op *op) {
  return try_get(L, rt, op->subject, 0);
}

static int try_put(lua_State *L, lull_t *rt, lull_queue *queue, int again);

static int put_again(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull_t *rt = (lull_t *)ctx;
  lull_queue *queue = rt->current->subject;
  lull__woken(L, rt);
  return try_put(L, rt, queue, 1);
}

/* The queue is at index 2, the value at 3. */
static int try_put(lua_State *L, lull_t *rt, lull_queue *queue, int again) {
  if (queue->shut_down) return raise_shut_down(L, rt);
  if (is_full(queue)) return wait_in(L, rt, &put_wait, queue, &queue->putters, put_again, again);
  if (again)
    add_again(L, rt, queue, 2);
  else
    add(L, rt, queue, 2);
  return 0;
}

static int start_put(lua_State *L, lull_t *rt, lull_op *op) {
  lua_getiuservalue(L, 1, 1);
  lua_getiuservalue(L, 1, 2);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, 2);
  return try_put(L, rt, op->subject, 0);
}

static int join_again(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  return 0;
}

static int start_join(lua_State *L, lull_t *rt, lull_op *op) {
  lull_queue *queue = op->subject;
  if (queue->unfinished == 0) return 0;
  return wait_in(L, rt, &join_wait, queue, &queue->joiners, join_again, 0);
}

static const lull_op_kind get_kind = {"queue:get", start_get};
static const lull_op_kind put_kind = {"queue:put", start_put};
static const lull_op_kind join_kind = {"queue:join", start_join};

/* ---- methods ---- */

static lull_queue *check_queue(lua_State *L) {
  return lull__check(L, lull__rt(L), 1, LULL_QUEUE);
}

static void check_item(lua_State *L) {
  luaL_argcheck(L, !lua_isnoneornil(L, 2), 2, "nil cannot be put in a queue");
}

static int queue_get(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull__check(L, rt, 1, LULL_QUEUE);
  lull__push_op(L, rt, &get_kind, 1, GET_OP);
  return 1;
}

static int queue_put(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull__check(L, rt, 1, LULL_QUEUE);
  check_item(L);
  lull__push_op(L, rt, &put_kind, 1, PUT_OP);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 2);
  return 1;
}

static int queue_join(lua_State *L) {
  check_queue(L);
  lua_settop(L, 1);
  lull__push_op(L, lull__rt(L), &join_kind, 1, JOIN_OP);
  return 1;
}

static int queue_get_nowait(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_queue *queue = check_queue(L);
  if (queue->store.count > 0) return take(L, rt, queue, 1);
  if (queue->shut_down) return raise_shut_down(L, rt);
  return lull__raise(L, rt, LULL_EMPTY_ERROR, "the queue is empty");
}

static int queue_put_nowait(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_queue *queue = check_queue(L);
  check_item(L);
  lua_settop(L, 2);
  if (queue->shut_down) return raise_shut_down(L, rt);
  if (is_full(queue)) return lull__raise(L, rt, LULL_FULL_ERROR, "the queue is full");
  add(L, rt, queue, 1);
  return 0;
}

static int queue_task_done(lua_State *L) {
  lull_queue *queue = check_queue(L);
  if (queue->unfinished == 0) return luaL_error(L, "task_done was called too many times");
  if (--queue->unfinished == 0) wake_all(lull__rt(L), &queue->joiners);
  return 0;
}

static int queue_shutdown(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_queue *queue = check_queue(L);
  queue->shut_down = 1;
  if (lua_toboolean(L, 2)) {
    lua_newtable(L);
    lua_setiuservalue(L, 1, LULL_ITEMS);
    queue->unfinished -=
        queue->store.count < queue->unfinished ? queue->store.count : queue->unfinished;
    queue->store.count = queue->store.head = queue->store.capacity = 0;
    queue->store.changes++;
    if (queue->unfinished == 0) wake_all(rt, &queue->joiners);
  }
  wake_all(rt, &queue->getters);
  wake_all(rt, &queue->putters);
  return 0;
}

static int queue_qsize(lua_State *L) {
  lua_pushinteger(L, check_queue(L)->store.count);
  return 1;
}

static int queue_maxsize(lua_State *L) {
  lua_pushinteger(L, check_queue(L)->maxsize);
  return 1;
}

static int queue_empty(lua_State *L) {
  lua_pushboolean(L, check_queue(L)->store.count == 0);
  return 1;
}

static int queue_full(lua_State *L) {
  lua_pushboolean(L, is_full(check_queue(L)));
  return 1;
}

static int next_item(lua_State *L) {
  lull_queue *queue = check_queue(L);
  lull_t *rt = lull__rt(L);
  lull__require_task(L, rt);
  lua_settop(L, 1);
  return try_get(L, rt, queue, 0);
}

static int queue_iter(lua_State *L) {
  check_queue(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, next_item, 1);
  lua_pushvalue(L, 1);
  return 2;
}

static int queue_tostring(lua_State *L) {
  const lull_queue *queue = check_queue(L);
  lua_pushfstring(L, "queue (%I items%s)", (LUAI_UACINT)queue->store.count,
                  queue->shut_down ? ", shut down" : "");
  return 1;
}

static lull_queue *push_queue(lua_State *L) {
  lua_Integer maxsize = luaL_optinteger(L, 1, 0);
  luaL_argcheck(L, maxsize >= 0, 1, "a size from 0 (no bound) on expected");
  lull_queue *queue = lull__new_object(L, lull__rt(L), sizeof *queue, JOIN_OP, LULL_QUEUE);
  queue->maxsize = maxsize;
  queue->store.add = lull__add_last;
  queue->store.take = lull__take_first;
  lull__list_init(&queue->getters);
  lull__list_init(&queue->putters);
  lull__list_init(&queue->joiners);
  lua_newtable(L);
  lua_setiuservalue(L, -2, LULL_ITEMS);
  return queue;
}

static int new_queue(lua_State *L) {
  push_queue(L);
  return 1;
}

static int new_lifo_queue(lua_State *L) {
  push_queue(L)->store.take = lull__take_last;
  return 1;
}

static int new_priority_queue(lua_State *L) {
  int has_less = !lua_isnoneornil(L, 2);
  if (has_less) luaL_checktype(L, 2, LUA_TFUNCTION);
  lull_queue *queue = push_queue(L);
  queue->store.add = lull__add_to_heap;
  queue->store.take = lull__take_least;
  queue->store.has_less = has_less;
  if (has_less) {
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, LULL_LESS);
  }
  return 1;
}

static const luaL_Reg meta[] = {{"__tostring", queue_tostring}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"get", queue_get},
                                   {"put", queue_put},
                                   {"get_nowait", queue_get_nowait},
                                   {"put_nowait", queue_put_nowait},
                                   {"qsize", queue_qsize},
                                   {"maxsize", queue_maxsize},
                                   {"empty", queue_empty},
                                   {"full", queue_full},
                                   {"task_done", queue_task_done},
                                   {"join", queue_join},
                                   {"shutdown", queue_shutdown},
                                   {"iter", queue_iter},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"queue", new_queue},
                                     {"lifo_queue", new_lifo_queue},
                                     {"priority_queue", new_priority_queue},
                                     {NULL, NULL}};

void lull__open_queue(lua_State *L, lull_t *rt) {
  lull__new_meta(L, rt, LULL_QUEUE, meta, methods);
  lull__setfuncs(L, rt, functions);
}
