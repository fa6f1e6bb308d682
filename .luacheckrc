std = "lua54"
max_line_length = 100
cache = false

files["spec/**/*_spec.lua"] = { std = "lua54+busted" }

-- Declarations for editors: functions without bodies, whose arguments are there to be named, in
-- tables that stand for classes (241: set and never read).
files["lua/types/**/*.lua"] = { unused_args = false, ignore = { "241" } }
