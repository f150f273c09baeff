#include "cache/proof_file.h"

#include <algorithm>
#include <tuple>

#include "engine/base/codec.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-proof-2\n";
constexpr std::size_t kLatestGroups = 16;
constexpr std::size_t kLargestGroup = 2048;  // looks; a larger folder is checked by several threads

struct Item {
  std::string_view folder;
  std::string_view name;
  Links links;
  const Stat* stat;

  auto key() const { return std::tuple(folder, links, name.empty(), name); }
  auto group() const { return std::tuple(folder, links, name.empty()); }
};

Item item_of(const Look& look, Links links) {
  const std::string_view path = look.path;
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", path, links, &look.stat};
  if (slash == 0) return {"/", path.substr(1), links, &look.stat};
  return {path.substr(0, slash), path.substr(slash + 1), links, &look.stat};
}

// Sorted by folder, each look once: the earliest, so that a later change is seen.
std::vector<Item> items_of(const Looks& looks) {
  std::vector<Item> items;
  items.reserve(looks.files.size() + looks.folders.size());
  for (const Look& look : looks.files) items.push_back(item_of(look, look.links));
  // However a folder is reached, its own stat is what says whether something came or went.
  for (const Look& look : looks.folders) items.push_back(item_of(look, Links::kFollow));
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.key() < b.key(); });
  items.erase(std::unique(items.begin(), items.end(),
                          [](const Item& a, const Item& b) { return a.key() == b.key(); }),
              items.end());
  return items;
}

void encode_stat(Encoder& encoder, const Stat& stat) {
  encoder.number(stat.size);
  encoder.number(static_cast<std::uint64_t>(stat.mtime_ns));
  encoder.number(static_cast<std::uint64_t>(stat.ctime_ns));
  encoder.number(stat.inode);
  encoder.number(std::uint64_t{stat.mode} << 8U | static_cast<std::uint64_t>(stat.kind));
}

Stat decode_stat(Decoder& decoder) {
  Stat stat;
  stat.size = decoder.number();
  stat.mtime_ns = static_cast<std::int64_t>(decoder.number());
  stat.ctime_ns = static_cast<std::int64_t>(decoder.number());
  stat.inode = decoder.number();
  const std::uint64_t mode_and_kind = decoder.number();
  stat.mode = static_cast<std::uint32_t>(mode_and_kind >> 8U);
  stat.kind = static_cast<FileKind>(mode_and_kind & 0xffU);
  return stat;
}

std::string encode_group(std::vector<Item>::const_iterator begin, std::vector<Item>::const_iterator end) {
  std::size_t size = 8 + begin->folder.size() + 1 + 8;
  for (auto item = begin; item != end; ++item) size += 6 * 8 + item->name.size();
  std::string out;
  out.reserve(size);
  Encoder encoder(out);
  encoder.string(begin->folder);
  encoder.byte(static_cast<std::uint8_t>(begin->links));
  encoder.number(static_cast<std::uint64_t>(end - begin));
  for (auto item = begin; item != end; ++item) {
    encode_stat(encoder, *item->stat);
    encoder.string(item->name);
  }
  return out;
}

// In the order in which a walk meets them, but for those with the latest changes, which come first: what was
// changed last is most often what is changed next, and a proof that does not hold should fail soon.
std::vector<std::string> encode_groups(const std::vector<Item>& items) {
  std::vector<std::string> groups;
  std::vector<std::pair<std::int64_t, std::size_t>> by_age;  // time of the latest change, group
  for (auto begin = items.begin(); begin != items.end();) {
    auto end = begin;
    while (end != items.end() && end->group() == begin->group() &&
           static_cast<std::size_t>(end - begin) < kLargestGroup)
      ++end;
    std::int64_t latest_ns = 0;
    for (auto item = begin; item != end; ++item)
      latest_ns = std::max({latest_ns, item->stat->mtime_ns, item->stat->ctime_ns});
    by_age.emplace_back(latest_ns, groups.size());
    groups.push_back(encode_group(begin, end));
    begin = end;
  }
  const auto latest = by_age.begin() + static_cast<std::ptrdiff_t>(std::min(by_age.size(), kLatestGroups));
  std::partial_sort(by_age.begin(), latest, by_age.end(), std::greater<>());
  std::sort(latest, by_age.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<std::string> ordered;
  ordered.reserve(groups.size());
  for (const auto& [latest_ns, group] : by_age) ordered.push_back(std::move(groups[group]));
  return ordered;
}

}  // namespace

std::string encode_proof(const Proof& proof, std::string_view version, std::string_view request) {
  const std::vector<Item> items = items_of(proof.looks);
  const std::vector<std::string> groups = encode_groups(items);
  std::size_t size = 64 * 1024;
  for (const std::string& group : groups) size += 8 + group.size();
  std::string bytes;
  bytes.reserve(size);
  bytes += kMagic;
  Encoder encoder(bytes);
  encoder.digest(Digest128{});  // of what follows, once that is there
  encoder.string(version);
  encoder.string(request);
  encoder.number(proof.generation);
  encoder.number(static_cast<std::uint64_t>(std::count_if(items.begin(), items.end(), [](const Item& item) {
    return item.stat->is(FileKind::kFile) || item.stat->is(FileKind::kLink);
  })));
  encoder.number(proof.up_to_date.size());
  for (const Label& label : proof.up_to_date) encoder.string(label.text());
  encoder.number(proof.looks.variables.size());
  for (const auto& [name, value] : proof.looks.variables) {
    encoder.string(name);
    encoder.byte(value ? 1 : 0);
    encoder.digest(value.value_or(Digest128{}));
  }
  encoder.number(groups.size());
  for (const std::string& group : groups) encoder.string(group);

  constexpr std::size_t kHead = kMagic.size() + sizeof(Digest128);
  std::string digest;
  Encoder(digest).digest(digest_of(std::string_view(bytes).substr(kHead)));
  return bytes.replace(kMagic.size(), digest.size(), digest);
}

std::optional<ProofView> parse_proof(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  Decoder decoder(bytes.substr(kMagic.size()));
  const Digest128 digest = decoder.digest128();
  if (!decoder.ok() || digest != digest_of(decoder.rest())) return std::nullopt;
  return parse_proof_body(decoder.rest());
}

std::optional<ProofView> parse_proof_body(std::string_view body) {
  Decoder decoder(body);
  ProofView view;
  view.version = decoder.string();
  view.request = decoder.string();
  view.generation = decoder.number();
  view.looked_at = decoder.number();
  view.up_to_date.resize(decoder.count(8));
  for (std::string_view& label : view.up_to_date) label = decoder.string();
  view.variables.resize(decoder.count(8 + 1 + 16));
  for (auto& [name, value] : view.variables) {
    name = decoder.string();
    const bool is_set = decoder.byte() != 0;
    const Digest128 digest = decoder.digest128();
    if (is_set) value = digest;
  }
  view.groups.resize(decoder.count(8));
  for (std::string_view& group : view.groups) group = decoder.string();
  if (!decoder.at_end()) return std::nullopt;
  return view;
}

std::optional<ProofGroup> parse_proof_group(std::string_view bytes) {
  Decoder decoder(bytes);
  ProofGroup group;
  group.folder = decoder.string();
  group.links = decoder.byte() != 0 ? Links::kFollow : Links::kKeep;
  const std::uint64_t count = decoder.count(5 * 8 + 8);
  group.names.reserve(count);
  group.stats.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    group.stats.push_back(decode_stat(decoder));
    group.names.push_back(decoder.string());
  }
  if (!decoder.at_end()) return std::nullopt;
  return group;
}

}  // namespace trainmake
