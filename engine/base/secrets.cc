#include "engine/base/secrets.h"

#include "engine/base/text.h"

namespace trainmake {

std::vector<std::string> values_of(const Secrets& secrets) {
  std::vector<std::string> values;
  for (const auto& [name, value] : secrets) values.push_back(value);
  return values;
}

Result<Secrets> secrets_of(const Environment& environment, const std::vector<std::string>& names,
                           const std::string& label) {
  Secrets secrets;
  for (const std::string& name : names) {
    const std::optional<std::string> value = environment.get(name);
    if (!value)
      return fail(user_error(cat("Secret ", quoted(name), " of ", quoted(label), " is not set"),
                             cat("Set the environment variable ", quoted(name), " and run again")));
    secrets[name] = *value;
  }
  return secrets;
}

Redactor redactor_of(const Environment& environment, const std::vector<std::string>& names) {
  std::vector<std::string> values;
  for (const std::string& name : names) values.push_back(environment.get(name).value_or(""));
  return Redactor(values);
}

}  // namespace trainmake
