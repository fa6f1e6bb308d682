/* What Lua has of the line editor. Each of edit, accept and replace gives an order and waits for
 * what comes of it: an event's name, and with "enter", "newline" and "complete" the line and the
 * cursor's place in it, bytes before it; these want an answer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prompt.h"

#define EDITOR "lull line editor"

/* ---- life ---- */

static void release(prompt_editor *e) {
  if (--e->refs > 0) return;
  prompt_close_screen(e);
  if (e->out >= 0) close(e->out);
  prompt_capture_close(e);
  for (int i = 0; i < 2; i++)
    if (e->wake[i] >= 0) close(e->wake[i]);
  uv_cond_destroy(&e->idle);
  uv_mutex_destroy(&e->lock);
  free(e);
}

static void on_closed(uv_handle_t *handle) {
  release(handle->data);
}

/* A handle was opened: it has the editor now. */
static void opened(prompt_editor *e, uv_handle_t *handle) {
  handle->data = e;
  e->refs++;
  uv_unref(handle);
}

static void close_editor(prompt_editor *e) {
  uv_handle_t *handles[] = {(uv_handle_t *)&e->async, (uv_handle_t *)&e->resized,
                            (uv_handle_t *)&e->continued};
  if (e->owner != NULL) *e->owner = NULL;
  prompt_stop(e);
  for (int i = 0; i < 3; i++)
    if (handles[i]->data != NULL) uv_close(handles[i], on_closed);
  release(e);
}

static void close_with_runtime(lull_closer *closer) {
  close_editor(lull__container(closer, prompt_editor, closer));
}

static void leave(lull_closer *closer) {
  prompt_stop(lull__container(closer, prompt_editor, closer));
}

/* Whoever waits for an event takes it; Ctrl-C is for what the prompt runs. There is no event if it
 * came of an order that was given up. */
static void on_event(uv_async_t *handle) {
  prompt_editor *e = handle->data;
  if (e->task != NULL && prompt_has_event(e)) {
    lull__wake(e->rt, e->task);
    e->task = NULL;
    uv_unref((uv_handle_t *)handle);
  }
  if (prompt_take_interrupt(e)) lull__interrupt_task(e->rt, e->runner);
}

static void on_signal(uv_signal_t *handle, int signum) {
  prompt_screen_changed(handle->data, signum == SIGCONT);
}

static int start_signal(prompt_editor *e, uv_signal_t *handle, int signum) {
  int error = uv_signal_init(e->rt->loop, handle);
  if (error < 0) return error;
  opened(e, (uv_handle_t *)handle);
  return uv_signal_start(handle, on_signal, signum);
}

static int open_handles(prompt_editor *e) {
  int error = uv_async_init(e->rt->loop, &e->async, on_event);
  if (error < 0) return error;
  opened(e, (uv_handle_t *)&e->async);
  if (e->foreign) return 0; /* it sends this process no signals */
  error = start_signal(e, &e->resized, SIGWINCH);
  return error < 0 ? error : start_signal(e, &e->continued, SIGCONT);
}

