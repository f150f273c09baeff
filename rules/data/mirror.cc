#include "rules/data/mirror.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/codec.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kFormat = 2;

// How each is called in the document, before its digest.
struct UnsettledName {
  Unsettled what;
  std::string_view name;
};
constexpr std::array<UnsettledName, 3> kUnsettledNames = {
    {{Unsettled::kSending, "xxh3"}, {Unsettled::kRemoving, "removing"}, {Unsettled::kDoubted, "doubted"}}};

std::string_view name_of(Unsettled what) {
  return std::find_if(kUnsettledNames.begin(), kUnsettledNames.end(),
                      [&](const UnsettledName& each) { return each.what == what; })
      ->name;
}
std::optional<Unsettled> unsettled_named(std::string_view name) {
  for (const UnsettledName& each : kUnsettledNames) {
    if (each.name == name) return each.what;
  }
  return std::nullopt;
}

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

constexpr std::size_t kLongestKey = 4096;  // as a path; no store takes a longer one

// A key that no target of ours can have: a manifest object that says so was not written by us, and must not
// lead a removal out of its place, or to another manifest object, or to what no store can be asked for.
bool is_key(std::string_view key) {
  if (key.size() > kLongestKey || key.find('\0') != std::string_view::npos) return false;
  const std::string_view path = key.substr(0, key.size() - (is_folder(key) ? 1 : 0));
  return !path.empty() && path.front() != '/' && path_clean(path) == path && !is_own_key(path);
}

