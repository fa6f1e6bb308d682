-- Runs the examples that use the network as a user would, against servers of this machine, and
-- those that look names up with known answers; compares what they print and leave behind.
local http = require "lull.http"
local lfs = require "lfs"
local lull = require "lull"
local nginx = require "spec.servers.nginx"
local odd_server = require "spec.servers.odd"
local web = require "spec.web"

local host = assert(os.getenv("LULL"), "LULL names the host under test")
local examples = lfs.currentdir() .. "/examples"
if host:sub(1, 1) ~= "/" then host = lfs.currentdir() .. "/" .. host end

local POP20 = {"BD", "BR", "CD", "CN", "DE", "EG", "ET", "FR", "ID", "IN", "IR", "JP", "MX", "NG",
               "PH", "PK", "RU", "TR", "US", "VN"}

local folder -- where the examples are run, made anew for each test

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Starts an example; gives a function that waits for its end and gives what it printed on stdout
-- and stderr, and its exit code. A variable for the environment, or a program to run the host with,
-- may go `before`.
local function start(name, arguments, before)
  local words = {}
  for i, word in ipairs(arguments or {}) do words[i] = quote(word) end
  local command = ("cd '%s' && %s timeout 60 '%s' '%s/%s.lua' %s 2>errors </dev/null"):format(
    folder, before or "", host, examples, name, table.concat(words, " "))
  local pipe = assert(io.popen(command))
  return function()
    local output = pipe:read("a")
    local _, _, code = pipe:close()
    return output, web.read(folder .. "/errors"), code
  end
end

local function run(name, arguments, before) return start(name, arguments, before)() end

-- Runs an example that must succeed and complain of nothing; gives what it printed, with the
-- seconds it took as N.NN.
local function output_of(name, arguments, before)
  local output, errors, code = run(name, arguments, before)
  assert.equal("", errors)
  assert.equal(0, code)
  return (output:gsub("%d+%.%d%d%f[%D]", "N.NN"))
end

local function sorted(list)
  table.sort(list)
  return list
end

