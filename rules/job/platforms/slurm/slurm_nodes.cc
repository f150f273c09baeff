#include "rules/job/platforms/slurm/slurm_nodes.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// Of one node: gpus, cpus, MiB of memory and of disk, and of each further gres.
using Share = std::vector<std::int64_t>;
constexpr std::size_t kMoreGres = 4;  // the first of these

constexpr std::int64_t kEnough = std::numeric_limits<std::int32_t>::max();  // what is not told is not missed

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
  std::int64_t count = 0;
  for (const std::string& each : split(without_parentheses(gres), ',')) {
    if (each == name) return kEnough;
    if (!each.starts_with(name + ":")) continue;
    count += whole_number<std::int64_t>(each.substr(each.rfind(':') + 1)).value_or(kEnough);
  }
  return count;
}

struct Gres {
  std::string name;  // with its type, as "gpu:a100"
  std::int64_t count = 1;
};

// Of "gpu:a100:2,nic"; what has a count that is no number is left out.
std::vector<Gres> parse_gres(std::string_view text) {
  std::vector<Gres> all;
  for (const std::string& each : split(text, ',')) {
    const std::size_t colon = each.rfind(':');
    const bool has_count =
        colon != each.npos && colon + 1 < each.size() && each[colon + 1] >= '0' && each[colon + 1] <= '9';
    const auto count = has_count ? whole_number<std::int64_t>(std::string_view(each).substr(colon + 1))
                                 : std::optional<std::int64_t>(1);
    const std::string name = has_count ? each.substr(0, colon) : each;
    const bool is_known = count && !name.empty() && name != "none" && name.find_first_of("/=()") == name.npos;
    if (is_known) all.push_back({name, *count});
  }
  return all;
}

struct Needed {
  Share share;
  std::vector<std::string> gres;  // the names of what is counted by gpus, and by what is behind kMoreGres
};

Needed needed_by(const NodeNeeds& needs) {
  Needed needed{{needs.gpus, needs.cpus, needs.memory_mib, needs.disk_mib}, {needs.gres}};
  for (const Gres& each : parse_gres(needs.more_gres)) {
    needed.share.push_back(each.count);
    needed.gres.push_back(each.name);
  }
  return needed;
}

Share share_of(const SlurmNodes& node, const Needed& needed) {
  Share share = {count_named(node.gres, needed.gres.front()), node.cpus, node.memory_mib,
                 node.disk_mib == 0 ? kEnough : node.disk_mib};
  for (std::size_t i = 1; i < needed.gres.size(); ++i)
    share.push_back(count_named(node.gres, needed.gres[i]));
  return share;
}

// Whether a node with these features may do; what is more than names with `&` or `|` in between says nothing.
bool may_fit(const std::optional<std::vector<std::string>>& features, std::string_view constraint) {
  const bool is_any = constraint.find('|') != constraint.npos;
  const bool is_plain = constraint.find_first_of("[]()*,!") == constraint.npos &&
                        !(is_any && constraint.find('&') != constraint.npos);
  if (!features || constraint.empty() || !is_plain) return true;
  const auto has = [&](const std::string& name) {
    return std::find(features->begin(), features->end(), trim(name)) != features->end();
  };
  const std::vector<std::string> names = split(constraint, is_any ? '|' : '&');
  return is_any ? std::any_of(names.begin(), names.end(), has) : std::all_of(names.begin(), names.end(), has);
}

bool has_all(const Share& share, const Share& needed) {
  return std::equal(share.begin(), share.end(), needed.begin(),
                    [](std::int64_t has, std::int64_t wants) { return has >= wants; });
}

// "4 of `gpu` and 64 cpus": as much of it as a job asks about.
std::string text_of(const Share& share, const Needed& needed) {
  std::vector<std::string> parts;
  const auto add_gres = [&](std::int64_t count, const std::string& name) {
    parts.push_back(count == 0 ? cat("no ", quoted(name)) : cat(count, " of ", quoted(name)));
  };
  const auto add_size = [&](std::int64_t mib, const char* of_what) {
    parts.push_back(cat(human_bytes(static_cast<std::uint64_t>(mib) << 20U), of_what));
  };
  if (needed.share[0] > 0) add_gres(share[0], needed.gres.front());
  if (needed.share[1] > 0) parts.push_back(plural(static_cast<std::uint64_t>(share[1]), "cpu"));
  if (needed.share[2] > 0) add_size(share[2], " of memory");
  if (needed.share[3] > 0 && share[3] != kEnough) add_size(share[3], " of disk");
  for (std::size_t i = kMoreGres; i < share.size(); ++i) add_gres(share[i], needed.gres[i - kMoreGres + 1]);
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

// "; features of its nodes are `a`, `b`"
std::string features_text(const std::vector<SlurmNodes>& kinds) {
  std::set<std::string> names;
  for (const SlurmNodes& each : kinds) {
    if (each.features) names.insert(each.features->begin(), each.features->end());
  }
  std::vector<std::string> shown;
  for (const std::string& name : names) shown.push_back(quoted(name));
  return shown.empty() ? "; its nodes have no features"
                       : cat("; features of its nodes are ", join(shown, ", "));
}

}  // namespace

std::vector<std::string> sinfo_words() {
  return {"sinfo", "--all", "--exact", "--noheader", "--format=%R|%D|%c|%m|%G|%d|%f"};
}

std::map<std::string, std::vector<SlurmNodes>> parse_nodes(std::string_view text) {
  std::map<std::string, std::vector<SlurmNodes>> nodes;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(trim(line), '|');
    if (fields.size() != 5 && fields.size() != 7) continue;
    const auto count = whole_number<std::int64_t>(fields[1]), cpus = whole_number<std::int64_t>(fields[2]),
               memory = whole_number<std::int64_t>(fields[3]);
    if (!count || !cpus || !memory) continue;
    SlurmNodes& alike = nodes[fields[0]].emplace_back(SlurmNodes{*count, *cpus, *memory, fields[4]});
    if (fields.size() < 7) continue;
    alike.disk_mib = whole_number<std::int64_t>(fields[5]).value_or(0);
    alike.features = fields[6] == "(null)" ? std::vector<std::string>() : split(fields[6], ',');
  }
  return nodes;
}

std::string lack_of(const std::vector<SlurmNodes>& kinds, std::int64_t nodes, const NodeNeeds& needs) {
  const Needed needed = needed_by(needs);
  const std::string with_features = needs.constraint.empty() ? "" : cat(" with ", quoted(needs.constraint));
  std::vector<Share> shares;
  std::int64_t fit = 0;
  for (const SlurmNodes& each : kinds) {
    if (!may_fit(each.features, needs.constraint)) continue;
    shares.push_back(share_of(each, needed));
    if (has_all(shares.back(), needed.share)) fit += each.count;
  }
  if (kinds.empty() || fit >= nodes) return "";
  if (shares.empty()) return cat("has no node", with_features, features_text(kinds));
  const std::string wanted = text_of(needed.share, needed);
  if (fit > 0)
    return cat("has ", plural(static_cast<std::uint64_t>(fit), "node"), with_features,
               wanted.empty() ? "" : cat(with_features.empty() ? " with " : " and ", wanted),
               ", and this one asks for ", nodes);
  return cat("has no node", with_features, with_features.empty() ? " with " : " and ", wanted,
             with_features.empty() ? "; the largest has " : "; the largest of those has ",
             text_of(largest(shares, needed.share), needed));
}

}  // namespace trainmake
