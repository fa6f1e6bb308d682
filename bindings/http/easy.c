/* Easy handles: what libcurl is told of a request. Each belongs to a transfer, and both are used
 * again: what is the same for all requests of a pool is set once, the rest when it changes. */
#include <string.h>

#include "transfer.h"

/* ---- the same for all ---- */

static void configure_tls(CURL *easy, const http_config *config) {
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, (long)config->verify);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->verify ? 2L : 0L);
  if (config->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
  if (config->cert_file) curl_easy_setopt(easy, CURLOPT_SSLCERT, config->cert_file);
  if (config->key_file) curl_easy_setopt(easy, CURLOPT_SSLKEY, config->key_file);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* What is the same for all transfers of the pool; it stays set when a handle is used again. */
static void configure(CURL *easy, http_pool *pool) {
  const http_config *config = &pool->config;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name being resolved holds nobody up */
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* see decode.c */
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  http_pool_own_sockets(pool, easy);
  curl_easy_setopt(easy, CURLOPT_SHARE, pool->share);
  if (config->proxy) curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy);
  if (config->proxy && *config->proxy == '\0') curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  configure_tls(easy, config);
}

/* Gives a new easy handle for a transfer of the pool, or NULL. */
CURL *http_easy_new(http_pool *pool) {
  CURL *easy = curl_easy_init();
  if (easy != NULL) configure(easy, pool);
  return easy;
}

/* ---- of one request ---- */

/* libcurl takes a URL that is parsed already for half the price of one that is not. It wants the
 * text too, in case it has to send the request again over another connection. */
static void set_url(http_transfer *transfer, const char *text) {
  http_bytes *url = &transfer->url;
  size_t size = strlen(text) + 1;
  if (url->size == size && memcmp(url->data, text, size) == 0) return;
  url->size = 0;
  CURLUcode code = curl_url_set(transfer->parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
  curl_easy_setopt(transfer->easy, CURLOPT_CURLU, code == CURLUE_OK ? transfer->parsed : NULL);
  curl_easy_setopt(transfer->easy, CURLOPT_URL, text);
  if (code == CURLUE_OK) http_append(url, text, size);
}

static size_t origin_size(const char *url) {
  const char *host = strstr(url, "://");
  return host == NULL ? 0 : (size_t)(host - url) + 3 + strcspn(host + 3, "/?#");
}

/* Whether the request will probably go over a connection that is there, as the last one did. A
 * timeout for connecting is dear: libcurl keeps it in a tree, and seldom needs it. */
static uint8_t may_trust(const http_transfer *transfer, const char *url) {
  const http_bytes *last = &transfer->url;
  if (!transfer->reused || transfer->multiplexes || last->size == 0) return 0;
  size_t size = origin_size(url);
  return size > 0 && size < last->size && memcmp(last->data, url, size) == 0 &&
         origin_size(last->data) == size;
}

static void set_method(CURL *easy, const http_request *request, int special) {
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* undoes the methods below */
  if (request->streams) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, request->size);
  } else if (request->body != NULL) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, request->size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
  } else if (strcmp(request->method, "HEAD") == 0) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, special ? request->method : NULL);
}

/* HTTP/2 is for TLS only, where the server chooses; its connection may be worth waiting for. */
static void set_version(CURL *easy, const http_settings *settings) {
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)settings->multiplexes);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   (long)(settings->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
}

static http_settings settings_of(const http_transfer *transfer, const http_request *request) {
  const http_config *config = &transfer->pool->config;
  return (http_settings){
      .headers = transfer->headers ? transfer->headers : config->headers,
      .connect_ms = transfer->trusts ? 0 : request->connect_ms,
      .credentials = request->user != NULL,
      .special = request->streams || request->body || strcmp(request->method, "GET") != 0,
      .http2 = config->http2 && strncmp(request->url, "https:", 6) == 0,
      .multiplexes = transfer->multiplexes,
  };
}

/* What differs between requests, as far as it differs from the last one of the easy handle. */
void http_easy_prepare(http_transfer *transfer, const http_request *request) {
  CURL *easy = transfer->easy;
  transfer->trusts = may_trust(transfer, request->url);
  http_settings *set = &transfer->set, new = settings_of(transfer, request);
  set_url(transfer, request->url);
  if (new.headers != set->headers) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, new.headers);
  if (new.connect_ms != set->connect_ms)
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, new.connect_ms);
  if (new.credentials || set->credentials) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
  }
  if (new.special || set->special) set_method(easy, request, new.special);
  if (new.http2 != set->http2 || new.multiplexes != set->multiplexes) set_version(easy, &new);
  *set = new;
}
