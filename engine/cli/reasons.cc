#include "engine/cli/reasons.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/model/label.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Json reason_json(const Reason& reason) {
  return {{"kind", name_of(reason.kind)},
          {"section", reason.section ? Json(name_of(*reason.section)) : Json()},
          {"name", reason.name.empty() ? Json() : Json(printable(reason.name))}};
}

// Of an image of which the code alone was gathered: nothing else of it was looked at.
bool is_made(const Reason& reason) { return reason.section == Section::kAttr && reason.name == "made"; }

// Of data that was read where it lies, and goes to a store now, or the other way around.
bool is_of_store(const Reason& reason, std::string_view name) {
  return reason.section == Section::kAttr && reason.name == name &&
         (reason.kind == ReasonKind::kInputAdded || reason.kind == ReasonKind::kInputRemoved);
}

// Some are of no attribute that a TRAINFILE has.
std::string shown_name(const Reason& reason, std::string_view here) {
  if (reason.section == Section::kAttr && reason.name == "code.folder") return "where its code lies";
  if (reason.section == Section::kAttr && reason.name == "compression") return "how its layers are packed";
  if (reason.section != Section::kUpstream) return quoted(reason.name);
  const Result<Label> label = parse_label(reason.name, "");
  return quoted(label ? label->shortest_from(here) : reason.name);
}

}  // namespace

Json reasons_json(const std::vector<Reason>& reasons) {
  Json list = Json::array();
  for (const Reason& reason : reasons) list.push_back(reason_json(reason));
  return list;
}

std::string reason_text(const Reason& reason, std::string_view here) {
  const std::string name = shown_name(reason, here);
  if (is_made(reason))
    return reason.kind == ReasonKind::kInputRemoved ? "its code alone was gathered, for a try on this machine"
                                                    : "its code alone is needed";
  if (is_of_store(reason, "store"))
    return reason.kind == ReasonKind::kInputAdded ? "it goes to a store, and was read where it lies"
                                                  : "it is read where it lies, and went to a store";
  switch (reason.kind) {
    case ReasonKind::kNeverBuilt:
      return "it has no result yet";
    case ReasonKind::kOutputMissing:
      return "what it left is not there any more";
    case ReasonKind::kInputChanged:
      return cat(name, " changed");
    case ReasonKind::kInputAdded:
      return cat(name, " is new");
    case ReasonKind::kInputRemoved:
      return cat(name, " is gone");
    case ReasonKind::kUpstreamChanged:
      return cat(name, " changed, or will");
    case ReasonKind::kForced:
      return "asked for with --force";
    case ReasonKind::kFailedBefore:
      return "failed before, and nothing that its result depends on changed since; `--retry` tries again";
  }
  return "";
}

std::vector<Reason> telling(std::vector<Reason> reasons) {
  const auto is_summary = [](const Reason& reason) {
    return reason.section == Section::kAttr && reason.name == "keys";
  };
  if (const auto made = std::find_if(reasons.begin(), reasons.end(), is_made); made != reasons.end())
    return {*made};
  if (std::any_of(reasons.begin(), reasons.end(),
                  [](const Reason& each) { return is_of_store(each, "store"); }))
    std::erase_if(reasons, [](const Reason& each) {
      return is_of_store(each, "prefix") || is_of_store(each, "prune");
    });
  if (std::any_of(reasons.begin(), reasons.end(), [&](const Reason& reason) { return !is_summary(reason); }))
    std::erase_if(reasons, is_summary);
  return reasons;
}

}  // namespace trainmake
