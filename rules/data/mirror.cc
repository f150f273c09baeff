#include "rules/data/mirror.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/file_system.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kFormat = 1;

// Keys are bytes; JSON is UTF-8. Each byte is written as the code point of the same number.
std::string as_utf8(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0U | (byte >> 6U));
      out += static_cast<char>(0x80U | (byte & 0x3fU));
    }
  }
  return out;
}

std::optional<std::string> from_utf8(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      out += text[i];
    } else {
      if ((byte & 0xfcU) != 0xc0U || i + 1 == text.size()) return std::nullopt;
      out += static_cast<char>(((byte & 0x03U) << 6U) | (static_cast<unsigned char>(text[++i]) & 0x3fU));
    }
  }
  return out;
}

nlohmann::ordered_json key_json(const std::string& key) {
  if (is_utf8(key)) return key;
  return nlohmann::ordered_json{{"bytes", as_utf8(key)}};
}

std::optional<std::string> key_text(const nlohmann::json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object() && json.contains("bytes") && json["bytes"].is_string())
    return from_utf8(json["bytes"].get<std::string>());
  return std::nullopt;
}

// A key that no target of ours can have is none: a manifest object that says so was not written by us, and
// must not lead a removal out of its place, or to another manifest object.
std::optional<std::string> key_from(const nlohmann::json& json) {
  std::optional<std::string> key = key_text(json);
  if (!key || key->empty() || key->front() == '/' || path_clean(*key) != *key) return std::nullopt;
  if (is_own_key(*key)) return std::nullopt;
  return key;
}

}  // namespace

bool is_own_key(std::string_view key) { return path_below(key, kOwnFolder).has_value(); }

Mirror mirror_of(const Listing& listing, std::string label) {
  Mirror mirror{std::move(label), tree_identity(listing, false).hex(), {}, {}};
  mirror.objects.reserve(listing.size());
  for (const ListedFile& file : listing) mirror.objects.push_back({file.key, file.size, file.content});
  return mirror;
}

std::string to_json(const Mirror& mirror) {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["target"] = mirror.target;
  json["root"] = mirror.root;
  json["unsettled"] = nlohmann::ordered_json::array();
  for (const std::string& key : mirror.unsettled) json["unsettled"].push_back(key_json(key));
  auto& objects = json["objects"] = nlohmann::ordered_json::array();
  for (const MirrorObject& object : mirror.objects)
    objects.push_back({{"key", key_json(object.key)}, {"size", object.size}, {"xxh3", object.content.hex()}});
  return json.dump() + "\n";
}

std::optional<Mirror> mirror_from_json(std::string_view text) {
  const nlohmann::json json = parse_json<nlohmann::json>(text);
  if (!json.is_object() || !json.contains("format") || json["format"] != kFormat) return std::nullopt;
  for (const char* list : {"objects", "unsettled"}) {
    if (!json.contains(list) || !json[list].is_array()) return std::nullopt;
  }
  for (const char* text_field : {"root", "target"}) {
    if (!json.contains(text_field) || !json[text_field].is_string()) return std::nullopt;
  }
  Mirror mirror{json["target"].get<std::string>(), json["root"].get<std::string>(), {}, {}};
  for (const nlohmann::json& entry : json["objects"]) {
    if (!entry.is_object() || !entry.contains("key") || !entry.contains("size") ||
        !entry["size"].is_number_unsigned() || !entry.contains("xxh3") || !entry["xxh3"].is_string())
      return std::nullopt;
    const std::optional<std::string> key = key_from(entry["key"]);
    const std::optional<Digest128> content = Digest128::parse(entry["xxh3"].get<std::string>());
    if (!key || !content) return std::nullopt;
    if (!mirror.objects.empty() && *key <= mirror.objects.back().key) return std::nullopt;
    mirror.objects.push_back({*key, entry["size"].get<std::uint64_t>(), *content});
  }
  for (const nlohmann::json& entry : json["unsettled"]) {
    std::optional<std::string> key = key_from(entry);
    if (!key) return std::nullopt;
    mirror.unsettled.push_back(*std::move(key));
  }
  return mirror;
}

MirrorChange change(const Listing& listing, const Mirror& there, bool prune) {
  MirrorChange change;
  auto object = there.objects.begin();
  for (const ListedFile& file : listing) {
    for (; object != there.objects.end() && object->key < file.key; ++object)
      change.remove.push_back(object->key);
    const bool same = object != there.objects.end() && object->key == file.key &&
                      object->content == file.content && object->size == file.size;
    if (object != there.objects.end() && object->key == file.key) ++object;
    if (same) continue;
    change.send.push_back(&file);
    change.bytes += file.size;
  }
  for (; object != there.objects.end(); ++object) change.remove.push_back(object->key);
  for (const std::string& key : there.unsettled) {
    const auto found =
        std::lower_bound(listing.begin(), listing.end(), key,
                         [](const ListedFile& file, const std::string& asked) { return file.key < asked; });
    if (found == listing.end() || found->key != key) change.remove.push_back(key);
  }
  if (!prune) change.remove.clear();
  return change;
}

Mirror midway(const Listing& listing, std::string label, const MirrorChange& change, std::size_t sent,
              std::size_t removed) {
  Mirror mirror = mirror_of(listing, std::move(label));
  std::vector<MirrorObject> settled;
  auto waiting = change.send.begin() + static_cast<std::ptrdiff_t>(sent);
  for (MirrorObject& object : mirror.objects) {
    if (waiting != change.send.end() && (*waiting)->key == object.key) {
      mirror.unsettled.push_back(object.key);
      ++waiting;
    } else {
      settled.push_back(std::move(object));
    }
  }
  mirror.objects = std::move(settled);
  mirror.unsettled.insert(mirror.unsettled.end(),
                          change.remove.begin() + static_cast<std::ptrdiff_t>(removed), change.remove.end());
  std::sort(mirror.unsettled.begin(), mirror.unsettled.end());
  return mirror;
}

}  // namespace trainmake
