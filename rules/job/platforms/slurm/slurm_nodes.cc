#include "rules/job/platforms/slurm/slurm_nodes.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// Of one node: gpus, cpus, MiB of memory.
using Share = std::array<std::int64_t, 3>;

std::string without_parentheses(std::string_view text) {
  std::string plain;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (depth == 0) plain += c;
    if (c == ')') --depth;
  }
  return plain;
}

// Of all that go by `name`, which may say a type: "gpu:a100".
std::int64_t count_named(const std::string& gres, const std::string& name) {
  constexpr std::int64_t kEnough =
      std::numeric_limits<std::int32_t>::max();  // what is not told is not missed
  std::int64_t count = 0;
  for (const std::string& each : split(without_parentheses(gres), ',')) {
    if (each == name) return kEnough;
    if (!each.starts_with(name + ":")) continue;
    count += whole_number<std::int64_t>(each.substr(each.rfind(':') + 1)).value_or(kEnough);
  }
  return count;
}

Share share_of(const SlurmNodes& node, const std::string& gres) {
  return {count_named(node.gres, gres), node.cpus, node.memory_mib};
}

bool has_all(const Share& share, const Share& needed) {
  return std::equal(share.begin(), share.end(), needed.begin(),
                    [](std::int64_t has, std::int64_t wants) { return has >= wants; });
}

// "4 of `gpu` and 64 cpus": as much of it as a job asks about.
std::string text_of(const Share& share, const Share& needed, const std::string& gres) {
  const auto [gpus, cpus, memory_mib] = share;
  std::vector<std::string> parts;
  if (needed[0] > 0) parts.push_back(gpus == 0 ? cat("no ", quoted(gres)) : cat(gpus, " of ", quoted(gres)));
  if (needed[1] > 0) parts.push_back(plural(static_cast<std::uint64_t>(cpus), "cpu"));
  if (needed[2] > 0)
    parts.push_back(cat(human_bytes(static_cast<std::uint64_t>(memory_mib) << 20U), " of memory"));
  if (parts.size() < 2) return join(parts, "");
  const std::string last = parts.back();
  parts.pop_back();
  return cat(join(parts, ", "), " and ", last);
}

// That has most of what none has enough of; of nodes that have enough of each, but not together, most of what
// is asked for first.
Share largest(const std::vector<Share>& shares, const Share& needed) {
  const auto has_more = [](std::size_t part) {
    return [part](const Share& a, const Share& b) { return a[part] < b[part]; };
  };
  std::optional<Share> most;
  for (std::size_t part = 0; part < needed.size(); ++part) {
    const Share& found = *std::max_element(shares.begin(), shares.end(), has_more(part));
    if (found[part] < needed[part]) return found;
    if (!most && needed[part] > 0) most = found;
  }
  return most.value_or(shares.front());
}

}  // namespace

std::vector<std::string> sinfo_words() {
  return {"sinfo", "--all", "--exact", "--noheader", "--format=%R|%D|%c|%m|%G"};
}

std::map<std::string, std::vector<SlurmNodes>> parse_nodes(std::string_view text) {
  std::map<std::string, std::vector<SlurmNodes>> nodes;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(trim(line), '|');
    if (fields.size() != 5) continue;
    const auto count = whole_number<std::int64_t>(fields[1]), cpus = whole_number<std::int64_t>(fields[2]),
               memory = whole_number<std::int64_t>(fields[3]);
    if (count && cpus && memory) nodes[fields[0]].push_back({*count, *cpus, *memory, fields[4]});
  }
  return nodes;
}

std::string lack_of(const std::vector<SlurmNodes>& kinds, std::int64_t nodes, const NodeNeeds& needs) {
  const Share needed = {needs.gpus, needs.cpus, needs.memory_mib};
  std::vector<Share> shares;
  std::int64_t fit = 0;
  for (const SlurmNodes& each : kinds) {
    shares.push_back(share_of(each, needs.gres));
    if (has_all(shares.back(), needed)) fit += each.count;
  }
  if (shares.empty() || fit >= nodes) return "";
  const std::string wanted = text_of(needed, needed, needs.gres);
  if (fit > 0)
    return cat("has ", plural(static_cast<std::uint64_t>(fit), "node"),
               wanted.empty() ? "" : cat(" with ", wanted), ", and this one asks for ", nodes);
  return cat("has no node with ", wanted, "; the largest has ",
             text_of(largest(shares, needed), needed, needs.gres));
}

}  // namespace trainmake