local function words_of(text, pattern)
  local words = {}
  for word in text:gmatch(pattern or "%S+") do words[#words + 1] = word end
  return words
end

local function with_suffix(list, suffix)
  local names = {}
  for i, name in ipairs(list) do names[i] = name .. suffix end
  return names
end

local function getting_html()
  local lines = {}
  for episode = 150, 159 do
    lines[#lines + 1] = ("Getting HTML for episode %d\n"):format(episode)
  end
  return table.concat(lines)
end

describe("the examples", function()
  local odd, server

  -- Writes a file that nginx serves; gives its URL.
  local function publish(path, text)
    local name = "store/" .. path
    assert(os.execute(("mkdir -p '%s'"):format(server:path(name):match("^(.*)/"))))
    web.write(server:path(name), text)
    return server:url("http", "/" .. name)
  end

  setup(function()
    odd = odd_server.start()
    server = nginx.start()
    publish("v1/genre/index.html", '"deep \\"minimal\\" yodel"')
    for _, code in ipairs(POP20) do
      local name = code:lower()
      publish(("flags/%s/%s.gif"):format(name, name), "GIF of " .. code)
    end
    for episode = 150, 159 do
      publish(("episodes/%d"):format(episode),
        ("<title>x</title><h1 class=a>\n Episode &#35;%d:\n <b>it is</b> </h1>"):format(episode))
    end
  end)

  teardown(function()
    server:close()
    odd:close()
  end)

  before_each(function()
    odd:forget()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
  end)

  after_each(function() os.execute(("rm -r '%s'"):format(folder)) end)

  -- Lets an example ask for what is held back until it has made so many requests.
  local function wait_for_requests(count, path)
    web.eventually(function() return #odd:requests(path) >= count end,
      ("%d requests were not made"):format(count))
  end

  local function release(key)
    local session <close> = http.session()
    lull.await(session:get(odd:url("http", web.path("/release", {key = key}))))
  end

  describe("with genres", function()
    local function base() return server:url("http", "/store/v1") end

    for _, name in ipairs {"genres", "genres_sync"} do
      it(("write ten of them, each to a file: %s.lua"):format(name), function()
        local output = output_of(name, {"--base", base()})
        local lines, files = words_of(output, "[^\n]+"), {}
        assert.equal("Time to complete: N.NN seconds", table.remove(lines))
        local expected = {}
        for i = 1, 10 do
          files[i] = ("genre%d.txt"):format(i)
          expected[i] = ('Writing "deep \\"minimal\\" yodel" to "downloaded/%s"...')
            :format(files[i])
        end
        if name == "genres" then sorted(expected) sorted(lines) end
        assert.same(expected, lines)
        assert.same(sorted(files), web.names(folder .. "/downloaded"))
        for _, file in ipairs(files) do
          assert.equal('deep "minimal" yodel\n', web.read(folder .. "/downloaded/" .. file))
        end
      end)
    end

    it("ask for all at the same time: genres.lua", function()
      local finish = start("genres", {"--base", odd:url("http", "/hold?key=")})
      wait_for_requests(10, "/hold")
      release("/genre/")
      local output, errors, code = finish()
      assert.equal("", output)
      assert.matches("^genres: line 1, column 1: [^\n]*\n$", errors)
      assert.equal(1, code)
    end)

    it("ask for one at a time: genres_sync.lua", function()
      local url = odd:url("http", '/reply?body="x"&rest=')
      output_of("genres_sync", {"--base", url})
      assert.equal(10, #odd:requests("/reply"))
      assert.equal(1, #odd:noted("open"))
    end)
  end)

  describe("with titles", function()
    it("print them in order, and what is going on meanwhile", function()
      local lines = {getting_html()}
      for episode = 150, 159 do
        lines[#lines + 1] = ("Getting TITLE for episode %d\n"):format(episode)
        lines[#lines + 1] = ("Title found: Episode #%d: it is\n"):format(episode)
      end
      assert.equal(table.concat(lines),
        output_of("scrape_titles", {"--base", server:url("http", "/store/episodes")}))
    end)

    it("colour them", function()
      local url = server:url("http", "/store/episodes")
      local output = output_of("scrape_titles", {"--base", url, "--first", "152", "--last", "152"},
        "FORCE_COLOR=1")
      assert.equal("\27[33mGetting HTML for episode 152\27[39m\n"
        .. "\27[36mGetting TITLE for episode 152\27[39m\n"
        .. "\27[97mTitle found: Episode #152: it is\27[39m\n", output)
    end)

    it("say where one is missing", function()
      publish("untitled/7", "<h2>nothing</h2>")
      local output = output_of("scrape_titles",
        {"--base", server:url("http", "/store/untitled"), "--first", "7", "--last", "7"})
      assert.equal("Getting HTML for episode 7\nGetting TITLE for episode 7\n"
        .. "Title found: MISSING\n", output)
    end)

    it("end with what the server says of a page that it does not have", function()
      local url = server:url("http", "/store/episodes")
      local output, errors, code = run("scrape_titles",
        {"--base", url, "--first", "160", "--last", "160"})
      assert.equal("Getting HTML for episode 160\n", output)
      assert.equal(("scrape_titles: 404 Not Found: GET %s/160\n"):format(url), errors)
      assert.equal(1, code)
    end)
  end)

  describe("with sessions of their own class", function()
    local SITES = {"realpython.com", "pycoders.com"}

    local function base(name) return server:url("http", "/store/" .. name) end

    setup(function()
      for _, site in ipairs(SITES) do
        publish(("sites/%s/index.html"):format(site), "<!DOCTYPE html>\n<p>hello")
        publish(("sites/%s/robots.txt"):format(site), "User-agent: *\n")
        publish(("locked/%s/index.html"):format(site), "<html>")
      end
    end)

    it("open them, fetch pages, and close them: async_session.lua", function()
      local expected = {}
      for _, site in ipairs(SITES) do
        for _, line in ipairs {"status -> 200", "type -> <!DOCTYPE html>",
          "robots.txt -> 14 bytes", "closes in peace"} do
          expected[#expected + 1] = ("%s/%s/: %s"):format(base("sites"), site, line)
        end
      end
      local lines = words_of(output_of("async_session", {"--base", base("sites")}), "[^\n]+")
      assert.same(sorted(expected), sorted(lines))
    end)

    it("close them when a page cannot be had: async_session.lua", function()
      local output, errors, code = run("async_session", {"--base", base("locked")})
      local opened = 0 -- the first failure ends all, even if the other site is not opened yet
      for _, site in ipairs(SITES) do
        local was_opened = output:find(("/%s/: status -> 200\n"):format(site), 1, true)
        local closes = output:find(("/%s/: closes after an error\n"):format(site), 1, true)
        assert.equal(was_opened ~= nil, closes ~= nil, output)
        if was_opened then opened = opened + 1 end
      end
      assert.is_true(opened >= 1, output)
      assert.matches("^async_session: 404 Not Found: GET http://[^\n]*/robots.txt\n$", errors)
      assert.equal(1, code)
    end)

    it("do not open them where there is no front page: async_session.lua", function()
      local output, errors, code = run("async_session", {"--base", base("nowhere")})
      assert.equal("", output)
      assert.matches("^async_session: 404 Not Found: GET http://[^\n]*/nowhere/", errors)
      assert.equal(1, code)
    end)
  end)

  describe("with flags", function()
    local function base() return server:url("http", "/store/flags") end

    local function assert_downloaded(where)
      assert.same(with_suffix(POP20, ".gif"), web.names(folder .. "/" .. where))
      for _, code in ipairs(POP20) do
        assert.equal("GIF of " .. code, web.read(("%s/%s/%s.gif"):format(folder, where, code)))
      end
    end

    for _, name in ipairs {"flags", "flags_threads"} do
      it(("print their codes as they come, and their number: %s.lua"):format(name), function()
        local codes, rest = output_of(name, {"--base", base()}):match("^(.-)\n(.*)$")
        assert.same(POP20, sorted(words_of(codes)))
        assert.equal("20 downloads in N.NNs\n", rest)
        assert_downloaded("downloaded")
      end)

      it(("ask for all at the same time: %s.lua"):format(name), function()
        local finish = start(name, {"--base", odd:url("http", "/hold?key=k&rest=")})
        wait_for_requests(20, "/hold")
        release("k")
        local _, errors, code = finish()
        assert.equal("", errors)
        assert.equal(0, code)
      end)

      it(("say which could not be had, and stop: %s.lua"):format(name), function()
        local output, errors, code = run(name, {"--base", server:url("http", "/store/none")})
        assert.equal("", output)
        assert.matches(("^%s: 404 Not Found: GET http://[^\n]*/store/none/%%l%%l/%%l%%l.gif\n$")
          :format(name), errors)
        assert.equal(1, code)
      end)

      it(("say where they could not be saved: %s.lua"):format(name), function()
        web.write(folder .. "/taken", "a file")
        local _, errors, code = run(name, {"--base", base(), "--to", "taken"})
        assert.equal(name .. ": cannot make directory 'taken': file already exists\n", errors)
        assert.equal(1, code)
      end)
    end

    it("are saved in the folder that is asked for, which is made", function()
      output_of("flags", {"--base", base(), "--to", "here/and there"})
      assert_downloaded("here/and there")
      assert.same({"errors", "here"}, web.names(folder))
    end)

    it("count how the downloads went: flags_progress.lua", function()
      assert.equal(("20 flags from %s, 5 at a time\n20 downloaded\nElapsed time: N.NNs\n")
        :format(base()), output_of("flags_progress", {"--base", base()}))
      assert_downloaded("downloaded")
    end)

    it("take those that the server does not have as they are: flags_progress.lua", function()
      local output = output_of("flags_progress", {"--base", base(), "xx", "FR", "yy"})
      assert.equal(("3 flags from %s, 5 at a time\n1 downloaded\n2 not found\n"
        .. "Elapsed time: N.NNs\n"):format(base()), output)
      assert.same({"FR.gif"}, web.names(folder .. "/downloaded"))
    end)

    it("go on after failures, and end with the last: flags_progress.lua", function()
      local url = odd:url("http", "/reply?status=503&rest=")
      local output, errors, code = run("flags_progress", {"--base", url, "CN", "IN"})
      assert.matches("^2 flags from [^\n]*\n2 failed\nElapsed time: %d+%.%d%ds\n$", output)
      assert.matches("^flags_progress: 503 Odd: GET http://[^\n]*\n$", errors)
      assert.equal(1, code)
    end)

    it("make no more requests at a time than they may: flags_progress.lua", function()
      local finish = start("flags_progress",
        {"--base", odd:url("http", "/hold?key=few&rest="), "--most", "3"})
      wait_for_requests(3, "/hold")
      release("few")
      local output, errors, code = finish()
      assert.matches(", 3 at a time\n20 downloaded\n", output, nil, true)
      assert.equal("", errors)
      assert.equal(0, code)
      assert.equal(20, #odd:requests("/hold"))
      assert.equal(3 + 1, #odd:noted("open")) -- and one to release them
    end)
  end)

  describe("with domains", function()
    -- Writes a resolver that knows some names, and takes longer the later in the list a name is.
    local function resolver(order, known)
      local path = folder .. "/resolver.lua"
      web.write(path, ([[
        local lull = require "lull"
        local delays, known, delay = {}, {}, 0
        for name in (%q):gmatch("%%S+") do
          delay = delay + 0.01
          delays[name] = delay
        end
        for name in (%q):gmatch("%%S+") do known[name] = true end
        return lull.async(function(domain)
          lull.await(lull.sleep(assert(delays[domain], domain)))
          if known[domain] then return {{address = "127.0.0.1", family = "inet", port = 0}} end
          error(lull.DNSError("cannot resolve '" .. domain .. "'", {code = "EAI_NONAME"}), 0)
        end)
      ]]):format(order, known))
      return path
    end

    local NAMES = "true then or not nil in if goto for end else do and"

    it("mark those found, in the order in which that turns out: blogdom.lua", function()
      local order = NAMES:gsub("%a+", "%0.dev")
      assert.equal([[
+ true.dev
  then.dev
  or.dev
  not.dev
+ nil.dev
  in.dev
  if.dev
+ goto.dev
  for.dev
  end.dev
  else.dev
+ do.dev
  and.dev
]], output_of("blogdom", {"--resolver", resolver(order, "do.dev goto.dev nil.dev true.dev")}))
    end)

    it("are shown in two columns: domaincheck.lua", function()
      local order = NAMES:gsub("%a+", "%0.com.br")
      assert.equal("FOUND\t\tNOT FOUND\n=====\t\t=========\n"
        .. "\t\ttrue.com.br\n\t\tthen.com.br\nor.com.br\n\t\tnot.com.br\n\t\tnil.com.br\n"
        .. "in.com.br\n\t\tif.com.br\n\t\tgoto.com.br\n\t\tfor.com.br\n\t\tend.com.br\n"
        .. "\t\telse.com.br\n\t\tdo.com.br\n\t\tand.com.br\n",
        output_of("domaincheck",
          {"--resolver", resolver(order, "or.com.br in.com.br"), ".COM.BR."}))
    end)

    for name, arguments in pairs {blogdom = {}, domaincheck = {"dev"}} do
      it(("end when they cannot be looked up at all: %s.lua"):format(name), function()
        local path = folder .. "/broken.lua"
        web.write(path, [[
          local lull = require "lull"
          return lull.async(function(domain)
            if domain ~= "do.dev" then lull.await(lull.sleep(60)) end
            error(lull.OSError("no room for an answer", {code = "ENOMEM"}), 0)
          end)
        ]])
        local output, errors, code = run(name, {"--resolver", path, table.unpack(arguments)})
        assert.equal(name == "blogdom" and "" or "FOUND\t\tNOT FOUND\n=====\t\t=========\n", output)
        assert.equal(name .. ": no room for an answer\n", errors)
        assert.equal(1, code)
      end)
    end

    it("need a TLD: domaincheck.lua", function()
      for _, arguments in ipairs {{}, {"dev", "org"}} do
        local output, errors, code = run("domaincheck", arguments)
        assert.equal("", output)
        assert.matches("^domaincheck: which TLD%? For example: lull [^\n]*%.lua COM%.BR\n$", errors)
        assert.equal(1, code)
      end
    end)
  end)

  describe("with a site", function()
    local function page(...)
      return web.path("/reply", {header = "Content-Type: text/html", body = table.concat {...}})
    end

    local function link(url) return ('<p><a href="%s">x</a></p>'):format(url:gsub("&", "&amp;")) end

    -- What was asked for, how often.
    local function requests()
      local counts = {}
      for _, request in ipairs(odd:requests()) do
        counts[request.target] = (counts[request.target] or 0) + 1
      end
      return counts
    end

    it("follow the links of every page, once", function()
      local leaf = page("leaf")
      local inner = page(link(leaf), link("#top"), link("/reply?status=404"))
      local beginning = page(link(inner), link(leaf .. "#part"), link(odd:url("other", "/echo")),
        link("mailto:me"), link("http://["), link("/reply?body=text"), link(inner))
      local output = output_of("fan_out", {"--base", odd:url("http", beginning)})
      assert.matches("^4 pages, %d+%.%d KB, in N.NNs\n", output)
      assert.equal(("1 failed:\n  404 Not Found: GET %s\n"):format(
        odd:url("http", "/reply?status=404")), output:match("\n(.*)$"))
      assert.same({
        [beginning] = 1, [inner] = 1, [leaf] = 1,
        ["/reply?status=404"] = 1, ["/reply?body=text"] = 1,
      }, requests())
    end)

    it("try again what fails for the moment", function()
      local output = output_of("fan_out",
        {"--base", odd:url("http", page(link("/flaky?key=crawl&times=2")))})
      assert.matches("^2 pages, 0%.1 KB, in N.NNs\n$", output)
      assert.equal(3, #odd:requests("/flaky"))
    end)

    it("take on so many pages", function()
      local links = {}
      for i = 1, 9 do links[i] = link("/echo?" .. i) end
      local output = output_of("fan_out",
        {"--base", odd:url("http", page(table.concat(links))), "--pages", "4"})
      assert.matches("^4 pages, ", output)
      assert.equal(4, #odd:requests())
    end)

    it("make no more requests at a time than they may", function()
      local links = {}
      for i = 1, 9 do links[i] = link("/hold?key=crawl&" .. i) end
      local finish = start("fan_out",
        {"--base", odd:url("http", page(table.concat(links))), "--most", "3"})
      wait_for_requests(3, "/hold")
      release("crawl")
      assert.matches("^10 pages, ", finish())
      assert.equal(3 + 1, #odd:noted("open"))
    end)

    it("fail if the first page does", function()
      local url = odd:url("http", "/reply?status=404")
      local output, errors, code = run("fan_out", {"--base", url})
      assert.equal("", output)
      assert.equal(("fan_out: 404 Not Found: GET %s\n"):format(url), errors)
      assert.equal(1, code)
    end)

    it("fail if there is no sense in the address", function()
      local _, errors, code = run("fan_out", {"--base", "lua"})
      assert.equal("fan_out: '' on 'lua' leads nowhere: Bad scheme\n", errors)
      assert.equal(1, code)
    end)
  end)

  -- Runs an example with a terminal for its stderr; gives what came there.
  local function on_terminal(name, url)
    local command = ("'%s' '%s/%s.lua' --base %s >output"):format(host, examples, name, quote(url))
    local pipe = assert(io.popen(("cd '%s' && timeout 60 script -qec %s /dev/null </dev/null")
      :format(folder, quote(command))))
    local text = pipe:read("a")
    pipe:close()
    return text, web.read(folder .. "/output")
  end

  it("draw a bar of their progress on a terminal, and wipe it away", function()
    local url = server:url("http", "/store/flags")
    local text, output = on_terminal("flags_progress", url)
    local last
    for done = 1, 20 do
      local bar = "[" .. ("#"):rep(2 * done) .. (" "):rep(40 - 2 * done) .. "] " .. done .. "/20"
      last = assert(text:find(bar, last, true), bar)
    end
    assert.matches("\r\27[K", text:sub(-4), nil, true)
    assert.matches("\n20 downloaded\n", output, nil, true)

    url = odd:url("http", "/reply?header=Content-Type: text/html&body=<a href=/echo>")
    text = on_terminal("fan_out", url:gsub(" ", "%%20"))
    assert.equal(("\r[%s%s] 1/2\27[K\r[%s] 2/2\27[K\r\27[K"):format(
      ("#"):rep(20), (" "):rep(20), ("#"):rep(40)), text)
  end)

  for name, before in pairs {
    genres = "", genres_sync = "", flags = "", flags_threads = "",
    flags_progress = "20 flags from URL, 5 at a time\n20 failed\nElapsed time: N.NNs\n",
    scrape_titles = getting_html(), fan_out = "",
  } do
    it(("say in one line that a server is down: %s.lua"):format(name), function()
      local url = odd:url("refusing", "")
      local output, errors, code = run(name, {"--base", url})
      local expected = before:gsub("URL", url)
      assert.equal(expected, (output:gsub("%d+%.%d%ds", "N.NNs")))
      assert.equal(("%s: 127.0.0.1:%d: cannot connect: the connection was refused\n"):format(
        name, odd.refusing), errors)
      assert.equal(1, code)
    end)
  end

  it("explain themselves when they are asked to", function()
    local output = output_of("flags", {"--help"})
    assert.matches("^Downloads the flags of", output)
    assert.matches("\n  lull examples/flags.lua [--base URL] [--to FOLDER]\n", output, nil, true)
  end)

  it("take no options that they do not know, or that are wrong", function()
    for _, case in ipairs {
      {"flags", {"--into", "x"}, "flags: unknown option --into (--help lists them)\n"},
      {"flags", {"--to"}, "flags: --to needs a value\n"},
      {"fan_out", {"--most", "many"}, "fan_out: --most needs a whole number, 1 at least\n"},
      {"fan_out", {"--pages", "0"}, "fan_out: --pages needs a whole number, 1 at least\n"},
    } do
      local output, errors, code = run(case[1], case[2])
      assert.same({"", case[3], 1}, {output, errors, code})
    end
  end)
end)
