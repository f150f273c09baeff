#include "rules/image/registries/http/login.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/registries/http/challenge.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTokenUser = "<token>";  // of a helper: the secret is an identity token
// What docker calls its own hub there.
constexpr std::string_view kHubs[] = {"docker.io", "registry-1.docker.io", "index.docker.io"};
constexpr const char* kHubKey = "https://index.docker.io/v1/";

std::string text_at(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json* at(const Json& object, const std::string& name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? &*found : nullptr;
}

// The names under which a registry may stand there.
std::vector<std::string> keys_of(const std::string& registry) {
  for (const std::string_view hub : kHubs) {
    if (registry == hub) return {kHubKey, "docker.io", "index.docker.io"};
  }
  return {registry, cat("https://", registry), cat("http://", registry), cat("https://", registry, "/v1/"),
          cat("https://", registry, "/v2/")};
}

Error unusable(const std::string& path, std::string_view why) {
  return user_error(cat("The logins in ", quoted(path), " cannot be used: ", why),
                    "`docker login` writes them anew");
}

Result<std::optional<Login>> from_helper(Host& host, const std::string& helper, const std::string& key,
                                         const std::stop_token& stop) {
  const std::string program = cat("docker-credential-", helper);
  Command command;
  // It reads the registry from its input, which a process of ours has none of.
  command.arguments = {"sh", "-c", "printf %s \"$1\" | \"$2\" get", "sh", key, program};
  command.environment = host.environment.variables;
  TRY_ASSIGN(const ProcessResult result, host.processes.run(command, stop));
  const Json answer = parse_json<Json>(result.output);
  if (result.exit_code != 0) {
    if (result.output.find("credentials not found") != std::string::npos ||
        result.errors.find("credentials not found") != std::string::npos)
      return std::optional<Login>();
    return fail(user_error(
        cat("The credential helper ", quoted(program), " failed (exit code ", result.exit_code, ")"),
        "Is it installed? `docker login` may leave the login without a helper"));
  }
  const std::string user = text_at(answer, "Username");
  const std::string secret = text_at(answer, "Secret");
  if (user == kTokenUser) return std::optional(Login{"", "", secret});
  return std::optional(Login{user, secret, ""});
}

std::optional<Login> from_entry(const Json& entry) {
  Login login{text_at(entry, "username"), text_at(entry, "password"), text_at(entry, "identitytoken")};
  if (const std::string both = text_at(entry, "auth"); !both.empty()) {
    const std::string plain = from_base64(both).value_or("");
    const std::size_t colon = plain.find(':');
    if (colon != plain.npos) {
      login.user = plain.substr(0, colon);
      login.password = plain.substr(colon + 1);
      while (login.password.ends_with('\0')) login.password.pop_back();
    }
  }
  if (login.password.empty() && login.identity_token.empty()) return std::nullopt;
  return login;
}

}  // namespace

Result<std::optional<Login>> login_for(Host& host, const std::string& registry, const std::stop_token& stop) {
  const std::optional<std::string> home = host.environment.get("HOME");
  const std::optional<std::string> given = host.environment.get("DOCKER_CONFIG");
  if (!given && !home) return std::optional<Login>();
  const std::string path = path_join(given ? *given : path_join(*home, ".docker"), "config.json");
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, path));
  if (!text) return std::optional<Login>();
  const Json config = parse_json<Json>(*text);
  if (!config.is_object()) return fail(unusable(path, "it is no JSON object"));
  const Json* helpers = at(config, "credHelpers");
  const Json* logins = at(config, "auths");
  for (const std::string& key : keys_of(registry)) {
    if (const std::string helper = helpers == nullptr ? "" : text_at(*helpers, key.c_str()); !helper.empty())
      return from_helper(host, helper, key, stop);
  }
  for (const std::string& key : keys_of(registry)) {
    const Json* entry = logins == nullptr ? nullptr : at(*logins, key);
    if (entry == nullptr) continue;
    if (std::optional<Login> login = from_entry(*entry)) return login;
    if (const std::string store = text_at(config, "credsStore"); !store.empty())
      return from_helper(host, store, key, stop);
  }
  return std::optional<Login>();
}

}  // namespace trainmake
