#include "engine/model/rule.h"

#include <algorithm>

namespace trainmake {

Rule* rule_of(const Rules& rules, std::string_view kind) {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const Rule* rule) { return rule->schema().kind == kind; });
  return found == rules.end() ? nullptr : *found;
}

}  // namespace trainmake