static int open_files(prompt_editor *e, int out) {
  e->out = fcntl(out, F_DUPFD_CLOEXEC, 3);
  if (e->out < 0 || pipe2(e->wake, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  int error = prompt_open_screen(e);
  return error < 0 ? error : prompt_capture_init(e);
}

static prompt_editor *new_editor(lull_t *rt, int in) {
  prompt_editor *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->rt = rt;
  e->refs = 1;
  e->in = in;
  e->foreign = tcgetpgrp(in) < 0;
  e->out = e->wake[0] = e->wake[1] = -1;
  for (int i = 0; i < 3; i++)
    e->capture.saved[i] = -1;
  e->capture.pipe[0] = e->capture.pipe[1] = -1;
  if (uv_mutex_init(&e->lock) < 0) {
    free(e);
    return NULL;
  }
  if (uv_cond_init(&e->idle) < 0) {
    uv_mutex_destroy(&e->lock);
    free(e);
    return NULL;
  }
  return e;
}

/* open(in, out) -> editor of the running task, of two descriptors of a terminal; or nil and why
 * there can be none. */
static int open_editor(lua_State *L) {
  lull_t *rt = lull__rt(L);
  int in = (int)luaL_checkinteger(L, 1), out = (int)luaL_checkinteger(L, 2);
  lull__require_task(L, rt);
  prompt_editor **owner = lua_newuserdatauv(L, sizeof(prompt_editor *), 1);
  *owner = NULL;
  luaL_setmetatable(L, EDITOR);
  prompt_editor *e = new_editor(rt, in);
  if (e == NULL) lull__no_memory(L);
  int error = open_files(e, out);
  if (error == 0) error = open_handles(e);
  if (error == 0) error = prompt_start(e);
  if (error < 0) {
    close_editor(e);
    lua_pushnil(L);
    lua_pushstring(L, uv_strerror(error));
    return 2;
  }
  lull__at_close(rt, &e->closer);
  e->closer.close = close_with_runtime;
  e->closer.leave = leave;
  e->owner = owner;
  *owner = e;
  e->runner = rt->current;
  lull__push_anchored(L, rt, e->runner->f.o.slot);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static int editor_close(lua_State *L) {
  prompt_editor **owner = luaL_checkudata(L, 1, EDITOR);
  if (*owner == NULL) return 0;
  lull__list_remove(&(*owner)->closer.node);
  close_editor(*owner);
  return 0;
}

static prompt_editor *check_editor(lua_State *L) {
  prompt_editor **owner = luaL_checkudata(L, 1, EDITOR);
  if (*owner == NULL) luaL_error(L, "the line editor is closed");
  return *owner;
}

/* ---- orders ---- */

static void cancel_event(lua_State *L, lull_t *rt, lull_task *task) {
  (void)L;
  (void)rt;
  prompt_editor *e = task->subject;
  e->task = NULL;
  uv_unref((uv_handle_t *)&e->async);
  prompt_drop_line(e);
}

static const lull_wait event_wait = {"the keyboard", cancel_event, NULL};

static int event_there(lua_State *L, int status, lua_KContext ctx) {
  static const char *const names[] = {NULL,   "enter",     "newline", "complete",
                                      "line", "interrupt", "end"};
  (void)status;
  lull__woken(L, (lull_t *)ctx);
  prompt_message event = prompt_take_event(check_editor(L));
  lua_pushstring(L, names[event.what]);
  lua_pushstring(L, event.text);
  lua_pushinteger(L, (lua_Integer)event.cursor);
  prompt_free_message(&event);
  return 3;
}

static char *copy(lua_State *L, int index) {
  const char *text = luaL_optstring(L, index, NULL);
  if (text == NULL) return NULL;
  char *copied = strdup(text);
  if (copied == NULL) lull__no_memory(L);
  return copied;
}

static int order(lua_State *L, prompt_message order) {
  lull_t *rt = lull__rt(L);
  prompt_editor *e = check_editor(L);
  e->task = rt->current;
  uv_ref((uv_handle_t *)&e->async);
  if (rt->current->f.o.flags & LULL_MUST_CANCEL) /* at once: what was typed is for the next line */
    prompt_free_message(&order);
  else
    prompt_command(e, order);
  return lull__suspend(L, rt, &event_wait, e, event_there, (lua_KContext)rt);
}

/* editor:edit(prompt): an empty line. */
static int editor_edit(lua_State *L) {
  prompt_editor *e = check_editor(L);
  lull__require_task(L, lull__rt(L));
  if (e->task != NULL) return luaL_error(L, "a line is edited already");
  prompt_drop_line(e); /* one whose event was never taken */
  return order(L, (prompt_message){.what = PROMPT_EDIT, .text = copy(L, 2)});
}

/* editor:accept(line): it is whole, and shown as it is here. */
static int editor_accept(lua_State *L) {
  return order(L, (prompt_message){.what = PROMPT_ACCEPT, .text = copy(L, 2)});
}

/* editor:replace(line, cursor, listing): goes on with another line, below the listing. */
static int editor_replace(lua_State *L) {
  size_t size;
  luaL_checklstring(L, 2, &size);
  lua_Integer cursor = luaL_checkinteger(L, 3);
  luaL_argcheck(L, cursor >= 0 && (size_t)cursor <= size, 3, "not in the line");
  luaL_optstring(L, 4, NULL);
  return order(L, (prompt_message){.what = PROMPT_REPLACE,
                                   .text = copy(L, 2),
                                   .cursor = (size_t)cursor,
                                   .listing = copy(L, 4)});
}

/* ---- the rest ---- */

/* editor:remember(line): puts it into history. No line is edited just now. */
static int editor_remember(lua_State *L) {
  prompt_editor *e = check_editor(L);
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  HistEventW event;
  wchar_t *wide = prompt_widen(text, size);
  if (wide == NULL) lull__no_memory(L);
  int failed = history_w(e->history, &event, H_ENTER, wide) < 0;
  free(wide);
  if (failed) lull__no_memory(L);
  return 0;
}

/* editor:print(text): above the line, if one is edited. */
static int editor_print(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  prompt_print(check_editor(L), text, size);
  return 0;
}

/* editor:width() -> the number of the terminal's columns. */
static int editor_width(lua_State *L) {
  lua_pushinteger(L, prompt_width(check_editor(L)));
  return 1;
}

static const luaL_Reg methods[] = {{"edit", editor_edit},       {"accept", editor_accept},
                                   {"replace", editor_replace}, {"remember", editor_remember},
                                   {"print", editor_print},     {"width", editor_width},
                                   {"close", editor_close},     {NULL, NULL}};

static const luaL_Reg functions[] = {{"open", open_editor}, {NULL, NULL}};

LULL_API int luaopen_lull_prompt(lua_State *L);
int luaopen_lull_prompt(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  luaL_newmetatable(L, EDITOR);
  lua_pushcfunction(L, editor_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, editor_close);
  lua_setfield(L, -2, "__close");
  lua_newtable(L);
  lull__setfuncs(L, rt, methods);
  lua_setfield(L, -2, "__index");
  lua_newtable(L);
  lull__setfuncs(L, rt, functions);
  return 1;
}
