#include "rules/job/job_rule.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/model/secrets_untold.h"
#include "rules/job/contract.h"
#include "rules/job/entry.h"
#include "rules/job/job_schema.h"
#include "rules/job/outputs.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

void add_attributes(const Target& target, Manifest& manifest) {
  for (const char* attribute : {"args", "params"}) {
    for (const auto& [name, value] : target.fields(attribute))
      manifest.add(Section::kAttr, cat(attribute, ".", name), digest_of(value));
  }
  // They are text to whoever reads them: 1 and "1" are the same.
  for (const auto& [name, value] : target.fields("env"))
    manifest.add(Section::kAttr, cat("env.", name), scalar_text(value));
  const Value* resources = target.find("resources");
  for (const auto& [name, otherwise] : kCountedResources) {
    Value value;
    value.data = otherwise;
    const Value* said =
        resources != nullptr && resources->table() != nullptr ? resources->table()->find(name) : nullptr;
    manifest.add(Section::kAttr, cat("resources.", name), digest_of(said != nullptr ? *said : value));
  }
  if (const Value* distribution = target.find("distribution"))
    manifest.add(Section::kAttr, "distribution", digest_of(*distribution));
}

void add_upstream(const Subject& subject, Description& description) {
  struct Use {
    std::string channel;
    std::optional<Digest128> identity;
    auto operator<=>(const Use&) const = default;
  };
  std::map<std::string, std::vector<Use>> uses;
  for (const Dependency& need : subject.target().needs) {
    const std::optional<Digest128> identity = identity_of(subject, need);
    if (!identity) description.certain = false;
    uses[subject.graph[need.target].label.text()].push_back({need.channel, identity});
  }
  for (auto& [label, of_label] : uses) {
    std::sort(of_label.begin(), of_label.end());
    Hasher hasher;
    for (const auto& [channel, identity] : of_label) {
      hasher.field(channel).number(identity ? 1 : 0);
      if (identity) hasher.number(identity->high).number(identity->low);
    }
    description.manifest.add(Section::kUpstream, label, hasher.finish());
  }
}

// One that never started, or read data that changed, says nothing about a next one.
bool has_failed(const Run& run) {
  return run.status == RunStatus::kFailed && run.started_ns != 0 && run.reusable;
}

// How often it was tried in vain, by its runs, the newest first. Tries that somebody else began count:
// whoever looks may remember how they ended.
int failed_in_a_row(const std::vector<Run>& runs) {
  auto run = std::find_if(runs.begin(), runs.end(), [](const Run& each) { return is_over(each.status); });
  int count = 0;
  for (; run != runs.end() && has_failed(*run); ++run) ++count;
  return count;
}

// Of one round of tries: when `retries` of them were in vain too, somebody asks for the next round.
int failed_of_round(const std::vector<Run>& runs, int retries) {
  return failed_in_a_row(runs) % (retries + 1);
}

int retries_of(const Target& target) {
  const Value* retries = target.find("retries");
  return retries == nullptr ? 0 : static_cast<int>(std::clamp<std::int64_t>(*retries->integer(), 0, 1000));
}

// What no platform does yet is told, not passed over: a check that never runs must not look like one that
// passed.
Result<void> check_supported(const Target& target, const PlatformTraits& traits) {
  if (target.find("preflight") != nullptr) {
    return fail(user_error("`preflight` is not done yet, by any platform", "Leave it out")
                    .at(target.place_of("preflight")));
  }
  const Value* resources = target.find("resources");
  const Value* nodes = resources != nullptr ? resources->table()->find("nodes") : nullptr;
  const bool many = nodes != nullptr && nodes->is_number() && *parse_number(scalar_text(*nodes)) > 1;
  if (many && traits.one_node) {
    return fail(
        user_error(cat("This platform is one node, and ", quoted(scalar_text(*nodes)), " were asked for"),
                   "Choose another one with `--platform`, or `nodes = 1`")
            .at(target.place_of("resources")));
  }
  return {};
}

// Without the secrets that are too short to be refused in them.
Fields redacted(Fields params, const Redactor& redactor) {
  const auto redact = [&](Value& value) {
    if (!value.is_scalar()) return;
    const std::string text = scalar_text(value);
    if (std::string told = redactor.redact(text); told != text) value.data = std::move(told);
  };
  for (auto& [name, value] : params) {
    redact(value);
    auto* list = std::get_if<Table>(&value.data);
    if (list != nullptr) std::for_each(list->items.begin(), list->items.end(), redact);
  }
  return params;
}

