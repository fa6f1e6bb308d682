/* How the two threads talk: orders for the editor's, events for the loop's, and what is neither,
 * such as that the terminal has another size. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "prompt.h"

void prompt_free_message(prompt_message *message) {
  free(message->text);
  free(message->listing);
  *message = (prompt_message){0};
}

void prompt_wake(prompt_editor *e) {
  while (write(e->wake[1], "", 1) < 0 && errno == EINTR)
    continue;
}

/* On the loop's thread: an order, whose texts are the editor's then. */
void prompt_command(prompt_editor *e, prompt_message order) {
  uv_mutex_lock(&e->lock);
  prompt_free_message(&e->order);
  prompt_free_message(&e->event);
  e->order = order;
  if (order.what == PROMPT_EDIT) {
    e->editing = 1;
    e->interrupted = 0;
  }
  uv_mutex_unlock(&e->lock);
  prompt_wake(e);
}

/* Locked. What it tells at the end is not to be known. */
void prompt_await_end(prompt_editor *e) {
  while (e->editing)
    uv_cond_wait(&e->idle, &e->lock);
  prompt_free_message(&e->event);
}

/* On the loop's thread: has the line that is edited dropped, and waits for that. */
void prompt_drop_line(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  e->drop = e->editing;
  if (e->drop) prompt_wake(e);
  prompt_await_end(e);
  e->drop = 0;
  uv_mutex_unlock(&e->lock);
}

/* On the loop's thread: whether Ctrl-C was pressed while the runner ran, or is to. */
int prompt_take_interrupt(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  int interrupted = e->interrupted && (e->task == NULL || !e->editing);
  if (interrupted) e->interrupted = 0;
  uv_mutex_unlock(&e->lock);
  return interrupted;
}

int prompt_has_event(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  int found = e->event.what != PROMPT_NONE;
  uv_mutex_unlock(&e->lock);
  return found;
}

/* On the loop's thread: the event there is, whose texts are the caller's then. */
prompt_message prompt_take_event(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  prompt_message event = e->event;
  e->event = (prompt_message){0};
  uv_mutex_unlock(&e->lock);
  return event;
}

/* On the loop's thread: the terminal has another size, or was somebody else's for a while. */
void prompt_screen_changed(prompt_editor *e, int continued) {
  uv_mutex_lock(&e->lock);
  e->was_resized = 1;
  e->was_continued |= continued;
  uv_mutex_unlock(&e->lock);
  prompt_wake(e);
}

/* Takes the order there is, or nothing. */
prompt_message prompt_take_order(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  prompt_message order = e->order;
  e->order = (prompt_message){0};
  uv_mutex_unlock(&e->lock);
  return order;
}

void prompt_tell(prompt_editor *e, prompt_message event) {
  uv_mutex_lock(&e->lock);
  prompt_free_message(&e->event);
  e->event = event;
  if (event.what >= PROMPT_LINE) {
    e->editing = 0;
    prompt_end_printed(e);
    uv_cond_broadcast(&e->idle);
  }
  uv_mutex_unlock(&e->lock);
  uv_async_send(&e->async);
}

/* Too late, and forgotten, if the runner has done its work and given an order. */
void prompt_tell_interrupt(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  if (e->order.what == PROMPT_NOTHING) e->interrupted = 1;
  uv_mutex_unlock(&e->lock);
  uv_async_send(&e->async);
}

int prompt_is_dropped(prompt_editor *e) {
  uv_mutex_lock(&e->lock);
  int drop = e->drop;
  uv_mutex_unlock(&e->lock);
  return drop;
}
