/* A pool: libcurl's multi handles on the runtime's loop. The poll handle of a connection lives as
 * long as its socket and is started anew only when what is waited for changes: half the system
 * calls of the textbook way. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"

struct http_socket {
  uv_poll_t poll;
  http_lane *lane;
  int fd;
  int wanted, armed; /* events: what libcurl wants, what the poll handle waits for */
  int connects;      /* a connection's, not one of libcurl's own */
  int kept;          /* to be closed with the socket, not when libcurl looks away */
};

static void release(http_pool *pool) {
  if (--pool->holders > 0) return;
  curl_share_cleanup(pool->share); /* which the transfers' handles used, to their end */
  free(pool->sockets);
  free(pool->config.proxy);
  free(pool->config.ca_file);
  free(pool->config.cert_file);
  free(pool->config.key_file);
  curl_slist_free_all(pool->config.headers);
  free(pool);
}

void http_pool_release(http_pool *pool) {
  release(pool);
}

/* ---- sockets ---- */

static void on_socket_closed(uv_handle_t *handle) {
  http_socket *socket = handle->data;
  release(socket->lane->pool);
  free(socket);
}

static void drop_socket(http_socket *socket) {
  socket->lane->pool->sockets[socket->fd] = NULL;
  socket->lane->sockets--;
  uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
}

static int has_room(http_pool *pool, int fd) {
  if (fd < pool->nsockets) return 1;
  int count = fd < 32 ? 64 : 2 * fd;
  http_socket **sockets = realloc(pool->sockets, (size_t)count * sizeof(http_socket *));
  if (sockets == NULL) return 0;
  memset(sockets + pool->nsockets, 0, (size_t)(count - pool->nsockets) * sizeof(http_socket *));
  pool->sockets = sockets;
  pool->nsockets = count;
  return 1;
}

static http_socket *find_socket(const http_pool *pool, int fd) {
  return fd < pool->nsockets ? pool->sockets[fd] : NULL;
}

static http_socket *new_socket(http_lane *lane, int fd) {
  http_pool *pool = lane->pool;
  if (!has_room(pool, fd)) return NULL;
  http_socket *socket = calloc(1, sizeof *socket);
  if (socket == NULL) return NULL;
  if (uv_poll_init(pool->rt->loop, &socket->poll, fd) < 0) {
    free(socket);
    return NULL;
  }
  socket->poll.data = socket;
  socket->lane = lane;
  socket->fd = fd;
  uv_unref((uv_handle_t *)&socket->poll);
  pool->sockets[fd] = socket;
  lane->sockets++;
  pool->holders++;
  return socket;
}

static void act(http_lane *lane, curl_socket_t fd, int flags);

