// An object on its way from a store to whoever reads it, over as many requests as it takes: each goes on
// where the one before was cut. No byte is handed on before its answer's own tag and range were looked at: an
// object that is another by now is never mixed with what came before. Thread rule: one request at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/stores/store.h"
#include "engine/base/host.h"

namespace trainmake {

inline constexpr int kPart = 206;
inline constexpr int kAnother = 412;      // lies there by now
inline constexpr int kNothingMore = 416;  // behind what was given

// Of which an answer has all bytes, or a range; nothing when it does not say.
std::optional<std::uint64_t> size_of_object(const HttpResponse& response);
// Where the range that an answer has begins.
std::optional<std::uint64_t> begin_of_range(const HttpResponse& head);

// Bytes, held against what a tag tells of them.
class TagCheck {
 public:
  virtual ~TagCheck() = default;
  virtual void add(std::string_view bytes) = 0;
  virtual bool holds() = 0;  // REQUIRES: called once, last
};

// What a room knows of its answers.
struct ReadTraits {
  std::function<std::string(const HttpResponse& head)> tag_of;
  bool heeds_tags = false;  // its tags are ETags, so that each request may be on condition of one
  // Of the first answer; null when the tag tells nothing of the bytes.
  std::function<std::unique_ptr<TagCheck>(const HttpResponse& head)> check = nullptr;
};

class Reading {
 public:
  // Borrows object and sink.
  Reading(const ObjectToRead& object, const ByteSink& to, ReadTraits traits);

  // Makes it ask for what is missing.
  void ask(HttpRequest& request);
  // After the last answer, which is a good one, kAnother or kNothingMore; or none.
  Result<ReadEnd> finish(const Result<HttpResponse>& response);

 private:
  Result<void> begin(const HttpResponse& head);
  Result<void> begin_check(const HttpResponse& head);
  Result<void> take(std::string_view bytes);
  Failure refuse(ReadEnd end);

  const ObjectToRead& object_;
  const ByteSink& to_;
  ReadTraits traits_;
  std::string if_match_;  // the ETag that each request is on condition of, as a header has it; "" is of none
  std::unique_ptr<TagCheck> check_;
  std::uint64_t given_;
  std::uint64_t again_ = 0;  // of this answer: bytes that were given already
  ReadEnd end_ = ReadEnd::kWhole;
};

}  // namespace trainmake
