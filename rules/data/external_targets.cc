#include "rules/data/external_targets.h"

#include <map>
#include <mutex>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kListedAtOnce = 8;  // targets

}  // namespace

// What lies in a store is another thing as soon as somebody else changes it.
void ExternalTargets::settle(const Graph& graph, const EventSink& events) {
  std::map<std::string, std::vector<const Target*>> by_url;  // one list tells all of them
  for (const Target& target : graph.targets) {
    const bool is_ours = target.label.kind != "data" || !lies_in_store(services_.workspace, target);
    if (!is_ours && target.find("digest") == nullptr && check_external(target))
      by_url[*target.find("url")->string()].push_back(&target);
  }
  std::vector<const std::vector<const Target*>*> asked;
  for (const auto& [url, targets] : by_url) asked.push_back(&targets);
  std::mutex mutex;
  (void)at_once(asked.size(), kListedAtOnce, [&](std::size_t i) -> Result<void> {
    const Target& first = *asked[i]->front();
    events(Progress{first.label, "listing", 0, 0, false});
    const Result<SharedExternalList> list = external_.look_again(first);
    const std::lock_guard lock(mutex);
    if (!list) failed_.insert_or_assign(*first.find("url")->string(), Error(list.error()));
    return {};
  });
}

Result<Description> ExternalTargets::describe(const Target& target) {
  const std::string& url = *target.find("url")->string();
  const std::string pin = target.string_or("digest", "");
  TRY_ASSIGN(SharedExternalList list, external_.known(target));
  const bool has_failed = failed_.contains(url);
  if (has_failed) list = nullptr;
  if (list && !pin.empty() && digest_of_list(*list) != pin) list = nullptr;
  Description description;
  Manifest& manifest = description.manifest;
  const auto listing =
      std::make_shared<const Listing>(list ? listing_of(*list, target.string_or("dest", "")) : Listing());
  if (!pin.empty())
    manifest.add(Section::kData, url, cat("sha256:", pin));
  else if (list)
    for (std::size_t i = 0; i < list->size(); ++i)
      manifest.add(Section::kData, (*list)[i].key, (*listing)[i].content);
  else if (!has_failed)
    description.notes.push_back(cat("What lies in ", quoted(url), " was never asked for: a run asks"));
  description.certain = list != nullptr || !pin.empty();
  for (const char* name : {"url", "dest"}) {
    if (const Value* value = target.find(name)) manifest.add(Section::kAttr, name, digest_of(*value));
  }
  const Service service = service_at(services_.space, url);
  if (const std::string* endpoint = service.text("endpoint"))
    manifest.add(Section::kAttr, "store", *endpoint);
  manifest.seal();
  if (list) {
    description.predicted = {{"tree", tree_identity(*listing, false).hex(), "", bytes_of(*listing), ""}};
    description.carry = SharedListing(listing);
  }
  description.looks.asked = pin.empty();
  return description;
}

Result<Done> ExternalTargets::execute(const Target& target, const Doing& doing) {
  if (const auto failed = failed_.find(*target.find("url")->string()); failed != failed_.end())
    return fail(Error(failed->second).at(target.place_of("url")));
  const bool is_pinned = target.find("digest") != nullptr;
  TRY_ASSIGN(SharedExternalList list, is_pinned ? external_.pinned(target) : external_.known(target));
  CHECK(list != nullptr);
  if (!services_.jobs_read_stores) {
    TRY_ASSIGN(list, external_.bring_here(target, list, doing));
  }
  const Listing listing = listing_of(*list, target.string_or("dest", ""));
  TRY_ASSIGN(const Sha256 tree, services_.blobs.put(encode(listing)));
  const std::uint64_t bytes = bytes_of(listing);
  const std::string& url = *target.find("url")->string();
  Done done;
  done.artifacts = {
      {"tree", tree_identity(listing, false).hex(), tree.hex(), bytes, cat("blob:", tree.hex())},
      {"store", url, "", 0, cat("store:", url)}};
  done.note = cat(plural(listing.size(), "object"), ", ", human_bytes(bytes), " in ", url);
  return done;
}

Result<bool> ExternalTargets::holds(const Target& target) {
  if (services_.jobs_read_stores) return true;
  TRY_ASSIGN(const SharedExternalList list, external_.known(target));
  return list ? external_.is_here(*list) : Result<bool>(false);
}

}  // namespace trainmake
