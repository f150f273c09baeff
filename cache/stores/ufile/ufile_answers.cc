#include "cache/stores/ufile/ufile_answers.h"

#include <nlohmann/json.hpp>

#include "cache/stores/sender.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

// They write numbers as such, or as text.
std::optional<std::uint64_t> number_at(const Json& object, std::string_view name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  return found->is_string() ? whole_number<std::uint64_t>(found->get<std::string>()) : std::nullopt;
}

}  // namespace

bool UfileError::no_bucket() const {
  constexpr std::int64_t kNoBucket = -30010;
  return code == kNoBucket || message == "bucket not exist";
}

bool UfileError::not_signed() const {
  constexpr std::int64_t kWrongSignature = -148658;
  return code == kWrongSignature || message.find("signature") != std::string::npos;
}

UfileError parse_ufile_error(std::string_view json) {
  const Json document = parse_json<Json>(json);
  UfileError error;
  if (!document.is_object()) return error;
  const auto code = document.find("RetCode");
  if (code != document.end() && code->is_number_integer()) error.code = code->get<std::int64_t>();
  error.message = text_at(document, "ErrMsg");
  if (error.message.empty()) error.message = text_at(document, "Message");
  return error;
}

Result<UfileList> parse_ufile_list(std::string_view json) {
  const Json document = parse_json<Json>(json);
  const auto contents = document.is_object() ? document.find("Contents") : document.end();
  UfileList list;
  if (!document.is_object() || !document.contains("IsTruncated"))
    return fail(user_error("The list of a bucket cannot be read").because(Blame::kRemote));
  list.is_cut = document["IsTruncated"].is_boolean() && document["IsTruncated"].get<bool>();
  // An empty one is also said as null.
  if (contents == document.end() || !contents->is_array()) return list;
  for (const Json& entry : *contents) {
    const std::optional<std::uint64_t> size = number_at(entry, "Size");
    if (!size) return fail(user_error("The list of a bucket names no sizes").because(Blame::kRemote));
    list.objects.push_back({text_at(entry, "Key"), *size, without_quotes(text_at(entry, "ETag"))});
  }
  return list;
}

std::optional<UfileBegun> parse_ufile_begun(std::string_view json) {
  // Parts are held in memory, several at once.
  constexpr std::uint64_t kMostPartBytes = std::uint64_t{64} << 20U;
  const Json document = parse_json<Json>(json);
  UfileBegun begun{text_at(document, "UploadId"), number_at(document, "BlkSize").value_or(0)};
  if (begun.id.empty() || begun.part_bytes == 0 || begun.part_bytes > kMostPartBytes) return std::nullopt;
  return begun;
}

std::string parse_ufile_finished(std::string_view json) { return text_at(parse_json<Json>(json), "Key"); }

}  // namespace trainmake
