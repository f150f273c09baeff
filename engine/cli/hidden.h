// What is in the environment under the names that targets declare as secrets: never shown, wherever a file
// may have put it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "engine/base/host.h"
#include "engine/model/value.h"
#include "rules/job/redactor.h"

namespace trainmake {

class Hidden {
 public:
  explicit Hidden(const Environment& environment) : environment_(environment) {}

  void add(const Table& attributes);  // of a declaration
  std::string hide(const std::string& text) const { return redactor_.redact(text); }
  nlohmann::ordered_json hide(const nlohmann::ordered_json& json) const;
  void hide_in(Error& error) const;

 private:
  void add(const Value& name);

  const Environment& environment_;
  std::set<std::string> values_;
  Redactor redactor_{{}};
};

}  // namespace trainmake
