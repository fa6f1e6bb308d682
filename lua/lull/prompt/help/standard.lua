-- Lua's own functions, in a line each: how they are called, and what for. The reference manual has
-- the whole of it.
local TEXT = [[
assert(value, message) -> value, message: gives its arguments back if the first is true, else
  raises the message
collectgarbage(option, ...) -> any: runs or steers the collector: "collect", "count" (kilobytes in
  use), "stop", ...
dofile(path) -> ...: runs a file as a chunk
error(value, level): raises an error; a string gets the place in front, of the caller if level is
  2, none if 0
getmetatable(object) -> table: gives an object's metatable, or what it shows in its stead
ipairs(t) -> f, t, 0: for loops over t[1], t[2], ... up to the first nil
load(chunk, name, mode, env) -> function: compiles text, or what a function gives in pieces; nil
  and a message if it cannot
loadfile(path, mode, env) -> function: compiles a file; nil and a message if it cannot
next(t, key) -> key, value: gives the field after a key, in no order; nil after the last
pairs(t) -> next, t, nil: for loops over all fields, in no order
pcall(f, ...) -> boolean, ...: calls f; true and its results, or false and its error
print(...): writes values as text, with tabs in between
rawequal(a, b) -> boolean: compares without metamethods
rawget(t, key) -> any: reads a field without metamethods
rawlen(value) -> integer: gives a length without metamethods
rawset(t, key, value) -> t: writes a field without metamethods
require(name) -> any: gives a module, which is loaded the first time
select(n, ...) -> ...: gives the arguments from the nth on; with "#", how many there are
setmetatable(t, metatable) -> t: sets the metatable of a table
tonumber(value, base) -> number: makes a number of text; nil if it is none
tostring(value) -> string: makes text of any value
type(value) -> string: "nil", "number", "string", "boolean", "table", "function", "thread" or
  "userdata"
warn(message, ...): emits a warning
xpcall(f, handler, ...) -> boolean, ...: is as pcall, and gives the error to a handler where it is
  raised
coroutine.close(co) -> boolean, error: ends a suspended coroutine and closes its pending variables
coroutine.create(f) -> thread: makes a coroutine of a function
coroutine.isyieldable(co) -> boolean: tells whether a coroutine can yield
coroutine.resume(co, ...) -> boolean, ...: runs a coroutine to its next yield, as a protected call
coroutine.running() -> thread, boolean: gives the running coroutine, and whether it is the main
  one
coroutine.status(co) -> string: "running", "suspended", "normal" or "dead"
coroutine.wrap(f) -> function: makes a function that resumes a coroutine and raises its errors
coroutine.yield(...) -> ...: suspends the running coroutine; its arguments go to resume
package.loadlib(path, name) -> function: loads a C function from a shared library
package.searchpath(name, path, sep, rep) -> string: finds the file of a name by a path of
  templates
string.byte(s, i, j) -> integer, ...: gives the codes of the bytes from i to j
string.char(...) -> string: makes a string of codes of bytes
string.dump(f, strip) -> string: gives a function as bytecode
string.find(s, pattern, init, plain) -> first, last, captures: looks for a pattern, or plain text
string.format(format, ...) -> string: puts values in the places of a format: %d %s %q %5.2f %x %%
string.gmatch(s, pattern, init) -> iterator: for loops over the matches of a pattern
string.gsub(s, pattern, replacement, n) -> string, count: replaces matches by a string, a table's
  values or a function's
string.len(s) -> integer: gives the number of bytes
string.lower(s) -> string: makes upper case letters lower
string.match(s, pattern, init) -> captures: gives what a pattern captures, or its whole match; nil
  if there is none
string.pack(format, ...) -> string: writes values as binary data
string.packsize(format) -> integer: gives the size of what pack would write
string.rep(s, n, sep) -> string: repeats a string, with sep in between
string.reverse(s) -> string: turns the bytes round
string.sub(s, i, j) -> string: gives the part from i to j; negative numbers count from the end
string.unpack(format, s, position) -> ...: reads values from binary data, and where it ended
string.upper(s) -> string: makes lower case letters upper
utf8.char(...) -> string: makes text of code points
utf8.codepoint(s, i, j, lax) -> integer, ...: gives the code points of the characters from byte i
  to j
utf8.codes(s, lax) -> iterator: for loops over the characters: position, code point
utf8.len(s, i, j, lax) -> integer: gives the number of characters; nil and a position if it is no
  UTF-8
utf8.offset(s, n, i) -> integer: gives the byte where the nth character begins
table.concat(list, sep, i, j) -> string: joins the items of a list
table.insert(list, position, value): puts a value in a list, at its end if no position is given
table.move(a, f, e, t, b) -> table: copies the items f to e of a to t and on, of b or a itself
table.pack(...) -> table: makes a list of the arguments, with their number as n
table.remove(list, position) -> any: takes an item out of a list, the last if no position is given
table.sort(list, less): sorts a list in place; it cannot await
table.unpack(list, i, j) -> ...: gives the items of a list
math.abs(x) -> number: gives the absolute value
math.acos(x) -> number: gives the arc cosine, in radians
math.asin(x) -> number: gives the arc sine, in radians
math.atan(y, x) -> number: gives the arc tangent of y/x, in radians, in the right quadrant
math.atan2(y, x) -> number: is math.atan; some builds of Lua have it
math.ceil(x) -> integer: rounds up
math.cos(x) -> number: gives the cosine of radians
math.cosh(x) -> number: gives the hyperbolic cosine; some builds of Lua have it
math.deg(x) -> number: makes degrees of radians
math.exp(x) -> number: gives e to the power of x
math.floor(x) -> integer: rounds down
math.fmod(x, y) -> number: gives the remainder of a division that is rounded towards zero
math.frexp(x) -> number, integer: gives a fraction m and an exponent e, x being m * 2^e; some builds
  of Lua have it
math.ldexp(m, e) -> number: gives m * 2^e; some builds of Lua have it
math.log(x, base) -> number: gives a logarithm, the natural one if there is no base
math.log10(x) -> number: gives the decimal logarithm; some builds of Lua have it
math.max(x, ...) -> number: gives the greatest
math.min(x, ...) -> number: gives the least
math.modf(x) -> number, number: gives the integral and the fractional part
math.pow(x, y) -> number: gives x to the power of y; some builds of Lua have it
math.rad(x) -> number: makes radians of degrees
math.random(m, n) -> number: gives a random float below 1, or an integer from m (or 1) to n
math.randomseed(x, y) -> integer, integer: begins the random numbers anew
math.sin(x) -> number: gives the sine of radians
math.sinh(x) -> number: gives the hyperbolic sine; some builds of Lua have it
math.sqrt(x) -> number: gives the square root
math.tan(x) -> number: gives the tangent of radians
math.tanh(x) -> number: gives the hyperbolic tangent; some builds of Lua have it
math.tointeger(x) -> integer: gives x as an integer if it is whole; else nil
math.type(x) -> string: "integer" or "float"; nil if it is no number
math.ult(m, n) -> boolean: compares integers as if they had no sign
io.close(file): closes a file, the default output if none is given; it stops the loop while it
  waits
io.flush(): writes what the default output has buffered
io.input(file) -> file: sets or gives the default input
io.lines(path, ...) -> iterator: for loops over the lines of a file; lull.fs has one that awaits
io.open(path, mode) -> file: opens a file; nil, a message and a number if it cannot. lull.fs.open
  awaits
io.output(file) -> file: sets or gives the default output
io.popen(command, mode) -> file: runs a command with a pipe to or from it; it stops the loop while
  it waits
io.read(...) -> ...: reads from the default input; it stops the loop while it waits
io.tmpfile() -> file: opens a file that goes when it is closed
io.type(object) -> string: "file" or "closed file"; nil if it is neither
io.write(...) -> file: writes to the default output
file:close(): closes the file
file:flush(): writes what is buffered
file:lines(...) -> iterator: for loops over the lines of the file
file:read(...) -> ...: reads by formats: "n", "a", "l", "L", or a number of bytes
file:seek(whence, offset) -> integer: sets the position, from "set", "cur" or "end", and gives it
file:setvbuf(mode, size): sets how it is buffered: "no", "full" or "line"
file:write(...) -> file: writes strings and numbers
os.clock() -> number: gives the seconds of CPU time used so far
os.date(format, time) -> string: writes a time by a format, or gives it as a table
os.difftime(t2, t1) -> number: gives the seconds between two times
os.execute(command) -> boolean, string, integer: runs a command of the shell; it stops the loop
  meanwhile
os.exit(code, close): ends the process
os.getenv(name) -> string: gives a variable of the environment, or nil
os.remove(path) -> boolean: removes a file; nil and a message if it cannot
os.rename(from, to) -> boolean: renames a file; nil and a message if it cannot
os.setlocale(locale, category) -> string: sets or gives the locale
os.time(table) -> integer: gives the time, now or of a table's fields, in seconds
os.tmpname() -> string: gives a name that a temporary file can have
debug.debug(): reads lines and runs them; it stops the loop
debug.gethook(thread) -> function, string, integer: gives the hook
debug.getinfo(thread, f, what) -> table: tells of a function or a level of the stack
debug.getlocal(thread, f, local) -> string, any: gives a local variable of a level, or a
  parameter's name
debug.getmetatable(value) -> table: gives a metatable, even a hidden one
debug.getregistry() -> table: gives the registry
debug.getupvalue(f, up) -> string, any: gives an upvalue
debug.getuservalue(u, n) -> any, boolean: gives a user value of a userdata
debug.sethook(thread, hook, mask, count): sets the hook
debug.setlocal(thread, level, local, value) -> string: sets a local variable of a level
debug.setmetatable(value, table) -> value: sets a metatable, of any value
debug.setupvalue(f, up, value) -> string: sets an upvalue
debug.setuservalue(u, value, n) -> u: sets a user value of a userdata
debug.setcstacklimit(limit) -> integer: does nothing any more
debug.traceback(thread, message, level) -> string: gives the frames of the stack as text
debug.upvalueid(f, n) -> userdata: gives what tells an upvalue from others
debug.upvaluejoin(f1, n1, f2, n2): makes an upvalue of one function that of another
]]

local M = {}
local entries

--- What there is to say of a function, by the name that the manual gives it.
---@param name string such as "string.format" or "file:read"
---@return string? signature
---@return string? text
function M.get(name)
  if not entries then
    entries = {}
    for line in TEXT:gsub("\n +", " "):gmatch("[^\n]+") do
      local key, rest, text = line:match("^([%w_.:]+)(%(.-%).-): (.*)$")
      entries[key] = {key .. rest, text:gsub("^%l", string.upper) .. "."}
    end
  end
  local entry = entries[name]
  if entry then return entry[1], entry[2] end
end

return M
