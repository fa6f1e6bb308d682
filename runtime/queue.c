/* Queues after asyncio's: first in first out, last in first out, or least first; bounded or not.
 * Items stay in the queue until the task that takes them runs, so none is ever in transit: a
 * getter that is woken looks again, and one that is cancelled then wakes the next. */
#include "internal.h"

enum { ITEMS = 1, LESS, GET_OP, PUT_OP, JOIN_OP }; /* user values */

typedef struct lull_queue {
  lull_object o;
  int (*take)(lua_State *L, struct lull_queue *queue, int self);
  void (*add)(lua_State *L, struct lull_queue *queue, int self);
  lua_Integer maxsize; /* 0: no bound */
  lua_Integer count, head, capacity;
  lua_Integer unfinished;
  lull_node getters, putters, joiners;
  uint32_t changes; /* counts what moved items of a heap */
  int shut_down, has_less;
} lull_queue;

/* ---- items: add takes the value on top of the stack, take pushes one ---- */

static void grow_ring(lua_State *L, lull_queue *queue, int self) {
  lua_Integer old = queue->capacity, capacity = old ? 2 * old : 16;
  int items = lua_gettop(L) + 1;
  lua_createtable(L, (int)capacity, 0); /* may run finalizers, which may use the queue */
  lua_getiuservalue(L, self, ITEMS);
  if (queue->capacity == old && queue->count == old) {
    for (lua_Integer i = 0; i < old; i++) {
      lua_rawgeti(L, items + 1, ((queue->head + i) & (old - 1)) + 1);
      lua_rawseti(L, items, i + 1);
    }
    lua_pushvalue(L, items);
    lua_setiuservalue(L, self, ITEMS);
    queue->head = 0;
    queue->capacity = capacity;
  }
  lua_settop(L, items - 1);
}

static void add_last(lua_State *L, lull_queue *queue, int self) {
  while (queue->count == queue->capacity)
    grow_ring(L, queue, self);
  lua_getiuservalue(L, self, ITEMS);
  lua_insert(L, -2);
  lua_rawseti(L, -2, ((queue->head + queue->count) & (queue->capacity - 1)) + 1);
  lua_pop(L, 1);
  queue->count++;
}

/* Leaves the table of items below the value. */
static int take_at(lua_State *L, int self, lua_Integer position) {
  lua_getiuservalue(L, self, ITEMS);
  lua_rawgeti(L, -1, position);
  lua_pushnil(L);
  lua_rawseti(L, -3, position);
  return 1;
}

static int take_first(lua_State *L, lull_queue *queue, int self) {
  take_at(L, self, queue->head + 1);
  queue->head = (queue->head + 1) & (queue->capacity - 1);
  queue->count--;
  return 1;
}

static int take_last(lua_State *L, lull_queue *queue, int self) {
  queue->count--;
  return take_at(L, self, ((queue->head + queue->count) & (queue->capacity - 1)) + 1);
}

/* Whether the value at index a of the stack goes before the one at b. */
static int before(lua_State *L, const lull_queue *queue, int self, int a, int b) {
  if (!queue->has_less) return lua_compare(L, a, b, LUA_OPLT);
  lua_getiuservalue(L, self, LESS);
  lua_pushvalue(L, a);
  lua_pushvalue(L, b);
  lua_call(L, 2, 1);
  int result = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return result;
}

static void check_unchanged(lua_State *L, lull_queue *queue, uint32_t changes) {
  if (queue->changes != changes) luaL_error(L, "the order function of a queue changed the queue");
  queue->changes++;
}

/* The heap: comparisons may raise errors, so all of them are made before anything is moved. */
static void add_to_heap(lua_State *L, lull_queue *queue, int self) {
  int value = lua_gettop(L), items = value + 1;
  uint32_t changes = queue->changes;
  lua_getiuservalue(L, self, ITEMS);
  lua_Integer place = queue->count + 1, hole = place;
  while (hole > 1) {
    lua_rawgeti(L, items, hole / 2);
    int up = before(L, queue, self, value, items + 1);
    lua_pop(L, 1);
    if (!up) break;
    hole /= 2;
  }
  check_unchanged(L, queue, changes);
  lua_pushvalue(L, value); /* makes room, which may fail, before anything moves */
  lua_rawseti(L, items, place);
  for (; place > hole; place /= 2) {
    lua_rawgeti(L, items, place / 2);
    lua_rawseti(L, items, place);
  }
  lua_pushvalue(L, value);
  lua_rawseti(L, items, hole);
  lua_settop(L, value - 1);
  queue->count++;
}

