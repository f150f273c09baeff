-- What a TRAINFILE.lua and a TRAINSPACE.lua may say beside Lua 5.4. A global that is not here is a mistake.
std = "lua54"
max_line_length = 130

local trainfile = {
  "project", "code", "data", "image", "job",
  "glob", "list", "select", "env", "load_file",
  "code_dir", "data_dir", "output_dir", "checkpoint_dir", "log_dir", "uai",
}
local trainspace = { "platform", "store", "registry", "default_platform", "default_store", "default_registry" }

for _, name in ipairs(trainspace) do trainfile[#trainfile + 1] = name end
read_globals = trainfile

-- The prelude makes these; the host gives it what it needs.
files["lua/prelude.lua"] = { allow_defined_top = true, ignore = { "113", "121", "122", "131" } }

-- A room's module assigns the global of its name.
files["rules/job/platforms/uai/uai.lua"] = { globals = { "uai" } }
