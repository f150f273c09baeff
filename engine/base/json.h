// Reading JSON that somebody else may have written, or a disk may have damaged.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace trainmake {

// Deeper than any document of ours, and shallow enough to be walked, copied and printed by recursion.
inline constexpr int kDeepestJson = 100;
bool nests_deeper(std::string_view json, int levels);

// A discarded value, which is no object and no array, when the text is no JSON or nests too deep.
template <typename Json>
Json parse_json(std::string_view text) {
  if (nests_deeper(text, kDeepestJson)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

// The field `name` of an object, as text; "" when there is no such field, or it is none.
template <typename Json>
std::string text_at(const Json& object, std::string_view name) {
  if (!object.is_object()) return "";
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->template get<std::string>() : "";
}

}  // namespace trainmake
