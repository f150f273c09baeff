#include "rules/image/registries/http/login_file.h"

#include <nlohmann/json.hpp>

#include "engine/base/encoding.h"
#include "engine/base/file_lock.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/registries/http/challenge.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t kOursAlone = 0600;
// What docker calls its own hub there.
constexpr std::string_view kHubs[] = {"docker.io", "registry-1.docker.io", "index.docker.io"};
constexpr const char* kHubKey = "https://index.docker.io/v1/";

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

// The registry that a key names: `https://index.docker.io/v1/` is docker.io.
std::string registry_of(std::string_view key) {
  if (key == kHubKey) return "docker.io";
  if (const std::size_t scheme = key.find("://"); scheme != key.npos) key.remove_prefix(scheme + 3);
  return std::string(key.substr(0, key.find('/')));
}

Error unusable(const std::string& path) {
  return user_error(cat("The logins in ", quoted(path), " cannot be used: it is no JSON object"),
                    "Move it aside; `docker login` or `trainmake login` writes it anew");
}

Result<Json> parsed(std::string_view text, const std::string& path) {
  Json config = parse_json<Json>(text);
  if (!config.is_object()) return fail(unusable(path));
  return config;
}

std::optional<Login> login_in(const Json& entry, const std::string& path) {
  Login login{text_at(entry, "username"), text_at(entry, "password"), text_at(entry, "identitytoken"),
              quoted(path)};
  if (const std::string both = text_at(entry, "auth"); !both.empty()) {
    const std::string plain = from_base64(both).value_or("");
    const std::size_t colon = plain.find(':');
    if (colon != plain.npos) {
      login.user = plain.substr(0, colon);
      std::string password = plain.substr(colon + 1);
      while (password.ends_with('\0')) password.pop_back();
      login.password = std::move(password);
    }
  }
  if (login.password.empty() && login.identity_token.empty()) return std::nullopt;
  return login;
}

// Changes our own file, which nobody else changes meanwhile.
Result<void> change(Host& host, const std::function<void(Json& logins)>& how) {
  const std::string path = own_login_file(host.environment);
  if (path.empty())
    return fail(user_error("There is no place to keep a login in: neither HOME nor XDG_CONFIG_HOME is set"));
  TRY_ASSIGN(const std::optional<FileLock> alone,
             wait_for_lock(host, cat(path, ".lock"), FileLock::Mode::kExclusive, {}));
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, path));
  TRY_ASSIGN(Json config, text ? parsed(*text, path) : Result<Json>(Json::object()));
  if (!config["auths"].is_object()) config["auths"] = Json::object();
  how(config["auths"]);
  return write_file(host.files, path, config.dump(2) + "\n", {kOursAlone, true});
}

}  // namespace

std::string own_login_file(const Environment& environment) {
  const std::string home = environment.get("HOME").value_or("");
  std::string config = environment.get("XDG_CONFIG_HOME").value_or("");
  if (!config.starts_with('/')) config = home.empty() ? "" : path_join(home, ".config");
  return config.empty() ? "" : path_join(config, "trainmake/logins.json");
}

std::vector<std::string> login_files(const Environment& environment) {
  const auto set = [&](const char* name) { return environment.get(name).value_or(""); };
  const std::string docker = set("DOCKER_CONFIG");
  const std::string runtime = set("XDG_RUNTIME_DIR");
  const std::string home = set("HOME");
  std::vector<std::string> files = {own_login_file(environment), set("REGISTRY_AUTH_FILE"),
                                    runtime.empty() ? "" : path_join(runtime, "containers/auth.json"),
                                    !docker.empty() ? path_join(docker, "config.json")
                                    : home.empty()  ? ""
                                                    : path_join(home, ".docker/config.json")};
  std::erase(files, "");
  return files;
}

Result<std::optional<LoginEntry>> entry_for(std::string_view text, const std::string& path,
                                            const std::string& registry) {
  TRY_ASSIGN(const Json config, parsed(text, path));
  const Json* helpers = at(config, "credHelpers");
  const Json* logins = at(config, "auths");
  for (const std::string& key : keys_of(registry)) {
    if (const std::string helper = helpers == nullptr ? "" : text_at(*helpers, key.c_str()); !helper.empty())
      return std::optional(LoginEntry{std::nullopt, helper, key});
  }
  for (const std::string& key : keys_of(registry)) {
    const Json* entry = logins == nullptr ? nullptr : at(*logins, key);
    if (entry == nullptr) continue;
    if (std::optional<Login> login = login_in(*entry, path)) return std::optional(LoginEntry{login, "", key});
    if (const std::string store = text_at(config, "credsStore"); !store.empty())
      return std::optional(LoginEntry{std::nullopt, store, key});
  }
  if (const std::string store = text_at(config, "credsStore"); !store.empty())
    return std::optional(LoginEntry{std::nullopt, store, keys_of(registry).front(), false});
  return std::optional<LoginEntry>();
}

Result<std::vector<LoginEntry>> entries_of(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const Json config, parsed(text, path));
  std::vector<LoginEntry> entries;
  for (const char* list : {"credHelpers", "auths"}) {
    const Json* named = at(config, list);
    if (named == nullptr || !named->is_object()) continue;
    for (const auto& [key, unused] : named->items()) {
      const std::string registry = registry_of(key);
      const bool known = std::any_of(entries.begin(), entries.end(),
                                     [&](const LoginEntry& entry) { return entry.key == registry; });
      if (known) continue;
      TRY_ASSIGN(std::optional<LoginEntry> entry, entry_for(text, path, registry));
      if (!entry) continue;
      entry->key = registry;
      entries.push_back(*std::move(entry));
    }
  }
  return entries;
}

Result<void> keep_login(Host& host, const std::string& registry, const Login& login) {
  return change(host, [&](Json& logins) {
    logins[keys_of(registry).front()] = {{"auth", base64_of(cat(login.user, ":", login.password.reveal()))}};
  });
}

Result<bool> remove_login(Host& host, const std::string& registry) {
  bool was_there = false;
  const std::string path = own_login_file(host.environment);
  if (path.empty()) return false;
  TRY_ASSIGN(const Stat file, host.files.look(path, Links::kFollow));
  if (!file.exists()) return false;
  TRY(change(host, [&](Json& logins) {
    for (const std::string& key : keys_of(registry)) was_there |= logins.erase(key) > 0;
  }));
  return was_there;
}

}  // namespace trainmake
