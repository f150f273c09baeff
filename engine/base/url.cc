#include "engine/base/url.h"

#include "engine/base/text.h"

namespace trainmake {

std::string_view authority_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

std::string_view host_of(std::string_view url) {
  const std::string_view authority = authority_of(url);
  const std::size_t login = authority.rfind('@');
  return login == authority.npos ? authority : authority.substr(login + 1);
}

bool holds_login(std::string_view url) { return authority_of(url).find('@') != std::string_view::npos; }

bool holds_query(std::string_view url) { return url.find_first_of("?#") != url.npos; }

std::string without_query(std::string_view url) {
  const std::size_t end = url.find_first_of("?#");
  return end == url.npos ? std::string(url) : cat(url.substr(0, end), "?...");
}

std::string without_secrets(std::string_view url) {
  if (!holds_login(url)) return without_query(url);
  const std::string_view authority = authority_of(url);
  const auto begin = static_cast<std::size_t>(authority.data() - url.data());
  const std::string_view rest = url.substr(begin + authority.size());
  return without_query(cat(url.substr(0, begin), "***@", host_of(url), rest));
}

}  // namespace trainmake
