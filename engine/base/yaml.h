// Reading YAML that somebody else wrote, as JSON: every scalar is a text, whatever it looks like.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace trainmake {

// The first document. A discarded value, which is no object and no array, when the text is no YAML, nests too
// deep, or says the same by reference so often that it would grow beyond all bounds.
nlohmann::json parse_yaml(std::string_view text);

}  // namespace trainmake
