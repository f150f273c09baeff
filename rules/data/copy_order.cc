#include "rules/data/copy_order.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace trainmake {
namespace {

constexpr std::size_t kMostWaves = 16;

}  // namespace

void CopyOrder::add(const ListedFile* file, std::string_view from) { copies_[file->key] = {file, from}; }

CopyOrder::Waves CopyOrder::waves() const {
  // A copy waits for those that are made of what lies where it goes; itself it holds up one at most: that
  // which goes where it is made of.
  std::unordered_map<std::string_view, std::size_t> readers;
  for (const auto& [key, copy] : copies_) {
    if (copy.from != key) ++readers[copy.from];
  }
  std::unordered_map<std::string_view, std::size_t> wave_of;
  std::set<std::pair<std::uint64_t, std::string_view>> open;  // with their sizes
  std::vector<std::string_view> free;
  for (const auto& [key, copy] : copies_) {
    if (readers[key] == 0)
      free.push_back(key);
    else
      open.emplace(copy.file->size, key);
  }
  Waves waves;
  const auto settle = [&](std::string_view key, bool is_copied) {
    const Copy& copy = copies_.at(key);
    const std::size_t wave = wave_of[key];
    if (is_copied) {
      if (waves.copied.size() <= wave) waves.copied.resize(wave + 1);
      waves.copied[wave].push_back(copy.file);
    } else {
      waves.sent.push_back(copy.file);
    }
    const auto held_up = copy.from == key ? copies_.end() : copies_.find(copy.from);
    if (held_up == copies_.end()) return;
    if (is_copied) wave_of[copy.from] = std::max(wave_of[copy.from], wave + 1);
    const bool is_free = --readers[copy.from] == 0;
    if (is_free && open.erase({held_up->second.file->size, copy.from}) != 0) free.push_back(copy.from);
  };
  while (!free.empty() || !open.empty()) {
    if (free.empty()) {
      const std::string_view smallest = open.begin()->second;  // all that are left go round in circles
      open.erase(open.begin());
      settle(smallest, false);
      continue;
    }
    const std::string_view key = free.back();
    free.pop_back();
    settle(key, wave_of[key] < kMostWaves);
  }
  return waves;
}

}  // namespace trainmake