// The code target behind the image, for a hint.
std::string code_label(const Subject& subject, const std::string& here) {
  const TargetId image = image_of(subject.target())->target;
  const std::vector<TargetId> code = code_targets(subject.graph, image);
  return subject.graph[code.empty() ? image : code.front()].label.shortest_from(here);
}

// Where a data target was sent; "" when it was not.
std::string store_of(const Subject& subject, const Dependency& need) {
  const Artifacts* artifacts = subject.inputs.artifacts(need.target);
  const Artifact* store = artifacts == nullptr ? nullptr : find_role(*artifacts, "store");
  return store == nullptr ? "" : store->address;
}

Error gone(const std::string& label) {
  return step_error(cat("The list of files of ", quoted(label), " is no longer in the cache, or damaged"),
                    cat("`trainmake ", shell_word(label), " --force` makes it again"));
}

}  // namespace

JobRule::JobRule(JobServices services) : services_(std::move(services)), listings_(services_.blobs) {}

const Schema& JobRule::schema() const { return job_schema(); }

Result<Description> JobRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  TRY(check_supported(target, services_.platform.traits));
  TRY(check_secrets_untold(services_.host.environment, target));
  TRY_ASSIGN(const Entry entry, entry_of(listings_, services_, subject, Files::kForeseen));
  TRY(check_data(subject));

  Description description;
  Manifest& manifest = description.manifest;
  add_attributes(target, manifest);
  for (const auto& [name, path] : declared_outputs(target))
    manifest.add(Section::kAttr, cat("outputs.", name), path);
  const Value* command = target.find("command");
  if (command != nullptr) manifest.add(Section::kAttr, "command", digest_of(*command));
  if (!entry.main.empty()) manifest.add(Section::kAttr, "main", cat("=", entry.main));
  add_upstream(subject, description);
  manifest.add(Section::kPlatform, "platform",
               Hasher().field(services_.platform_name).field(services_.platform.traits.contract).finish());
  manifest.seal();
  description.work.jobs = 1;
  return description;
}

// Looks at the lists of files only when there are two of them, and at the same ones only once.
Result<void> JobRule::check_data(const Subject& subject) {
  const std::vector<const Dependency*> uses = data_of(subject.target());
  if (uses.size() < 2) return {};
  Hasher hasher;
  bool all_known = true;
  std::vector<GivenTree> trees;
  for (const Dependency* need : uses) {
    const std::optional<Digest128> identity = identity_of(subject, *need);
    all_known = all_known && identity;
    if (!identity) continue;
    hasher.field(subject.graph[need->target].label.text())
        .field(need->channel)
        .number(identity->high)
        .number(identity->low);
  }
  const Digest128 combination = hasher.finish();
  {
    std::lock_guard lock(mutex_);
    if (checked_.contains(combination)) return {};
  }
  for (const Dependency* need : uses) {
    TRY_ASSIGN(std::optional<GivenTree> tree, tree_of(listings_, subject, *need, Files::kForeseen));
    if (tree) trees.push_back(std::move(*tree));
  }
  if (auto apart = check_paths(trees, services_.workspace.here); !apart)
    return fail(std::move(apart).error().at(subject.target().place_of("data")));
  if (!all_known || trees.size() != uses.size()) return {};
  std::lock_guard lock(mutex_);
  checked_.insert(combination);
  return {};
}

