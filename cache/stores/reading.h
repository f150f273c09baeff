// An object on its way from a store to whoever reads it, over as many requests as it takes: each goes on
// where the one before was cut. Thread rule: one request at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cache/stores/store.h"
#include "engine/base/host.h"

namespace trainmake {

inline constexpr int kNothingMore = 416;  // behind what was given

// Of which an answer has all bytes, or a range; nothing when it does not say.
std::optional<std::uint64_t> size_of_object(const HttpResponse& response);

class Reading {
 public:
  // Borrows both.
  Reading(const ObjectToRead& object, const ByteSink& to) : object_(object), to_(to) {}

  // Makes it ask for what is missing.
  void ask(HttpRequest& request);
  // What was read, after the last answer; nothing when that is of another object than was asked for.
  Result<std::optional<StoredObject>> finish(const HttpResponse& response, const std::string& tag) const;

 private:
  const ObjectToRead& object_;
  const ByteSink& to_;
  std::uint64_t given_ = 0;
};

}  // namespace trainmake
