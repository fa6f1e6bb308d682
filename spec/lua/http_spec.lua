-- lull.http's functions that need no server; for requests see spec/bindings/http.
local http = require "lull.http"
local lull = require "lull"

describe("http.join", function()
  it("gives the URL of a reference on a page", function()
    for _, case in ipairs {
      {"http://a/b/c", "d", "http://a/b/d"},
      {"http://a/b/c", "../d", "http://a/d"},
      {"http://a/b/c", "./../../../d", "http://a/d"},
      {"http://a/b/c/", "d/", "http://a/b/c/d/"},
      {"http://a/b/c", "/d", "http://a/d"},
      {"http://a/b/c", "//d", "http://d/"},
      {"http://a/b/c", "https://d/e", "https://d/e"},
      {"http://a/b/c?d=1", "?e=2", "http://a/b/c?e=2"},
      {"http://a/b/c?d=1", "e", "http://a/b/e"},
      {"http://a", "b", "http://a/b"},
      {"http://a/b", "ftp://c/d", "ftp://c/d"},
    } do
      assert.equal(case[3], http.join(case[1], case[2]))
    end
  end)

  it("stays on the page for an empty reference, and for one to a part of it", function()
    assert.equal("http://a/b/c?d=1", http.join("http://a/b/c?d=1", ""))
    assert.equal("http://a/b/c?d=1", http.join("http://a/b/c?d=1#e", "#f"))
    assert.equal("http://a/", http.join("http://a", "#b"))
  end)

  it("leaves out fragment, user and password, and encodes what must be", function()
    assert.equal("http://a/d", http.join("http://user:secret@a/b#c", "d#e"))
    assert.equal("http://c/d", http.join("http://a/b", "http://user:secret@c/d"))
    assert.equal("http://a/%c3%a4%20x", http.join("http://a/b", "ä x"))
  end)

  it("raises InvalidURL where there is none", function()
    for _, case in ipairs {
      {"http://a/b", "http://["}, {"http://a/b", "http://c:99999/"}, {"a/b", "c"}, {"", ""},
      {"http://a/b", "c\nd"}, {"http://a/b", "c\0d"}, {"http://a\r/b", "c"},
    } do
      local ok, err = pcall(http.join, case[1], case[2])
      assert.is_false(ok)
      assert.is_true(lull.is_error(err, http.InvalidURL))
      assert.equal(case[2], err.url)
      assert.is_nil(err.message:find("%c"))
    end
  end)

  it("takes strings only", function()
    assert.error_matches(function() http.join(nil, "a") end, "bad argument #1 to 'join'")
    assert.error_matches(function() http.join("http://a") end, "bad argument #2 to 'join'")
  end)
end)