// The document is written by hand and read piece by piece: it may name a million objects.
std::string string_json(const std::string& text) {
  const bool is_plain = std::all_of(text.begin(), text.end(),
                                    [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  return is_plain ? cat("\"", text, "\"") : nlohmann::json(text).dump();
}
std::string key_json(const std::string& key) {
  return is_utf8(key) ? string_json(key) : cat("{\"bytes\":", string_json(as_utf8(key)), "}");
}

class MirrorReader final : public nlohmann::json::json_sax_t {
 public:
  Mirror mirror;
  bool is_whole() const { return ended_ && format_ == kFormat && has_objects_ && has_unsettled_; }
  bool is_newer() const { return format_ > kFormat; }

  bool null() override { return false; }
  bool boolean(bool value) override {
    if (depth_ == 1) {
      if (name() == "repeats") mirror.repeats = value;
      return true;
    }
    if (depth_ != 3 || name() != "found") return false;
    now_.is_found = value;
    return true;
  }
  bool number_integer(number_integer_t) override { return false; }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool binary(binary_t&) override { return false; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (depth_ == 1 && name() == "format") format_ = static_cast<int>(number);
    if (depth_ == 1 && name() == "told") mirror.told = number;
    if (depth_ == 3 && name() == "size") {
      now_.size = number;
      has_size_ = true;
    }
    return true;
  }
  bool string(string_t& text) override {
    if (depth_ == 1) return take_head(text);
    if (depth_ == 4 && names_[3] == "key" && name() == "bytes") {
      std::optional<std::string> bytes = from_utf8(text);
      if (!bytes) return false;
      now_.key = *std::move(bytes);
    } else if (depth_ == 4 && (names_[3] == "chunks" || names_[3] == "ours")) {
      const std::optional<Digest128> digest = Digest128::parse(text);
      if (!digest) return false;
      (names_[3] == "chunks" ? now_.chunks : ours_).push_back(*digest);
    } else if (depth_ == 3 && name() == "key") {
      now_.key = std::move(text);
    } else if (depth_ == 3 && name() == "tag") {
      now_.tag = std::move(text);
    } else if (depth_ == 3) {
      const std::optional<Unsettled> what = unsettled_named(name());
      if (!what) return true;
      what_ = *what;
      content_ = Digest128::parse(text);
      return content_.has_value();
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth_ == 2) {
      now_ = {};
      content_.reset();
      what_ = Unsettled::kDoubted;
      ours_.clear();
      has_size_ = false;
    }
    return enter();
  }
  bool key(string_t& text) override {
    names_[depth_] = std::move(text);
    return true;
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 0) ended_ = true;
    return depth_ != 2 || take_entry();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return false;
    if (depth_ == 1 && name() == "objects") has_objects_ = true;
    if (depth_ == 1 && name() == "unsettled") has_unsettled_ = true;
    return enter();
  }
  bool end_array() override {
    --depth_;
    return true;
  }

 private:
  const std::string& name() const { return names_[depth_]; }
  bool enter() {
    ++depth_;
    if (depth_ == names_.size()) return false;
    names_[depth_].clear();
    return true;
  }
  bool take_head(const std::string& text) {
    if (name() == "project") mirror.project = text;
    if (name() == "target") mirror.target = text;
    if (name() == "root") mirror.root = text;
    if (name() == "writer") mirror.writer = text;
    return true;
  }
  bool take_entry() {
    if (!is_key(now_.key)) return false;
    if (names_[1] == "unsettled") {
      if (!mirror.unsettled.empty() && now_.key <= mirror.unsettled.back().key) return false;
      mirror.unsettled.push_back(
          {std::move(now_.key), what_, now_.size, content_.value_or(Digest128{}), std::move(ours_)});
    } else if (names_[1] == "objects") {
      if (!content_ || what_ != Unsettled::kSending || !has_size_) return false;
      if (!mirror.objects.empty() && now_.key <= mirror.objects.back().key) return false;
      now_.content = *content_;
      mirror.objects.push_back(std::move(now_));
    }
    return true;
  }

  std::size_t depth_ = 0;
  std::array<std::string, 6> names_;  // by depth: the field that we are in
  MirrorObject now_;
  std::optional<Digest128> content_;
  Unsettled what_ = Unsettled::kDoubted;
  std::vector<Digest128> ours_;
  bool has_size_ = false, has_objects_ = false, has_unsettled_ = false, ended_ = false;
  int format_ = 0;
};

// Whether one of `keys`, sorted, is a folder of `key`, or lies in the folder that `key` would be.
bool is_in_the_way(const std::string& key, const std::vector<const ListedFile*>& files) {
  const auto from = [&](std::string_view first) {
    return std::lower_bound(files.begin(), files.end(), first,
                            [](const ListedFile* file, std::string_view asked) { return file->key < asked; });
  };
  for (std::string folder(path_folder(key)); !folder.empty(); folder = path_folder(folder)) {
    const auto found = from(folder);
    if (found != files.end() && (*found)->key == folder) return true;
  }
  const std::string below = cat(key, "/");
  const auto found = from(below);
  return found != files.end() && (*found)->key.starts_with(below);
}

bool among(const std::vector<std::string>& sorted, const std::string& key) {
  return std::binary_search(sorted.begin(), sorted.end(), key);
}

}  // namespace

bool is_own_key(std::string_view key) { return path_below(key, kOwnFolder).has_value(); }

bool is_ours(const UnsettledKey& key, const Digest128& content) {
  return content != Digest128{} &&
         (content == key.content || std::find(key.ours.begin(), key.ours.end(), content) != key.ours.end());
}

const MirrorObject* find_object(const Mirror& mirror, std::string_view key) {
  const auto found =
      std::lower_bound(mirror.objects.begin(), mirror.objects.end(), key,
                       [](const MirrorObject& object, std::string_view asked) { return object.key < asked; });
  return found != mirror.objects.end() && found->key == key ? &*found : nullptr;
}

const UnsettledKey* find_unsettled(const Mirror& mirror, std::string_view key) {
  const auto found =
      std::lower_bound(mirror.unsettled.begin(), mirror.unsettled.end(), key,
                       [](const UnsettledKey& each, std::string_view asked) { return each.key < asked; });
  return found != mirror.unsettled.end() && found->key == key ? &*found : nullptr;
}