static void on_poll(uv_poll_t *handle, int status, int events) {
  http_socket *socket = handle->data;
  http_lane *lane = socket->lane;
  if (socket->wanted == 0) { /* an idle connection: libcurl looks at it when it needs it */
    uv_poll_stop(handle);
    socket->armed = 0;
    return;
  }
  if (socket->connects && (events & UV_READABLE)) socket->kept = 1;
  if (status < 0) { /* has stopped the handle; what is wrong shows in what libcurl does next */
    socket->armed = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  int flags = 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  act(lane, socket->fd, flags);
}

static int want(http_socket *socket, int events) {
  socket->wanted = events;
  if (events == 0)
    uv_unref((uv_handle_t *)&socket->poll);
  else
    uv_ref((uv_handle_t *)&socket->poll);
  if (events == 0 || events == socket->armed) return 0;
  socket->armed = events;
  return uv_poll_start(&socket->poll, events, on_poll) < 0 ? -1 : 0;
}

static int events_of(int what) {
  return (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
}

/* libcurl looks away from a socket that may have failed to connect; or all was done so soon that
 * nothing was waited for. */
static void note_loose_socket(http_socket *socket, CURL *easy) {
  http_transfer *transfer = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
  if (transfer == NULL) return;
  transfer->loose_socket = 1;
  if (!socket->connects) return;
  transfer->failed_attempt = 1;
  socket->lane->failed_attempt = 1;
}

/* The transfer's connection was good: from now on it has a poll handle as long as its socket. */
void http_pool_keep_socket(http_transfer *transfer) {
  curl_socket_t fd = CURL_SOCKET_BAD;
  curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd);
  if (fd == CURL_SOCKET_BAD) return;
  http_socket *socket = find_socket(transfer->pool, fd);
  if (socket == NULL) socket = new_socket(transfer->lane, fd);
  if (socket != NULL) socket->connects = socket->kept = 1;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *unused) {
  (void)unused;
  http_lane *lane = data;
  if (lane->pool->closed) return 0;
  http_socket *socket = find_socket(lane->pool, fd);
  if (what == CURL_POLL_REMOVE) {
    if (socket == NULL) return 0;
    if (socket->kept) return want(socket, 0);
    note_loose_socket(socket, easy);
    drop_socket(socket);
    return 0;
  }
  if (socket == NULL) {
    socket = new_socket(lane, fd);
    if (socket == NULL) return -1;
    socket->connects = (what & CURL_POLL_OUT) != 0; /* libcurl reads its own only */
  }
  return want(socket, events_of(what));
}

/* libcurl closes a socket that did not connect without a word. If the next one has its number, it
 * believes that it has told already what it waits for. */
static int replace_socket(http_socket *old) {
  http_lane *lane = old->lane;
  int fd = old->fd, wanted = old->wanted;
  drop_socket(old);
  http_socket *socket = new_socket(lane, fd);
  if (socket == NULL) return -1;
  socket->connects = 1;
  return want(socket, wanted);
}

static curl_socket_t on_open(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  http_pool *pool = data;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  http_socket *old = find_socket(pool, fd);
  if (old == NULL || replace_socket(old) == 0) return fd;
  close(fd);
  return CURL_SOCKET_BAD;
}

static int on_close(void *data, curl_socket_t fd) {
  http_socket *socket = find_socket(data, fd);
  if (socket != NULL) drop_socket(socket);
  return close(fd);
}

/* The sockets that an easy handle opens are the pool's. */
void http_pool_own_sockets(http_pool *pool, CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, pool);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, pool);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *handle) {
  act(handle->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout(CURLM *multi, long ms, void *data) {
  (void)multi;
  http_lane *lane = data;
  if (lane->pool->closed) return 0;
  if (ms < 0) return uv_timer_stop(&lane->timer);
  if (ms > 0) uv_update_time(lane->pool->rt->loop);
  return uv_timer_start(&lane->timer, on_timer, (uint64_t)ms, 0);
}

/* ---- transfers ---- */

/* libcurl 7.88 goes on with a name's next address only when something else happens to the transfer.
 */
static void try_again(http_lane *lane) {
  lull_node *list = &lane->pool->transfers;
  lane->failed_attempt = 0;
  for (lull_node *node = list->next; node != list; node = node->next) {
    http_transfer *transfer = lull__container(node, http_transfer, node);
    if (transfer->failed_attempt && !transfer->connected) {
      curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
      curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    }
    transfer->failed_attempt = 0;
  }
}

/* Tells the transfers that have ended. Not to be called from libcurl's callbacks. */
static void check(http_lane *lane) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    http_transfer *transfer;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    http_transfer_done(transfer, result);
  }
  if (lane->failed_attempt) try_again(lane);
  http_pool_admit(lane->pool);
}

/* Lets libcurl do what it can. Not to be called from its callbacks. */
static void act(http_lane *lane, curl_socket_t fd, int flags) {
  lane->pool->now = lull__now(lane->pool->rt);
  curl_multi_socket_action(lane->multi, fd, flags, &lane->running);
  check(lane);
}

/* Lets in who waits, as long as there are places. Who may share a connection needs none once there
 * are servers that do; libcurl bounds the sockets in any case, but serves in no order. Not to be
 * called from libcurl's callbacks. */
void http_pool_admit(http_pool *pool) {
  while (!lull__list_empty(&pool->queue)) {
    http_transfer *next = lull__container(pool->queue.next, http_transfer, node);
    int shares = next->multiplexes && pool->multiplexing;
    if (!shares && pool->places >= pool->config.connections) return;
    next->has_place = (uint8_t)!shares;
    pool->places += next->has_place;
    http_transfer_begin(next);
  }
}

static CURLM *new_multi(http_lane *lane) {
  CURLM *multi = curl_multi_init();
  if (multi == NULL) return NULL;
  int shared = lane == &lane->pool->lanes[HTTP_SHARED];
  long most = lane->pool->config.connections;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, shared ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
  return multi;
}

