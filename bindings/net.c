/* Names: addresses are looked up on libuv's pool, where the system's resolver may take its time.
 * Failures are given back as the code's name and text: lull/net.lua makes errors of them. */
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bindings.h"

typedef struct lookup {
  lull_request request;
  uv_getaddrinfo_t uv;
  int status;
} lookup;

static void drop(lull_request *request) {
  lookup *self = lull__container(request, lookup, request);
  uv_freeaddrinfo(self->uv.addrinfo);
  free(self);
}

/* One that has not begun does not have to. */
static void stop(lull_request *request) {
  uv_cancel((uv_req_t *)&lull__container(request, lookup, request)->uv);
}

static void on_addresses(uv_getaddrinfo_t *uv, int status, struct addrinfo *found) {
  (void)found; /* uv->addrinfo, too */
  lookup *self = lull__container(uv, lookup, uv);
  self->status = status;
  lull__request_ended(&self->request);
}

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
  const lookup *self = lull__request(L, (lull_t *)ctx);
  if (self->status < 0) return push_failure(L, self->status);
  return push_addresses(L, self->uv.addrinfo);
}

/* lookup(host, service, family, type) -> list, or nil, code, text. family: "inet", "inet6" or
 * false; type: "stream" or "dgram". */
static int look_up(lua_State *L) {
  lull_t *rt = lull__rt(L);
  const char *host = luaL_checkstring(L, 1), *service = luaL_checkstring(L, 2);
  const char *family = lua_tostring(L, 3), *type = luaL_checkstring(L, 4);
  struct addrinfo hints = {0};
  hints.ai_socktype = *type == 's' ? SOCK_STREAM : SOCK_DGRAM;
  hints.ai_family = family == NULL ? AF_UNSPEC : strcmp(family, "inet") == 0 ? AF_INET : AF_INET6;
  lookup *self = lull__new_request(L, rt, sizeof *self, drop);
  self->request.stop = stop;
  int status = uv_getaddrinfo(rt->loop, &self->uv, on_addresses, host, service, &hints);
  if (status < 0) return push_failure(L, status);
  return lull__await_request(L, rt, &self->request, &lookup_wait, looked_up);
}

static const luaL_Reg functions[] = {{"lookup", look_up}, {NULL, NULL}};

int luaopen_lull_net(lua_State *L) {
  lua_newtable(L);
  lull__setfuncs(L, lull__from_state(L), functions);
  return 1;
}
