// `gc`: removes what nothing refers to. `gc --repair`: moves a damaged state database aside and begins a new
// one.
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/collect_garbage.h"
#include "engine/cli/commands.h"
#include "engine/cli/hold.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Result<int> repair(Session& session) {
  TRY_ASSIGN(const std::string aside, State::repair(session.workspace().cache));
  if (session.json())
    write_stdout(
        Json{{"repaired", !aside.empty()}, {"aside", aside.empty() ? Json() : Json(printable(aside))}}
            .dump() +
        "\n");
  else if (aside.empty())
    write_stderr("the state database is sound: nothing to repair\n");
  else
    write_stderr(cat("the damaged state database is now ", quoted(aside), "; what could be read is kept\n"));
  return 0;
}

std::string removed_text(const Removed& removed) {
  std::string text;
  const auto add = [&](std::uint64_t count, std::string_view noun) {
    if (count > 0) text += cat(text.empty() ? "" : ", ", plural(count, noun));
  };
  add(removed.results, "old result");
  add(removed.blobs, "blob");
  add(removed.layers, "image blob");
  add(removed.unpacked, "unpacked layer");
  add(removed.shared, "shared file or tree");
  if (removed.runs > 0)
    text += cat(text.empty() ? "" : ", ", "what ", plural(removed.runs, "run"), " left beside outputs");
  return text.empty()
             ? cat("nothing to remove",
                   removed.bytes > 0 ? cat(" but ", human_bytes(removed.bytes), " of leftovers") : "", "\n")
             : cat("removed ", text, "; ", human_bytes(removed.bytes), " in all\n");
}

}  // namespace

Result<int> gc_command(const Call& call) {
  Session& session = call.session;
  if (!session.line().words.empty())
    return fail(
        user_error(cat("`trainmake gc` takes no labels, got ", quoted(session.line().words.front()))));
  TRY_ASSIGN(const FileLock alone, hold_workspace(session, FileLock::Mode::kExclusive, call.stop));
  if (session.line().has("--repair")) return repair(session);
  const Space none;  // what is wrong with TRAINSPACE.lua, a run tells
  const auto space = session.space();
  TRY(session.open_state(State::Access::kWrite));
  TRY_ASSIGN(const Removed removed,
             collect_garbage({session.host(), session.workspace(), space ? **space : none, session.state(),
                              session.blobs()}));
  for (const std::string& folder : removed.busy)
    write_stderr(
        cat("somebody places files in ", quoted(folder), ": what is shared there is left for later\n"));
  if (!session.json())
    write_stderr(removed_text(removed));
  else
    write_stdout(Json{{"removed",
                       {{"blobs", removed.blobs},
                        {"layers", removed.layers},
                        {"runs", removed.runs},
                        {"unpacked", removed.unpacked},
                        {"shared", removed.shared},
                        {"bytes", removed.bytes}}}}
                     .dump() +
                 "\n");
  return 0;
}

}  // namespace trainmake
