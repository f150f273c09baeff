// `trainmake update [IMAGE]`: asks anew what the bases of images stand for, pins that in TRAINFILE.lock, and
// says what changed.
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/hidden.h"
#include "engine/cli/table.h"
#include "rules/image/bases.h"

namespace trainmake {
namespace {

constexpr std::size_t kShortDigest = 12;

std::string shown(const std::optional<Sha256>& digest) {
  return digest ? digest->hex().substr(0, kShortDigest) : "new";
}

std::string as_json(const std::vector<PinnedBase>& pinned) {
  const auto digest = [](const std::optional<Sha256>& value) {
    return value ? nlohmann::ordered_json(digest_text(*value)) : nlohmann::ordered_json();
  };
  std::string text;
  for (const PinnedBase& one : pinned)
    text += nlohmann::ordered_json{{"base", one.base},
                                   {"architecture", one.architecture},
                                   {"before", digest(one.before)},
                                   {"now", digest(one.now)}}
                .dump() +
            "\n";
  return text;
}

std::string as_text(const std::vector<PinnedBase>& pinned) {
  std::vector<std::vector<std::string>> rows;
  for (const PinnedBase& one : pinned) {
    const bool same = one.before == one.now;
    rows.push_back(
        {one.base, one.architecture,
         same ? cat("as before: ", shown(one.before)) : cat(shown(one.before), " -> ", shown(one.now))});
  }
  return rows.empty()
             ? "No `base` here is an image of a registry; what a Dockerfile is built on is its builder's\n"
             : table_text(rows);
}

}  // namespace

Result<int> update_command(const Call& call) {
  Session& session = call.session;
  const bool all = session.line().words.empty();
  std::vector<Pattern> patterns = {Pattern{"", true, "*", "*"}};
  if (!all) {
    TRY_ASSIGN(patterns, session.requests(session.line().words));
  }
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, patterns));
  TRY_ASSIGN(const ImageServices services, session.image_services());
  const ImageStore store = ImageStore::of(session.host(), session.workspace());
  Places places(services);
  Bases bases(services, places, store);
  std::vector<PinnedBase> pinned;
  const EventSink quiet = [](const Event&) {};
  Bases::Errors errors = bases.pin(loaded.graph, Bases::Ask::kAll, quiet, pinned);
  std::vector<std::string> gone;
  if (all && errors.empty()) {
    TRY_ASSIGN(gone, bases.unpin_others(loaded.graph));
  }
  if (session.json())
    write_stdout(as_json(pinned));
  else if (!pinned.empty() || errors.empty())
    write_stdout(as_text(pinned));
  for (const std::string& base : gone)
    write_stderr(cat("No image is built on ", base, " any more: unpinned\n"));
  if (errors.empty()) return 0;
  std::vector<Error> told;
  for (auto& [error, label] : errors) told.push_back(std::move(error));
  return fail_with(call, std::move(told));
}

}  // namespace trainmake