static int take_least(lua_State *L, lull_queue *queue, int self) {
  lua_Integer path[64];
  int depth = 0, base = lua_gettop(L), items = base + 1, last = base + 2;
  lua_Integer n = queue->count - 1, hole = 1;
  uint32_t changes = queue->changes;
  lua_getiuservalue(L, self, ITEMS);
  lua_rawgeti(L, items, queue->count);
  while (2 * hole <= n) {
    lua_Integer child = 2 * hole;
    lua_rawgeti(L, items, child);
    if (child < n) {
      lua_rawgeti(L, items, child + 1);
      if (before(L, queue, self, last + 2, last + 1)) {
        child++;
        lua_replace(L, last + 1);
      }
      lua_settop(L, last + 1);
    }
    int down = before(L, queue, self, last + 1, last);
    lua_pop(L, 1);
    if (!down) break;
    path[depth++] = hole = child;
  }
  check_unchanged(L, queue, changes);
  lua_rawgeti(L, items, 1);
  hole = 1;
  for (int i = 0; i < depth; i++) {
    lua_rawgeti(L, items, path[i]);
    lua_rawseti(L, items, hole);
    hole = path[i];
  }
  lua_pushvalue(L, last);
  lua_rawseti(L, items, hole);
  lua_pushnil(L);
  lua_rawseti(L, items, queue->count--);
  lua_replace(L, items);
  lua_settop(L, items);
  return 1;
}

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
  return queue->maxsize > 0 && queue->count >= queue->maxsize;
}

static void pass_item_on(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  lull_queue *queue = task->subject;
  if (queue->count > 0) wake_first(rt, &queue->getters);
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
  queue->take(L, queue, self);
  wake_first(rt, &queue->putters);
  return 1;
}

static void add(lua_State *L, lull_t *rt, lull_queue *queue, int self) {
  queue->add(L, queue, self);
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
  if (queue->add != add_to_heap) return take(L, rt, queue, self);
  lua_pushcfunction(L, protected_take);
  lua_pushvalue(L, self);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK) return 1;
  if (queue->count > 0) wake_first(rt, &queue->getters);
  return lua_error(L);
}

static void add_again(lua_State *L, lull_t *rt, lull_queue *queue, int self) {
  if (queue->add != add_to_heap) {
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
  if (queue->count > 0) {
    if (!iterates) lua_getiuservalue(L, 1, 1);
    int self = lua_gettop(L);
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
  lua_settop(L, 3);
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
  lua_settop(L, 2);
}

static int queue_get(lua_State *L) {
  check_queue(L);
  lua_settop(L, 1);
  lull__push_op(L, lull__rt(L), &get_kind, 1, GET_OP);
  return 1;
}

static int queue_put(lua_State *L) {
  check_queue(L);
  check_item(L);
  lull__push_op(L, lull__rt(L), &put_kind, 1, PUT_OP);
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
  if (queue->count > 0) return take(L, rt, queue, 1);
  if (queue->shut_down) return raise_shut_down(L, rt);
  return lull__raise(L, rt, LULL_EMPTY_ERROR, "the queue is empty");
}

static int queue_put_nowait(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_queue *queue = check_queue(L);
  check_item(L);
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
    lua_setiuservalue(L, 1, ITEMS);
    queue->unfinished -= queue->count < queue->unfinished ? queue->count : queue->unfinished;
    queue->count = queue->head = queue->capacity = 0;
    queue->changes++;
    if (queue->unfinished == 0) wake_all(rt, &queue->joiners);
  }
  wake_all(rt, &queue->getters);
  wake_all(rt, &queue->putters);
  return 0;
}

static int queue_qsize(lua_State *L) {
  lua_pushinteger(L, check_queue(L)->count);
  return 1;
}

static int queue_maxsize(lua_State *L) {
  lua_pushinteger(L, check_queue(L)->maxsize);
  return 1;
}

static int queue_empty(lua_State *L) {
  lua_pushboolean(L, check_queue(L)->count == 0);
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
  lua_pushfstring(L, "queue (%I items%s)", (LUAI_UACINT)queue->count,
                  queue->shut_down ? ", shut down" : "");
  return 1;
}

static lull_queue *push_queue(lua_State *L) {
  lua_Integer maxsize = luaL_optinteger(L, 1, 0);
  luaL_argcheck(L, maxsize >= 0, 1, "a size from 0 (no bound) on expected");
  lull_queue *queue = lull__new_object(L, lull__rt(L), sizeof *queue, JOIN_OP, LULL_QUEUE);
  queue->maxsize = maxsize;
  queue->add = add_last;
  queue->take = take_first;
  lull__list_init(&queue->getters);
  lull__list_init(&queue->putters);
  lull__list_init(&queue->joiners);
  lua_newtable(L);
  lua_setiuservalue(L, -2, ITEMS);
  return queue;
}

static int new_queue(lua_State *L) {
  push_queue(L);
  return 1;
}

static int new_lifo_queue(lua_State *L) {
  push_queue(L)->take = take_last;
  return 1;
}

static int new_priority_queue(lua_State *L) {
  int has_less = !lua_isnoneornil(L, 2);
  if (has_less) luaL_checktype(L, 2, LUA_TFUNCTION);
  lull_queue *queue = push_queue(L);
  queue->add = add_to_heap;
  queue->take = take_least;
  queue->has_less = has_less;
  if (has_less) {
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, LESS);
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
