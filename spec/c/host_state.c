/* A runtime in a state of the host's: `require "lull"` works in it, and what is left of lull in
 * the state when the runtime is closed raises errors, and nothing worse. */
#include "check.h"

static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  CHECK(L != NULL);
  luaL_openlibs(L);
  return L;
}

static lull_t *new_in(lua_State *L, uv_loop_t *loop) {
  lull_options options;
  lull_options_init(&options);
  options.state = L;
  options.loop = loop;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  CHECK(lull_state(lull) == L);
  return lull;
}

static void lua_ok(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) == LUA_OK) return;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  exit(1);
}

static void works_in_it(void) {
  lua_State *L = new_state();
  lua_pushinteger(L, 7); /* the host's own things stay where they are */
  lull_t *lull = new_in(L, NULL);
  lull_t *second;
  lull_options options;
  lull_options_init(&options);
  options.state = L;
  CHECK(lull_new(&second, &options) == UV_EEXIST);
  CHECK(second == NULL);
  run_ok(lull, "local lull = require 'lull' lull.await(lull.sleep(0.001)) x = 1");
  lua_ok(L, "local lull = require 'lull' assert(lull.run(lull.sleep(0.001, 5)) == 5)");
  lull_close(lull);
  CHECK(lua_gettop(L) == 1 && lua_tointeger(L, 1) == 7);
  lua_ok(L, "assert(x == 1)");
  lua_close(L);
}

static const char make_values[] =
    "lull = require 'lull'\n"
    "values = {\n"
    "  lull.future(), lull.queue(), lull.priority_queue(), lull.lock(), lull.event(),\n"
    "  lull.condition(), lull.barrier(2), lull.loop(), lull.context_var('v'),\n"
    "  lull.async(print)(), lull.sleep(1), lull.create_task(function() error('oops') end),\n"
    "  lull.gather(), lull.loop():call_later(60, print), lull.loop():call_soon(print),\n"
    "  lull.current_task(), lull.timeout(60), lull.shield(lull.future()),\n"
    "}\n"
    "names = {'done', 'result', 'exception', 'set_result', 'set_exception', 'cancel', "
    "'cancelled',\n"
    "  'add_done_callback', 'remove_done_callback', 'get_name', 'set_name', 'cancelling',\n"
    "  'uncancel', 'traceback', 'put', 'get', 'put_nowait', 'get_nowait', 'qsize', 'maxsize',\n"
    "  'join', 'task_done', 'shutdown', 'acquire', 'release', 'locked', 'wait', 'set', 'clear',\n"
    "  'is_set', 'notify', 'notify_all', 'abort', 'reset', 'call_soon', 'call_later', 'call_at',\n"
    "  'run_until_complete', 'run_forever', 'stop', 'is_running', 'is_closed', 'close',\n"
    "  'set_exception_handler', 'time', 'expired', 'when', 'reschedule', 'iter', 'empty', 'full'}\n"
    "lull.create_task(function() lull.await(lull.event():wait()) end)\n"
    "stuck = coroutine.create(function() lull.await(values[1]) end)\n"
    "lull.create_task(function() coroutine.resume(stuck) end)\n"
    "lull.await(lull.sleep(0))\n";

/* Every function and every method, with arguments that suit some of them: errors at the most. */
static const char use_values[] =
    "local function call(f, ...)\n"
    "  local ok, err = pcall(f, ...)\n"
    "  if not ok then assert(type(err) == 'string' or type(err) == 'table', err) end\n"
    "  return not ok and tostring(err):find('closed', 1, true) ~= nil\n"
    "end\n"
    "local closed = 0\n"
    "local function count(said) if said then closed = closed + 1 end end\n"
    "local skip = {run = true, Error = true, errors = true}\n"
    "for name, f in pairs(lull) do\n"
    "  if type(f) == 'function' then\n"
    "    count(call(f))\n"
    "    count(call(f, 0.001))\n"
    "    count(call(f, function() end))\n"
    "    for _, value in ipairs(values) do count(call(f, value)) end\n"
    "    count(call(f, values))\n"
    "  end\n"
    "end\n"
    "for _, value in ipairs(values) do\n"
    "  for _, name in ipairs(names) do\n"
    "    local ok, method = pcall(function() return value[name] end)\n"
    "    if ok and type(method) == 'function' then\n"
    "      count(call(method, value))\n"
    "      count(call(method, value, 1))\n"
    "      count(call(method, value, print))\n"
    "    end\n"
    "  end\n"
    "  call(tostring, value)\n"
    "end\n"
    "assert(closed > 100, closed)\n"
    "for _, name in ipairs {'sleep', 'await', 'create_task', 'gather', 'queue', 'run'} do\n"
    "  assert(call(lull[name], function() end) or call(lull[name], 1), name)\n"
    "end\n"
    "assert(not coroutine.resume(stuck))\n"
    "assert(coroutine.wrap(function(...) return ... end)(3) == 3)\n"
    "assert(require('string') == string and not pcall(require, 'no.such.module'))\n"
    "collectgarbage() collectgarbage()\n";

