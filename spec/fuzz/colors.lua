-- lull.color: 44 functions, nearly all of them alike.
local color = require "lull.color"
local targets = require "spec.fuzz.targets"
local values = require "spec.fuzz.values"

local texts = values.one_of {
  "plain", "\27[31mred\27[39m", "\27[0m", "\27[", "\27]8;;x\7link\27]8;;\27\\", "%1", "%", "\27",
}

targets.add_functions("color", color, { strip = { texts }, red = { texts }, on_blue = { texts } })