static void close_multi(http_lane *lane) {
  if (lane->multi != NULL) curl_multi_cleanup(lane->multi);
  lane->multi = NULL;
  uv_timer_stop(&lane->timer);
}

/* The connections that a lane keeps for later are not to be too many with those of the other. */
static void make_room(http_lane *lane) {
  http_lane *lanes = lane->pool->lanes;
  http_lane *other = lane == lanes ? lanes + 1 : lanes;
  if (other->transfers == 0 && other->sockets > 0 &&
      lane->sockets + other->sockets >= lane->pool->config.connections)
    close_multi(other);
}

/* Puts a transfer in its lane. Gives 0, or -1: there is not enough memory. */
int http_pool_enter(http_transfer *transfer) {
  http_lane *lane = transfer->lane;
  make_room(lane);
  if (lane->multi == NULL) lane->multi = new_multi(lane);
  if (lane->transfers++ == 0) uv_ref((uv_handle_t *)&lane->timer);
  return lane->multi && curl_multi_add_handle(lane->multi, transfer->easy) == CURLM_OK ? 0 : -1;
}

void http_pool_leave(http_transfer *transfer) {
  http_lane *lane = transfer->lane;
  if (--lane->transfers == 0) uv_unref((uv_handle_t *)&lane->timer);
  if (lane->multi != NULL) curl_multi_remove_handle(lane->multi, transfer->easy);
}

/* ---- beginning and end ---- */

static void on_timer_closed(uv_handle_t *handle) {
  http_lane *lane = handle->data;
  release(lane->pool);
}

static void close_with_runtime(lull_closer *closer) {
  http_pool *pool = lull__container(closer, http_pool, closer);
  pool->closer.close = NULL;
  http_pool_close(pool);
}

/* Ends the transfers that are left and closes the connections. */
void http_pool_close(http_pool *pool) {
  if (pool->closed) return;
  while (!lull__list_empty(&pool->queue))
    http_transfer_abort(lull__container(pool->queue.next, http_transfer, node), HTTP_CLOSED);
  while (!lull__list_empty(&pool->transfers))
    http_transfer_abort(lull__container(pool->transfers.next, http_transfer, node), HTTP_CLOSED);
  pool->closed = 1;
  if (pool->closer.close != NULL) lull__list_remove(&pool->closer.node);
  http_free_spares(pool);
  for (int i = 0; i < HTTP_LANES; i++)
    close_multi(&pool->lanes[i]);
  for (int fd = 0; fd < pool->nsockets; fd++)
    if (pool->sockets[fd] != NULL) drop_socket(pool->sockets[fd]);
  for (int i = 0; i < HTTP_LANES; i++)
    uv_close((uv_handle_t *)&pool->lanes[i].timer, on_timer_closed);
}

static void init_lane(http_pool *pool, http_lane *lane) {
  lane->pool = pool;
  uv_timer_init(pool->rt->loop, &lane->timer);
  lane->timer.data = lane;
  uv_unref((uv_handle_t *)&lane->timer);
  pool->holders++;
}

/* Takes the strings and headers of config over, if it succeeds. */
int http_pool_new(http_pool **out, lull_t *rt, const http_config *config) {
  http_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) return UV_ENOMEM;
  pool->rt = rt;
  pool->config = *config;
  pool->previews = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
  pool->lanes[HTTP_OWN].pool = pool;
  pool->lanes[HTTP_OWN].multi = new_multi(&pool->lanes[HTTP_OWN]);
  pool->share = curl_share_init();
  if (pool->lanes[HTTP_OWN].multi == NULL || pool->share == NULL) {
    curl_multi_cleanup(pool->lanes[HTTP_OWN].multi);
    curl_share_cleanup(pool->share);
    free(pool);
    return UV_ENOMEM;
  }
  curl_share_setopt(pool->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  pool->holders = 1; /* the caller */
  lull__list_init(&pool->transfers);
  lull__list_init(&pool->queue);
  lull__list_init(&pool->spares);
  for (int i = 0; i < HTTP_LANES; i++)
    init_lane(pool, &pool->lanes[i]);
  pool->closer.close = close_with_runtime;
  lull__at_close(rt, &pool->closer);
  *out = pool;
  return 0;
}
