#include "cache/stores/bucket_place.h"

#include <algorithm>

#include "engine/base/encoding.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

Failure wrong(const Service& service, const std::string& message, std::string hint) {
  return fail(user_error(cat("Store ", quoted(service.name), message), std::move(hint)).at(service.where));
}

}  // namespace

std::string BucketPlace::object(std::string_view key) const { return path_join(prefix, key); }

std::string encoded_path(std::string_view key) {
  std::string path;
  for (bool first = true;; first = false) {
    const std::size_t slash = key.find('/');
    path += cat(first ? "" : "/", percent_encoded(key.substr(0, slash)));
    if (slash == key.npos) return path;
    key.remove_prefix(slash + 1);
  }
}

Result<BucketPlace> read_bucket_place(const Service& service) {
  std::string_view rest = *service.text("url");
  rest.remove_prefix(std::min(rest.find(':') + 1, rest.size()));
  if (rest.starts_with("//")) rest.remove_prefix(2);
  BucketPlace place;
  place.name = service.name;
  place.bucket = rest.substr(0, rest.find('/'));
  rest.remove_prefix(place.bucket.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  place.prefix = rest;
  if (path_clean(place.prefix) != place.prefix)
    return wrong(service, cat(" has no plain prefix: ", quoted(place.prefix)),
                 "Write it without `.`, `..` and doubled slashes");
  place.region = service.text_or("region", "");
  place.profile = service.text_or("profile", "");
  place.create = service.says_yes("create");
  TRY_ASSIGN(place.sends, read_send_limits(service, {}));
  place.service = service.text_or("endpoint", "");
  while (place.service.ends_with('/')) place.service.pop_back();
  if (!place.service.empty() && !place.service.starts_with("http://") &&
      !place.service.starts_with("https://"))
    return wrong(service, cat(" has an `endpoint` that is none: ", quoted(place.service)),
                 "Write it as `https://s3.example.com`");
  return place;
}

Result<void> check_key(const BucketPlace& place, const std::string& key, std::size_t longest) {
  const std::optional<std::string> clean = path_clean(key);
  const bool is_plain = clean && !clean->empty() && (*clean == key || cat(*clean, "/") == key);
  if (!is_plain || key.starts_with('/') || key.find('\0') != key.npos)
    return fail(user_error(cat("Key ", quoted(key), " leads out of the store")));
  if (!is_utf8(key))
    return fail(
        step_error(cat("No object can be called ", quoted(key), ": it is no UTF-8"), "Rename the file"));
  if (place.object(key).size() > longest)
    return fail(
        step_error(cat("The name of an object would be longer than ", longest, " bytes: ", quoted(key)),
                   "Shorten its path or the `prefix`"));
  return {};
}

}  // namespace trainmake
