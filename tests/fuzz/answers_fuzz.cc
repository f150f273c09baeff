// libFuzzer target for what stores answer and what others leave there: lists, refusals, manifest objects, and
// the files that logins come from. The first byte says which. Built with -DTRAINMAKE_FUZZ=ON (clang); corpus
// in corpus/answers/.
#include <algorithm>
#include <string>

#include "cache/listing.h"
#include "cache/stores/http/http_answers.h"
#include "cache/stores/http/http_login.h"
#include "cache/stores/s3/s3_answers.h"
#include "cache/stores/ufile/ufile_answers.h"
#include "engine/base/error.h"
#include "engine/base/file_system.h"
#include "engine/cloud/ini.h"
#include "rules/data/mirror.h"

namespace trainmake {
namespace {

// What is read of it again is the same, and names nothing outside its place.
void fuzz_mirror(std::string_view bytes) {
  const std::optional<Mirror> mirror = mirror_from_json(bytes);
  if (!mirror) return;
  const std::string text = to_json(*mirror);
  const std::optional<Mirror> again = mirror_from_json(text);
  CHECK(again && to_json(*again) == text);
  CHECK(std::is_sorted(mirror->objects.begin(), mirror->objects.end(),
                       [](const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; }));
  for (const MirrorObject& object : mirror->objects)
    CHECK(!object.key.starts_with('/') && path_clean(object.key) && !is_own_key(object.key));
}

void fuzz_kept_mirror(std::string_view bytes) {
  const std::optional<Mirror> mirror = decode_mirror(bytes);
  if (mirror) CHECK(decode_mirror(encode(*mirror)));
}

void fuzz_listing(std::string_view bytes) {
  const std::optional<Listing> listing = decode_listing(bytes);
  if (!listing) return;
  for (const ListedFile& file : *listing) CHECK(!file.key.starts_with('/') && path_clean(file.key));
  CHECK(decode_listing(encode(*listing)));
}

void fuzz_s3(std::string_view bytes) {
  (void)parse_s3_list(bytes);
  (void)parse_s3_error(bytes);
  (void)parse_s3_removal(bytes);
  (void)field_of_answer(bytes, "ETag");
}

void fuzz_ufile(std::string_view bytes) {
  (void)parse_ufile_list(bytes);
  (void)parse_ufile_error(bytes);
  (void)parse_ufile_begun(bytes);
  (void)parse_ufile_finished(bytes);
}

// A name that a folder's list gives is one name.
void fuzz_http(std::string_view bytes) {
  const auto check = [](const std::vector<HttpListed>& listed) {
    for (const HttpListed& entry : listed)
      CHECK(!entry.name.empty() && entry.name.find('/') == std::string::npos);
  };
  if (const auto listed = parse_multistatus(bytes, "/a b/")) check(*listed);
  if (const auto listed = parse_autoindex(bytes)) check(*listed);
}

void fuzz_logins(std::string_view bytes) {
  (void)parse_ini(bytes);
  (void)login_in_netrc(bytes, "host", "");
  (void)login_in_netrc(bytes, "host", "me");
}

}  // namespace
}  // namespace trainmake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  using Fuzz = void (*)(std::string_view);
  constexpr Fuzz kAll[] = {trainmake::fuzz_mirror, trainmake::fuzz_kept_mirror, trainmake::fuzz_listing,
                           trainmake::fuzz_s3,     trainmake::fuzz_ufile,       trainmake::fuzz_http,
                           trainmake::fuzz_logins};
  kAll[data[0] % std::size(kAll)]({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
