// What a service that speaks S3 answers, out of its XML and its headers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/host.h"

namespace trainmake {

inline constexpr std::string_view kUsualRegion = "us-east-1";

struct S3Error {
  std::string code;  // "NoSuchKey"; "" when it is no such document
  std::string message;
  std::string region;  // where the bucket is, when it says so
};
S3Error parse_s3_error(std::string_view xml);

struct S3Listed {
  std::string key;
  std::uint64_t size = 0;
  std::string tag;  // without quotes
};
struct S3List {
  std::vector<S3Listed> objects;
  std::string next;  // token of what follows; "" is the end
};
// Keys as the service encoded them for a url.
Result<S3List> parse_s3_list(std::string_view xml);

// The text of a field of a document's root: `UploadId`, `ETag`; nothing when it has none.
std::optional<std::string> field_of_answer(std::string_view xml, const char* name);

// The MD5 that a tag is; nothing of an object that was put in parts.
std::optional<std::string> md5_in(std::string tag);
// Whether it has the form of one: 32 digits, and of what was put in parts their number, `-7`.
bool is_s3_digest(std::string_view tag);
// The tag of what was put with one request is its MD5, unless a key that is not the service's own encrypts
// it.
bool is_plain(const HttpResponse& head);
// Others ignore a condition that they do not know.
bool is_known_to_heed(const HttpResponse& response);

// A document that says of which parts (from 1) an object is made.
std::string render_s3_parts(const std::vector<std::string>& tags);

// What a request to make a bucket says; "" in the region that needs no words.
std::string render_s3_bucket(const std::string& region);

// What a request to remove many objects says, and whether it can: XML has no words for some characters.
std::string render_s3_removal(std::span<const std::string> keys);
bool can_be_in_xml(std::string_view key);
// What it could not remove.
struct S3Kept {
  std::string key;
  S3Error error;
};
Result<std::vector<S3Kept>> parse_s3_removal(std::string_view xml);

}  // namespace trainmake
