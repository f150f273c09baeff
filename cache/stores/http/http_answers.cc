#include "cache/stores/http/http_answers.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "cache/stores/reading.h"
#include "cache/stores/sender.h"
#include "engine/base/encoding.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

std::string hex_number(std::uint64_t number) {
  char text[16];
  return {text, std::to_chars(text, text + sizeof text, number, 16).ptr};
}

constexpr std::int64_t kSecond = 1'000'000'000;

std::string tag_from(std::string_view etag, const std::string& modified, std::uint64_t size) {
  if (std::string tag = without_quotes(etag); !tag.empty()) return tag;
  const std::optional<std::int64_t> time = http_time_ns(modified);
  return time ? cat(hex_number(static_cast<std::uint64_t>(*time / kSecond)), "-", hex_number(size)) : "";
}

void add_tag(HttpListed& entry, const std::string& etag, const std::string& modified) {
  entry.tag = tag_from(etag, modified, entry.size);
  if (entry.tag == tag_from("", modified, entry.size)) entry.changed_ns = http_time_ns(modified).value_or(0);
}

// An element by its name, whichever prefix stands for the namespace `DAV:`.
pugi::xml_node child(const pugi::xml_node& parent, std::string_view name) {
  return parent.find_child([&](const pugi::xml_node& each) {
    const std::string_view full = each.name();
    return full.substr(full.rfind(':') + 1) == name;
  });
}

std::string text_in(const pugi::xml_node& parent, std::string_view name) {
  return std::string(trim(child(parent, name).child_value()));
}

// Of several, the properties that are there.
pugi::xml_node properties_of(const pugi::xml_node& response) {
  for (const pugi::xml_node& each : response.children()) {
    const pugi::xml_node found = child(each, "prop");
    const std::string status = text_in(each, "status");
    if (found && (status.empty() || status.find(" 200") != std::string::npos)) return found;
  }
  return {};
}

// What an address names on its server.
std::string path_of(std::string_view href) {
  if (const std::size_t host = href.find("://"); host != href.npos && href.front() != '/')
    href.remove_prefix(std::min(href.find('/', host + 3), href.size()));
  return percent_decoded(href);
}

Error unreadable(std::string_view why) {
  return user_error(cat("The list of a folder cannot be read: ", why)).because(Blame::kRemote);
}

// Of something in a folder: another would lead out of it, or back.
bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

using Read = Json::parse_event_t;

bool is_field(const Json& key) { return key == "name" || key == "type" || key == "size" || key == "mtime"; }

std::optional<HttpListed> entry_from(const Json& object) {
  HttpListed entry;
  entry.name = text_at(object, "name");
  entry.is_folder = text_at(object, "type") == "directory";
  const auto size = object.find("size");
  const bool has_size = size != object.end() && size->is_number_unsigned();
  if (!is_name(entry.name) || (!entry.is_folder && !has_size)) return std::nullopt;
  if (has_size) entry.size = size->get<std::uint64_t>();
  add_tag(entry, "", text_at(object, "mtime"));
  return entry;
}

}  // namespace

std::uint64_t size_of_answer(const HttpResponse& response) {
  return size_of_object(response).value_or(response.body.size());
}

std::string tag_of_answer(const HttpResponse& response) {
  return tag_from(header_value(response, "etag"), header_value(response, "last-modified"),
                  size_of_answer(response));
}

bool may_share_its_tag(const HttpResponse& response) {
  HttpResponse untagged = response;
  std::erase_if(untagged.headers, [](const auto& header) { return header.first == "etag"; });
  return tag_of_answer(response) == tag_of_answer(untagged) && age_of(response).value_or(1) <= 0;
}

bool may_share_their_tags(const std::vector<HttpListed>& listed, const HttpResponse& list) {
  const std::optional<std::int64_t> now = http_time_ns(header_value(list, "date"));
  return now && std::any_of(listed.begin(), listed.end(), [&](const HttpListed& entry) {
           return !entry.is_folder && entry.changed_ns / kSecond >= *now / kSecond;
         });
}

Result<std::vector<HttpListed>> parse_multistatus(std::string_view xml, const std::string& folder) {
  pugi::xml_document document;
  const bool is_xml = static_cast<bool>(document.load_buffer(xml.data(), xml.size(), pugi::parse_default));
  const pugi::xml_node root = is_xml ? child(document, "multistatus") : pugi::xml_node();
  if (!root) return fail(unreadable("it is no WebDAV"));
  std::vector<HttpListed> listed;
  for (const pugi::xml_node& response : root.children()) {
    const std::string href = text_in(response, "href");
    if (href.empty()) continue;
    std::string path = path_of(href);
    if (!path.ends_with('/')) path += '/';
    if (!path.starts_with(folder))
      return fail(unreadable(cat("it names ", quoted(path), ", which does not lie in ", quoted(folder))));
    HttpListed entry;
    entry.name = path.substr(folder.size(), path.size() - folder.size() - (path == folder ? 0 : 1));
    if (!is_name(entry.name)) continue;  // itself, or deeper
    const pugi::xml_node properties = properties_of(response);
    entry.is_folder = static_cast<bool>(child(child(properties, "resourcetype"), "collection"));
    const auto size = whole_number<std::uint64_t>(text_in(properties, "getcontentlength"));
    if (!entry.is_folder && !size) return fail(unreadable("it names no sizes"));
    entry.size = size.value_or(0);
    add_tag(entry, text_in(properties, "getetag"), text_in(properties, "getlastmodified"));
    listed.push_back(std::move(entry));
  }
  return listed;
}

// Each entry is taken as it is read: a list of millions is not held twice, whatever it is made of.
std::optional<std::vector<HttpListed>> parse_autoindex(std::string_view json) {
  if (!trim(json).starts_with('[') || nests_deeper(json, kDeepestJson)) return std::nullopt;
  std::vector<HttpListed> listed;
  bool is_list = true;
  const auto take = [&](int depth, Read event, const Json& value) {
    if (depth == 0) return true;
    if (depth == 2 && event == Read::key) return is_field(value);
    if (depth > 1) return event == Read::value;
    if (event == Read::object_start) return true;
    std::optional<HttpListed> entry = event == Read::object_end ? entry_from(value) : std::nullopt;
    is_list = is_list && entry;
    if (is_list) listed.push_back(*std::move(entry));
    return false;
  };
  if (Json::parse(json, take, false).is_discarded() || !is_list) return std::nullopt;
  return listed;
}

}  // namespace trainmake
