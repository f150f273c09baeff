#include "engine/model/looks.h"

#include <algorithm>
#include <tuple>

namespace trainmake {
namespace {

constexpr std::int64_t kFineTick_ns = 20'000'000;       // a kernel's coarse clock ticks every 1 to 10 ms
constexpr std::int64_t kCoarseTick_ns = 2'000'000'000;  // file systems that keep whole (FAT: even) seconds
constexpr std::int64_t kSecond_ns = 1'000'000'000;

// A path looked at as a link and through it was looked at twice: both count.
bool same(const Look& a, const Look& b) { return a.path == b.path && a.links == b.links; }

void keep_earliest(std::vector<Look>& looks) {
  std::stable_sort(looks.begin(), looks.end(), [](const Look& a, const Look& b) {
    return std::tie(a.path, a.links) < std::tie(b.path, b.links);
  });
  looks.erase(std::unique(looks.begin(), looks.end(), same), looks.end());
}

}  // namespace

void Looks::add(const Looks& other) { add(Looks(other)); }

// A target may have looked at a million files.
void Looks::add(Looks&& other) {
  if (files.empty()) files.swap(other.files);
  if (folders.empty()) folders.swap(other.folders);
  files.insert(files.end(), std::make_move_iterator(other.files.begin()),
               std::make_move_iterator(other.files.end()));
  folders.insert(folders.end(), std::make_move_iterator(other.folders.begin()),
                 std::make_move_iterator(other.folders.end()));
  variables.merge(other.variables);
  asked = asked || other.asked;
}

void Looks::add_variable(const std::string& name, const std::optional<std::string>& value) {
  variables.emplace(name, value ? std::optional(digest_of(*value)) : std::nullopt);
}

void Looks::normalize() {
  keep_earliest(files);
  keep_earliest(folders);
}

bool is_racy(const Stat& stat, std::int64_t looked_at_ns) {
  if (!stat.exists()) return false;
  const std::int64_t tick =
      stat.mtime_ns % kSecond_ns == 0 && stat.ctime_ns % kSecond_ns == 0 ? kCoarseTick_ns : kFineTick_ns;
  return std::max(stat.mtime_ns, stat.ctime_ns) > looked_at_ns - tick;
}

}  // namespace trainmake
