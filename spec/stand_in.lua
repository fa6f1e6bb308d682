-- A session of the prompt that is none: what commands write is kept, for specs to look at.
local M = {}

--- Makes a session with a table of globals; `fields` are added to it. `session.text()` gives what
--- was written since it was called last, `session.shown` the values that were shown.
function M.session(env, fields)
  local written = {}
  local session = {
    env = setmetatable(env or {}, { __index = _G }),
    scope = nil,
    color = false,
    shown = {},
  }
  function session.write(text) written[#written + 1] = text end
  function session.show(...) table.insert(session.shown, table.pack(...)) end
  function session.evaluate(text)
    local chunk = load("return " .. text, "=prompt", "t", session.env)
      or assert(load(text, "=prompt", "t", session.env))
    return chunk()
  end
  function session.text()
    local text = table.concat(written)
    written = {}
    return text
  end
  for name, value in pairs(fields or {}) do session[name] = value end
  return session
end

return M
