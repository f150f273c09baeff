// What an editor needs to know of a TRAINFILE: the globals and attributes as LuaLS annotations, generated
// from the same schemas that check a file, and the settings that point the language server there. Pure text.
#pragma once

#include <string>
#include <vector>

#include "engine/model/schema.h"

namespace trainmake {

// A `---@meta` file.
std::string luals_types(const std::vector<const Schema*>& schemas);
// A `.luarc.json`; `library` is the folder of the meta file.
std::string luarc_json(const std::string& library);

}  // namespace trainmake
