// How an image is named: `registry.example.com/team/mnist:v1@sha256:…`. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/hash.h"

namespace trainmake {

// `sha256:` and 64 digits, as OCI writes a digest; nothing for any other text.
std::string digest_text(const Sha256& digest);
std::optional<Sha256> parse_digest(std::string_view text);

struct Reference {
  std::string registry;    // host and perhaps port, as `docker.io`
  std::string repository;  // `library/python`
  std::string tag;         // "" when a digest alone is given; else `latest` unless another is said
  std::optional<Sha256> digest;

  std::string text() const;
};

// As docker reads it: without a host it is of docker.io, and there without a folder of `library/`.
Result<Reference> parse_reference(std::string_view text);

bool is_tag(std::string_view tag);
// What is wrong with a repository's name; "" when nothing is. The distribution spec's rule.
std::string wrong_repository(std::string_view name);

}  // namespace trainmake
