#include "cache/stores/reading.h"

#include <algorithm>

#include "cache/stores/sender.h"
#include "engine/base/text.h"

namespace trainmake {

std::optional<std::uint64_t> begin_of_range(const HttpResponse& head) {
  const std::string range = header_value(head, "content-range");  // `bytes 7-9/10`
  const std::size_t begin = range.find(' ') + 1;
  return whole_number<std::uint64_t>(std::string_view(range).substr(begin, range.find('-', begin) - begin));
}

std::optional<std::uint64_t> size_of_object(const HttpResponse& response) {
  const std::string range = header_value(response, "content-range");  // `bytes 7-9/10`, `bytes */10`
  return whole_number<std::uint64_t>(range.empty() ? header_value(response, "content-length")
                                                   : range.substr(range.rfind('/') + 1));
}

Reading::Reading(const ObjectToRead& object, const ByteSink& to, ReadTraits traits)
    : object_(object),
      to_(to),
      traits_(std::move(traits)),
      if_match_(traits_.heeds_tags ? cat('"', object.tag, '"') : ""),
      given_(object.came) {}

void Reading::ask(HttpRequest& request) {
  if (given_ > 0) request.headers.emplace_back("Range", cat("bytes=", given_, "-"));
  if (!if_match_.empty()) request.headers.emplace_back("If-Match", if_match_);
  request.body_to = [this, has_begun = false](const HttpResponse& head,
                                              std::string_view bytes) mutable -> Result<void> {
    if (!has_begun) TRY(begin(head));
    has_begun = true;
    return take(bytes);
  };
}

Result<void> Reading::begin(const HttpResponse& head) {
  if (traits_.tag_of(head) != object_.tag) return refuse(ReadEnd::kGone);
  const bool is_part = head.status == kPart;
  if (is_part && begin_of_range(head) != given_) return refuse(ReadEnd::kDamaged);
  const std::optional<std::uint64_t> size = size_of_object(head);
  if (object_.size && size && size != object_.size) return refuse(ReadEnd::kDamaged);
  again_ = is_part ? 0 : given_;  // a server that knows no ranges sends all of it again
  if (given_ == object_.came && traits_.check) TRY(begin_check(head));
  // A weak one never matches.
  const std::string etag = header_value(head, "etag");
  if (etag.starts_with('"')) if_match_ = etag;
  return {};
}

Result<void> Reading::begin_check(const HttpResponse& head) {
  check_ = traits_.check(head);
  if (!check_ || given_ == 0) return {};
  return object_.again([this](std::string_view bytes) -> Result<void> {
    check_->add(bytes);
    return {};
  });
}

Result<void> Reading::take(std::string_view bytes) {
  const std::size_t known = std::min<std::uint64_t>(again_, bytes.size());
  again_ -= known;
  bytes.remove_prefix(known);
  if (object_.size && bytes.size() > *object_.size - given_) return refuse(ReadEnd::kDamaged);
  given_ += bytes.size();
  if (check_) check_->add(bytes);
  return bytes.empty() ? Result<void>() : to_(bytes);
}

// Ends the transfer, and is never shown.
Failure Reading::refuse(ReadEnd end) {
  end_ = end;
  return fail(
      user_error(cat(quoted(object_.key), " is not what was asked for")).because(Blame::kRemote).lasting());
}

Result<ReadEnd> Reading::finish(const Result<HttpResponse>& response) {
  if (end_ != ReadEnd::kWhole) return end_;
  if (!response) return fail(Error(response.error()));
  if (response->status == kAnother) return ReadEnd::kGone;
  const std::optional<std::uint64_t> size = size_of_object(*response);
  // One that is cut at its very end is told that there is no more.
  const bool was_all_there = response->status == kNothingMore && given_ > 0 && size == given_;
  if (!was_all_there && traits_.tag_of(*response) != object_.tag) return ReadEnd::kGone;
  if (size && *size != given_)
    return fail(user_error(cat("Reading ", quoted(object_.key), " ended after ", human_bytes(given_), " of ",
                               human_bytes(*size)),
                           "Run it again")
                    .because(Blame::kRemote));
  const bool is_as_long = !object_.size || given_ == *object_.size;
  return is_as_long && (!check_ || check_->holds()) ? ReadEnd::kWhole : ReadEnd::kDamaged;
}

}  // namespace trainmake
