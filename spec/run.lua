-- Runs busted in the interpreter that runs this file: under the lull host that is inside the main
-- task, so the body of an `it` may await. Takes busted's options and spec files.
require("busted.runner")({ standalone = false })
