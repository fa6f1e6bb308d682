-- What a chunk declares at its top level.
local declarations_of = require("lull.prompt.declarations").of

describe("a chunk's declarations", function()
  -- One line a declaration: its names and attributes, and the text up to its end.
  local function declared(text)
    local list = {}
    for i, declaration in ipairs((declarations_of(text))) do
      local names = {}
      for j, variable in ipairs(declaration.variables) do
        names[j] = variable.name .. (variable.attribute and "/" .. variable.attribute or "")
        if variable.attribute then
          assert.equal(variable.attribute, text:sub(variable.first, variable.last))
        end
      end
      list[i] = table.concat(names, ",") .. ": " .. text:sub(declaration.last - 3, declaration.last)
    end
    return table.concat(list, "; ")
  end

  it("are the local statements at its top level", function()
    assert.equal("a: al a; b,c/const: , 22; f:  end",
      declared("local a local b, c <const> = 1, 22 local function f() local x = 1 end"))
    assert.equal("x/close: rue)", declared("do local a end local x < --[[c]] close > = f(true)"))
    assert.equal("", declared("for i = 1, 2 do local a end if x then local b else local c end "
      .. "repeat local d until d while x do local e end function g() local f end "
      .. "t = {f = function() local g end} return function() local h end"))
    assert.equal("f:  end", declared("local --[[c]] function --[[c]] f() if x then y() end end"))
  end)

  it("end where their last expression ends", function()
    for _, expression in ipairs {
      "1", "-x ^ -2", "not a == b", "#t .. 'x' // 3", "f 'x' {1} [2] (3):m 'x'.y", "...", "{}",
      "function(...) if x then return end end", "(f)(1)[2]", "a and b or c, d", "a.b.c, nil, false",
      "f\n(g)(x)", "1 -- c\n + 2", "[[x]]", "a <b", "~x ~ y", "{f = function() end}",
    } do
      for _, rest in ipairs {" x = 1", "; x = 1", " ::x::", " return 1", " local y", " do end", "",
                             " -- x", " goto x", " function x() end"} do
        local list = declarations_of("local v = " .. expression .. rest)
        assert.equal(10 + #expression, list[1].last, expression .. rest)
      end
    end
    for _, expression in ipairs {"{}", "1", "'x'", "nil", "...", "function() end"} do
      local list = declarations_of("local v = " .. expression .. "\n(f)()")
      assert.equal(10 + #expression, list[1].last, expression)
    end
  end)

  it("come with the names that occur", function()
    local _, names = declarations_of("local a = b.c + f('d', [[e]]) -- g\nh:i()")
    for name in ("a b c f h i"):gmatch("%a") do assert.is_true(names[name]) end
    for name in ("d e g"):gmatch("%a") do assert.is_nil(names[name]) end
  end)

  it("come with where a comment at the end begins", function()
    for text, last in pairs {["x = 1"] = 5, ["x = 1 -- c"] = 6, ["x = 1 --[[c]]--d"] = 13, [""] = 0,
                             ["-- c"] = 0, ["x -- c\ny"] = 8, ["x = '-- c'"] = 10} do
      assert.equal(last, (select(3, declarations_of(text))), text)
    end
  end)

  it("do not fail on what is no chunk", function()
    for _, text in ipairs {"local", "local function", "local x <", "local x =", "local x = (",
                           "local x,", "end end local x", "local x = f.", "local 'x' = ]"} do
      declarations_of(text)
    end
  end)
end)
