// `repro RUN`: runs once more exactly what a run was given, whatever lies in the working tree by now, and
// says whether the same came out. A new run of the same label, and no result of it: what the label has stays.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/bring_back.h"
#include "engine/cli/commands.h"
#include "engine/cli/finish_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/live_run.h"
#include "engine/cli/run_inputs.h"
#include "engine/cli/table.h"
#include "rules/all.h"
#include "rules/image/image_rule.h"
#include "rules/job/attempt.h"
#include "rules/job/checkpoint.h"
#include "rules/job/container_layout.h"
#include "rules/job/intent.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

// Where it is run again: where it was, unless another platform is asked for.
struct Where {
  std::string name;
  Platform* platform = nullptr;
  bool is_another = false;
};

Result<Where> place_for(Session& session, const Run& original) {
  Where place{original.platform};
  if (session.line().has("--platform")) {
    TRY_ASSIGN(place.name, session.platform_name());
  }
  place.is_another = place.name != original.platform;
  if (place.is_another) {
    TRY_ASSIGN(place.platform, session.platform_named(place.name));
  } else {
    TRY_ASSIGN(place.platform, platform_of(session, original));
  }
  return place;
}

// What only a run of the label brings to a platform is not there for another's.
Result<void> check_place(Session& session, const Where& place, const Run& original, const JobSpec& spec) {
  const PlatformTraits& traits = place.platform->traits;
  if (!place.is_another) return {};
  const std::string label = shell_word(session.shown(original.label));
  if (traits.reads_stores || traits.pulls_images)
    return fail(user_error(
        cat("Run ", quoted(original.id), " was on platform ", quoted(original.platform), ", and to platform ",
            quoted(place.name), " only a run of ", quoted(session.shown(original.label)),
            " sends an image and data"),
        cat("`trainmake ", label, " --platform ", shell_word(place.name), "` runs there what is here now")));
  const Value* nodes = spec.resources.find("nodes");
  const bool many = nodes != nullptr && nodes->is_number() && *parse_number(scalar_text(*nodes)) > 1;
  if (many && traits.one_node && spec.distribution.empty())
    return fail(user_error(cat("Platform ", quoted(place.name), " is one node, and run ", quoted(original.id),
                               " had ", quoted(scalar_text(*nodes))),
                           cat("`trainmake repro ", original.id, "` runs it where it was")));
  return {};
}

// What was read in place may be another by now: then it is taken from where its content is kept.
Result<void> have_data(const Call& call, const Where& place, const Run& original, JobSpec& spec) {
  if (place.platform->traits.reads_stores) return {};
  TRY_ASSIGN(const BroughtBack back, bring_back(call.session, spec.data, call.stop));
  if (back.files > 0)
    write_stderr(cat(plural(back.files, "file"), back.files == 1 ? " is" : " are", " not what run ",
                     original.id, " read any more: that content is taken from the cache and its stores\n"));
  // Another platform may have a copy of its own, and tells when it has not.
  if (back.gone.empty() || !place.platform->traits.reads_in_place) return {};
  const std::size_t others = back.gone.size() - 1;
  std::string message =
      cat(quoted(back.gone.front()), others == 0 ? std::string() : cat(" and ", plural(others, "other file")),
          others == 0 ? " is" : " are", " not what run ", quoted(original.id),
          " read, and that is not in the cache");
  for (const std::string& store : back.stores) message += cat(", nor in store ", quoted(store));
  if (!back.trouble.empty()) message += cat(": ", back.trouble);
  return fail(
      step_error(std::move(message),
                 "Bring it back, and ask again; `snapshot = true` of data that has a store keeps each "
                 "content there"));
}

Result<void> check_code(Session& session, const Run& original, const JobSpec& spec) {
  std::size_t gone = 0;
  const auto count = [&](const Listing& files) -> Result<void> {
    for (const ListedFile& file : files) {
      if (!file.source.empty() || !file.link_target.empty() || is_folder(file.key)) continue;
      TRY_ASSIGN(const bool there, session.blobs().has(file.sha256));
      gone += there ? 0 : 1;
    }
    return {};
  };
  if (spec.code) TRY(count(*spec.code));
  for (const GivenTree& tree : spec.data) TRY(count(*tree.files));
  if (gone == 0) return {};
  return fail(
      step_error(cat(plural(gone, "file"), " that run ", quoted(original.id), " was given ",
                     gone == 1 ? "is" : "are", " not in the cache any more"),
                 "`trainmake gc` keeps what results need that labels have; a copy of the cache may have "
                 "it, see `trainmake help cache`"));
}

// It begins with the very same, or not at all.
Result<void> check_checkpoint(Session& session, const Run& original, const JobSpec& spec) {
  if (!spec.resumed) return {};
  TRY_ASSIGN(const bool whole, is_whole(session.host().files, session.blobs(), *spec.resumed));
  if (whole) return {};
  return fail(step_error(cat("The checkpoint of run ", quoted(spec.resumed->run), ", from which run ",
                             quoted(original.id), " went on, is no longer in the cache, or damaged"),
                         cat("A copy of the cache may have it, see `trainmake help cache`; `trainmake ",
                             asked_again(session, original), " --force` runs what is there now")));
}

