-- Responses that were damaged on their way: each is a response or an error, nothing hangs, and
-- nothing is left behind.
local http = require("lull.http")
local lull = require("lull")
local server = require("spec.servers.server")
local tidy = require("spec.tidy")
local web = require("spec.web")

local await = lull.await

local CASES, AT_A_TIME = 1500, 20
local METHODS = { "get", "get", "get", "head", "post", "put", "delete" }

local function options_of(seed, method)
  local options = {
    timeout = { connect = 5, read = 0.2, total = 5 }, max_body = 1000000, max_redirects = 3,
    stream = seed % 3 == 0, retries = seed % 5 == 0 and 1 or 0,
  }
  if method == "post" or method == "put" then
    local left = seed % 7
    options.body = left < 3 and ("x"):rep(seed % 5000) or function()
      left = left - 1
      return left > 0 and ("y"):rep(seed % 5000 + 1) or nil
    end
  end
  return options
end

-- Reads a response in one of the ways there are.
local function read(seed, response)
  assert.equal("integer", math.type(response.status))
  assert.equal("string", type(tostring(response.headers)))
  if seed % 4 == 0 and not response._body then
    for _ in response[seed % 8 == 0 and "lines" or "chunks"](response) do
      if seed % 12 == 0 then
        break
      end
    end
  else
    assert.equal("string", type(await(response:text())))
  end
  response:close()
end

local function is_expected(err)
  return lull.is_error(err, http.HTTPError) or lull.is_error(err, lull.TimeoutError)
end

describe("responses that were damaged", function()
  tidy.watch(before_each, after_each)

  it("are responses or errors, and leave nothing behind", function()
    local mutant <close> = server.start("mutant.py")
    local before = web.descriptors()
    local responses, errors = 0, 0
    do
      local session <close> = http.session({ connections = AT_A_TIME, proxy = false })
      local seed = 0
      local function go_on()
        while seed < CASES do
          seed = seed + 1
          local method, own = METHODS[seed % #METHODS + 1], seed
          local ok, err = pcall(function()
            local url = mutant:url("http", "/?seed=" .. own)
            read(own, await(session[method](session, url, options_of(own, method))))
          end)
          assert.is_true(ok or is_expected(err), ("case %d: %s"):format(own, err))
          responses, errors = responses + (ok and 1 or 0), errors + (ok and 0 or 1)
        end
      end
      local workers = {}
      for i = 1, AT_A_TIME do
        workers[i] = lull.create_task(go_on)
      end
      await(lull.wait_for(lull.gather(workers), 120))
    end
    assert.equal(CASES, responses + errors)
    assert.is_true(responses > CASES / 10 and errors > CASES / 10)
    web.descriptors_return_to(before)
  end)
end)
