#include "cache/stores/reading.h"

#include <algorithm>

#include "cache/stores/sender.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kPart = 206;

}  // namespace

std::optional<std::uint64_t> size_of_object(const HttpResponse& response) {
  const std::string range = header_value(response, "content-range");  // `bytes 7-9/10`, `bytes */10`
  return whole_number<std::uint64_t>(range.empty() ? header_value(response, "content-length")
                                                   : range.substr(range.rfind('/') + 1));
}

void Reading::ask(HttpRequest& request) {
  if (given_ > 0) request.headers.emplace_back("Range", cat("bytes=", given_, "-"));
  // A server that knows no ranges sends all of it again.
  request.body_to = [this, again = given_](int status, std::string_view bytes) mutable -> Result<void> {
    if (status != kPart && again > 0) {
      const std::size_t known = std::min<std::uint64_t>(again, bytes.size());
      again -= known;
      bytes.remove_prefix(known);
    }
    given_ += bytes.size();
    return bytes.empty() ? Result<void>() : to_(bytes);
  };
}

Result<std::optional<StoredObject>> Reading::finish(const HttpResponse& response,
                                                    const std::string& tag) const {
  const std::optional<std::uint64_t> size = size_of_object(response);
  // One that is cut at its very end is told that there is no more.
  const bool was_all_there = response.status == kNothingMore && given_ > 0 && size == given_;
  if (tag != object_.tag && !was_all_there) return std::optional<StoredObject>();
  if (size && *size != given_)
    return fail(user_error(cat("Reading ", quoted(object_.key), " ended after ", human_bytes(given_), " of ",
                               human_bytes(*size)),
                           "Run it again")
                    .because(Blame::kRemote));
  return std::optional(StoredObject{object_.key, given_, object_.tag, std::nullopt});
}

}  // namespace trainmake