struct Repeat {
  Run run;
  bool is_new = true;
};

// A repetition that goes on is taken up.
Result<Repeat> begin(Session& session, const JobServices& services, const JobPlan& plan,
                     const Run& original) {
  TRY_ASSIGN(const std::vector<Run> in_flight, session.state().in_flight());
  for (const Run& run : in_flight) {
    if (run.repeats == original.id && run.platform == services.platform_name) return Repeat{run, false};
  }
  Run run;
  run.repeats = original.id;
  run.label = original.label;
  run.fingerprint = original.fingerprint;
  run.manifest = original.manifest;
  TRY_ASSIGN(run, make_intent(services, plan, applicant_of(plan.spec), std::move(run)));
  return Repeat{std::move(run)};
}

struct Comparison {
  Json metrics = Json::object(), outputs = Json::object();  // name → {from, to}, of what is another

  bool same() const { return metrics.empty() && outputs.empty(); }
};

template <typename Key>
void compare(const std::map<Key, Json>& from, const std::map<Key, Json>& to, Json& into) {
  for (const auto& [name, value] : from) {
    const auto now = to.find(name);
    const Json is = now == to.end() ? Json() : now->second;
    if (is.dump() != value.dump()) into[name] = {{"from", value}, {"to", is}};  // not a number is itself
  }
  for (const auto& [name, value] : to) {
    if (!from.contains(name)) into[name] = {{"from", Json()}, {"to", value}};
  }
}

Comparison comparison_of(const Run& original, const Run& repeat) {
  const auto metrics = [](const Run& run) {
    return std::map<std::string, Json>(run.metrics.begin(), run.metrics.end());
  };
  const auto outputs = [](const Run& run) {
    std::map<std::string, Json> digests;
    for (const RunOutput& output : run.outputs) digests[output.name] = output.sha256;
    return digests;
  };
  Comparison comparison;
  compare(metrics(original), metrics(repeat), comparison.metrics);
  compare(outputs(original), outputs(repeat), comparison.outputs);
  return comparison;
}

std::string comparison_text(const Run& original, const Run& repeat, const Comparison& comparison) {
  const bool is_elsewhere = repeat.platform != original.platform;
  const std::string head =
      cat("run ", repeat.id, is_elsewhere ? cat(" on ", quoted(repeat.platform)) : "", " repeats ",
          original.id, is_elsewhere ? cat(" on ", quoted(original.platform)) : "", ": ");
  if (comparison.same())
    return cat(head, original.outputs.empty() ? "the same metrics\n" : "the same outputs, byte for byte\n");
  const auto text = [](const Json& value) {
    const std::string told = value.is_string() ? value.get<std::string>().substr(0, 12) : value.dump();
    return value.is_null() ? std::string("nothing") : told;
  };
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, change] : comparison.metrics.items())
    rows.push_back({"metric", printable(name), cat(text(change["from"]), " → ", text(change["to"]))});
  for (const auto& [name, change] : comparison.outputs.items())
    rows.push_back({"output", printable(name), cat(text(change["from"]), " → ", text(change["to"]))});
  return cat(head, "not the same came out\n", table_text(rows));
}

void tell(const Session& session, const Run& original, const Run& repeat) {
  const Comparison comparison = comparison_of(original, repeat);
  if (!session.json()) {
    write_stdout(comparison_text(original, repeat, comparison));
    return;
  }
  write_stdout(Json{{"event", "repeated"},
                    {"run", repeat.id},
                    {"reproduces", original.id},
                    {"label", repeat.label.text()},
                    {"status", name_of(repeat.status)},
                    {"platform", repeat.platform},
                    {"original_platform", original.platform},
                    {"same", comparison.same()},
                    {"metrics", comparison.metrics},
                    {"outputs", comparison.outputs}}
                   .dump(-1, ' ', false, Json::error_handler_t::replace) +
               "\n");
}

// Under another contract it would be told other things. Another platform may see to containers as it does.
Result<void> check_contract(Session& session, const Where& place, const Run& original) {
  const std::string given = contract_given_to(original), now = place.platform->traits.contract.version;
  const ContractTold then = told_by(given), told = told_by(now);
  if (given.empty() || given == now || (place.is_another && then.itself == told.itself)) return {};
  std::string hint = cat("`trainmake ", repeated(session, original, place.name), "` repeats it so");
  const bool is_asked_for = then.name == told.name && then.variant == told.variant &&
                            (then.in_container == told.in_container || place.is_another);
  TRY_ASSIGN(const Space* space, session.space());
  const bool is_declared = space->find("contract", then.name) != nullptr;
  if (is_asked_for)
    hint = is_declared
               ? std::string("It is declared as another by now: declare it in TRAINSPACE.lua as it was")
               : cat("What it says is another by now; `trainmake ", asked_again(session, original),
                     " --force` runs what is here now");
  return fail(user_error(cat("Run ", quoted(original.id), " was one of contract ", quoted(given),
                             ", and platform ", quoted(place.name), " has ", quoted(now)),
                         std::move(hint)));
}

