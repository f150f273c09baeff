#include "engine/cloud/ucloud_account.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr const char* kApi = "https://api.ucloud.cn";

// One of the files below ~/.ucloud: a list of objects, each of a `profile`. Empty where it is not there.
Result<Json> read_list(Host& host, const char* variable, const char* name) {
  const std::string home = host.environment.get("HOME").value_or("");
  const std::string path =
      host.environment.get(variable).value_or(home.empty() ? "" : path_join(home, cat(".ucloud/", name)));
  if (path.empty()) return Json::array();
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, path));
  if (!text) return Json::array();
  Json list = parse_json<Json>(*text);
  if (list.is_array()) return list;
  return fail(user_error(cat(quoted(path), " is no list of profiles"), "`ucloud config` writes it")
                  .because(Blame::kRemote));
}

Json entry_of(const Json& list, const std::string& profile) {
  for (const Json& entry : list) {
    if (text_at(entry, "profile") == profile) return entry;
  }
  return Json::object();
}

std::string active_profile(const Json& list) {
  for (const Json& entry : list) {
    const auto found = entry.is_object() ? entry.find("active") : entry.end();
    if (entry.is_object() && found != entry.end() && found->is_boolean() && found->get<bool>())
      return text_at(entry, "profile");
  }
  return "";
}

// The first that says something.
std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace

Result<UCloudAccount> find_ucloud_account(Host& host, const std::string& profile) {
  const auto said = [&](const char* name) { return host.environment.get(name).value_or(""); };
  TRY_ASSIGN(const Json settings, read_list(host, "UCLOUD_SHARED_CONFIG_FILE", "config.json"));
  TRY_ASSIGN(const Json credentials, read_list(host, "UCLOUD_SHARED_CREDENTIAL_FILE", "credential.json"));
  const std::string name = first_of({profile, said("UCLOUD_PROFILE"), active_profile(settings), "default"});
  const Json setting = entry_of(settings, name), credential = entry_of(credentials, name);
  UCloudAccount account;
  if (profile.empty()) account = {{said("UCLOUD_PUBLIC_KEY"), said("UCLOUD_PRIVATE_KEY")}, "", ""};
  if (account.keys.public_key.empty() || account.keys.private_key.empty())
    account.keys = {text_at(credential, "public_key"), text_at(credential, "private_key")};
  if (account.keys.public_key.empty() || account.keys.private_key.empty())
    return fail(user_error(cat("No UCloud keys were found: not in the environment, and not in profile ",
                               quoted(name), " of ~/.ucloud/credential.json"),
                           "Set UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or run `ucloud init`")
                    .because(Blame::kRemote));
  account.project = first_of({said("UCLOUD_PROJECT_ID"), text_at(setting, "project_id")});
  account.api = first_of({text_at(setting, "base_url"), kApi});
  while (account.api.ends_with('/')) account.api.pop_back();
  return account;
}

bool may_carry_keys(std::string_view url) {
  if (url.starts_with("https://")) return true;
  const std::string_view host = host_of(url), name = host.substr(0, host.find(':'));
  return url.starts_with("http://") && (name == "127.0.0.1" || name == "localhost");
}

Result<HttpRequest> ucloud_call(const UCloudAccount& who, const std::string& api,
                                UCloudParameters parameters) {
  if (!may_carry_keys(api))
    return fail(user_error(cat("UCloud's API is to be asked at ", quoted(api), ", which is no https"),
                           "Mend `base_url` in ~/.ucloud/config.json: calls carry the account's keys")
                    .because(Blame::kRemote));
  HttpRequest request;
  request.method = "POST";
  request.url = cat(api, "/");
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = signed_ucloud_form(std::move(parameters), who.keys);
  return request;
}

}  // namespace trainmake
