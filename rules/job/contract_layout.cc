#include "rules/job/contract_layout.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Seen = std::vector<ContractLayout::Link>;

// Where a path that the job sees lies in truth: beyond the innermost of `seen` that it is below.
std::string truth_of(const std::string& path, const Seen& seen) {
  const ContractLayout::Link* innermost = nullptr;
  for (const ContractLayout::Link& place : seen) {
    if (path == place.at || !path_below(path, place.at)) continue;
    if (innermost == nullptr || place.at.size() > innermost->at.size()) innermost = &place;
  }
  return innermost == nullptr ? path : path_join(innermost->to, *path_below(path, innermost->at));
}

}  // namespace

Folders folders_below(const Contract& contract, const Folders& real, const std::string& top) {
  Folders folders = real;
  folders.top = top;
  if (!contract.places) return folders;
  folders.code = top + contract.places->code;
  folders.data = top + contract.places->data;
  folders.output = top + contract.places->output;
  folders.checkpoint = top + contract.places->checkpoint;
  folders.log = top + contract.places->log;
  return folders;
}

std::vector<ContractLayout::Link> places_of(const Contract& contract, const Folders& real,
                                            const std::string& top) {
  if (!contract.places) return {};
  const Folders folders = folders_below(contract, real, top);
  Seen seen = {{folders.code, real.code},
               {folders.data, real.data},
               {folders.output, real.output},
               {folders.checkpoint, real.checkpoint},
               {folders.log, real.log}};
  // Of two at one path the first is meant.
  std::stable_sort(seen.begin(), seen.end(),
                   [](const auto& a, const auto& b) { return a.at.size() < b.at.size(); });
  for (auto place = seen.begin(); place != seen.end();) {
    const bool taken =
        std::any_of(seen.begin(), place, [&](const auto& other) { return other.at == place->at; });
    place = taken ? seen.erase(place) : place + 1;
  }
  return seen;
}

ContractLayout layout_below(const Contract& contract, const JobSpec& spec, const Folders& real,
                            const std::string& top, const Rank& rank) {
  ContractLayout layout;
  layout.folders = folders_below(contract, real, top);
  const Seen seen = places_of(contract, real, top);
  for (const ContractLayout::Link& place : seen) layout.links.push_back({truth_of(place.at, seen), place.to});
  for (auto& [path, text] : render_files(contract, spec, layout.folders, rank))
    layout.files.emplace_back(truth_of(path, seen), std::move(text));
  return layout;
}

Result<void> check_code(const ContractLayout& layout, const Listing& code, const std::string& at) {
  for (const ContractLayout::Link& link : layout.links) {
    const std::optional<std::string> place = path_below(link.at, at);
    const bool is_taken = place && std::any_of(code.begin(), code.end(), [&](const ListedFile& file) {
                            return path_below(file.key, *place).has_value();
                          });
    if (!is_taken) continue;
    return fail(
        user_error(cat("The job's contract has a folder of its own where the code has ", quoted(*place)),
                   "Name it otherwise, or give the code a `root` or `dest` of its own"));
  }
  return {};
}

Result<void> lay_out(FileSystem& files, const ContractLayout& layout) {
  for (const ContractLayout::Link& link : layout.links) {
    TRY(files.make_folder(std::string(path_folder(link.at))));
    TRY(files.make_link(link.to, link.at));
  }
  for (const auto& [path, text] : layout.files) {
    TRY(files.make_folder(std::string(path_folder(path))));
    TRY(write_file(files, path, text));
  }
  return {};
}

}  // namespace trainmake