static int warnings;

static void on_warning(void *data, const char *message) {
  (void)data;
  (void)message;
  warnings++;
}

static void leaves_closed_values_behind(void) {
  lua_State *L = new_state();
  lull_options options;
  lull_options_init(&options);
  options.state = L;
  options.warn = on_warning;
  lull_t *lull;
  CHECK(lull_new(&lull, &options) == 0);
  run_ok(lull, make_values);
  lull_close(lull);
  CHECK(warnings == 3); /* the task that failed, and the two coroutine objects */
  lua_ok(L, use_values);
  CHECK(lua_gettop(L) == 0);
  lull = new_in(L, NULL); /* and a new runtime is as good as the first */
  lua_ok(L, "assert(require('lull') ~= lull)");
  run_ok(lull, "local new = require 'lull' new.await(new.sleep(0.001))");
  lua_ok(L, "assert(not pcall(lull.sleep, 1))");
  lull_close(lull);
  lua_close(L);
  CHECK(warnings == 3);
}

static void may_be_closed_by_lua_close(uv_loop_t *loop) {
  lua_State *L = new_state();
  lull_t *lull = new_in(L, loop);
  run_ok(lull, "local lull = require 'lull'\n"
               "function task()\n"
               "  local _ <close> = setmetatable({}, {__close = function()\n"
               "    lull.await(lull.sleep(0.001))\n"
               "    io.open(os.getenv('LULL_SPEC_FILE'), 'w'):close()\n"
               "  end})\n"
               "  lull.await(lull.event():wait())\n"
               "end");
  char path[] = "/tmp/lull-spec-XXXXXX";
  CHECK(mkstemp(path) >= 0);
  CHECK(remove(path) == 0);
  setenv("LULL_SPEC_FILE", path, 1);
  CHECK(spawn(lull, "task") == 0);
  CHECK(lull_run(lull, 1) == LULL_EDEADLOCK);
  lua_close(L);
  CHECK(remove(path) == 0); /* the cleanup ran */
}

static void needs_no_lull_new(void) {
  lua_State *L = new_state();
  luaL_requiref(L, "lull", luaopen_lull, 0);
  lua_setglobal(L, "lull");
  lua_ok(L, "assert(lull.run(function() return lull.await(lull.sleep(0.001, 'x')) end) == 'x')");
  lua_close(L);
}

/* Runtimes come and go in one state; its registry does not grow. */
static void leaves_no_references(void) {
  lua_State *L = new_state();
  size_t before = 0;
  for (int i = 0; i < 200; i++) {
    lull_t *lull = new_in(L, NULL);
    run_ok(lull, "local lull = require 'lull' lull.await(lull.gather(lull.sleep(0)))");
    lull_close(lull);
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    size_t size = (size_t)lua_gc(L, LUA_GCCOUNT);
    if (i == 20) before = size;
    CHECK(i < 20 || size <= before + 2);
  }
  lua_close(L);
}

int main(void) {
  works_in_it();
  leaves_closed_values_behind();
  uv_loop_t loop;
  uv_loop_init(&loop);
  may_be_closed_by_lua_close(&loop);
  CHECK(uv_loop_close(&loop) == 0);
  may_be_closed_by_lua_close(NULL);
  needs_no_lull_new();
  leaves_no_references();
  return 0;
}
