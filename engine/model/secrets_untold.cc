#include "engine/model/secrets_untold.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

bool stands_in(const std::string& secret, const Value& value) {
  const auto within = [&](std::string_view text) { return text.find(secret) != text.npos; };
  if (value.is_scalar()) return within(scalar_text(value));
  if (const PlacedPath* path = value.placed()) return within(path->rest);
  const Table* table = value.table();
  if (table == nullptr) return false;
  return std::any_of(table->items.begin(), table->items.end(),
                     [&](const Value& item) { return stands_in(secret, item); }) ||
         std::any_of(table->fields.begin(), table->fields.end(), [&](const auto& field) {
           return within(field.first) || stands_in(secret, field.second);
         });
}

}  // namespace

Result<void> check_secrets_untold(const Environment& environment, const Target& target) {
  for (const std::string& name : target.strings("secrets")) {
    const std::string secret = environment.get(name).value_or("");
    if (secret.size() < kTellingSize) continue;
    for (const auto& [attribute, value] : target.attributes.fields) {
      if (attribute == "secrets" || !stands_in(secret, value)) continue;
      return fail(user_error(cat("The value of secret ", quoted(name), " stands in ", quoted(attribute),
                                 ", which is kept and shown"),
                             cat("Leave it out: whatever runs finds ", quoted(name), " in its environment"))
                      .at(target.place_of(attribute)));
    }
  }
  return {};
}

}  // namespace trainmake
