// `data verify [--heal] LABEL...`: whether the stores of data have what we think they have, and what is not
// as it should be sent again.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/text.h"
#include "engine/cli/build.h"
#include "engine/cli/commands.h"
#include "engine/cli/hold.h"
#include "rules/data/data_places.h"
#include "rules/data/external.h"
#include "rules/data/verify.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

struct VerifiedTarget {
  Label label;
  std::string place;   // "" when it has none
  std::string digest;  // of the list of what is not ours; else ""
  Verified result;
  std::uint64_t here = 0;   // of its objects: those whose bytes are kept here, and were read
  std::string advice = {};  // where something is wrong
};

void write_verified(const Session& session, const VerifiedTarget& target) {
  const Verified& result = target.result;
  if (session.json()) {
    Json json = {{"label", target.label.text()},
                 {"store", target.place.empty() ? Json() : Json(target.place)},
                 {"ok", result.wrong.empty() && result.sending == 0},
                 {"objects", result.objects},
                 {"looked_at", result.looked_at},
                 {"bytes", result.bytes},
                 {"digest", target.digest.empty() ? Json() : Json(target.digest)},
                 {"here", target.here},
                 {"sending", result.sending},
                 {"wrong", Json::array()}};
    for (const WrongObject& wrong : result.wrong)
      json["wrong"].push_back({{"key", printable(wrong.key)}, {"what", wrong.what}});
    write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return;
  }
  const std::string shown = session.shown(target.label);
  if (target.place.empty()) {
    write_stdout(cat(shown, "  read in place\n"));
    return;
  }
  for (const WrongObject& wrong : result.wrong)
    write_stdout(cat(shown, "  ", printable(wrong.key), " ", wrong.what, "\n"));
  const std::string of =
      result.looked_at == result.objects ? "" : cat(", of which ", result.looked_at, " were looked at");
  if (result.sending > 0)
    write_stdout(cat(shown, "  somebody else sends there now: ", plural(result.sending, "object"),
                     " may be another at any moment\n"));
  write_stdout(cat(shown, "  ", result.wrong.empty() ? "fine" : cat(result.wrong.size(), " wrong"), ": ",
                   plural(result.objects, "object"), ", ", human_bytes(result.bytes), " in ", target.place,
                   of,
                   target.here == 0 ? "" : cat(", of which ", target.here, " are kept here, and were read"),
                   target.digest.empty() ? "" : cat(", digest ", target.digest), "\n"));
}

// What lies in a store and is not ours is as it is; only a pin says what it should be. What came here of it
// is what it was then.
Result<VerifiedTarget> verify_external(const Call& call, ExternalData& external, const Target& target) {
  VerifiedTarget verified{target.label, *target.find("url")->string(), "", {}};
  const std::string shown = call.session.shown(target.label);
  TRY_ASSIGN(const SharedExternalList list, external.look_again(target));
  verified.digest = digest_of_list(*list);
  verified.result.objects = verified.result.looked_at = list->size();
  for (const ExternalObject& object : *list) verified.result.bytes += object.size;
  const std::string pin = target.string_or("digest", verified.digest);
  if (pin != verified.digest) {
    if (call.session.line().has("--heal"))
      return fail(user_error(cat(quoted(shown),
                                 " is not what its `digest` says, and not "
                                 "ours to heal"),
                             cat("Write `digest = \"", verified.digest, "\"` when you trust what lies there"))
                      .at(target.place_of("digest"))
                      .because(Blame::kRemote));
    verified.result.wrong.push_back({"its list", "has another digest than the one that is pinned"});
    verified.advice = cat("Nothing there is ours to send again; write `digest = \"", verified.digest,
                          "\"` in ", quoted(shown), " when you trust what lies there");
  }
  TRY_ASSIGN(const ExternalData::Kept kept, external.check_kept(*list, call.stop));
  verified.here = kept.objects;
  for (const std::string& key : kept.damaged)
    verified.result.wrong.push_back({key, "was damaged here, and is read again when it is needed"});
  if (!kept.damaged.empty() && verified.advice.empty())
    verified.advice = cat("`trainmake ", shell_word(shown), "` reads it again");
  return verified;
}

Result<std::vector<const Target*>> data_among(const Session& session, const std::vector<Pattern>& patterns,
                                              const Graph& graph) {
  std::vector<const Target*> found;
  for (const TargetId id : graph.asked) {
    const Target& target = graph[id];
    if (target.label.kind == "data") {
      found.push_back(&target);
      continue;
    }
    const bool is_named = std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) {
      return pattern.is_label() && pattern.label() == target.label;
    });
    if (is_named)
      return fail(user_error(cat(quoted(session.shown(target.label)), " is no data"),
                             "As `trainmake data verify data:train`"));
  }
  if (found.empty())
    return fail(
        user_error("There is no data among them", "`trainmake query \"kind(data, //...)\"` lists data"));
  return found;
}

// Of all objects, as a number up to 1.
Result<double> share_of(const CommandLine& line) {
  const std::optional<std::string> text = line.value("--audit");
  if (!text) return 1;
  const bool has_sign = text->ends_with('%');
  const std::optional<double> percent = parse_number(text->substr(0, text->size() - (has_sign ? 1 : 0)));
  if (percent && *percent > 0 && *percent <= 100) return *percent / 100;
  return fail(
      user_error(cat("`--audit` takes a share of all objects, not ", quoted(*text)), "As `--audit 1%`"));
}

