-- A real web server: static files, redirects, compression, and TLS with good and bad certificates.
--
--   local web <close> = nginx.start()
--   web:url("http", "/hello")
--
-- Ports: http, other (plain too), https (HTTP/2 or 1.1), https1 (HTTP/1.1 only), https_expired,
-- https_self_signed, https_wrong_name, https_client (demands a client certificate).
-- Certificates are web:path("ca.pem") and others, see certificates.py. What it answers is in
-- locations.conf:
--
--   /hello                  "hello\n"
--   /files/NAME             empty, byte, 1k, 64k, 1m (pseudo-random bytes), 64m (zeros)
--   /gzip/NAME              the same, compressed if the client accepts it; then chunked
--   /packed/1m              compressed beforehand, with its length
--   /store/NAME             keeps what is PUT there, as web:path("store/NAME")
--   /echo                   the method, target, protocol and some headers, a line each
--   /redirect/CODE          to /echo; 301, 302, 303, 307, 308
--   /to/WHERE               to /echo at: other, host, https, http, relative, file, ftp
--   /loop, /hops/111        for ever; as often as there are ones, and once more
--   /guarded                demands user:secret
--   /cookie                 sets root, deep (for /deep), gone (expired) and only (Secure)
--   /busy, /unavailable     429 and 503, with Retry-After: 1
--   /slow/NAME              a file at 64 KiB a second
local server = require("spec.servers.server")

local M = {}

--- Starts nginx, with ports and a folder of its own.
function M.start()
  return server.start("nginx.py")
end

return M