Mirror recalled(const Mirror& known, Mirror seen) {
  std::map<std::string, UnsettledKey> doubted;
  const auto doubt = [&](const std::string& key, std::uint64_t size, const Digest128& ours) {
    UnsettledKey& each = doubted.try_emplace(key, UnsettledKey{.key = key}).first->second;
    if (ours == Digest128{} || is_ours(each, ours)) return;
    if (each.content != Digest128{}) {
      each.ours.push_back(ours);
    } else {
      each.size = size;
      each.content = ours;
    }
  };
  const auto doubt_object = [&](const MirrorObject& object) {
    doubt(object.key, object.size, object.is_found ? Digest128{} : object.content);
  };
  const auto is_same = [](const MirrorObject& object, const MirrorObject* other) {
    return other != nullptr && object.content == other->content && object.size == other->size &&
           object.is_found == other->is_found;
  };
  for (const UnsettledKey& each : known.unsettled) doubted.emplace(each.key, each);
  for (const MirrorObject& object : known.objects) {
    const MirrorObject* said = find_object(seen, object.key);
    const bool is_nobodys = said == nullptr && object.is_found;
    if (!is_nobodys && !is_same(object, said)) doubt_object(object);
  }
  std::erase_if(seen.objects, [&](const MirrorObject& object) {
    const MirrorObject* now = find_object(known, object.key);
    if (is_same(object, now)) return false;
    const bool became_somebodys = now != nullptr && now->is_found;
    if (!became_somebodys) doubt_object(object);
    return true;
  });
  for (const UnsettledKey& each : seen.unsettled) {
    if (doubted.emplace(each.key, each).second) continue;
    doubt(each.key, each.size, each.content);
    for (const Digest128& ours : each.ours) doubt(each.key, 0, ours);
  }
  seen.unsettled.clear();
  for (auto& [key, each] : doubted) seen.unsettled.push_back(std::move(each));
  seen.root.clear();
  return seen;
}

void add_tags(const Mirror& known, Mirror& told) {
  auto ours = known.objects.begin();
  for (MirrorObject& object : told.objects) {
    while (ours != known.objects.end() && ours->key < object.key) ++ours;
    const bool is_same = ours != known.objects.end() && ours->key == object.key &&
                         ours->content == object.content && ours->size == object.size;
    if (is_same && object.tag.empty()) object.tag = ours->tag;
  }
}

std::string owner_text(const Label& label) { return owner_text(label.text()); }

std::string owner_text(const std::string& name) {
  return is_utf8(name) ? name : cat("bytes:", as_utf8(name));
}

std::string to_json(const Mirror& mirror) {
  constexpr std::size_t kUsualEntry = 100;
  std::string json;
  json.reserve((mirror.objects.size() + mirror.unsettled.size() + 4) * kUsualEntry);
  const auto add = [&json](std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) json += part;
  };
  const auto digests = [&](std::string_view name, const std::vector<Digest128>& all) {
    if (all.empty()) return;
    add({",\"", name, "\":["});
    for (const Digest128& each : all) add({&each == all.data() ? "\"" : ",\"", each.hex(), "\""});
    json += ']';
  };
  add({"{\"format\":", std::to_string(kFormat)});
  if (!mirror.project.empty()) add({",\"project\":", string_json(mirror.project)});
  add({",\"target\":", string_json(mirror.target), ",\"root\":\"", mirror.root, "\",\"writer\":\"",
       mirror.writer, "\"", mirror.repeats ? ",\"repeats\":true" : ""});
  if (mirror.told > 0) add({",\"told\":", std::to_string(mirror.told)});
  add({",\"unsettled\":["});
  for (const UnsettledKey& each : mirror.unsettled) {
    add({&each == mirror.unsettled.data() ? "\n" : ",\n", "{\"key\":", key_json(each.key)});
    if (each.content != Digest128{})
      add({",\"size\":", std::to_string(each.size), ",\"", name_of(each.what), "\":\"", each.content.hex(),
           "\""});
    digests("ours", each.ours);
    json += '}';
  }
  json += "],\"objects\":[";
  for (const MirrorObject& each : mirror.objects) {
    add({&each == mirror.objects.data() ? "\n" : ",\n", "{\"key\":", key_json(each.key),
         ",\"size\":", std::to_string(each.size), ",\"xxh3\":\"", each.content.hex(), "\""});
    if ((each.size >= kWorthCopying || each.is_found) && !each.tag.empty())
      add({",\"tag\":", string_json(each.tag)});
    if (each.is_found) json += ",\"found\":true";
    digests("chunks", each.chunks);
    json += '}';
  }
  json += "]}\n";
  return json;
}