Result<JobPlan> JobRule::plan_of(const Subject& subject) {
  const Target& target = subject.target();
  const std::string& here = services_.workspace.here;
  JobPlan plan;
  plan.shortest = label_here(target);
  plan.secrets_at = target.place_of("secrets");
  JobSpec& spec = plan.spec;
  spec.label = target.label.text();
  const Artifacts* image = subject.inputs.artifacts(image_of(target)->target);
  CHECK(image != nullptr);
  if (const Artifact* artifact = find_role(*image, "image")) spec.image = artifact->identity;
  TRY_ASSIGN(const Entry entry, entry_of(listings_, services_, subject, Files::kKept));
  const Artifact* code = find_role(*image, "code");
  if (code != nullptr && !code->sha256.empty() && !entry.code) return fail(gone(code_label(subject, here)));
  if (!entry.main.empty() && !entry.starter) {
    if (!entry.code)
      return fail(user_error(cat("Image of ", quoted(plan.shortest), " has no code to find ",
                                 quoted(entry.main), " in"))
                      .at(target.place_of("main")));
    return fail(gone(code_label(subject, here)));
  }
  spec.code = entry.code;
  spec.main = entry.main;
  spec.starter = entry.starter.value_or(Starter{});
  if (const Value* command = target.find("command")) spec.command = command->table()->items;
  spec.args = target.fields("args");
  spec.params = target.fields("params");
  for (const auto& [name, value] : target.fields("env")) spec.environment[name] = scalar_text(value);
  spec.secrets = target.strings("secrets");
  for (const Dependency* need : data_of(target)) {
    TRY_ASSIGN(std::optional<GivenTree> tree, tree_of(listings_, subject, *need, Files::kKept));
    if (!tree) return fail(gone(subject.graph[need->target].label.shortest_from(here)));
    if (services_.platform.traits.reads_stores) tree->store = store_of(subject, *need);
    spec.data.push_back(std::move(*tree));
  }
  spec.outputs = declared_outputs(target);
  if (const Value* resources = target.find("resources")) spec.resources = *resources->table();
  if (const Value* distribution = target.find("distribution")) spec.distribution = *distribution->table();
  if (const Value* timeout = target.find("timeout")) spec.timeout_s = seconds_of(*timeout).value_or(0);
  plan.retries = retries_of(target);
  const Redactor redactor = redactor_of(services_.host.environment, spec.secrets);
  plan.params_json = params_json(redacted(spec.params, redactor), Folders{});
  plan.provenance_json =
      provenance_.json_of(spec, redactor,
                          {target.find("metrics"), services_.workspace.path(target.label.folder),
                           services_.platform_name, services_.platform.traits.contract, services_.version});
  return plan;
}

struct JobRule::Choice {
  enum class What : std::uint8_t { kTake, kAdopt, kStart } what = What::kStart;
  Run run;
};

// On the owner's thread. A run that is to be started is remembered as an intent before anything is asked of
// the platform.
Result<JobRule::Choice> JobRule::choose(const Subject& subject, const Description& description,
                                        const JobPlan& plan, bool afresh) {
  const Label& label = subject.target().label;
  const Fingerprint fingerprint = description.manifest.fingerprint();
  TRY_ASSIGN(const std::vector<Run> runs, services_.runs.of(label, fingerprint));
  const auto unfinished =
      std::find_if(runs.begin(), runs.end(), [](const Run& run) { return !is_over(run.status); });
  if (unfinished != runs.end()) return Choice{Choice::What::kAdopt, *unfinished};
  if (!afresh && !runs.empty() && runs.front().status == RunStatus::kSucceeded && runs.front().reusable) {
    // Its record was not written, or it would not have come to this; or what it left is gone.
    std::vector<std::pair<std::string, Stat>> looked_at;
    TRY_ASSIGN(const bool kept, are_kept(services_.host.files, services_.blobs,
                                         artifacts_of(runs.front().outputs), looked_at));
    if (kept) return Choice{Choice::What::kTake, runs.front()};
  }
  // Before there is an intent: this is nothing that another try heals.
  if (auto secrets = secrets_of(services_.host.environment, plan.spec.secrets, plan.shortest); !secrets)
    return fail(std::move(secrets).error().at(plan.secrets_at));
  Run run;
  for (const Run& earlier : runs) run.attempt = std::max(run.attempt, earlier.attempt + 1);
  run.label = label;
  run.fingerprint = fingerprint;
  run.id = run_id_of(label, fingerprint, run.attempt);
  run.key = cat("trainmake-", run.id);
  run.platform = services_.platform_name;
  run.created_ns = services_.host.clock.now_ns();
  run.params_json = plan.params_json;
  run.provenance_json = plan.provenance_json;
  run.manifest = description.manifest;
  TRY(services_.runs.put(run));
  return Choice{Choice::What::kStart, std::move(run)};
}

// A job would read whatever lies in the store by then.
Result<void> JobRule::check_stored(const Subject& subject, const JobPlan& plan) {
  for (const GivenTree& tree : plan.spec.data) {
    if (tree.store.empty() || !services_.check_stored) continue;
    const std::optional<TargetId> data = subject.graph.find(*parse_label(tree.label, ""));
    TRY(services_.check_stored(subject.graph[*data], tree.identity));
  }
  return {};
}

