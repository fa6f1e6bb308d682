/* Making and closing runtimes. The runtime is a userdata of its Lua state, held by the registry
 * and by every function of lull: whatever is called after it was closed finds it, closed. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define NREFS (sizeof(lull_refs) / sizeof(int))

static const char key; /* its address is the runtime's place in the registry */

lull_t *lull__from_state(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  lull_t *rt = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return rt;
}

void lull__set_error(lull_t *rt, const char *message) {
  free(rt->error);
  rt->error = message ? strdup(message) : NULL;
}

/* ---- attaching a runtime to a Lua state ---- */

static int new_table_ref(lua_State *L) {
  lua_newtable(L);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int new_slot(lua_State *L) {
  lua_pushboolean(L, 0);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_refs(lua_State *L, lull_t *rt) {
  rt->refs.anchors = new_table_ref(L);
  rt->refs.pool = new_table_ref(L);
  rt->refs.boxes = new_table_ref(L);
  rt->refs.rethrown = new_table_ref(L);
  rt->refs.unlooked = new_table_ref(L);
  rt->refs.errors = new_slot(L);
  rt->refs.runner = new_slot(L);
  rt->refs.context = new_slot(L);
  rt->refs.handler = new_slot(L);
  rt->refs.callback_traceback = new_slot(L);
  lull__unawaited_init(L, rt);
}

static void open_core(lua_State *L, lull_t *rt) {
  lua_createtable(L, 0, 48);
  lull__open_op(L, rt);
  lull__open_error(L, rt);
  lull__open_future(L, rt);
  lull__open_async(L, rt);
  lull__open_task(L, rt);
  lull__open_await(L, rt);
  lull__open_gather(L, rt);
  lull__open_sleep(L, rt);
  lull__open_handle(L, rt);
  lull__open_scope(L, rt);
  lull__open_queue(L, rt);
  lull__open_sync(L, rt);
  lull__open_poll(L, rt);
  lull__open_waiting(L, rt);
  lull__open_run(L, rt);
  lull__open_modules(L, rt);
  lua_pushliteral(L, LULL_VERSION);
  lua_setfield(L, -2, "version");
  rt->refs.core = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int close_runtime(lull_t *rt);

/* The state is being closed with the runtime in it. */
static int runtime_gc(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  if (!rt->closed) close_runtime(rt);
  return 0;
}

/* attach(options, out): fills the state. Runs protected, for its errors are of memory. */
static int attach(lua_State *L) {
  const lull_options *options = lua_touserdata(L, 1);
  lull_t **out = lua_touserdata(L, 2);
  lull_t *rt = lua_newuserdatauv(L, sizeof *rt, 0);
  memset(rt, 0, sizeof *rt);
  rt->closed = 1; /* until it is whole */
  for (size_t i = 0; i < NREFS; i++)
    ((int *)&rt->refs)[i] = LUA_NOREF;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, runtime_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  rt->refs.runtime = luaL_ref(L, LUA_REGISTRYINDEX);
  *out = rt;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  rt->main = rt->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  rt->debug = (uint8_t)options->debug;
  rt->is_virtual = (uint8_t)options->virtual_clock;
  rt->main_is_script = (uint8_t)options->main_is_script;
  rt->warn = options->warn;
  rt->warn_data = options->warn_data;
  rt->strict = &rt->no_limit;
  rt->exit_code = -1;
  rt->virtual_now = 0;
  lull__list_init(&rt->ready);
  lull__list_init(&rt->requests);
  lull__list_init(&rt->closers);
  make_refs(L, rt);
  open_core(L, rt);
  lull__open_coroutine(L, rt);
  lull__preload(L, 0);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  lull__require(L, "lull.require"); /* at once: the first module may already await */
  lua_setglobal(L, "require");
  return 0;
}

/* detach(rt): leaves nothing of the runtime in a state of the host's but its metatables and
 * functions, which know that it is closed. Runs protected. */
static int detach(lua_State *L) {
  lull_t *rt = lua_touserdata(L, 1);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  for (size_t i = 0; i < NREFS; i++)
    luaL_unref(L, LUA_REGISTRYINDEX, ((int *)&rt->refs)[i]);
  lull__preload(L, 1);
  return 0;
}

static void call_protected(lua_State *L, lull_t *rt, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

/* ---- the public functions ---- */

void lull_options_init(lull_options *options) {
  *options = (lull_options){0};
}

/* What is malloc's. */
static void free_tables(lull_t *rt) {
  lull__unawaited_free(rt);
  free(rt->heap.entries);
  rt->heap = (lull_heap){0};
  free(rt->error);
  rt->error = NULL;
  free(rt->free_anchors);
  rt->free_anchors = NULL;
  rt->nanchors = rt->nfree_anchors = rt->anchors_capacity = 0;
  free(rt->watched);
  rt->watched = NULL;
  rt->watched_capacity = 0;
}

static void free_parts(lua_State *own_state, struct lull_memory *memory, uv_loop_t *own_loop) {
  if (own_state != NULL) lua_close(own_state);
  lull__memory_free(memory);
  if (own_loop == NULL) return;
  uv_loop_close(own_loop);
  free(own_loop);
}

int lull_new(lull_t **out, const lull_options *options) {
  lull_options defaults;
  lull_options_init(&defaults);
  if (options == NULL) options = &defaults;
  *out = NULL;
  if (options->state != NULL && lull__from_state(options->state) != NULL) return UV_EEXIST;
  struct lull_memory *memory = NULL;
  lua_State *own_state = NULL;
  uv_loop_t *own_loop = NULL;
  lull_t *rt = NULL;
  int error = UV_ENOMEM;
  if (options->loop == NULL) {
    own_loop = malloc(sizeof *own_loop);
    if (own_loop == NULL) goto fail;
    error = uv_loop_init(own_loop);
    if (error < 0) {
      free(own_loop);
      own_loop = NULL;
      goto fail;
    }
    error = UV_ENOMEM;
  }
  if (options->state == NULL) {
    memory = lull__memory_new(options->memory_limit);
    if (memory == NULL) goto fail;
    *lull__strict(memory) = 1;
    own_state = lull__new_state(memory, options);
    if (own_state == NULL) goto fail;
  }
  lua_State *L = own_state ? own_state : options->state;
  if (!lua_checkstack(L, 4)) goto fail;
  lua_pushcfunction(L, attach);
  lua_pushlightuserdata(L, (void *)options);
  lua_pushlightuserdata(L, &rt);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    goto fail;
  }
  rt->loop = own_loop ? own_loop : options->loop;
  rt->owns_loop = own_loop != NULL;
  rt->owns_state = own_state != NULL;
  rt->memory = memory;
  if (memory != NULL) {
    rt->strict = lull__strict(memory);
    *rt->strict = 0;
  }
  error = lull__loop_init(rt);
  if (error < 0) goto fail;
  rt->closed = 0;
  rt->opened = 1;
  *out = rt;
  return 0;
fail:
  if (rt != NULL && own_state == NULL) {
    call_protected(options->state, rt, detach);
    free_tables(rt);
  }
  free_parts(own_state, memory, own_loop);
  return error;
}

static int report_unawaited(lua_State *L) {
  lull__unawaited_scan(L, lua_touserdata(L, 1), 1);
  return 0;
}

/* The closer is called when the runtime closes, once its tasks are gone. */
void lull__at_close(lull_t *rt, lull_closer *closer) {
  lull__list_append(&rt->closers, &closer->node);
}

static void close_bindings(lull_t *rt) {
  while (!lull__list_empty(&rt->closers)) {
    lull_closer *closer = lull__container(rt->closers.prev, lull_closer, node);
    lull__list_remove(&closer->node);
    closer->close(closer);
  }
}

/* Everything but the state and the runtime itself, which belongs to the state. Requests that do
 * not end write to the loop when they do: it is left to them. */
static int close_runtime(lull_t *rt) {
  lua_State *L = rt->main;
  lua_checkstack(L, 4);
  rt->exit_code = -1;
  rt->main_task = NULL;
  lull__drain(L, rt);
  call_protected(L, rt, lull__tell_unlooked);
  call_protected(L, rt, report_unawaited);
  rt->closed = 1;
  close_bindings(rt);
  lull__loop_close(rt);
  int left = rt->stuck || !lull__list_empty(&rt->requests);
  lull__forget_requests(rt);
  if (!rt->owns_state) call_protected(L, rt, detach);
  free_tables(rt);
  if (rt->owns_loop && uv_loop_close(rt->loop) == 0) free(rt->loop);
  if (rt->owns_loop) rt->loop = NULL;
  return left ? UV_EBUSY : 0;
}

int lull_close(lull_t *rt) {
  if (rt == NULL || rt->closed) return 0;
  if (rt->in_turn || rt->driving) return LULL_EBUSY;
  struct lull_memory *memory = rt->memory;
  lua_State *own_state = rt->owns_state ? rt->main : NULL;
  int status = close_runtime(rt);
  if (own_state != NULL) lua_close(own_state);
  lull__memory_free(memory);
  return status;
}

lua_State *lull_state(lull_t *rt) {
  return rt->main;
}

uv_loop_t *lull_loop(lull_t *rt) {
  return rt->loop;
}

const char *lull_error(lull_t *rt) {
  return rt->error ? rt->error : "";
}

int lull_exit_code(lull_t *rt) {
  return rt->exit_code;
}

const char *lull_version(void) {
  return LULL_VERSION;
}

const char *lull_strerror(int code) {
  switch (code) {
  case LULL_ESCRIPT:
    return "the script failed";
  case LULL_ESYNTAX:
    return "the script does not parse";
  case LULL_EDEADLOCK:
    return "every task waits and nothing can wake one";
  case LULL_EINTERRUPTED:
    return "interrupted";
  case LULL_EEXIT:
    return "the script asked to exit";
  case LULL_EBUSY:
    return "the runtime is running already";
  default:
    return code == 0 ? "success" : uv_strerror(code);
  }
}

LULL_API int luaopen_lull(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  if (rt == NULL) {
    lull_options options;
    lull_options_init(&options);
    options.state = L;
    int error = lull_new(&rt, &options);
    if (error < 0) return luaL_error(L, "cannot start lull: %s", lull_strerror(error));
  }
  return lull__require(L, "lull");
}
