#include "rules/image/reference.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::size_t kLongestName = 255;
constexpr std::string_view kSha256 = "sha256:";

bool is_lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_word(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_host(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:") != first.npos;
}

// Letters and digits, and between them `.`, `_`, `__` or any number of `-`.
bool is_path_part(std::string_view part) {
  if (part.empty() || !is_lower(part.front()) || !is_lower(part.back())) return false;
  for (std::size_t at = 0; at < part.size(); ++at) {
    if (is_lower(part[at]) || part[at] == '-') continue;
    if (part[at] != '.' && part[at] != '_') return false;
    const bool twice = part[at] == '_' && part[at + 1] == '_';
    if (!is_lower(part[at + (twice ? 2 : 1)])) return false;
    at += twice ? 1 : 0;
  }
  return true;
}

Error bad(std::string_view text, std::string_view why) {
  return user_error(cat("Image ", quoted(text), " ", why),
                    "An image is named as `registry.example.com/team/python:3.11`");
}

}  // namespace

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= 128 && is_word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

std::string wrong_repository(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kLongestName) return "is longer than 255 bytes";
  if (std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    return "has an upper-case letter";
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    if (const std::string_view part = name.substr(begin, end - begin); !is_path_part(part))
      return cat("has the part ", quoted(part),
                 ", and a part is lower-case letters and digits, with `.`, `_`, `__` or `-` between them");
    begin = end + 1;
  }
  return "";
}

std::string digest_text(const Sha256& digest) { return cat(kSha256, digest.hex()); }

std::optional<Sha256> parse_digest(std::string_view text) {
  return text.starts_with(kSha256) ? Sha256::parse(text.substr(kSha256.size())) : std::nullopt;
}

std::string Reference::text() const {
  return cat(registry, "/", repository, tag.empty() ? "" : cat(":", tag),
             digest ? cat("@", digest_text(*digest)) : "");
}

Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != rest.npos) {
    reference.digest = parse_digest(rest.substr(at + 1));
    if (!reference.digest) return fail(bad(text, "has a digest that is no `sha256:` and 64 digits"));
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.find('/');
  const bool has_host = slash != rest.npos && is_host(rest.substr(0, slash));
  reference.registry = has_host ? rest.substr(0, slash) : kDockerHub;
  if (has_host) rest = rest.substr(slash + 1);
  if (const std::size_t colon = rest.rfind(':'); colon != rest.npos) {
    reference.tag = rest.substr(colon + 1);
    if (!is_tag(reference.tag))
      return fail(bad(text, cat("has the tag ", quoted(reference.tag), ", which is none")));
    rest = rest.substr(0, colon);
  } else if (!reference.digest) {
    reference.tag = "latest";
  }
  reference.repository = rest;
  if (!has_host && slash == text.npos) reference.repository = cat("library/", rest);
  if (const std::string wrong = wrong_repository(reference.repository); !wrong.empty())
    return fail(bad(text, wrong));
  return reference;
}

}  // namespace trainmake
