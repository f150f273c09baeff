#include "cache/proof.h"

#include <algorithm>
#include <atomic>

#include "cache/proof_file.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"

namespace trainmake {
namespace {

constexpr std::size_t kKept = 64;              // proofs
constexpr std::uint64_t kWorthAThread = 1000;  // looks
constexpr std::string_view kSuffix = ".proof";

std::string folder_in(const std::string& cache_folder) { return path_join(cache_folder, "proofs"); }
std::string path_of(const std::string& cache_folder, const std::string& request) {
  return path_join(folder_in(cache_folder), cat(digest_of(request).hex(), kSuffix));
}

bool is_settled(const std::vector<Look>& looks, std::int64_t looked_at_ns) {
  return std::none_of(looks.begin(), looks.end(),
                      [&](const Look& look) { return is_racy(look.stat, looked_at_ns); });
}

Result<void> drop_oldest(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(std::vector<FolderEntry> entries, files.list(folder));
  std::erase_if(entries, [](const FolderEntry& entry) { return !entry.name.ends_with(kSuffix); });
  if (entries.size() <= kKept) return {};
  std::vector<std::string_view> names;
  for (const FolderEntry& entry : entries) names.push_back(entry.name);
  std::vector<Stat> stats(names.size());
  TRY(files.look_at_all(folder, names, stats));
  std::vector<std::pair<std::int64_t, std::string_view>> by_age;
  for (std::size_t i = 0; i < names.size(); ++i) by_age.emplace_back(stats[i].mtime_ns, names[i]);
  std::sort(by_age.begin(), by_age.end());
  for (std::size_t i = 0; i + kKept < by_age.size(); ++i)
    TRY(files.remove(path_join(folder, by_age[i].second)));
  return {};
}

bool variables_hold(const Environment& environment, const ProofView& proof) {
  return std::all_of(proof.variables.begin(), proof.variables.end(), [&](const auto& variable) {
    const std::optional<std::string> value = environment.get(std::string(variable.first));
    return value.has_value() == variable.second.has_value() &&
           (!value || digest_of(*value) == *variable.second);
  });
}

bool group_holds(FileSystem& files, const std::string& root, std::string_view bytes, std::vector<Stat>& now) {
  const std::optional<ProofGroup> group = parse_proof_group(bytes);
  if (!group) return false;
  const std::string folder = path_join(root, group->folder);
  if (group->names.size() == 1) {
    const Result<Stat> stat = files.look(path_join(folder, group->names[0]), group->links);
    return stat && *stat == group->stats[0];
  }
  now.resize(group->names.size());
  return files.look_at_all(folder, group->names, now, group->links) && now == group->stats;
}

bool groups_hold(FileSystem& files, const std::string& root, const ProofView& proof) {
  std::atomic<bool> hold = true;
  const unsigned threads = proof.looked_at < kWorthAThread ? 1U : std::min(2U, processor_count());
  parallel_for(proof.groups.size(), 1, threads, [&](std::size_t begin, std::size_t end) {
    std::vector<Stat> now;
    for (std::size_t i = begin; i < end && hold; ++i) {
      if (!group_holds(files, root, proof.groups[i], now)) hold = false;
    }
  });
  return hold;
}

}  // namespace

Result<bool> save_proof(Host& host, const std::string& cache_folder, const std::string& request,
                        const Proof& proof, std::int64_t looked_at_ns) {
  if (!is_settled(proof.looks.files, looked_at_ns) || !is_settled(proof.looks.folders, looked_at_ns))
    return false;
  TRY(write_file(host.files, path_of(cache_folder, request),
                 encode_proof(proof, TRAINMAKE_VERSION, request)));
  TRY(drop_oldest(host.files, folder_in(cache_folder)));
  return true;
}

std::optional<ProofHolds> check_proof(Host& host, const std::string& root, const std::string& cache_folder,
                                      const std::string& request, std::uint64_t generation) {
  const Result<std::optional<std::string>> bytes =
      read_file_if_there(host.files, path_of(cache_folder, request));
  if (!bytes || !*bytes) return std::nullopt;
  const std::optional<ProofView> proof = parse_proof(**bytes);
  if (!proof || proof->version != TRAINMAKE_VERSION || proof->request != request ||
      proof->generation != generation)
    return std::nullopt;
  if (!variables_hold(host.environment, *proof) || !groups_hold(host.files, root, *proof))
    return std::nullopt;
  ProofHolds holds;
  holds.looked_at = proof->looked_at;
  for (const std::string_view text : proof->up_to_date) {
    Result<Label> label = parse_label(text, "");
    if (!label) return std::nullopt;
    holds.up_to_date.push_back(*std::move(label));
  }
  return holds;
}

}  // namespace trainmake
