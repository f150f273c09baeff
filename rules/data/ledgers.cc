#include "rules/data/ledgers.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/base/codec.h"
#include "engine/base/text.h"
#include "rules/data/ledger.h"

namespace trainmake {
namespace {

// Of the ledgers, the one written last first.
Result<std::vector<std::string>> latest_files(FileSystem& files, const std::string& cache_folder) {
  const std::string folder = path_join(cache_folder, kMirrorsFolder);
  std::vector<std::pair<std::int64_t, std::string>> ledgers;  // when, and which
  TRY_ASSIGN(const Stat there, files.look(folder));
  if (!there.exists()) return std::vector<std::string>();
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
  for (const FolderEntry& entry : entries) {
    if (!Digest128::parse(entry.name)) continue;
    std::string path = path_join(folder, entry.name);
    TRY_ASSIGN(const Stat stat, files.look(path));
    ledgers.emplace_back(-stat.mtime_ns, std::move(path));
  }
  std::sort(ledgers.begin(), ledgers.end());
  std::vector<std::string> paths;
  for (auto& [when, path] : ledgers) paths.push_back(std::move(path));
  return paths;
}

// "" when it is none, or went meanwhile.
Result<std::string> place_in(FileSystem& files, const std::string& path) {
  constexpr std::size_t kHead = 4096;  // more than a tag and a place are long
  const Result<std::unique_ptr<FileReader>> reader = files.open(path);
  if (!reader) return std::string();
  std::string head(kHead, '\0');
  TRY_ASSIGN(const std::size_t size, (*reader)->read(head));
  head.resize(size);
  if (!head.starts_with(kLedgerMagic)) return std::string();
  Decoder in(std::string_view(head).substr(kLedgerMagic.size()));
  (void)in.digest128();
  (void)in.string();
  std::string place(in.string());
  return in.ok() ? place : std::string();
}

}  // namespace

Result<std::vector<std::string>> latest_places(FileSystem& files, const std::string& cache_folder,
                                               std::size_t most) {
  TRY_ASSIGN(const std::vector<std::string> paths, latest_files(files, cache_folder));
  std::vector<std::string> places;
  for (std::size_t i = 0; i < std::min(most, paths.size()); ++i) {
    TRY_ASSIGN(std::string place, place_in(files, paths[i]));
    if (!place.empty()) places.push_back(std::move(place));
  }
  return places;
}

Result<std::uint64_t> collect_snapshots(FileSystem& files, const std::string& cache_folder,
                                        std::string_view mark, std::size_t kept) {
  TRY_ASSIGN(const std::vector<std::string> paths, latest_files(files, cache_folder));
  std::uint64_t removed = 0;
  std::size_t count = 0;
  for (const std::string& path : paths) {
    TRY_ASSIGN(const std::string place, place_in(files, path));
    if (!place.ends_with(mark) || count++ < kept) continue;
    Ledger ledger(files, cache_folder, place);
    TRY(ledger.load());
    const bool was_cut = !ledger.mirror().unsettled.empty() || !ledger.noted_keys().empty();
    if (was_cut) continue;  // whoever goes on needs it
    for (const std::string& gone : {path, path + ".log"}) {
      TRY_ASSIGN(const Stat stat, files.look(gone));
      TRY(files.remove(gone));
      removed += stat.size;
    }
  }
  return removed;
}

}  // namespace trainmake
