-- The core of lull: what `require "lull"` gives, and the objects that come of it.
local lull = require "lull"
local targets = require "spec.fuzz.targets"
local timer = require "lull.timer"
local values = require "spec.fuzz.values"

targets.add_functions("functions", lull)
targets.add("functions", "timer.new", timer.new)
targets.add_classes("errors", lull)
targets.add("errors", "tostring", function(...) return tostring((...)) end, "error")
targets.add("errors", "tostring of a group", function(...) return tostring((...)) end,
  "error_group")
for _, kind in ipairs(values.kinds()) do
  targets.add_methods(kind, values.makers[kind]())
end