// Where the platform runs images itself: the very one that the run had, whatever its target makes by now.
Result<void> have_image(const Call& call, const Platform& platform, const Run& original, JobSpec& spec) {
  if (!platform.traits.runs_images) return {};
  Session& session = call.session;
  TRY_ASSIGN(const std::vector<RunInputs> inputs, inputs_of(session.state(), {&original}));
  if (inputs.front().images.empty()) {
    return fail(step_error(cat("The image of run ", quoted(original.id), " is not known any more"),
                           "`trainmake gc` keeps the latest results of each image; a copy of the cache may "
                           "have it, see `trainmake help cache`"));
  }
  TRY_ASSIGN(const ImageServices services, session.image_services());
  ImageRule images(services);
  const UnpackImage unpack = image_unpacker(images, session.host(), session.workspace(), platform);
  TRY_ASSIGN(spec.root,
             unpack(
                 inputs.front().images.front().artifacts, is_accelerated(platform.traits, spec.resources),
                 [] { write_stderr("unpacking its image\n"); }, call.stop));
  return {};
}

std::string repeats_text(const Where& place, const Run& repeat, const Run& original) {
  const std::string text = cat("Run ", repeat.id, " repeats ", original.id);
  return place.is_another
             ? cat(text, " on platform ", quoted(place.name), "; that one was on ", quoted(original.platform))
             : text;
}

Result<int> run_again(const Call& call, const Where& place, const Run& original, JobSpec spec) {
  Session& session = call.session;
  Platform& platform = *place.platform;
  TRY_ASSIGN(const Space* space, session.space());
  if (!platform.traits.reads_stores) {
    for (GivenTree& tree : spec.data) tree.store.clear(), tree.mark.clear();
  }
  JobPlan plan;
  plan.spec = std::move(spec);
  plan.shortest = session.shown(original.label);
  plan.params_json = original.params_json;
  plan.provenance_json = provenance_of_repeat(
      original, plan.spec, {platform.traits.contract, nullptr, "", place.name, TRAINMAKE_VERSION});
  JobServices services{session.host(),    session.workspace(), *space,   place.name,       session.blobs(),
                       session.digests(), session.state(),     platform, TRAINMAKE_VERSION};
  services.is_as_marked =
      mark_checker(session.host(), session.workspace(), *space, session.tally(), place.name);
  TRY_ASSIGN(const Repeat repeat, begin(session, services, plan, original));
  plan.spec.checkpoint = own_checkpoint(repeat.run.id);  // it begins where the original began
  plan.provenance_json = repeat.run.provenance_json;
  const std::unique_ptr<Reporter> reporter =
      session.json() ? make_json_reporter() : make_plain_reporter(session.here());
  const Doing doing{original.fingerprint, call.stop, [&](const Event& event) { reporter->event(event); },
                    session.tally(), [](const std::function<void()>& work) { work(); }};
  reporter->event(Message{original.label, repeats_text(place, repeat.run, original)});
  Attempt attempt(services, plan, doing, metrics_declared_of(original), plan.spec.data, repeat.run);
  TRY(attempt.hand_over(repeat.is_new));
  TRY_ASSIGN(const bool over, attempt.watch());
  if (!over) {
    write_stderr(cat("left running; `trainmake attach ", repeat.run.id,
                     "` comes back to it, `trainmake cancel ", repeat.run.id, "` ends it\n"));
    return exit_code_of(Blame::kInterrupted);
  }
  TRY(attempt.conclude());
  if (attempt.run().status != RunStatus::kSucceeded) return fail(attempt.failure());
  tell(session, original, attempt.run());
  return 0;
}

}  // namespace

Result<int> repro_command(const Call& call) {
  Session& session = call.session;
  if (session.line().words.size() != 1)
    return fail(user_error(cat("`trainmake repro` needs one run or label, got ", session.line().words.size()),
                           "`trainmake runs` lists runs"));
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const Run original, find_settled_run(session, session.line().words.front(), call.stop));
  if (!is_over(original.status))
    return fail(user_error(cat("Run ", quoted(original.id), " goes on, and is compared when it has ended"),
                           cat("`trainmake attach ", original.id, "` follows it to its end")));
  Listings listings(session.blobs());
  TRY_ASSIGN(JobSpec spec, spec_given_to(listings, original));
  TRY_ASSIGN(const Where place, place_for(session, original));
  TRY(check_place(session, place, original, spec));
  TRY(check_contract(session, place, original));
  TRY(check_checkpoint(session, original, spec));
  TRY(check_code(session, original, spec));
  TRY_ASSIGN(const FileLock workspace, hold_workspace(session, FileLock::Mode::kShared, call.stop));
  TRY_ASSIGN(const std::optional<FileLock> step, try_hold_run(session, original));
  if (!step) {
    return fail(user_error(cat("Another trainmake is at ", quoted(session.shown(original.label))),
                           "Ask again when it is done")
                    .because(Blame::kBusy));
  }
  TRY(session.open_state(State::Access::kWrite));
  TRY(have_data(call, place, original, spec));
  TRY(have_image(call, *place.platform, original, spec));
  return run_again(call, place, original, std::move(spec));
}

}  // namespace trainmake
