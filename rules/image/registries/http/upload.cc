#include "rules/image/registries/http/upload.h"

#include <algorithm>

#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "rules/image/reference.h"
#include "rules/image/registries/http/address.h"

namespace trainmake {
namespace {

// What travels in one request, and what is lost at most when it is cut; and how little it becomes before a
// proxy that takes no more.
constexpr std::uint64_t kPiece = std::uint64_t{32} << 20U;
constexpr std::uint64_t kLeastPiece = std::uint64_t{1} << 20U;
constexpr int kMostPoorAnswers = 6;
constexpr int kMostBegun = 6;
constexpr int kMostFallenBack = 6;

// What neither another try nor a new session heals. A 401 does heal: what is asked after it carries a login.
bool is_final(int status) {
  return status >= 400 && !may_come_right(status) && status != 401 && status != 404 && status != 416;
}

}  // namespace

std::optional<std::uint64_t> arrived_of(const HttpResponse& response) {
  const std::string* range = header_of(response, "range");
  if (range == nullptr) return std::nullopt;
  const std::size_t dash = range->rfind('-');
  const std::optional<std::uint64_t> last =
      dash == range->npos ? std::nullopt
                          : whole_number<std::uint64_t>(trim(std::string_view(*range).substr(dash + 1)));
  if (!last) return std::nullopt;
  return *last == 0 ? 0 : *last + 1;  // of nothing, most say "0-0"
}

Upload::Upload(Remote& remote, std::string repository, BlobSource& source)
    : remote_(remote), repository_(std::move(repository)), source_(source), piece_(kPiece) {}

Result<void> Upload::carry(std::string session, const std::stop_token& stop) {
  location_ = std::move(session);
  for (int begun = 0; begun < kMostBegun; ++begun) {
    if (location_.empty()) TRY(begin(stop));
    TRY_ASSIGN(const bool whole, carry_once(stop));
    if (whole) return {};
    location_.clear();
  }
  return fail(lost());
}

Result<void> Upload::begin(const std::stop_token& stop) {
  const HttpRequest request{"POST", remote_.url(cat("/v2/", repository_, "/blobs/uploads/")), {}, ""};
  TRY_ASSIGN(const HttpResponse response, remote_.send(request, {repository_, true}, Again::kYes, stop));
  const std::string* location = header_of(response, "location");
  if (response.status != 202 || location == nullptr) return fail(remote_.refusal(response, doing()));
  location_ = resolved(*location, request.url);
  const std::string* least = header_of(response, "oci-chunk-min-length");
  least_ = least == nullptr ? 0 : whole_number<std::uint64_t>(*least).value_or(0);
  return {};
}

// True when all of it is there; false when the session is lost, and another has to begin.
Result<bool> Upload::carry_once(const std::stop_token& stop) {
  arrived_ = 0;
  while (true) {
    TRY_ASSIGN(BlobPart part, next_part(stop));
    const std::optional<BlobRef> whole = source_.whole();
    const bool at_once = arrived_ == 0 && whole && part.size == whole->size;
    if (at_once || part.size == 0) {
      CHECK(whole.has_value());
      return send_last(*whole, std::move(part), stop);
    }
    TRY_ASSIGN(const bool goes_on, send_piece(std::move(part), stop));
    if (!goes_on) return false;
  }
}

// One that cannot be given ends the session: the registry need not keep what has arrived.
Result<BlobPart> Upload::next_part(const std::stop_token& stop) {
  Result<BlobPart> part = source_.part(arrived_, std::max(piece_, least_), stop);
  if (!part)
    static_cast<void>(remote_.send({"DELETE", location_, {}, ""}, {repository_, true}, Again::kNo, stop));
  return part;
}

Result<bool> Upload::send_piece(BlobPart part, const std::stop_token& stop) {
  const std::uint64_t size = part.size;
  const Result<HttpResponse> response =
      send_part({"PATCH", location_, {{"Content-Range", cat(arrived_, "-", arrived_ + size - 1)}}, ""},
                std::move(part), stop);
  const std::uint64_t before = arrived_;
  if (response && response->status >= 200 && response->status < 300) {  // 202, and of some 204
    follow(*response);
    arrived_ = std::min(arrived_ + size, arrived_of(*response).value_or(arrived_ + size));
    if (arrived_ > before) {
      poor_answers_ = 0;
      return true;
    }
  }
  TRY(judge(response, size, stop));
  TRY_ASSIGN(const bool goes_on, ask_how_far(stop));
  if (goes_on && arrived_ > before) poor_answers_ = 0;
  if (arrived_ < before && ++fallen_back_ == kMostFallenBack) return fail(lost());
  return goes_on;
}

// What is left, and the end.
Result<bool> Upload::send_last(const BlobRef& blob, BlobPart part, const std::stop_token& stop) {
  const std::string end = cat(location_.find('?') == location_.npos ? "?" : "&",
                              "digest=", percent_encoded(digest_text(blob.digest)));
  const std::uint64_t size = part.size;
  const Result<HttpResponse> response =
      send_part({"PUT", cat(location_, end), {}, ""}, std::move(part), stop);
  if (response && response->status == 201) return true;
  if (response && response->status >= 200 &&
      response->status < 300) {  // of a registry, or of a page to sign in at
    TRY_ASSIGN(const bool there, is_there(blob, stop));
    if (there) return true;
    return fail(remote_.refusal(*response, doing()));
  }
  TRY(judge(response, size, stop));
  return is_there(blob, stop);  // it may have arrived, and only the answer was lost
}

Result<HttpResponse> Upload::send_part(HttpRequest request, BlobPart part, const std::stop_token& stop) {
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  if (part.size > 0) {
    request.body_size = part.size;
    request.body_from = std::move(part.bytes);
  }
  return remote_.send(request, {repository_, true}, Again::kNo, stop);
}

// After a poor answer to `sent` bytes: returns when it is worth while to go on, after a pause.
Result<void> Upload::judge(const Result<HttpResponse>& response, std::uint64_t sent,
                           const std::stop_token& stop) {
  if (!response && !may_come_right(response.error())) return fail(response.error());
  if (response && response->status == 413 && sent > std::max(kLeastPiece, least_)) {
    piece_ = std::max(kLeastPiece, sent / 4);  // it may take less at once
    return {};
  }
  if (response && is_final(response->status)) return fail(remote_.refusal(*response, doing()));
  last_trouble_ = response ? cat("it answered ", response->status) : response.error().message;
  if (++poor_answers_ == kMostPoorAnswers) return fail(lost());
  return remote_.pause(poor_answers_ - 1, response ? &*response : nullptr, stop);
}

// True when the session goes on from where it is now.
Result<bool> Upload::ask_how_far(const std::stop_token& stop) {
  const HttpRequest request{"GET", location_, {}, ""};
  TRY_ASSIGN(const HttpResponse state, remote_.send(request, {repository_, true}, Again::kYes, stop));
  const std::optional<std::uint64_t> arrived = arrived_of(state);
  const std::optional<BlobRef> whole = source_.whole();
  if (state.status < 200 || state.status >= 300 || !arrived || (whole && *arrived > whole->size))
    return false;
  follow(state);
  arrived_ = *arrived;
  return true;
}

Result<bool> Upload::is_there(const BlobRef& blob, const std::stop_token& stop) {
  const HttpRequest request{
      "HEAD", remote_.url(cat("/v2/", repository_, "/blobs/", digest_text(blob.digest))), {}, ""};
  TRY_ASSIGN(const HttpResponse response, remote_.send(request, {repository_, true}, Again::kYes, stop));
  return response.status == 200;
}

void Upload::follow(const HttpResponse& response) {
  if (const std::string* location = header_of(response, "location"))
    location_ = resolved(*location, location_);
}

std::string Upload::doing() const {
  const std::optional<BlobRef> whole = source_.whole();
  return cat("push ", whole ? cat(human_bytes(whole->size), " ") : "", "to ", quoted(repository_));
}

Error Upload::lost() const {
  return user_error(cat("Cannot ", doing(), ": ", quoted(remote_.name()), " loses the upload again and again",
                        last_trouble_.empty() ? "" : cat("; at last ", last_trouble_)),
                    "Run it again; what it has by then is not sent again")
      .because(Blame::kRemote);
}

}  // namespace trainmake