// Of what was last sent from here, as its tree's identity; "" when nothing was.
Result<std::string> recorded_root(Session& session, const Label& label) {
  TRY_ASSIGN(const std::optional<Record> record, session.state().last(label));
  const Artifact* tree = record ? find_role(record->artifacts, "tree") : nullptr;
  return tree == nullptr ? std::string() : tree->identity;
}

// As they were typed: the advice is the same for all of them.
std::string labels_asked_for(const CommandLine& line) {
  std::string labels;
  for (std::size_t i = 1; i < line.words.size(); ++i) labels += cat(" ", shell_word(line.words[i]));
  return labels;
}

Result<VerifiedTarget> verify_target(const Call& call, DataPlaces& places, const Target& target,
                                     const VerifyHow& how) {
  VerifiedTarget verified{target.label, "", "", {}};
  verified.advice =
      cat("`trainmake data verify --heal", labels_asked_for(call.session.line()), "` makes it so");
  TRY_ASSIGN(std::optional<StorePlace> place, places.place_of(target));
  if (!place) return verified;
  TRY_ASSIGN(const std::string root, recorded_root(call.session, target.label));
  if (place->snapshot) {
    const std::string shown = call.session.shown(target.label);
    if (root.empty())
      return fail(user_error(cat("No snapshot of ", quoted(shown), " was made from here yet"),
                             cat("`trainmake ", shell_word(shown), "` makes one")));
    place = place->of_content(root);
  }
  TRY_ASSIGN(const std::optional<FileLock> held, try_hold_step(call.session, target.label, std::nullopt));
  if (!held)
    return fail(step_error(cat("Another trainmake is at work on ", quoted(call.session.shown(target.label))),
                           "Try again when it is done")
                    .because(Blame::kBusy));
  verified.place = place->text();
  TRY_ASSIGN(const SharedLedger ledger, places.ledger_of(*place));
  const Doing doing{{},
                    call.stop,
                    [](const Event& event) {
                      if (const auto* message = std::get_if<Message>(&event))
                        write_stderr(cat(message->text, "\n"));
                    },
                    call.session.tally(),
                    {},
                    false,
                    !call.session.line().has("--no-wait")};
  TRY_ASSIGN(verified.result, verify(call.session.host(), *place, target, *ledger, how, doing));
  if (verified.result.sending > 0) {
    if (verified.result.wrong.empty())
      verified.advice = "Verify again when they are done; `--heal` waits for that";
    return verified;
  }
  if (!root.empty() && verified.result.mirror.root != root)
    verified.result.wrong.push_back(
        {"what lies there",
         "is not what was last sent from here: somebody else sent since, or a run was cut"});
  if (how.heal && !verified.result.wrong.empty()) TRY(plan_to_heal(verified.result, *ledger));
  return verified;
}

// Sends again what is wrong: what an ordinary run does with what it does not know to be there.
Result<int> heal(const Call& call, const std::vector<std::string>& labels) {
  CommandLine line = call.session.line();
  line.command = &all_commands().front();
  line.words = labels;
  TRY_ASSIGN(const std::unique_ptr<Session> session,
             Session::open(std::move(line), call.session.host().environment));
  return build(*session, session->line().words);
}

}  // namespace

Result<int> data_command(const Call& call) {
  Session& session = call.session;
  const std::vector<std::string>& words = session.line().words;
  if (words.empty() || words[0] != "verify")
    return fail(user_error(words.empty() ? std::string("`trainmake data` needs `verify`")
                                         : cat("`trainmake data` can `verify`, not ", quoted(words[0])),
                           "As `trainmake data verify data:train`"));
  const std::vector<std::string> labels(words.begin() + 1, words.end());
  if (labels.empty())
    return fail(user_error("`trainmake data verify` needs a label", "As `trainmake data verify data:train`"));
  TRY_ASSIGN(const std::vector<Pattern> patterns, session.requests(labels));
  TRY_ASSIGN(const Loaded loaded, load_or_fail(call, patterns));
  TRY_ASSIGN(const std::vector<const Target*> targets, data_among(session, patterns, loaded.graph));
  TRY_ASSIGN(const Space* space, session.space());
  TRY_ASSIGN(const double share, share_of(session.line()));
  const bool heals = session.line().has("--heal");
  std::vector<std::string> wrong;
  std::set<std::string> advice;
  {
    TRY_ASSIGN(const FileLock held, hold_workspace(session, FileLock::Mode::kShared, {call.stop}));
    TRY(session.open_state(State::Access::kLook));
    DataPlaces places({session.host(), session.workspace(), *space, session.store_rooms(), session.tally()});
    Blobs blobs(session.host().files, session.workspace().cache);
    ExternalData external(
        {session.host(), session.workspace(), *space, session.store_rooms(), session.tally()}, places, blobs);
    for (const Target* target : targets) {
      TRY_ASSIGN(const VerifiedTarget verified, lies_in_store(session.workspace(), *target)
                                                    ? verify_external(call, external, *target)
                                                    : verify_target(call, places, *target, {share, heals}));
      if (!session.json() || !heals) write_verified(session, verified);
      if (verified.result.wrong.empty() && verified.result.sending == 0) continue;
      wrong.push_back(target->label.text());
      advice.insert(verified.advice);
    }
  }
  if (wrong.empty()) return 0;
  if (heals) return heal(call, wrong);
  for (const std::string& each : session.json() ? std::set<std::string>() : advice)
    write_stderr(cat(each, "\n"));
  return exit_code_of(Blame::kStep);
}

}  // namespace trainmake
