/* Names. The system's resolver may take its time over one, a minute and more, so each lookup has a
 * thread of its own; one that nobody waits for any more does not keep others from theirs. Failures
 * are given back as the code's name and text: lull/net.lua makes errors of them. */
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bindings.h"
#include "threads.h"

#define AT_ONCE 16 /* lookups that somebody waits for */
#define MOST 64    /* threads, those included that nobody waits for */
#define IDLE 5     /* seconds */

typedef struct lookup {
  lull_errand errand;
  uv_getaddrinfo_t uv;
  struct addrinfo hints;
  int status;
  const char *service;
  char host[]; /* the service follows */
} lookup;

static void drop(lull_request *request) {
  lookup *self = lull__container(request, lookup, errand.request);
  lull__errand_gone(&self->errand);
  uv_freeaddrinfo(self->uv.addrinfo);
  free(self);
}

/* ---- threads ---- */

/* Without a callback libuv does the work at once. Of the loop it only counts the requests: one that
 * was never opened will do, and takes no descriptors. */
static void resolve(lull_thread *thread, lull_errand *errand) {
  (void)thread;
  lookup *self = lull__container(errand, lookup, errand);
  uv_loop_t loop = {0};
  self->status = uv_getaddrinfo(&loop, &self->uv, NULL, self->host, self->service, &self->hints);
}

static void refuse(lull_errand *errand, int error) {
  lull__container(errand, lookup, errand)->status = error < 0 ? error : UV_ECANCELED;
}

static const lull_thread_kind thread_kind = {
    .name = "names",
    .size = sizeof(lull_thread),
    .run = lull__pool_run,
    .ended = lull__pool_ended,
};

static const lull_pool_kind pool_kind = {
    .thread = &thread_kind,
    .work = resolve,
    .refuse = refuse,
    .most = MOST,
};

/* ---- what was found ---- */

static int is_new(const struct addrinfo *list, const struct addrinfo *found) {
  for (; list != found; list = list->ai_next)
    if (list->ai_addrlen == found->ai_addrlen &&
        memcmp(list->ai_addr, found->ai_addr, found->ai_addrlen) == 0)
      return 0;
  return 1;
}

/* Pushes an IPv6 address, with the interface that a link-local one belongs to. */
static void push_inet6(lua_State *L, const struct sockaddr_in6 *address) {
  char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE];
  uv_ip6_name(address, text, sizeof text);
  if (address->sin6_scope_id == 0)
    lua_pushstring(L, text);
  else if (if_indextoname(address->sin6_scope_id, name) != NULL)
    lua_pushfstring(L, "%s%%%s", text, name);
  else
    lua_pushfstring(L, "%s%%%I", text, (LUAI_UACINT)address->sin6_scope_id);
}

static void push_inet(lua_State *L, const struct sockaddr_in *address) {
  char text[INET_ADDRSTRLEN];
  uv_ip4_name(address, text, sizeof text);
  lua_pushstring(L, text);
}

/* Pushes {address=, family=, port=}. */
static void push_address(lua_State *L, const struct sockaddr *address) {
  const struct sockaddr_in *inet = (const void *)address;
  const struct sockaddr_in6 *inet6 = (const void *)address;
  int is_inet = address->sa_family == AF_INET;
  lua_createtable(L, 0, 3);
  if (is_inet)
    push_inet(L, inet);
  else
    push_inet6(L, inet6);
  lua_setfield(L, -2, "address");
  lua_pushstring(L, is_inet ? "inet" : "inet6");
  lua_setfield(L, -2, "family");
  lua_pushinteger(L, ntohs(is_inet ? inet->sin_port : inet6->sin6_port));
  lua_setfield(L, -2, "port");
}

static int push_addresses(lua_State *L, const struct addrinfo *list) {
  lua_newtable(L);
  lua_Integer n = 0;
  for (const struct addrinfo *found = list; found != NULL; found = found->ai_next) {
    int family = found->ai_family;
    if ((family != AF_INET && family != AF_INET6) || !is_new(list, found)) continue;
    push_address(L, found->ai_addr);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static int push_failure(lua_State *L, int status) {
  lua_pushnil(L);
  lua_pushstring(L, uv_err_name(status));
  lua_pushstring(L, uv_strerror(status));
  return 3;
}

/* ---- functions ---- */

static const lull_wait lookup_wait = {"a name", lull__cancel_request, lull__undo_request};

static int looked_up(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  int owner = lua_gettop(L);
  lookup *self = lull__request(L, (lull_t *)ctx);
  int n = self->status < 0 ? push_failure(L, self->status) : push_addresses(L, self->uv.addrinfo);
  lull__free_request(L, (lull_t *)ctx, &self->errand.request, owner);
  return n;
}

/* Pushes what owns it, too. */
static lookup *new_lookup(lua_State *L, lull_t *rt, const char *host, const char *service) {
  size_t host_size = strlen(host) + 1, service_size = strlen(service) + 1;
  lookup *self = lull__new_errand(L, rt, sizeof *self + host_size + service_size, drop);
  memcpy(self->host, host, host_size);
  self->service = memcpy(self->host + host_size, service, service_size);
  return self;
}

/* lookup(host, service, family, type) -> list, or nil, code, text. family: "inet", "inet6" or
 * false; type: "stream" or "dgram". */
static int look_up(lua_State *L) {
  lull_t *rt = lull__rt(L);
  lull_pool *pool = lua_touserdata(L, lua_upvalueindex(2));
  const char *host = luaL_checkstring(L, 1), *service = luaL_checkstring(L, 2);
  const char *family = lua_tostring(L, 3), *type = luaL_checkstring(L, 4);
  lookup *self = new_lookup(L, rt, host, service);
  self->hints.ai_socktype = *type == 's' ? SOCK_STREAM : SOCK_DGRAM;
  if (family != NULL) self->hints.ai_family = strcmp(family, "inet") == 0 ? AF_INET : AF_INET6;
  int wanted = !(rt->current->f.o.flags & LULL_MUST_CANCEL);
  int error = wanted ? lull__pool_submit(pool, &self->errand) : 0;
  if (error < 0) return push_failure(L, error);
  return lull__await_request(L, rt, &self->errand.request, &lookup_wait, looked_up);
}

static const luaL_Reg functions[] = {{"lookup", look_up}, {NULL, NULL}};

/* ---- opening and closing ---- */

typedef struct names {
  lull_closer closer;
  lull_pool *pool;
} names;

static void close_names(lull_closer *closer) {
  names *self = lull__container(closer, names, closer);
  lull__pool_close(self->pool);
  lull__pool_unref(self->pool);
  free(self);
}

static lull_pool *open_names(lua_State *L, lull_t *rt) {
  lull_pool *pool = lull__pool_new(L, lull__hub(L, rt), &pool_kind, AT_ONCE, IDLE);
  names *self = calloc(1, sizeof *self);
  if (self == NULL) {
    lull__pool_unref(pool);
    lull__no_memory(L);
  }
  self->pool = pool;
  self->closer.close = close_names;
  lull__at_close(rt, &self->closer);
  return pool;
}

int luaopen_lull_net(lua_State *L) {
  lull_t *rt = lull__from_state(L);
  lua_newtable(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->refs.runtime);
  lua_pushlightuserdata(L, open_names(L, rt));
  luaL_setfuncs(L, functions, 2);
  return 1;
}
