// `login`: checks a login against its registry and keeps it; `--logout` removes it, and alone it lists those
// there are. Needs no workspace. No secret is ever written to anywhere but the file that keeps it.
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/ask_person.h"
#include "engine/cli/commands.h"
#include "engine/cli/table.h"
#include "lua/load.h"
#include "rules/image/registries/http/check_login.h"
#include "rules/image/registries/http/login.h"
#include "rules/image/registry_service.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

struct KnownLogin {
  std::string registry;  // "" when its place does not tell
  std::string user;      // "" when only a helper knows
  std::string from;
};

Json json_or_null(const std::string& text) { return text.empty() ? Json() : Json(printable(text)); }

Result<std::vector<KnownLogin>> known_logins(Host& host) {
  std::vector<KnownLogin> known;
  for (const auto& [name, value] : host.environment.variables) {
    if (name.starts_with(kLoginVariable) && !value.empty())
      known.push_back({"", value.substr(0, value.find(':')), cat("$", name)});
  }
  for (const std::string& path : login_files(host.environment)) {
    TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, path));
    if (!text) continue;
    TRY_ASSIGN(const std::vector<LoginEntry> entries, entries_of(*text, path));
    for (const LoginEntry& entry : entries)
      known.push_back({entry.key, entry.login ? entry.login->user : "",
                       entry.helper.empty() ? path : cat("docker-credential-", entry.helper)});
  }
  return known;
}

Result<int> list_logins(Host& host, bool json) {
  TRY_ASSIGN(const std::vector<KnownLogin> known, known_logins(host));
  std::vector<std::vector<std::string>> rows = {{"registry", "user", "from"}};
  for (const KnownLogin& login : known) {
    if (json)
      write_stdout(Json{{"registry", json_or_null(login.registry)},
                        {"user", json_or_null(login.user)},
                        {"from", printable(login.from)}}
                       .dump() +
                   "\n");
    rows.push_back({login.registry.empty() ? "-" : printable(login.registry),
                    login.user.empty() ? "-" : printable(login.user), printable(login.from)});
  }
  if (!json && !known.empty()) write_stdout(table_text(rows));
  if (!json && known.empty()) write_stderr("no logins; `trainmake login REGISTRY` keeps one\n");
  return 0;
}

// The registry that TRAINSPACE.lua calls so or has at that host, else the host itself.
Result<RemotePlace> place_named(Host& host, const CommandLine& line, const std::string& word) {
  const std::string folder =
      line.value("--directory") ? absolute_path(*line.value("--directory")) : current_folder();
  const Result<Position> position = find_workspace(host, folder, "");
  const Space space = position ? load_space(host, position->workspace.root) : Space();
  std::string name = word;
  if (const std::size_t scheme = name.find("://"); scheme != name.npos) name.erase(0, scheme + 3);
  name = name.substr(0, name.find('/'));
  for (const Service& service : space.services) {
    if (service.kind != "registry" || service.text("url") == nullptr) continue;
    TRY_ASSIGN(const RegistryService read, read_registry_service(service, position->workspace));
    if (service.name == word || read.place.host == name) return read.place;
  }
  // A host has a dot or a port, or is this machine; anything else is a name that nobody declared.
  if (name == "localhost" || name.find_first_of(".:") != name.npos) return RemotePlace{name};
  const std::string meant = did_you_mean(word, space.names("registry"));
  return fail(user_error(
      cat("There is no registry ", quoted(word)),
      meant.empty() ? "Name a host, as `registry.example.com`, or a registry of TRAINSPACE.lua" : meant));
}

Result<Login> login_from_person(const CommandLine& line, const RemotePlace& place) {
  Login login{line.value("--user").value_or(""), ""};
  const bool from_input = line.has("--password-stdin");
  if (from_input && login.user.empty())
    return fail(user_error("`--password-stdin` needs `--user NAME` beside it"));
  if (!from_input && !somebody_is_there())
    return fail(user_error("There is no terminal to ask for the password on",
                           cat("`trainmake login ", place.host, " --user NAME --password-stdin` reads it")));
  if (login.user.empty()) {
    TRY_ASSIGN(login.user, ask_person(cat("User at ", place.host, ": ")));
  }
  TRY_ASSIGN(login.password, from_input ? read_secret() : ask_for_secret("Password: "));
  if (login.user.empty() || login.password.empty())
    return fail(user_error(login.user.empty() ? "No user was given" : "No password was given"));
  const std::string& user = login.user;
  if (user.find(':') != std::string::npos)
    return fail(user_error(cat("User ", quoted(user), " has a colon, which no login can have")));
  return login;
}

Result<int> log_in(Host& host, const CommandLine& line, const RemotePlace& place) {
  TRY_ASSIGN(const Login login, login_from_person(line, place));
  Tally tally;
  TRY_ASSIGN(const bool checked, check_login(host, place, login, tally, {}));
  TRY(keep_login(host, place.host, login));
  const std::string kept_in = own_login_file(host.environment);
  if (line.has("--json"))
    write_stdout(Json{{"registry", place.host},
                      {"user", printable(login.user)},
                      {"from", printable(kept_in)},
                      {"checked", checked}}
                     .dump() +
                 "\n");
  else
    write_stderr(cat("logged in to ", place.host, " as ", quoted(login.user), ", kept in ", quoted(kept_in),
                     checked ? "" : "; the registry lets everybody in, so the password is not checked",
                     "\n"));
  if (host.environment.get(login_variable(place.host)))
    write_stderr(cat("`", login_variable(place.host), "` is set, and goes before it\n"));
  return 0;
}

Result<int> log_out(Host& host, const CommandLine& line, const RemotePlace& place) {
  TRY_ASSIGN(const bool removed, remove_login(host, place.host));
  const Result<std::optional<Login>> left = login_for(host, place.host, {});
  if (line.has("--json"))
    write_stdout(Json{{"registry", place.host}, {"removed", removed}}.dump() + "\n");
  else
    write_stderr(cat(removed ? "removed the login for " : "no login was kept for ", place.host,
                     left && *left ? cat("; there is another one in ", (*left)->from) : "", "\n"));
  return 0;
}

}  // namespace

Result<int> login_command(const CommandLine& line, const Environment& environment) {
  Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  if (line.words.size() > 1)
    return fail(user_error(cat("`trainmake login` takes one registry, got ", line.words.size())));
  if (line.words.empty()) {
    for (const char* flag : {"--user", "--password-stdin", "--logout"}) {
      if (line.has(flag))
        return fail(user_error(cat("Flag `", flag, "` needs a registry beside it"),
                               cat("As `trainmake login registry.example.com ", flag, "`")));
    }
    return list_logins(host, line.has("--json"));
  }
  TRY_ASSIGN(const RemotePlace place, place_named(host, line, line.words.front()));
  return line.has("--logout") ? log_out(host, line, place) : log_in(host, line, place);
}

}  // namespace trainmake