std::optional<Mirror> mirror_from_json(std::string_view text) {
  MirrorReader reader;
  if (!nlohmann::json::sax_parse(text, &reader) || !reader.is_whole()) return std::nullopt;
  return std::move(reader.mirror);
}

bool is_newer_mirror(std::string_view text) {
  MirrorReader reader;
  (void)nlohmann::json::sax_parse(text, &reader);  // it may hold what we cannot read
  return reader.is_newer();
}

void add_head(Encoder& out, const Mirror& mirror) {
  for (const std::string* text : {&mirror.project, &mirror.target, &mirror.root, &mirror.writer})
    out.string(*text);
}

void take_head(Decoder& in, Mirror& mirror) {
  for (std::string* text : {&mirror.project, &mirror.target, &mirror.root, &mirror.writer})
    *text = in.string();
}

void add(Encoder& out, const MirrorObject& object) {
  out.string(object.key);
  out.number(object.size);
  out.digest(object.content);
  out.string(object.tag);
  out.byte(object.is_found ? 1 : 0);
  out.number(object.chunks.size());
  for (const Digest128& chunk : object.chunks) out.digest(chunk);
}

MirrorObject object_from(Decoder& in) {
  MirrorObject object;
  object.key = in.string();
  object.size = in.number();
  object.content = in.digest128();
  object.tag = in.string();
  object.is_found = in.byte() != 0;
  object.chunks.resize(in.count(sizeof(Digest128)));
  for (Digest128& chunk : object.chunks) chunk = in.digest128();
  return object;
}

void add(Encoder& out, const UnsettledKey& key) {
  out.string(key.key);
  out.byte(static_cast<std::uint8_t>(key.what));
  out.number(key.size);
  out.digest(key.content);
  out.number(key.ours.size());
  for (const Digest128& each : key.ours) out.digest(each);
}

UnsettledKey unsettled_from(Decoder& in) {
  UnsettledKey key;
  key.key = in.string();
  key.what = static_cast<Unsettled>(in.byte());
  key.size = in.number();
  key.content = in.digest128();
  key.ours.resize(in.count(sizeof(Digest128)));
  for (Digest128& each : key.ours) each = in.digest128();
  return key;
}

std::string encode(const Mirror& mirror) {
  std::size_t size =
      6 * 8 + mirror.project.size() + mirror.target.size() + mirror.root.size() + mirror.writer.size();
  for (const MirrorObject& each : mirror.objects)
    size += kSmallestObject + each.key.size() + each.tag.size() + each.chunks.size() * sizeof(Digest128);
  for (const UnsettledKey& each : mirror.unsettled)
    size += kSmallestUnsettled + each.key.size() + each.ours.size() * sizeof(Digest128);
  std::string bytes;
  bytes.reserve(size);
  Encoder out(bytes);
  add_head(out, mirror);
  out.number(mirror.objects.size());
  for (const MirrorObject& each : mirror.objects) add(out, each);
  out.number(mirror.unsettled.size());
  for (const UnsettledKey& each : mirror.unsettled) add(out, each);
  return bytes;
}

