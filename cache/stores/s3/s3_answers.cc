#include "cache/stores/s3/s3_answers.h"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>
#include <utility>

#include "cache/stores/sender.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kMd5Digits = 32;

bool read(std::string_view xml, pugi::xml_document& document) {
  return static_cast<bool>(
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default | pugi::parse_ws_pcdata_single));
}

// In a url's query a plus is a blank.
std::string decoded(std::string key) {
  std::replace(key.begin(), key.end(), '+', ' ');
  return percent_decoded(key);
}

S3Error error_in(const pugi::xml_node& node) {
  return {node.child_value("Code"), node.child_value("Message"), node.child_value("Region")};
}

std::string text_of(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw | pugi::format_no_declaration);
  return out.str();
}

}  // namespace

S3Error parse_s3_error(std::string_view xml) {
  pugi::xml_document document;
  if (!read(xml, document)) return {};
  const pugi::xml_node error = document.child("Error");
  return error ? error_in(error) : S3Error();
}

Result<S3List> parse_s3_list(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node root = read(xml, document) ? document.child("ListBucketResult") : pugi::xml_node();
  if (!root) return fail(user_error("The list of a bucket cannot be read").because(Blame::kRemote));
  S3List list;
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  for (const pugi::xml_node& entry : root.children("Contents")) {
    const std::string_view key = entry.child_value("Key");
    const auto size = whole_number<std::uint64_t>(entry.child_value("Size"));
    if (!size) return fail(user_error("The list of a bucket names no sizes").because(Blame::kRemote));
    list.objects.push_back({encoded ? decoded(std::string(key)) : std::string(key), *size,
                            without_quotes(entry.child_value("ETag"))});
  }
  if (std::string_view(root.child_value("IsTruncated")) != "true") return list;
  list.next = root.child_value("NextContinuationToken");
  if (list.next.empty())
    return fail(user_error("The list of a bucket is cut short, and does not say where it goes on",
                           "The service has to know ListObjectsV2: a newer version of it does, perhaps")
                    .because(Blame::kRemote));
  return list;
}

std::optional<std::string> field_of_answer(std::string_view xml, const char* name) {
  pugi::xml_document document;
  if (!read(xml, document)) return std::nullopt;
  const pugi::xml_node field = document.document_element().child(name);
  return field ? std::optional(without_quotes(field.child_value())) : std::nullopt;
}

std::optional<std::string> md5_in(std::string tag) {
  for (char& c : tag) c = c >= 'A' && c <= 'F' ? static_cast<char>(c + ('a' - 'A')) : c;
  const bool is_md5 = tag.size() == kMd5Digits && tag.find_first_not_of("0123456789abcdef") == tag.npos;
  return is_md5 ? std::optional(std::move(tag)) : std::nullopt;
}

bool is_s3_digest(std::string_view tag) {
  if (!md5_in(std::string(tag.substr(0, kMd5Digits)))) return false;
  tag.remove_prefix(kMd5Digits);
  return tag.empty() || (tag.front() == '-' && whole_number<std::uint32_t>(tag.substr(1)));
}

bool is_plain(const HttpResponse& head) {
  const std::string encryption = header_value(head, "x-amz-server-side-encryption");
  return (encryption.empty() || encryption == "AES256") &&
         header_value(head, "x-amz-server-side-encryption-customer-algorithm").empty();
}

bool is_known_to_heed(const HttpResponse& response) {
  constexpr std::string_view kServers[] = {"AmazonS3", "MinIO", "VERSITYGW", "cloudflare"};
  const std::string server = header_value(response, "server");
  return std::any_of(std::begin(kServers), std::end(kServers),
                     [&](std::string_view known) { return server.starts_with(known); });
}

std::string render_s3_parts(const std::vector<std::string>& tags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (std::size_t i = 0; i < tags.size(); ++i) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text().set(cat(i + 1).c_str());
    part.append_child("ETag").text().set(cat("\"", tags[i], "\"").c_str());
  }
  return text_of(document);
}

std::string render_s3_bucket(const std::string& region) {
  if (region == kUsualRegion) return "";
  pugi::xml_document document;
  document.append_child("CreateBucketConfiguration")
      .append_child("LocationConstraint")
      .text()
      .set(region.c_str());
  return text_of(document);
}

std::string render_s3_removal(std::span<const std::string> keys) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  root.append_child("Quiet").text().set("true");
  for (const std::string& key : keys) root.append_child("Object").append_child("Key").text().set(key.c_str());
  return text_of(document);
}

bool can_be_in_xml(std::string_view key) {
  // Nor for two code points that are no characters.
  return key.find("\xef\xbf\xbe") == key.npos && key.find("\xef\xbf\xbf") == key.npos &&
         std::none_of(key.begin(), key.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

Result<std::vector<S3Kept>> parse_s3_removal(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node root = read(xml, document) ? document.child("DeleteResult") : pugi::xml_node();
  if (!root)
    return fail(user_error("The answer to a removal of objects cannot be read").because(Blame::kRemote));
  std::vector<S3Kept> kept;
  for (const pugi::xml_node& error : root.children("Error"))
    kept.push_back({error.child_value("Key"), error_in(error)});
  return kept;
}

}  // namespace trainmake
