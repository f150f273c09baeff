#include "rules/image/registries/http/login.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTokenUser = "<token>";  // of a helper: the secret is an identity token

Result<std::optional<Login>> from_environment(const Environment& environment, const std::string& registry) {
  const std::string variable = login_variable(registry);
  const std::string value = environment.get(variable).value_or("");
  if (value.empty()) return std::optional<Login>();
  const std::size_t colon = value.find(':');
  if (colon == 0 || colon == value.npos)
    return fail(
        user_error(cat("The environment's ", variable, " is no login"), "Write it as `user:password`"));
  return std::optional(Login{value.substr(0, colon), value.substr(colon + 1), "", cat("`", variable, "`")});
}

Result<std::optional<Login>> from_helper(Host& host, const LoginEntry& entry, const std::stop_token& stop) {
  const std::string program = cat("docker-credential-", entry.helper);
  Command command;
  // It reads the registry from its input, which a process of ours has none of.
  command.arguments = {"sh", "-c", "printf %s \"$1\" | \"$2\" get", "sh", entry.key, program};
  command.environment = host.environment.variables;
  TRY_ASSIGN(const ProcessResult result, host.processes.run(command, stop));
  const Json answer = parse_json<Json>(result.output);
  if (result.exit_code != 0) {
    if (result.output.find("credentials not found") != std::string::npos ||
        result.errors.find("credentials not found") != std::string::npos)
      return std::optional<Login>();
    return fail(user_error(
        cat("The credential helper ", quoted(program), " failed (exit code ", result.exit_code, ")"),
        "Is it installed? `trainmake login` needs no helper"));
  }
  const std::string user = text_at(answer, "Username");
  const std::string secret = text_at(answer, "Secret");
  if (user == kTokenUser) return std::optional(Login{"", "", secret, quoted(program)});
  return std::optional(Login{user, secret, "", quoted(program)});
}

}  // namespace

std::string login_variable(const std::string& registry) {
  std::string name(kLoginVariable);
  for (const char c : registry) {
    if (c >= 'a' && c <= 'z')
      name += static_cast<char>(c - 'a' + 'A');
    else
      name += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
  }
  return name;
}

Result<std::optional<Login>> login_for(Host& host, const std::string& registry, const std::stop_token& stop,
                                       std::string* trouble) {
  TRY_ASSIGN(std::optional<Login> set, from_environment(host.environment, registry));
  if (set) return set;
  for (const std::string& path : login_files(host.environment)) {
    TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, path));
    if (!text) continue;
    TRY_ASSIGN(const std::optional<LoginEntry> entry, entry_for(*text, path, registry));
    if (!entry) continue;
    if (entry->login) {
      if (trouble != nullptr) trouble->clear();
      return entry->login;
    }
    Result<std::optional<Login>> asked = from_helper(host, *entry, stop);
    if (!asked && entry->is_named) return asked;
    if (!asked && trouble != nullptr) *trouble = asked.error().message;
    if (!asked || !*asked) continue;
    if (trouble != nullptr) trouble->clear();
    return asked;
  }
  return std::optional<Login>();
}

}  // namespace trainmake