Result<Done> JobRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  CHECK(description.certain);
  TRY_ASSIGN(JobPlan plan, plan_of(subject));
  TRY(check_stored(subject, plan));
  plan.spec.checkpoint = Hasher()
                             .field(plan.spec.label)
                             .number(doing.fingerprint.high)
                             .number(doing.fingerprint.low)
                             .finish()
                             .hex();
  bool afresh = doing.afresh;
  std::optional<Result<std::vector<Run>>> earlier;
  doing.on_owner([&] { earlier = services_.runs.of(subject.target().label, doing.fingerprint); });
  if (!*earlier) return fail(std::move(*earlier).error());
  int failures = afresh ? 0 : failed_of_round(**earlier, plan.retries);
  while (true) {
    std::optional<Result<Choice>> chosen;
    doing.on_owner([&] { chosen = choose(subject, description, plan, afresh); });
    TRY_ASSIGN(Choice choice, std::move(*chosen));
    if (choice.what == Choice::What::kTake)
      return Done{artifacts_of(choice.run.outputs), "had succeeded already", false, choice.run.id};
    const bool is_new = choice.what == Choice::What::kStart;
    std::optional<std::vector<GivenTree>> given = plan.spec.data;
    if (!is_new) {
      TRY_ASSIGN(given, data_given_to(listings_, choice.run));
    }
    Attempt attempt(services_, plan, doing, Metrics::of(subject.target().find("metrics")), std::move(given),
                    std::move(choice.run));
    TRY(attempt.hand_over(is_new));
    TRY_ASSIGN(const bool over, attempt.watch());
    if (!over) {
      doing.events(
          Message{subject.target().label,
                  cat("Left running; `trainmake attach ", shell_word(plan.shortest),
                      "` comes back to it, `trainmake cancel ", shell_word(plan.shortest), "` ends it")});
      return Done{{}, cat("run ", attempt.run().id), true, attempt.run().id};
    }
    TRY(attempt.conclude());
    // Asked for anew: one that had ended by then is not that.
    if (doing.afresh && attempt.had_ended()) continue;
    const Run& run = attempt.run();
    if (run.status == RunStatus::kSucceeded && run.reusable)
      return Done{artifacts_of(run.outputs), attempt.success(), false, run.id};
    const bool lost_before = run.status == RunStatus::kLost && !is_new;
    const bool once_more = run.status == RunStatus::kFailed && failures++ < plan.retries;
    if ((!lost_before && !once_more) || doing.stop.stop_requested())
      return fail(attempt.failure().at(subject.target().where));
    doing.events(Message{
        subject.target().label,
        lost_before ? cat("Run ", run.id, " was lost: starting again")
                    : cat("Failed (", run.reason, "): trying again, ", failures, " of ", plan.retries)});
    afresh = true;
  }
}

Result<bool> JobRule::holds(const Subject& subject, const Record& record, bool current, Looks& looks) {
  (void)subject, (void)current;
  std::vector<std::pair<std::string, Stat>> looked_at;
  TRY_ASSIGN(const bool kept, are_kept(services_.host.files, services_.blobs, record.artifacts, looked_at));
  for (auto& [path, stat] : looked_at)
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat, std::nullopt});
  if (!kept || record.run.empty()) return kept;
  TRY_ASSIGN(const std::optional<Run> run, services_.runs.get(record.run));
  return !run || run->reusable;
}

Result<std::optional<Error>> JobRule::failed_before(const Subject& subject, const Description& description) {
  const Target& target = subject.target();
  TRY_ASSIGN(const std::vector<Run> runs,
             services_.runs.of(target.label, description.manifest.fingerprint()));
  if (runs.empty()) return std::optional<Error>();
  const Run& run = runs.front();
  const bool failed = has_failed(run) && failed_of_round(runs, retries_of(target)) == 0;
  if (!failed && run.status != RunStatus::kCancelled) return std::optional<Error>();
  const Redactor redactor = redactor_of(services_.host.environment, target.strings("secrets"));
  constexpr std::size_t kTail = 8U << 10U;
  LastLines last_lines;
  LogLines lines;
  const auto keep = [&](std::string_view line) { last_lines.add(redactor.redact(line)); };
  if (const auto tail = end_of_log(services_.platform, run, kTail)) {
    lines.add(*tail, keep);
    lines.finish(keep);
  }
  return std::optional<Error>(failure_of(run, label_here(target), last_lines, Told::kLater).at(target.where));
}

}  // namespace trainmake
