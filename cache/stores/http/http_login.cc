#include "cache/stores/http/http_login.h"

#include <vector>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// The next word, and `text` without it; a word in quotation marks may hold blanks and `\"`.
std::string take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  if (!text.starts_with('"')) {
    const std::string word(text.substr(0, text.find_first_of(kBlank)));
    text.remove_prefix(word.size());
    return word;
  }
  std::string word;
  for (text.remove_prefix(1); !text.empty() && text.front() != '"'; text.remove_prefix(1)) {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    word += text.front();
  }
  if (!text.empty()) text.remove_prefix(1);
  return word;
}

std::string_view after(std::string_view text, std::string_view end) {
  const std::size_t at = text.find(end);
  return at == text.npos ? std::string_view() : text.substr(at + end.size());
}

bool same_host(std::string_view written, std::string_view host) {
  if (written.size() != host.size()) return false;
  for (std::size_t i = 0; i < host.size(); ++i) {
    const char c = written[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c) != host[i]) return false;
  }
  return true;
}

}  // namespace

std::string password_variable(std::string_view store) {
  std::string name = "TRAINMAKE_STORE_PASSWORD_";
  for (const char c : store) {
    if (c >= 'a' && c <= 'z')
      name += static_cast<char>(c - 'a' + 'A');
    else
      name += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
  }
  return name;
}

std::optional<HttpLogin> login_in_netrc(std::string_view text, std::string_view host, std::string_view user) {
  HttpLogin found;
  bool is_of_host = false, has_password = false;
  const auto fits = [&] { return is_of_host && has_password && (user.empty() || found.user == user); };
  for (std::string word = take_word(text); !word.empty(); word = take_word(text)) {
    if (word.starts_with('#')) {
      text = after(text, "\n");
    } else if (word == "machine" || word == "default") {
      if (fits()) break;
      is_of_host = word == "machine" && same_host(take_word(text), host);
      found = {std::string(user), "", "~/.netrc"};
      has_password = false;
    } else if (word == "login") {
      found.user = take_word(text);
    } else if (word == "password") {
      found.password = take_word(text);
      has_password = true;
    } else if (word == "account") {
      take_word(text);
    } else if (word == "macdef") {
      text = after(text, "\n\n");
    }
  }
  return fits() && !found.user.empty() ? std::optional(std::move(found)) : std::nullopt;
}

Result<std::optional<HttpLogin>> login_for(Host& host, const HttpPlace& place) {
  const auto wrong = [&](std::string message, std::string hint) {
    return fail(user_error(std::move(message), std::move(hint)).at(place.where));
  };
  const std::string variable = password_variable(place.name);
  const std::string password = host.environment.get(variable).value_or("");
  std::optional<HttpLogin> login;
  if (!password.empty() && place.user.empty())
    return wrong(cat(variable, " is set, and store ", quoted(place.name), " names no user"),
                 cat("Say who that is: `user = \"...\"` on store ", quoted(place.name)));
  if (!password.empty()) login = HttpLogin{place.user, password, variable};
  if (const std::string home = host.environment.get("HOME").value_or(""); !login && !home.empty()) {
    TRY_ASSIGN(const std::optional<std::string> netrc,
               read_file_if_there(host.files, path_join(home, ".netrc")));
    if (netrc) login = login_in_netrc(*netrc, place.host, place.user);
  }
  if (!login && !place.user.empty())
    return wrong(cat("There is no password for ", quoted(place.user), " at store ", quoted(place.name)),
                 cat("Set ", variable, ", or write `machine ", place.host, " login ", place.user,
                     " password ...` into ~/.netrc"));
  if (login && !place.may_carry_password())
    return wrong(
        cat("Store ", quoted(place.name), " would have its password sent over plain http"),
        cat("Whoever is in between could read what ", login->from, " says: write its `url` with `https://`"));
  return login;
}

}  // namespace trainmake
