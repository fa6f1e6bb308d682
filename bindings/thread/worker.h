/* Workers: a function on a thread of its own, and messages between it and the runtime that started
 * it (worker.c the runtime's end, port.c the worker's, message.c what both need). What a worker is
 * sent is bounded by a number of messages: who sends waits for room. What it sends is bounded by
 * bytes: it is an error when nobody receives them. */
#ifndef LULL_WORKER_H
#define LULL_WORKER_H

#include "thread.h"

#define LULL_MOST_MESSAGES 64
#define LULL_MOST_BYTES ((size_t)64 * 1024 * 1024)

typedef struct lull_message {
  lull_node node;
  lull_parcel parcel;
} lull_message;

typedef struct lull_worker {
  lull_hub *hub;
  lull_thread *thread; /* until it has ended */
  lull_call call;
  lull_parcel sending, port_sending;             /* being packed, here and there */
  struct lull_message *received, *port_received; /* being unpacked, here and there */
  lull_node inbox, outbox;
  lull_node senders;          /* errands that wait for room in the inbox */
  lull_node receivers;        /* errands that wait for a message in the outbox */
  lull_node joiners;          /* errands that wait for the end */
  size_t bytes;               /* in the outbox */
  int ninbox, room_kept;      /* messages; room for senders that were woken */
  int noutbox, messages_kept; /* messages; those for receivers that were woken */
  int refs;
  uint8_t closed, ended, idle, left, counted;
} lull_worker;

/* A wait for a worker: its turn comes when there is room, or a message, which is kept for it. */
typedef struct lull_turn {
  lull_errand errand;
  lull_worker *worker;
  lull_message *message; /* of a sender */
  int *kept;             /* NULL, or what counts such promises: one of them is this turn's */
} lull_turn;

/* A userdata that refers to a worker: what holds it here, and its port there. */
typedef struct lull_worker_ref {
  lull_worker *worker; /* NULL: not yet, or no more */
} lull_worker_ref;

/* message.c. With the hub's lock held: */
void lull__worker_count(lull_worker *self);
void lull__grant_room(lull_worker *self);
void lull__grant_message(lull_worker *self);
void lull__worker_release(lull_node *waiting);
void lull__add_to_inbox(lull_worker *self, lull_message *added);
void lull__close_inbox(lull_worker *self);
lull_message *lull__take_message(lull_node *box);

/* Without it: */
void lull__worker_meta(lua_State *L, const char *name, lua_CFunction gc);
lull_worker_ref *lull__push_worker_ref(lua_State *L, const char *meta);
lull_worker *lull__check_worker(lua_State *L, const char *meta);
lull_message *lull__new_message(lua_State *L, lull_border *border, lull_parcel *parcel,
                                lull_cargo cargo);
size_t lull__message_size(const lull_message *self);
void lull__free_message(lull_message *self); /* or NULL */
void lull__worker_free(lull_worker *self);
void lull__worker_unref(lull_worker *self);

/* port.c */
extern const lull_thread_kind lull__worker_thread;
void lull__open_ports(lua_State *L, lull_t *rt, lull_desk *desk);

#endif
