-- What a caller asks for, checked at once and made ready to be sent.
local check = require "lull.check"
local fail = require("lull.http.misuse").fail
local forms = require "lull.http.forms"
local headers = require "lull.http.headers"
local body = require "lull.http.body"

local setmetatable, type = setmetatable, type

local M = {}

local KNOWN = {
  params = true, headers = true, body = true, json = true, form = true, multipart = true,
  timeout = true, follow_redirects = true, max_redirects = true, max_body = true, auth = true,
  stream = true, retries = true,
}

-- Methods whose requests have a body, if an empty one.
local WITH_BODY = {POST = true, PUT = true, PATCH = true}

local DEFAULT_TIMEOUTS = {connect = 30, read = 300}
M.DEFAULT_TIMEOUTS = DEFAULT_TIMEOUTS

local function is_seconds(value)
  return type(value) == "number" and value > 0
end

--- Checks a timeout: seconds in total, a table of total, connect and read, or false for none.
function M.timeouts(timeout)
  if timeout == nil then return nil end
  if timeout == false then return {} end
  if is_seconds(timeout) then return {total = timeout, connect = timeout} end
  if type(timeout) ~= "table" then
    fail("option 'timeout' must be a positive number of seconds, a table or false")
  end
  for key, value in next, timeout do
    if key ~= "total" and key ~= "connect" and key ~= "read" then
      fail(("option 'timeout' has an unknown field '%s'"):format(check.show(key)))
    end
    if value and not is_seconds(value) then
      fail(("option 'timeout.%s' must be a positive number of seconds"):format(key))
    end
  end
  local function of(name)
    if timeout[name] == nil then return DEFAULT_TIMEOUTS[name] end
    return timeout[name] or nil
  end
  return {total = timeout.total or nil, connect = of("connect"), read = of("read")}
end

--- Checks credentials: {user, password}, {bearer = token}, or false for none.
function M.auth(auth)
  if auth == nil or auth == false then return auth end
  if type(auth) == "table" and type(auth.bearer) == "string" then
    if auth.bearer:find("[%c]") then fail("option 'auth': a control character in the token") end
    return auth
  end
  if type(auth) == "table" and type(auth[1]) == "string" and type(auth[2]) == "string" then
    if auth[1]:find(":", 1, true) then fail("option 'auth': a colon in the user's name") end
    if (auth[1] .. auth[2]):find("[%c]") then fail("option 'auth': a control character") end
    return auth
  end
  fail("option 'auth' must be {user, password}, {bearer = token} or false")
end

local function check_types(opts, types)
  for name, expected in next, types do
    if opts[name] ~= nil and type(opts[name]) ~= expected then
      fail(("option '%s' must be a %s"):format(name, expected))
    end
  end
end

M.check_types = check_types

--- Checks that an option is a whole number of at least `least`.
function M.check_count(opts, name, least)
  local value = opts[name]
  if value == nil then return end
  if math.type(value) ~= "integer" or value < least then
    fail(("option '%s' must be a whole number from %d on"):format(name, least))
  end
end

local TYPES = {
  headers = "table", form = "table", multipart = "table", follow_redirects = "boolean",
  stream = "boolean",
}

local function check_options(opts)
  check_types(opts, TYPES)
  M.check_count(opts, "max_redirects", 0)
  M.check_count(opts, "max_body", 0)
  M.check_count(opts, "retries", 0)
  local given
  for _, name in ipairs {"body", "json", "form", "multipart"} do
    if opts[name] ~= nil then
      if given then fail(("options '%s' and '%s' exclude each other"):format(given, name)) end
      given = name
    end
  end
  return given
end

-- The query that params make: as they are if they are a string.
local function query_of(params)
  if params == nil then return nil end
  if type(params) == "string" then return params end
  if type(params) ~= "table" then fail("option 'params' must be a table or a string") end
  return forms.encode(params, "%%20")
end

-- Checks what a body is made of; gives it as a string or a source, and its content type.