std::optional<Mirror> decode_mirror(std::string_view bytes) {
  Decoder in(bytes);
  Mirror mirror;
  take_head(in, mirror);
  mirror.objects.resize(in.count(kSmallestObject));
  for (MirrorObject& each : mirror.objects) each = object_from(in);
  mirror.unsettled.resize(in.count(kSmallestUnsettled));
  for (UnsettledKey& each : mirror.unsettled) each = unsettled_from(in);
  return in.at_end() ? std::optional(std::move(mirror)) : std::nullopt;
}

MirrorChange change(const Listing& listing, const Mirror& there, bool prune) {
  MirrorChange change;
  std::vector<std::string> gone;
  const auto miss = [&](const MirrorObject& object) {
    (object.is_found ? change.left : gone).push_back(object.key);
  };
  auto object = there.objects.begin();
  for (const ListedFile& file : listing) {
    for (; object != there.objects.end() && object->key < file.key; ++object) miss(*object);
    const bool same = object != there.objects.end() && object->key == file.key &&
                      object->content == file.content && object->size == file.size;
    if (object != there.objects.end() && object->key == file.key) ++object;
    if (same) continue;
    change.send.push_back(&file);
    change.bytes += file.size;
  }
  for (; object != there.objects.end(); ++object) miss(*object);
  for (const UnsettledKey& each : there.unsettled) {
    const auto found =
        std::lower_bound(listing.begin(), listing.end(), each.key,
                         [](const ListedFile& file, const std::string& asked) { return file.key < asked; });
    const bool is_file = found != listing.end() && found->key == each.key;
    if (!is_file || each.what == Unsettled::kRemoving) change.ask.push_back(each.key);
  }
  for (const std::string& key : gone) {
    const bool is_in_way = is_in_the_way(key, change.send);
    if (prune)
      (is_in_way ? change.make_way : change.remove).push_back(key);
    else if (is_in_way)
      change.in_the_way.push_back(key);
  }
  return change;
}

Announcement announcement(const Listing& listing, Mirror there, const MirrorChange& change) {
  Announcement said;
  Mirror& mirror = said.mirror;
  mirror.objects = std::move(there.objects);  // of which those go that change, or are removed
  std::vector<UnsettledKey> removing, sending;
  sending.reserve(change.send.size());
  for (const ListedFile* sent : change.send)
    sending.push_back({sent->key, Unsettled::kSending, sent->size, sent->content});
  auto file = listing.begin();
  auto sent = sending.begin();
  auto before = there.unsettled.begin();
  for (UnsettledKey& each : sending) {
    while (before != there.unsettled.end() && before->key < each.key) ++before;
    if (before == there.unsettled.end() || before->key != each.key) continue;
    each.ours = std::move(before->ours);
    // What lay there is ours, even if it is what is sent there anew, and so is what another checkout may
    // have put there.
    const bool is_known = std::find(each.ours.begin(), each.ours.end(), before->content) != each.ours.end();
    if (!is_known && before->content != Digest128{}) each.ours.push_back(before->content);
  }
  std::erase_if(mirror.objects, [&](const MirrorObject& object) {
    while (file != listing.end() && file->key < object.key) ++file;
    while (sent != sending.end() && sent->key < object.key) ++sent;
    const bool is_file = file != listing.end() && file->key == object.key;
    const bool is_sent = sent != sending.end() && sent->key == object.key;
    const bool is_removed =
        !is_file && (among(change.make_way, object.key) || among(change.remove, object.key));
    if (is_sent && !object.is_found) sent->ours.push_back(object.content);
    if (is_removed) removing.push_back({object.key, Unsettled::kRemoving, object.size, object.content});
    if (is_sent || is_removed) said.gone.push_back(object.key);
    return is_sent || is_removed;
  });
  mirror.unsettled.reserve(sending.size() + removing.size());
  std::merge(std::make_move_iterator(sending.begin()), std::make_move_iterator(sending.end()),
             std::make_move_iterator(removing.begin()), std::make_move_iterator(removing.end()),
             std::back_inserter(mirror.unsettled),
             [](const UnsettledKey& a, const UnsettledKey& b) { return a.key < b.key; });
  return said;
}

}  // namespace trainmake