local function check_source(name, value)
  if not body.is_source(value) then
    fail(name .. " must be a string, an iterator or an open file")
  end
  if body.is_closed(value) then fail(name .. ": the file is closed") end
end

local function of_body(value)
  if type(value) == "string" then return value end
  check_source("option 'body'", value)
  return nil, nil, value
end

local function of_json(value)
  return require("lull.json").encode(value), "application/json"
end

local function of_form(value)
  return forms.encode(value, "+"), "application/x-www-form-urlencoded"
end

local function of_multipart(value)
  local pieces, content_type = forms.multipart(value)
  local is_text = true
  for _, piece in ipairs(pieces) do
    if type(piece) == "table" then
      is_text = false
      if piece.body ~= nil then check_source("option 'multipart': a body", piece.body) end
    end
  end
  if is_text then return table.concat(pieces), content_type end
  return nil, content_type, {form = pieces}
end

local makers = {body = of_body, json = of_json, form = of_form, multipart = of_multipart}

-- The headers of a session's requests, with those of this one over them.
local function merge(inherited, opts, content_type)
  local merged = {}
  for key, header in next, inherited do merged[key] = header end
  if content_type then merged["content-type"] = {"Content-Type", content_type} end
  if opts.headers then
    for key, header in next, headers.check(opts.headers) do merged[key] = header end
  end
  return merged
end

-- libcurl would add these of its own.
local function silence(merged)
  merged["expect"] = merged["expect"] or {"Expect", false}
  merged["content-type"] = merged["content-type"] or {"Content-Type", false}
end

-- Sets what the options say; what they do not is found in the session.
local function apply(request, opts)
  local given = check_options(opts)
  local content_type
  if given and request.method == "HEAD" then -- libcurl would wait for that of the response, too
    fail(("option '%s': a HEAD request has no body"):format(given))
  end
  if given then request.body, content_type, request.source = makers[given](opts[given]) end
  if not given and WITH_BODY[request.method] then request.body = "" end
  request.query = query_of(opts.params)
  if opts.timeout ~= nil then request.timeouts = M.timeouts(opts.timeout) end
  if opts.auth ~= nil then request.auth = M.auth(opts.auth) end
  request.stream, request.retries, request.max_redirects = opts.stream, opts.retries,
    opts.max_redirects
  request.max_body, request.max_stream = opts.max_body, opts.max_body
  request.follow_redirects = opts.follow_redirects
  if opts.headers or request.body or request.source then
    request.headers = merge(request.headers, opts, content_type)
    if request.body or request.source then silence(request.headers) end
    request.lines = headers.lines(request.headers)
  end
end

--- Gives a request without options; nil if there is more to be checked or done. What it does not
--- have itself is found in the session. A plain one is what the pool does if told nothing else.
function M.plain(session, method, url)
  if WITH_BODY[method] or type(url) ~= "string" then return nil end
  return setmetatable({
    method = method, url = url, host = url, is_plain = session.is_plain, scheme = nil, origin = nil,
  }, session.defaults)
end

--- Checks the arguments of session:request and gives the request that they ask for.
function M.new(session, method, url, opts, first)
  if type(method) ~= "string" or not headers.is_token(method) then
    fail(("'%s' is not a method"):format(check.show(method)), 1)
  end
  if method:upper() == "CONNECT" then fail("CONNECT is what proxies are told", 1) end
  if type(url) ~= "string" then
    fail(("string expected, got %s"):format(url == nil and "no value" or type(url)), first)
  end
  local request = setmetatable({method = method:upper(), url = url, host = url}, session.defaults)
  if opts == nil and not WITH_BODY[request.method] then return request end
  opts = opts or {}
  if type(opts) ~= "table" then fail(("table expected, got %s"):format(type(opts))) end
  for key in next, opts do
    if not KNOWN[key] then fail(("unknown option '%s'"):format(check.show(key))) end
  end
  apply(request, opts)
  return request
end

return M
